/** What restoring and drawing pictures is told, and how what callers hand over is checked. */
import { DcompError } from '../errors.js';
import type { ClassifierGradient } from '../diffusion/denoiser.js';
import { VIEWS, type Views } from '../diffusion/schedule.js';
import type { ClassFile } from '../model/class-file.js';
import type { Evaluator } from '../model/evaluator.js';
import { bytesOf, isNumber, isOneOf, isSignal, isWhole, mustBe, type Check, type Checks } from '../options.js';
import { DEFAULT_MAX_PIXELS, MAX_PIXELS, type Picture } from '../picture.js';

/** How a picture is drawn. */
export const SAMPLERS = ['ancestral', 'euler', 'heun', 'sde', 'langevin'] as const;
/** Name of a sampler: see src/diffusion/samplers.ts. */
export type SamplerName = (typeof SAMPLERS)[number];
/** A sampler, or the best guess in squared error. */
export type Manner = SamplerName | 'mean';

/** What draws and guesses have in common. */
export interface RestoreOptions {
  /** A sampler, or `mean`: the best guess, of which all have the same. Default: as each function says. */
  sampler?: Manner;
  /** Steps of the sampler at the full size, 1 to 1000; each is one evaluation, or two. Default: 18. */
  steps?: number;
  /** What noise is drawn from, 0 to 2^32 − 1: the same gives the same picture everywhere. Default: 0. */
  seed?: number;
  /** Scale of all noise, 0 to 2. Default: 1. */
  temperature?: number;
  /**
   * The class of pictures that is wanted, from 0 on, of those the model knows; of the package's models `small` knows some, and
   * is the default where a class is wanted. Default: any.
   */
  class?: number;
  /** The contents of the class file (.dcc) of a model. Default: that of the package's model. */
  classes?: Uint8Array;
  /** How much the class or the classifier counts, 0 to 100: 0 not at all, 1 as it is. Default: 1. */
  guidanceScale?: number;
  /**
   * true: a classifier leads to the class, in place of a network that is told it. Or the gradient of log p(what is wanted |
   * z) by z, at a level: coefficients as `Observation` has them. Default: false.
   */
  classifier?: boolean | ((z: Float32Array, sigma: number, level: number) => ReturnType<ClassifierGradient>);
  /** Evaluations that a guess is the mean of: 1, 2 (also mirrored) or 4. Default: 2 for `mean`, else 1. */
  views?: Views;
  /** Most pixels of the result. Default: 2^25. */
  maxPixels?: number;
  signal?: AbortSignal;
}

const isManner: Check<Manner> = (value, name) => {
  const manners = [...SAMPLERS, 'mean'];
  if (!manners.includes(value as string)) throw mustBe(name, value, `one of ${manners.join(', ')}`);
  return value as Manner;
};

const isClassifier: Check<NonNullable<RestoreOptions['classifier']>> = (value, name) => {
  if (typeof value !== 'function' && typeof value !== 'boolean')
    throw mustBe(name, value, 'true, false or a function that gives a gradient');
  return value as NonNullable<RestoreOptions['classifier']>;
};

/** Highest temperature. */
export const MAX_TEMPERATURE = 2;
/** Most steps of a sampler. */
export const MAX_STEPS = 1000;
/** Largest guidance scale. */
export const MAX_GUIDANCE = 100;
/** Steps unless said otherwise: a third of an octave each. */
export const DEFAULT_STEPS = 18;

/** Checks of `RestoreOptions`. */
export const RESTORE_CHECKS: Checks<RestoreOptions> = {
  sampler: isManner,
  steps: isWhole(1, MAX_STEPS),
  seed: isWhole(0, 2 ** 32 - 1),
  temperature: isNumber(`a number from 0 to ${MAX_TEMPERATURE}`, (value) => value >= 0 && value <= MAX_TEMPERATURE),
  class: isWhole(0),
  classes: bytesOf,
  guidanceScale: isNumber(`a number from 0 to ${MAX_GUIDANCE}`, (value) => value >= 0 && value <= MAX_GUIDANCE),
  classifier: isClassifier,
  views: isOneOf(VIEWS),
  maxPixels: isWhole(1, MAX_PIXELS),
  signal: isSignal,
};

/** The classes of the model that a call is computed with; not of the callers' giving. */
export interface Told {
  told?: ClassFile;
}

/** @throws DcompError E_USAGE where the model knows no such class, or no classifier of it, or a scale is given and no class */
export function checkClass(
  { model: { id, architecture } }: Pick<Evaluator, 'model'>,
  {
    class: wanted,
    classifier,
    guidanceScale,
    told,
  }: Pick<RestoreOptions, 'class' | 'classifier' | 'guidanceScale'> & Told,
): void {
  if (classifier === true && wanted === undefined)
    throw new DcompError('E_USAGE', 'the classifier needs a class that it is to lead to; give one');
  if (guidanceScale !== undefined && wanted === undefined && typeof classifier !== 'function')
    throw new DcompError('E_USAGE', 'guidanceScale is how much a class counts; name one, or leave it out');
  if (wanted === undefined) return;
  const known = told?.classes ?? architecture.conditioning.classes ?? 0;
  const what = known === 0 ? 'knows no classes; leave the class out' : `knows the classes 0 to ${known - 1}`;
  if (wanted >= known) throw new DcompError('E_USAGE', `class ${wanted}: the model ${id} ${what}`);
  if (classifier === true && told === undefined)
    throw new DcompError('E_USAGE', `there is no classifier for the model ${id}; give its class file, or leave it out`);
}

/** @throws DcompError E_TOO_LARGE */
export function checkPixels(width: number, height: number, maxPixels = DEFAULT_MAX_PIXELS): void {
  if (width * height > maxPixels)
    throw new DcompError(
      'E_TOO_LARGE',
      `the result would have ${width}×${height} pixels, more than the limit of ${maxPixels}; raise maxPixels, or take a smaller picture`,
    );
}

/** What has been made of a picture so far. */
export interface RestoreState {
  /** Share of the work that is done, 1 with the last state. */
  fraction: number;
  /** Level of the pyramid; 0 is the full size. */
  level: number;
  /** Noise that the state still has, in units of 8 bits. */
  sigma: number;
  /** The best guess at this point, of the level's size; that of the last state is the result. @throws DcompError E_ABORTED */
  picture(): Promise<Picture>;
}

/** The picture of the last state. @throws DcompError E_USAGE where there are no states, and what making them throws */
export async function resultOf(states: AsyncIterable<RestoreState>): Promise<Picture> {
  const wrong = (): DcompError => mustBe('states', states, 'what denoisePicture, samplePicture and the like give');
  if (typeof (states as Partial<AsyncIterable<unknown>> | null)?.[Symbol.asyncIterator] !== 'function') throw wrong();
  let last: RestoreState | undefined;
  for await (const state of states) last = state;
  if (typeof last?.picture !== 'function') throw wrong();
  return last.picture();
}
