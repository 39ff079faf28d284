/**
 * The schedule: which steps a file consists of, in order. A step ends when every coefficient of its level that it
 * concerns has been observed with the sigma of code `to`.
 */
import { DcompError } from '../errors.js';
import { TOP_CODE } from '../model/sigma.js';
import { codedSize, CODES_LEVEL_SPAN, HANDED_ON_CODE, LAST_CODE, MAX_FIRST_CODE, ROOT_SIDE } from '../format.js';
import type { Size } from '../math/rectangle.js';
import type { Mode } from '../model/inputs.js';

/**
 * root: LL of the coarsest level, against the prior. enter: the details of a level, LL being known, in one step or
 * two. refine: all of a level. settle: what is shown, once more at coarse levels.
 */
export type StepKind = 'root' | 'enter' | 'refine' | 'settle';

export interface Step {
  index: number;
  level: number;
  kind: StepKind;
  /** Sigma code of the level before the step (of LL, for `enter`), and after it. */
  from: number;
  to: number;
  /**
   * Where a level is entered in two steps: the first is about the coefficients of which column + row + channel is even, those that have
   * at least FIRST_INFORMATION to tell; the second is about the rest, of which the model then knows the neighbours that matter.
   */
  part?: 'first' | 'rest';
  /** Whether single coefficients may be corrected when the step is done. */
  corrected: boolean;
  /** Whether coefficients that are unknown and have less than LEAST_INFORMATION to tell stay so. */
  leavesOut: boolean;
  /** Whether it is told in stages (src/codec/stages.ts); the parts are of subbands then, in all colours alike. */
  inStages: boolean;
}

/** What the file says about its steps. */
export interface Schedule {
  /** Width of a refining step in sigma codes (1/16 octave) at levels ≥ 1 and at level 0, 1..16. */
  coarseWidth: number;
  fineWidth: number;
  /** Sigma code at which the last level ends, LAST_CODE..TOP_CODE; of a straight schedule up to its first code. */
  lastCode: number;
  /** The finest level that is measured, 0..MAX_LAST_LEVEL; default 0. Of schedules that settle what is shown alone. */
  lastLevel?: number;
  /**
   * Width of a last step of its own at level 0, 0..MAX_TAIL, 0 for none. A file of a given size ends within a step, and a
   * step's middle is worse than its ends: by 0.08 to 0.16 dB for a width of 4, hardly for a width of 1.
   */
  tail: number;
  /**
   * Evaluations that the picture shown is the mean of: 1, 2 (also mirrored left to right), 4 (also upside down). The network errs
   * differently on a mirrored picture: 2 are 0.09 dB better than one, 4 0.14 dB.
   */
  views: Views;
  /** The same of the evaluations that steps of levels ≥ 1 begin with. */
  coarseViews: Views;
  /** Whether a model that has two ways to show a picture, which another one's path has led to, does so for the eye, in place of the mean. */
  forEye?: boolean;
  /**
   * Of messages, which have few bits: width of refining steps at the two coarsest levels, unless one is level 0, and no corrections at levels
   * ≥ 1. No file states it.
   */
  coarsestWidth?: number;
  /** Of messages: width of the first refining step of all other levels, 0 for that of the others. It moves the ends of steps, of which one is best to end at. */
  firstWidth?: number;
  /** Of messages: whether the posterior mean of a level counts as known better than its variance says, as on a straight path; see `MEAN_AHEAD`. */
  trustsMeans?: boolean;
  /**
   * How levels are measured straight at their final sigma, in place of being refined from sigma_top down. Takes a few
   * evaluations at any rate, and a network that knows LL to be more precise than sigma_top.
   */
  straight?: Straight;
  /** Of a refined schedule whose last code is reached: with what noise coarse levels are settled in the end; see src/codec/settle.ts. */
  settled?: Settled;
  /**
   * How strongly contrast masks errors where levels are measured straight or settled, 0..MAX_MASKING; default 0, not at all. See
   * src/codec/masking.ts.
   */
  masking?: number;
  /** By how many codes more than brightness a straight schedule measures the colours; default: none. */
  chroma?: Chroma;
}

/**
 * By how many codes levels 1 to 4 are settled more precisely than noise of the last code, if it were white, has them:
 * multiples of SETTLE_UNIT up to MAX_SETTLED, or NOT_SETTLED.
 */
