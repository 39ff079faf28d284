/** The encoder: walks the schedule, sends every step through the trellis, cuts the stream where the target is reached. */
import { DcompError } from '../errors.js';
import { exp2, log2 } from '../math/exact.js';
import { isToldSigma } from '../model/architecture.js';
import type { Evaluator } from '../model/evaluator.js';
import { TOP_CODE } from '../model/sigma.js';
import { finish, inTurns, withoutTurns, type Pause, type Pieces } from '../turns.js';
import {
  checkObject,
  checkValues,
  isBoolean,
  isFunction,
  isNumber,
  isOneOf,
  isSignal,
  isWhole,
  mustBe,
  type Check,
  type Checks,
} from '../options.js';
import {
  DEFAULT_MAX_PIXELS,
  depthOf,
  MAX_PIXELS,
  pictureOf,
  rangeOf,
  type Channels,
  type Picture,
  type Samples,
} from '../picture.js';
import { alphaLevels, encodeAlphaInPieces, quantiseAlphaInPieces } from '../container/alpha.js';
import { concat, endsOf, NO_CODING, writeAlpha, writeHeader, type Form, type Header } from '../container/container.js';
import { DECODER_CHECKS, decodeUnchecked } from './decoder.js';
import { LAST_CODE, CODES_LEVEL_SPAN } from '../format.js';
import { partsOfInPieces } from '../container/metadata.js';
import { PARTS, type Part } from '../container/parts.js';
import { PictureCoefficients } from '../pixels/picture-coefficients.js';
import { withoutHiddenColourInPieces } from '../pixels/hidden-colour.js';
import type { Ends } from '../pixels/colour.js';
import { alphaOfInPieces, hasAlpha, isGrey, join } from '../pixels/picture-planes.js';
import { EMPTY_HASH, pixelHashInPieces, withPixelHash } from '../container/pixel-hash.js';
import { plainFileInPieces } from './plain.js';
import {
  checkImportance,
  importanceOf,
  lagsOfInPieces,
  writeLagsInPieces,
  type Importance,
  type Lags,
} from './region.js';
import {
  DEFAULT_SCHEDULE,
  VIEWS,
  coarseViewsOf,
  entersLevel,
  leavesLevelObserved,
  type Schedule,
  type Step,
  type Views,
} from '../diffusion/schedule.js';
import { withinMemory } from '../memory.js';
import { unitCount } from '../diffusion/units.js';
import { Session } from './session.js';
import { LEAST_BYTES, Stream } from './stream.js';
import { checkWork, workOf } from './work.js';

/** What the encoder aims at: exactly one of these. */
export type Target =
  /** 1 (smallest) to 100 (best): the noise level at which the stream ends, so equally good for easy and busy pictures. */
  | { quality: number }
  /** Bits per pixel, > 0; the file is at most width · height · bitsPerPixel / 8 bytes. */
  | { bitsPerPixel: number }
  /** Bytes of the file, at most. */
  | { size: number }
  /** PSNR in dB over all colour samples of the decoded picture, at least. */
  | { psnr: number }
  /** Every sample as it is, also colours under alpha 0: the plain form. */
  | 'lossless';

/** Those that the network is for. */
export type LossyTarget = Exclude<Target, 'lossless'>;

/** How far an encoding or decoding has come. */
export interface Progress {
  /** 0..1 */
  fraction: number;
  stage: string;
}

