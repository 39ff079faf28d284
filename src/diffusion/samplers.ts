/**
 * Samplers: from z = x + sigma · n at a large sigma to an x that the denoiser believes in. Each is an async iterator over
 * its states, so that whoever asks may look at them, or stop. Noise is drawn by counter from a key, so that a sampler is a
 * pure function of its arguments; `temperature` scales all of it, so at 0 nothing is drawn.
 */
import { DcompError } from '../errors.js';
import { hash32 } from '../math/hash.js';
import { normalAt } from '../math/normal.js';
import { checkList, checkOptions, isFunction, isNumber, isOneOf, isWhole, mustBe, type Checks } from '../options.js';
import { withoutTurns, type Pause } from '../turns.js';
import { inParts, type Denoised, type Denoiser } from './denoiser.js';

/** What a sampler has come to. */
export interface SamplerState {
  /** Steps done, of `steps`. */
  step: number;
  steps: number;
  /** Noise that is still in z. */
  sigma: number;
  /** The state; at sigma 0 the sample. Not changed afterwards. */
  z: Float32Array;
  /** What the denoiser last said of it; the last state has z itself for its mean. */
  mean: Float32Array;
}

/** What all samplers are told. */
export interface SamplerOptions {
  /** 32 bits that all noise comes from. Default: 0. */
  key?: number;
  /** Scale of all noise that is drawn. Default: 1. */
  temperature?: number;
  pause?: Pause;
}

/** What the stochastic sampler is told besides; names and defaults as in EDM's `generate.py`. */
export interface ChurnOptions extends SamplerOptions {
  /** How much noise is put in anew, over all steps. Default: 0, which leaves the sampler deterministic. */
  churn?: number;
  /** Only where sigma lies between these. Defaults: 0 and infinity. */
  churnMin?: number;
  churnMax?: number;
  /** Standard deviation of the new noise. Default: 1. */
  churnNoise?: number;
  /** The sigma nearest to one that the denoiser takes. Default: any. */
  nearest?: (sigma: number) => number;
}

/** What annealed Langevin sampling is told besides. */
export interface LangevinOptions extends SamplerOptions {
  /** Steps at each sigma. Default: 5. */
  repeats?: number;
  /** Size a of a step, in multiples of sigma², at most 2. Default: 0.2, as in NCSN. */
  stepSize?: number;
}

const amount = isNumber('a number, at least 0', (value) => value >= 0);
const finite = isNumber('a number, at least 0', (value) => value >= 0 && value < Infinity);
const SAMPLER_CHECKS: Checks<SamplerOptions> = {
  key: isWhole(-(2 ** 31), 2 ** 32 - 1),
  temperature: finite,
  pause: isFunction,
};
const CHURN_CHECKS: Checks<ChurnOptions> = {
  ...SAMPLER_CHECKS,
  churn: finite,
  churnMin: amount,
  churnMax: amount,
  churnNoise: finite,
  nearest: isFunction,
};
const LANGEVIN_CHECKS: Checks<LangevinOptions> = {
  ...SAMPLER_CHECKS,
  repeats: isWhole(1, 2 ** 20),
  stepSize: isNumber('a number above 0 and up to 2', (value) => value > 0 && value <= 2),
};

/** What every sampler is given. @throws DcompError E_USAGE */
function check(denoiser: Denoiser, z: Float32Array, sigmas: readonly number[]): void {
  isFunction(denoiser, 'the denoiser');
  if (!(z instanceof Float32Array)) throw mustBe('z', z, 'a Float32Array');
  checkSigmas(sigmas);
}

/** @throws DcompError E_USAGE unless they fall, and only the last may be 0 */
function checkSigmas(sigmas: readonly number[]): void {
  checkList(sigmas, 'sigmas');
  [...sigmas].forEach((sigma, i) => {
    if (typeof sigma !== 'number') throw mustBe(`sigmas[${i}]`, sigma, 'a number');
    const least = i > 0 && i === sigmas.length - 1 ? sigma >= 0 : sigma > 0;
    if (!least || !(sigma < (sigmas[i - 1] ?? Infinity)))
      throw new DcompError(
        'E_USAGE',
        `sigmas[${i}] is ${sigma}; sigmas must fall, and only the last of several may be 0`,
      );
  });
  if (sigmas.length === 0) throw new DcompError('E_USAGE', 'there are no sigmas to go through');
}

/** Standard normal numbers times the temperature; `draw` tells apart what one sampler draws. */
function noiseOf({ key = 0, temperature = 1 }: SamplerOptions): (draw: number) => (i: number) => number {
  return (draw) => {
    const own = hash32(key, draw);
    return temperature === 0 ? () => 0 : (i) => temperature * normalAt(own, i);
  };
}

