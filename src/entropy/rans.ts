import { DcompError } from '../errors.js';

/** The state lies in 2^16 .. 2^24 − 1: 3 bytes, of which 1 carries information. */
const STATE_BYTES = 3;
const LOW = 2 ** 16;
const HIGH = 2 ** 24;

/**
 * Range variant of asymmetric numeral systems (Duda, "Asymmetric numeral systems", 2013): an entropy coder that is a
 * *stack*: what was pushed last is popped first. A symbol is an interval `start..start + freq − 1` of 2^bits quanta and
 * costs log2(2^bits / freq) bits.
 *
 * The stack lies in memory in the order of reading, top first, and grows towards lower addresses. So a decoder pops
 * forward from any place in a file, without knowing where the data ends, and stops right behind it. Between state and
 * stack whole bytes move.
 *
 * All arithmetic is on whole doubles, which is exact: a quotient of the state differs from the next whole number by at least
 * 2^-bits, more than its rounding.
 */
export class RansStack {
  private x = LOW;
  private bytes: Uint8Array;
  private top: number;
  private owned: boolean;

  /**
   * An empty stack, or one that begins with given data: an earlier `finish`.
   * @throws DcompError E_TRUNCATED if there is no whole state at `offset`, E_DAMAGED_SEGMENT if it isn't a state
   */
  constructor(data?: Uint8Array, offset = 0) {
    this.bytes = data ?? new Uint8Array(64);
    this.owned = data === undefined;
    this.top = this.owned ? this.bytes.length : offset;
    if (data === undefined) return;
    this.x = 0;
    for (let i = 0; i < STATE_BYTES; i++) this.x = this.x * 256 + this.popByte(STATE_BYTES - i);
    if (this.x < LOW) {
      throw new DcompError(
        'E_DAMAGED_SEGMENT',
        `the entropy coder cannot begin with state ${this.x} at byte ${offset}`,
      );
    }
  }

  /** Is the state that of an empty stack? Damaged data seldom ends there. */
  get atStart(): boolean {
    return this.x === LOW;
  }

  /** Index behind the last byte popped. */
  get position(): number {
    return this.top;
  }

  /**
   * @param start first quantum of the symbol
   * @param freq its quanta, at least 1
   * @param bits log2 of the number of all quanta, at most 14
   */
  push(start: number, freq: number, bits: number): void {
    const total = 1 << bits;
    const limit = freq * (HIGH / total);
    while (this.x >= limit) {
      const rest = Math.floor(this.x / 256);
      this.pushByte(this.x - rest * 256);
      this.x = rest;
    }
    const quotient = Math.floor(this.x / freq);
    this.x = quotient * total + (this.x - quotient * freq) + start;
  }

  /** The quantum on top, 0..2^bits − 1: it lies in the interval of the symbol to be popped. */
  peek(bits: number): number {
    const total = 1 << bits;
    return this.x - Math.floor(this.x / total) * total;
  }

  /** Removes the symbol in whose interval `peek(bits)` lies. @throws DcompError E_TRUNCATED if the data ends */
  pop(start: number, freq: number, bits: number): void {
    const total = 1 << bits;
    const quotient = Math.floor(this.x / total);
    this.x = quotient * freq + (this.x - quotient * total) - start;
    while (this.x < LOW) this.x = this.x * 256 + this.popByte(1);
  }

  /** The state and everything below it, in the order of reading. The stack stays as it is. */
  finish(): Uint8Array {
    const data = new Uint8Array(STATE_BYTES + this.bytes.length - this.top);
    let rest = this.x;
    for (let i = STATE_BYTES - 1; i >= 0; i--) {
      data[i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    data.set(this.bytes.subarray(this.top), STATE_BYTES);
    return data;
  }

  private pushByte(byte: number): void {
    if (!this.owned || this.top === 0) this.grow();
    this.bytes[--this.top] = byte;
  }

  /** @param needed bytes, this one included */
  private popByte(needed: number): number {
    if (this.top + needed > this.bytes.length)
      throw new DcompError(
        'E_TRUNCATED',
        `the entropy-coded data ends at byte ${this.bytes.length}, but ${needed} more are needed`,
      );
    return this.bytes[this.top++]!;
  }

  /** Moves the data to the end of a larger buffer of our own: the caller's is never written to. */
  private grow(): void {
    const used = this.bytes.subarray(this.top);
    const grown = new Uint8Array(2 * used.length + 64);
    grown.set(used, grown.length - used.length);
    this.top = grown.length - used.length;
    this.bytes = grown;
    this.owned = true;
  }
}

/**
 * Whole frequencies for given weights. Invariants: each symbol has at least 1 quantum, their sum is exactly 2^bits, and
 * nothing lies outside.
 * @param weights at least one, finite, not negative; only their ratios count
 * @param bits log2 of the number of quanta; 2^bits must be at least the number of symbols
 * @returns cumulative frequencies, one more than symbols: symbol i has the quanta cumulative[i]..cumulative[i + 1] − 1
 */
export function quantise(weights: ArrayLike<number>, bits: number): Uint32Array {
  const n = weights.length;
  const total = 1 << bits;
  if (n < 1 || n > total) throw new DcompError('E_USAGE', `${n} symbols cannot share 2^${bits} quanta`);
  let sum = 0;
  for (let i = 0; i < n; i++) sum += weights[i]!;
  const cumulative = new Uint32Array(n + 1);
  let running = 0;
  for (let i = 1; i <= n; i++) {
    running += weights[i - 1]!;
    // One quantum for everyone, the others by weight. min: a sum in another order may differ by a rounding.
    const share = sum > 0 ? Math.min(1, running / sum) : i / n;
    cumulative[i] = i + (i === n ? total - n : Math.floor(share * (total - n)));
  }
  return cumulative;
}

/** Symbol whose interval holds a quantum. @param cumulative as from `quantise` */
export function symbolAt(cumulative: Uint32Array, quantum: number): number {
  let low = 0;
  let high = cumulative.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (cumulative[middle]! <= quantum) low = middle;
    else high = middle;
  }
  return low;
}
