/** The encoder: walks the schedule, sends every step through the trellis, cuts the stream where the target is reached. */
import { encodeCorrections, type Corrections } from '../entropy/corrections.js';
import { encodeGains } from '../entropy/gains.js';
import { BitWriter } from '../entropy/bits.js';
import { TrellisEncoder } from '../entropy/encoder.js';
import { trellisCost, type Run } from '../entropy/trellis.js';
import { DcompError } from '../errors.js';
import { exp2, log2 } from '../math/exact.js';
import type { Evaluator } from '../model/evaluator.js';
import { TOP_CODE } from '../model/sigma.js';
import { checkPicture, depthOf, rangeOf, type Picture, type Samples } from '../picture.js';
import { alphaLevels, encodeAlpha, quantiseAlpha } from './alpha.js';
import { concat, MAX_SEGMENT_STEPS, segmentOverhead, writeAlpha, writeHeader, writeSegment, type Header } from './container.js';
import { decodePicture } from './decoder.js';
import { SEGMENT_BYTES, SEGMENT_GROWTH, LAST_CODE, CODES_LEVEL_SPAN } from './format.js';
import type { Channel } from './group-step.js';
import { partsOf } from './metadata.js';
import { join, separate } from './picture-planes.js';
import { EMPTY_HASH, pixelHash, withPixelHash } from './pixel-hash.js';
import { haar, pyramidOf, rowsOfCoefficients, type CoefficientRows } from './pyramid.js';
import { DEFAULT_SCHEDULE, type Schedule, type Step } from './schedule.js';
import { Session } from './session.js';

/** What the encoder aims at: exactly one of these. */
export type Target =
  /** 1 (smallest) to 100 (best): the noise level at which the stream ends, so equally good for easy and busy pictures. */
  | { quality: number }
  /** Bits per pixel, > 0; the file is at most width · height · bitsPerPixel / 8 bytes. */
  | { bitsPerPixel: number }
  /** Bytes of the file, at most. */
  | { size: number }
  /** PSNR in dB over all colour samples of the decoded picture, at least. */
  | { psnr: number };

export interface Progress {
  /** 0..1 */
  fraction: number;
  stage: string;
}

