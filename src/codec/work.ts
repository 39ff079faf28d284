/**
 * How much arithmetic a file asks for, before any of it is done: the evaluations of the network and the positions in them
 * follow from the header, the regions and the number of units. What a file may ask for is bounded by what an honest one of
 * its size takes, so that a few bytes cannot keep a machine busy for hours.
 */
import type { Container, Header } from '../container/container.js';
import { PARTS } from '../container/parts.js';
import {
  DEFAULT_SCHEDULE,
  isHandedOn,
  leavesLevelObserved,
  modeBefore,
  viewsBefore,
  codedSizes,
  stepsOf,
  viewsAt,
  type Schedule,
  type Step,
} from '../diffusion/schedule.js';
import { groupCount, unitCount } from '../diffusion/units.js';
import { DcompError } from '../errors.js';
import { gridOf, wholeOf, type Rectangle, type Size } from '../math/rectangle.js';
import type { Architecture } from '../model/architecture.js';
import type { Condition } from '../model/inputs.js';
import { TOP_CODE } from '../model/sigma.js';
import { DEFAULT_MAX_PIXELS, type Channels, type Depth } from '../picture.js';
import { hasAlpha, isGrey } from '../pixels/picture-planes.js';
import { drawnEvaluations } from './drawn.js';
import { shownPositions, windowOf, type StepNeeds } from './needs.js';
import { isKept } from './settle.js';
import { lagsWithin, readLags, toldCode, type Lags } from './region.js';

/** What decoding or encoding a file asks of the network, known before it begins. */
export interface Work {
  /** Evaluations of the network. */
  evaluations: number;
  /** The same in multiples of one at the full size. */
  fullSize: number;
  /**
   * Megapixels (10^6 pixels, of the level that is evaluated) that go through the network, with the padding of its grids, and what
   * alpha and the samples of the plain form take besides. Time is proportional to it. `maxWork` limits it.
   */
  megapixels: number;
  /** Of these, what measures the details of levels ≥ 1, for which a model may have another network. */
  coarse: number;
}

/** Grids are padded to a multiple of this many positions by the network of the package, and counted so for any. */
const PADDING = 8;

/** Decoding a sample of alpha takes about this share of a pixel's evaluation. */
const ALPHA_SHARE = 1 / 50;

/** Decoding a sample of the plain form takes about this share of a pixel's evaluation; it takes no evaluation. */
const PLAIN_SHARE = 4;

/** What an honest file of the same size may be exceeded by, without a limit of the caller's: that many times the work. */
const MARGIN = 4;

/** What decides how much work decoding is. */
export interface Request {
  header: Pick<Header, 'form' | 'width' | 'height' | 'channels' | 'depth' | 'schedule'>;
  lags?: Lags | undefined;
  /** Whether the network is told sigma, as unless one knows otherwise; then each lag has an evaluation of its own. */
  told?: boolean;
  /** Units that are decoded. */
  units: number;
  /** Whether the last of them may be missing, so that the picture is shown from any step before. */
  truncated?: boolean;
  /** Whether what the file does not tell is drawn. */
  drawn?: boolean;
  /** The level whose picture is shown. */
  level?: number;
  /** Where a part of it is wanted: that, and by the index of the step what it needs. */
  part?: { architecture: Architecture; pixels: Rectangle; needs: readonly (StepNeeds | undefined)[] } | undefined;
}

const NO_WORK: Work = { evaluations: 0, fullSize: 0, megapixels: 0, coarse: 0 };

class Counter {
  readonly work: Work = { ...NO_WORK };

  constructor(
    private readonly sizes: readonly Size[],
    private readonly lags: Lags | undefined,
  ) {}

  /** Evaluations of a level under a condition. */
  add({ level, sigma, mode }: Condition, views: number, window: Rectangle): void {
    const grid = gridOf(this.sizes[level]!);
    const times =
      viewsAt(level, this.sizes[level]!, this.lags !== undefined, views) *
      (this.lags !== undefined && level === 0 && mode === 'refine' ? codesWithin(this.lags, sigma, window) : 1);
    this.work.evaluations += times;
    this.work.fullSize += (times * 0.25 ** level * window.width * window.height) / (grid.width * grid.height);
    const megapixels = (times * 4 * padded(window.width) * padded(window.height)) / 1e6;
    this.work.megapixels += megapixels;
    if (level > 0 && mode === 'enter') this.work.coarse += megapixels;
  }
}

function padded(length: number): number {
  return Math.ceil(length / PADDING) * PADDING;
}

function codesWithin(lags: Lags, sigma: number, window: Rectangle): number {
  return new Set([...lagsWithin(lags, window)].map((lag) => toldCode(sigma, lag))).size;
}

