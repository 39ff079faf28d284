/** The encoder: walks the schedule, sends every step through the trellis, cuts the stream where the target is reached. */
import { encodeCorrections, type Corrections } from '../entropy/corrections.js';
import { encodeGains } from '../entropy/gains.js';
import { BitWriter } from '../entropy/bits.js';
import { TrellisEncoder } from '../entropy/encoder.js';
import { encodePlane } from '../entropy/plane.js';
import { trellisCost, type Run } from '../entropy/trellis.js';
import { DcompError } from '../errors.js';
import { exp2, log2 } from '../math/exact.js';
import type { Evaluator } from '../model/evaluator.js';
import { TOP_CODE } from '../model/sigma.js';
import { checkPicture, type Channels, type Picture } from '../picture.js';
import { concat, MAX_SEGMENT_UNITS, segmentOverhead, writeAlpha, writeHeader, writeSegment, type Header } from './container.js';
import { decodePicture } from './decoder.js';
import { SEGMENT_BYTES, SEGMENT_GROWTH, LAST_CODE, CODES_LEVEL_SPAN } from './format.js';
import type { Channel } from './group-step.js';
import { PictureCoefficients } from './picture-coefficients.js';
import { alphaOf, isGrey, join } from './picture-planes.js';
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
  /** PSNR in dB over all colour samples of the decoded 8-bit picture, at least. */
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
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

export interface EncodeResult {
  bytes: Uint8Array;
  width: number;
  height: number;
  bitsPerPixel: number;
  /** Bits of the model's KL with an ideal Gaussian channel for the units in the file, and bits spent on them. */
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
  const header: Header = { width: picture.width, height: picture.height, channels: picture.channels, modelId: evaluator.model.id, schedule, nu: 7 + effort };
  const alpha = alphaOf(picture);
  const prefix = alpha === undefined ? writeHeader(header) : concat([writeHeader(header), writeAlpha(encodePlane(alpha, picture.width, picture.height))]);
  const limit = byteLimit(target, picture, prefix.length);
  const stream = new Stream(header.nu);
  const session = new Session(picture.width, picture.height, isGrey(picture.channels), schedule, evaluator, options.signal);
  const coefficients = new PictureCoefficients(picture, session.sizes.length - 1);
  let reached = 0;
  for (let unit = session.next; unit !== undefined; ) {
    const { step, groupIndex, groups } = unit;
    if (groupIndex === 0) {
      if ('psnr' in target && worthMeasuring(step) && (await errorOf(session, picture)) <= goal) {
        session.forget();
        return finish(await cutToError(picture, evaluator, prefix, stream, reached, goal));
      }
      reached = stream.bytes;
    }
    stream.begin();
    const ideal = await session.runUnit(stream, coefficients.rowsOf(step.level));
    unit = session.next;
    stream.end(ideal, groups > 1 || (unit !== undefined && unit.groups > 1));
    const bytes = prefix.length + stream.bytes;
    options.onProgress?.({ fraction: progressOf(session, step, (groupIndex + 1) / groups, bytes, limit), stage: `level ${step.level}` });
    if (bytes >= limit || (groupIndex + 1 === groups && atStop(step))) break;
  }
  if ('psnr' in target) {
    const last = await errorOf(session, picture);
    if (last > goal) {
      throw new DcompError('E_UNREACHABLE', `a PSNR of ${target.psnr} dB cannot be reached; this picture's highest is ${decibelsOf(last).toFixed(2)} dB`);
    }
    session.forget();
    return finish(await cutToError(picture, evaluator, prefix, stream, reached, goal));
  }
  return finish(stream.cut(limit - prefix.length));

  /** A small picture has fewer levels than a low quality names; it is then left after its root level. */
  function atStop(step: Step): boolean {
    if (step.kind === 'root') return false;
    return step.level < stop.level || (step.level === stop.level && step.to <= stop.code);
  }

  function finish(body: Body): EncodeResult {
    const bytes = concat([prefix, body.bytes]);
    const { width, height } = picture;
    options.onProgress?.({ fraction: 1, stage: 'done' });
    const { idealBits, realBits } = body;
    return { bytes, width, height, bitsPerPixel: (8 * bytes.length) / (width * height), idealBits, realBits, ...session.statistics };
  }
}

/** What can be said against an encoding before a model is at hand. @throws DcompError E_PICTURE, E_TOO_LARGE, E_USAGE */
export function checkEncoding(picture: Picture, { target, effort }: EncoderOptions): void {
  checkPicture(picture);
  if (target !== undefined) checkTarget(target);
  if (effort !== undefined && !(Number.isInteger(effort) && effort >= 1 && effort <= 9)) {
    throw new DcompError('E_USAGE', `effort is ${effort}; it must be a whole number from 1 to 9`);
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
    const what = picture.channels === 2 || picture.channels === 4 ? 'header and lossless alpha' : 'header';
    throw new DcompError('E_UNREACHABLE', `a file of ${limit} bytes is not possible: the ${what} of this picture alone take${picture.channels % 2 === 0 ? '' : 's'} ${least}`);
  }
  return limit;
}

