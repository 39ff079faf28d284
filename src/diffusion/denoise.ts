/**
 * The one question that codec, samplers and tools ask: what may the coefficients of a level be, given an observation of
 * them? Asked of the network in integers, so the answer is the same on every machine.
 */
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
import type { Evaluator } from '../model/evaluator.js';
import type { Condition } from '../model/inputs.js';
import { priorOf } from '../model/weights.js';
import { inTurns, withoutTurns, type Pause } from '../turns.js';
import type { Denoised } from './denoiser.js';
import { addMirrored, mirroredInPieces, rowsOfObservation, type Observation } from './observation.js';
import { PosteriorMean } from './posterior.js';
import type { Views } from './schedule.js';

/** How `denoise` asks. */
export interface DenoiseOptions {
  /** Evaluations that the answer is the mean of: 1, 2 (also mirrored) or 4 (also upside down). Default: 1. */
  views?: Views;
  /** Asked every few milliseconds. Default: never. */
  pause?: Pause;
}

/** Rows of positions that are evaluated at a time: the network's memory grows with the width alone. */
const ROWS = 64;

/**
 * Mean and variance of every coefficient of an observation, given it and the condition.
 * @param observation z in units of 8-bit samples of the orthonormal transform, with a sigma code each; it is not changed
 * @param condition the level; sigma code and mode, which a network that is not told them ignores
 * @returns width · height · 12 means and variances, as z is laid out
 * @throws DcompError E_ABORTED by the pause; E_TOO_LARGE where there is no memory
 */
export async function denoise(
  evaluator: Evaluator,
  observation: Observation,
  condition: Condition,
  { views = 1, pause = withoutTurns() }: DenoiseOptions = {},
): Promise<Denoised> {
  const { width, height, z } = observation;
  const { architecture, statistics } = evaluator.model;
  const posterior = new PosteriorMean(priorOf(architecture, statistics, condition.level));
  const sum: Denoised = { mean: new Float32Array(z.length), variance: new Float32Array(z.length) };
  for (let view = 0; view < views; view++) {
    const seen = await inTurns(mirroredInPieces(observation, view), pause);
    const most = Math.min(ROWS, height);
    const evaluation = evaluator.evaluateRows(seen.z, seen.codes, width, height, condition, most);
    for (let y = 0; y < height; y += most) {
      const part = rowsOfObservation(seen, y, Math.min(most, height - y));
      const output = (await evaluation.next(part.height, pause)).subarray(0, part.height * width * OUTPUT_CHANNELS);
      const mean = posterior.of(part.z, part.codes, output, y * width * COEFFICIENTS);
      const variance = posterior.variances(part.codes, output);
      addMirrored(sum, { mean, variance }, { width, height }, y, view);
      await pause();
    }
  }
  if (views > 1) for (const values of [sum.mean, sum.variance]) divide(values, views);
  return sum;
}

function divide(values: Float32Array, by: number): void {
  for (let i = 0; i < values.length; i++) values[i] = values[i]! / by;
}
