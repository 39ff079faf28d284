/** The picture that can be had at any point of the walk: the posterior mean, from top to bottom in strips. */
import { cutOut, between, gridOf, positionsOf, wholeOf, type Rectangle, type Size } from '../math/rectangle.js';
import { COEFFICIENTS } from '../model/architecture.js';
import type { Condition } from '../model/inputs.js';
import { codeOf, EXACT, TOP_CODE } from '../model/sigma.js';
import {
  blankObservationInPieces,
  rowsOfObservation,
  finerObservationInPieces,
  observationWithin,
  type Observation,
} from '../diffusion/observation.js';
import { finestSettled, isHandedOn, MAX_LAST_LEVEL, type Schedule } from '../diffusion/schedule.js';
import { CODES_LEVEL_SPAN, LAST_CODE, LEAST_MEAN_CODE, MEAN_AHEAD } from '../format.js';
import { COLOURS } from '../pixels/colour.js';
import { inverseHaar, type Plane } from '../pixels/pyramid.js';
import { inTurns, rowsOfPiece, type Pause, type Pieces } from '../turns.js';
import { drawOn } from './drawn.js';
import type { Evaluations } from './evaluations.js';
import { shownPositions, windowOf } from './needs.js';
import { posteriorRows } from './posterior-rows.js';
import { move, type SettledLevel } from './settle.js';

/** What is known at a point of the walk. */
export interface Known {
  observation: Observation;
  /** Noise level and mode of the observation. */
  condition: Condition;
  /** Posterior mean after a step that ended early, by the Kalman rule alone; of the whole grid. */
  unfinished: Float32Array | undefined;
  /** Where the last step has been run, or begun. */
  settled: SettledLevel | undefined;
}

/** Whose picture it is. */
export interface Shown {
  evaluations: Evaluations;
  /** Of u₀, u₁, … */
  sizes: readonly Size[];
  grey: boolean;
  schedule: Schedule;
  pause: Pause;
}

/** Is given some rows of pixels and where they begin, counted from the first one wanted. */
export type TakeRows = (rows: Plane, y: number) => void;

/**
 * @param shown which u_k is shown; no step of a finer level may have been run
 * @param pixels of u_shown that are wanted. What they need must have been run
 * @param views at most
 */
export async function showPixels(
  known: Known,
  of: Shown,
  take: TakeRows,
  shown: number,
  pixels: Rectangle,
  views: number,
): Promise<void> {
  const { evaluations, sizes, schedule, pause } = of;
  const isSettled = known.settled !== undefined && known.condition.level === shown;
  if (isSettled && views === schedule.views && (await showSettled(known, take, pixels, pause))) return;
  const grid = gridOf(sizes[shown]!);
  const isLed = known.settled !== undefined && !isSettled;
  const window = windowOf(evaluations.architecture, shownPositions(pixels, grid, isLed), grid);
  const unfinished =
    known.unfinished !== undefined && shown === 0 && known.condition.level === 0
      ? cutOut(known.unfinished, known.observation, window, COEFFICIENTS)
      : undefined;
  const { observation, condition, ll } = await ledTo(known, of, shown, window, views);
  const moves = isSettled ? known.settled?.movesWithin(observation) : undefined;
  await showLevel(of, observation, condition, { unfinished, moves, ll }, pixels, take, views);
}

/**
 * What is known of a level, by that of a coarser one: handed on, or its posterior mean, level by level.
 * @param window of the level's positions that are wanted @param views of the evaluations that this takes, at most
 */
