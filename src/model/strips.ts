/**
 * Which rows of the network's tensors belong together. An evaluation runs from top to bottom in strips: each computes, of
 * every tensor, the rows that the next rows of the output need and that are not there yet. Nothing is computed twice, and
 * of the rows above only those are kept that are still to be read; so memory grows with the width of a grid, not its area,
 * and the result cannot depend on how a grid was cut.
 *
 * Rows are counted on each tensor's own grid. Ends are exclusive. A tensor that nothing reads has no entry.
 */
import { gridMultiple, tensorOf, type Architecture } from './architecture.js';
import { OUTPUT_TENSOR } from './integer/arithmetic.js';

export type RowsByTensor = Map<string, number>;

/**
 * Ends of the rows that output rows below `end` depend on, as if the grid had no borders: also negative, and beyond the
 * grid. They grow with `end`, and by n >> scale when `end` grows by a multiple n of the coarsest grid.
 */
export function rowsNeeded(architecture: Architecture, end: number): RowsByTensor {
  const ends: RowsByTensor = new Map([[OUTPUT_TENSOR, end]]);
  const need = (tensor: string, rows: number): void => {
    ends.set(tensor, Math.max(ends.get(tensor) ?? -Infinity, rows));
  };
  for (const layer of [...architecture.layers].reverse()) {
    let rows = ends.get(layer.to);
    if (rows === undefined) continue;
    // The transposed convolution makes two rows at a time.
    if (layer.kind === 'up2x2') rows = 2 * Math.ceil(rows / 2);
    ends.set(layer.to, rows);
    need(layer.from, layer.kind === 'conv3x3' ? rows + 1 : layer.kind === 'down2x2' ? 2 * rows : rows / 2);
    if (layer.add !== undefined) need(layer.add, rows);
  }
  return ends;
}

/**
 * The first row of each tensor that is still to be read when the rows below `done` are there: an even number, as the
 * transposed convolution writes in pairs.
 */
export function rowsKept(architecture: Architecture, done: RowsByTensor): RowsByTensor {
  const firsts: RowsByTensor = new Map();
  const keep = (tensor: string, row: number): void => {
    firsts.set(tensor, Math.min(firsts.get(tensor) ?? Infinity, row));
  };
  for (const layer of architecture.layers) {
    const row = done.get(layer.to);
    if (row === undefined) continue;
    keep(layer.from, layer.kind === 'conv3x3' ? row - 1 : layer.kind === 'down2x2' ? 2 * row : row / 2);
    if (layer.add !== undefined) keep(layer.add, row);
  }
  for (const [tensor, row] of firsts) firsts.set(tensor, 2 * Math.floor(row / 2));
  return firsts;
}

/** Rows after which the grids of all tensors stand to each other as before. */
function period(architecture: Architecture): number {
  return 2 * gridMultiple(architecture);
}

/** Most rows of each tensor that exist at a time when strips of at most `strip` output rows are evaluated. */
export function rowsHeld(architecture: Architecture, strip: number): RowsByTensor {
  const held: RowsByTensor = new Map();
  for (let row = 0; row < period(architecture); row++) {
    const ends = rowsNeeded(architecture, row + strip);
    for (const [tensor, first] of rowsKept(architecture, rowsNeeded(architecture, row))) {
      held.set(tensor, Math.max(held.get(tensor) ?? 0, ends.get(tensor)! - first));
    }
  }
  return held;
}

/** It is asked for at each evaluation, of which small pictures have many short ones. */
const contexts = new WeakMap<Architecture, number>();

/** The receptive field: output rows depend on no rows of any tensor that are farther away, in rows of the input; columns alike. */
export function contextRows(architecture: Architecture): number {
  const known = contexts.get(architecture);
  if (known !== undefined) return known;
  let most = 0;
  for (let row = 0; row < period(architecture); row++) {
    for (const [tensor, end] of rowsNeeded(architecture, row))
      most = Math.max(most, end * 2 ** tensorOf(architecture, tensor).scale - row);
  }
  contexts.set(architecture, most);
  return most;
}

/**
 * A part of the input's rows (columns alike) whose evaluation by itself gives output rows `first` to before `end` as that of the whole does:
 * no border of the part is seen by what they depend on, and it begins where the grids of all tensors do.
 * @param length rows of the whole
 */
export function dependence(
  architecture: Architecture,
  first: number,
  end: number,
  length: number,
): { first: number; end: number } {
  const context = contextRows(architecture);
  const multiple = gridMultiple(architecture);
  return {
    first: multiple * Math.floor(Math.max(0, first - context) / multiple),
    end: Math.min(length, end + context),
  };
}
