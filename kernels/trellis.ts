/**
 * Viterbi search of the trellis reverse-channel coder (src/entropy/trellis.ts says what is searched, and
 * src/entropy/viterbi.ts is the same algorithm in plain TypeScript, bit for bit).
 *
 * The search is a stream: `begin`, then `feed` as often as needed, then `finish`. State lives in globals and at fixed
 * addresses of the imported memory, so one memory serves one search at a time.
 */

import { beginPaths, join, renormalise, traceBack } from './lib/paths';

// Addresses. src/entropy/trellis-encoder.ts states the same ones.
const HISTOGRAM: usize = 0; // f32 × 256: metric sums by generator, then (transformed) by label
const METRICS: usize = 4096; // i16 × 8 × 8 × 32: by 8 labels, for each x, those of labels ^ x
const BLOCKS: usize = 8192; // u16 × 2^(nu - 4): where those of 8 consecutive states stand in METRICS
const PATHS_A: usize = 67584; // i16 × 2^nu: path metrics, two sets
const PATHS_B: usize = 591872;
const INPUT: usize = 1116160; // f32 × 16384
const CLOSES: usize = 1181696; // u8 × 16384
const BITS: usize = 1198080; // u8 × 32768
const DECISIONS: usize = 1230848;

const LABELS: usize = 256;
/** Units of a path metric in a nat. */
const SCALE: f32 = 128;
/** Largest branch metric, 32 nats. */
const LIMIT: i16 = 4095;
/** Sections between two renormalisations: 8 · LIMIT stays below 2^15, so the best path never saturates. */
const RENORMALISE: i32 = 8;

let nu: i32 = 0;
let window: i32 = 0;
let keep: i32 = 0;
let keyMix: u32 = 0;
let index: u32 = 0;
let paths: usize = PATHS_A;
let held: i32 = 0; // sections whose decisions are held
let age: i32 = 0; // sections since the last renormalisation
let emitted: i32 = 0; // bits written to BITS by the running call

/**
 * Starts a search in state 0.
 * @param nu_ log2 of the number of states, 8..18
 * @param keyMix_ mix32 of the run's key
 * @param window_ sections whose decisions fit behind DECISIONS
 * @param keep_ sections that a full window keeps back (others are decided)
 */
export function begin(nu_: i32, keyMix_: u32, window_: i32, keep_: i32): void {
  nu = nu_;
  window = window_;
  keep = keep_;
  keyMix = keyMix_;
  index = 0;
  held = 0;
  age = 0;
  paths = PATHS_A;
  memory.fill(HISTOGRAM, 0, LABELS * 4);
  beginPaths(PATHS_A, (<usize>2) << nu);
}

/**
 * Takes the next coefficients from INPUT; a 1 in CLOSES ends the section at that coefficient.
 * @returns bits written to BITS, one a byte
 */
export function feed(count: i32): i32 {
  emitted = 0;
  for (let j = 0; j < count; j++) {
    let h = (index * 0x9e3779b1) ^ keyMix;
    h ^= h >> 16;
    h *= 0x7feb352d;
    h ^= h >> 15;
    h *= 0x846ca68b;
    h ^= h >> 16;
    index++;
    const at = HISTOGRAM + <usize>((h >> 24) << 2);
    // The sign bit of the hash (bit 23) is moved to the sign of the metric.
    const m = reinterpret<f32>(load<u32>(INPUT + ((<usize>j) << 2)) ^ ((h << 8) & 0x80000000));
    store<f32>(at, load<f32>(at) + m);
    if (load<u8>(CLOSES + <usize>j) != 0) {
      branchMetrics();
      step();
      if (held == window) emit(window - keep);
    }
  }
  return emitted;
}

/** Ends the search. @returns bits written to BITS, one a byte */
export function finish(): i32 {
  emitted = 0;
  emit(held);
  return emitted;
}

/**
 * Walsh-Hadamard transform of the histogram, then integers; clears the histogram. Two strides at a time, so that sums stay
 * in registers between them.
 */
