/**
 * The encoder's search for signs in plain TypeScript: the definition of what kernels/trellis.ts computes, against which
 * tests hold it bit for bit. Any other search would give a valid file too; this one gives the same file on every machine.
 * The spread between the best and the worst path is about 35 nats at nu 14, and int16 in units of 2^-7 nat spans 512.
 */
import { hash32 } from '../math/hash.js';
import { bestPath } from './best-path.js';
import { labelTable } from './trellis.js';

/** Units of a path metric in a nat. */
const METRIC_SCALE = 128;
/** Largest branch metric in units: 32 nats, while one section of 1 bit has a standard deviation of 1.2. */
const METRIC_LIMIT = 4095;

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

/**
 * Metrics of all 256 labels for the coefficients from..to−1: the Walsh-Hadamard transform of the signed histogram.
 * float32 sums in a fixed order, then whole units.
 */
function branchMetrics(metric: Float32Array, key: number, from: number, to: number): Int16Array {
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
 * @returns a bit per section, one a byte
 */
export function viterbi(metric: Float32Array, ends: Uint32Array, key: number, nu: number): Uint8Array {
  const labels = labelTable(nu);
  const [window, kept] = [WINDOW_SECTIONS, keptSections(nu)];
  const putGains = (k: number, gains: Int16Array): void => {
    const branch = branchMetrics(metric, key, k === 0 ? 0 : ends[k - 1]!, ends[k]!);
    for (const [q, label] of labels.entries()) {
      gains[2 * q] = branch[label]!;
      gains[2 * q + 1] = -branch[label]!;
    }
  };
  return bestPath({ nu, steps: ends.length, window, kept, putGains });
}
