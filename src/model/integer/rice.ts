/**
 * Rice codes (Rice, "Some practical universal noiseless coding techniques", 1979) of signed integers: w is folded to
 * f = 2w, or −2w − 1 where it is negative, and written as ⌊f / 2^p⌋ ones, a zero and the p low bits of f. The best code with
 * whole bits for magnitudes that fall off exponentially, as those of trained weights do: within 0.1 bit of their entropy.
 * A list begins with 4 bits, its p.
 */
import { finish, type Pieces } from '../../turns.js';

const PARAMETER_BITS = 4;
const MAX_PARAMETER = 2 ** PARAMETER_BITS - 1;
/** f of a value in int16. */
const MAX_FOLDED = 65535;
/** Bits that are there of a word of 32 whose first byte may be begun. */
const WINDOW_BITS = 25;

/** Writes lists of integers, one behind the other. @returns packed bits, the last byte filled with zeros */
export function writeRice(lists: readonly Int16Array[]): Uint8Array {
  const coded = lists.map((list) => {
    const folded = new Uint16Array(list.length);
    for (let i = 0; i < list.length; i++) folded[i] = list[i]! < 0 ? -2 * list[i]! - 1 : 2 * list[i]!;
    return { folded, ...bestCode(folded) };
  });
  const bytes = new Uint8Array(Math.ceil(coded.reduce((sum, { length }) => sum + PARAMETER_BITS + length, 0) / 8));
  let at = 0;
  const low = (value: number, count: number): void => {
    for (let i = count - 1; i >= 0; i--, at++) bytes[at >>> 3]! |= ((value >> i) & 1) << (7 - (at & 7));
  };
  for (const { folded, parameter } of coded) {
    low(parameter, PARAMETER_BITS);
    for (const f of folded) {
      for (let ones = f >> parameter; ones > 0; ones--) low(1, 1);
      low(0, 1);
      low(f, parameter);
    }
  }
  return bytes;
}

/** The p under which a list is shortest, and its bits. */
function bestCode(folded: Uint16Array): { parameter: number; length: number } {
  let best = { parameter: 0, length: Infinity };
  for (let parameter = 0; parameter <= MAX_PARAMETER; parameter++) {
    const length = folded.reduce((sum, f) => sum + (f >> parameter), folded.length * (parameter + 1));
    if (length < best.length) best = { parameter, length };
  }
  return best;
}

/**
 * Reads what `writeRice` has written and nothing else: the lists must end with the bytes.
 * @param lengths of the lists; the caller has made sure that there may be so many
 * @returns undefined where the bytes are no such lists
 */
export function readRice(bytes: Uint8Array, lengths: readonly number[]): Int16Array[] | undefined {
  return finish(readRiceInPieces(bytes, lengths));
}

/** As `readRice`; a list is a piece. */
export function* readRiceInPieces(bytes: Uint8Array, lengths: readonly number[]): Pieces<Int16Array[] | undefined> {
  const end = 8 * bytes.length;
  let at = 0;
  // Up to 15 bits; those behind the end read as 0.
  const low = (count: number): number => {
    const first = at >>> 3;
    const window = (bytes[first]! << 16) | (bytes[first + 1]! << 8) | bytes[first + 2]!;
    const value = (window >>> (24 - (at & 7) - count)) & ((1 << count) - 1);
    at += count;
    return value;
  };
  const lists: Int16Array[] = [];
  for (const length of lengths) {
    const parameter = low(PARAMETER_BITS);
    const most = MAX_FOLDED >> parameter;
    const list = new Int16Array(length);
    for (let i = 0; i < length; i++) {
      const first = at >>> 3;
      // 25 bits at least: nearly all codes are within.
      const window =
        ((bytes[first]! << 24) | (bytes[first + 1]! << 16) | (bytes[first + 2]! << 8) | bytes[first + 3]!) << (at & 7);
      let ones = Math.clz32(~window);
      let f: number;
      if (ones + parameter < WINDOW_BITS) {
        if (ones > most) return undefined;
        f = (ones << parameter) | (((window << (ones + 1)) >>> 1) >>> (31 - parameter));
        at += ones + 1 + parameter;
      } else {
        ones = 0;
        while (((bytes[at >>> 3]! >> (7 - (at & 7))) & 1) === 1) {
          if (++ones > most) return undefined;
          at++;
        }
        at++;
        f = (ones << parameter) | low(parameter);
      }
      list[i] = (f & 1) === 0 ? f >> 1 : -((f + 1) >> 1);
      if (at > end) return undefined;
    }
    lists.push(list);
    yield;
  }
  const unused = end - at;
  return unused >= 0 && unused < 8 && low(unused) === 0 ? lists : undefined;
}
