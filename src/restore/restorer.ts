/** Restoring and drawing pictures over evaluators that are kept between calls; the entries say where models and threads come from. */
import { KeptModels, MODEL_CHECKS, type ModelOptions, type Platform } from '../kept-models.js';
import { hearing } from '../event-loop.js';
import type { Size } from '../math/rectangle.js';
import { namedIfMemory } from '../memory.js';
import type { Evaluator } from '../model/evaluator.js';
import { bytesOf, checkOptions, isSignal, type Checks } from '../options.js';
import { pictureOf, type Picture } from '../picture.js';
import { inTurns, type Pause } from '../turns.js';
import { DENOISE_CHECKS, denoiseStates, type DenoisePictureOptions } from './denoise-picture.js';
import { inpaintStates, type InpaintOptions } from './inpaint.js';
import { checkDiscrete, discreteStates } from './discrete-states.js';
import { KeptClasses, modelFor, type ClassSource } from './kept-classes.js';
import { KeptDiscrete, type DiscreteSource } from './kept-discrete.js';
import { estimateSigmaInPieces } from './noise-level.js';
import { RESTORE_CHECKS, type RestoreOptions, type RestoreState, type Told } from './restore-options.js';
import { DEFAULT_SIDE, SAMPLE_CHECKS, sampleStates, type SampleOptions } from './sample-picture.js';
import { UPSCALE_CHECKS, upscaleStates, type UpscaleOptions } from './upscale.js';

/** States of a picture that is being made, the last of which is the result; `resultOf` waits for that. */
export type States = AsyncGenerator<RestoreState, void, void>;

/** Options of `estimateSigma`. */
export interface EstimateOptions {
  signal?: AbortSignal;
}

/**
 * Standard deviation of the white noise in each sample of a picture, in units of 8 bits.
 * @param source of at least 8×8 pixels; 0 for smaller ones
 * @throws DcompError E_PICTURE, E_TOO_LARGE, E_USAGE, E_ABORTED
 */
export async function estimateSigma(source: Picture, given?: EstimateOptions): Promise<number> {
  const { signal } = checkOptions(given, { signal: isSignal }, 'estimateSigma');
  return inTurns(estimateSigmaInPieces(pictureOf(source)), hearing(signal));
}

/** The functions of `dcomp/diffusion` that need a model. */
export interface Restorer {
  /**
   * Takes white noise out of a picture; by default the best guess. Depth, alpha and metadata are kept.
   * @throws DcompError E_USAGE, E_PICTURE, E_TOO_LARGE, E_ABORTED; E_IO and model errors
   */
  denoisePicture(picture: Picture, options?: DenoisePictureOptions & ModelOptions): States;
  /**
   * A picture of twice (or four times) the width and height, by default the best guess. Its means of 2×2 (4×4) pixels are the
   * samples given, exactly.
   * @throws DcompError as `denoisePicture`
   */
  upscalePicture(picture: Picture, options?: UpscaleOptions & ModelOptions): States;
  /**
   * Paints a part of a picture anew, by default drawn by ancestral sampling. Other pixels stay as they are.
   * @param mask width · height bytes: 255 is painted, 0 is known, others are blends
   * @throws DcompError as `denoisePicture`
   */
  inpaintPicture(picture: Picture, mask: Uint8Array, options?: InpaintOptions & ModelOptions): States;
  /**
   * Draws a picture out of nothing, by default by ancestral sampling.
   * @throws DcompError as `denoisePicture`
   */
  samplePicture(options?: SampleOptions & ModelOptions): States;
  /** Frees the threads and memory that are kept for further calls. */
  release(): Promise<void>;
}

const withModel = <T extends RestoreOptions>(checks: Checks<T>): Checks<T & ModelOptions> =>
  ({ ...checks, ...MODEL_CHECKS }) as Checks<T & ModelOptions>;
const CHECKS = {
  denoise: withModel(DENOISE_CHECKS),
  upscale: withModel(UPSCALE_CHECKS),
  inpaint: withModel<InpaintOptions>(RESTORE_CHECKS),
  sample: withModel(SAMPLE_CHECKS),
};

/**
 * Makes states with an evaluator that is held until the last of them, or until they are left.
 * @param make is given the options with what the call is told of classes
 */
async function* holdingFrom<O extends RestoreOptions & ModelOptions>(
  models: KeptModels,
  classes: KeptClasses,
  size: Size,
  options: O,
  make: (evaluator: Evaluator, options: O & Told, pause: Pause) => States,
): States {
  const { signal } = options;
  const pause = hearing(signal);
  let leave: () => void = () => undefined;
  let use: Promise<void> = Promise.resolve();
  const evaluator = await new Promise<Evaluator>((resolve, reject) => {
    const pixels = size.width * size.height;
    use = models.chosen(options, pixels, modelFor(options)).use(pixels, signal, (mine) => {
      resolve(mine);
      return new Promise<void>((done) => (leave = done));
    });
    use.catch(reject);
  });
  try {
    yield* make(evaluator, { ...options, ...(await classes.told(evaluator, options)) }, pause);
  } catch (error) {
    throw namedIfMemory(error, size);
  } finally {
    leave();
    await use;
  }
}

/** All calls share evaluators, by model. */
export function createRestorer(platform: Platform & ClassSource & DiscreteSource): Restorer {
  const models = new KeptModels(platform);
  const classes = new KeptClasses(platform);
  const discrete = new KeptDiscrete(platform);

  const holding = <O extends RestoreOptions & ModelOptions>(
    size: Size,
    options: O,
    make: (evaluator: Evaluator, options: O & Told, pause: Pause) => States,
  ): States => holdingFrom(models, classes, size, options, make);
  /** While the evaluator of one model is held, that of the discrete one is, too. */
  async function* withTokens(
    given: Uint8Array | true,
    evaluator: Evaluator,
    options: SampleOptions & ModelOptions & Told,
    pause: Pause,
  ): States {
    const file = await discrete.file(given, pause);
    const { size } = checkDiscrete(evaluator, file, options);
    // What it is told of classes is no class file's.
    const { class: _, classes: __, ...own } = options;
    yield* holding(size, { ...own, model: file.network }, (mine) =>
      discreteStates(evaluator, { evaluator: mine, file }, options, pause),
    );
  }
  return {
    denoisePicture(source, given) {
      const options = checkOptions(given, CHECKS.denoise, 'denoisePicture');
      const picture = pictureOf(source);
      return holding(picture, options, (mine, told, pause) => denoiseStates(picture, mine, told, pause));
    },
    upscalePicture(source, given) {
      const options = checkOptions(given, CHECKS.upscale, 'upscalePicture');
      const picture = pictureOf(source);
      const { factor = 2 } = options;
      const size = { width: factor * picture.width, height: factor * picture.height };
      return holding(size, options, (mine, told, pause) => upscaleStates(picture, mine, told, pause));
    },
    inpaintPicture(source, given, more) {
      const options = checkOptions(more, CHECKS.inpaint, 'inpaintPicture');
      const picture = pictureOf(source);
      const mask = bytesOf(given, 'the mask');
      return holding(picture, options, (mine, told, pause) => inpaintStates(picture, mask, mine, told, pause));
    },
    samplePicture(given) {
      const options = checkOptions(given, CHECKS.sample, 'samplePicture');
      const { width = DEFAULT_SIDE, height = width, discrete: tokens = false } = options;
      return holding({ width, height }, options, (mine, told, pause) =>
        tokens === false ? sampleStates(mine, told, pause) : withTokens(tokens, mine, told, pause),
      );
    },
    release: () => models.release(),
  };
}
