/**
 * Standard normal numbers by counter: the one at an index depends on the key and the index alone, so the same picture is
 * drawn on every machine, in whatever order and on however many threads.
 */
import { LN2, log2 } from './exact.js';
import { hash32 } from './hash.js';

/** Coefficients of AS 241 (PPND16), highest power first, where |p − ½| <= 0.425. */
const MIDDLE = [
  2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125,
  1971.5909503065514427, 133.14166789178437745, 3.387132872796366608,
];
const MIDDLE_BELOW = [
  5226.495278852545925, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867, 5394.1960214247511077,
  687.1870074920579083, 42.313330701600911252, 1,
];
/** The same for the tails, down to p = exp(−25). */
const TAIL = [
  7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
  3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734,
];
const TAIL_BELOW = [
  1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
  0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1,
];

function polynomial(coefficients: readonly number[], x: number): number {
  let sum = 0;
  for (const coefficient of coefficients) sum = sum * x + coefficient;
  return sum;
}

/**
 * The number that a standard normal one is below with probability p: M. J. Wichura, "Algorithm AS 241: The percentage
 * points of the normal distribution", Applied Statistics 37 (1988), to about 1 in 10^15.
 * @param p from exp(−25) to 1 − exp(−25)
 */
export function normalQuantile(p: number): number {
  const q = p - 0.5;
  if (q <= 0.425 && q >= -0.425) {
    const r = 0.180625 - q * q;
    return (q * polynomial(MIDDLE, r)) / polynomial(MIDDLE_BELOW, r);
  }
  const r = Math.sqrt(-LN2 * log2(q < 0 ? p : 1 - p)) - 1.6;
  const value = polynomial(TAIL, r) / polynomial(TAIL_BELOW, r);
  return q < 0 ? -value : value;
}

/** A standard normal number, at most 6.4 in size. @param key, index 32 bits each */
export function normalAt(key: number, index: number): number {
  return normalQuantile((hash32(key, index) + 0.5) / 2 ** 32);
}
