/** The last steps of a refined file of a given size: how wide they are, so that it is filled. */
import { leavesLevelObserved, MAX_LAST_LEVEL, type Schedule, type Step } from '../diffusion/schedule.js';
import { groupCount } from '../diffusion/units.js';
import { CODES_LEVEL_SPAN } from '../format.js';
import { TOP_CODE } from '../model/sigma.js';
import type { EncodeResult } from './encoder-options.js';
import { MOST_STRENGTH, mostStrengthAt, type SettledEnding } from './quality.js';
import type { Session } from './session.js';
import type { Stream } from './stream.js';

/** How far an encoding has come. */
export interface Point {
  session: Session;
  stream: Stream;
  schedule: Schedule;
}

/** @param schedule that differs in steps to come */
export function fork({ session, stream, schedule }: Point, other: Schedule = schedule): Point {
  return { session: session.fork(undefined, other), stream: stream.fork(), schedule: other };
}

/** Before the next step, which will be tried with several widths: what it begins with is evaluated once. */
export async function forkPrepared(point: Point): Promise<Point> {
  await point.session.prepare();
  return fork(point);
}

/** What may be done with a point. */
export interface Walk {
  runStep(point: Point): Promise<void>;
  /** Of the file that ends there. */
  bytesAt(point: Point): number;
  /** That file, cut to a size. */
  finish(point: Point, size: number): EncodeResult;
}

/** A step that has been run. */
export interface Ran {
  step: Step;
  /** The states before it, where it may end narrower, and after it. */
  before: Point | undefined;
  after: Point;
}

/** Bits per pixel that settling takes, as is believed to begin with, at most. */
const SETTLED_BITS = 0.055;

/** Bits per pixel that it takes less when it is a strength less, at most: a quarter of a bit of what levels 2 and coarser have. */
const STRENGTH_BITS = 1 / 64;

/** What settling may take of a file. */
const MOST_SETTLED_SHARE = 0.3;

/** Sigma code to which a level is refined where there is no room for the next one; hardly a file comes so far. */
const FINEST_LAST_CODE = TOP_CODE - 3 * CODES_LEVEL_SPAN;

/** So many codes a level is refined by, or it is not worth having been entered. */
const LEAST_REFINED = 2;

/** Ends files of sizes that lie within a step. */
export class SizeEnds {
  /** Bytes that settling takes in a file of a size. */
  private readonly beliefs = new Map<number, number>();
  /** How strongly such a file is settled, at most. */
  private readonly strengths = new Map<number, number>();
  /** Before the finest level was entered. */
  private left: Point | undefined;

  /** @param endingAt how files end; undefined where they are not settled @param pixels of the picture */
  constructor(
    private readonly walk: Walk,
    private readonly endingAt: SettledEnding | undefined,
    private readonly pixels: number,
  ) {}

  /** @param point before a level is entered */
  leave(point: Point): void {
    if (this.endingAt !== undefined && point.session.level <= MAX_LAST_LEVEL) this.left = fork(point);
  }

  /** Whether a file may end with less of a step, settled. */
  canSettleWithin({ level, kind, from, to }: Step): boolean {
    if (this.endingAt === undefined || kind !== 'refine') return false;
    return level > 0 && level <= MAX_LAST_LEVEL && from - to > 1;
  }

  /** @returns undefined where there is room for more than the step */
  async endAt(ran: Ran, size: number): Promise<EncodeResult | undefined> {
    const { walk } = this;
    const settled = await this.endSettled(ran, size);
    if (settled !== undefined || walk.bytesAt(ran.after) < size) return settled;
    return ran.before === undefined || ran.step.level > 0
      ? walk.finish(ran.after, size)
      : this.endWithin({ ...ran, before: ran.before }, size);
  }

