/** Network output to mean and variance: what is shown, what is handed to a finer level, and what samplers ask for. */
import { exp2 } from '../math/exact.js';
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
import { wienerGains } from '../model/inputs.js';
import { EXACT, UNKNOWN } from '../model/sigma.js';

/** cs and co of `wienerGains` by code and channel, each computed when it is first needed. */
class Gains {
  readonly mean = new Float64Array(256 * COEFFICIENTS).fill(NaN);
  readonly correction = new Float64Array(256 * COEFFICIENTS);

  constructor(private readonly prior: Float32Array) {}

  /** Where those of a code and a channel are. */
  place(code: number, c: number): number {
    const g = code * COEFFICIENTS + c;
    const known = this.mean[g]!;
    if (known !== known) {
      const gains = wienerGains(code, this.prior[c]!);
      this.mean[g] = gains.mean;
      this.correction[g] = gains.correction;
    }
    return g;
  }
}

/** Takes the coefficients of a level in order, in pieces of any length; adds up their variances on the way. */
export class PosteriorMean {
  private readonly gains: Gains;
  private sum = 0;
  private counted = 0;

  /** @param prior standard deviation by channel of an unknown coefficient */
  constructor(prior: Float32Array) {
    this.gains = new Gains(prior);
  }

  /**
   * @param z, codes the observation, whole positions
   * @param output what the network says of these positions
   * @param index of the first of these coefficients in the grid
   */
  of(z: Float32Array, codes: Uint8Array, output: Float32Array, index: number): Float32Array {
    const { gains } = this;
    const mean = new Float32Array(z.length);
    let { sum, counted } = this;
    for (let i = 0, q = 0; i < z.length; q += OUTPUT_CHANNELS - COEFFICIENTS) {
      for (let c = 0; c < COEFFICIENTS; c++, i++, q++) {
        const code = codes[i]!;
        const g = gains.place(code, c);
        const co = gains.correction[g]!;
        mean[i] = (code === UNKNOWN ? 0 : gains.mean[g]! * z[i]!) + co * output[q]!;
        // Variances matter for the handing over between levels only; every 16th position tells enough.
        if (((index + i) & 255) < COEFFICIENTS && code !== EXACT) {
          sum += co * co * exp2(output[q + COEFFICIENTS]!);
          counted++;
        }
      }
    }
    this.sum = sum;
    this.counted = counted;
    return mean;
  }

  /** The variance of each of these coefficients; arguments as of `of`. */
  variances(codes: Uint8Array, output: Float32Array): Float32Array {
    const { gains } = this;
    const variance = new Float32Array(codes.length);
    for (let i = 0, q = COEFFICIENTS; i < codes.length; q += OUTPUT_CHANNELS - COEFFICIENTS) {
      for (let c = 0; c < COEFFICIENTS; c++, i++, q++) {
        const co = gains.correction[gains.place(codes[i]!, c)]!;
        variance[i] = co * co * exp2(output[q]!);
      }
    }
    return variance;
  }

  /** Average variance of the coefficients so far. */
  get variance(): number {
    return Math.max(1e-6, this.counted === 0 ? 0 : this.sum / this.counted);
  }
}
