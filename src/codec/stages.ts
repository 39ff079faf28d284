/**
 * Details that are measured straight are told in stages: brightness, by halves where a level is measured at once, then one
 * colour and the other. What is told moves what is expected of those to come, at the same place or beside it, and makes them
 * surer. That is what the network would say if it were asked again, without asking it.
 */
import { VARIANCE } from '../diffusion/variance-table.js';
import { CORRELATION_UNITS, MAX_CORRELATION, SHARE_UNITS, VARIANCE_COUNT, VARIANCE_STEPS } from '../format.js';
import { log2 } from '../math/exact.js';
import { BANDS } from '../model/architecture.js';
import { COLOURS } from '../pixels/colour.js';
import type { Pieces } from '../turns.js';
import { correlationAt, PAIRS, type ColourCorrelation } from './colour-correlation.js';
import { PIECE_ROWS, type GroupWork } from './group-work.js';
import type { PassTable } from './pass-table.js';
import type { Workspace } from './workspace.js';

/**
 * By subband, how a detail of brightness goes with that beside it, and with that above or below, in CORRELATION_UNITS: across an edge the
 * other way, along it the same way. Least squares over photographs, at level 0.
 */
const BESIDE = [0, -24, 16, -20];
const ABOVE = [0, 16, -24, -20];

const DEVIATION = VARIANCE.map((v) => Math.sqrt(v));

/** By |correlation| · (SHARE_UNITS + 1) + share: by how many steps of the variance grid the later one's variance is less. */
const LESS = new Int32Array((MAX_CORRELATION + 1) * (SHARE_UNITS + 1));
for (let r = 0; r <= MAX_CORRELATION; r++) {
  for (let share = 0; share <= SHARE_UNITS; share++) {
    const explained = (r * r * share) / (CORRELATION_UNITS * CORRELATION_UNITS * SHARE_UNITS);
    LESS[r * (SHARE_UNITS + 1) + share] = Math.floor(0.5 - VARIANCE_STEPS * log2(1 - explained));
  }
}

/**
 * Tells a group's step in stages.
 * @param tell tells what has a row in the workspace that it is given, and gives back the passes that it took
 */
export function* inStages(work: GroupWork, tell: (part: GroupWork) => Pieces<PassTable>): Pieces<void> {
  const { workspace: w, n, truth, step } = work;
  const { row, mean, residual } = w.at;
  const count = n / COLOURS;
  for (const at of truth === undefined ? [row, mean] : [row, mean, residual]) {
    w.kernel.toPlanes(at, count, w.at.order);
    yield;
  }
  beginStages(work);
  let total = 0;
  const tellPart = function* (plane: number, stage: number): Pieces<void> {
    const part = { ...work, workspace: w.part(plane * count, count), n: count, plane, stage };
    const table = yield* tell(part);
    total += part.workspace.total;
    if (plane + 1 < COLOURS) noteTold(part, w, table);
    yield;
  };
  if (step.part === undefined) {
    const rows = w.row.slice(0, count);
    leaveHalf(work, true);
    yield* tellPart(0, 0);
    w.row.set(rows);
    leaveHalf(work, false);
    yield* foreseeHalf(work);
    yield* tellPart(0, 1);
    w.row.set(rows);
  } else yield* tellPart(0, 0);
  for (let plane = 1; plane < COLOURS && work.correlation !== undefined; plane++) {
    yield* foreseeColour(work, work.correlation, plane);
    yield* tellPart(plane, plane + 1);
  }
  w.total = total;
  w.kernel.fromPlanes(row, count, w.at.order); // corrections are of all colours
}

/** Puts what a step in stages leaves of means, and of how they moved, where it is after any other step. */
export function putTogether({ kernel, at }: Workspace, n: number): void {
  for (const words of [at.mean, at.moved]) kernel.fromPlanes(words, n / COLOURS, at.order);
}

/** Puts what does not change from stage to stage where the kernels look for it. */
function beginStages({ workspace: w, n, truth }: GroupWork): void {
  const { at, kernel } = w;
  w.bytes(at.shares, n).fill(0);
  w.float64(at.deviations, VARIANCE_COUNT).set(DEVIATION);
  w.int32(at.less, LESS.length).set(LESS);
  const residual = truth === undefined ? 0 : at.residual;
  const { row, mean, moved, shares, variances, deviations, less } = at;
  kernel.beginForeseeing(row, mean, residual, moved, shares, variances, deviations, less, VARIANCE_COUNT);
}

/** Keeps which share of the variance of each coefficient has been taken away, and which variance that was. @param all planes */
function noteTold({ workspace, n, plane = 0, classes, fast }: GroupWork, all: Workspace, { passes }: PassTable): void {
  const byRow = new Uint8Array(passes.length);
  for (let r = 0; r < byRow.length; r++) {
    if (passes[r] === 0) continue;
    const rho = classes[Math.floor(r / VARIANCE_COUNT)]!.rho[r % VARIANCE_COUNT]!;
    byRow[r] = Math.floor((SHARE_UNITS * rho) / (1 + rho) + 0.5);
  }
  if (fast) {
    workspace.bytes(workspace.at.map, byRow.length).set(byRow);
    workspace.kernel.noteTold(workspace.at.row, n, n * plane, workspace.at.map);
    return;
  }
  const shares = all.bytes(all.at.shares + n * plane, n);
  const variances = all.int16(all.at.variances + 2 * n * plane, n);
  for (let p = 0; p < n; p++) {
    const r = workspace.row[p]!;
    if (r < 0) continue;
    shares[p] = byRow[r]!;
    variances[p] = r % VARIANCE_COUNT;
  }
}

/** Of brightness, takes every other detail out: those whose column, row and subband make an odd sum, or the others. */
function leaveHalf({ workspace: { row }, group, observation }: GroupWork, odd: boolean): void {
  for (let y = 0, p = 0; y < group.height; y++) {
    let left = (observation.x + group.x + observation.y + group.y + y + (odd ? 1 : 0)) & 1;
    for (let x = 0; x < group.width; x++, left ^= 1, p += BANDS)
      for (let band = left; band < BANDS; band += 2) row[p + band] = -1;
  }
}

/** Of the second half of brightness, by the first around it. */
function* foreseeHalf({ workspace: w, group: { width, height } }: GroupWork): Pieces<void> {
  const { at, kernel } = w;
  w.bytes(at.correlations, 2 * BANDS).set([...BESIDE, ...ABOVE]);
  for (let y = 0; y < height; y++) {
    kernel.foreseeHalf(y * width * BANDS, width, y > 0, y + 1 < height, at.correlations);
    if (y % PIECE_ROWS === PIECE_ROWS - 1) yield;
  }
}

/** Of a colour, by brightness and the colour before it at the same place. */
function* foreseeColour(work: GroupWork, correlation: ColourCorrelation, plane: number): Pieces<void> {
  const { workspace: w, n, group, observation } = work;
  const { at, kernel } = w;
  const { width, height } = group;
  const apart = n / COLOURS;
  const pair = PAIRS.findIndex(([, later]) => later === plane);
  const x = observation.x + group.x;
  for (let y = 0; y < height; y++) {
    const from = correlationAt(correlation, x, observation.y + group.y + y);
    const to = correlationAt(correlation, x + width - 1, observation.y + group.y + y) + PAIRS.length;
    w.bytes(at.correlations, to - from).set(correlation.units.subarray(from, to));
    kernel.foreseeColour(plane * apart + y * width * BANDS, width, x & 1, at.correlations, pair, plane, apart);
    if (y % PIECE_ROWS === PIECE_ROWS - 1) yield;
  }
}