/**
 * The work of decoding, at most: where a file ends within a step, what is shown may take less.
 * @returns what `decode` counts, for files that an encoder wrote
 */
export function workOf({
  header,
  lags: regions,
  told = true,
  units,
  truncated = false,
  level: shown = 0,
  part,
  drawn = false,
}: Request): Work {
  const lags = told ? regions : undefined;
  const { width, height, schedule } = header;
  if (header.form === 'plain') return plainWork(header, units);
  const sizes = codedSizes({ width, height });
  const counter = new Counter(sizes, lags);
  let left = units;
  const ends: { step: Step; whole: boolean; before: Work }[] = [];
  for (const step of stepsOf(schedule, sizes.length - 1)) {
    if (left <= 0 || step.level < shown) break;
    const groups = groupCount(sizes[step.level]!);
    if (step.kind !== 'root') counter.add(before(step), viewsBefore(step, schedule), windowBefore(step, sizes, part));
    // Whether all bits of a step with one group are there is not known.
    ends.push({ step, whole: left >= groups, before: { ...counter.work } });
    left -= groups;
  }
  const picture = ends
    .slice(truncated ? 0 : -1)
    .map(({ step, whole, before }) => sum(before, shownWork({ step, whole }, lags, { sizes, schedule, shown, part })))
    .reduce(most, NO_WORK);
  // Behind the steps there may be bands.
  const samples = (left > 0 && shown === 0 ? coloursWork(header) : 0) + alphaWork(header);
  const last = ends.at(-1);
  const more = drawn && last !== undefined ? drawnWork(last.step, sizes, lags) : NO_WORK;
  return sum(picture, { ...more, megapixels: more.megapixels + samples });
}

/** What is drawn behind the step in which a file ends, and its own last look. */
function drawnWork({ level: last, from }: Step, sizes: readonly Size[], lags: Lags | undefined): Work {
  const counter = new Counter(sizes, lags);
  for (let level = last; level >= 0; level--) {
    const times = drawnEvaluations(level, Math.max(TOP_CODE, from), false) + (level === 0 ? 1 : 0);
    for (let i = times; i > 0; i--)
      counter.add({ level, sigma: TOP_CODE, mode: 'refine' }, 1, wholeOf(gridOf(sizes[level]!)));
  }
  return counter.work;
}

function sum(a: Work, b: Work): Work {
  return {
    evaluations: a.evaluations + b.evaluations,
    fullSize: a.fullSize + b.fullSize,
    megapixels: a.megapixels + b.megapixels,
    coarse: a.coarse + b.coarse,
  };
}

function most(a: Work, b: Work): Work {
  return {
    evaluations: Math.max(a.evaluations, b.evaluations),
    fullSize: Math.max(a.fullSize, b.fullSize),
    megapixels: Math.max(a.megapixels, b.megapixels),
    coarse: Math.max(a.coarse, b.coarse),
  };
}

/** Of the plain form, whatever of it is shown: all colour samples, where there is a band, and alpha. */
function plainWork(header: Request['header'], bands: number): Work {
  return { ...NO_WORK, megapixels: (bands > 0 ? coloursWork(header) : 0) + alphaWork(header) };
}

function coloursWork(header: Request['header']): number {
  return PLAIN_SHARE * samplesOf(header) * (isGrey(header.channels) ? 1 : 3);
}

function alphaWork(header: Request['header']): number {
  return hasAlpha(header.channels) ? ALPHA_SHARE * samplesOf(header) : 0;
}

/** Millions of samples of a channel; one of 16 bits counts twice. */
function samplesOf({ width, height, depth }: Request['header']): number {
  return ((depth === 16 ? 2 : 1) * width * height) / 1e6;
}

/** What a step begins with. */
function windowBefore({ index, level }: Step, sizes: readonly Size[], part: Request['part']): Rectangle {
  return part?.needs[index]?.window ?? wholeOf(gridOf(sizes[level]!));
}

function before({ level, from, kind }: Step): Condition {
  return { level, sigma: from, mode: modeBefore(kind) };
}

interface Shown {
  sizes: readonly Size[];
  schedule: Schedule;
  shown: number;
  part: Request['part'];
}

