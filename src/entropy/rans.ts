import { DcompError } from '../errors.js';
import { pow2 } from '../math/exact.js';

/**
 * Range variant of asymmetric numeral systems (Duda, "Asymmetric numeral systems", 2013): an entropy coder that is a
 * *stack*: what was pushed last is popped first. A symbol is an interval `start..start + freq − 1` of 2^bits quanta and
 * costs log2(2^bits / freq) bits. Popping symbols that were never pushed turns any data into samples of a distribution,
 * and pushing them again gives the data back: bits back coding (Townsend, Bird & Barber 2019) rests on that.
 *
 * The stack lies in memory in the order of reading, top first, and grows towards lower addresses. So a decoder pops
 * forward from any place in a file, without knowing where the data ends, and stops right behind it.
 *
 * All arithmetic is on whole doubles below 2^53, which is exact: a quotient below 2^(stateBits − bits) differs from the next
 * whole number by at least 2^-bits, more than its rounding.
 */
export interface RansFormat {
  /** The state lies in 2^(stateBits − wordBits) .. 2^stateBits − 1; a multiple of 8. A file pays about stateBits − wordBits bits. */
  stateBits: number;
  /** Unit of what moves between state and stack: 8 or 16. */
  wordBits: number;
}

/** For long messages and many quanta: up to 16 bits at no measurable loss. */
export const WIDE: RansFormat = { stateBits: 48, wordBits: 16 };
/** For short messages: 3 bytes for the state, of which 1 carries information; up to 14 bits. */
export const COMPACT: RansFormat = { stateBits: 24, wordBits: 8 };

export class RansStack {
  private readonly low: number;
  private readonly high: number;
  private readonly word: number;
  private readonly wordBytes: number;
  private x: number;
  private bytes: Uint8Array;
  private top: number;
  private owned: boolean;

  /**
   * An empty stack, or one that begins with given data (an earlier `finish`, or at least stateBits/8 bytes of any kind as
   * a seed for bits back, the first of them not 0).
   * @throws DcompError E_TRUNCATED if there is no whole state at `offset`, E_DAMAGED_SEGMENT if it isn't a state
   */
  constructor(
    private readonly format: RansFormat = WIDE,
    data?: Uint8Array,
    offset = 0,
  ) {
    this.low = pow2(format.stateBits - format.wordBits);
    this.high = pow2(format.stateBits);
    this.word = pow2(format.wordBits);
    this.wordBytes = format.wordBits / 8;
    this.x = this.low;
    this.bytes = data ?? new Uint8Array(64);
    this.owned = data === undefined;
    this.top = this.owned ? this.bytes.length : offset;
    if (data === undefined) return;
    this.x = 0;
    this.need(format.stateBits / 8);
    for (let i = 0; i < format.stateBits / 8; i++) this.x = this.x * 256 + data[this.top++]!;
    if (this.x < this.low) {
      throw new DcompError(
        'E_DAMAGED_SEGMENT',
        `the entropy coder cannot begin with state ${this.x} at byte ${offset}`,
      );
    }
  }

  /** Equal states and equal stacks below them give equal symbols. */
  get state(): number {
    return this.x;
  }

  /** Is the state that of an empty stack? Damaged data seldom ends there. */
  get atStart(): boolean {
    return this.x === this.low;
  }

  /** Index behind the last byte popped. */
  get position(): number {
    return this.top;
  }

  /**
   * @param start first quantum of the symbol
   * @param freq its quanta, at least 1
   * @param bits log2 of the number of all quanta, at most 16 (WIDE) or 14 (COMPACT)
   */
  push(start: number, freq: number, bits: number): void {
    const total = 1 << bits;
    const limit = freq * (this.high / total);
    while (this.x >= limit) {
      const rest = Math.floor(this.x / this.word);
      this.pushWord(this.x - rest * this.word);
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
    while (this.x < this.low) this.x = this.x * this.word + this.popWord();
  }

  /** The state and everything below it, in the order of reading. The stack stays as it is. */
  finish(): Uint8Array {
    const stateBytes = this.format.stateBits / 8;
    const data = new Uint8Array(stateBytes + this.bytes.length - this.top);
    let rest = this.x;
    for (let i = stateBytes - 1; i >= 0; i--) {
      data[i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    data.set(this.bytes.subarray(this.top), stateBytes);
    return data;
  }

  private pushWord(word: number): void {
    if (!this.owned || this.top < this.wordBytes) this.grow();
    this.bytes[--this.top] = word & 255;
    if (this.wordBytes === 2) this.bytes[--this.top] = word >> 8;
  }

  private popWord(): number {
    this.need(this.wordBytes);
    const first = this.bytes[this.top++]!;
    return this.wordBytes === 2 ? first * 256 + this.bytes[this.top++]! : first;
  }

  private need(bytes: number): void {
    if (this.top + bytes <= this.bytes.length) return;
    throw new DcompError(
      'E_TRUNCATED',
      `the entropy-coded data ends at byte ${this.bytes.length}, but ${bytes} more are needed`,
    );
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

/** Pushes a symbol of a quantised distribution. */
export function pushSymbol(stack: RansStack, cumulative: Uint32Array, bits: number, symbol: number): void {
  stack.push(cumulative[symbol]!, cumulative[symbol + 1]! - cumulative[symbol]!, bits);
}

/** Pops a symbol of a quantised distribution. @throws DcompError E_TRUNCATED if the data ends */
export function popSymbol(stack: RansStack, cumulative: Uint32Array, bits: number): number {
  const symbol = symbolAt(cumulative, stack.peek(bits));
  stack.pop(cumulative[symbol]!, cumulative[symbol + 1]! - cumulative[symbol]!, bits);
  return symbol;
}