function branchMetrics(): void {
  const s1 = f32x4(1, -1, 1, -1);
  const s2 = f32x4(1, 1, -1, -1);
  for (let p = HISTOGRAM; p < HISTOGRAM + LABELS * 4; p += 16) {
    let x = v128.load(p);
    x = f32x4.add(v128.shuffle<f32>(x, x, 1, 0, 3, 2), f32x4.mul(x, s1));
    x = f32x4.add(v128.shuffle<f32>(x, x, 2, 3, 0, 1), f32x4.mul(x, s2));
    v128.store(p, x);
  }
  for (let p = HISTOGRAM; p < HISTOGRAM + LABELS * 4; p += 64) twoStrides(p, 16);
  for (let block = HISTOGRAM; block < HISTOGRAM + LABELS * 4; block += 256)
    for (let p = block; p < block + 64; p += 16) twoStrides(p, 64);
  for (let p = HISTOGRAM; p < HISTOGRAM + 256; p += 16) twoStrides(p, 256);
  const scale = f32x4.splat(SCALE);
  const top = i16x8.splat(LIMIT);
  const bottom = i16x8.splat(-LIMIT);
  const zero = i64x2.splat(0);
  let to = METRICS;
  for (let p = HISTOGRAM; p < HISTOGRAM + LABELS * 4; p += 32) {
    const a = i32x4.trunc_sat_f32x4_s(f32x4.mul(v128.load(p), scale));
    const b = i32x4.trunc_sat_f32x4_s(f32x4.mul(v128.load(p, 16), scale));
    v128.store(p, zero);
    v128.store(p, zero, 16);
    const m0 = i16x8.min_s(i16x8.max_s(i16x8.narrow_i32x4_s(a, b), bottom), top);
    const m1 = v128.shuffle<i16>(m0, m0, 1, 0, 3, 2, 5, 4, 7, 6);
    const m2 = v128.shuffle<i16>(m0, m0, 2, 3, 0, 1, 6, 7, 4, 5);
    const m3 = v128.shuffle<i16>(m0, m0, 3, 2, 1, 0, 7, 6, 5, 4);
    v128.store(to, m0);
    v128.store(to, m1, 16);
    v128.store(to, m2, 32);
    v128.store(to, m3, 48);
    v128.store(to, v128.shuffle<i64>(m0, m0, 1, 0), 64);
    v128.store(to, v128.shuffle<i64>(m1, m1, 1, 0), 80);
    v128.store(to, v128.shuffle<i64>(m2, m2, 1, 0), 96);
    v128.store(to, v128.shuffle<i64>(m3, m3, 1, 0), 112);
    to += 128;
  }
}

/** Sums and differences of vectors that are `stride` bytes apart, and of those that are twice that. */
// @ts-ignore: decorator
@inline
function twoStrides(p: usize, stride: usize): void {
  const a = v128.load(p);
  const b = v128.load(p + stride);
  const c = v128.load(p + 2 * stride);
  const d = v128.load(p + 3 * stride);
  const ab = f32x4.add(a, b);
  const cd = f32x4.add(c, d);
  const dab = f32x4.sub(a, b);
  const dcd = f32x4.sub(c, d);
  v128.store(p, f32x4.add(ab, cd));
  v128.store(p + stride, f32x4.add(dab, dcd));
  v128.store(p + 2 * stride, f32x4.sub(ab, cd));
  v128.store(p + 3 * stride, f32x4.sub(dab, dcd));
}

/** One section: new path metrics and decisions for every state. */
function step(): void {
  const half: usize = (<usize>1) << (nu - 1);
  const upper: usize = half << 1;
  let from = paths;
  let to = PATHS_A + PATHS_B - paths;
  paths = to;
  let decision = DECISIONS + <usize>held * (half >> 2);
  const end = BLOCKS + (half >> 2);
  // Two times 8 states a turn, written out, for fewer turns of the loop.
  for (let block = BLOCKS; block < end; block += 4) {
    const high = from + upper;
    const a = v128.load(METRICS + <usize>load<u16>(block));
    const m0 = v128.load(from);
    const m1 = v128.load(high);
    join(i16x8.add_sat_s(m0, a), i16x8.sub_sat_s(m1, a), i16x8.sub_sat_s(m0, a), i16x8.add_sat_s(m1, a), to, decision);
    const b = v128.load(METRICS + <usize>load<u16>(block, 2));
    const k0 = v128.load(from, 16);
    const k1 = v128.load(high, 16);
    join(i16x8.add_sat_s(k0, b), i16x8.sub_sat_s(k1, b), i16x8.sub_sat_s(k0, b), i16x8.add_sat_s(k1, b), to + 32, decision + 2);
    from += 32;
    to += 64;
    decision += 4;
  }
  held++;
  if (++age < RENORMALISE) return;
  age = 0;
  renormalise(paths, half << 2);
}

/** Decides the oldest `count` held sections. */
function emit(count: i32): void {
  traceBack(paths, DECISIONS, nu, held, count, BITS + <usize>emitted);
  emitted += count;
  held -= count;
}
