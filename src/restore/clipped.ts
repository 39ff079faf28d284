/**
 * Noise that was cut off at black and white. A picture file cannot hold what lies beyond, so near the ends of the range
 * noise is not centred: the mean of what black becomes is 0.4 sigma. What a denoiser says is taken for that mean, and turned
 * back (Foi, "Clipped noisy images: Heteroskedastic modeling and practical denoising", Signal Processing 2009, section 4).
 */
import { normalQuantile } from '../math/normal.js';
import { COLOURS } from '../pixels/colour.js';
import type { Plane } from '../pixels/pyramid.js';
import type { Pieces } from '../turns.js';

const MOST = 255;
/** Numbers that stand for the normal distribution, and places of the table for each unit of a sample. */
const QUANTILES = 256;
const FINENESS = 2;
/** Samples that are turned back in a piece. */
const PIECE = COLOURS * 2 ** 14;

/** By place: what the mean of a sample of so much is, under noise that is cut off. */
function means(sigma: number): Float64Array {
  const table = new Float64Array(MOST * FINENESS + 1);
  for (let k = 0; k < QUANTILES; k++) {
    const noise = sigma * normalQuantile((k + 0.5) / QUANTILES);
    for (let i = 0; i < table.length; i++)
      table[i] = table[i]! + Math.min(MOST, Math.max(0, i / FINENESS + noise)) / QUANTILES;
  }
  return table;
}

/** The sample whose mean is this one. */
function inverse(table: Float64Array, mean: number): number {
  const last = table.length - 1;
  if (mean <= table[0]!) return 0;
  if (mean >= table[last]!) return MOST;
  let [low, high] = [0, last];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (table[middle]! <= mean) low = middle;
    else high = middle;
  }
  return (low + (mean - table[low]!) / (table[high]! - table[low]!)) / FINENESS;
}

const [L, P, Q] = [1 / Math.sqrt(3), 1 / Math.SQRT2, 1 / Math.sqrt(6)];
const MID = 127.5;

/** Turns means of samples under noise that was cut off into the samples; in place. @param grey whether all three are alike */
export function* turnBack({ data }: Plane, sigma: number, grey: boolean): Pieces<void> {
  const table = means(sigma);
  const near = (mean: number): number => inverse(table, mean);
  for (let i = 0; i < data.length; i += COLOURS) {
    if (i % PIECE === 0) yield;
    const [l, p, q] = [data[i]! * L + MID, data[i + 1]! * P, data[i + 2]! * Q];
    const r = near(l + p + q);
    const g = grey ? r : near(l - p + q);
    const b = grey ? r : near(l - 2 * q);
    data[i] = (r + g + b - 3 * MID) * L;
    data[i + 1] = (r - g) * P;
    data[i + 2] = (r + g - 2 * b) * Q;
  }
}
