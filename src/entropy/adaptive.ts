import { DcompError } from '../errors.js';
import { finish, type Pieces } from '../turns.js';
import { RansStack } from './rans.js';

/**
 * Adaptive coding of small alphabets through rANS: probabilities are counts per context, which encoder and decoder keep
 * alike. rANS being a stack, the encoder notes the intervals in forward order and pushes them in reverse; the decoder
 * reads forward, needs no length and stops right behind the data. Overhead: 2 to 3 bytes.
 */

/** log2 of the quanta. A symbol seen always still costs 1.44 · (alphabet − 1) · 2^-14 bits. */
const BITS = 14;
const QUANTA = 1 << BITS;

/** What one observation adds to a count. The counts of the start distribution are in this unit, too. */
export const OBSERVATION = 32;

/** Counts per context; one model serves one direction of one message. */
export class AdaptiveModel {
  /** Start of the interval found last, in quanta. */
  start = 0;
  /** Its length. */
  freq = 0;
  private readonly counts: Uint32Array;
  private readonly totals: Uint32Array;
  private readonly symbols: number;
  private readonly limit: number;

  /**
   * @param contexts how many
   * @param initial counts to begin with, in 1/32 observation, sum at least 1: small ones adapt fast
   * @param memory observations after which all counts are halved: at most 2^16
   */
  constructor(contexts: number, initial: readonly number[], memory: number) {
    this.symbols = initial.length;
    this.limit = memory * OBSERVATION;
    this.counts = new Uint32Array(contexts * this.symbols);
    for (let i = 0; i < this.counts.length; i++) this.counts[i] = initial[i % this.symbols]!;
    this.totals = new Uint32Array(contexts).fill(initial.reduce((sum, count) => sum + count, 0));
  }

  /** Sets `start` and `freq` to a symbol's interval and counts the symbol. */
  observe(context: number, symbol: number): void {
    const base = context * this.symbols;
    let before = 0;
    for (let i = 0; i < symbol; i++) before += this.counts[base + i]!;
    this.locate(context, symbol, before, before + this.counts[base + symbol]!);
    this.count(context, symbol);
  }

  /** The symbol at a quantum; sets its interval and counts it, like `observe`. */
  find(context: number, quantum: number): number {
    const base = context * this.symbols;
    let before = 0;
    for (let symbol = 0; ; symbol++) {
      const behind = before + this.counts[base + symbol]!;
      this.locate(context, symbol, before, behind);
      if (quantum < this.start + this.freq || symbol === this.symbols - 1) {
        this.count(context, symbol);
        return symbol;
      }
      before = behind;
    }
  }

  /** One quantum for every symbol and the others by count: never 0, and the sum is exact. */
  private locate(context: number, symbol: number, before: number, behind: number): void {
    const total = this.totals[context]!;
    const free = QUANTA - this.symbols;
    this.start = symbol + Math.floor((before * free) / total);
    this.freq = symbol + 1 + Math.floor((behind * free) / total) - this.start;
  }

  private count(context: number, symbol: number): void {
    const base = context * this.symbols;
    this.counts[base + symbol]! += OBSERVATION;
    this.totals[context]! += OBSERVATION;
    if (this.totals[context]! <= this.limit) return;
    let total = 0;
    for (let i = base; i < base + this.symbols; i++) total += this.counts[i]! = (this.counts[i]! + 1) >>> 1;
    this.totals[context] = total;
  }
}

/** Symbols after which encoder and decoder begin a new stack, so that the encoder's notes stay below 16 MB. */
const STACK_SYMBOLS = 1 << 22;

/** Symbols that are pushed in a piece. */
const PIECE = 2 ** 17;

/** Takes symbols in forward order. */
export class AdaptiveEncoder {
  /** start · 2^16 + freq per symbol of the stack to be built */
  private intervals = new Uint32Array(256);
  private count = 0;
  /** Stacks' worth of intervals that are to be pushed yet. */
  private full: Uint32Array[] = [];
  private readonly parts: Uint8Array[] = [];

  encode(model: AdaptiveModel, context: number, symbol: number): void {
    if (this.count === STACK_SYMBOLS) this.put();
    if (this.count === this.intervals.length) {
      const grown = new Uint32Array(2 * this.count);
      grown.set(this.intervals);
      this.intervals = grown;
    }
    model.observe(context, symbol);
    this.intervals[this.count++] = model.start * 65536 + model.freq;
  }

  finish(): Uint8Array {
    return finish(this.finishInPieces());
  }

  *finishInPieces(): Pieces<Uint8Array> {
    this.put();
    yield* this.flushFull();
    const bytes = new Uint8Array(this.parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  private put(): void {
    this.full.push(this.intervals.subarray(0, this.count));
    this.intervals = new Uint32Array(256);
    this.count = 0;
  }

  /** Turns the stacks that are full into bytes. To be called now and then where there are many symbols, to hold fewer of them. */
  *flushFull(): Pieces<void> {
    for (let intervals = this.full.shift(); intervals !== undefined; intervals = this.full.shift()) {
      const stack = new RansStack();
      for (let i = intervals.length - 1; i >= 0; i--) {
        stack.push(intervals[i]! >>> 16, intervals[i]! & 0xffff, BITS);
        if (i % PIECE === 0) yield;
      }
      this.parts.push(stack.finish());
    }
  }
}

/** Gives the symbols back, if the caller asks with equal models and contexts. */
export class AdaptiveDecoder {
  private stack: RansStack;
  private count = 0;

  /** @throws DcompError E_TRUNCATED or E_DAMAGED_SEGMENT if no data begins at that byte */
  constructor(
    private readonly bytes: Uint8Array,
    offset = 0,
  ) {
    this.stack = new RansStack(bytes, offset);
  }

  /** @throws DcompError E_TRUNCATED if the data ends, E_DAMAGED_SEGMENT if it cannot be right */
  decode(model: AdaptiveModel, context: number): number {
    if (this.count === STACK_SYMBOLS) {
      this.stack = new RansStack(this.bytes, this.finish());
      this.count = 0;
    }
    this.count++;
    const symbol = model.find(context, this.stack.peek(BITS));
    this.stack.pop(model.start, model.freq, BITS);
    return symbol;
  }

  /** To be called behind the last symbol. @returns index behind the data @throws DcompError E_DAMAGED_SEGMENT if it doesn't end here */
  finish(): number {
    if (!this.stack.atStart) {
      throw new DcompError('E_DAMAGED_SEGMENT', `the entropy-coded data before byte ${this.stack.position} is damaged`);
    }
    return this.stack.position;
  }
}