/** What a picture is coded to, and how. */
export interface EncoderOptions {
  target?: Target;
  /** 1..9: log2 of the states of the trellis search is 7 + effort. More is slower and smaller. Default 8. */
  effort?: number;
  /**
   * Evaluations that each picture shown is the mean of: 1, 2 or 4; fewer decode sooner, 4 are up to 0.14 dB
   * better. With 1, steps of levels ≥ 1 have one, too.
   */
  views?: Views;
  /** Where squared errors count more: regions or a mask. Default: everywhere alike. */
  importance?: Importance;
  /** Stores the hash of the decoded samples, which `verify` compares; costs a decoding. */
  pixelHash?: boolean;
  /** Refuse pictures of more pixels; default 2^25. */
  maxPixels?: number;
  /**
   * Refuse pictures of which the file may take more work to decode, in megapixels through the network (`work` of `info`); encoding takes
   * up to some three times that. Default: as `decode` has it, so that what is made is decoded.
   */
  maxWork?: number;
  /** 0 to 100: how many different values alpha keeps, from 2 up; 100, the default, is lossless. */
  alphaQuality?: number;
  /** Keeps the colour of pixels whose alpha is 0, which is otherwise replaced by what costs least. Default false. */
  exact?: boolean;
  /**
   * Whether the samples may be coded plainly, without loss, where that takes no more bytes: the rule for drawings, screenshots and
   * tiny pictures. Default true.
   */
  plain?: boolean;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

/** What benches and tests may choose besides; not every schedule is worth having. */
export interface EncodingOptions extends EncoderOptions {
  /** Default: DEFAULT_SCHEDULE. `views` goes before its own, and the target before its last code. */
  schedule?: Schedule;
  /** Where turns are given; default: nowhere. */
  pause?: Pause;
}

/** A coded file with its figures. */
export interface EncodeResult {
  bytes: Uint8Array;
  /** plain: without loss, and without the network. */
  form: Form;
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

/** Target of an encoding that names none. */
export const DEFAULT_QUALITY = 50;
/** Effort of an encoding that names none. */
export const DEFAULT_EFFORT = 8;

/** Pictures of no more pixels are coded plainly unless a size is given: their samples take little more than a header. */
const TINY_PIXELS = 64;

/** What the plain form may take before the lossy one is known: 2 bits a pixel, which tells drawings from photographs soon. */
const PLAIN_BYTES_PER_PIXEL = 1 / 4;

/** @throws DcompError E_PICTURE, E_TOO_LARGE, E_USAGE, E_UNREACHABLE, E_ABORTED */
export async function encodePicture(
  source: Picture,
  evaluator: Evaluator,
  options: EncodingOptions = {},
): Promise<EncodeResult> {
  const picture = checkEncoding(source, options);
  const target = options.target ?? { quality: DEFAULT_QUALITY };
  if (target === 'lossless') return encodeLossless(picture, options);
  const stop = 'quality' in target ? stopOfQuality(target.quality) : FINEST;
  return withinMemory(picture, async () => {
    const plan = await planOf(picture, evaluator, options, stop);
    const prepared = await inTurns(preparedOf(picture, options), pauseOf(options));
    const lossy = async (limit?: number): Promise<EncodeResult | undefined> =>
      (await Encoding.of(plan, prepared, evaluator, options, stop)).to(target, limit);
    const result =
      'psnr' in target || 'quality' in target
        ? await smallest(lossy, prepared, options)
        : ((await plainResult(prepared, options, sizeOf(target, picture))) ?? (await lossy()));
    return withHash(result!, evaluator, options);
  });
}

/**
 * The plain form, unless the lossy one is smaller; at equal size it is better in every way.
 * @param lossy undefined where it takes the bytes that it is given
 */
async function smallest(
  lossy: (limit?: number) => Promise<EncodeResult | undefined>,
  prepared: Prepared,
  options: EncodingOptions,
): Promise<EncodeResult> {
  if (options.plain === false) return (await lossy())!;
  const { width, height } = prepared.picture;
  const tiny = width * height <= TINY_PIXELS;
  const tried = tiny ? Infinity : width * height * PLAIN_BYTES_PER_PIXEL;
  const plain = await plainResult(prepared, options, tried);
  if (tiny) return plain!;
  const coded = await lossy(plain?.bytes.length).catch((error: unknown) => {
    if (error instanceof DcompError && error.code === 'E_UNREACHABLE') return undefined;
    throw error;
  });
  if (plain !== undefined) return coded ?? plain;
  const most = coded?.bytes.length ?? Infinity;
  return (most > tried ? await plainResult(prepared, options, most) : undefined) ?? coded!;
}

/** @throws DcompError E_PICTURE, E_TOO_LARGE, E_USAGE, E_ABORTED */
export async function encodeLossless(
  source: Picture,
  options: Omit<EncodingOptions, 'target'> = {},
): Promise<EncodeResult> {
  const picture = checkEncoding(source, options);
  const exact = { ...options, exact: true, alphaQuality: 100, plain: true };
  const pause = pauseOf(options);
  const header = { form: 'plain', ...picture, depth: depthOf(picture), ...NO_CODING } as const;
  checkWork(workOf({ header, units: picture.height }), header, options.maxWork);
  return withinMemory(picture, async () => {
    const prepared = await inTurns(preparedOf(picture, exact), pause);
    const result = (await plainResult(prepared, exact, Infinity))!;
    if (options.pixelHash !== true) return result;
    const hash = await inTurns(pixelHashInPieces({ ...picture, depth: depthOf(picture) }), pause);
    return { ...result, bytes: withPixelHash(result.bytes, hash) };
  });
}

/** How the network is to code a picture. */
interface Plan {
  schedule: Schedule;
  lags: Lags | undefined;
}

/** Refuses what takes too much work, before any is done. @throws DcompError E_TOO_LARGE */
async function planOf(source: Picture, evaluator: Evaluator, options: EncodingOptions, stop: Stop): Promise<Plan> {
  const { importance, schedule: base = DEFAULT_SCHEDULE, views } = options;
  const lags =
    importance === undefined ? undefined : await inTurns(lagsOfInPieces(importance, source), pauseOf(options));
  const viewed = views === undefined ? base : { ...base, views, coarseViews: coarseViewsOf(views) };
  const schedule = { ...viewed, lastCode: stop.level === 0 ? stop.code : LAST_CODE };
  const { width, height, channels } = source;
  const header = { width, height, channels, depth: depthOf(source), schedule };
  const told = isToldSigma(evaluator.model.architecture.conditioning);
  checkWork(workOf({ header, lags, told, units: unitCount(schedule, source) }), header, options.maxWork);
  return { schedule, lags };
}

/** What of a picture is coded, and what of a file is known before its colours are. */
interface Prepared {
  /** Without hidden colours, unless they are to be kept. */
  picture: Picture;
  alpha: Samples | undefined;
  /** The bytes of alpha, with their length and checksum; empty where there is none. */
  alphaSection: Uint8Array;
  parts: Part[];
}

function* preparedOf(picture: Picture, options: EncodingOptions): Pieces<Prepared> {
  const { width, height, metadata } = picture;
  const parts = yield* partsOfInPieces(metadata);
  if (options.pixelHash === true) parts.push(EMPTY_HASH);
  const alpha = yield* keptAlpha(picture, options.alphaQuality ?? 100);
  return {
    picture: options.exact === true ? picture : yield* withoutHiddenColourInPieces(picture, alpha),
    alpha,
    alphaSection:
      alpha === undefined ? new Uint8Array(0) : writeAlpha(yield* encodeAlphaInPieces(alpha, width, height)),
    parts,
  };
}

/** @param limit bytes @returns undefined where the plain form would take more, or is not wanted */
async function plainResult(
  { picture, alpha, alphaSection, parts }: Prepared,
  options: EncodingOptions,
  limit: number,
): Promise<EncodeResult | undefined> {
  if (options.plain === false) return undefined;
  const coding = plainFileInPieces(picture, alpha, alphaSection, parts, options.exact === true, limit);
  const bytes = await inTurns(coding, pauseOf(options));
  if (bytes === undefined) return undefined;
  options.onProgress?.({ fraction: 1, stage: 'done' });
  const { width, height } = picture;
  const bits = 8 * bytes.length;
  return {
    bytes,
    form: 'plain',
    width,
    height,
    bitsPerPixel: bits / (width * height),
    idealBits: bits,
    realBits: bits,
    evaluations: 0,
    work: 0,
  };
}

/** What share of the samples must be at an end of the range, and how many times those that are near it. */
const MANY_AT_END = 1 / 256;
const MORE_THAN_NEAR = 4;
/** Samples that are looked at in a piece. */
const PIECE = 2 ** 18;

/**
 * Whether a picture has white or black areas: samples at that end of the range, and few that are only near it, which would be
 * changed by taking them for it.
 */
function* nearEndsOf({ data, channels, ...picture }: Picture): Pieces<Pick<Header, 'nearWhite' | 'nearBlack'>> {
  const range = rangeOf(depthOf({ data, channels, ...picture }));
  const near = (2.5 * range) / 255;
  const counts = { white: 0, nearWhite: 0, black: 0, nearBlack: 0 };
  const alpha = hasAlpha(channels) ? channels - 1 : channels;
  for (let i = 0; i < data.length; i++) {
    if (i % PIECE === 0) yield;
    const v = data[i]!;
    if (i % channels === alpha) continue;
    if (v === range) counts.white++;
    else if (v > range - near) counts.nearWhite++;
    if (v === 0) counts.black++;
    else if (v < near) counts.nearBlack++;
  }
  const many = (at: number, beside: number): boolean =>
    at >= data.length * MANY_AT_END && at >= MORE_THAN_NEAR * beside;
  return {
    nearWhite: many(counts.white, counts.nearWhite),
    nearBlack: many(counts.black, counts.nearBlack),
  };
}

function sizeOf(target: { size: number } | { bitsPerPixel: number }, { width, height }: Picture): number {
  return 'size' in target ? target.size : Math.floor((width * height * target.bitsPerPixel) / 8);
}

/**
 * Files of several sizes from one walk along the schedule: each is what `encodePicture` makes for that size.
 * @param sizes bytes, in any order
 * @throws DcompError as `encodePicture`
 */
export async function encodePictureToSizes(
  source: Picture,
  evaluator: Evaluator,
  sizes: readonly number[],
  options: Omit<EncodingOptions, 'target'> = {},
): Promise<EncodeResult[]> {
  const picture = checkEncoding(source, options);
  for (const size of sizes) checkTarget({ size }, 'target');
  return withinMemory(picture, async () => {
    const plan = await planOf(picture, evaluator, options, FINEST);
    const prepared = await inTurns(preparedOf(picture, options), pauseOf(options));
    const largest = sizes.reduce((most, size) => Math.max(most, size), 0);
    const plain = await plainResult(prepared, options, largest);
    const small = sizes.filter((size) => plain === undefined || size < plain.bytes.length);
    const coded =
      small.length === 0 ? [] : await (await Encoding.of(plan, prepared, evaluator, options, FINEST)).toSizes(small);
    const results = [];
    for (const size of sizes)
      results.push(await withHash(small.includes(size) ? coded[small.indexOf(size)]! : plain!, evaluator, options));
    return results;
  });
}

/** What the encoder has made it decodes whatever it takes. */
const OWN = { maxPixels: MAX_PIXELS, maxWork: Infinity };

async function decodedHash(bytes: Uint8Array, evaluator: Evaluator, pause: Pause): Promise<Uint8Array> {
  return inTurns(pixelHashInPieces(await decodeUnchecked(bytes, evaluator, { ...OWN, pause })), pause);
}

async function withHash(result: EncodeResult, evaluator: Evaluator, options: EncodingOptions): Promise<EncodeResult> {
  if (options.pixelHash !== true) return result;
  const hash = await decodedHash(result.bytes, evaluator, pauseOf(options));
  return { ...result, bytes: withPixelHash(result.bytes, hash) };
}

/** A step of a level and sigma code: where a stream ends by itself. */
interface Stop {
  level: number;
  code: number;
}

const FINEST: Stop = { level: 0, code: LAST_CODE };

/** A squared error with one view that is so many times the goal (0.4 dB) is above it with several views, too. */
const SURELY_ABOVE = 1.1;

/** How far an encoding has come. */
interface Point {
  session: Session;
  stream: Stream;
  schedule: Schedule;
}

/** Pictures of more pixels are cut within a step of full width: a copy of the state, to end in another way, costs 15 bytes a pixel. */
const MAX_FORKED_PIXELS = 2 ** 23;

class Encoding {
  private constructor(
    private readonly picture: Picture,
    private readonly evaluator: Evaluator,
    private readonly options: EncodingOptions,
    private readonly stop: Stop,
    private readonly header: Omit<Header, 'schedule'>,
    private readonly parts: readonly Part[],
    private readonly alpha: Uint8Array,
    private readonly coefficients: PictureCoefficients,
    private readonly point: Point,
  ) {}

