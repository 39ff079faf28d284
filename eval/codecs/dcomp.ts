/** dcomp's own curves of a picture: of real files, and of the ideal channel that the model allows. */
import { createHash } from 'node:crypto';
import { decodePicture, type DecodeResult } from '../../src/codec/decoder.js';
import { encodePicture, encodePictureToSizes } from '../../src/codec/encoder.js';
import type { EncodeResult, Target } from '../../src/codec/encoder-options.js';
import type { Channel } from '../../src/codec/channel.js';
import { fileInfo } from '../../src/container/info.js';
import { PictureCoefficients } from '../../src/pixels/picture-coefficients.js';
import { isGrey, join } from '../../src/pixels/picture-planes.js';
import {
  DEFAULT_SCHEDULE,
  FINEST_FIRST_CODE,
  pyramidSizes,
  STRAIGHT_SCHEDULE,
  type Schedule,
} from '../../src/diffusion/schedule.js';
import { Session } from '../../src/codec/session.js';
import { MIN_NU } from '../../src/entropy/trellis.js';
import { flopsPerPixel, type Architecture } from '../../src/model/architecture.js';
import { rowsOfWhole, type Evaluator } from '../../src/model/evaluator.js';
import type { Condition } from '../../src/model/inputs.js';
import { isStraight, type IntegerModel } from '../../src/model/integer/integer-model.js';
import { sigmaOf } from '../../src/model/sigma.js';
import type { Picture } from '../../src/picture.js';
import { finish, type Pause, type Pieces } from '../../src/turns.js';
import { Random } from '../../src/train/random.js';
import type { OwnChoices, Point, StepBits } from '../measurement.js';
import { peakMemory, resetPeak } from '../memory.js';
import { processorSeconds } from '../processor-time.js';

const NORMAL_SEED = 0x6469666d;
/** Bytes of outputs that are kept. */
const MAX_KEPT_BYTES = 768 * 2 ** 20;

/**
 * An evaluator that keeps the outputs of the last evaluations, and the time that each took. Encoding a file and decoding
 * its prefixes evaluates the network on the same observations again and again; this costs each of them once and changes
 * no result. `saved` is what a program without this memory would have had to spend besides.
 */
export class RememberingEvaluator implements Evaluator {
  private readonly outputs = new Map<string, { output: Float32Array; seconds: number }>();
  /** Bytes of the outputs that are kept. */
  bytes = 0;
  /** Seconds of evaluations that were not done again. */
  saved = 0;
  /** Floating-point operations of all evaluations. */
  flops = 0;
  readonly shower: Evaluator | undefined;
  readonly coarse: Evaluator | undefined;

  constructor(private readonly evaluator: Evaluator) {
    this.shower = this.remembering(evaluator.shower);
    this.coarse = this.remembering(evaluator.coarse);
  }

  private roleOf(evaluator: Evaluator): string {
    if (evaluator === this.evaluator) return 'path';
    return evaluator === this.evaluator.shower ? 'shown' : 'coarse';
  }

  private remembering(other: Evaluator | undefined): Evaluator | undefined {
    if (other === undefined) return undefined;
    const evaluate: Evaluator['evaluate'] = (...request) => this.remembered(other, ...request);
    const { model, threads } = other;
    return { model, threads, evaluate, evaluateRows: rowsOfWhole(evaluate), close: async () => {} };
  }

  get model(): IntegerModel {
    return this.evaluator.model;
  }

  get threads(): number {
    return this.evaluator.threads;
  }

  get widest(): Architecture | undefined {
    return this.evaluator.widest;
  }

  evaluate(...request: Parameters<Evaluator['evaluate']>): Promise<Float32Array> {
    return this.remembered(this.evaluator, ...request);
  }