/**
 * Ancestral sampling (Ho et al., "Denoising diffusion probabilistic models", 2020, algorithm 2), with the variance that the
 * denoiser foresees: a measurement y of precision 1/sigma'² − 1/sigma² is drawn from N(mean, variance + 1/precision) and
 * joins z by weighted means. It is the chain of the codec, in which y is sent and not drawn. Where x is Gaussian and its
 * numbers independent, it is exact with any number of steps.
 * @param z at sigmas[0]
 * @throws DcompError E_USAGE, E_ABORTED
 */
export async function* ancestral(
  denoiser: Denoiser,
  z: Float32Array,
  sigmas: readonly number[],
  options: SamplerOptions = {},
): AsyncGenerator<SamplerState, void, void> {
  check(denoiser, z, sigmas);
  const { pause = withoutTurns() } = checkOptions(options, SAMPLER_CHECKS, 'ancestral');
  const noise = noiseOf(options);
  const steps = sigmas.length - 1;
  for (let step = 0; step < steps; step++) {
    const [sigma, to] = [sigmas[step]!, sigmas[step + 1]!];
    const { mean, variance } = await denoiser(z, sigma, pause);
    yield { step, steps, sigma, z, mean };
    // 1/delta, and the share of the new measurement in the sum of precisions.
    const share = 1 - (to * to) / (sigma * sigma);
    const spread = (to * to) / share;
    const normal = noise(step);
    const next = new Float32Array(z.length);
    await inParts(z.length, pause, (from, end) => {
      for (let i = from; i < end; i++) {
        const y = mean[i]! + Math.sqrt(variance[i]! + spread) * normal(i);
        next[i] = z[i]! + share * (y - z[i]!);
      }
    });
    z = next;
  }
  yield* ending(denoiser, z, sigmas[steps]!, steps, pause);
}

/** The last state. Noise that is still there is left in z, and taken out of its mean. */
async function* ending(
  denoiser: Denoiser,
  z: Float32Array,
  sigma: number,
  steps: number,
  pause: Pause,
): AsyncGenerator<SamplerState, void, void> {
  const mean = sigma === 0 ? z : (await denoiser(z, sigma, pause)).mean;
  yield { step: steps, steps, sigma, z, mean };
}

const METHODS = ['euler', 'heun'] as const;
/** How the probability flow is followed: with one evaluation a step, or two. */
export type OdeMethod = (typeof METHODS)[number];

/**
 * The probability flow (Song et al., "Score-based generative modeling through stochastic differential equations", 2021,
 * equation 13) in the form of Karras et al., 2022, algorithm 1: dz/dsigma = (z − mean) / sigma. Nothing is drawn.
 * @param z at sigmas[0]
 * @throws DcompError E_USAGE, E_ABORTED
 */
export function ode(
  denoiser: Denoiser,
  z: Float32Array,
  sigmas: readonly number[],
  options: Pick<SamplerOptions, 'pause'> & { method?: OdeMethod } = {},
): AsyncGenerator<SamplerState, void, void> {
  const { method = 'heun', ...others } = checkOptions(options, ODE_CHECKS, 'ode');
  return flow(denoiser, z, sigmas, { ...others, churn: 0 }, method);
}

/**
 * The same with noise put in anew at each step and taken out again (Karras et al., 2022, algorithm 2), which mends errors
 * of earlier steps.
 * @param z at sigmas[0]
 * @throws DcompError E_USAGE, E_ABORTED
 */
export function sde(
  denoiser: Denoiser,
  z: Float32Array,
  sigmas: readonly number[],
  options: ChurnOptions = {},
): AsyncGenerator<SamplerState, void, void> {
  return flow(denoiser, z, sigmas, checkOptions(options, CHURN_CHECKS, 'sde'), 'heun');
}

const ODE_CHECKS: Checks<Pick<SamplerOptions, 'pause'> & { method?: OdeMethod }> = {
  pause: isFunction,
  method: isOneOf(METHODS),
};

/** Most that sigma grows by in a step. */
const MOST_CHURN = Math.SQRT2 - 1;

