/**
 * Viterbi search of trellis-coded quantisation (src/entropy/tcq.ts says what is searched, and src/entropy/tcq-search.ts
 * is the same algorithm in plain TypeScript, bit for bit). A stream, as kernels/trellis.ts.
 */
import { beginPaths, join, renormalise, traceBack } from './lib/paths';

// Addresses. src/entropy/tcq-encoder.ts states the same ones.
const LABELS: usize = 64; // u8 × 2^nu: by state below half, the places of its label's distance
const PATHS_A: usize = 16448; // i16 × 2^nu: path metrics, two sets
const PATHS_B: usize = 49216;
const INPUT: usize = 81984; // i16 × 4 × 16384: squared distances to the nearest point of each label
const BITS: usize = 213056; // u8 × 32768
const DECISIONS: usize = 245824;

/** Coefficients between two renormalisations. */
const RENORMALISE: i32 = 8;

let nu: i32 = 0;
let window: i32 = 0;
let keep: i32 = 0;
let paths: usize = PATHS_A;
let held: i32 = 0; // coefficients whose decisions are held
let age: i32 = 0; // coefficients since the last renormalisation
let emitted: i32 = 0; // bits written to BITS by the running call

/**
 * Starts a search in state 0.
 * @param nu_ log2 of the number of states, 8..14
 * @param window_ coefficients whose decisions fit behind DECISIONS
 * @param keep_ coefficients that a full window keeps back (others are decided)
 */
export function begin(nu_: i32, window_: i32, keep_: i32): void {
  nu = nu_;
  window = window_;
  keep = keep_;
  held = 0;
  age = 0;
  paths = PATHS_A;
  beginPaths(PATHS_A, (<usize>2) << nu);
}

/** Takes the distances of the next coefficients from INPUT. @returns bits written to BITS, one a byte */
export function feed(count: i32): i32 {
  emitted = 0;
  const end = INPUT + ((<usize>count) << 3);
  for (let at = INPUT; at < end; at += 8) {
    step(v128.load64_zero(at));
    if (held == window) emit(window - keep);
  }
  return emitted;
}

/** Ends the search. @returns bits written to BITS, one a byte */
export function finish(): i32 {
  emitted = 0;
  emit(held);
  return emitted;
}

/** One coefficient: new path metrics and decisions for every state. */
function step(distances: v128): void {
  const half: usize = (<usize>1) << (nu - 1);
  // Of the label that differs in the upper bit.
  const opposite = v128.shuffle<i32>(distances, distances, 1, 0, 2, 3);
  let from = paths;
  let to = PATHS_A + PATHS_B - paths;
  paths = to;
  let decision = DECISIONS + <usize>held * (half >> 2);
  const upper = half << 1;
  for (let label = LABELS; label < LABELS + upper; label += 16) {
    const places = v128.load(label);
    const a = i8x16.swizzle(distances, places);
    const b = i8x16.swizzle(opposite, places);
    const m0 = v128.load(from);
    const m1 = v128.load(from + upper);
    join(i16x8.sub_sat_s(m0, a), i16x8.sub_sat_s(m1, b), i16x8.sub_sat_s(m0, b), i16x8.sub_sat_s(m1, a), to, decision);
    from += 16;
    to += 32;
    decision += 2;
  }
  held++;
  if (++age < RENORMALISE) return;
  age = 0;
  renormalise(paths, half << 2);
}

/** Decides the oldest `count` held coefficients. */
function emit(count: i32): void {
  traceBack(paths, DECISIONS, nu, held, count, BITS + <usize>emitted);
  emitted += count;
  held -= count;
}