  private async remembered(
    evaluator: Evaluator,
    z: Float32Array,
    codes: Uint8Array,
    width: number,
    height: number,
    condition: Condition,
    pause?: Pause,
  ): Promise<Float32Array> {
    this.flops += 4 * width * height * flopsPerPixel(evaluator.model.architecture);
    const key = createHash('sha1')
      .update(this.roleOf(evaluator))
      .update(z)
      .update(codes)
      .update(JSON.stringify([width, height, condition]))
      .digest('base64');
    let kept = this.outputs.get(key);
    // Taken out and put in again: a Map is in order of insertion, so that its first entry is the one unused for longest.
    if (kept !== undefined) {
      this.outputs.delete(key);
      this.saved += kept.seconds;
    } else {
      const start = processorSeconds();
      const output = await evaluator.evaluate(z, codes, width, height, condition, pause);
      kept = { output: output.slice(), seconds: processorSeconds() - start };
      this.bytes += kept.output.byteLength;
    }
    this.outputs.set(key, kept);
    for (const [oldest, { output }] of this.outputs) {
      if (this.bytes <= MAX_KEPT_BYTES || oldest === key) break;
      this.outputs.delete(oldest);
      this.bytes -= output.byteLength;
    }
    return kept.output;
  }

  readonly evaluateRows = rowsOfWhole((...request) => this.evaluate(...request));

  close(): Promise<void> {
    return this.evaluator.close();
  }
}

/** A file's decoded picture, and all that is known about it but its scores. */
export interface Coded {
  point: Omit<Point, 'scores'>;
  decoded: Picture;
}

/** Of a file that decodes to anything: the longest header. */
const MIN_BYTES = 40;
const BEYOND = 1.06;

/**
 * A file for each rate. Where all come from one walk along the schedule, each is what an encoding to that size alone makes, and the
 * time to a file is the walk's, by the share of its network arithmetic: an upper bound, as the walk ends files beside each other.
 * @param base resident memory of the idle process, in bytes
 */
export async function* codedAtRates(
  picture: Picture,
  evaluator: RememberingEvaluator,
  rates: readonly number[],
  choices: OwnChoices,
  base: number,
): AsyncGenerator<Coded> {
  const pixels = picture.width * picture.height;
  const wanted = rates
    .map((rate) => ({ rate, size: Math.floor((rate * pixels) / 8) }))
    .filter(({ size }) => size >= MIN_BYTES);
  if (isStraight(evaluator.model)) {
    // A file may be a little smaller than asked for: one beyond the last makes the curve reach that.
    const beyond = wanted.slice(-1).map(({ rate, size }) => ({ rate: BEYOND * rate, size: Math.floor(BEYOND * size) }));
    for (const { rate, size } of [...wanted, ...beyond])
      yield await codedOnce(picture, evaluator, { size }, rate, choices, base);
    return;
  }
  resetPeak();
  const start = processorSeconds();
  const files = await encodePictureToSizes(
    picture,
    evaluator,
    wanted.map(({ size }) => size),
    { ...choices, plain: false },
  );
  const seconds = processorSeconds() - start + evaluator.saved;
  const encodeMemory = peakMemory() - evaluator.bytes - base;
  const most = Math.max(...files.map(({ work }) => work));
  for (const [i, { bytes, work, idealBits }] of files.entries()) {
    // The whole stream may have less than was asked for; it is then one file.
    if (i > 0 && bytes.length === files[i - 1]!.bytes.length) continue;
    const { point, decoded: shown } = await decoded(bytes, evaluator, base, {
      setting: wanted[i]!.rate,
      encodeSeconds: (seconds * work) / most,
      encodeMemory,
    });
    yield { point: { ...point, idealBits }, decoded: shown };
  }
}

/** A file for each quality, by the network: what the plain form is for is no matter of rate and distortion. */
export async function* codedAtQualities(
  picture: Picture,
  evaluator: RememberingEvaluator,
  qualities: readonly number[],
  choices: OwnChoices,
  base: number,
): AsyncGenerator<Coded> {
  for (const quality of qualities) yield await codedOnce(picture, evaluator, { quality }, quality, choices, base);
}

async function codedOnce(
  picture: Picture,
  evaluator: RememberingEvaluator,
  target: Target,
  setting: number,
  choices: OwnChoices,
  base: number,
): Promise<Coded> {
  evaluator.saved = 0;
  resetPeak();
  const start = processorSeconds();
  const { bytes } = await encodePicture(picture, evaluator, { ...choices, target, plain: false });
  const encodeSeconds = processorSeconds() - start + evaluator.saved;
  const encodeMemory = peakMemory() - evaluator.bytes - base;
  return decoded(bytes, evaluator, base, { setting, encodeSeconds, encodeMemory });
}

