/** The scale of a group's step: one factor on all variances, which the encoder sends. */
import { MAX_SCALE, scaleBits } from '../entropy/gains.js';
import { onGrid } from '../diffusion/variance-table.js';
import { SCALE_STEPS, VARIANCE_COUNT } from '../format.js';
import { HALF_LOG2_E } from '../math/exact.js';
import { countRows, mapRows, shifted, type GroupWork } from './group-work.js';

/**
 * Multiplies all variances by a power of two that the encoder sends. Points and signs move the mean by as much as is claimed, so where
 * the residuals are larger than foreseen it follows them by less than it should: z stays near what was believed, by which the network
 * is confirmed in what it believes.
 * @returns false where a file was cut before the scale
 */
export function applyScale(work: GroupWork): boolean {
  const { channel, scales, groupIndex } = work;
  const before = scales[groupIndex]!;
  const scale = channel.scale(before, () => chooseScale(work, before));
  if (scale === undefined) return false;
  scales[groupIndex] = scale;
  if (scale !== 0) mapRows(work, (r) => shifted(r, scale * SCALE_STEPS));
  return true;
}

/** The scale under which the residuals cost least; the one before where that is next to it, or what is claimed differs by less than the bits to say so. */
function chooseScale(work: GroupWork, before: number): number {
  const histogram = countRows(work);
  const squares = squaresByRow(work, histogram.length);
  const claimed = new Float64Array(2 * MAX_SCALE + 1);
  let best = 0;
  let least = Infinity;
  for (let scale = -MAX_SCALE; scale <= MAX_SCALE; scale++) {
    const { information, cost } = costOfScale(work, histogram, squares, scale);
    claimed[scale + MAX_SCALE] = information;
    if (cost < least) [best, least] = [scale, cost];
  }
  const change = Math.abs(claimed[best + MAX_SCALE]! - claimed[before + MAX_SCALE]!);
  return Math.abs(best - before) <= 1 || change < scaleBits(best - before).length ? before : best;
}

function costOfScale(
  { classes }: GroupWork,
  histogram: Uint32Array,
  squares: Float64Array,
  scale: number,
): { information: number; cost: number } {
  let information = 0;
  let cost = 0;
  for (let k = 0, r = 0; k < classes.length; k++) {
    const m = classes[k]!;
    for (let i = 0; i < VARIANCE_COUNT; i++, r++) {
      const count = histogram[r]!;
      if (count === 0) continue;
      const v = onGrid(i + scale * SCALE_STEPS);
      information += count * m.information[v]!;
      cost += (HALF_LOG2_E * (m.delta * squares[r]! + count)) / (1 + m.rho[v]!);
    }
  }
  return { information, cost: cost + information };
}

/** Sum of the squared residuals by row. */
function squaresByRow({ workspace: w, n, fast }: GroupWork, rows: number): Float64Array {
  if (fast) {
    const sums = w.float64(w.at.gains, rows);
    sums.fill(0);
    w.kernel.addSquares(w.at.row, w.at.residual, n, w.at.gains);
    return sums.slice();
  }
  const sums = new Float64Array(rows);
  for (let p = 0; p < n; p++) if (w.row[p]! >= 0) sums[w.row[p]!]! += w.residual[p]! * w.residual[p]!;
  return sums;
}