export type Settled = readonly [number, number, number, number];
/** What the header counts `settled` in. */
export const SETTLE_UNIT = 4;
/** Of a level that stays as it is. */
export const NOT_SETTLED = -SETTLE_UNIT;
const MAX_SETTLED = 14 * SETTLE_UNIT;
/** Levels that are settled, at most. */
export const SETTLED_LEVELS = 4;
/** The coarsest one that a file may end with and be settled all the same. */
export const MAX_LAST_LEVEL = 3;

/** The path that finishes coarse levels first, and measures the details of each level at once. */
export interface Straight {
  /** Sigma code that the details of level 0 are measured with, FINEST_FIRST_CODE..MAX_FIRST_CODE; refining steps go on from it. */
  firstCode: number;
  /**
   * By how many codes levels 1, 2, 3 and the coarser ones are more precise than where noise is white, 0..MAX_AHEAD
   * each: what the eye's metrics ask for costs few bits, as coarse coefficients are few.
   */
  ahead: Ahead;
  /**
   * Whether the details of level 0 are measured at once, in place of two parts: an evaluation of the whole picture less, for
   * what the second part would have learnt from the first.
   */
  atOnce?: boolean;
}
/** Halves of a sigma code for each time that the energy of a block doubles. */
export const MAX_MASKING = 15;
export const CHROMA_UNIT = 2;
export const MAX_CHROMA = 30;
export type Ahead = readonly [number, number, number, number];

/** What the header counts `ahead` in, and the largest that it can state. */
export const MAX_AHEAD = 63;
/** Noise that is white. */
const WHITE: Ahead = [0, 0, 0, 0];

/** No level ≥ 1 is measured to a lower sigma code: sigma ¼. */
export const FINEST_COARSE_CODE = LAST_CODE - CODES_LEVEL_SPAN;
/** Level 0 is measured straight to this sigma code at best, sigma 1, and refined from there: coarser levels end at sigma ¼. */
export const FINEST_FIRST_CODE = LAST_CODE + CODES_LEVEL_SPAN;

/** Sigma code at which the details of a level are measured straight. */
export function straightCode({ firstCode, ahead }: Straight, level: number): number {
  if (level === 0) return firstCode;
  const offset = ahead[Math.min(level, ahead.length) - 1]!;
  return Math.max(FINEST_COARSE_CODE, firstCode - CODES_LEVEL_SPAN * level - offset);
}

/** Sigma code of level 0 that white noise has there where the last level ends. */
export function whiteCode({ lastCode, lastLevel = 0 }: Pick<Schedule, 'lastCode' | 'lastLevel'>): number {
  return lastCode + CODES_LEVEL_SPAN * lastLevel;
}

/** Sigma code that a level ≥ 1 is settled with; undefined where it stays as it is. */
export function settledCode(
  schedule: Pick<Schedule, 'lastCode' | 'lastLevel' | 'settled'>,
  level: number,
): number | undefined {
  const ahead = schedule.settled?.[level - 1] ?? NOT_SETTLED;
  return ahead === NOT_SETTLED ? undefined : Math.max(1, whiteCode(schedule) - CODES_LEVEL_SPAN * level - ahead);
}

/** The finest level whose pixels are settled; undefined where none is. @param last the level that the file ends with */
export function finestSettled(schedule: Pick<Schedule, 'settled'>, last: number): number | undefined {
  const i = schedule.settled?.findIndex((ahead, at) => at + 1 >= last && ahead !== NOT_SETTLED) ?? -1;
  return i < 0 ? undefined : i + 1;
}

/** Codes at levels 0 and 1, and at the coarser ones: even, up to MAX_CHROMA. */
export type Chroma = readonly [number, number];

/** By how many codes more than brightness the colours of a level are measured. */
export function chromaAt({ straight, chroma = [0, 0] }: Pick<Schedule, 'straight' | 'chroma'>, level: number): number {
  return straight === undefined ? 0 : chroma[level < 2 ? 0 : 1];
}

/** What `views` may be. */
export const VIEWS = [1, 2, 4] as const;
/** Evaluations that a picture shown is the mean of. */
export type Views = (typeof VIEWS)[number];

/** Views of a refined file, unless it is settled above level 0 or its encoding says otherwise. */
export const DEFAULT_VIEWS: Views = 2;

/** Coarse views of a file with so many views, unless its schedule says otherwise: only who pays for four has them at levels ≥ 1, too. */
export function coarseViewsOf(views: Views): Views {
  return views === 4 ? 2 : 1;
}

/** Levels of more pixels have one view, as several take an array of the level's size. */
const MAX_MIRRORED_PIXELS = 2 ** 23;