  /**
   * By as much of the step as there is room for and a last step of one code, which is cut. The whole step is more than
   * there is room for.
   */
  private async endWithin(
    { before, after, step: { from, to } }: Ran & { before: Point },
    size: number,
  ): Promise<EncodeResult> {
    const { walk } = this;
    const room = size - walk.bytesAt(before);
    const needed = walk.bytesAt(after) - walk.bytesAt(before);
    // The beginning of a wide step is as good as a narrow one; but where there are several groups, the first may be in the middle of it.
    const narrowest = before.session.next!.groups === 1 ? 1 : 0;
    let widest = from - to - 1;
    let width = Math.min(widest, Math.floor(((from - to) * room) / needed));
    while (width >= narrowest) {
      const point = fork(before, { ...before.schedule, lastCode: from - width - 1, tail: width === 0 ? 0 : 1 });
      if (width > 0) await walk.runStep(point);
      if (walk.bytesAt(point) > size) {
        widest = --width;
        continue;
      }
      await walk.runStep(point);
      if (walk.bytesAt(point) >= size) return walk.finish(point, size);
      // In two steps the same range may take fewer bytes than in one: the whole step fills the size.
      if (width >= widest) break;
      width++;
    }
    return walk.finish(after, size);
  }

  /** Settled. @returns undefined where there is room for more than the step and that, or nothing is settled */
  private async endSettled(ran: Ran, size: number): Promise<EncodeResult | undefined> {
    const { step, after } = ran;
    if (this.endingAt === undefined || step.level > MAX_LAST_LEVEL || !this.isFull(after, size)) return undefined;
    const isDone = leavesLevelObserved(step) && after.session.next?.step.index !== step.index;
    const end = isDone ? await this.settledWithin(ran, size) : undefined;
    if (end === ROOM) return undefined;
    // A level that has just been entered is worth less than what the coarser one can still tell for these bytes.
    const isNew = step.kind === 'enter' || (end !== undefined && end.schedule.lastCode > TOP_CODE - LEAST_REFINED);
    const coarser = isNew ? await this.settledBefore(size) : undefined;
    if (coarser?.isFull === true) return this.walk.finish(coarser.point, size);
    if (end !== undefined) return this.walk.finish(end, size);
    return coarser && this.walk.bytesAt(after) >= size ? this.walk.finish(coarser.point, size) : undefined;
  }

  /** Whether a file of a size has no room for more, as is believed. */
  private isFull(point: Point, size: number): boolean {
    return this.walk.bytesAt(point) + this.believedFor(size) >= size;
  }

  /**
   * By as much of the step as leaves room for settling. The last bytes of that matter least, so they are cut where one code
   * less would leave some over; but not of several groups, as the last one would lose most of it.
   */
  private async settledWithin(ran: Ran, size: number): Promise<Point | typeof ROOM> {
    const { walk } = this;
    const { before, after, step } = ran;
    const whole = walk.bytesAt(after);
    const start = before === undefined ? whole : walk.bytesAt(before);
    const most = before === undefined ? 0 : step.from - step.to;
    const ends = new Map<number, Point>();
    const bytesAfter = async (width: number): Promise<number> => {
      const end = await this.settledEnd(ran, width, size);
      ends.set(width, end);
      return walk.bytesAt(end);
    };
    const perCode = Math.max(1, (whole - start) / Math.max(1, most));
    const guess = (size - start - this.believedFor(size)) / perCode;
    const { fits, over } = await widthsAround({ size, bytesAfter, perCode, most }, guess);
    if (fits === most) return ROOM;
    const width = groupCount(after.session.sizes[step.level]!) === 1 ? (over ?? fits) : (fits ?? over);
    return ends.get(width!)!;
  }

