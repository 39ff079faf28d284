/**
 * What goes into the network and how its output is read: the normalisations, the same in training and in coding.
 * z is an observation with noise sigma; S is the prior standard deviation of its channel, c the input scale.
 *   input      z / sqrt(sigma² + c²)  and  log2(sigma / 12) / 2.5
 *   mean       mu = cs · z + co · correction,    cs = S² / (S² + sigma²),  co = S · sigma / sqrt(S² + sigma²)
 *   variance   v = co² · 2^logVariance
 * cs · z is the Wiener estimate and co² its error, so an untrained network is already the optimal linear one.
 * Everything here is computed with exact arithmetic (src/math/exact.ts).
 */
import { log2 } from '../math/exact.js';
import { conditioningFeatures, isToldSigma, type ConditioningSpec } from './architecture.js';
import { CODES_PER_OCTAVE, EXACT, TOP_CODE, UNKNOWN, log2SigmaOf, sigmaOf } from './sigma.js';

/** What the level is being evaluated for: `enter` = only LL is observed, `refine` = all subbands are. */
export type Mode = 'enter' | 'refine';

/** The constants of one evaluation. */
export interface Condition {
  /** Pyramid level, 0 = full resolution. */
  level: number;
  /** Sigma code of the observed coefficients. */
  sigma: number;
  mode: Mode;
  /** Of the classes that the network tells apart, from 0; default: none. */
  class?: number;
  /** Numbers added to the gammas and betas, in the order of `conditioningLength`: of a class (class-file.ts). Default: none. */
  shift?: Float64Array;
}

const LOG2_12 = log2(12);

/** log2(sigma / 12) / 2.5, sigma clamped to 0.25..512 (so EXACT and UNKNOWN have a value too). */
export function logSigmaFeature(code: number): number {
  const l = code === EXACT ? -2 : code === UNKNOWN ? 9 : Math.min(9, Math.max(-2, log2SigmaOf(code)));
  return (l - LOG2_12) / 2.5;
}

/** Factor by which z is multiplied on its way into the network. @param inputScale c of the channel */
export function inputGain(code: number, inputScale: number): number {
  if (code === UNKNOWN) return 0;
  const sigma = sigmaOf(code);
  return 1 / Math.sqrt(sigma * sigma + inputScale * inputScale);
}

/** cs and co of a code for a channel with prior standard deviation S. */
export function wienerGains(code: number, prior: number): { mean: number; correction: number } {
  if (code === UNKNOWN) return { mean: 0, correction: prior };
  if (code === EXACT) return { mean: 1, correction: 0 };
  const sigma = sigmaOf(code);
  const total = prior * prior + sigma * sigma;
  return { mean: (prior * prior) / total, correction: (prior * sigma) / Math.sqrt(total) };
}

/** Bounds of the network's logVariance output, in log2. */
export const LOG_VARIANCE_MIN = -13;
export const LOG_VARIANCE_MAX = 9;

/**
 * A network that is told sigma is told at least this code where details are unknown: half an octave below sigma_top.
 * What LL is known with, its inputs say.
 */
const LEAST_ENTERED = TOP_CODE - CODES_PER_OCTAVE / 2;

/**
 * Feature vector of the conditioning: [log-sigma, mode, log-sigma · mode] unless the network is not told sigma, one-hot
 * level, one-hot class (all 0 for none).
 */
export function conditioningInput(spec: ConditioningSpec, condition: Condition): Float64Array {
  const features = new Float64Array(conditioningFeatures(spec));
  const told = isToldSigma(spec);
  if (told) {
    const mode = condition.mode === 'enter' ? 1 : 0;
    const s = logSigmaFeature(mode === 1 ? Math.max(LEAST_ENTERED, condition.sigma) : condition.sigma);
    features[0] = s;
    features[1] = mode;
    features[2] = s * mode;
  }
  const levels = told ? 3 : 0;
  features[levels + Math.min(condition.level, spec.levels - 1)] = 1;
  if (condition.class !== undefined) features[levels + spec.levels + condition.class] = 1;
  return features;
}
