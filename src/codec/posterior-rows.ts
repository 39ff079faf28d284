/** The walk over an observation from top to bottom: what the network says of it, and the posterior mean, in pieces of rows. */
import { rowsOfObservation, type Observation } from '../diffusion/observation.js';
import { PosteriorMean } from '../diffusion/posterior.js';
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
import type { Condition } from '../model/inputs.js';
import { rowsOfPiece, type Pause } from '../turns.js';
import { passOver, type Evaluations } from './evaluations.js';

/** Rows of positions that are evaluated at a time. */
const ROWS = 64;
/** Positions of a piece. */
const PIECE = 2 ** 13;

/** Some rows of an observation. */
export interface PosteriorRows {
  part: Observation;
  /** Row of the observation, and number of the coefficient in it, with which they begin. */
  y: number;
  first: number;
  /** Of each of their coefficients. */
  mean: Float32Array;
  variances(): Float32Array;
  /** Average variance of the coefficients from the first row of the walk to the last one of these. */
  average: number;
}

/** What is walked over. */
export interface Walk {
  observation: Observation;
  condition: Condition;
  /** Rows of the observation. Default: all. */
  from?: number;
  end?: number;
  /** Views at most. */
  views: number;
}

/** The rows, one piece after the other, with turns in between; a piece is valid until the next one. */
export async function* posteriorRows(
  evaluations: Evaluations,
  { observation, condition, from = 0, end = observation.height, views }: Walk,
  pause: Pause,
): AsyncGenerator<PosteriorRows, void, void> {
  const { width, height } = observation;
  const posterior = new PosteriorMean(evaluations.priorOf(condition.level));
  const most = Math.min(height, ROWS);
  const evaluation = evaluations.rows(observation, condition, most, views);
  await passOver(evaluation, from, most, pause);
  const piece = rowsOfPiece(width, PIECE);
  for (let top = from; top < end; top += most) {
    const rows = Math.min(most, end - top);
    const output = await evaluation.next(rows, pause);
    for (let row = 0; row < rows; row += piece) {
      await pause();
      const y = top + row;
      const part = rowsOfObservation(observation, y, Math.min(piece, rows - row));
      const said = output.subarray(row * width * OUTPUT_CHANNELS, (row + part.height) * width * OUTPUT_CHANNELS);
      const first = y * width * COEFFICIENTS;
      const mean = posterior.of(part.z, part.codes, said, first);
      const variances = (): Float32Array => posterior.variances(part.codes, said);
      yield { part, y, first, mean, variances, average: posterior.variance };
    }
  }
}
