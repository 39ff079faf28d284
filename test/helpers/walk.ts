/** The encoder's walk along the schedule, done by the test itself. */
import { readContainer } from '../../src/container/container.js';
import type { Channel } from '../../src/codec/channel.js';
import { join } from '../../src/pixels/picture-planes.js';
import { haar, halve } from '../../src/pixels/pyramid.js';
import { Session } from '../../src/codec/session.js';
import type { Schedule, Step } from '../../src/diffusion/schedule.js';
import type { Evaluator } from '../../src/model/evaluator.js';
import type { Picture } from '../../src/picture.js';
import { rowsOfCoefficients, separate } from './planes.js';

/** Coefficients of every level of a picture, level 0 first. */
export function coefficientsOf(picture: Picture, levels: number): Float32Array[] {
  let u = separate(picture).colour;
  const result: Float32Array[] = [];
  for (let level = 0; level < levels; level++) {
    result.push(haar(u).data);
    u = halve(u);
  }
  return result;
}

export interface Walk {
  session: Session;
  /** What the decoder would show, with the alpha of the picture. */
  reconstruction: Picture;
  /** Ideal bits of each step. */
  ideal: number[];
}

/** Sends the first steps of the schedule through a channel. @param after called behind every step */
export async function walk(
  picture: Picture,
  evaluator: Evaluator,
  schedule: Schedule,
  steps: number,
  channel: Channel,
  after?: (step: Step) => void,
): Promise<Walk> {
  const { grey, alpha } = separate(picture);
  const session = new Session(picture.width, picture.height, grey, schedule, evaluator);
  const truth = coefficientsOf(picture, session.sizes.length - 1).map((data, level) => {
    const { width, height } = session.sizes[level + 1]!;
    return rowsOfCoefficients({ width, height, data });
  });
  const ideal: number[] = [];
  for (const step of session.steps.slice(0, steps)) {
    ideal.push(await session.run(step, channel, truth[step.level]));
    after?.(step);
  }
  return { session, reconstruction: join(await session.reconstruct(), picture.channels, alpha), ideal };
}

/** Steps that a file says it holds. */
export function stepsIn(file: Uint8Array): number {
  return readContainer(file).segments.reduce((sum, { units }) => sum + units, 0);
}
