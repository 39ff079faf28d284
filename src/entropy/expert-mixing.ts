/**
 * Binary decisions mixed from contexts and from experts: what predictions with a distribution of their own say of the
 * decision. As src/entropy/mixing.ts, but with two sets of weights, each chosen by something else, whose sums are averaged.
 * Only + − × ÷ on doubles and tables of exact functions.
 */
import { exp2 } from '../math/exact.js';
import { LIMIT, QUANTA, SQUASH, SQUASH_STEPS, STRETCH, STRETCHES, type BinaryCoder } from './mixing.js';

/** Weights of contexts and experts before anything is learnt. */
const CONTEXT_WEIGHT = 0.1;
const EXPERT_WEIGHT = 0.35;
/** What the last input always says: its weight is what the others leave. */
const BIAS = 0.3;
/** A weight moves by error · input times LEARNING, and at first by more: EARLY / (1 + n / 64) after n decisions. */
const LEARNING = 0.002;
const EARLY = 0.02;
const EARLY_DECISIONS = 64;
/** A probability that was used n times moves by 1 / (n + 1.5) of its error; n counts no further than this. */
const COUNT_LIMIT = 250;
/** Probabilities stay this far from 0 and 1. */
const LEAST = 1 / 4096;

export class ExpertMixer {
  /** Of the next decision; the caller sets them. */
  readonly contexts: Int32Array;
  /** What each expert gives a 1 in the next decision, 0..1. */
  readonly said: Float64Array;
  /** First sets of weights of the next decisions, one of each kind. */
  firstSet = 0;
  secondSet = 0;
  private readonly slots: Int32Array;
  private readonly inputs: Float64Array;
  private readonly probabilities: Float32Array;
  private readonly counts: Uint8Array;
  /** By kind. */
  private readonly weights: [Float64Array, Float64Array];
  private readonly decisions: [Float64Array, Float64Array];
  private readonly shift: number;

  /**
   * @param contextCount, expertCount of a decision
   * @param sets of weights of each kind
   * @param tableBits log2 of the number of probabilities
   */
  constructor(
    private readonly contextCount: number,
    private readonly expertCount: number,
    sets: number,
    tableBits: number,
  ) {
    const count = contextCount + expertCount + 1;
    this.contexts = new Int32Array(contextCount);
    this.said = new Float64Array(expertCount);
    this.slots = new Int32Array(contextCount);
    this.inputs = new Float64Array(count);
    this.probabilities = new Float32Array(2 ** tableBits).fill(0.5);
    this.counts = new Uint8Array(2 ** tableBits);
    const start = Float64Array.from({ length: count }, (_, i) =>
      i < contextCount ? CONTEXT_WEIGHT : i < contextCount + expertCount ? EXPERT_WEIGHT : 0,
    );
    const weights = new Float64Array(sets * count);
    for (let i = 0; i < weights.length; i += count) weights.set(start, i);
    this.weights = [weights, weights.slice()];
    this.decisions = [new Float64Array(sets), new Float64Array(sets)];
    this.shift = 32 - tableBits;
  }

  /**
   * Codes a decision in the contexts that are set, and learns from it.
   * @param node tells decisions apart that have equal contexts
   * @param set of weights, counted from the first ones
   */
  code(coder: BinaryCoder, node: number, set: number, bit: number): number {
    const { contextCount, contexts, slots, inputs, probabilities } = this;
    for (let i = 0; i < contextCount; i++) {
      const key = contexts[i]! ^ Math.imul(node * contextCount + i + 1, 0x9e3779b1);
      const slot = (slots[i] = Math.imul(key, 0x85ebca6b) >>> this.shift);
      inputs[i] = STRETCH[Math.floor(probabilities[slot]! * STRETCHES)]!;
    }
    for (let e = 0, i = contextCount; e < this.expertCount; e++, i++) {
      const place = Math.floor(this.said[e]! * STRETCHES);
      inputs[i] = STRETCH[place < 0 ? 0 : place >= STRETCHES ? STRETCHES - 1 : place]!;
    }
    const count = inputs.length;
    inputs[count - 1] = BIAS;
    const first = (this.firstSet + set) * count;
    const second = (this.secondSet + set) * count;
    const [one, two] = this.weights;
    let sum1 = 0;
    let sum2 = 0;
    for (let i = 0; i < count; i++) {
      sum1 += one[first + i]! * inputs[i]!;
      sum2 += two[second + i]! * inputs[i]!;
    }
    const mean = squashed((sum1 + sum2) / 2);
    const ones = Math.max(1, Math.min(QUANTA - 1, Math.floor(mean * QUANTA + 0.5)));
    const result = coder.code(ones, bit);
    this.learn(0, first, this.firstSet + set, result - squashed(sum1));
    this.learn(1, second, this.secondSet + set, result - squashed(sum2));
    this.follow(result);
    return result;
  }

  private learn(kind: 0 | 1, first: number, set: number, error: number): void {
    const { inputs } = this;
    const weights = this.weights[kind];
    const step = error * (LEARNING + EARLY / (1 + this.decisions[kind][set]!++ / EARLY_DECISIONS));
    for (let i = 0; i < inputs.length; i++) weights[first + i]! += step * inputs[i]!;
  }

  private follow(bit: number): void {
    const { slots, probabilities, counts } = this;
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!;
      const count = counts[slot]!;
      const p = probabilities[slot]!;
      const moved = p + (bit - p) / (count + 1.5);
      probabilities[slot] = moved < LEAST ? LEAST : moved > 1 - LEAST ? 1 - LEAST : moved;
      if (count < COUNT_LIMIT) counts[slot] = count + 1;
    }
  }
}

function squashed(sum: number): number {
  const clamped = sum < -LIMIT ? -LIMIT : sum > LIMIT ? LIMIT : sum;
  return SQUASH[Math.floor((clamped + LIMIT) * SQUASH_STEPS + 0.5)]!;
}

/** The logistic distribution at steps of 1 / CDF_STEPS of its scale, from −CDF_LIMIT on. */
const CDF_LIMIT = 24;
const CDF_STEPS = 64;
const LOG2_E = 1.4426950408889634;
const CDF = Float64Array.from(
  { length: 2 * CDF_LIMIT * CDF_STEPS + 2 },
  (_, i) => 1 / (1 + exp2((CDF_LIMIT - i / CDF_STEPS) * LOG2_E)),
);

/** Probability of a logistic variable below t, by straight lines between the steps. */
export function logistic(t: number): number {
  const u = (t + CDF_LIMIT) * CDF_STEPS;
  if (u <= 0) return 0;
  if (u >= 2 * CDF_LIMIT * CDF_STEPS) return 1;
  const i = Math.floor(u);
  return CDF[i]! + (u - i) * (CDF[i + 1]! - CDF[i]!);
}
