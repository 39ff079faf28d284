/** Noise schedules: the sigmas that a sampler goes through, from the largest to the smallest, which may be 0. */
import { DcompError } from '../errors.js';
import { exp2, log2 } from '../math/exact.js';
import { isNumber, isWhole } from '../options.js';

/** Most steps of a schedule: a mistaken number of them does not take all memory. */
const MAX_STEPS = 2 ** 20;
const checkSteps = isWhole(1, MAX_STEPS);
const checkPositive = isNumber('a number above 0', (value) => value > 0 && value < Infinity);

/** @throws DcompError E_USAGE unless 0 < least < most, and steps is whole, from 1 to MAX_STEPS */
function check(steps: number, most: number, least: number): void {
  checkSteps(steps, 'steps');
  checkPositive(most, 'most');
  checkPositive(least, 'least');
  if (most <= least) throw new DcompError('E_USAGE', `sigma goes from most ${most} to least ${least}; it must fall`);
}

/** steps + 1 values from `most` to `least`, both included, evenly spaced by a monotonic function. */
function spaced(
  steps: number,
  [most, least]: readonly [number, number],
  to: (sigma: number) => number,
  from: (value: number) => number,
): number[] {
  const [a, b] = [to(most), to(least)];
  return Array.from({ length: steps + 1 }, (_, i) =>
    i === 0 ? most : i === steps ? least : from(a + (i / steps) * (b - a)),
  );
}

/**
 * In equal ratios: NCSN (Song and Ermon, 2019, section 4.3), and the codec's own steps.
 * @throws DcompError E_USAGE
 */
export function geometricSigmas(steps: number, most: number, least: number): number[] {
  check(steps, most, least);
  return spaced(steps, [most, least], log2, exp2);
}

/**
 * Karras et al., "Elucidating the design space of diffusion-based generative models", 2022, equation 5.
 * @param rho the larger, the more steps lie at small sigmas
 * @throws DcompError E_USAGE
 */
export function karrasSigmas(steps: number, most: number, least: number, rho = 7): number[] {
  check(steps, most, least);
  checkPositive(rho, 'rho');
  return spaced(
    steps,
    [most, least],
    (sigma) => exp2(log2(sigma) / rho),
    (value) => exp2(log2(value) * rho),
  );
}

/**
 * Of DDPM (Ho et al., 2020): betas that grow in a straight line, as sigma = √((1 − ᾱ) / ᾱ) of samples that are not scaled.
 * The sigmas are in units of the data's own range −1..1, largest first.
 * @param steps how many betas there are, 1000 in the paper
 * @throws DcompError E_USAGE
 */
export function ddpmSigmas(steps: number, first = 1e-4, last = 0.02): number[] {
  checkSteps(steps, 'steps');
  checkPositive(first, 'first');
  checkPositive(last, 'last');
  if (!(first <= last && last < 1))
    throw new DcompError('E_USAGE', `beta goes from first ${first} to last ${last}; it must grow, between 0 and 1`);
  const sigmas: number[] = [];
  let kept = 1;
  for (let i = 0; i < steps; i++) {
    kept *= 1 - (first + (steps === 1 ? 0 : i / (steps - 1)) * (last - first));
    sigmas.push(Math.sqrt((1 - kept) / kept));
  }
  return sigmas.reverse();
}
