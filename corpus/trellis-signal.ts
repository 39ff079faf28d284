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
