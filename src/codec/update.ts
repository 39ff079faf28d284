/** The Kalman update: joins what a step told to the observation. */
import { COEFFICIENTS } from '../model/architecture.js';
import { codeOf, UNKNOWN } from '../model/sigma.js';
import { VARIANCE_COUNT, type Group } from '../format.js';
import type { Observation } from '../diffusion/observation.js';
import { VARIANCE } from '../diffusion/variance-table.js';
import { COLOURS } from '../pixels/colour.js';
import type { Pieces } from '../turns.js';
import type { CodingOrder } from './coding-order.js';
import { forEachRow, type GroupWork } from './group-work.js';
import type { PassTable } from './pass-table.js';
import type { Rounds } from './runs.js';
import type { Workspace } from './workspace.js';

/**
 * The Kalman rule: z' = (P·z + delta·y) / (P + delta) with y = mu + d · (1 + 1/(v·delta)), d being what points and
 * signs moved the mean by. Runs over the coefficients by position: only d comes in the shuffled order.
 */
export function* updateObservation(
  work: GroupWork,
  { table, histogram, quantised }: CodingOrder,
  rounds: Rounds,
): Pieces<void> {
  const { workspace: w, fast, channel } = work;
  const { total, order, offset, moved } = w;
  if (fast) w.kernel.scatter(w.at.order, w.at.offset, total, w.at.moved);
  else for (let k = 0; k < total; k++) moved[order[k]!] = offset[k]!;
  yield;
  if (!rounds.whole || channel.ended) yield* updatePartly(work, table, rounds, quantised);
  else if (fast) yield* updateByKernel(work, table, histogram);
  else yield* updateHere(work, table, histogram);
}

/** By row: factor of z, of the mean, of the move, and the code afterwards. What is left out takes the mean and stays unknown. */
function fillGains(
  { classes }: GroupWork,
  { passes }: PassTable,
  histogram: Uint32Array,
  gains: Float64Array,
): Float64Array {
  for (let r = 0; r < histogram.length; r++) {
    if (histogram[r] === 0) continue;
    if (passes[r] === 0) {
      gains.set([0, 1, 0, UNKNOWN], 4 * r);
      continue;
    }
    const { precision, delta, to } = classes[Math.floor(r / VARIANCE_COUNT)]!;
    gains[4 * r] = precision / (precision + delta);
    gains[4 * r + 1] = delta / (precision + delta);
    gains[4 * r + 2] = (delta + 1 / VARIANCE[r % VARIANCE_COUNT]!) / (precision + delta);
    gains[4 * r + 3] = to;
  }
  return gains;
}

function* updateHere(work: GroupWork, table: PassTable, histogram: Uint32Array): Pieces<void> {
  const { z, codes } = work.observation;
  const { row, mean, moved } = work.workspace;
  const gains = fillGains(work, table, histogram, new Float64Array(4 * histogram.length));
  const stride = strideOf(work);
  const update = (p: number, i: number, length: number): void => {
    for (const end = p + length; p < end; p++, i += stride) {
      const r = row[p]!;
      if (r < 0) continue;
      z[i] = gains[4 * r]! * z[i]! + gains[4 * r + 1]! * mean[p]! + gains[4 * r + 2]! * moved[p]!;
      codes[i] = gains[4 * r + 3]!;
    }
  };
  yield* forEachRow(work.observation, work.group, update, work.plane);
}

function* updateByKernel(work: GroupWork, table: PassTable, histogram: Uint32Array): Pieces<void> {
  const { workspace: w, observation, group } = work;
  const { kernel, at } = w;
  fillGains(work, table, histogram, w.float64(at.gains, 4 * histogram.length));
  const z = w.float32(at.z, group.width * COEFFICIENTS);
  const codes = w.bytes(at.codes, group.width * COEFFICIENTS);
  const [first, stride] = [work.plane ?? 0, strideOf(work)];
  const update = (p: number, i: number, length: number): void => {
    const from = i - first;
    z.set(observation.z.subarray(from, from + z.length));
    codes.set(observation.codes.subarray(from, from + codes.length));
    const [row, mean, moved] = [at.row + 4 * p, at.mean + 4 * p, at.moved + 4 * p];
    kernel.update(at.z + 4 * first, at.codes + first, stride, length, row, mean, moved, at.gains);
    observation.z.set(z, from);
    observation.codes.set(codes, from);
  };
  yield* forEachRow(observation, group, update, work.plane);
}

/** From one coefficient of the workspace to the next in the grid. */
function strideOf({ plane }: GroupWork): number {
  return plane === undefined ? 1 : COLOURS;
}

/** The same where not every pass took place: a coefficient has got the precision of those that did. */
function* updatePartly(work: GroupWork, table: PassTable, rounds: Rounds, quantised: number): Pieces<void> {
  const { workspace: w, observation, classes } = work;
  const { z, codes } = observation;
  const { row, mean, moved } = w;
  const done = yield* passesDone(work, rounds, quantised);
  const stride = strideOf(work);
  const update = (p: number, i: number, length: number): void => {
    for (const end = p + length; p < end; p++, i += stride) {
      const r = row[p]!;
      if (r < 0) continue;
      if (done[p] === 0) {
        // Nothing came: an unknown coefficient keeps its posterior mean (see finerObservation).
        if (codes[i] === UNKNOWN) z[i] = mean[p]!;
        continue;
      }
      const { precision, delta: whole, to } = classes[Math.floor(r / VARIANCE_COUNT)]!;
      const v = VARIANCE[r % VARIANCE_COUNT]!;
      let delta = whole;
      let code = to;
      if (done[p] !== table.passes[r]!) {
        let growth = 1;
        for (let j = 0; j < done[p]!; j++) growth *= 1 + table.gain[r]!;
        delta = (growth - 1) / v;
        code = Math.max(to, codeOf(1 / Math.sqrt(precision + delta)));
      }
      z[i] =
        (precision / (precision + delta)) * z[i]! +
        (delta / (precision + delta)) * mean[p]! +
        ((delta + 1 / v) / (precision + delta)) * moved[p]!;
      codes[i] = code;
    }
  };
  yield* forEachRow(observation, work.group, update, work.plane);
}

/** By position, how many passes took place. @param first how many are quantised */
function* passesDone({ workspace: { order }, n }: GroupWork, rounds: Rounds, first: number): Pieces<Uint8Array> {
  const done = new Uint8Array(n);
  for (let k = 0; k < rounds.quantised; k++) done[order[k]!] = 1;
  yield;
  for (const count of rounds.covered) {
    for (let k = 0; k < count; k++) done[order[first + k]!]!++;
    yield;
  }
  return done;
}

/**
 * Writes the means that the last step of a group left its coefficients with, sent or not, into an array laid out as the
 * observation: the posterior mean after an unfinished step, without an evaluation of the network.
 */
export function* putCurrentMeans(
  workspace: Workspace,
  observation: Observation,
  group: Group,
  mean: Float32Array,
): Pieces<void> {
  if (workspace.total === 0) return;
  const { row, moved } = workspace;
  yield* forEachRow(observation, group, (p, i, length) => {
    for (const end = p + length; p < end; p++, i++) if (row[p]! >= 0) mean[i] = workspace.mean[p]! + moved[p]!;
  });
}
