/** Denoising: a picture that is white noise and a picture is a state of the reverse process, so it goes on from there. */
import { DcompError } from '../errors.js';
import { pyramidSizes } from '../diffusion/schedule.js';
import type { Size } from '../math/rectangle.js';
import type { Evaluator } from '../model/evaluator.js';
import { isNumber, type Checks } from '../options.js';
import type { Picture } from '../picture.js';
import { colourRowsInPieces, isGrey } from '../pixels/picture-planes.js';
import { haarInPieces } from '../pixels/pyramid.js';
import { inTurns, type Pause, type Pieces } from '../turns.js';
import { turnBack } from './clipped.js';
import { Level } from './level.js';
import { estimateSigmaInPieces } from './noise-level.js';
import {
  checkClass,
  checkPixels,
  DEFAULT_STEPS,
  RESTORE_CHECKS,
  type RestoreOptions,
  type RestoreState,
  type Told,
} from './restore-options.js';
import { pictureOfPlane, planeOf, samplingOf } from './states.js';
import { codedSigmas, LEAST, sample, stepsOfWay } from './walk.js';

/** Options of `denoisePicture`. */
export interface DenoisePictureOptions extends RestoreOptions {
  /** Standard deviation of the noise in each sample, in units of 8 bits, 0.25 to 128. Default: as `estimateSigma` says. */
  sigma?: number;
}

/** Least and most sigma that can be taken out. */
export const SIGMA_RANGE = [0.25, 128] as const;
const [LEAST_SIGMA, MOST_SIGMA] = SIGMA_RANGE;

/** Checks of `DenoisePictureOptions`. */
export const DENOISE_CHECKS: Checks<DenoisePictureOptions> = {
  ...RESTORE_CHECKS,
  sigma: isNumber(
    `a number from ${LEAST_SIGMA} to ${MOST_SIGMA}`,
    (value) => value >= LEAST_SIGMA && value <= MOST_SIGMA,
  ),
};

/**
 * Takes white noise out of a picture, that was cut off at black and white. Alpha and metadata are kept.
 * @returns states; with `mean`, the default, there is one
 * @throws DcompError E_USAGE, E_TOO_LARGE, E_ABORTED
 */
export async function* denoiseStates(
  picture: Picture,
  evaluator: Evaluator,
  options: DenoisePictureOptions & Told,
  pause: Pause,
): AsyncGenerator<RestoreState, void, void> {
  const { width, height, channels } = picture;
  checkPixels(width, height, options.maxPixels);
  checkClass(evaluator, options);
  const sigma = options.sigma ?? (await inTurns(estimateSigmaInPieces(picture), pause));
  if (sigma < LEAST_SIGMA) {
    yield { fraction: 1, level: 0, sigma: 0, picture: async () => picture };
    return;
  }
  if (sigma > MOST_SIGMA)
    throw new DcompError('E_USAGE', `the noise is estimated at ${sigma}; at most ${MOST_SIGMA} can be taken out`);
  const { sampler = 'mean', views = sampler === 'mean' ? 2 : 1 } = options;
  const [size] = pyramidSizes(width, height);
  const level = await Level.of(evaluator, size!, 0, { ...options, grey: isGrey(channels), views }, pause);
  const colours = await inTurns(colourRowsInPieces(picture, 0, height), pause);
  const z = await level.clear((await inTurns(haarInPieces(colours), pause)).data, pause);
  const state = (mean: Float32Array, left: number, fraction: number): RestoreState => ({
    fraction,
    level: 0,
    sigma: left,
    picture: async () => inTurns(shown(await level.clear(mean.slice(), pause), size!, sigma, picture), pause),
  });
  if (sampler === 'mean') {
    yield state((await level.refine(z, sigma, pause)).mean, 0, 1);
    return;
  }
  const least = Math.min(LEAST, sigma / 2);
  const sigmas = codedSigmas(stepsOfWay(options.steps ?? DEFAULT_STEPS, sigma, least), sigma, least);
  for await (const { mean, sigma: left, step, steps } of sample(
    level.refine,
    z,
    sigmas,
    samplingOf(options, sampler, pause),
  ))
    yield state(mean, step === steps ? 0 : left, step / steps);
}

/** The picture of what is foreseen under noise that was cut off. */
function* shown(mean: Float32Array, size: Size, sigma: number, like: Picture): Pieces<Picture> {
  const plane = yield* planeOf(mean, size);
  yield* turnBack(plane, sigma, isGrey(like.channels));
  return yield* pictureOfPlane(plane, like);
}