/**
 * How many views an evaluation has of those wanted. Blocks that lag behind, at level 0, would lag elsewhere in a mirrored picture.
 * @param size of the level's picture
 * @param lagging whether the file has regions
 */
export function viewsAt(level: number, { width, height }: Size, lagging: boolean, wanted: number): number {
  return (level === 0 && lagging) || width * height > MAX_MIRRORED_PIXELS ? 1 : wanted;
}

/** Largest tail that the header can state. */
export const MAX_TAIL = 7;

/** 8 steps an octave at levels ≥ 1, where they are cheap; 4 at level 0. */
export const DEFAULT_SCHEDULE: Schedule = {
  coarseWidth: 2,
  fineWidth: 4,
  lastCode: LAST_CODE,
  tail: 0,
  views: DEFAULT_VIEWS,
  coarseViews: coarseViewsOf(DEFAULT_VIEWS),
};

/** Where the network knows it: levels are measured straight, with noise that is white. */
export const STRAIGHT_SCHEDULE: Schedule = {
  ...DEFAULT_SCHEDULE,
  views: 1,
  coarseViews: 1,
  straight: { firstCode: TOP_CODE, ahead: WHITE },
};

/** Sizes of what is coded of a picture: of thin ones, folded. */
export function codedSizes(size: Size): Size[] {
  const { width, height } = codedSize(size);
  return pyramidSizes(width, height);
}

/** Sizes of u₀ .. u_K; there is always a u₁. */
export function pyramidSizes(width: number, height: number): Size[] {
  const sizes: Size[] = [{ width, height }];
  do {
    const last = sizes[sizes.length - 1]!;
    sizes.push({ width: (last.width + 1) >> 1, height: (last.height + 1) >> 1 });
  } while (Math.max(sizes[sizes.length - 1]!.width, sizes[sizes.length - 1]!.height) > ROOT_SIDE);
  return sizes;
}

/** Of the coarsest levels so many are entered in one step: what a second one costs is more than it saves. */
export const ENTERED_WHOLE = 2;

/** Whether a step is the first of its level after the root. */
export function entersLevel({ kind, part }: Pick<Step, 'kind' | 'part'>): boolean {
  return kind === 'enter' && part !== 'rest';
}

/** Whether all of a level has been observed with the step's sigma when the step is done. */
export function leavesLevelObserved({ kind, part }: Pick<Step, 'kind' | 'part'>): boolean {
  return kind !== 'root' && part !== 'first';
}

/**
 * At levels ≥ 1, where a bit to say no counts, refined ones are corrected after entering and each half octave; of those that are
 * measured straight nothing but that brings right what the network was sure of and wrong about. Messages do without.
 */
function isCorrected(
  { straight, coarsestWidth }: Schedule,
  { level, kind, to, part }: Omit<Step, 'corrected' | 'leavesOut' | 'inStages'>,
): boolean {
  if (kind === 'settle') return false;
  if (level === 0) return true;
  if (coarsestWidth !== undefined) return false;
  return kind === 'refine' ? to % (CODES_LEVEL_SPAN / 2) === 0 : straight !== undefined || part !== 'first';
}

/** What the network is asked in before a step: all of a level is observed, or LL alone. */
export function modeBefore(kind: StepKind): Mode {
  return kind === 'refine' || kind === 'settle' ? 'refine' : 'enter';
}

/** Views of the evaluation that a step begins with. What is settled is what will be shown. */
export function viewsBefore({ kind, level }: Pick<Step, 'kind' | 'level'>, { views, coarseViews }: Schedule): Views {
  if (kind === 'settle') return views;
  return level === 0 ? 1 : coarseViews;
}

/** Whether a level that a file ends in is shown by handing its observation on: see HANDED_ON_CODE. */
export function isHandedOn(kind: StepKind, code: number): boolean {
  return kind === 'refine' && code <= HANDED_ON_CODE;
}

