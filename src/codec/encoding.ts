/** Walks the schedule, sends every step as points and signs, and cuts the stream where the target is reached. */
import { concat, writeHeader, type Header } from '../container/container.js';
import { PARTS, type Part } from '../container/parts.js';
import {
  entersLevel,
  leavesLevelObserved,
  modeBefore,
  whiteCode,
  type Step,
  type Straight,
} from '../diffusion/schedule.js';
import { DcompError } from '../errors.js';
import { log2 } from '../math/exact.js';
import type { Evaluator } from '../model/evaluator.js';
import type { Size } from '../math/rectangle.js';
import { TOP_CODE } from '../model/sigma.js';
import { depthOf, MAX_PIXELS, type Picture } from '../picture.js';
import type { Ends } from '../pixels/colour.js';
import { folded } from '../pixels/fold.js';
import { PictureCoefficients } from '../pixels/picture-coefficients.js';
import { isGrey } from '../pixels/picture-planes.js';
import { inTurns } from '../turns.js';
import { decodeUnchecked } from './decoder.js';
import { nuOf, pauseOf, sizeOf, type EncodeResult, type EncodingOptions, type LossyTarget } from './encoder-options.js';
import type { Plan } from './coding-plan.js';
import { endsAtCode, nearEndsOf, type Prepared } from './prepared.js';
import { decibelsOf, errorOf, meanSquaredError, squaredErrorOf } from './psnr.js';
import type { SettledEnding, Stop } from './quality.js';
import { writeLagsInPieces } from './region.js';
import { fork, forkPrepared, SizeEnds, type Point, type Walk } from './end-at-size.js';
import { Session } from './session.js';
import { LEAST_BYTES, Stream } from './stream.js';

/** A squared error with one view that is so many times the goal (0.4 dB) is above it with several views, too. */
const SURELY_ABOVE = 1.1;

/** The share of a size from which on a straight file is not refined: each refining step is an evaluation of the whole picture. */
export const NEARLY = 0.95;

/** Pictures of more pixels are cut within a step of full width: a copy of the state, to end in another way, costs 15 bytes a pixel. */
const MAX_FORKED_PIXELS = 2 ** 23;

/** What the encoder has made it decodes whatever it takes. */
export const OWN = { maxPixels: MAX_PIXELS, maxWork: Infinity };

/** One walk along the schedule. */
export class Encoding {
  private constructor(
    private readonly picture: Picture,
    private readonly evaluator: Evaluator,
    private readonly options: EncodingOptions,
    private readonly stop: Stop,
    private readonly header: Omit<Header, 'schedule' | 'ends'>,
    private readonly nearEnds: Ends,
    private readonly parts: readonly Part[],
    private readonly alpha: Uint8Array,
    readonly coefficients: PictureCoefficients,
    private point: Point,
    /** How files of given sizes end; undefined where they are not settled. */
    private readonly endingAt: SettledEnding | undefined,
  ) {}

  /** The header of a file whose session has been forgotten. */
  private ended: Header | undefined;