  static async of(
    { lags, schedule }: Plan,
    { picture, alphaSection, parts: known }: Prepared,
    evaluator: Evaluator,
    options: EncodingOptions,
    stop: Stop,
  ): Promise<Encoding> {
    const { width, height, channels } = picture;
    const pause = pauseOf(options);
    const nu = nuOf(options);
    const ends = await inTurns(nearEndsOf(picture), pause);
    const header = { width, height, channels, depth: depthOf(picture), modelId: evaluator.model.id, nu, ...ends };
    const parts = [...known];
    if (lags !== undefined) parts.push({ type: PARTS.regions, payload: await inTurns(writeLagsInPieces(lags), pause) });
    const session = new Session(width, height, isGrey(channels), schedule, evaluator, pause, lags);
    const coefficients = await inTurns(PictureCoefficients.of(picture, session.sizes.length - 1), pause);
    const point = { session, stream: new Stream(nu), schedule };
    return new Encoding(picture, evaluator, options, stop, header, parts, alphaSection, coefficients, point);
  }

  /** @param limit bytes that a quality or an error may not take @returns undefined where it would */
  async to(target: LossyTarget, limit = Infinity): Promise<EncodeResult | undefined> {
    if (!('psnr' in target || 'quality' in target)) return (await this.toSizes([sizeOf(target, this.picture)]))[0]!;
    const result = 'psnr' in target ? await this.toError(target.psnr, limit) : await this.toStop(limit);
    return result !== undefined && result.bytes.length < limit ? result : undefined;
  }

