/** Takes numbers from a file whose length has been checked; all little-endian. */

/** Magnitudes, as in model files: products of a few stay in the range of doubles. */
const MOST = 2 ** 20;

/** A layer: out[o] = bias[o] + Σ in[i] · weights[i · out + o]. */
export interface DenseLayer {
  inputs: number;
  outputs: number;
  weights: Float64Array;
  bias: Float64Array;
}

/** Bytes of a layer. */
export function layerBytes(inputs: number, outputs: number): number {
  return 4 + 2 * inputs * outputs + 4 * outputs;
}

export class NumberReader {
  private readonly view: DataView;

  /**
   * @param at where it begins
   * @param damaged throws what says that the file is damaged
   */
  constructor(
    bytes: Uint8Array,
    private at: number,
    private readonly damaged: (problem: string) => never,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  private take(bytes: number): number {
    this.at += bytes;
    return this.at - bytes;
  }

  /** Of 16 bits. */
  whole(): number {
    return this.view.getUint16(this.take(2), true);
  }

  bytes(length: number): Int8Array {
    const from = this.view.byteOffset + this.take(length);
    return new Int8Array(this.view.buffer.slice(from, from + length));
  }

  /** float32. @throws DcompError by `damaged` for a number that is none, or too large or below the least */
  floats(length: number, least = -MOST): Float64Array {
    const values = new Float64Array(length);
    for (let i = 0; i < length; i++) {
      const at = this.take(4);
      const value = this.view.getFloat32(at, true);
      // Written so that NaN fails.
      if (!(value >= least && value <= MOST))
        this.damaged(`the number at byte ${at} is ${value}, outside ${least}..${MOST}`);
      values[i] = value;
    }
    return values;
  }

  /** A scale (float32), and int16 times that. */
  shorts(length: number): Float64Array {
    const scale = this.floats(1, 0)[0]!;
    const values = new Float64Array(length);
    for (let i = 0; i < length; i++) values[i] = scale * this.view.getInt16(this.take(2), true);
    return values;
  }

  /** Weights as `shorts`, then biases (float32). */
  layer(inputs: number, outputs: number): DenseLayer {
    return { inputs, outputs, weights: this.shorts(inputs * outputs), bias: this.floats(outputs) };
  }
}
