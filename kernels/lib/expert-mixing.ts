/**
 * Binary decisions mixed from contexts and from experts, with two sets of weights (docs/format.md, section 13). Doubles,
 * each made of the same operations in the same order everywhere.
 */

/** Contexts of a decision. */
export const CONTEXTS: i32 = 13;
/** Doubles of a set of weights, made even. */
const STRIDE: usize = 18;

/** Weights before anything is learnt. */
const CONTEXT_WEIGHT: f64 = 0.1;
const EXPERT_WEIGHT: f64 = 0.35;
const BIAS: f64 = 0.3;
const LEARNING: f64 = 0.002;
const EARLY: f64 = 0.02;
const EARLY_DECISIONS: f64 = 64;
const COUNT_LIMIT: i32 = 250;
const LEAST: f64 = 1 / 4096;
const STRETCHES: f64 = 4096;
const LIMIT: f64 = 16;
const SQUASH_STEPS: f64 = 128;
const QUANTA: i32 = 16384;
const NODE_MIX: i32 = <i32>0x9e3779b1;
const SLOT_MIX: i32 = <i32>0x85ebca6b;

/** Where a decision goes to, or comes from: the quanta of a 1, and the bit that a writer has. */
@external('env', 'code')
declare function code(ones: i32, bit: i32): i32;

let experts: i32 = 0;
let shift: i32 = 0;
let stretch: usize = 0;
let squash: usize = 0;
/** i32 by context; f64 by expert: what it gives a 1. The caller sets both. */
let contexts: usize = 0;
let said: usize = 0;
let slots: usize = 0;
let inputs: usize = 0;
/** f32 probability and i32 count of each slot. */
let table: usize = 0;
/** Of a kind: STRIDE doubles a set, and how many decisions it had. */
let weights1: usize = 0;
let weights2: usize = 0;
let decisions1: usize = 0;
let decisions2: usize = 0;

/**
 * @param sets of weights of a kind
 * @param at where the addresses stand, i32 each, as src/entropy/sample-kernel.ts lays them out
 */
export function beginMixing(experts_: i32, tableBits: i32, sets: i32, at: usize): void {
  experts = experts_;
  shift = 32 - tableBits;
  stretch = load<u32>(at);
  squash = load<u32>(at + 4);
  contexts = load<u32>(at + 8);
  said = load<u32>(at + 12);
  slots = load<u32>(at + 16);
  inputs = load<u32>(at + 20);
  table = load<u32>(at + 24);
  weights1 = load<u32>(at + 28);
  weights2 = load<u32>(at + 32);
  decisions1 = load<u32>(at + 36);
  decisions2 = load<u32>(at + 40);
  store<f64>(inputs + 8 * <usize>(CONTEXTS + experts), BIAS);
  for (let i: usize = 0; i < <usize>1 << tableBits; i++) store<f32>(table + 8 * i, 0.5);
  for (let i: usize = 0, end: usize = 8 * STRIDE * <usize>sets; i < end; i += 8 * STRIDE)
    for (let q: usize = 0; q < <usize>(CONTEXTS + experts); q++) {
      const weight = q < <usize>CONTEXTS ? CONTEXT_WEIGHT : EXPERT_WEIGHT;
      store<f64>(weights1 + i + 8 * q, weight);
      store<f64>(weights2 + i + 8 * q, weight);
    }
}

/**
 * Codes a decision and learns from it.
 * @param node tells decisions apart that have equal contexts
 * @param first, second sets of weights
 */
export function decide(node: i32, first: i32, second: i32, bit: i32): i32 {
  for (let i = 0; i < CONTEXTS; i++) {
    const key = load<i32>(contexts + 4 * <usize>i) ^ ((node * CONTEXTS + i + 1) * NODE_MIX);
    const slot = table + 8 * <usize>(<u32>(key * SLOT_MIX) >>> shift);
    store<u32>(slots + 4 * <usize>i, <u32>slot);
    store<f64>(inputs + 8 * <usize>i, load<f64>(stretch + 8 * <usize>(<i32>(<f64>load<f32>(slot) * STRETCHES))));
  }
  for (let e = 0; e < experts; e++) {
    const place = min(max(floor<f64>(load<f64>(said + 8 * <usize>e) * STRETCHES), 0), STRETCHES - 1);
    store<f64>(inputs + 8 * <usize>(CONTEXTS + e), load<f64>(stretch + 8 * <usize>(<i32>place)));
  }
  const one = weights1 + 8 * STRIDE * <usize>first;
  const two = weights2 + 8 * STRIDE * <usize>second;
  let sum1: f64 = 0;
  let sum2: f64 = 0;
  for (let i: usize = 0, end: usize = 8 * <usize>(CONTEXTS + experts + 1); i < end; i += 8) {
    const input = load<f64>(inputs + i);
    sum1 += load<f64>(one + i) * input;
    sum2 += load<f64>(two + i) * input;
  }
  const mean = squashed((sum1 + sum2) / 2);
  const ones = max(1, min(QUANTA - 1, <i32>floor<f64>(mean * <f64>QUANTA + 0.5)));
  const result = code(ones, bit);
  learnSet(one, decisions1 + 8 * <usize>first, <f64>result - squashed(sum1));
  learnSet(two, decisions2 + 8 * <usize>second, <f64>result - squashed(sum2));
  follow(<f64>result);
  return result;
}

function squashed(sum: f64): f64 {
  const clamped = sum < -LIMIT ? -LIMIT : sum > LIMIT ? LIMIT : sum;
  return load<f64>(squash + 8 * <usize>(<i32>floor<f64>((clamped + LIMIT) * SQUASH_STEPS + 0.5)));
}

function learnSet(weights: usize, decisions: usize, error: f64): void {
  const n = load<f64>(decisions);
  store<f64>(decisions, n + 1);
  const step = f64x2.splat(error * (LEARNING + EARLY / (1 + n / EARLY_DECISIONS)));
  // What is behind the last input is 0.
  for (let i: usize = 0; i < 8 * STRIDE; i += 16)
    v128.store(weights + i, f64x2.add(v128.load(weights + i), f64x2.mul(step, v128.load(inputs + i))));
}

/** One after the other: two contexts may have the same slot. */
function follow(bit: f64): void {
  for (let i: usize = 0; i < 4 * <usize>CONTEXTS; i += 4) {
    const slot = <usize>load<u32>(slots + i);
    const count = load<i32>(slot, 4);
    const p = <f64>load<f32>(slot);
    const moved = p + (bit - p) / (<f64>count + 1.5);
    store<f32>(slot, <f32>(moved < LEAST ? LEAST : moved > 1 - LEAST ? 1 - LEAST : moved));
    if (count < COUNT_LIMIT) store<i32>(slot, count + 1, 4);
  }
}
