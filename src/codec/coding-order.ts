/** Passes and order: how often each coefficient is told of, and who comes first. */
import { shuffledOrder } from '../format.js';
import type { Pieces } from '../turns.js';
import { countRows, type GroupWork } from './group-work.js';
import { passTable, type PassTable } from './pass-table.js';
import { MAX_ROWS } from './workspace.js';

/** What the runs go by. */
export interface CodingOrder {
  table: PassTable;
  /** How often each row occurs. */
  histogram: Uint32Array;
  /** How many are quantised: the first of the order. */
  quantised: number;
  /** By number of passes how many have at least so many: those behind them; at 1 all. */
  counts: Uint32Array;
}

/** Coefficients that are put in order in a piece: each is anywhere in memory. */
const SORTED_PIECE = 2 ** 18;

/** Decides the passes, and puts the coefficients into coding order: by rank, and within that in the shuffled order. */
export function* putInOrder(work: GroupWork): Pieces<CodingOrder> {
  const { workspace: w, fast, truth } = work;
  const histogram = countRows(work);
  yield;
  const table = passTable(histogram, work.classes, work.step.leavesOut);
  const { next, counts, quantised } = placesByRank(table, histogram);
  const total = (w.total = quantised + counts[1]!);
  yield;
  if (fast) yield* sortByKernel(work, table, next);
  else sortHere(work, table, next);
  w.offset.fill(0, 0, total);
  yield;
  if (truth !== undefined) {
    if (fast) w.kernel.gather(w.at.order, total, w.at.residual, w.at.sortedResidual);
    else for (let k = 0; k < total; k++) w.sortedResidual[k] = w.residual[w.order[k]!]!;
  }
  return { table, histogram, quantised, counts };
}

/** Where each rank begins; the one behind them is of what is left out and what the step does not concern. */
function placesByRank(
  { rounds, rank, last }: PassTable,
  histogram: Uint32Array,
): Pick<CodingOrder, 'quantised' | 'counts'> & { next: Uint32Array } {
  const sizes = new Uint32Array(last + 2);
  for (let r = 0; r < histogram.length; r++) sizes[rank[r]!]! += histogram[r]!;
  const next = new Uint32Array(last + 2);
  const ends = new Uint32Array(last + 2);
  for (let r = last; r >= 0; r--) {
    next[r] = ends[r + 1]!;
    ends[r] = next[r]! + sizes[r]!;
  }
  next[last + 1] = ends[0]!;
  const quantised = ends[rounds + 1]!;
  const counts = ends.subarray(0, rounds + 2).map((end) => end - quantised);
  counts[1] = counts[0]!;
  return { next, quantised, counts };
}

function* sortByKernel({ workspace: w, n }: GroupWork, table: PassTable, next: Uint32Array): Pieces<void> {
  const { rank, amplitude, last } = table;
  const { kernel, at } = w;
  w.placeShuffle(n);
  yield;
  const ranks = w.int32(at.ranks, 2 * (MAX_ROWS + 1));
  const amplitudes = w.float32(at.ranks, 2 * (MAX_ROWS + 1));
  for (let r = 0; r < rank.length; r++) {
    ranks[2 * r] = rank[r]!;
    amplitudes[2 * r + 1] = amplitude[r]!;
  }
  ranks[2 * MAX_ROWS] = last + 1;
  w.int32(at.next, next.length).set(next);
  kernel.compactRows(at.row, n, at.compact);
  yield;
  for (let j = 0; j < n; j += SORTED_PIECE, yield) {
    const count = Math.min(SORTED_PIECE, n - j);
    kernel.sortRows(at.compact, at.shuffle + 4 * j, count, at.ranks, at.next, at.order, at.sorted, at.amplitude);
  }
}

function sortHere({ workspace, n }: GroupWork, { rank, amplitude }: PassTable, next: Uint32Array): void {
  const { row, order, sortedRow, amplitude: amplitudes } = workspace;
  for (const p of shuffledOrder(n)) {
    const r = row[p]!;
    if (r < 0) continue;
    const k = next[rank[r]!]!++;
    order[k] = p;
    sortedRow[k] = r;
    amplitudes[k] = amplitude[r]!;
  }
}