/** @throws DcompError E_USAGE unless a header can state it */
function checkSchedule(schedule: Schedule): void {
  const {
    coarseWidth,
    fineWidth,
    lastCode,
    lastLevel = 0,
    tail,
    views,
    coarseViews,
    straight,
    settled,
    masking = 0,
    chroma,
  } = schedule;
  const whole = (name: string, value: number, min: number, max: number): void => {
    if (!Number.isInteger(value) || value < min || value > max)
      throw new DcompError('E_USAGE', `schedule.${name} is ${value}; it must be a whole number from ${min} to ${max}`);
  };
  whole('coarseWidth', coarseWidth, 1, CODES_LEVEL_SPAN);
  whole('fineWidth', fineWidth, 1, CODES_LEVEL_SPAN);
  whole('lastCode', lastCode, LAST_CODE, straight === undefined ? TOP_CODE : MAX_FIRST_CODE);
  whole('lastLevel', lastLevel, 0, settled === undefined ? 0 : MAX_LAST_LEVEL);
  whole('tail', tail, 0, MAX_TAIL);
  whole('masking', masking, 0, MAX_MASKING);
  chroma?.forEach((codes, i) =>
    whole(`schedule.chroma[${i}] / ${CHROMA_UNIT}`, codes / CHROMA_UNIT, 0, MAX_CHROMA / CHROMA_UNIT),
  );
  if (straight !== undefined) {
    whole('straight.firstCode', straight.firstCode, Math.max(lastCode, FINEST_FIRST_CODE), MAX_FIRST_CODE);
    straight.ahead.forEach((codes, i) => whole(`straight.ahead[${i}]`, codes, 0, MAX_AHEAD));
  }
  settled?.forEach((codes, i) =>
    whole(
      `schedule.settled[${i}] / ${SETTLE_UNIT}`,
      codes / SETTLE_UNIT,
      NOT_SETTLED / SETTLE_UNIT,
      MAX_SETTLED / SETTLE_UNIT,
    ),
  );
  if (masking > 0 && straight === undefined && settled === undefined)
    throw new DcompError(
      'E_USAGE',
      'schedule.masking is of schedules that are straight, or whose coarse levels are settled',
    );
  if (chroma !== undefined && straight === undefined)
    throw new DcompError('E_USAGE', 'schedule.chroma is of straight schedules');
  if (straight !== undefined && settled !== undefined)
    throw new DcompError('E_USAGE', 'schedule.settled is of refined schedules; a straight one has coarse levels ahead');
  if (!VIEWS.includes(views) || !VIEWS.includes(coarseViews))
    throw new DcompError(
      'E_USAGE',
      `schedule.views and coarseViews are ${views} and ${coarseViews}; they can be 1, 2, 4`,
    );
}

/**
 * Every step of a picture with that many levels, coarsest first.
 * @throws DcompError E_USAGE for a schedule that no header can state
 */
export function stepsOf(schedule: Schedule, levels: number): Step[] {
  checkSchedule(schedule);
  const steps: Step[] = [];
  const add = (level: number, kind: StepKind, from: number, to: number, part: Pick<Step, 'part'> = {}): void => {
    const step = { index: steps.length, level, kind, from, to, ...part };
    steps.push({
      ...step,
      corrected: isCorrected(schedule, step),
      leavesOut: kind === 'settle' || (level === 0 && straight !== undefined),
      inStages: kind === 'enter' && straight !== undefined,
    });
  };
  const { straight, coarseWidth, fineWidth, lastCode } = schedule;
  /** Sigma code at which a level is entered. */
  const entered = (level: number): number => (straight === undefined ? TOP_CODE : straightCode(straight, level));
  add(levels - 1, 'root', TOP_CODE, entered(levels - 1));
  let from = entered(levels - 1);
  const last = Math.min(schedule.lastLevel ?? 0, levels - 1);
  for (let level = levels - 1; level >= last; level--) {
    const first = entered(level);
    const isWhole = straight === undefined ? level >= levels - ENTERED_WHOLE : level === 0 && straight.atOnce === true;
    if (isWhole) add(level, 'enter', from, first);
    else for (const part of ['first', 'rest'] as const) add(level, 'enter', from, first, { part });
    const coarsest = level >= levels - ENTERED_WHOLE ? schedule.coarsestWidth : undefined;
    const width = level === 0 ? fineWidth : (coarsest ?? coarseWidth);
    const end = level === last ? lastCode : straight === undefined ? TOP_CODE - CODES_LEVEL_SPAN : first;
    const tail = level === 0 ? Math.min(first, end + schedule.tail) : end;
    const begin = coarsest === undefined ? schedule.firstWidth || width : width;
    for (let code = first; code > end;) {
      const to = code > tail ? Math.max(tail, code - (code === first ? begin : width)) : end;
      add(level, 'refine', code, to);
      code = to;
    }
    from = end + CODES_LEVEL_SPAN;
  }
  if (schedule.settled !== undefined) add(last, 'settle', lastCode, lastCode);
  return steps;
}
