/**
 * Regions of interest: blocks of the picture lag behind the schedule by some sigma codes, so that fewer bits go into them.
 * In a step to code c a detail of a block with lag l is measured to code c + l, where that is not beyond what can be.
 * Straight paths lag at the finest levels, those of which a position lies within one block; refined ones at level 0 alone.
 */
import { decodePlane, encodePlaneInPieces } from '../entropy/plane.js';
import type { Step } from '../diffusion/schedule.js';
import { DcompError } from '../errors.js';
import { codedSize, MAX_FIRST_CODE, stripsOf } from '../format.js';
import { log2 } from '../math/exact.js';
import { rowsOfPiece, type Pieces } from '../turns.js';
import { CODES_PER_OCTAVE, TOP_CODE } from '../model/sigma.js';
import { checkRectangle, rectangleOf, type Rectangle, type Size } from '../math/rectangle.js';
import { places } from '../pixels/fold.js';
import { bytesOf, checkList, checkObject, isNumber, mustBe, type Check } from '../options.js';

/** Side of a block in pixels; 8 coefficient positions of level 0, 1 of level 3. */
export const LAG_BLOCK = 16;
/** The coarsest level that lags. */
const COARSEST = 3;
/** Largest lag, 4 octaves of sigma: errors count 1/256. */
export const MAX_LAG = 64;
/** Lags are multiples of this, a quarter of an octave. */
export const LAG_STEP = 4;
/** Most different lags of a picture: of a network that is told sigma each has an evaluation of its own in every step of level 0. */
const MAX_LAGS = 4;
/** Weight of a region against the rest of the picture where nothing is said. */
export const DEFAULT_WEIGHT = 4;
/** Largest and smallest weight. */
const MAX_WEIGHT = 256;

/** A rectangle in pixels in which squared errors count `weight` times as much as elsewhere; the last one counts where several overlap. */
export interface Region extends Rectangle {
  /** 1/256..256, default 4. Below 1 the rest of the picture is what matters. */
  weight?: number;
}

/** What matters how much: regions, or a mask of the picture's size, 255 for what counts most and 0 for 1/16 of that. */
export type Importance = { regions: readonly Region[] } | { mask: Uint8Array };

/** Lag of each block, row by row. */
export interface Lags {
  columns: number;
  rows: number;
  codes: Uint8Array;
}

/** Lag at a coefficient position of a level that lags. */
export function lagAt({ columns, codes }: Lags, level: number, x: number, y: number): number {
  const shift = COARSEST - level;
  return codes[(y >> shift) * columns + (x >> shift)]!;
}

/** Whether a step lags: the details of which levels do hangs on the path. */
export function isLagging({ level, kind }: Pick<Step, 'level' | 'kind'>, isStraight: boolean): boolean {
  return isStraight ? level <= COARSEST && (kind === 'enter' || kind === 'refine') : level === 0 && kind === 'refine';
}

/** The lags that occur at positions of level 0. */
export function lagsWithin({ columns, codes }: Lags, { x, y, width, height }: Rectangle): Set<number> {
  const found = new Set<number>();
  for (let row = Math.floor((2 * y) / LAG_BLOCK); row * LAG_BLOCK < 2 * (y + height); row++) {
    const first = row * columns;
    for (const lag of codes.subarray(
      first + Math.floor((2 * x) / LAG_BLOCK),
      first + Math.min(columns, Math.ceil((2 * (x + width)) / LAG_BLOCK)),
    ))
      found.add(lag);
  }
  return found;
}

/** Over the picture. */
export function meanLag({ codes }: Lags): number {
  return codes.reduce((sum, lag) => sum + lag, 0) / codes.length;
}

/** Where a block is when the schedule is at a code. @param highest that a block is measured with */
export function laggingCode(code: number, lag: number, highest = MAX_FIRST_CODE): number {
  return Math.max(code, Math.min(highest, code + lag));
}

/** The same for a network that is told one sigma for all: it refines what has been measured with TOP_CODE. */
export function toldCode(code: number, lag: number): number {
  return laggingCode(code, lag, TOP_CODE);
}

function blank({ width, height }: Size): Lags {
  const columns = Math.ceil(width / LAG_BLOCK);
  const rows = Math.ceil(height / LAG_BLOCK);
  return { columns, rows, codes: new Uint8Array(columns * rows) };
}

const weightOf = isNumber(
  `a number from 1/${MAX_WEIGHT} to ${MAX_WEIGHT}`,
  (value) => value >= 1 / MAX_WEIGHT && value <= MAX_WEIGHT,
);

/** A caller's importance, as far as it can be checked without the picture. @throws DcompError E_USAGE */
export const importanceOf: Check<Importance> = (value, name) => {
  checkObject(value, name, 'an object with regions or a mask');
  const { regions, mask } = value as { regions?: unknown; mask?: unknown };
  if ((regions === undefined) === (mask === undefined))
    throw mustBe(name, value, 'an object with either regions or a mask');
  if (mask !== undefined) return { mask: bytesOf(mask, `${name}.mask`) };
  checkList(regions, `${name}.regions`);
  return {
    regions: regions.map((region, i): Region => {
      const rectangle = rectangleOf(region, `${name}.regions[${i}]`);
      const { weight } = region as { weight?: unknown };
      return weight === undefined
        ? rectangle
        : { ...rectangle, weight: weightOf(weight, `the weight of ${name}.regions[${i}]`) };
    }),
  };
};

/** @throws DcompError E_USAGE if a region is not within the picture, or a mask has not one sample a pixel */
export function checkImportance(importance: Importance, { width, height }: Size): void {
  if ('mask' in importance) {
    if (importance.mask.length === width * height) return;
    throw new DcompError(
      'E_USAGE',
      `the mask has ${importance.mask.length} samples; the picture has ${width}×${height} pixels, and a mask one sample for each`,
    );
  }
  for (const region of importance.regions) checkRectangle('the region', region, { width, height });
}

