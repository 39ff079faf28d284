/**
 * What samplers know of a model: the mean and the variance of what is under white noise of a known strength. All else
 * that is said of diffusion models follows from it: scores, guidance, what is known of a picture already.
 */
import { DcompError } from '../errors.js';
import { isNumber, mustBe } from '../options.js';
import type { Pause } from '../turns.js';

/** What is expected of each number, and the expected squared error of that. */
export interface Denoised {
  mean: Float32Array;
  variance: Float32Array;
}

/**
 * The best estimate of x, where z = x + sigma · n and n is white.
 * @param z any numbers; they are not changed
 * @param sigma above 0
 * @param pause asked every few milliseconds
 * @returns arrays of the length of z, which the caller may keep
 */
export type Denoiser = (z: Float32Array, sigma: number, pause: Pause) => Promise<Denoised>;

/** Numbers that are gone over in a piece. */
const PIECE = 2 ** 18;

/** Goes over 0..length − 1 with turns in between. @param body from, to before */
export async function inParts(length: number, pause: Pause, body: (from: number, to: number) => void): Promise<void> {
  for (let from = 0; from < length; from += PIECE) {
    body(from, Math.min(length, from + PIECE));
    const turn = pause();
    if (turn !== undefined) await turn;
  }
}

/**
 * The gradient of log p(z), by the denoiser's mean: (mean − z) / sigma² (Tweedie's formula; Vincent, "A connection between
 * score matching and denoising autoencoders", 2011; Karras et al., "Elucidating the design space …", 2022, equation 3).
 * @throws DcompError E_USAGE
 */
export function score(z: Float32Array, mean: Float32Array, sigma: number): Float32Array {
  for (const numbers of [z, mean])
    if (!(numbers instanceof Float32Array) || numbers.length !== z.length)
      throw mustBe('z and mean', numbers, 'Float32Arrays of one length');
  const out = new Float32Array(z.length);
  const precision = 1 / (sigma * sigma);
  for (let i = 0; i < z.length; i++) out[i] = (mean[i]! - z[i]!) * precision;
  return out;
}

/**
 * Classifier-free guidance (Ho and Salimans, 2022): mean_u + scale · (mean_c − mean_u). Scale 0 is without the condition,
 * 1 with it, more exaggerates it. The variance is that of the conditional model; at scale 0, of the other.
 * @param scale at least 0
 */
export function guided(conditional: Denoiser, unconditional: Denoiser, scale: number): Denoiser {
  isNumber('a number, at least 0', (value) => value >= 0 && value < Infinity)(scale, 'the scale');
  if (scale === 0) return unconditional;
  if (scale === 1) return conditional;
  return async (z, sigma, pause) => {
    const { mean: wanted, variance } = await conditional(z, sigma, pause);
    const { mean: plain } = await unconditional(z, sigma, pause);
    const mean = new Float32Array(z.length);
    await inParts(z.length, pause, (from, to) => {
      for (let i = from; i < to; i++) mean[i] = plain[i]! + scale * (wanted[i]! - plain[i]!);
    });
    return { mean, variance };
  };
}

/** The gradient of log p(y | z) by z, y being what is wanted, under noise of this sigma; of the length of z. */
export type ClassifierGradient = (z: Float32Array, sigma: number) => Float32Array | Promise<Float32Array>;

/**
 * Guidance by a classifier (Dhariwal and Nichol, "Diffusion models beat GANs on image synthesis", 2021, equation 10): its
 * gradient is added to the score, so scale · sigma² times it to the mean.
 * @throws DcompError E_USAGE where the gradient has another length
 */
export function classified(denoiser: Denoiser, gradient: ClassifierGradient, scale: number): Denoiser {
  return async (z, sigma, pause) => {
    const { mean, variance } = await denoiser(z, sigma, pause);
    const slope = await gradient(z, sigma);
    if (slope.length !== z.length)
      throw new DcompError(
        'E_USAGE',
        `the classifier's gradient has ${slope.length} numbers; it must have ${z.length}, as what it is of`,
      );
    const factor = scale * sigma * sigma;
    await inParts(z.length, pause, (from, to) => {
      for (let i = from; i < to; i++) mean[i] = mean[i]! + factor * slope[i]!;
    });
    return { mean, variance };
  };
}

/** Puts what is known into a mean, and 0 into the variance of what is known for certain; in place. */
export type Imposing = (denoised: Denoised) => void | Promise<void>;

/**
 * A denoiser of something that is known in part: what is known replaces what is foreseen. Every sampler then ends on it,
 * having gone there under its own noise, as in Lugmayr et al., "RePaint", 2022, equation 8.
 */
export function knowing(denoiser: Denoiser, impose: Imposing): Denoiser {
  return async (z, sigma, pause) => {
    const denoised = await denoiser(z, sigma, pause);
    await impose(denoised);
    return denoised;
  };
}
