/** What the parts of a step of a group share: prediction, scale and gains, coding order, runs, update. */
import { BANDS, COEFFICIENTS } from '../model/architecture.js';
import { GROUP_SIDE, VARIANCE_COUNT, type Group } from '../format.js';
import type { Observation } from '../diffusion/observation.js';
import { onGrid } from '../diffusion/variance-table.js';
import type { Pieces } from '../turns.js';
import type { ColourCorrelation } from './colour-correlation.js';
import type { Channel } from './channel.js';
import type { Predicted, ToldMeasurement } from './prediction.js';
import type { Workspace } from './workspace.js';

/** What the encoder knows besides: the coefficients themselves. */
export interface Truth {
  /** Coefficients of the whole grid, layout of `Observation.z`. */
  x: Float32Array;
}

/** A step of a group: what it is given. */
export interface GroupStepOptions extends Predicted {
  groupIndex: number;
  channel: Channel;
  /** log2 of the states of the trellis of signs; `pointNu` makes that of points of it. */
  nu: number;
  /** By group, of the level's step before; this step's afterwards. */
  scales: Int8Array;
  truth?: Truth;
  /** Of a level that is told in stages, if the picture has colours: at its positions. */
  correlation?: ColourCorrelation;
}

/** A step of a group whose coefficients are predicted. */
export interface GroupWork extends GroupStepOptions {
  workspace: Workspace;
  /** Coefficients that the workspace holds. */
  n: number;
  /** The colour whose coefficients it holds, all of its subbands; default: it holds all, as the observation does. */
  plane?: number;
  /** Of a step that is told in stages: which one, from 0. */
  stage?: number;
  /** By the row of a coefficient, over VARIANCE_COUNT: see `Prediction`. */
  classes: readonly ToldMeasurement[];
  /** Whether the kernels of WebAssembly are asked; otherwise the same is done in TypeScript, which is what they must agree with. */
  fast: boolean;
}

/** Rows of a group, or as many coefficients in coding order, that are gone over in a piece. */
export const PIECE_ROWS = 16;
/** Coefficients of so many rows of the largest group. */
export const PIECE = PIECE_ROWS * GROUP_SIDE * COEFFICIENTS;

/**
 * The rows of a group: index in the workspace, index in the grid, coefficients.
 * @param plane see `GroupWork`: of a colour alone every third of the grid's follow
 */
export function* forEachRow(
  observation: Observation,
  group: Group,
  f: (p: number, i: number, length: number) => void,
  plane?: number,
): Pieces<void> {
  const length = group.width * (plane === undefined ? COEFFICIENTS : BANDS);
  for (let y = 0; y < group.height; y++) {
    f(y * length, ((group.y + y) * observation.width + group.x) * COEFFICIENTS + (plane ?? 0), length);
    if (y % PIECE_ROWS === PIECE_ROWS - 1) yield;
  }
}

/** Index in the whole grid of a coefficient of a group. */
export function gridIndex(observation: Observation, group: Group, p: number): number {
  const rowLength = group.width * COEFFICIENTS;
  const y = Math.floor(p / rowLength);
  return ((group.y + y) * observation.width + group.x) * COEFFICIENTS + (p - y * rowLength);
}

/** How often each row occurs. */
export function countRows({ workspace: w, n, classes, fast }: GroupWork): Uint32Array {
  const histogram = new Uint32Array(classes.length * VARIANCE_COUNT);
  if (fast) {
    const counts = w.int32(w.at.histogram, histogram.length);
    counts.fill(0);
    w.kernel.countRows(w.at.row, n, w.at.histogram);
    histogram.set(counts);
  } else {
    for (let p = 0; p < n; p++) if (w.row[p]! >= 0) histogram[w.row[p]!]!++;
  }
  return histogram;
}

/** Puts other rows in the place of those that coefficients have. @param rowOf −1 where a coefficient is left out from here on */
export function mapRows(work: GroupWork, rowOf: (row: number) => number): void {
  const { workspace: w, n, fast } = work;
  if (fast) {
    placeMap(work, rowOf);
    w.kernel.mapRows(w.at.row, n, w.at.map);
  } else {
    for (let p = 0; p < n; p++) if (w.row[p]! >= 0) w.row[p] = rowOf(w.row[p]!);
  }
}

/** Puts a table of rows where the kernels look for it. */
export function placeMap({ workspace: w, classes }: GroupWork, rowOf: (row: number) => number): void {
  const count = classes.length * VARIANCE_COUNT;
  const map = w.int32(w.at.map, count);
  for (let r = 0; r < count; r++) map[r] = rowOf(r);
}

/** A row with its variance multiplied, by steps of the grid. */
export function shifted(row: number, steps: number): number {
  const v = row % VARIANCE_COUNT;
  return row - v + onGrid(v + steps);
}