  /** Until the stop. @returns undefined where that is not within the limit */
  async toStop(limit: number): Promise<EncodeResult | undefined> {
    const { session } = this.point;
    for (let step = session.next?.step; step !== undefined; step = session.next?.step) {
      await this.runStep(this.point);
      if (this.bytesAt(this.point) >= limit) return undefined;
      if (this.isStop(step)) break;
    }
    return this.finish(this.point, Infinity);
  }

  async toSizes(sizes: readonly number[]): Promise<EncodeResult[]> {
    for (const size of sizes) this.checkSize(size);
    const { session } = this.point;
    const results = new Map<number, EncodeResult>();
    const open = [...sizes].sort((a, b) => a - b);
    const largest = open[open.length - 1] ?? 0;
    for (let step = session.next?.step; step !== undefined && open.length > 0; step = session.next?.step) {
      const before = this.canEndWithin(step) ? fork(this.point) : undefined;
      await this.runStep(this.point, before === undefined ? largest : Infinity);
      while (open.length > 0 && this.bytesAt(this.point) >= open[0]!) {
        const size = open.shift()!;
        if (results.has(size)) continue;
        results.set(
          size,
          before === undefined ? this.finish(this.point, size) : await this.endWithin(before, step, size),
        );
      }
    }
    for (const size of open) results.set(size, this.finish(this.point, size));
    return sizes.map((size) => results.get(size)!);
  }

