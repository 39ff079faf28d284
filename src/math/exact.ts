/**
 * Elementary functions that are the same to the last bit on every machine: they use only + − × ÷ in a fixed order on
 * IEEE doubles. The standard Math.exp, Math.log, Math.pow may differ between engines, so nothing that decides bits may
 * use them. Accuracy: relative error below 1e-15 · a few; what matters is that everyone makes the same error.
 */

export const LN2 = 0.6931471805599453;
/** 1 / ln 2, and half of it. */
export const LOG2_E = 1.4426950408889634;
export const HALF_LOG2_E = 0.7213475204444817;

/** A single-precision number and its bits. */
const SINGLE = new Float32Array(1);
const BITS = new Int32Array(SINGLE.buffer);
/** Two thirds of the exponent's bias, in the bits of a number, less what makes the largest error least (as FreeBSD's cbrtf). */
const THIRD_OF_BIAS = 709958130;

/** Beyond these exponents 2^n is 0 or infinite. */
const MOST = 1100;

/** 2^n for whole n, exact for −1022..1023; 0 or infinite far beyond, not a number for what is none. */
export function pow2(n: number): number {
  if (Number.isNaN(n)) return NaN;
  let result = 1;
  let base = n < 0 ? 0.5 : 2;
  for (let e = Math.min(MOST, Math.abs(n)); e > 0; e = Math.floor(e / 2)) {
    if (e % 2 === 1) result *= base;
    base *= base;
  }
  return result;
}

/**
 * The cube root of what is from 2^-126 to 2^127, to 1 in 10^12; 0 for 0, not a number for
 * what is negative, infinite or none. A third of the exponent to begin with, then
 * Halley's rule twice, which makes three times as many digits right each time.
 */
export function cbrt(x: number): number {
  if (!(x > 0 && x < Infinity)) return x === 0 ? 0 : NaN;
  SINGLE[0] = x;
  BITS[0] = Math.floor(BITS[0]! / 3) + THIRD_OF_BIAS;
  let root = SINGLE[0];
  for (let i = 0; i < 2; i++) {
    const cube = root * root * root;
    root *= (cube + x + x) / (cube + cube + x);
  }
  return root;
}

/** 2^x for −1000..1000; 0 or infinite far beyond, not a number for what is none. */
export function exp2(x: number): number {
  if (!(Math.abs(x) < MOST)) return x < 0 ? 0 : x > 0 ? Infinity : NaN;
  const whole = Math.floor(x + 0.5);
  const t = (x - whole) * LN2; // |t| <= ln2 / 2: 18 terms of the exponential series are below one unit in the last place
  let sum = 1;
  for (let k = 18; k >= 1; k--) sum = 1 + (t * sum) / k;
  return sum * pow2(whole);
}

/** log2(x); −∞ for 0, ∞ for ∞, not a number for what is negative or none. */
export function log2(x: number): number {
  // Halving and doubling would never bring these into the range of the series.
  if (!(x > 0 && x < Infinity)) return x === 0 ? -Infinity : x > 0 ? x : NaN;
  let m = x;
  let e = 0;
  while (m >= 1.4142135623730951) {
    m *= 0.5;
    e++;
  }
  while (m < 0.7071067811865476) {
    m *= 2;
    e--;
  }
  const s = (m - 1) / (m + 1); // log m = 2 atanh s, |s| <= 0.172
  const s2 = s * s;
  let sum = 0;
  for (let k = 25; k >= 1; k -= 2) sum = 1 / k + s2 * sum;
  return e + 2 * s * sum * LOG2_E;
}

/** x^y for x ≥ 0; see `exp2` for how large it may be. */
export function power(x: number, y: number): number {
  return exp2(y * log2(x));
}
