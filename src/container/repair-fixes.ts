/**
 * What single wrong bytes of a part explain its checksum: of a part with a length before it, and of the header, whose
 * length depends on what may be wrong in it.
 */
import { CRC_BYTES, MAX_HEADER, MIN_HEADER, readHeader, readU32, segmentChecksum } from './container.js';
import { crc32, singleByteErrors } from './crc32.js';
import { ALPHA_SHAPE, PART_SHAPE, SEGMENT_SHAPE, type Shape } from './frame.js';
import { partName } from './parts.js';

/** Longest covered part, in bytes, in which one wrong byte is repaired, and one wrong bit. */
const ONE_BYTE = 2 ** 17;
const ONE_BIT = 2 ** 22;

/** Part of a file with a length and a checksum of its own. */
export interface Framed extends Shape {
  name: string;
  /** Of a segment, the number of its first unit; undefined for others. */
  firstUnit?: number;
}

export interface Fix {
  offset: number;
  right: number;
  risk: number;
}

export const ALPHA: Framed = { name: 'alpha', ...ALPHA_SHAPE };

export function segmentShape(number: number, firstUnit: number): Framed {
  return { name: `segment ${number}`, ...SEGMENT_SHAPE, firstUnit };
}

/** @param crc CRC-32 of what is covered, `length` bytes */
export function checksum({ firstUnit }: Framed, crc: number, length: number, last: boolean): number {
  return firstUnit === undefined ? crc : segmentChecksum({ first: firstUnit, last }, crc, length);
}

export function partShape(type: number): Framed {
  return { name: `part ${partName(type)}`, ...PART_SHAPE };
}

/**
 * @param covered number of bytes that the checksum covers
 * @param offsetOf the byte offset in the file of each of them
 * @param crc byte offset of the checksum
 */
export function wrongBytes(
  bytes: Uint8Array,
  difference: number,
  covered: number,
  offsetOf: (index: number) => number,
  crc: number,
): Fix[] {
  const oneBit = covered > ONE_BYTE;
  if (covered > ONE_BIT || difference === 0) return [];
  const risk = ((oneBit ? 8 : 255) * (covered + CRC_BYTES)) / 2 ** 32;
  const errors = singleByteErrors(difference, covered).map(([index, error]): [number, number] => [
    offsetOf(index),
    error,
  ]);
  for (let i = 0; i < CRC_BYTES; i++) {
    const error = (difference >>> (8 * i)) & 255;
    if (difference === (error << (8 * i)) >>> 0) errors.push([crc + i, error]);
  }
  return errors
    .filter(([, error]) => !oneBit || (error & (error - 1)) === 0)
    .map(([offset, error]) => ({ offset, right: bytes[offset]! ^ error, risk }));
}

export function headerOf(bytes: Uint8Array): ReturnType<typeof readHeader> | undefined {
  try {
    return readHeader(bytes);
  } catch {
    return undefined;
  }
}

/** A header's length depends on what may be wrong in it, so all are tried; what comes out must be a header of that length. */
export function headerFixes(bytes: Uint8Array): Fix[] {
  const fixes: Fix[] = [];
  for (let end = MIN_HEADER; end <= MAX_HEADER && end + CRC_BYTES <= bytes.length; end++) {
    const head = bytes.slice(0, end + CRC_BYTES);
    const difference = (crc32(head.subarray(0, end)) ^ readU32(head, end)) >>> 0;
    for (const fix of wrongBytes(head, difference, end, (index) => index, end)) {
      const found = head[fix.offset]!;
      head[fix.offset] = fix.right;
      if (headerOf(head)?.end === end + CRC_BYTES)
        fixes.push({ ...fix, risk: fix.risk * (MAX_HEADER - MIN_HEADER + 1) });
      head[fix.offset] = found;
    }
  }
  return fixes;
}
