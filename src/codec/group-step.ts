/**
 * One step of the schedule for one group of coefficients: measures every coefficient of the group whose sigma code is
 * above the step's, and joins the measurements to the observation by the Kalman rule. Encoder and decoder run the same
 * code; they differ in the `Channel`.
 *
 * What has half a bit to tell and more is quantised (src/entropy/tcq.ts). What has less is sent in passes, by runs of
 * trellis-coded signs (src/entropy/trellis.ts), with the Kalman update of mean and variance between them; round r carries
 * one pass of every coefficient that has at least r. What has most to tell comes first, so a step cut anywhere has
 * refined the largest variances, which is reverse water-filling.
 */
import { FIRST_INFORMATION, groupCoefficients, VARIANCE_COUNT } from '../format.js';
import { HALF_LOG2_E } from '../math/exact.js';
import { hash32 } from '../math/hash.js';
import { COEFFICIENTS } from '../model/architecture.js';
import type { Measurement } from '../diffusion/variance-table.js';
import type { Pieces } from '../turns.js';
import { putInOrder } from './coding-order.js';
import { correct } from './correct.js';
import { applyGains } from './apply-gains.js';
import { forEachRow, mapRows, PIECE, type GroupStepOptions, type GroupWork, type Truth } from './group-work.js';
import { fitsKernels, predict } from './prediction.js';
import { isLeftOut, type PassTable } from './pass-table.js';
import { codeRounds } from './runs.js';
import { applyScale } from './scale.js';
import { inStages, putTogether } from './stages.js';
import { updateObservation } from './update.js';
import type { Workspace } from './workspace.js';

/** Beyond the numbers of rounds. */
const STAGE_KEY = 256;

/**
 * Runs the step and updates the observation.
 * @param kernels whether those of WebAssembly may be asked; the result is the same
 * @returns the ideal cost in bits: KL of an ideal Gaussian channel under the network's variances (0 without truth).
 */
export function* codeGroupStep(options: GroupStepOptions, workspace: Workspace, kernels = true): Pieces<number> {
  const { step, group, channel, truth } = options;
  const n = groupCoefficients(group);
  workspace.reserve(n);
  workspace.total = 0;
  const { classes, active } = predict(options, workspace, kernels);
  if (active === 0) return 0;
  const work: GroupWork = { ...options, workspace, n, classes, fast: kernels && fitsKernels(classes) };
  yield;
  if (truth !== undefined) yield* computeResidual(work, truth);
  if (!applyScale(work)) return 0;
  yield;
  if (step.part === 'first') leaveTheRest(work);
  if (!(yield* applyGains(work))) return 0;
  let ideal = 0;
  const tell = function* (part: GroupWork): Pieces<PassTable> {
    if (truth !== undefined) ideal += yield* idealBits(part);
    const order = yield* putInOrder(part);
    const rounds = yield* codeRounds(part, order, keyOf(part));
    yield* updateObservation(part, order, rounds);
    return order.table;
  };
  if (step.leavesOut || step.inStages) workspace.bytes(workspace.at.moved, 4 * n).fill(0);
  if (step.inStages) yield* inStages(work, tell);
  else yield* tell(work);
  if (step.corrected && !channel.ended && channel.normal === undefined) yield* correct(work);
  // Means are asked for where data has ended.
  if (step.inStages && channel.ended) putTogether(workspace, n);
  return ideal;
}

/** What the hashes of a step's runs begin with. */
function keyOf({ step, groupIndex, stage = 0 }: GroupWork): number {
  const key = hash32(hash32(0x646370, step.index), groupIndex);
  return stage === 0 ? key : hash32(key, STAGE_KEY + stage);
}

function* computeResidual({ workspace: w, observation, group, fast }: GroupWork, { x }: Truth): Pieces<void> {
  const { kernel, at, mean, residual } = w;
  const row = w.float32(at.z, group.width * COEFFICIENTS);
  yield* forEachRow(observation, group, (p, i, length) => {
    if (fast) {
      row.set(x.subarray(i, i + length));
      kernel.residuals(at.z, at.mean + 4 * p, length, at.residual + 4 * p);
    } else {
      for (const end = p + length; p < end; p++, i++) residual[p] = x[i]! - mean[p]!;
    }
  });
}

/** Of the first step of two that enter a level: what has little to tell is told in the second, when more is known of it. */
function leaveTheRest(work: GroupWork): void {
  const enough = work.classes.map(({ information }) => information.findIndex((bits) => bits >= FIRST_INFORMATION));
  mapRows(work, (r) => (r % VARIANCE_COUNT < enough[Math.floor(r / VARIANCE_COUNT)]! ? -1 : r));
}

function* idealBits({ step, workspace: w, classes, n, fast }: GroupWork): Pieces<number> {
  const { residual, row, kernel, at } = w;
  const isOut = (m: Measurement, v: number): boolean => step.leavesOut && isLeftOut(m, v);
  let bits = 0;
  if (fast) {
    const table = w.float64(at.gains, 4 * classes.length * VARIANCE_COUNT);
    for (const [k, m] of classes.entries()) {
      for (let v = 0; v < VARIANCE_COUNT; v++)
        table.set(isOut(m, v) ? [0, 0, 1] : [m.information[v]!, m.delta, 1 + m.rho[v]!], 4 * (k * VARIANCE_COUNT + v));
    }
    for (let p = 0; p < n; p += PIECE, yield)
      bits = kernel.idealBits(at.row + 4 * p, at.residual + 4 * p, Math.min(PIECE, n - p), at.gains, bits);
    return bits;
  }
  for (let p = 0; p < n; p++) {
    if (p % PIECE === PIECE - 1) yield;
    const r = row[p]!;
    if (r < 0) continue;
    const m = classes[Math.floor(r / VARIANCE_COUNT)]!;
    const v = r % VARIANCE_COUNT;
    if (isOut(m, v)) continue;
    const e = residual[p]!;
    bits += m.information[v]! + HALF_LOG2_E * ((m.delta * e * e + 1) / (1 + m.rho[v]!) - 1);
  }
  return bits;
}