/** @param share of the step that is done */
function progressOf(session: Session, step: Step, share: number, bytes: number, limit: number): number {
  return limit === Infinity ? (step.index + share) / session.steps.length : Math.min(1, bytes / limit);
}

/** A reconstruction costs an evaluation of the full resolution: taken at level 0, and once a level before. */
function worthMeasuring(step: Step): boolean {
  return step.level === 0 || (step.kind === 'enter' && step.level <= 2);
}

/** Mean squared error of what the decoder would show now. */
async function errorOf(session: Session, picture: Picture): Promise<number> {
  const { width, height, channels, data } = picture;
  let sum = 0;
  await session.show((rows, y) => {
    const from = data.subarray(y * width * channels, (y + rows.height) * width * channels);
    sum += squaredError(from, join(rows, channels, undefined).data, channels);
  });
  return sum / samplesOf(width * height, channels);
}

/** Over the colour samples; alpha is lossless. */
function meanSquaredError(a: Picture, b: Picture): number {
  return squaredError(a.data, b.data, a.channels) / samplesOf(a.width * a.height, a.channels);
}

function samplesOf(pixels: number, channels: Channels): number {
  return pixels * (isGrey(channels) ? 1 : 3);
}

/** A sum of whole numbers, exact in any order. */
function squaredError(a: Uint8Array, b: Uint8Array, channels: Channels): number {
  const colours = isGrey(channels) ? 1 : 3;
  let sum = 0;
  for (let i = 0; i < a.length; i += channels) {
    for (let c = 0; c < colours; c++) {
      const d = a[i + c]! - b[i + c]!;
      sum += d * d;
    }
  }
  return sum;
}

/** 10 · log10(2) */
const DECIBELS_PER_OCTAVE = 3.010299956639812;

/** PSNR in dB over the colour samples (alpha is lossless). Infinity for equal pictures. */
export function psnr(a: Picture, b: Picture): number {
  return decibelsOf(meanSquaredError(a, b));
}

function decibelsOf(squaredError: number): number {
  return DECIBELS_PER_OCTAVE * log2((255 * 255) / squaredError);
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

interface StoredUnit {
  /** Bit of the segment at which the unit begins. */
  start: number;
  bits: number;
  ideal: number;
}

interface StoredSegment {
  payload: Uint8Array;
  units: StoredUnit[];
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
  private units: StoredUnit[] = [];
  private readonly trellis = sharedTrellis();

  constructor(private readonly nu: number) {
    this.cost = trellisCost(nu);
  }

  begin(): void {
    this.units.push({ start: this.writer.length, bits: 0, ideal: 0 });
  }

  /** @param alone whether the next unit must begin a segment, so that it can be read alone */
  end(ideal: number, alone: boolean): void {
    const unit = this.units[this.units.length - 1]!;
    unit.bits = this.writer.length - unit.start;
    unit.ideal = ideal;
    const length = (this.writer.length + 7) >>> 3;
    this.bytes = this.closed + length + segmentOverhead(length);
    if (alone || length >= Math.max(SEGMENT_BYTES, SEGMENT_GROWTH * this.closed) || this.units.length === MAX_SEGMENT_UNITS) this.close();
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
      const units = whole ? segment.units : segment.units.filter((s) => s.start < 8 * length);
      let ideal = 0;
      let real = 0;
      for (const s of units) {
        const bits = Math.min(s.bits, 8 * length - s.start);
        real += bits;
        ideal += s.bits === 0 ? 0 : (s.ideal * bits) / s.bits;
      }
      const ratio = real === 0 ? 0 : Math.min(255, Math.floor((128 * ideal) / real + 0.5));
      parts.push(writeSegment(payload, units.length, ratio));
      left -= parts[parts.length - 1]!.length;
      idealBits += ideal;
      realBits += real;
      if (!whole) break;
    }
    return { bytes: concat(parts), idealBits, realBits };
  }

  private close(): void {
    if (this.units.length === 0) return;
    const payload = this.writer.finish();
    this.segments.push({ payload, units: this.units });
    this.closed += payload.length + segmentOverhead(payload.length);
    this.bytes = this.closed;
    this.writer = new BitWriter();
    this.units = [];
  }
}

let trellis: TrellisEncoder | undefined;

/** One search memory for all encodings of a thread: a search never waits, so two cannot meet. */
function sharedTrellis(): TrellisEncoder {
  trellis ??= new TrellisEncoder();
  return trellis;
}