async function ledTo(
  known: Omit<Known, 'unfinished'>,
  of: Shown,
  shown: number,
  window: Rectangle,
  views: number,
): Promise<Pick<Known, 'observation' | 'condition'> & Pick<Told, 'll'>> {
  const { sizes, grey, schedule, pause } = of;
  let { observation, condition } = known;
  if (condition.level === shown) return { observation: observationWithin(observation, window), condition };
  const windowAt = (level: number): Rectangle => (level === shown ? window : wholeOf(gridOf(sizes[level]!)));
  let ll: Float32Array | undefined;
  if (known.settled !== undefined || isHandedOn(condition.mode, condition.sigma)) {
    const within = windowAt(condition.level - 1);
    if (known.settled !== undefined) ll = await settledLL(known, of, within, views);
    observation = await inTurns(
      finerObservationInPieces(observation, sizes[condition.level - 1]!, grey, within),
      pause,
    );
    condition = {
      level: condition.level - 1,
      sigma: Math.min(TOP_CODE + 8, condition.sigma + CODES_LEVEL_SPAN),
      mode: 'enter',
    };
  }
  while (condition.level > shown) {
    const level: number = condition.level - 1;
    const fine = await inTurns(blankObservationInPieces(sizes[level]!, grey, windowAt(level)), pause);
    const mean = new Float32Array(fine.width * fine.height * COLOURS);
    const variance = await showLevel(
      of,
      observation,
      condition,
      { ll },
      wholeOf(observation.size),
      (rows, y) => putLL(mean, fine, rows, y),
      views,
    );
    const sigma = codeOfMean(variance, schedule);
    await inTurns(observeLL(fine, mean, sigma), pause);
    observation = fine;
    condition = { level, sigma, mode: 'enter' };
    if (known.settled !== undefined) ll = mean;
  }
  return { observation, condition, ll };
}

/** LL of the next finer level by what has been settled. @param window of that level */
async function settledLL(
  known: Omit<Known, 'unfinished'>,
  of: Shown,
  window: Rectangle,
  views: number,
): Promise<Float32Array> {
  const { observation, condition, settled } = known;
  const ll = new Float32Array(window.width * window.height * COLOURS);
  const take: TakeRows = (rows, y) => putLL(ll, { ...window, x: 0, y: 0 }, rows, y);
  if (views === of.schedule.views && (await showSettled(known, take, window, of.pause))) return ll;
  await showLevel(of, observation, condition, { moves: settled?.movesWithin(observation) }, window, take, views);
  return ll;
}

/** Sigma code with which LL is known that is a posterior mean. @param variance of the coarser level's coefficients, on average */
function codeOfMean(variance: number, { straight, trustsMeans }: Schedule): number {
  const code = codeOf(2 * Math.sqrt(variance));
  const [least, ahead] =
    straight !== undefined
      ? [LAST_CODE, MEAN_AHEAD]
      : trustsMeans === true
        ? [LEAST_MEAN_CODE, MEAN_AHEAD]
        : [TOP_CODE - CODES_LEVEL_SPAN, 0];
  return Math.min(TOP_CODE + 8, Math.max(least, code - ahead));
}

/** How much of what the file does not tell is drawn. */
export interface Realism {
  /** Share of the drawn picture in what is shown, above 0 and at most 1. */
  realism: number;
  /** Which picture is drawn: 32 bits. */
  seed: number;
}

/**
 * The mean of all pictures that the file may be of is smooth where little is told; one that is drawn is not. In between
 * lies the best compromise of squared error and realism (Freirich et al., "A theory of the distortion-perception
 * tradeoff in Wasserstein space", 2021, theorem 3): what is shown is a mixture of the two. What is settled is not drawn.
 */
export async function showDrawn(
  known: Known,
  of: Shown,
  take: TakeRows,
  views: number,
  { realism, seed }: Realism,
): Promise<void> {
  const { evaluations, sizes, pause, schedule } = of;
  const pixels = wholeOf(sizes[0]!);
  const { width, height } = pixels;
  const mean = new Float32Array(width * height * COLOURS);
  await showPixels(known, of, (rows, y) => mean.set(rows.data, y * width * COLOURS), 0, pixels, views);
  const { observation, condition } = await drawOn(known, evaluations, of, seed);
  const drawn = new Float32Array(mean.length);
  await showLevel(of, observation, condition, {}, pixels, (rows, y) => drawn.set(rows.data, y * width * COLOURS), 1);
  const settled = known.settled === undefined ? undefined : finestSettled(schedule, known.condition.level);
  const side = 2 ** (settled ?? MAX_LAST_LEVEL);
  for (let y = 0; y < height; y += side) {
    await pause();
    const begin = y * width * COLOURS;
    const data = drawn.subarray(begin, begin + side * width * COLOURS);
    for (let i = 0; i < data.length; i++) data[i] = data[i]! - mean[begin + i]!;
    if (settled !== undefined) centre(data, width, side);
    for (let i = 0; i < data.length; i++) data[i] = mean[begin + i]! + realism * data[i]!;
    take({ width, height: Math.min(side, height - y), data }, y);
  }
}