export interface EncoderOptions {
  target?: Target;
  /** 1..9: log2 of the states of the trellis search is 7 + effort. More is slower and smaller. Default 7. */
  effort?: number;
  schedule?: Schedule;
  /** Whether the file is to carry a hash of its decoded samples, by which it can be verified: 39 bytes, and one decoding. */
  pixelHash?: boolean;
  /** 0 to 100: how many different values alpha keeps, from 2 up; 100, the default, is lossless. */
  alphaQuality?: number;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

export interface EncodeResult {
  bytes: Uint8Array;
  width: number;
  height: number;
  bitsPerPixel: number;
  /** Bits of the model's KL with an ideal Gaussian channel for the steps in the file, and bits spent on them. */
  idealBits: number;
  realBits: number;
  /** Network evaluations of the encoder; `work` counts them in evaluations of the full resolution. */
  evaluations: number;
  work: number;
}

export const DEFAULT_QUALITY = 50;
export const DEFAULT_EFFORT = 7;

/** @throws DcompError E_PICTURE, E_TOO_LARGE, E_USAGE, E_UNREACHABLE, E_ABORTED */
export async function encodePicture(picture: Picture, evaluator: Evaluator, options: EncoderOptions = {}): Promise<EncodeResult> {
  checkEncoding(picture, options);
  const target = options.target ?? { quality: DEFAULT_QUALITY };
  const effort = options.effort ?? DEFAULT_EFFORT;
  const stop = 'quality' in target ? stopOfQuality(target.quality) : { level: 0, code: LAST_CODE };
  const goal = 'psnr' in target ? squaredErrorOf(target.psnr) : 0;
  const schedule = { ...(options.schedule ?? DEFAULT_SCHEDULE), lastCode: stop.level === 0 ? stop.code : LAST_CODE };
  const header: Header = { width: picture.width, height: picture.height, channels: picture.channels, depth: depthOf(picture), modelId: evaluator.model.id, schedule, nu: 7 + effort };
  const { grey, colour, alpha } = separate(picture);
  const start = writeHeader(header, [...partsOf(picture.metadata), ...(options.pixelHash === true ? [EMPTY_HASH] : [])]);
  const prefix = alpha === undefined ? start : concat([start, writeAlpha(codedAlpha(alpha))]);
  const limit = byteLimit(target, picture, prefix.length);
  const stream = new Stream(header.nu);
  const session = new Session(picture.width, picture.height, grey, schedule, evaluator, options.signal);
  const pyramid = pyramidOf(colour, session.sizes.length - 1);
  let level = -1;
  let truth: CoefficientRows | undefined;
  let reached = 0;
  for (const step of session.steps) {
    if (step.level !== level) {
      level = step.level;
      truth = rowsOfCoefficients(haar(pyramid[level]!));
    }
    if ('psnr' in target && worthMeasuring(step) && meanSquaredError(picture, await reconstruction(session, picture)) <= goal) {
      return finish(await cutToError(picture, evaluator, prefix, stream, reached, goal));
    }
    reached = stream.bytes;
    stream.begin();
    stream.end(await session.run(step, stream, truth));
    const bytes = prefix.length + stream.bytes;
    options.onProgress?.({ fraction: progressOf(session, step, bytes, limit), stage: `level ${level}` });
    if (bytes >= limit || atStop(step)) break;
  }
  if ('psnr' in target) {
    const last = await reconstruction(session, picture);
    if (meanSquaredError(picture, last) > goal) {
      throw new DcompError('E_UNREACHABLE', `a PSNR of ${target.psnr} dB cannot be reached; this picture's highest is ${psnr(picture, last).toFixed(2)} dB`);
    }
    return finish(await cutToError(picture, evaluator, prefix, stream, reached, goal));
  }
  return finish(stream.cut(limit - prefix.length));

  function codedAlpha(samples: Samples): Uint8Array {
    const quality = options.alphaQuality ?? 100;
    const kept = quality === 100 ? samples : quantiseAlpha(samples, header.depth, alphaLevels(quality));
    return encodeAlpha(kept, picture.width, picture.height);
  }

  /** A small picture has fewer levels than a low quality names; it is then left after its root level. */
  function atStop(step: Step): boolean {
    if (step.kind === 'root') return false;
    return step.level < stop.level || (step.level === stop.level && step.to <= stop.code);
  }

  async function finish(body: Body): Promise<EncodeResult> {
    let bytes = concat([prefix, body.bytes]);
    if (options.pixelHash === true) bytes = withPixelHash(bytes, pixelHash(await decodePicture(bytes, evaluator), header.depth));
    const { width, height } = picture;
    options.onProgress?.({ fraction: 1, stage: 'done' });
    const { idealBits, realBits } = body;
    return { bytes, width, height, bitsPerPixel: (8 * bytes.length) / (width * height), idealBits, realBits, ...session.statistics };
  }
}

/** What can be said against an encoding before a model is at hand. @throws DcompError E_PICTURE, E_TOO_LARGE, E_USAGE */
export function checkEncoding(picture: Picture, { target, effort, alphaQuality }: EncoderOptions): void {
  checkPicture(picture);
  if (target !== undefined) checkTarget(target);
  if (effort !== undefined && !(Number.isInteger(effort) && effort >= 1 && effort <= 9)) {
    throw new DcompError('E_USAGE', `effort is ${effort}; it must be a whole number from 1 to 9`);
  }
  if (alphaQuality !== undefined && !(alphaQuality >= 0 && alphaQuality <= 100)) {
    throw new DcompError('E_USAGE', `alphaQuality is ${alphaQuality}; it must be a number from 0 to 100`);
  }
}

function checkTarget(target: Target): void {
  const given = (['quality', 'bitsPerPixel', 'size', 'psnr'] as const).filter((name) => name in target);
  if (given.length !== 1) throw new DcompError('E_USAGE', `the target needs exactly one of quality, bitsPerPixel, size and psnr; it has ${given.length === 0 ? 'none' : given.join(' and ')}`);
  const value = (target as Record<string, number>)[given[0]!]!;
  const bad = (what: string): DcompError => new DcompError('E_USAGE', `${given[0]} is ${value}; it must be ${what}`);
  if (typeof value !== 'number') throw bad('a number');
  if (given[0] === 'quality' && !(value >= 1 && value <= 100)) throw bad('a number from 1 to 100');
  if (given[0] === 'size' && !(Number.isInteger(value) && value >= 1)) throw bad('a whole number of bytes, at least 1');
  if (given[0] === 'bitsPerPixel' && !(value > 0 && value <= 1000)) throw bad('a number above 0 and up to 1000');
  if (given[0] === 'psnr' && !(value > 0 && value <= 100)) throw bad('a number of decibels above 0 and up to 100');
}

/** Where the stream ends for a quality: level 0 at sigma 45 for 20, 16 for 50, ½ for 100; below 20 at coarser levels. */
function stopOfQuality(quality: number): { level: number; code: number } {
  if (quality >= 50) return { level: 0, code: Math.round(TOP_CODE - 24 - ((quality - 50) * (TOP_CODE - 24 - LAST_CODE)) / 50) };
  if (quality >= 20) return { level: 0, code: Math.round(TOP_CODE - ((quality - 20) * 24) / 30) };
  const steps = 20 - Math.ceil(quality);
  return { level: 1 + Math.floor(steps / 9), code: TOP_CODE - CODES_LEVEL_SPAN + 2 * (steps % 9) };
}

function byteLimit(target: Target, picture: Picture, least: number): number {
  if (!('size' in target) && !('bitsPerPixel' in target)) return Infinity;
  const limit = 'size' in target ? target.size : Math.floor((picture.width * picture.height * target.bitsPerPixel) / 8);
  if (limit < least) {
    const what = ['header', ...(partsOf(picture.metadata).length > 0 ? ['metadata'] : []), ...(picture.channels % 2 === 0 ? ['alpha'] : [])];
    throw new DcompError('E_UNREACHABLE', `a file of ${limit} bytes is not possible: ${what.join(' and ')} of this picture alone take ${least}`);
  }
  return limit;
}

function progressOf(session: Session, step: Step, bytes: number, limit: number): number {
  return limit === Infinity ? (step.index + 1) / session.steps.length : Math.min(1, bytes / limit);
}

/** A reconstruction costs an evaluation of the full resolution: taken at level 0, and once a level before. */
function worthMeasuring(step: Step): boolean {
  return step.level === 0 || (step.kind === 'enter' && step.level <= 2);
}

async function reconstruction(session: Session, picture: Picture): Promise<Picture> {
  return join(await session.reconstruct(), picture.channels, undefined, depthOf(picture));
}

/** Over the colour samples, in units of 8 bits. */
function meanSquaredError(a: Picture, b: Picture): number {
  const colours = a.channels <= 2 ? 1 : 3;
  let sum = 0;
  const n = a.width * a.height;
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < colours; c++) {
      const d = a.data[i * a.channels + c]! - b.data[i * b.channels + c]!;
      sum += d * d;
    }
  }
  const unit = 255 / rangeOf(depthOf(a));
  return (sum / (n * colours)) * (unit * unit);
}

