/** Pictures whose coarse part is drawn in tokens, by a discrete model; level 3 and what is finer is drawn as ever. */
import { absorbing, guidedTokens, type TokenState } from '../diffusion/absorbing.js';
import { inParts } from '../diffusion/denoiser.js';
import { observedTokens, tokenDenoiser } from '../diffusion/token-network.js';
import { DcompError } from '../errors.js';
import { hash32, mix32 } from '../math/hash.js';
import { normalAt } from '../math/normal.js';
import { gridOf, type Size } from '../math/rectangle.js';
import type { DiscreteFile } from '../model/discrete-file.js';
import type { Evaluator } from '../model/evaluator.js';
import { sigmaOf, TOP_CODE } from '../model/sigma.js';
import type { Picture } from '../picture.js';
import { inTurns, type Pause } from '../turns.js';
import { checkClass, checkPixels, DEFAULT_STEPS, type RestoreState, type Told } from './restore-options.js';
import { DEFAULT_SIDE, sampleStates, type SampleOptions } from './sample-picture.js';
import { pictureFrom } from './states.js';

/** The level whose positions tokens stand for. */
const TOKEN_LEVEL = 3;
/**
 * Noise that the coefficients of tokens are put under: what they leave out is less than half of it, so that to the denoiser
 * they are as a picture's are, and refining draws what they do not say.
 */
const BEGIN = sigmaOf(TOP_CODE);
/**
 * Steps for each of the sampler's: what is revealed in one step is drawn apart, and pictures hang together the better the
 * less that is. The grid is 1/256 of the picture, so they cost little.
 */
const STEPS_FOR_EACH = 4;
/** Share of the work that is told of them. */
const SHARE = 0.1;
/** What is drawn from a key of their own. */
const DRAWS = { tokens: 0x746f6b, rest: 0x726573 };

/** Sizes of u₀ .. u₃ of a picture that is drawn from tokens on. */
function tokenSizes({ width: w = DEFAULT_SIDE, height: h = w }: Pick<SampleOptions, 'width' | 'height'>): Size[] {
  const size = { width: w, height: h };
  const sizes = [size];
  for (let level = 0, { width, height } = size; level < TOKEN_LEVEL; level++)
    sizes.push({ width: (width = (width + 1) >> 1), height: (height = (height + 1) >> 1) });
  return sizes;
}

/**
 * @param evaluator of the model that draws what tokens do not say
 * @returns the size of u₃
 * @throws DcompError E_USAGE for what a discrete model has no part in, and classes that it does not know; E_TOO_LARGE
 */
export function checkDiscrete(
  evaluator: Evaluator,
  { model }: DiscreteFile,
  options: SampleOptions & Told,
): { size: Size } {
  const { sampler, classifier, classes, class: wanted } = options;
  const sizes = tokenSizes(options);
  checkPixels(sizes[0]!.width, sizes[0]!.height, options.maxPixels);
  const refuse = (problem: string): never => {
    throw new DcompError('E_USAGE', `${problem}; leave that out, or the discrete model`);
  };
  if (sampler === 'mean') refuse('the best guess of a picture of which nothing is known is grey, without any tokens');
  if (classifier !== undefined && classifier !== false) refuse('a classifier knows nothing of tokens');
  if (classes !== undefined && wanted !== undefined) refuse("a discrete model knows the package's classes alone");
  if (wanted !== undefined) {
    checkClass(evaluator, options);
    checkClass({ model }, { class: wanted });
  }
  return { size: sizes[TOKEN_LEVEL]! };
}

/** A discrete model and who evaluates its network. */
export interface DiscreteModel {
  evaluator: Evaluator;
  file: DiscreteFile;
}

/**
 * Draws a picture: first tokens, and from them on as `sampleStates` does.
 * @param evaluator of the model that draws what tokens do not say
 * @returns states, tokens first
 * @throws DcompError E_USAGE, E_TOO_LARGE, E_ABORTED
 */
export async function* discreteStates(
  evaluator: Evaluator,
  discrete: DiscreteModel,
  options: SampleOptions & Told,
  pause: Pause,
): AsyncGenerator<RestoreState, void, void> {
  const sizes = tokenSizes(options);
  const drawing = { ...options, ...discrete, size: sizes[TOKEN_LEVEL]!, pause };
  let tokens: Uint16Array = new Uint16Array();
  for await (const { step, steps, tokens: found } of tokensOf(drawing)) {
    tokens = found;
    const picture = (): Promise<Picture> => pictureOf(drawing, found);
    yield { fraction: (SHARE * step) / steps, level: TOKEN_LEVEL, sigma: BEGIN, picture };
  }
  const begin = { z: await noisyOf(drawing, tokens), sigma: BEGIN };
  for await (const state of sampleStates(evaluator, options, pause, { sizes, begin }))
    yield { ...state, fraction: SHARE + (1 - SHARE) * state.fraction };
}

/** What tokens are drawn with. */
interface Drawing extends SampleOptions, DiscreteModel {
  /** Of u₃. */
  size: Size;
  pause: Pause;
}

function tokensOf(drawing: Drawing): AsyncGenerator<TokenState, void, void> {
  const { evaluator, file, size, pause, class: wanted, guidanceScale = 1 } = drawing;
  const { steps = DEFAULT_STEPS, seed = 0, temperature = 1 } = drawing;
  const grid = gridOf(size);
  const plain = tokenDenoiser(evaluator, file, grid);
  const denoiser =
    wanted === undefined ? plain : guidedTokens(tokenDenoiser(evaluator, file, grid, wanted), plain, guidanceScale);
  const key = hash32(mix32(seed), DRAWS.tokens);
  const options = { steps: STEPS_FOR_EACH * steps, key, temperature, pause };
  return absorbing(denoiser, grid.width * grid.height, options);
}

/** Coefficients that tokens may be of, under noise of BEGIN. */
async function noisyOf(
  { file, seed = 0, temperature = 1, pause }: Drawing,
  tokens: Uint16Array,
): Promise<Float32Array> {
  const { z, codes } = await observedTokens(file, tokens, pause);
  const key = hash32(mix32(seed), DRAWS.rest);
  await inParts(z.length, pause, (from, to) => {
    for (let i = from; i < to; i++) {
      const sigma = sigmaOf(codes[i]!);
      z[i] = z[i]! + temperature * Math.sqrt(sigma * sigma + BEGIN * BEGIN) * normalAt(key, i);
    }
  });
  return z;
}

/** Of tokens as they are, u₃; what is masked is the middle grey. */
async function pictureOf({ file, size, channels = 3, pause }: Drawing, tokens: Uint16Array): Promise<Picture> {
  const { z } = await observedTokens(file, tokens, pause);
  const like: Picture = { width: 0, height: 0, channels, depth: 8, data: new Uint8Array(0) };
  return inTurns(pictureFrom(z, size, like), pause);
}