async function decoded(
  file: Uint8Array,
  evaluator: RememberingEvaluator,
  base: number,
  known: Pick<Point, 'setting' | 'encodeSeconds' | 'encodeMemory'>,
): Promise<Coded> {
  const { bytes: keptBefore, flops } = evaluator;
  evaluator.saved = 0;
  resetPeak();
  const start = processorSeconds();
  const result: DecodeResult = await decodePicture(file, evaluator);
  const decodeSeconds = processorSeconds() - start + evaluator.saved;
  const { width, height, channels, data, evaluations } = result;
  const point = {
    ...known,
    bytes: file.length,
    bitsPerPixel: (8 * file.length) / (width * height),
    decodeSeconds,
    decodeMemory: peakMemory() - Math.max(keptBefore, evaluator.bytes) - base,
    idealBits: fileInfo(file).segments.reduce((sum, { idealBits }) => sum + idealBits, 0),
    evaluations,
    kiloFlopPerPixel: (evaluator.flops - flops) / (1000 * width * height),
  };
  return { point, decoded: { width, height, channels, data } };
}

/** One file of at most so many bytes, and what it decodes to. */
export async function codedToTarget(
  picture: Picture,
  evaluator: Evaluator,
  target: Target,
  choices: OwnChoices,
): Promise<{ bytes: Uint8Array; decoded: Picture }> {
  const { bytes }: EncodeResult = await encodePicture(picture, evaluator, { ...choices, target, plain: false });
  return { bytes, decoded: await decodePicture(bytes, evaluator) };
}

/**
 * Sends every step through an ideal Gaussian channel at the cost of the model's KL: no trellis, no headers, no gains.
 * One picture after every so many steps of levels 1 and 0, counted within each, until the rate is beyond `maxRate`.
 * @param steps receives the bits of each step
 */
export async function* idealPictures(
  picture: Picture,
  evaluator: Evaluator,
  maxRate: number,
  steps: StepBits[],
  every = 1,
): AsyncGenerator<{ rate: number; decoded: Picture }> {
  const { width, height, channels } = picture;
  const pixels = width * height;
  const walk = (schedule: Schedule): Session => new Session(width, height, isGrey(channels), schedule, evaluator);
  const levels = pyramidSizes(width, height).length - 1;
  const coefficients = finish(PictureCoefficients.of(picture, levels));
  const shown = async (session: Session): Promise<Picture> => join(await session.reconstruct(), channels, undefined);
  if (isStraight(evaluator.model)) {
    for (let firstCode = COARSEST_SHOWN; firstCode >= FINEST_FIRST_CODE; firstCode -= CODES_BETWEEN) {
      const straight = { ...STRAIGHT_SCHEDULE.straight!, firstCode };
      const session = walk({ ...STRAIGHT_SCHEDULE, lastCode: firstCode, straight });
      let bits = 0;
      for (const step of session.steps)
        bits += await session.run(step, idealChannel(), coefficients.rowsOf(step.level));
      yield { rate: bits / pixels, decoded: await shown(session) };
      if (bits / pixels > maxRate) return;
    }
    return;
  }
  const session = walk(DEFAULT_SCHEDULE);
  const channel = idealChannel();
  let bits = 0;
  let since = 0;
  for (const step of session.steps) {
    const cost = await session.run(step, channel, coefficients.rowsOf(step.level));
    steps.push({ level: step.level, kind: step.kind, sigma: sigmaOf(step.to), bits: cost });
    bits += cost;
    if (step.kind !== 'refine') since = 0;
    if (step.level > 1 || since++ % every !== 0) continue;
    yield { rate: bits / pixels, decoded: await shown(session) };
    if (bits / pixels > maxRate) return;
  }
}

/** First and distance of the sigma codes at which straight walks are looked at. */
const COARSEST_SHOWN = 184;
const CODES_BETWEEN = 8;

/** Measurements with Gaussian noise, the same in every run. */
export function idealChannel(): Channel {
  return {
    ended: false,
    nu: MIN_NU,
    run: noRuns,
    points: noRuns,
    scale: () => 0,
    gains: (contexts) => new Int8Array(contexts.length),
    corrections: emptyHanded,
    normal: normalNumbers(NORMAL_SEED),
  };
}

function noRuns(): never {
  throw new Error('an ideal channel has no runs');
}

/** Nothing to correct. */
function* emptyHanded(): Pieces<undefined> {}

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
