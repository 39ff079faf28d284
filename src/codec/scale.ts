/** The scale of a group's step: one factor on all variances, which the encoder sends. */
import { MAX_SCALE, scaleBits } from '../entropy/gains.js';
import { onGrid } from '../diffusion/variance-table.js';
import { SCALE_STEPS, VARIANCE_COUNT } from '../format.js';
import { HALF_LOG2_E } from '../math/exact.js';
import { countRows, mapRows, shifted, type GroupWork } from './group-work.js';

/**
 * Multiplies all variances by a power of two that the encoder sends. What is told counts by as much as is claimed, so where the residuals
 * are larger than foreseen they follow them by less than they should: z stays near what was believed, by which the network is
 * confirmed in what it believes.
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

/**
 * The scale under which the residuals and the scale itself cost least. Of narrow steps one after the other it stays where the best is next
 * to it: to follow each of them costs 0.3 % of the bits.
 */
function chooseScale(work: GroupWork, before: number): number {
  const histogram = countRows(work);
  const squares = squaresByRow(work, histogram.length);
  let best = before;
  let least = Infinity;
  for (let scale = -MAX_SCALE; scale <= MAX_SCALE; scale++) {
    const cost = costOfScale(work, histogram, squares, scale) + scaleBits(scale - before).length;
    if (cost < least) [best, least] = [scale, cost];
  }
  return work.step.kind === 'refine' && Math.abs(best - before) <= 1 ? before : best;
}

/** Bits that an ideal channel takes for what the step measures. */
function costOfScale({ classes }: GroupWork, histogram: Uint32Array, squares: Float64Array, scale: number): number {
  let cost = 0;
  for (let k = 0, r = 0; k < classes.length; k++) {
    const m = classes[k]!;
    for (let i = 0; i < VARIANCE_COUNT; i++, r++) {
      const count = histogram[r]!;
      if (count === 0) continue;
      const v = onGrid(i + scale * SCALE_STEPS);
      cost += count * m.information[v]! + (HALF_LOG2_E * (m.delta * squares[r]! + count)) / (1 + m.rho[v]!);
    }
  }
  return cost;
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
