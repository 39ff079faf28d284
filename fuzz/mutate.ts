/** Changes to valid files, such as a fuzzer makes: a pure function of the inputs and a seed, so that every run can be repeated. */
import { hash32 } from '../src/math/hash.js';

const INTERESTING = [0, 1, 2, 7, 8, 9, 16, 63, 64, 100, 127, 128, 129, 200, 254, 255];
const INTERESTING_WORDS = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];

/** No input grows beyond this. */
const MAX_INPUT = 4096;

/** A source of numbers below a bound. */
export function numbers(seed: number): (bound: number) => number {
  let counter = 0;
  return (bound) => Math.floor((hash32(seed, counter++) / 2 ** 32) * bound);
}

/** @param other another input, of which pieces may be taken */
export function mutate(input: Uint8Array, other: Uint8Array, seed: number): Uint8Array {
  const below = numbers(seed);
  let bytes = Array.from(input.subarray(0, MAX_INPUT));
  for (let changes = 1 + below(1 << below(4)); changes > 0; changes--) {
    const at = below(bytes.length + 1);
    const length = 1 + below(1 << below(7));
    switch (below(11)) {
      case 0:
        if (at < bytes.length) bytes[at]! ^= 1 << below(8);
        break;
      case 1:
        if (at < bytes.length) bytes[at] = below(256);
        break;
      case 2:
        if (at < bytes.length) bytes[at] = INTERESTING[below(INTERESTING.length)]!;
        break;
      case 3:
        if (at < bytes.length) bytes[at] = (bytes[at]! + 256 + below(17) - 8) & 255;
        break;
      case 4: {
        const word = INTERESTING_WORDS[below(INTERESTING_WORDS.length)]!;
        const bigEndian = below(2) === 1;
        for (let i = 0; i < 4 && at + i < bytes.length; i++)
          bytes[at + i] = (word >>> (8 * (bigEndian ? 3 - i : i))) & 255;
        break;
      }
      case 5:
        bytes.splice(at, length);
        break;
      case 6:
        bytes.splice(at, 0, ...Array.from({ length }, () => below(256)));
        break;
      case 7:
        bytes.splice(at, 0, ...new Array<number>(length).fill(below(256)));
        break;
      case 8:
        bytes.splice(at, 0, ...bytes.slice(below(bytes.length + 1)).slice(0, length));
        break;
      case 9: {
        const from = below(other.length + 1);
        bytes.splice(at, below(2) === 0 ? 0 : length, ...other.subarray(from, from + length));
        break;
      }
      default:
        bytes = below(8) === 0 ? bytes.slice(0, at) : bytes;
    }
  }
  return Uint8Array.from(bytes.slice(0, MAX_INPUT));
}
