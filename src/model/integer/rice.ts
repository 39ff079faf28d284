/**
 * Rice codes (Rice, "Some practical universal noiseless coding techniques", 1979) of signed integers: w is folded to
 * f = 2w, or −2w − 1 where it is negative, and written as ⌊f / 2^p⌋ ones, a zero and the p low bits of f. The best code with
 * whole bits for magnitudes that fall off exponentially, as those of trained weights do: within 0.1 bit of their entropy.
 * A list begins with 4 bits, its p.
 */
import { finish, type Pieces } from '../../turns.js';
import { modelKernel } from '../model-kernel.js';

const PARAMETER_BITS = 4;
const MAX_PARAMETER = 2 ** PARAMETER_BITS - 1;

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

/** Where the bytes lie for the kernel: it takes address 0 for none. Behind them are zeros that a code may be looked for in. */
const BYTES = 16;
const BEHIND = 16;

/** As `readRice`; a list is a piece. @throws DcompError E_ENVIRONMENT */
export function* readRiceInPieces(bytes: Uint8Array, lengths: readonly number[]): Pieces<Int16Array[] | undefined> {
  const place = 2 * Math.ceil((BYTES + bytes.length + BEHIND) / 2);
  const { kernel, buffer } = modelKernel(place + 2 * lengths.reduce((most, length) => Math.max(most, length), 0));
  new Uint8Array(buffer, BYTES).set(bytes);
  kernel.beginRice(BYTES, bytes.length);
  const lists: Int16Array[] = [];
  for (const length of lengths) {
    if (kernel.readRice(place, length) === 0) return undefined;
    lists.push(new Int16Array(buffer, place, length).slice());
    yield;
  }
  return kernel.endsRice() === 0 ? undefined : lists;
}
