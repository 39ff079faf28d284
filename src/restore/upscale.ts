/**
 * Upscaling: a picture is LL of one of twice the size, and known exactly; its details are foreseen, or drawn. So the result,
 * reduced again by means of 2×2, is the picture that was given, to the last bit.
 */
import { inParts, knowing, type Denoised } from '../diffusion/denoiser.js';
import type { Evaluator } from '../model/evaluator.js';
import { sigmaOf, TOP_CODE, CODES_PER_OCTAVE } from '../model/sigma.js';
import { hash32 } from '../math/hash.js';
import { normalAt } from '../math/normal.js';
import type { Size } from '../math/rectangle.js';
import { isOneOf, type Checks } from '../options.js';
import { depthOf, newSamples, rangeOf, type Picture, type Samples } from '../picture.js';
import { alphaOfInPieces, colourRowsInPieces, hasAlpha, isGrey } from '../pixels/picture-planes.js';
import { inTurns, type Pause, type Pieces } from '../turns.js';
import { consistent, enlargedSmoothly } from './consistent.js';
import { isLowest, Level } from './level.js';
import {
  checkClass,
  checkPixels,
  RESTORE_CHECKS,
  type RestoreOptions,
  type RestoreState,
  type Told,
} from './restore-options.js';
import { pictureOfPlane, planeOf, samplingOf, withLowest } from './states.js';
import { codedSigmas, enterDetails, LEAST, sample, stepsOfWay, TOP } from './walk.js';

/** Samples that are copied in a piece. */
const PIECE = 2 ** 20;

/** What `factor` may be. */
export const FACTORS = [2, 4] as const;

/** Options of `upscalePicture`. */
export interface UpscaleOptions extends RestoreOptions {
  /** How many times as wide and high. Default: 2. */
  factor?: (typeof FACTORS)[number];
}

/** Checks of `UpscaleOptions`. */
export const UPSCALE_CHECKS: Checks<UpscaleOptions> = { ...RESTORE_CHECKS, factor: isOneOf(FACTORS) };

/**
 * Sigmas that the network is told when it foresees details and then when it looks at them again. It was trained to enter a
 * level with LL under noise from 32 to 64 and knows nothing of an exact LL; told the least of these, and then 8 of all
 * coefficients, it is nearest to the truth (docs/lab).
 */
const TOLD_ENTERING = sigmaOf(TOP_CODE - CODES_PER_OCTAVE / 2);
const TOLD_AGAIN = 8;

/**
 * A picture of twice or four times the width and height.
 * @returns states; with `mean`, the default, one for each doubling
 * @throws DcompError E_USAGE, E_TOO_LARGE, E_ABORTED
 */
export async function* upscaleStates(
  picture: Picture,
  evaluator: Evaluator,
  options: UpscaleOptions & Told,
  pause: Pause,
): AsyncGenerator<RestoreState, void, void> {
  const { factor = 2, sampler = 'mean', views = sampler === 'mean' ? 2 : 1 } = options;
  const { width, height, channels } = picture;
  checkPixels(factor * width, factor * height, options.maxPixels);
  checkClass(evaluator, options);
  const doublings = factor === 4 ? 2 : 1;
  let plane = await inTurns(colourRowsInPieces(picture, 0, height), pause);
  const cost = (level: number): number => 0.25 ** level;
  const total = doublings === 1 ? 1 : 1 + cost(1);
  let done = 0;
  for (let k = doublings - 1; k >= 0; k--) {
    const size = { width: 2 * plane.width, height: 2 * plane.height };
    const level = await Level.of(evaluator, size, k, { ...options, grey: isGrey(channels), views }, pause);
    const own = { ...options, level: k };
    let last: Float32Array | undefined;
    const lowest = await inTurns(withLowest(plane), pause);
    for await (const { mean, sigma, part } of doubled(level, lowest, own, pause)) {
      last = mean;
      const fraction = part === 1 && k === 0 ? 1 : (done + part * cost(k)) / total;
      yield { fraction, level: k, sigma, picture: () => inTurns(finished(mean, size, picture), pause) };
    }
    plane = await inTurns(planeOf(last!, size), pause);
    done += cost(k);
  }
}

interface Doubled {
  mean: Float32Array;
  sigma: number;
  /** Share of the doubling that is done. */
  part: number;
}

/** @param known coefficients, LL of which is exact */
async function* doubled(
  level: Level,
  known: Float32Array,
  options: UpscaleOptions & Told & { level: number },
  pause: Pause,
): AsyncGenerator<Doubled, void, void> {
  const impose = ({ mean, variance }: Denoised): Promise<void> =>
    inParts(mean.length, pause, (from, to) => {
      for (let i = from; i < to; i++) {
        if (!isLowest(i)) continue;
        mean[i] = known[i]!;
        variance[i] = 0;
      }
    });
  const { sampler = 'mean' } = options;
  if (sampler === 'mean') {
    const entered = await level.enter(known, TOLD_ENTERING, isLowest, pause);
    await impose(entered);
    const again = await level.refine(entered.mean, TOLD_AGAIN, pause);
    await impose(again);
    yield { mean: await level.clear(again.mean, pause), sigma: 0, part: 1 };
    return;
  }
  const sampling = samplingOf(options, sampler, pause);
  const key = hash32(sampling.key, options.level);
  const z = known.slice();
  await inParts(z.length, pause, (from, to) => {
    for (let i = from; i < to; i++) if (isLowest(i)) z[i] = z[i]! + sampling.temperature * TOP * normalAt(key, i);
  });
  await enterDetails(level, z, impose, { ...sampling, key: hash32(key, 1) });
  const sigmas = codedSigmas(stepsOfWay(sampling.steps, TOP, LEAST), TOP, LEAST);
  const denoiser = knowing(level.refine, impose);
  for await (const { mean, sigma, step, steps } of sample(denoiser, z, sigmas, { ...sampling, key: hash32(key, 2) }))
    yield { mean: await level.clear(mean.slice(), pause), sigma: step === steps ? 0 : sigma, part: step / steps };
}

/** The samples, which reduced again are those that were given. */
function* finished(mean: Float32Array, size: Size, source: Picture): Pieces<Picture> {
  const plane = yield* planeOf(mean, size);
  const picture = yield* pictureOfPlane(plane, source);
  const factor = size.width / source.width;
  const { channels } = source;
  const depth = depthOf(source);
  const alpha = yield* alphaOfInPieces(source);
  const data = newSamples(picture.data.length, depth);
  const colours = hasAlpha(channels) ? channels - 1 : channels;
  for (let c = 0; c < colours; c++) yield* consistent(data, c, plane, source, factor);
  if (alpha !== undefined)
    yield* putAlpha(data, channels, yield* enlargedSmoothly(alpha, source, factor, rangeOf(depth)));
  const { metadata } = picture;
  if (metadata?.density?.unit !== 'metre') return { ...picture, data };
  // The picture stays as large as it was on paper.
  const { x, y, unit } = metadata.density;
  return { ...picture, data, metadata: { ...metadata, density: { x: x * factor, y: y * factor, unit } } };
}

function* putAlpha(data: Samples, channels: number, alpha: Samples): Pieces<void> {
  for (let i = 0; i < alpha.length; i++) {
    if (i % PIECE === 0) yield;
    data[(i + 1) * channels - 1] = alpha[i]!;
  }
}
