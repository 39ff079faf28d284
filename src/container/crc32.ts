/**
 * CRC-32 (ISO 3309, as in PNG and zip), and what its algebra gives besides: the checksum is linear, so the checksums of
 * two pieces make that of the whole, and the difference of two checksums tells which single byte changed.
 */
import type { Pieces } from '../turns.js';

const POLYNOMIAL = 0xedb88320;
const TABLE = Uint32Array.from({ length: 256 }, (_, n) => shifted(n, 8));
/** The index of the entry of TABLE with these highest 8 bits: they are all different. */
const INVERSE = new Uint8Array(256);
for (let n = 0; n < 256; n++) INVERSE[TABLE[n]! >>> 24] = n;

/** @param before checksum of what comes before the bytes */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Bytes that are summed in a piece: a few milliseconds. */
const PIECE = 2 ** 20;

/** As `crc32`. */
export function* crc32InPieces(bytes: Uint8Array, before: number): Pieces<number> {
  let crc = before;
  for (let at = 0; at < bytes.length; at += PIECE) {
    crc = crc32(bytes.subarray(at, at + PIECE), crc);
    yield;
  }
  return crc;
}

/** Checksum of a first piece and a second one of so many bytes, of their checksums (M. Adler, zlib's crc32_combine). */
export function crc32Combine(first: number, second: number, secondLength: number): number {
  let shift = 0x80000000; // 1: bit 31 is the coefficient of x^0
  for (let n = secondLength, power = BYTE_POWERS, k = 0; n > 0; n = Math.floor(n / 2), k++) {
    if (n % 2 === 1) shift = product(shift, power[k]!);
  }
  return (product(shift, first) ^ second) >>> 0;
}

/**
 * The places at which a single wrong byte explains a wrong checksum. With the right byte b + e in place of b, k bytes before
 * the end, the checksum differs by e · x^(8k + 32) modulo the polynomial; going back from the difference, a byte at a time,
 * the place is where less than a byte is left.
 *
 * @param difference right checksum xor wrong one, not 0
 * @param length of the bytes, all of which are tried
 * @returns pairs [index of the byte, e]. At most one for a length up to 145 208: the first two errors of one byte that have
 *   the same difference are 145 212 bytes apart
 */
export function singleByteErrors(difference: number, length: number): [number, number][] {
  const found: [number, number][] = [];
  for (let index = length - 1, d = difference; index >= 0; index--) {
    const low = INVERSE[d >>> 24]!;
    d = (((d ^ TABLE[low]!) << 8) | low) >>> 0;
    if (d < 256) found.push([index, d]);
  }
  return found;
}

/** x^(8 · 2^k) for k = 0 .. 52 */
const BYTE_POWERS = new Uint32Array(53);
BYTE_POWERS[0] = 0x00800000;
for (let k = 1; k < BYTE_POWERS.length; k++) BYTE_POWERS[k] = product(BYTE_POWERS[k - 1]!, BYTE_POWERS[k - 1]!);

/** Product modulo the polynomial. */
function product(a: number, b: number): number {
  let sum = 0;
  for (let mask = 0x80000000; mask !== 0; mask >>>= 1) {
    if ((a & mask) !== 0) sum ^= b;
    b = b & 1 ? POLYNOMIAL ^ (b >>> 1) : b >>> 1;
  }
  return sum >>> 0;
}

/** Times x^n. */
function shifted(a: number, n: number): number {
  for (let k = 0; k < n; k++) a = a & 1 ? POLYNOMIAL ^ (a >>> 1) : a >>> 1;
  return a >>> 0;
}
