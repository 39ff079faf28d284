/**
 * An arithmetic coder for runs that end anywhere in a stream of bits: it takes two bits more than its symbols have
 * information, so it suits runs of some ten symbols, which rANS (rans.ts) does not. (Witten, Neal & Cleary, "Arithmetic
 * coding for data compression", 1987; with a range and carries: Martin, "Range encoding", 1979.)
 *
 * A symbol is an interval `start..start + freq − 1` of 2^bits quanta. `low` and `range` are in units of 2^-31 of what the bits
 * written so far leave open; range is at least half of that before each symbol.
 */
import { symbolAt } from './rans.js';
import type { BitReader } from './bits.js';

const WHOLE = 2 ** 31;
const HALF = 2 ** 30;
/** Bits that tell an interval of half of the whole from all others, whatever follows them. */
const LAST_BITS = 2;

export class ArithmeticEncoder {
  private low = 0;
  private range = WHOLE;
  /** Packed; a carry may still change them. */
  private bytes = new Uint8Array(256);
  private count = 0;

  /** @param freq at least 1 @param bits at most 14 */
  encode(start: number, freq: number, bits: number): void {
    const step = this.range >>> bits;
    this.low += start * step;
    this.range = freq * step;
    if (this.low >= WHOLE) {
      this.low -= WHOLE;
      this.carry();
    }
    while (this.range < HALF) this.shift();
  }

  /** All bits, packed, most significant first, and how many they are. */
  finish(): { bytes: Uint8Array; count: number } {
    const unit = WHOLE / 2 ** LAST_BITS;
    this.low = Math.ceil(this.low / unit) * unit;
    if (this.low >= WHOLE) {
      this.low -= WHOLE;
      this.carry();
    }
    for (let i = 0; i < LAST_BITS; i++) this.shift();
    return { bytes: this.bytes.slice(0, (this.count + 7) >>> 3), count: this.count };
  }

  private shift(): void {
    if (this.count === 8 * this.bytes.length) {
      const grown = new Uint8Array(2 * this.bytes.length);
      grown.set(this.bytes);
      this.bytes = grown;
    }
    const bit = this.low >= HALF ? 1 : 0;
    this.bytes[this.count >>> 3]! |= bit << (7 - (this.count & 7));
    this.count++;
    this.low = 2 * (this.low - bit * HALF);
    this.range *= 2;
  }

  /** There is a bit that is not set: all of them are below one. */
  private carry(): void {
    const last = this.count - 1;
    let added = 1 << (7 - (last & 7));
    for (let i = last >>> 3; added !== 0; i--) {
      const sum = this.bytes[i]! + added;
      this.bytes[i] = sum;
      added = sum >> 8;
    }
  }
}

/** Reads what an encoder wrote, from the current bit on; `finish` leaves the reader behind it. */
export class ArithmeticDecoder {
  private range = WHOLE;
  private offset = 0;
  /** Of the lowest bits of `offset`, how many are not there: the data has ended. */
  private missing = 0;
  private shifts = 0;
  private readonly ahead: BitReader;

  constructor(private readonly reader: BitReader) {
    this.ahead = reader.copy();
    for (let i = 0; i < 31; i++) this.next();
  }

  /** @param cumulative of 2^bits quanta, as from `quantise` @returns the symbol; undefined where the data leaves more than one open */
  decode(cumulative: Uint32Array, bits: number): number | undefined {
    const step = this.range >>> bits;
    const symbol = symbolAt(cumulative, Math.min(2 ** bits - 1, Math.floor(this.offset / step)));
    return this.take(cumulative[symbol]!, cumulative[symbol + 1]!, step) ? symbol : undefined;
  }

  /** @returns binary digits; undefined as for `decode` */
  digits(count: number): number | undefined {
    const step = this.range >>> count;
    const value = Math.min(2 ** count - 1, Math.floor(this.offset / step));
    return this.take(value, value + 1, step) ? value : undefined;
  }

  /** Goes on behind the last bit. @returns whether the data had not ended there */
  finish(): boolean {
    const used = this.shifts + LAST_BITS;
    const isThere = used <= this.reader.remaining;
    this.reader.skip(used);
    return isThere;
  }

  private take(start: number, end: number, step: number): boolean {
    if (this.missing > 0 && this.offset + 2 ** this.missing > end * step) return false;
    this.offset -= start * step;
    this.range = (end - start) * step;
    for (; this.range < HALF; this.range *= 2, this.shifts++) this.next();
    return true;
  }

  private next(): void {
    if (this.ahead.remaining === 0) this.missing++;
    this.offset = 2 * this.offset + this.ahead.read();
  }
}