  /** @param decibels PSNR to be reached by what the decoder will show @returns undefined where that is not within the limit */
  async toError(decibels: number, limit: number): Promise<EncodeResult | undefined> {
    const { picture, point } = this;
    const goal = squaredErrorOf(decibels);
    let before = point.stream.bytes;
    let error = Infinity;
    for (let step = point.session.next?.step; step !== undefined; step = point.session.next?.step) {
      if (this.bytesAt(point) >= limit) return undefined;
      const copy = this.canEndWithin(step) ? fork(point) : undefined;
      const measured = isMeasured(step);
      if (measured) before = point.stream.bytes;
      await this.runStep(point);
      const next = point.session.next?.step;
      if (next !== undefined && !isMeasured(next)) continue;
      const last = error;
      error = await errorOf(point.session, picture, this.endsAt(point), 1);
      // Several views are better than one by about 0.1 dB: they are looked at where one comes near the goal.
      if (next !== undefined && error > SURELY_ABOVE * goal) continue;
      error = await errorOf(point.session, picture, this.endsAt(point));
      if (error > goal) continue;
      if (copy !== undefined) return this.endAtError(copy, step, last, goal);
      point.session.forget();
      return this.cutToError(before, goal);
    }
    throw new DcompError(
      'E_UNREACHABLE',
      `a PSNR of ${decibels} dB cannot be reached; this picture's highest is ${decibelsOf(error).toFixed(2)} dB`,
    );
  }

  /**
   * Whether a file may end with a narrower step than this one: if its header still describes the steps before, which it does not
   * where one of them is narrower than the rest (before a tail of the schedule's own).
   */
  private canEndWithin({ level, kind, from, to }: Step): boolean {
    const { width, height } = this.picture;
    const even = (TOP_CODE - from) % this.point.schedule.fineWidth === 0;
    return level === 0 && kind === 'refine' && from - to > 1 && even && width * height <= MAX_FORKED_PIXELS;
  }