/** Half the logarithm of a weight, in sigma codes: an error that counts four times as much may be half as large. */
function codesOfWeight(weight: number): number {
  return Math.floor((CODES_PER_OCTAVE / 2) * log2(weight) + 0.5);
}

/** A block's most important pixel decides. @param importance that `checkImportance` takes */
export function* lagsOfInPieces(importance: Importance, size: Size): Pieces<Lags> {
  const { width, height } = codedSize(size);
  const lags = blank({ width, height });
  const { columns, codes } = lags;
  const lead = new Int16Array(codes.length).fill(-MAX_LAG);
  const folded = stripsOf(size) > 1 ? foldedLead(importance, size) : undefined;
  // Rows between two edges of regions are alike.
  const edges =
    folded === undefined && 'regions' in importance
      ? new Set([0, ...importance.regions.flatMap(({ y, height }) => [y, y + height])])
      : undefined;
  const piece = rowsOfPiece(width, 2 ** 18);
  const pixels = new Int16Array(width);
  for (let y = 0; y < height; y++) {
    const isNew = edges === undefined || edges.has(y);
    if (!isNew && y % LAG_BLOCK !== 0) continue;
    if (edges === undefined ? y % piece === piece - 1 : isNew) yield;
    if (folded !== undefined) pixels.set(folded.subarray(y * width, (y + 1) * width));
    else if (isNew) putLead(pixels, importance, y);
    const row = Math.floor(y / LAG_BLOCK) * columns;
    for (let x = 0; x < width; x++) {
      const b = row + Math.floor(x / LAG_BLOCK);
      lead[b] = Math.max(lead[b]!, pixels[x]!);
    }
  }
  const most = lead.reduce((a, b) => Math.max(a, b), -Infinity);
  for (let b = 0; b < codes.length; b++)
    codes[b] = LAG_STEP * Math.floor(Math.min(MAX_LAG, most - lead[b]!) / LAG_STEP + 0.5);
  return withFewLags(lags);
}

/** By how many sigma codes each pixel of a row is before those of weight 1. */
function putLead(pixels: Int16Array, importance: Importance, row: number): void {
  if ('mask' in importance) {
    const first = row * pixels.length;
    for (let x = 0; x < pixels.length; x++)
      pixels[x] = Math.floor(((importance.mask[first + x]! - 255) * (MAX_LAG / 2)) / 255);
    return;
  }
  pixels.fill(0);
  for (const { x, y, width, height, weight = DEFAULT_WEIGHT } of importance.regions)
    if (y <= row && row < y + height) pixels.fill(codesOfWeight(weight), x, x + width);
}

/** The same of all pixels of a thin picture, as they lie when it is folded. */
function foldedLead(importance: Importance, size: Size): Int16Array {
  const lead = new Int16Array(size.width * size.height);
  for (let y = 0; y < size.height; y++) putLead(lead.subarray(y * size.width, (y + 1) * size.width), importance, y);
  const coded = codedSize(size);
  const folded = new Int16Array(coded.width * coded.height);
  for (const { from, to } of places(size)) folded[to] = lead[from]!;
  return folded;
}

/** Of two neighbouring lags one takes the place of the other, where that moves the fewest blocks the least; what matters most never lags. */
function withFewLags(lags: Lags): Lags {
  const counts = new Map<number, number>();
  for (const lag of lags.codes) counts.set(lag, (counts.get(lag) ?? 0) + 1);
  const used = [...counts.keys()].sort((a, b) => a - b);
  const becomes = new Uint8Array(MAX_LAG + 1).map((_, lag) => lag);
  while (used.length > MAX_LAGS) {
    let best = { cost: Infinity, from: 0, to: 0 };
    for (let i = 1; i < used.length; i++) {
      const [low, high] = [used[i - 1]!, used[i]!];
      const [from, to] = low > 0 && counts.get(low)! < counts.get(high)! ? [low, high] : [high, low];
      const cost = counts.get(from)! * (high - low);
      if (cost < best.cost) best = { cost, from, to };
    }
    const { from, to } = best;
    used.splice(used.indexOf(from), 1);
    counts.set(to, counts.get(to)! + counts.get(from)!);
    for (let lag = 0; lag <= MAX_LAG; lag++) if (becomes[lag] === from) becomes[lag] = to;
  }
  return { ...lags, codes: lags.codes.map((lag) => becomes[lag]!) };
}

/** As a part's payload. */
export function writeLagsInPieces({ columns, rows, codes }: Lags): Pieces<Uint8Array> {
  return encodePlaneInPieces(
    codes.map((lag) => lag / LAG_STEP),
    columns,
    rows,
  );
}

/** @throws DcompError E_DAMAGED_SEGMENT */
export function readLags(payload: Uint8Array, size: Size): Lags {
  const lags = blank(codedSize(size));
  const codes = decodePlane(payload, lags.columns, lags.rows);
  const used = new Uint8Array(256);
  for (const code of codes) used[code] = 1;
  if (used.subarray(MAX_LAG / LAG_STEP + 1).includes(1))
    throw new DcompError('E_DAMAGED_SEGMENT', 'the regions state a lag that no encoder writes');
  if (used.reduce((sum, one) => sum + one, 0) > MAX_LAGS)
    throw new DcompError(
      'E_DAMAGED_SEGMENT',
      `the regions have more than ${MAX_LAGS} different lags; no encoder writes that`,
    );
  for (let b = 0; b < codes.length; b++) codes[b] = codes[b]! * LAG_STEP;
  return { ...lags, codes };
}
