/** The posterior mean of an observation under the network's output: what is shown, and what is handed to a finer level. */
import { exp2 } from '../math/exact.js';
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
import { wienerGains } from '../model/inputs.js';
import { EXACT, UNKNOWN } from '../model/sigma.js';

/** Takes the coefficients of a level in order, in pieces of any length; adds up their variances on the way. */
export class PosteriorMean {
  private readonly meanGain = new Float64Array(256 * COEFFICIENTS).fill(NaN);
  private readonly correctionGain = new Float64Array(256 * COEFFICIENTS);
  private sum = 0;
  private counted = 0;

  /** @param prior standard deviation by channel of an unknown coefficient */
  constructor(private readonly prior: Float32Array) {}

  /**
   * @param z, codes the observation, whole positions
   * @param output what the network says of these positions
   * @param index of the first of these coefficients in the grid
   */
  of(z: Float32Array, codes: Uint8Array, output: Float32Array, index: number): Float32Array {
    const { prior, meanGain, correctionGain } = this;
    const mean = new Float32Array(z.length);
    let { sum, counted } = this;
    for (let i = 0, q = 0; i < z.length; q += OUTPUT_CHANNELS - COEFFICIENTS) {
      for (let c = 0; c < COEFFICIENTS; c++, i++, q++) {
        const code = codes[i]!;
        const g = code * COEFFICIENTS + c;
        let known = meanGain[g]!;
        if (known !== known) {
          const gains = wienerGains(code, prior[c]!);
          known = meanGain[g] = gains.mean;
          correctionGain[g] = gains.correction;
        }
        const co = correctionGain[g]!;
        mean[i] = (code === UNKNOWN ? 0 : known * z[i]!) + co * output[q]!;
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

  /** Average variance of the coefficients so far. */
  get variance(): number {
    return Math.max(1e-6, this.counted === 0 ? 0 : this.sum / this.counted);
  }
}
