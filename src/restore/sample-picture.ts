/** Pictures out of nothing: the reverse process from the coarsest level's prior on. */
import type { Evaluator } from '../model/evaluator.js';
import { bytesOf, isOneOf, isWhole, type Checks } from '../options.js';
import { MAX_SIDE, type Picture } from '../picture.js';
import { inTurns, type Pause } from '../turns.js';
import {
  checkClass,
  checkPixels,
  RESTORE_CHECKS,
  type RestoreOptions,
  type RestoreState,
  type Told,
} from './restore-options.js';
import { pictureFrom, samplingOf } from './states.js';
import { drawnSizes, walk, type Walk } from './walk.js';

/** Options of `samplePicture`. */
export interface SampleOptions extends RestoreOptions {
  /** Size of the picture, 8 to 65535. Default: 256×256. */
  width?: number;
  height?: number;
  /** 1 for grey, 3 for colour, the default. */
  channels?: 1 | 3;
  /**
   * Whether the coarse part is drawn in tokens, by the package's discrete model, or the contents of another one's file (.dcd).
   * Default: false.
   */
  discrete?: boolean | Uint8Array;
}

/** Least side of a picture that is drawn. */
export const LEAST_SIDE = 8;
/** Side of a picture that is drawn, unless said otherwise. */
export const DEFAULT_SIDE = 256;

/** Checks of `SampleOptions`. */
export const SAMPLE_CHECKS: Checks<SampleOptions> = {
  ...RESTORE_CHECKS,
  width: isWhole(LEAST_SIDE, MAX_SIDE),
  height: isWhole(LEAST_SIDE, MAX_SIDE),
  channels: isOneOf([1, 3] as const),
  discrete: (value, name) => (typeof value === 'boolean' ? value : bytesOf(value, name)),
};

/** Where a drawing begins, if not with nothing. */
export type Begun = Pick<Walk, 'sizes' | 'begin'>;

/**
 * Draws a picture. With `mean` it is what is expected of a picture of which nothing is known: grey.
 * @returns states, coarse levels first
 * @throws DcompError E_USAGE, E_TOO_LARGE, E_ABORTED
 */
export async function* sampleStates(
  evaluator: Evaluator,
  options: SampleOptions & Told,
  pause: Pause,
  begun?: Begun,
): AsyncGenerator<RestoreState, void, void> {
  const { width = DEFAULT_SIDE, height = width, channels = 3, sampler = 'ancestral', views = 1 } = options;
  checkPixels(width, height, options.maxPixels);
  checkClass(evaluator, options);
  const mean = sampler === 'mean';
  const states = walk({
    ...options,
    ...samplingOf(options, mean ? 'euler' : sampler, pause),
    ...(mean ? { temperature: 0 } : {}),
    evaluator,
    sizes: drawnSizes({ width, height }),
    ...begun,
    grey: channels === 1,
    views,
  });
  for await (const { fraction, level, size, sigma, mean: said } of states) {
    const like: Picture = { width: 0, height: 0, channels, depth: 8, data: new Uint8Array(0) };
    yield { fraction, level, sigma, picture: () => inTurns(pictureFrom(said, size, like), pause) };
  }
}