  /** @param given the coefficients of the picture, where they are known */
  static async of(
    { lags, schedule, endingAt }: Plan,
    { picture, alphaSection, parts: known }: Prepared,
    evaluator: Evaluator,
    options: EncodingOptions,
    stop: Stop,
    given?: PictureCoefficients,
  ): Promise<Encoding> {
    const { width, height, channels } = picture;
    const pause = pauseOf(options);
    const nu = nuOf(options);
    const ends = await inTurns(nearEndsOf(picture), pause);
    const header = { width, height, channels, depth: depthOf(picture), modelId: evaluator.model.id, nu };
    const parts = [...known];
    if (lags !== undefined) parts.push({ type: PARTS.regions, payload: await inTurns(writeLagsInPieces(lags), pause) });
    const session = new Session(width, height, isGrey(channels), schedule, evaluator, pause, lags);
    const coefficients =
      given ?? (await inTurns(PictureCoefficients.of(folded(picture), session.sizes.length - 1), pause));
    const point = { session, stream: new Stream(nu), schedule };
    return new Encoding(
      picture,
      evaluator,
      options,
      stop,
      header,
      ends,
      parts,
      alphaSection,
      coefficients,
      point,
      // Only from copies of the state can a file end in another way than it was begun for.
      width * height <= MAX_FORKED_PIXELS ? endingAt : undefined,
    );
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
      if (this.isStop(step) && session.next?.step.kind !== 'settle') break;
    }
    return this.finish(this.point, Infinity);
  }

  async toSizes(sizes: readonly number[]): Promise<EncodeResult[]> {
    for (const size of sizes) this.checkSize(size);
    const { session } = this.point;
    const results = new Map<number, EncodeResult>();
    const { width, height } = this.picture;
    const ends = new SizeEnds(this.walk, this.endingAt, width * height);
    let open = [...new Set(sizes)].sort((a, b) => a - b);
    const largest = open[open.length - 1] ?? 0;
    for (let step = session.next?.step; step !== undefined && open.length > 0; step = session.next?.step) {
      if (this.isNear(largest)) break;
      if (entersLevel(step)) ends.leave(this.point);
      const canEnd = this.canEndWithin(step) || ends.canSettleWithin(step);
      const before = canEnd ? await forkPrepared(this.point) : undefined;
      await this.runStep(this.point, before === undefined ? largest : Infinity);
      for (const size of open) {
        const result = await ends.endAt({ before, step, after: this.point }, size);
        if (result !== undefined) results.set(size, result);
      }
      open = open.filter((size) => !results.has(size));
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
      const copy = this.canEndWithin(step) ? await forkPrepared(point) : undefined;
      const measured = this.isMeasured(step);
      if (measured) before = point.stream.bytes;
      await this.runStep(point);
      const next = point.session.next?.step;
      if (next !== undefined && !this.isMeasured(next)) continue;
      const last = error;
      error = await errorOf(point.session, picture, this.headerAt(point).ends, 1);
      // Several views are better than one by about 0.1 dB: they are looked at where one comes near the goal.
      if (next !== undefined && error > SURELY_ABOVE * goal) continue;
      error = await errorOf(point.session, picture, this.headerAt(point).ends);
      if (error > goal) continue;
      if (copy !== undefined) return this.endAtError(copy, step, last, goal);
      this.ended = this.headerAt(point);
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
    const { fineWidth, straight } = this.point.schedule;
    const even = ((straight?.firstCode ?? TOP_CODE) - from) % fineWidth === 0;
    return level === 0 && kind === 'refine' && from - to > 1 && even && width * height <= MAX_FORKED_PIXELS;
  }

  /** Ends a file with the narrowest step that reaches an error. @param error before the step, above the goal */
  private async endAtError(before: Point, { from, to }: Step, error: number, goal: number): Promise<EncodeResult> {
    for (let width = 1; ; width++) {
      const point = fork(before, { ...before.schedule, lastCode: from - width, tail: 0 });
      await this.runStep(point);
      const reached = await errorOf(point.session, this.picture, this.headerAt(point).ends);
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

  /** Measures levels that are still to come in another way; it measures those that have been as they were. */
  aim(straight: Straight): void {
    const { schedule } = this.point;
    const lastCode = Math.min(schedule.lastCode, straight.firstCode);
    this.point = fork(this.point, { ...schedule, straight, lastCode });
  }

  /**
   * Measures u_level: of the coarsest all, of the others what is not known from the coarser one.
   * @param size of the file @param limit bytes at which it is given up
   */
  async enter(level: number, size: number, limit = Infinity): Promise<void> {
    const { session } = this.point;
    for (let step = session.next?.step; step !== undefined; step = session.next?.step) {
      if ((step.kind !== 'root' && step.level < level) || step.kind === 'refine' || this.bytes >= limit) return;
      await this.runStep(this.point, limit, size);
    }
  }

  /** Runs the next step, or what of it fits into a file of `limit` bytes. @param size of the file, as far as is known */
  private async runStep(point: Point, limit = Infinity, size = limit): Promise<void> {
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
        fraction: size === Infinity ? share : Math.min(1, bytes / size),
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

  /**
   * Whether the error is measured before a step, which costs an evaluation of the full resolution: at level 0, and once a level
   * before, but not before all details have been measured straight.
   */
  private isMeasured({ level, kind, part }: Step): boolean {
    if (this.point.schedule.straight !== undefined) return level === 0 && kind === 'refine';
    return level === 0 || (entersLevel({ kind, part }) && level <= 2);
  }

  private headerAt({ session, schedule }: Point): Header {
    if (this.ended !== undefined) return this.ended;
    const step = session.next?.step;
    const code =
      step === undefined
        ? whiteCode(schedule)
        : step.level === 0 && modeBefore(step.kind) === 'refine'
          ? step.from
          : (schedule.straight?.firstCode ?? TOP_CODE);
    return { ...this.header, schedule, ends: endsAtCode(this.nearEnds, code) };
  }

  private readonly walk: Walk = {
    runStep: (point) => this.runStep(point),
    bytesAt: (point) => this.bytesAt(point),
    finish: (point, size) => this.finish(point, size),
  };

  /** Bytes of the file that ends here. */
  private bytesAt(point: Point): number {
    return writeHeader(this.headerAt(point), this.parts).length + this.alpha.length + point.stream.bytes;
  }

  /** Sizes of u₀, u₁, … */
  get sizes(): readonly Size[] {
    return this.point.session.sizes;
  }

  /** Bytes of the file that would end here. */
  get bytes(): number {
    return this.bytesAt(this.point);
  }

  /** Whether a straight file with all its details is so near to a size that refining would cost decoders more than it brings. */
  private isNear(size: number): boolean {
    return (
      this.point.schedule.straight !== undefined && this.entered === 0 && this.bytesAt(this.point) >= NEARLY * size
    );
  }

  /** The finest level all details of which have been measured; of none that of the root. */
  get entered(): number {
    const step = this.point.session.next?.step;
    return step === undefined ? 0 : step.level + (modeBefore(step.kind) === 'enter' ? 1 : 0);
  }

  /** The file that ends here, cut to a size. */
  cutTo(size: number): EncodeResult {
    return this.finish(this.point, size);
  }

  /** Mean squared error of what the decoder shows of the file that ends here. */
  error(): Promise<number> {
    return errorOf(this.point.session, this.picture, this.headerAt(this.point).ends);
  }

  /** @throws DcompError E_UNREACHABLE where a file cannot be so small */
  checkSize(size: number): void {
    const least = this.bytesAt(this.point) - this.point.stream.bytes + LEAST_BYTES;
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

  /**
   * All steps, for a file that goes on behind them.
   * @returns what it begins with, and where the walk has ended
   */
  async walked(): Promise<{ start: Uint8Array; session: Session; idealBits: number; realBits: number }> {
    const { point } = this;
    while (point.session.next !== undefined) await this.runStep(point);
    const { bytes, ...bits } = point.stream.cut(Infinity, false);
    const header = writeHeader(this.headerAt(point), this.parts);
    return { start: concat([header, this.alpha, bytes]), session: point.session, ...bits };
  }

  /** The file that ends here, cut to a size. */
  private finish(point: Point, size: number): EncodeResult {
    const { stream, session } = point;
    const header = writeHeader(this.headerAt(point), this.parts);
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
