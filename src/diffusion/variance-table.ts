/**
 * What a coefficient costs and gains in a step, by log2 of its variance: log-variances are rounded to a grid, so every
 * quantity of the coder is a table entry, and no transcendental function is evaluated per coefficient.
 */
import { exp2, log2 } from '../math/exact.js';
import { sigmaOf } from '../model/sigma.js';
import { MAX_PASSES, VARIANCE_COUNT, VARIANCE_MIN, VARIANCE_STEPS } from '../format.js';

/** Variance of each step of the grid. */
export const VARIANCE = new Float64Array(VARIANCE_COUNT);
for (let i = 0; i < VARIANCE_COUNT; i++) VARIANCE[i] = exp2((i + VARIANCE_MIN) / VARIANCE_STEPS);

/** Index on the variance grid of a log2 variance given in steps (log2 v · VARIANCE_STEPS). */
export function varianceIndex(steps: number): number {
  return onGrid(Math.floor(steps + 0.5) - VARIANCE_MIN);
}

/** The nearest index that there is on the variance grid. */
export function onGrid(index: number): number {
  return index < 0 ? 0 : index >= VARIANCE_COUNT ? VARIANCE_COUNT - 1 : index;
}

/** A measurement that takes a coefficient from one sigma code to another. */
export interface Measurement {
  /** Precision before, precision added. */
  precision: number;
  delta: number;
  /** By variance index: rho = v · delta, and the information ½ · log2(1 + rho) in bits. */
  rho: Float64Array;
  information: Float64Array;
}

const cache = new Map<number, Measurement>();

/** @param from sigma code before, coarser than `to`; UNKNOWN has precision 0. */
export function measurement(from: number, to: number): Measurement {
  const key = from * 256 + to;
  let m = cache.get(key);
  if (m === undefined) {
    const s = sigmaOf(from);
    const t = sigmaOf(to);
    const precision = s === Infinity ? 0 : 1 / (s * s);
    const delta = 1 / (t * t) - precision;
    const rho = VARIANCE.map((v) => v * delta);
    m = { precision, delta, rho, information: rho.map((r) => 0.5 * log2(1 + r)) };
    cache.set(key, m);
  }
  return m;
}

/** The passes in which a coefficient is told what a step has to tell of it. */
export interface Passes {
  count: number;
  /** Relative precision gained by a pass, (1 + rho)^(1/count) − 1. */
  gain: number;
  /** Step of the mean in the first pass, √(v · gain / (1 + gain)), and its factor from pass to pass. */
  amplitude: number;
  shrink: number;
}

/**
 * @param v variance
 * @param bits of information in all, below QUANTISED_INFORMATION
 * @param limit most information of a pass, in bits
 * @param cap most passes
 */
export function passesOf(v: number, bits: number, limit: number, cap = MAX_PASSES): Passes {
  const count = Math.max(1, Math.min(Math.ceil(bits / limit), cap));
  const gain = exp2((2 * bits) / count) - 1;
  return { count, gain, amplitude: Math.sqrt((v * gain) / (1 + gain)), shrink: 1 / Math.sqrt(1 + gain) };
}