/** 10 · log10(2) */
const DECIBELS_PER_OCTAVE = 3.010299956639812;

/** PSNR in dB over the colour samples of two pictures of the same size, kind and depth. Infinity for equal ones. */
export function psnr(a: Picture, b: Picture): number {
  const error = meanSquaredError(a, b);
  return error === 0 ? Infinity : DECIBELS_PER_OCTAVE * log2((255 * 255) / error);
}

/** Mean squared error of a PSNR, the same on every machine: it decides where a file ends. */
function squaredErrorOf(decibels: number): number {
  return 255 * 255 * exp2(-decibels / DECIBELS_PER_OCTAVE);
}

/** Cuts a stream so that the decoded picture just reaches an error: trial decodings between two lengths. */
async function cutToError(picture: Picture, evaluator: Evaluator, prefix: Uint8Array, stream: Stream, low: number, goal: number): Promise<Body> {
  let high = stream.bytes;
  for (let i = 0; i < 5 && high - low > Math.max(8, high / 200); i++) {
    const middle = (low + high) >> 1;
    const bytes = concat([prefix, stream.cut(middle).bytes]);
    if (meanSquaredError(picture, await decodePicture(bytes, evaluator)) <= goal) high = middle;
    else low = middle;
  }
  return stream.cut(high);
}

