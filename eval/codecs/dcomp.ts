/** The codec's own curves of a picture: of real files, and of the ideal channel that the model allows. */
import { createHash } from 'node:crypto';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture, psnr } from '../src/codec/encoder.js';
import type { Channel } from '../src/codec/group-step.js';
import { join, separate } from '../src/codec/picture-planes.js';
import { haar, pyramidOf, rowsOfCoefficients } from '../src/codec/pyramid.js';
import { DEFAULT_SCHEDULE, type Schedule } from '../src/codec/schedule.js';
import { Session } from '../src/codec/session.js';
import { rowsOfWhole, type Evaluator } from '../src/model/evaluator.js';
import type { Condition } from '../src/model/inputs.js';
import type { IntegerModel } from '../src/model/integer-model.js';
import type { Picture } from '../src/picture.js';
import { Random } from '../src/train/random.js';
import type { CurvePoint } from './bd-rate.js';

const NORMAL_SEED = 0x6469666d;

/**
 * An evaluator that keeps the outputs of the last evaluations. Encoding a file and decoding its prefixes evaluates the
 * network on the same observations again and again; this costs each of them once and changes no result.
 */
export class RememberingEvaluator implements Evaluator {
  private readonly outputs = new Map<string, Float32Array>();
  private bytes = 0;

  constructor(
    private readonly evaluator: Evaluator,
    private readonly maxBytes = 768 * 2 ** 20,
  ) {}

  get model(): IntegerModel {
    return this.evaluator.model;
  }

  get threads(): number {
    return this.evaluator.threads;
  }

  async evaluate(z: Float32Array, codes: Uint8Array, width: number, height: number, condition: Condition): Promise<Float32Array> {
    const key = createHash('sha1').update(z).update(codes).update(JSON.stringify([width, height, condition])).digest('base64');
    let output = this.outputs.get(key);
    // Taken out and put in again: a Map is in order of insertion, so that its first entry is the one unused for longest.
    if (output !== undefined) this.outputs.delete(key);
    else {
      output = (await this.evaluator.evaluate(z, codes, width, height, condition)).slice();
      this.bytes += output.byteLength;
    }
    this.outputs.set(key, output);
    for (const [oldest, { byteLength }] of this.outputs) {
      if (this.bytes <= this.maxBytes || oldest === key) break;
      this.outputs.delete(oldest);
      this.bytes -= byteLength;
    }
    return output;
  }

  readonly evaluateRows = rowsOfWhole((...request) => this.evaluate(...request));

  /** Drops what is kept: the next picture has other observations. */
  forget(): void {
    this.outputs.clear();
    this.bytes = 0;
  }

  close(): Promise<void> {
    return this.evaluator.close();
  }
}

/**
 * Encodes once, a little beyond the highest rate, and decodes the prefix of the size that each rate allows. A prefix is
 * the file at that rate. The points have the rate of the bytes that there are.
 */
export async function realCurve(picture: Picture, evaluator: Evaluator, rates: readonly number[], effort: number): Promise<CurvePoint[]> {
  const pixels = picture.width * picture.height;
  const { bytes } = await encodePicture(picture, evaluator, { target: { bitsPerPixel: 1.06 * Math.max(...rates) }, effort });
  const points: CurvePoint[] = [];
  for (const rate of rates) {
    const maxBytes = Math.min(bytes.length, Math.floor((rate * pixels) / 8));
    points.push({ rate: (8 * maxBytes) / pixels, psnr: psnr(picture, await decodePicture(bytes, evaluator, { maxBytes })) });
  }
  return points;
}

/**
 * Sends every step through an ideal Gaussian channel at the cost of the model's KL: no trellis, no headers, no gains.
 * One point after each step of levels 1 and 0, until the rate is beyond `maxRate`.
 */
export async function idealCurve(picture: Picture, evaluator: Evaluator, maxRate: number, schedule: Schedule = DEFAULT_SCHEDULE): Promise<CurvePoint[]> {
  const { width, height, channels } = picture;
  const { grey, colour } = separate(picture);
  const session = new Session(width, height, grey, schedule, evaluator);
  const channel: Channel = {
    ended: false,
    cost: 1,
    run: () => {
      throw new Error('an ideal channel has no runs');
    },
    gains: (contexts) => new Int8Array(contexts.length),
    corrections: () => undefined,
    normal: normalNumbers(NORMAL_SEED),
  };
  const pyramid = pyramidOf(colour, session.sizes.length - 1);
  const points: CurvePoint[] = [];
  let bits = 0;
  for (const step of session.steps) {
    bits += await session.run(step, channel, rowsOfCoefficients(haar(pyramid[step.level]!)));
    if (step.level > 1) continue;
    const rate = bits / (width * height);
    points.push({ rate, psnr: psnr(picture, join(await session.reconstruct(), channels, undefined)) });
    if (rate > maxRate) break;
  }
  return points;
}

/** Standard normal numbers (Box-Muller), the same in every run. */
function normalNumbers(seed: number): () => number {
  const random = new Random(seed, 0);
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const r = Math.sqrt(-2 * Math.log(1 - random.uniform()));
    const a = 2 * Math.PI * random.uniform();
    spare = r * Math.sin(a);
    return r * Math.cos(a);
  };
}