/** The picture, as `Session.show` makes it; of the two ways that a step may have ended the dearer one. */
function shownWork({ step, whole }: { step: Step; whole: boolean }, lags: Lags | undefined, how: Shown): Work {
  const { level, to, kind } = step;
  const { views } = how.schedule;
  if (kind === 'settle') {
    const counter = new Counter(how.sizes, lags);
    const window = windowBefore(step, how.sizes, how.part);
    // The mean that was settled is what is shown, or led on.
    if (!whole || !isKept(window)) counter.add(before(step), views, window);
    for (const each of finerLevels(level, to, how.shown)) counter.add(each, views, windowAt(each.level, how, true));
    return counter.work;
  }
  const conditions: Condition[] = [kind === 'root' ? { level, sigma: TOP_CODE, mode: 'enter' } : before(step)];
  if (whole && leavesLevelObserved(step)) conditions.push({ level, sigma: to, mode: 'refine' });
  const works = conditions.map((condition) => {
    const counter = new Counter(how.sizes, lags);
    for (const each of evaluatedLevels(condition, how.shown)) counter.add(each, views, windowAt(each.level, how));
    return counter.work;
  });
  return works.reduce((a, b) => (b.megapixels >= a.megapixels ? b : a));
}

/** The conditions of the evaluations from a level down to the one that is shown. */
function evaluatedLevels(condition: Condition, shown: number): Condition[] {
  const { level, mode, sigma } = condition;
  const isHanded = level > shown && isHandedOn(mode, sigma);
  return [...(isHanded ? [] : [condition]), ...finerLevels(level, sigma, shown)];
}

function finerLevels(level: number, sigma: number, shown: number): Condition[] {
  return Array.from({ length: level - shown }, (_, i) => ({ level: level - 1 - i, sigma, mode: 'enter' }));
}

function windowAt(level: number, { sizes, shown, part }: Shown, isLed = false): Rectangle {
  const grid = gridOf(sizes[level]!);
  return level === shown && part !== undefined
    ? windowOf(part.architecture, shownPositions(part.pixels, grid, isLed), grid)
    : wholeOf(grid);
}

/** The work of the best file that the encoder makes without further options. */
export function honestWork(size: Size, channels: Channels, depth: Depth): Work {
  const header = { ...size, channels, depth, schedule: DEFAULT_SCHEDULE };
  return workOf({ header, units: unitCount(DEFAULT_SCHEDULE, size) });
}

/**
 * The limit where the caller states none: a few times what an honest file of that size takes, as regions of interest or more views may,
 * and never more than one of the largest size that is decoded by default.
 */
export function defaultMaxWork({ width, height, channels, depth }: Request['header']): number {
  const side = Math.floor(Math.sqrt(DEFAULT_MAX_PIXELS));
  const most = honestWork({ width: side, height: side }, 4, 16).megapixels;
  const honest = honestWork({ width, height }, channels, depth).megapixels;
  // Who allows larger pictures is given what an honest one takes.
  return Math.max(honest, Math.min(MARGIN * honest, most));
}

/** @throws DcompError E_TOO_LARGE */
export function checkWork(work: Work, header: Request['header'], maxWork: number | undefined): void {
  const limit = maxWork ?? defaultMaxWork(header);
  if (work.megapixels <= limit) return;
  throw new DcompError(
    'E_TOO_LARGE',
    `${header.width}×${header.height} pixels with ${work.evaluations} evaluations of the network are ${rounded(work.megapixels)} megapixels of work, more than the limit of ${rounded(limit)}; raise the limit (maxWork) to do it all the same`,
  );
}

function rounded(megapixels: number): string {
  return megapixels >= 100 ? megapixels.toFixed(0) : megapixels.toPrecision(2);
}

/** The lags of a file's regions; undefined where it has none that are whole. @throws DcompError E_DAMAGED_SEGMENT */
export function lagsOfFile(bytes: Uint8Array, { header, parts }: Container): Lags | undefined {
  const part = parts.find(({ type }) => type === PARTS.regions);
  if (part?.state === 'damaged') {
    throw new DcompError(
      'E_DAMAGED_SEGMENT',
      `the part "regions" (byte offset ${part.offset}) is damaged beyond repair, and without it nothing can be decoded; get the file again`,
    );
  }
  if (part?.state !== 'complete') return undefined;
  return readLags(bytes.subarray(part.payloadOffset, part.payloadOffset + part.payloadLength), header);
}

/** Units of the segments before the first that is damaged. */
export function unitsHeld({ segments }: Container): number {
  let units = 0;
  for (const segment of segments) {
    if (segment.state === 'damaged') break;
    units += segment.units;
  }
  return units;
}

/** The work of decoding all of a file; null where its regions are damaged. On straight paths a model is taken for one that is not told sigma. */
export function workOfFile(bytes: Uint8Array, container: Container): Work | null {
  if (container.header.form === 'plain') return workOf({ header: container.header, units: unitsHeld(container) });
  const { header, truncated } = container;
  try {
    const told = header.schedule.straight === undefined;
    return workOf({ header, lags: lagsOfFile(bytes, container), told, units: unitsHeld(container), truncated });
  } catch (error) {
    if (error instanceof DcompError) return null;
    throw error;
  }
}
