/**
 * What validation measures and on what: held-out pictures along the codec's own schedule. Free of TensorFlow, so that a
 * model can be exported without it.
 */
import { halfOf } from '../diffusion/observation.js';
import { haar, halve, type Coefficients } from '../pixels/pyramid.js';
import { COEFFICIENTS, gridMultiple, type Architecture } from '../model/architecture.js';
import type { Condition } from '../model/inputs.js';
import { CODES_PER_OCTAVE, TOP_CODE, UNKNOWN, sigmaOf } from '../model/sigma.js';
import { cut, type Photograph } from './dataset.js';
import { Random } from './random.js';

export interface ValidationResult {
  /** Bits per pixel of levels ≥ 1, of entering level 0, of refining it to sigma 8. */
  coarse: number;
  enter: number;
  refine: number;
  /** Sum of the three. */
  total: number;
  /** Bits per pixel of the straight path, every level finished before the next, to sigma 16 and to sigma 8. */
  straight16: number;
  straight8: number;
  /** PSNR in dB of the posterior mean at level 0, all subbands observed with this sigma; 45 is after entering. */
  psnr45: number;
  psnr16: number;
  psnr8: number;
}

/** Side of the validation crops in pixels, where the photographs have it. */
const CROP = 256;
const LEVELS = 5;

/** Side of the crops: as large as the photographs have it, at least so large that the coarsest level fills the network's grid. */
export function validationSide(photographs: readonly Photograph[], architecture: Architecture): number {
  const largest = Math.max(...photographs.map((p) => Math.min(p.width, p.height)));
  const least = gridMultiple(architecture) << LEVELS;
  let side = CROP;
  while (side > least && side > largest) side /= 2;
  return Math.max(side, least);
}

/** One step of the schedule that validation follows. */
export interface ValidationStep {
  condition: Condition;
  /** Sigma code after the step. */
  next: number;
  /** The sum that its bits belong to. */
  bits?: 'coarse' | 'enter' | 'refine' | 'straight16' | 'straight8';
  /** Which half of the details is measured, a checkerboard; at 1, half 0 is known already. Default: all. */
  half?: 0 | 1;
  /** The figure that its squared error is. */
  psnr?: 'psnr45' | 'psnr16' | 'psnr8';
}

/**
 * The refined schedule, coarse to fine: enter a level, then refine it by one octave in eighths, or level 0 to sigma 8 in
 * quarters; an evaluation at sigma 8 for its squared error alone; then the straight schedules of two final sigmas.
 */
export const VALIDATION_SCHEDULE: readonly ValidationStep[] = [
  ...[4, 3, 2, 1, 0].flatMap(stepsOf),
  { condition: { level: 0, sigma: TOP_CODE - 40, mode: 'refine' }, next: TOP_CODE - 44, psnr: 'psnr8' },
  ...straightSteps(TOP_CODE - 24, 'straight16'),
  ...straightSteps(TOP_CODE - 40, 'straight8'),
];

/** A level's noise in its own units is half of the next finer one's, so that it is white. */
function straightSteps(final: number, bits: 'straight16' | 'straight8'): ValidationStep[] {
  return [4, 3, 2, 1, 0].flatMap((level) => {
    const sigma = final - CODES_PER_OCTAVE * level;
    return ([0, 1] as const).map((half): ValidationStep => {
      return { condition: { level, sigma, mode: 'enter' }, next: sigma, bits, half };
    });
  });
}

function stepsOf(level: number): ValidationStep[] {
  const steps: ValidationStep[] = [
    { condition: { level, sigma: TOP_CODE, mode: 'enter' }, next: TOP_CODE, bits: level === 0 ? 'enter' : 'coarse' },
  ];
  const width = level === 0 ? 4 : 2;
  const octaves = level === 0 ? 2.5 : 1;
  for (let sigma = TOP_CODE; sigma > TOP_CODE - octaves * CODES_PER_OCTAVE; sigma -= width) {
    const step: ValidationStep = {
      condition: { level, sigma, mode: 'refine' },
      next: sigma - width,
      bits: level === 0 ? 'refine' : 'coarse',
    };
    if (level === 0 && sigma === TOP_CODE) step.psnr = 'psnr45';
    if (level === 0 && sigma === TOP_CODE - 24) step.psnr = 'psnr16';
    steps.push(step);
  }
  return steps;
}

/** @param measured by step of the schedule: KL (nats per coefficient) and squared error, means over the pictures */
export function validationResult(measured: readonly (readonly [number, number])[]): ValidationResult {
  const bitsOf = { coarse: 0, enter: 0, refine: 0, total: 0, straight16: 0, straight8: 0 };
  const result: ValidationResult = { ...bitsOf, psnr45: 0, psnr16: 0, psnr8: 0 };
  for (const [i, { condition, bits, psnr }] of VALIDATION_SCHEDULE.entries()) {
    const [kl, square] = measured[i]!;
    // A level holds 3 coefficients per pixel of its own picture.
    if (bits !== undefined) result[bits] += (kl * 3) / Math.LN2 / 4 ** condition.level;
    if (psnr !== undefined) result[psnr] = 10 * Math.log10((255 * 255) / square);
  }
  result.total = result.coarse + result.enter + result.refine;
  return result;
}

/** By level and picture: the coefficients of the middle of up to `count` photographs, those that are large enough first. */
export function validationPictures(photographs: readonly Photograph[], count: number, side: number): Coefficients[][] {
  const levels: Coefficients[][] = [];
  const large = photographs.filter((p) => Math.min(p.width, p.height) >= side);
  for (const p of (large.length > 0 ? large : photographs).slice(0, count)) {
    let u = cut(p, 0, Math.max(0, (p.width - side) >> 1), Math.max(0, (p.height - side) >> 1), side, side);
    for (let k = 0; k < LEVELS; k++) {
      (levels[k] ??= []).push(haar(u));
      u = halve(u);
    }
  }
  return levels;
}

/** The sigma codes that a step of the schedule sees, on a grid of this width. */
export function validationCodes(step: ValidationStep, positions: number, width: number): Uint8Array {
  const codes = new Uint8Array(positions * COEFFICIENTS).fill(step.condition.sigma);
  if (step.condition.mode === 'refine') return codes;
  for (let i = 0; i < codes.length; i++) {
    const known = i % COEFFICIENTS < 3 || (step.half === 1 && halfOf(i, width) === 0);
    if (!known) codes[i] = UNKNOWN;
  }
  return codes;
}

/** The same noise each time. */
export function validationRandom(step: ValidationStep, picture: number): Random {
  return new Random(step.condition.level * 256 + step.condition.sigma, picture);
}

/** Precision that the step adds to each coefficient, of `codes` as `validationCodes` gives them. */
export function addedPrecision(step: ValidationStep, codes: Uint8Array, width: number): Float64Array {
  const target = 1 / sigmaOf(step.next) ** 2;
  return Float64Array.from(codes, (code, i) => {
    if (code !== UNKNOWN) return Math.max(0, target - 1 / sigmaOf(code) ** 2);
    return step.half === undefined || halfOf(i, width) === step.half ? target : 0;
  });
}