/** Takes the mean of brightness off each block of a strip that is as high as blocks are. */
function centre(data: Float32Array, width: number, side: number): void {
  const row = width * COLOURS;
  for (let left = 0; left < row; left += side * COLOURS) {
    const right = Math.min(row, left + side * COLOURS);
    let [sum, count] = [0, 0];
    for (let top = 0; top < data.length; top += row) {
      for (let i = left; i < right; i += COLOURS, count++) sum += data[top + i]!;
    }
    for (let top = 0; top < data.length; top += row) {
      for (let i = left; i < right; i += COLOURS) data[top + i] = data[top + i]! - sum / count;
    }
  }
}

/** The posterior of level 0 when all steps are done: rows of the mean, and the variances of its coefficients. */
export async function showPosterior(
  { observation, condition, settled }: Omit<Known, 'unfinished'>,
  of: Shown,
  take: TakeRows,
  takeVariances: (variances: Float32Array, y: number) => void,
): Promise<void> {
  const pixels = wholeOf(of.sizes[0]!);
  const told = { moves: settled?.movesWithin(observation) };
  const mean = { ...of, schedule: { ...of.schedule, forEye: false } };
  await showLevel(mean, observation, condition, told, pixels, take, of.schedule.views, takeVariances);
}

/** What is known of a level besides its observation, laid out as that. */
interface Told {
  unfinished?: Float32Array | undefined;
  /** Where the level has been settled. */
  moves?: Float32Array | undefined;
  /** Of all colours, where a coarser level has been settled: finer ones have no say in that. */
  ll?: Float32Array | undefined;
}

/** Pixels of a level's picture: its posterior mean. @returns the average variance of the coefficients in their rows */
async function showLevel(
  { evaluations, pause, schedule: { forEye = false } }: Shown,
  observation: Observation,
  condition: Condition,
  { unfinished, moves, ll }: Told,
  pixels: Rectangle,
  take: TakeRows,
  views: number,
  takeVariances?: (variances: Float32Array, y: number) => void,
): Promise<number> {
  const wanted = positionsOf(pixels);
  const from = wanted.y - observation.y;
  const paired = condition.level === 0 && moves === undefined ? evaluations.shown : undefined;
  const by = paired ?? evaluations;
  const told: Condition = paired === undefined ? condition : { ...condition, mode: forEye ? 'enter' : 'refine' };
  const end = from + wanted.height;
  // What LL is moved by is looked at a position further.
  const more = ll === undefined ? 0 : 1;
  const rows = { from: Math.max(0, from - more), end: Math.min(observation.height, end + more) };
  const walk = { observation, condition: told, ...rows, views };
  const known = new Float32Array(ll === undefined ? 0 : observation.z.length);
  let variance = 0;
  for await (const { part, y, first, mean, variances, average } of posteriorRows(by, walk, pause)) {
    if (unfinished !== undefined) {
      // Two estimates: the network's of a mixed observation, and the Kalman rule's from the network's view before the step.
      // Both together are better than either by up to 0.2 dB.
      for (let i = 0; i < mean.length; i++) mean[i] = (3 * mean[i]! + unfinished[first + i]!) / 4;
    }
    if (moves !== undefined)
      move(mean, moves, first / COEFFICIENTS, (first + mean.length) / COEFFICIENTS, first / COEFFICIENTS);
    if (ll === undefined) takePixels(part, mean, pixels, take);
    else known.set(mean, first);
    takeVariances?.(variances(), y);
    variance = average;
  }
  if (ll === undefined) return variance;
  const piece = rowsOfPiece(observation.width, 2 ** 13);
  for (let y = from; y < end; y += piece) {
    await pause();
    const part = rowsOfObservation(observation, y, Math.min(piece, end - y));
    takePixels(part, keptLL(known, ll, observation, y, part.height), pixels, take);
  }
  return variance;
}

/**
 * Rows of means with another LL. Blocks would be seen where neighbours are moved by different amounts, so what a position
 * is moved by slopes as between its neighbours; its mean is LL.
 */