  /** After so many codes of the step, settled: as strongly as may be for the bytes that it takes. */
  private async settledEnd({ before, after, step }: Ran, width: number, size: number): Promise<Point> {
    const { walk } = this;
    const lastCode = before === undefined ? step.to : step.from - width;
    const end = fork(before ?? after, { ...after.schedule, ...this.endingWith(step.level, lastCode, size) });
    if (width > 0) await walk.runStep(end);
    await end.session.prepare();
    for (;;) {
      const point = fork(end, { ...end.schedule, ...this.endingWith(step.level, lastCode, size) });
      await walk.runStep(point);
      const bytes = walk.bytesAt(point) - walk.bytesAt(end);
      this.beliefs.set(size, bytes);
      const strength = Math.min(this.strengthFor(size), mostStrengthAt({ level: step.level, code: lastCode }));
      const excess = bytes - MOST_SETTLED_SHARE * size;
      if (excess <= 0 || strength === 0) return point;
      // The strongest alone settles level 1, so how much less the next one takes is not known.
      const fewer = strength === MOST_STRENGTH ? 1 : Math.floor((8 * excess) / (STRENGTH_BITS * this.pixels));
      this.strengths.set(size, Math.max(0, strength - Math.max(1, fewer)));
    }
  }

  /**
   * Before the finest level was entered, by as many more steps of the coarser one as there is room for.
   * @returns also whether there is no room for more
   */
  private async settledBefore(size: number): Promise<{ point: Point; isFull: boolean } | undefined> {
    const { left, walk } = this;
    if (left === undefined) return undefined;
    const { level } = left.session;
    const after = fork(left, { ...left.schedule, ...this.endingWith(level, FINEST_LAST_CODE, size) });
    let { step } = after.session.next!;
    for (;;) {
      const before = await forkPrepared(after);
      await walk.runStep(after);
      const point = this.isFull(after, size)
        ? await this.settledWithin({ before, step, after: fork(after) }, size)
        : ROOM;
      if (point !== ROOM) return { point, isFull: true };
      const next = after.session.next!.step;
      if (next.kind === 'settle') break;
      step = next;
    }
    return { point: await this.settledEnd({ before: undefined, step, after }, 0, size), isFull: false };
  }

  private believedFor(size: number): number {
    return this.beliefs.get(size) ?? Math.min((SETTLED_BITS * this.pixels) / 8, MOST_SETTLED_SHARE * size);
  }

  private strengthFor(size: number): number {
    return this.strengths.get(size) ?? MOST_STRENGTH;
  }

  private endingWith(level: number, code: number, size: number): Partial<Schedule> {
    return { tail: 0, ...this.endingAt!({ level, code }, this.strengthFor(size)) };
  }
}

/** What a file still has after all that could be tried. */
const ROOM = 'room';

/** What is looked for among widths of a step. */
interface Widths {
  size: number;
  /** Of the file; grows with the width. */
  bytesAfter(width: number): Promise<number>;
  /** By how much, about. */
  perCode: number;
  /** Codes of the step. */
  most: number;
}

/** Of neighbouring widths the one that fits a size and the one that does not, found by trying from a guess on. */
async function widthsAround(
  { size, bytesAfter, perCode, most }: Widths,
  guess: number,
): Promise<{ fits: number | undefined; over: number | undefined }> {
  let fits: { width: number; bytes: number } | undefined;
  let over: typeof fits;
  const codesOf = (bytes: number): number => Math.max(1, Math.ceil(bytes / perCode));
  let width = Math.min(most, Math.max(0, Math.floor(guess + 0.5)));
  for (;;) {
    const bytes = await bytesAfter(width);
    if (bytes <= size) fits = { width, bytes };
    else over = { width, bytes };
    if (over === undefined) {
      if (width === most) break;
      width = Math.min(most, width + codesOf(size - bytes));
    } else if (fits === undefined) {
      if (width === 0) break;
      width = Math.max(0, width - codesOf(bytes - size));
    } else {
      const between = over.width - fits.width;
      if (between <= 1) break;
      const share = (size - fits.bytes) / (over.bytes - fits.bytes);
      width = fits.width + Math.min(between - 1, Math.max(1, Math.floor(share * between + 0.5)));
    }
  }
  return { fits: fits?.width, over: over?.width };
}
