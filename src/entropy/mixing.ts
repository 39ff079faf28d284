/**
 * Binary decisions whose probability is mixed from several contexts (logistic mixing: Mahoney, "Adaptive weighing of context
 * models for lossless data compression", 2005), coded by rANS. Each context has a probability in a table, addressed by a
 * hash, which follows what has come; the mixer adds their log odds with weights that learn. Only + − × ÷ on doubles, and
 * tables of exact functions: both sides have the same numbers on every machine.
 */
import { DcompError } from '../errors.js';
import { exp2, log2 } from '../math/exact.js';
import { onDemand } from '../math/on-demand.js';
import { RansStack } from './rans.js';
import type { Pieces } from '../turns.js';

/** log2 of the quanta of a probability. */
const BITS = 14;
export const QUANTA = 1 << BITS;

/** Log odds in bits of the probability (i + ½) / STRETCHES. */
export const STRETCHES = 4096;
export const stretchTable = onDemand(() =>
  Float64Array.from({ length: STRETCHES }, (_, i) => log2((i + 0.5) / (STRETCHES - i - 0.5))),
);
/** Mixed log odds are clamped to ±LIMIT and rounded to 1 / SQUASH_STEPS. */
export const LIMIT = 16;
export const SQUASH_STEPS = 128;
export const squashTable = onDemand(() =>
  Float64Array.from({ length: 2 * LIMIT * SQUASH_STEPS + 1 }, (_, i) => 1 / (1 + exp2(LIMIT - i / SQUASH_STEPS))),
);

/** A probability that was used n times moves by 1 / (n + 1.5) of its error; n counts no further than this. */
const COUNT_LIMIT = 250;
/** Probabilities stay this far from 0 and 1. */
const LEAST = 1 / 8192;

const START_WEIGHT = 0.18;
/** A weight moves by error · log odds times LEARNING, and at first by more: EARLY / (1 + n / 64) after n decisions. */
const LEARNING = 0.003;
const EARLY = 0.02;
const EARLY_DECISIONS = 64;

/** Joins a number to a hash of 32 bits. */
export function hash(h: number, value: number): number {
  const x = Math.imul(h ^ value, 0x9e3779b1);
  return x ^ (x >>> 15);
}

/** Where decisions go to, or come from. */
export interface BinaryCoder {
  /**
   * @param ones quanta that a 1 has, 1..2^14 − 1
   * @param bit what is written; a reader does not look at it
   * @returns the bit
   */
  code(ones: number, bit: number): number;
}

export class Mixer {
  /** Of the next decision; the caller sets them. */
  readonly contexts: Uint32Array;
  private readonly stretch = stretchTable();
  private readonly squash = squashTable();
  private readonly slots: Uint32Array;
  private readonly logOdds: Float64Array;
  private readonly probabilities: Float32Array;
  private readonly counts: Uint8Array;
  private readonly weights: Float64Array;
  private readonly decisions: Float64Array;
  private readonly shift: number;

  /**
   * @param inputs contexts of a decision
   * @param sets of weights
   * @param tableBits log2 of the number of probabilities
   */
  constructor(
    private readonly inputs: number,
    sets: number,
    tableBits: number,
  ) {
    this.contexts = new Uint32Array(inputs);
    this.slots = new Uint32Array(inputs);
    this.logOdds = new Float64Array(inputs);
    this.probabilities = new Float32Array(2 ** tableBits).fill(0.5);
    this.counts = new Uint8Array(2 ** tableBits);
    this.weights = new Float64Array(sets * inputs).fill(START_WEIGHT);
    this.decisions = new Float64Array(sets);
    this.shift = 32 - tableBits;
  }

