/** The field of 256 elements in which Reed and Solomon's code is computed here: polynomials over bits modulo x^8 + x^4 + x^3 + x^2 + 1. */
const POLYNOMIAL = 0x11d;

/** Powers of x, twice in a row, so that a sum of two logarithms needs no reduction. */
const POWERS = new Uint8Array(510);
const LOGARITHMS = new Uint8Array(256);
for (let i = 0, power = 1; i < 255; i++) {
  POWERS[i] = POWERS[i + 255] = power;
  LOGARITHMS[power] = i;
  power = (power << 1) ^ (power >= 128 ? POLYNOMIAL : 0);
}

/** Product of two elements, 0..255. */
export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : POWERS[LOGARITHMS[a]! + LOGARITHMS[b]!]!;
}

/** Quotient of two elements, 0..255. @param b not 0 */
export function divide(a: number, b: number): number {
  return a === 0 ? 0 : POWERS[LOGARITHMS[a]! + 255 - LOGARITHMS[b]!]!;
}

/** Adds `factor` times `from` to `sum`, byte by byte, in place: addition is exclusive or. */
export function addMultiple(sum: Uint8Array, from: Uint8Array, factor: number): void {
  if (factor === 0) return;
  const log = LOGARITHMS[factor]!;
  for (let i = 0; i < sum.length; i++) {
    const value = from[i]!;
    if (value !== 0) sum[i]! ^= POWERS[log + LOGARITHMS[value]!]!;
  }
}
