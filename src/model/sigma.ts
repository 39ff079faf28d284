import { exp2, log2 } from '../math/exact.js';

/**
 * Noise levels live on a grid of 1/16 octave and are stored as one byte, the sigma code:
 *   0        known exactly (precision infinite)
 *   1..254   sigma = 2^((code − 80) / 16), 0.033 to 1875 in 8-bit sample units of an orthonormal coefficient
 *   255      unknown (precision 0)
 * A grid makes every table of the codec finite and every precision exact.
 */
/** Sigma code of what is known exactly. */
export const EXACT = 0;
/** Sigma code of what is not known at all. */
export const UNKNOWN = 255;
export const CODES_PER_OCTAVE = 16;
const CODE_OF_ONE = 80;

const SIGMA = new Float64Array(256);
SIGMA[UNKNOWN] = Infinity;
for (let code = 1; code < UNKNOWN; code++) SIGMA[code] = exp2((code - CODE_OF_ONE) / CODES_PER_OCTAVE);

/** sigma of a code; 0 for EXACT, Infinity for UNKNOWN. */
export function sigmaOf(code: number): number {
  return SIGMA[code]!;
}

/** log2(sigma) of a code 1..254, exact in binary. */
export function log2SigmaOf(code: number): number {
  return (code - CODE_OF_ONE) / CODES_PER_OCTAVE;
}

/** Nearest code of a positive, finite sigma, clamped to 1..254. */
export function codeOf(sigma: number): number {
  return Math.min(254, Math.max(1, CODE_OF_ONE + Math.floor(CODES_PER_OCTAVE * log2(sigma) + 0.5)));
}

/** sigma_top, 2^5.5 = 45.25: the noise level at which a level is entered. */
export const TOP_CODE = CODE_OF_ONE + 88;