  /**
   * Codes a decision in the contexts that are set, and learns from it.
   * @param node tells decisions apart that have equal contexts
   * @param set of weights
   */
  code(coder: BinaryCoder, node: number, set: number, bit: number): number {
    const { inputs, contexts, slots, logOdds, probabilities, weights, stretch, squash } = this;
    const first = set * inputs;
    let sum = 0;
    for (let i = 0; i < inputs; i++) {
      const key = contexts[i]! ^ Math.imul(node * inputs + i + 1, 0x9e3779b1);
      const slot = (slots[i] = Math.imul(key, 0x85ebca6b) >>> this.shift);
      const x = (logOdds[i] = stretch[Math.floor(probabilities[slot]! * STRETCHES)]!);
      sum += weights[first + i]! * x;
    }
    const clamped = sum < -LIMIT ? -LIMIT : sum > LIMIT ? LIMIT : sum;
    const one = squash[Math.floor((clamped + LIMIT) * SQUASH_STEPS + 0.5)]!;
    const ones = Math.max(1, Math.min(QUANTA - 1, Math.floor(one * QUANTA + 0.5)));
    const result = coder.code(ones, bit);
    this.learn(first, (result - one) * (LEARNING + EARLY / (1 + this.decisions[set]!++ / EARLY_DECISIONS)), result);
    return result;
  }

  private learn(first: number, step: number, bit: number): void {
    const { inputs, slots, logOdds, probabilities, counts, weights } = this;
    for (let i = 0; i < inputs; i++) {
      weights[first + i]! += step * logOdds[i]!;
      const slot = slots[i]!;
      const count = counts[slot]!;
      const p = probabilities[slot]!;
      const moved = p + (bit - p) / (count + 1.5);
      probabilities[slot] = moved < LEAST ? LEAST : moved > 1 - LEAST ? 1 - LEAST : moved;
      if (count < COUNT_LIMIT) counts[slot] = count + 1;
    }
  }
}

/** Bits of a decision by its quanta. */
const costTable = onDemand(() =>
  Float32Array.from({ length: QUANTA + 1 }, (_, quanta) => (quanta === 0 ? 0 : BITS - log2(quanta))),
);

/** Decisions that are pushed in a piece. */
const PIECE = 2 ** 16;

/** Notes decisions in their order, and pushes them in reverse. */
export class BinaryEncoder implements BinaryCoder {
  private readonly costs = costTable();
  /** Bits of the decisions noted. */
  bits = 0;
  /** 2 · ones + bit */
  private notes = new Uint16Array(1024);
  /** Decisions noted. */
  count = 0;

  code(ones: number, bit: number): number {
    if (this.count === this.notes.length) {
      const grown = new Uint16Array(2 * this.count);
      grown.set(this.notes);
      this.notes = grown;
    }
    this.notes[this.count++] = 2 * ones + bit;
    this.bits += this.costs[bit === 1 ? ones : QUANTA - ones]!;
    return bit;
  }

  /** The stack of what was noted since the last call. */
  *flushInPieces(): Pieces<Uint8Array> {
    const stack = new RansStack();
    for (let i = this.count - 1; i >= 0; i--) {
      const ones = this.notes[i]! >>> 1;
      if (this.notes[i]! & 1) stack.push(0, ones, BITS);
      else stack.push(ones, QUANTA - ones, BITS);
      if (i % PIECE === 0) yield;
    }
    this.count = this.bits = 0;
    return stack.finish();
  }
}

export class BinaryDecoder implements BinaryCoder {
  private readonly stack: RansStack;

  /** @throws DcompError E_TRUNCATED or E_DAMAGED_SEGMENT if no stack begins at that byte */
  constructor(bytes: Uint8Array, offset: number) {
    this.stack = new RansStack(bytes, offset);
  }

  /** @throws DcompError E_TRUNCATED if the data ends */
  code(ones: number): number {
    const { stack } = this;
    const bit = stack.peek(BITS) < ones ? 1 : 0;
    if (bit === 1) stack.pop(0, ones, BITS);
    else stack.pop(ones, QUANTA - ones, BITS);
    return bit;
  }

  /** To be called behind the last decision. @returns index behind the data @throws DcompError E_DAMAGED_SEGMENT if it doesn't end here */
  finish(): number {
    if (this.stack.atStart) return this.stack.position;
    throw new DcompError('E_DAMAGED_SEGMENT', `the coded samples before byte ${this.stack.position} are damaged`);
  }
}
