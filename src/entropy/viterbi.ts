import { hash32 } from '../math/hash.js';
import { labelTable } from './trellis.js';

/**
 * The encoder's search in plain TypeScript: the definition of what kernels/trellis.ts computes, against which tests hold
 * it bit for bit. Any other search would give a valid file too; this one gives the same file on every machine.
 *
 * Path metrics are int16 in units of 2^-7 nat with saturating additions: the spread between the best and the worst state
 * is about 35 nats at nu 14 and the range is 256, so only hopeless paths saturate.
 */

/** Units of a path metric in a nat. */
export const METRIC_SCALE = 128;
/** Largest branch metric in units: 32 nats, while one section of 1 bit has a standard deviation of 1.2. */
export const METRIC_LIMIT = 4095;
/** Sections between two subtractions of the best metric: 8 · METRIC_LIMIT is below 2^15, so the best path never saturates. */
export const RENORMALISE = 8;

/**
 * Sections whose decisions are held at once, which bounds the memory: 2^(nu + 8) bytes. When so many are held, all but the
 * last `keptSections` are decided.
 */
export const WINDOW_SECTIONS = 2048;

/**
 * Sections that a full window keeps back: the paths that lead to the present have met before them. With 16·nu the overhead
 * at nu 16 is 0.3 points larger, with 32·nu 0.1; beyond 64·nu nothing changes.
 */
export function keptSections(nu: number): number {
  return 64 * nu;
}

export const clamp16 = (x: number): number => (x > 32767 ? 32767 : x < -32768 ? -32768 : x);

/**
 * Metrics of all 256 labels for the coefficients from..to−1: the Walsh-Hadamard transform of the signed histogram.
 * float32 sums in a fixed order, then whole units.
 */
export function branchMetrics(metric: Float32Array, key: number, from: number, to: number): Int16Array {
  const sums = new Float32Array(256);
  for (let j = from; j < to; j++) {
    const h = hash32(key, j);
    sums[h >>> 24]! += (h >>> 23) & 1 ? -metric[j]! : metric[j]!;
  }
  for (let stride = 1; stride < 256; stride *= 2) {
    for (let i = 0; i < 256; i++) {
      if (i & stride) continue;
      const a = sums[i]!;
      const b = sums[i + stride]!;
      sums[i] = a + b;
      sums[i + stride] = a - b;
    }
  }
  const units = new Int16Array(256);
  for (let i = 0; i < 256; i++) {
    const scaled = Math.fround(sums[i]! * METRIC_SCALE);
    // Infinity minus infinity gives no number; the kernel's conversion takes it for 0.
    units[i] = Number.isNaN(scaled) ? 0 : Math.max(-METRIC_LIMIT, Math.min(METRIC_LIMIT, Math.trunc(scaled)));
  }
  return units;
}

/**
 * Bits that maximise Σ metric · sign over a run.
 * @param metric per coefficient, in nats; finite
 * @param ends the run's sections (sectionEnds)
 * @param state where the register begins
 * @returns a bit per section, one a byte
 */
export function viterbi(metric: Float32Array, ends: Uint32Array, key: number, nu: number, state: number): Uint8Array {
  const labels = labelTable(nu);
  const half = labels.length;
  const bits = new Uint8Array(ends.length);
  let paths = new Int16Array(2 * half).fill(-32768);
  let next = new Int16Array(2 * half);
  paths[state] = 0;
  /** Per held section and state: does the better path come from the upper predecessor? */
  let decisions: Uint8Array[] = [];
  let emitted = 0;

  const emit = (count: number): void => {
    let s = 0;
    for (let i = 1; i < paths.length; i++) if (paths[i]! > paths[s]!) s = i;
    for (let k = decisions.length - 1; k >= 0; k--) {
      if (k < count) bits[emitted + k] = s & 1;
      s = (s >> 1) + (decisions[k]![s]! ? half : 0);
    }
    emitted += count;
    decisions = decisions.slice(count);
  };

  for (let k = 0; k < ends.length; k++) {
    const branch = branchMetrics(metric, key, k === 0 ? 0 : ends[k - 1]!, ends[k]!);
    const decision = new Uint8Array(2 * half);
    for (let q = 0; q < half; q++) {
      const a = branch[labels[q]!]!;
      for (let bit = 0; bit < 2; bit++) {
        const sign = bit === 0 ? a : -a;
        const lower = clamp16(paths[q]! + sign);
        const upper = clamp16(paths[q + half]! - sign);
        next[2 * q + bit] = Math.max(lower, upper);
        decision[2 * q + bit] = upper > lower ? 1 : 0;
      }
    }
    [paths, next] = [next, paths];
    decisions.push(decision);
    if ((k + 1) % RENORMALISE === 0) {
      const most = paths.reduce((a, b) => Math.max(a, b));
      for (let i = 0; i < paths.length; i++) paths[i] = clamp16(paths[i]! - most);
    }
    if (decisions.length === WINDOW_SECTIONS) emit(WINDOW_SECTIONS - keptSections(nu));
  }
  emit(decisions.length);
  return bits;
}