  /**
   * Ends a file of a size that lies within a step: by as much of the step as there is room for and a last step of one
   * code, which is cut.
   * @param before the state before the step; the whole step is more than there is room for
   */
  private async endWithin(before: Point, { from, to }: Step, size: number): Promise<EncodeResult> {
    const room = size - this.bytesAt(before);
    const needed = this.bytesAt(this.point) - this.bytesAt(before);
    // The beginning of a wide step is as good as a narrow one; but where there are several groups, the first may be in the middle of it.
    const narrowest = before.session.next!.groups === 1 ? 1 : 0;
    let widest = from - to - 1;
    let width = Math.min(widest, Math.floor(((from - to) * room) / needed));
    while (width >= narrowest) {
      const point = fork(before, { ...before.schedule, lastCode: from - width - 1, tail: width === 0 ? 0 : 1 });
      if (width > 0) await this.runStep(point);
      if (this.bytesAt(point) > size) {
        widest = --width;
        continue;
      }
      await this.runStep(point);
      if (this.bytesAt(point) >= size) return this.finish(point, size);
      // In two steps the same range may take fewer bytes than in one: the whole step fills the size.
      if (width >= widest) break;
      width++;
    }
    return this.finish(this.point, size);
  }

  /** Ends a file with the narrowest step that reaches an error. @param error before the step, above the goal */
  private async endAtError(before: Point, { from, to }: Step, error: number, goal: number): Promise<EncodeResult> {
    for (let width = 1; ; width++) {
      const point = fork(before, { ...before.schedule, lastCode: from - width, tail: 0 });
      await this.runStep(point);
      const reached = await errorOf(point.session, this.picture, this.endsAt(point));
      if (reached > goal && width < from - to) {
        error = reached;
        continue;
      }
      // The decibels of a step grow about evenly with its bits; what that says is checked.
      const share = log2(error / goal) / log2(error / reached) + 0.1;
      if (width === 1 && share < 1) {
        const bytes = this.bytesAt(before);
        const cut = this.finish(point, bytes + Math.ceil(share * (this.bytesAt(point) - bytes)));
        if ((await this.errorOfFile(cut.bytes)) <= goal) return cut;
      }
      return this.finish(point, Infinity);
    }
  }

  /** Cuts the stream so that the decoded picture just reaches an error: trial decodings between two lengths. */
  private async cutToError(low: number, goal: number): Promise<EncodeResult> {
    const { point } = this;
    const header = this.bytesAt(point) - point.stream.bytes;
    let high = point.stream.bytes;
    for (let i = 0; i < 5 && high - low > Math.max(8, high / 200); i++) {
      const middle = (low + high) >> 1;
      const { bytes } = this.finish(point, header + middle);
      if ((await this.errorOfFile(bytes)) <= goal) high = middle;
      else low = middle;
    }
    return this.finish(point, header + high);
  }

  /** Mean squared error of what a file decodes to. */
  private async errorOfFile(bytes: Uint8Array): Promise<number> {
    const pause = pauseOf(this.options);
    const decoded = await decodeUnchecked(bytes, this.evaluator, { ...OWN, pause });
    return inTurns(meanSquaredError(this.picture, decoded), pause);
  }

  /** Runs the next step, or what of it fits into a file of `limit` bytes. */
  private async runStep(point: Point, limit = Infinity): Promise<void> {
    const { session, stream } = point;
    const { step } = session.next!;
    for (let unit = session.next; unit?.step === step;) {
      const { groupIndex, groups } = unit;
      stream.begin();
      const ideal = await session.runUnit(stream, this.coefficients.rowsOf(step.level));
      unit = session.next;
      stream.end(ideal, groups > 1 || (unit !== undefined && unit.groups > 1));
      const bytes = this.bytesAt(point);
      const share = (step.index + (groupIndex + 1) / groups) / session.steps.length;
      this.options.onProgress?.({
        fraction: limit === Infinity ? share : Math.min(1, bytes / limit),
        stage: `level ${step.level}`,
      });
      if (bytes >= limit) break;
    }
  }

  /** A small picture has fewer levels than a low quality names; it is then left after its root level. */
  private isStop(step: Step): boolean {
    const { level, to } = step;
    return (
      leavesLevelObserved(step) && (level < this.stop.level || (level === this.stop.level && to <= this.stop.code))
    );
  }

  private endsAt({ schedule }: Point): Ends {
    return endsOf({ ...this.header, schedule });
  }

  /** Bytes of the file that ends here. */
  private bytesAt({ stream, schedule }: Point): number {
    return writeHeader({ ...this.header, schedule }, this.parts).length + this.alpha.length + stream.bytes;
  }

