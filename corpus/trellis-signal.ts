import { gapOf, SPREAD_STEPS, type PointRun } from '../src/entropy/tcq.js';
import { INFORMATION_UNIT } from '../src/entropy/trellis.js';
import { hash32 } from '../src/math/hash.js';

/** Standard normal samples, the same for the same seed. */
export function signal(n: number, seed: number): Float64Array {
  const uniform = (i: number): number => (hash32(seed, i) + 0.5) / 2 ** 32;
  const samples = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    samples[i] = Math.sqrt(-2 * Math.log(uniform(2 * i))) * Math.cos(2 * Math.PI * uniform(2 * i + 1));
  }
  return samples;
}

/** What the trellis gets for coefficients x ~ N(0, 1) that are to be told with so many bits each: the ideal case. */
export function gaussianRun(
  x: Float64Array,
  bits: number,
): { information: Uint32Array; metric: Float32Array; amplitude: number } {
  const delta = 2 ** (2 * bits) - 1; // v = 1
  const weight = Math.sqrt(delta * (1 + delta));
  return {
    information: new Uint32Array(x.length).fill(Math.round(bits * INFORMATION_UNIT)),
    metric: Float32Array.from(x, (value) => weight * value),
    amplitude: Math.sqrt(1 + 1 / delta),
  };
}

/**
 * Bits spent above the information that the signs really carry, as a fraction: from the correlation of signs and
 * coefficients, −½·log2(1 − corr²) bits per coefficient.
 */
export function overhead(x: Float64Array, signs: Int8Array, bitCount: number): number {
  let product = 0;
  let energy = 0;
  for (let i = 0; i < x.length; i++) {
    product += x[i]! * signs[i]!;
    energy += x[i]! * x[i]!;
  }
  const squaredCorrelation = (product * product) / (x.length * energy);
  return bitCount / (-0.5 * Math.log2(1 - squaredCorrelation) * x.length) - 1;
}

/** What the quantiser gets for coefficients of a spread (`PointRun`) of which the predicted distribution is the true one. @param x standard normal */
export function gaussianPoints(
  x: Float64Array,
  spread: number,
  nu: number,
): { run: PointRun; residual: Float64Array; information: number } {
  const rho = 2 ** (spread / SPREAD_STEPS);
  const width = Math.sqrt(rho) / gapOf(nu);
  return {
    run: { spreads: new Uint16Array(x.length).fill(spread), key: 7 },
    residual: x.map((value) => value * width),
    information: 0.5 * Math.log2(1 + rho),
  };
}

/** How places err: mean, correlation with what they are to tell, and mean square over what the quantiser's gap is made for. */
export function errorOf(
  residual: Float64Array,
  places: Float64Array,
  nu: number,
): { mean: number; correlation: number; square: number } {
  let [sum, square, product, energy] = [0, 0, 0, 0];
  for (let i = 0; i < residual.length; i++) {
    const off = places[i]! - residual[i]!;
    sum += off;
    square += off * off;
    product += off * residual[i]!;
    energy += residual[i]! * residual[i]!;
  }
  const n = residual.length;
  return {
    mean: sum / n,
    correlation: product / Math.sqrt(square * energy),
    square: (square / n) * gapOf(nu) ** 2,
  };
}