interface Body {
  bytes: Uint8Array;
  idealBits: number;
  realBits: number;
}

interface StoredStep {
  /** Bit of the segment at which the step begins. */
  start: number;
  bits: number;
  ideal: number;
}

interface StoredSegment {
  payload: Uint8Array;
  steps: StoredStep[];
}

/** The encoder's channel: searches the signs of every run, collects the bits into segments. */
class Stream implements Channel {
  readonly ended = false;
  readonly cost: number;
  /** Bytes of all segments so far, with their overhead. */
  bytes = 0;
  private closed = 0;
  private readonly segments: StoredSegment[] = [];
  private writer = new BitWriter();
  private steps: StoredStep[] = [];
  private readonly trellis = sharedTrellis();

  constructor(private readonly nu: number) {
    this.cost = trellisCost(nu);
  }

  begin(): void {
    this.steps.push({ start: this.writer.length, bits: 0, ideal: 0 });
  }

  end(ideal: number): void {
    const step = this.steps[this.steps.length - 1]!;
    step.bits = this.writer.length - step.start;
    step.ideal = ideal;
    const length = (this.writer.length + 7) >>> 3;
    this.bytes = this.closed + length + segmentOverhead(length);
    if (length >= Math.max(SEGMENT_BYTES, SEGMENT_GROWTH * this.closed) || this.steps.length === MAX_SEGMENT_STEPS) this.close();
  }

  run(run: Run, metric: Float32Array): { signs: Int8Array; covered: number } {
    const { bits, bitCount, signs } = this.trellis.encode(run, metric, this.nu);
    this.writer.append(bits, bitCount);
    return { signs, covered: bitCount === 0 ? 0 : signs.length };
  }

  gains(contexts: Uint8Array, choose: () => Int8Array): Int8Array {
    const gains = choose();
    const bytes = encodeGains(gains, contexts);
    this.writer.append(bytes, 8 * bytes.length);
    return gains;
  }

  corrections(_n: number, choose: () => Corrections): Corrections {
    const corrections = choose();
    const some = corrections.indices.length > 0;
    this.writer.push(some ? 1 : 0);
    if (some) {
      const bytes = encodeCorrections(corrections);
      this.writer.append(bytes, 8 * bytes.length);
    }
    return corrections;
  }

  /** The segments, cut to at most so many bytes. */
  cut(limit: number): Body {
    this.close();
    const parts: Uint8Array[] = [];
    let left = limit;
    let idealBits = 0;
    let realBits = 0;
    for (const segment of this.segments) {
      let length = segment.payload.length;
      while (length > 0 && length + segmentOverhead(length) > left) length = Math.min(length - 1, left - segmentOverhead(Math.min(length, Math.max(0, left))));
      if (length < 0 || length + segmentOverhead(length) > left || (length === 0 && segment.payload.length > 0)) break;
      const payload = segment.payload.subarray(0, length);
      const whole = length === segment.payload.length;
      const steps = whole ? segment.steps : segment.steps.filter((s) => s.start < 8 * length);
      let ideal = 0;
      let real = 0;
      for (const s of steps) {
        const bits = Math.min(s.bits, 8 * length - s.start);
        real += bits;
        ideal += s.bits === 0 ? 0 : (s.ideal * bits) / s.bits;
      }
      const ratio = real === 0 ? 0 : Math.min(255, Math.floor((128 * ideal) / real + 0.5));
      parts.push(writeSegment(payload, steps.length, ratio));
      left -= parts[parts.length - 1]!.length;
      idealBits += ideal;
      realBits += real;
      if (!whole) break;
    }
    return { bytes: concat(parts), idealBits, realBits };
  }

  private close(): void {
    if (this.steps.length === 0) return;
    const payload = this.writer.finish();
    this.segments.push({ payload, steps: this.steps });
    this.closed += payload.length + segmentOverhead(payload.length);
    this.bytes = this.closed;
    this.writer = new BitWriter();
    this.steps = [];
  }
}

let trellis: TrellisEncoder | undefined;

/** One search memory for all encodings of a thread: a search never waits, so two cannot meet. */
function sharedTrellis(): TrellisEncoder {
  trellis ??= new TrellisEncoder();
  return trellis;
}
