/** What has half a bit to tell and more: quantised, at the full precision of the step, before all passes. */
import { gapOf, MAX_SPREAD, pointNu, SPREAD_STEPS } from '../entropy/tcq.js';
import { VARIANCE_COUNT } from '../format.js';
import { log2 } from '../math/exact.js';
import { hash32 } from '../math/hash.js';
import type { Pieces } from '../turns.js';
import type { CodingOrder } from './coding-order.js';
import { PIECE, type GroupWork } from './group-work.js';

/** In the place of a run's number. */
const QUANTISED_RUN = 0xffffffff;

/**
 * Sends or receives what is quantised. Its offsets are what the Kalman rule moves the mean by, as those of passes.
 * @param key of the step and the group
 * @returns how many came
 */
export function* codeQuantised(work: GroupWork, order: CodingOrder, key: number): Pieces<number> {
  const { workspace: w, channel, truth } = work;
  const { quantised: count } = order;
  const nu = pointNu(work.nu);
  const { spread, gap, move } = tablesOf(work, order, gapOf(nu));
  const spreads = new Uint16Array(count);
  for (let k = 0; k < count; k++) spreads[k] = spread[w.sortedRow[k]!]!;
  yield;
  const residual = new Float64Array(truth === undefined ? 0 : count);
  for (let k = 0; k < residual.length; k++) residual[k] = w.sortedResidual[k]! / gap[w.sortedRow[k]!]!;
  yield;
  const { places, covered } = yield* channel.points({ spreads, key: hash32(key, QUANTISED_RUN) }, residual, nu);
  for (let k = 0; k < covered; k++) {
    if (k % PIECE === PIECE - 1) yield;
    w.offset[k] = places[k]! * move[w.sortedRow[k]!]!;
  }
  return covered;
}

/** By row: see `PointRun`, distance of points, and what the mean moves by for each. */
interface PointTables {
  spread: Uint16Array;
  gap: Float64Array;
  move: Float64Array;
}

function tablesOf({ classes }: GroupWork, { table, histogram }: CodingOrder, gap: number): PointTables {
  const rows = histogram.length;
  const tables = { spread: new Uint16Array(rows), gap: new Float64Array(rows), move: new Float64Array(rows) };
  for (let r = 0; r < rows; r++) {
    if (table.quantised[r] === 0) continue;
    const { delta, rho } = classes[Math.floor(r / VARIANCE_COUNT)]!;
    const own = rho[r % VARIANCE_COUNT]!;
    tables.spread[r] = Math.max(0, Math.min(MAX_SPREAD, Math.floor(SPREAD_STEPS * log2(own) + 0.5)));
    tables.gap[r] = gap / Math.sqrt(delta);
    tables.move[r] = tables.gap[r]! * (own / (1 + own));
  }
  return tables;
}