async function* flow(
  denoiser: Denoiser,
  z: Float32Array,
  sigmas: readonly number[],
  options: ChurnOptions,
  method: OdeMethod,
): AsyncGenerator<SamplerState, void, void> {
  check(denoiser, z, sigmas);
  const { churn = 0, churnMin = 0, churnMax = Infinity, churnNoise = 1, nearest = (sigma: number) => sigma } = options;
  const { pause = withoutTurns() } = options;
  const noise = noiseOf(options);
  const steps = sigmas.length - 1;
  for (let step = 0; step < steps; step++) {
    let sigma = sigmas[step]!;
    const to = sigmas[step + 1]!;
    const gamma = sigma >= churnMin && sigma <= churnMax ? Math.min(churn / steps, MOST_CHURN) : 0;
    const hat = gamma > 0 ? nearest(sigma * (1 + gamma)) : sigma;
    if (hat > sigma) {
      z = await withNoise(z, churnNoise * Math.sqrt(hat * hat - sigma * sigma), noise(step), pause);
      sigma = hat;
    }
    const { mean } = await denoiser(z, sigma, pause);
    yield { step, steps, sigma, z, mean };
    let next = await moved(z, mean, (to - sigma) / sigma, pause);
    if (method === 'heun' && to > 0) next = await corrected(denoiser, z, next, mean, sigma, to, pause);
    z = next;
  }
  yield* ending(denoiser, z, sigmas[steps]!, steps, pause);
}

async function withNoise(
  z: Float32Array,
  amount: number,
  normal: (i: number) => number,
  pause: Pause,
): Promise<Float32Array> {
  const next = new Float32Array(z.length);
  await inParts(z.length, pause, (from, end) => {
    for (let i = from; i < end; i++) next[i] = z[i]! + amount * normal(i);
  });
  return next;
}

/** z + factor · (z − mean): Euler's step. */
async function moved(z: Float32Array, mean: Float32Array, factor: number, pause: Pause): Promise<Float32Array> {
  const next = new Float32Array(z.length);
  await inParts(z.length, pause, (from, end) => {
    for (let i = from; i < end; i++) next[i] = z[i]! + factor * (z[i]! - mean[i]!);
  });
  return next;
}

/** The step with the mean of the slopes at its two ends: Heun's. @param reached Euler's step */
async function corrected(
  denoiser: Denoiser,
  z: Float32Array,
  reached: Float32Array,
  mean: Float32Array,
  sigma: number,
  to: number,
  pause: Pause,
): Promise<Float32Array> {
  const { mean: there } = await denoiser(reached, to, pause);
  const next = new Float32Array(z.length);
  const half = (to - sigma) / 2;
  await inParts(z.length, pause, (from, end) => {
    for (let i = from; i < end; i++)
      next[i] = z[i]! + half * ((z[i]! - mean[i]!) / sigma + (reached[i]! - there[i]!) / to);
  });
  return next;
}

/**
 * Annealed Langevin dynamics (Song and Ermon, "Generative modeling by estimating gradients of the data distribution", 2019,
 * algorithm 1): at each sigma some steps z + (a/2) · sigma² · score + √(a − a²/4) · sigma · n. The paper has √a, which leaves
 * more noise in z than sigma says by a factor of 1/√(1 − a/4); so steps can be larger. At the end the noise that is left is
 * taken out (Jolicoeur-Martineau et al., 2020).
 * @param z at sigmas[0]
 * @param sigmas where the last is 0, the sample is the mean at the one before
 * @throws DcompError E_USAGE, E_ABORTED
 */
export async function* langevin(
  denoiser: Denoiser,
  z: Float32Array,
  sigmas: readonly number[],
  options: LangevinOptions = {},
): AsyncGenerator<SamplerState, void, void> {
  check(denoiser, z, sigmas);
  const { repeats = 5, stepSize = 0.2, pause = withoutTurns() } = checkOptions(options, LANGEVIN_CHECKS, 'langevin');
  const noise = noiseOf(options);
  const last = sigmas[sigmas.length - 1]!;
  const levels = last === 0 ? sigmas.slice(0, -1) : sigmas;
  const steps = levels.length * repeats;
  let sigma = 0;
  for (let step = 0; step < steps; step++) {
    sigma = levels[Math.floor(step / repeats)]!;
    const { mean } = await denoiser(z, sigma, pause);
    yield { step, steps, sigma, z, mean };
    z = await langevinStep(z, mean, sigma, stepSize, noise(step), pause);
  }
  const { mean }: Denoised = await denoiser(z, sigma, pause);
  yield { step: steps, steps, sigma: last, z: last === 0 ? mean : z, mean };
}

async function langevinStep(
  z: Float32Array,
  mean: Float32Array,
  sigma: number,
  stepSize: number,
  normal: (i: number) => number,
  pause: Pause,
): Promise<Float32Array> {
  const next = new Float32Array(z.length);
  const amount = sigma * Math.sqrt(stepSize * (1 - stepSize / 4));
  await inParts(z.length, pause, (from, end) => {
    for (let i = from; i < end; i++) next[i] = z[i]! + (stepSize / 2) * (mean[i]! - z[i]!) + amount * normal(i);
  });
  return next;
}