  private checkSize(size: number): void {
    const least = this.bytesAt(this.point) + LEAST_BYTES;
    if (size >= least) return;
    const what = [
      'header',
      ...(this.parts.length > 0 ? ['metadata'] : []),
      ...(this.alpha.length > 0 ? ['alpha'] : []),
    ];
    throw new DcompError(
      'E_UNREACHABLE',
      `a file of ${size} bytes is not possible: the ${what.join(' and ')} of this picture alone take${what.length > 1 ? '' : 's'} ${least}`,
    );
  }

  /** The file that ends here, cut to a size. */
  private finish({ stream, schedule, session }: Point, size: number): EncodeResult {
    const header = writeHeader({ ...this.header, schedule }, this.parts);
    // A file without a segment would count as cut.
    const room = Math.max(LEAST_BYTES, size - header.length - this.alpha.length);
    const { bytes: body, idealBits, realBits } = stream.cut(room);
    const bytes = concat([header, this.alpha, body]);
    const { width, height } = this.picture;
    this.options.onProgress?.({ fraction: 1, stage: 'done' });
    return {
      bytes,
      form: 'diffusion',
      width,
      height,
      bitsPerPixel: (8 * bytes.length) / (width * height),
      idealBits,
      realBits,
      ...session.statistics,
    };
  }
}

/** The alpha that the file holds. */
function* keptAlpha(picture: Picture, quality: number): Pieces<Samples | undefined> {
  const alpha = yield* alphaOfInPieces(picture);
  return alpha === undefined || quality === 100
    ? alpha
    : yield* quantiseAlphaInPieces(alpha, depthOf(picture), alphaLevels(quality));
}

function nuOf({ effort = DEFAULT_EFFORT }: EncodingOptions): number {
  return 7 + effort;
}

function pauseOf({ pause, signal }: EncodingOptions): Pause {
  return pause ?? withoutTurns(signal);
}

/** @param schedule that differs in steps to come */
function fork({ session, stream, schedule }: Point, other: Schedule = schedule): Point {
  return { session: session.fork(undefined, other), stream: stream.fork(), schedule: other };
}

const TARGETS: Checks<{ quality: number; bitsPerPixel: number; size: number; psnr: number }> = {
  quality: isNumber('a number from 1 to 100', (value) => value >= 1 && value <= 100),
  bitsPerPixel: isNumber('a number above 0 and up to 1000', (value) => value > 0 && value <= 1000),
  size: isWhole(1, Infinity, ' of bytes'),
  psnr: isNumber('a number of decibels above 0 and up to 100', (value) => value > 0 && value <= 100),
};

const checkTarget: Check<Target> = (target, name) => {
  if (target === 'lossless') return target;
  checkObject(target, name, 'an object such as { quality: 50 }, or "lossless"');
  const given = Object.keys(target).filter((key) => target[key as keyof typeof target] !== undefined);
  const known = given.filter((key) => Object.hasOwn(TARGETS, key));
  if (given.length !== 1 || known.length !== 1)
    throw new DcompError(
      'E_USAGE',
      `the target needs exactly one of quality, bitsPerPixel, size and psnr; it has ${given.length === 0 ? 'none' : given.join(' and ')}`,
    );
  return checkValues(target as Record<string, unknown>, TARGETS) as Target;
};

/** What each of the encoder's options can be. */
export const ENCODER_CHECKS: Checks<EncoderOptions> = {
  target: checkTarget,
  effort: isWhole(1, 9),
  views: isOneOf(VIEWS),
  importance: importanceOf,
  pixelHash: isBoolean,
  maxPixels: DECODER_CHECKS.maxPixels,
  maxWork: DECODER_CHECKS.maxWork,
  alphaQuality: isNumber('a number from 0 to 100', (value) => value >= 0 && value <= 100),
  exact: isBoolean,
  plain: isBoolean,
  onProgress: isFunction,
  signal: isSignal,
};

/**
 * What can be said against an encoding before a model is at hand.
 * @returns the picture as the codec takes it
 * @throws DcompError E_PICTURE, E_TOO_LARGE, E_USAGE
 */
export function checkEncoding(source: unknown, options: EncoderOptions): Picture {
  const picture = pictureOf(source);
  const { importance, maxPixels = DEFAULT_MAX_PIXELS } = checkValues<EncoderOptions>({ ...options }, ENCODER_CHECKS);
  const { width, height } = picture;
  if (width * height > maxPixels)
    throw new DcompError(
      'E_TOO_LARGE',
      `the picture has ${width}×${height} pixels, more than the limit of ${maxPixels}; raise the limit (maxPixels) to encode it`,
    );
  if (importance !== undefined) checkImportance(importance, picture);
  return picture;
}

/**
 * Sigma codes of level 0 by quality: of pictures that end there, the mean SSIMULACRA 2 score is about the quality, up to 90;
 * from there on to sigma ½, which scores 96.
 */
const CODES_OF_QUALITY: readonly (readonly [quality: number, code: number])[] = [
  [10, 168],
  [26, 160],
  [42, 152],
  [56, 144],
  [66, 136],
  [74, 128],
  [80, 120],
  [84, 112],
  [88, 104],
  [90.5, 96],
  [93, 88],
  [95.5, 80],
  [98, 72],
  [100, LAST_CODE],
];

/** Where the stream ends for a quality. Below 10 that is at coarser levels. */
function stopOfQuality(quality: number): Stop {
  const [lowest] = CODES_OF_QUALITY[0]!;
  if (quality < lowest) {
    const steps = lowest - 1 - Math.floor(quality);
    return { level: 1 + Math.floor(steps / 5), code: TOP_CODE - CODES_LEVEL_SPAN + 4 * (steps % 5) };
  }
  const i = CODES_OF_QUALITY.findIndex(([q]) => q >= quality);
  const [high, to] = CODES_OF_QUALITY[i]!;
  const [low, from] = CODES_OF_QUALITY[Math.max(0, i - 1)]!;
  return { level: 0, code: i === 0 ? to : Math.floor(from + ((quality - low) * (to - from)) / (high - low) + 0.5) };
}

/** Whether the error is measured before a step, which costs an evaluation of the full resolution: at level 0, and once a level before. */
function isMeasured(step: Step): boolean {
  return step.level === 0 || (entersLevel(step) && step.level <= 2);
}

/** Mean squared error of what the decoder would show now. */
async function errorOf(session: Session, picture: Picture, ends: Ends, views?: number): Promise<number> {
  const { width, channels, data } = picture;
  let sum = 0;
  await session.show(
    (rows, y) => {
      const from = data.subarray(y * width * channels, (y + rows.height) * width * channels);
      sum += squaredError(from, join(rows, channels, undefined, depthOf(picture), ends).data, channels);
    },
    0,
    undefined,
    views,
  );
  return meanOf(sum, picture);
}

/** Over the colour samples, in units of 8 bits. */
function* meanSquaredError(a: Picture, b: Picture): Pieces<number> {
  const piece = a.channels * 2 ** 18;
  let sum = 0;
  for (let i = 0; i < a.data.length; i += piece) {
    sum += squaredError(a.data.subarray(i, i + piece), b.data.subarray(i, i + piece), a.channels);
    yield;
  }
  return meanOf(sum, a);
}

/** A sum of squared errors of a picture's colour samples as their mean, in units of 8 bits. */
function meanOf(sum: number, picture: Picture): number {
  const unit = 255 / rangeOf(depthOf(picture));
  return (sum / (picture.width * picture.height * (isGrey(picture.channels) ? 1 : 3))) * (unit * unit);
}

/** A sum of whole numbers, exact in any order. */
function squaredError(a: Samples, b: Samples, channels: Channels): number {
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

/**
 * PSNR in dB over the colour samples of two pictures of the same size, kind and depth. Infinity for equal ones.
 * @throws DcompError E_PICTURE, E_TOO_LARGE; E_USAGE where they differ in size, kind or depth
 */
export function psnr(a: Picture, b: Picture): number {
  const [first, second] = [pictureOf(a), pictureOf(b)];
  const kinds = [first, second].map(
    (picture) => `${picture.width}×${picture.height}, ${picture.channels} channels of ${depthOf(picture)} bits`,
  );
  if (kinds[0] !== kinds[1])
    throw mustBe('the PSNR', `${kinds[0]} against ${kinds[1]}`, 'of two pictures of the same size, kind and depth');
  return decibelsOf(finish(meanSquaredError(first, second)));
}

function decibelsOf(squaredError: number): number {
  return squaredError === 0 ? Infinity : DECIBELS_PER_OCTAVE * log2((255 * 255) / squaredError);
}

/** Mean squared error of a PSNR, the same on every machine: it decides where a file ends. */
function squaredErrorOf(decibels: number): number {
  return 255 * 255 * exp2(-decibels / DECIBELS_PER_OCTAVE);
}