function keptLL(
  mean: Float32Array,
  ll: Float32Array,
  { codes, width, height }: Observation,
  first: number,
  rows: number,
): Float32Array {
  const out = mean.slice(first * width * COEFFICIENTS, (first + rows) * width * COEFFICIENTS);
  const move = (p: number, c: number): number => ll[p * COLOURS + c]! - mean[p * COEFFICIENTS + c]!;
  for (let y = first, i = 0; y < first + rows; y++) {
    const up = y > 0 ? width : 0;
    const down = y + 1 < height ? width : 0;
    for (let x = 0, p = y * width; x < width; x++, p++, i += COEFFICIENTS) {
      const left = x > 0 ? 1 : 0;
      const right = x + 1 < width ? 1 : 0;
      for (let c = 0; c < COLOURS; c++) {
        const [across, along] = [i + COLOURS + c, i + 2 * COLOURS + c];
        const code = p * COEFFICIENTS + c;
        out[i + c] = ll[p * COLOURS + c]!;
        if (codes[code + COLOURS] !== EXACT) out[across] = out[across]! - (move(p + right, c) - move(p - left, c)) / 8;
        if (codes[code + 2 * COLOURS] !== EXACT) out[along] = out[along]! - (move(p + down, c) - move(p - up, c)) / 8;
      }
    }
  }
  return out;
}

/** Before the first step: mid-grey. */
export async function showNothing(pause: Pause, take: TakeRows, { width, height }: Size): Promise<void> {
  const piece = rowsOfPiece(width);
  for (let y = 0; y < height; y += piece) {
    await pause();
    const rows = Math.min(piece, height - y);
    take({ width, height: rows, data: new Float32Array(width * rows * COLOURS) }, y);
  }
}

/** Shows the mean that was settled, where it is kept. @returns whether it is */
async function showSettled(
  { observation: { size }, settled }: Pick<Known, 'observation' | 'settled'>,
  take: TakeRows,
  pixels: Rectangle,
  pause: Pause,
): Promise<boolean> {
  const { x, y, width, height } = positionsOf(pixels);
  const mean = settled?.meanWithin({ x, y, width, height });
  if (mean === undefined) return false;
  const piece = rowsOfPiece(width, 2 ** 13);
  for (let row = 0; row < height; row += piece) {
    await pause();
    const rows = Math.min(piece, height - row);
    const part = mean.subarray(row * width * COEFFICIENTS, (row + rows) * width * COEFFICIENTS);
    takePixels({ size, x, y: y + row, width, height: rows }, part, pixels, take);
  }
  return true;
}

/** Gives the pixels that rows of coefficients make, as far as they are wanted. */
function takePixels(
  { x, y, width, height, size }: Omit<Observation, 'z' | 'codes'>,
  mean: Float32Array,
  pixels: Rectangle,
  take: TakeRows,
): void {
  const strip = inverseHaar(
    { width, height, data: mean },
    Math.min(2 * width, size.width - 2 * x),
    Math.min(2 * height, size.height - 2 * y),
  );
  const place = { ...wholeOf(strip), x: 2 * x, y: 2 * y };
  const inside = between(
    pixels.x,
    Math.max(pixels.y, place.y),
    pixels.x + pixels.width,
    Math.min(pixels.y + pixels.height, place.y + place.height),
  );
  if (inside.height <= 0) return;
  take(
    { width: inside.width, height: inside.height, data: cutOut(strip.data, place, inside, COLOURS) },
    inside.y - pixels.y,
  );
}

/** Numbers that are gone over in a piece. */
const PIECE = COEFFICIENTS * 2 ** 17;

/** Takes LL of a level from rows of the coarser level's picture, as far as there is a place for them. @param window of the level */
function putLL(ll: Float32Array, window: Rectangle, rows: Plane, first: number): void {
  for (let y = Math.max(window.y, first); y < Math.min(window.y + window.height, first + rows.height); y++) {
    const from = ((y - first) * rows.width + window.x) * COLOURS;
    const to = (y - window.y) * window.width * COLOURS;
    for (let i = 0; i < window.width * COLOURS; i++) ll[to + i] = 2 * rows.data[from + i]!;
  }
}

/** Makes LL known with some error. */
function* observeLL(fine: Observation, ll: Float32Array, sigma: number): Pieces<void> {
  for (let i = 0, o = 0; i < fine.codes.length; i += COEFFICIENTS, o += COLOURS) {
    if (i % PIECE === 0) yield;
    for (let c = 0; c < COLOURS; c++) {
      if (fine.codes[i + c] === EXACT) continue;
      fine.z[i + c] = ll[o + c]!;
      fine.codes[i + c] = sigma;
    }
  }
}
