/**
 * How what is told of a place's colours goes together. The network foresees each coefficient by itself; but where something
 * red begins, brightness and colours change at once. By how much is to be seen in LL, which both sides know before they come
 * to the details, so nothing has to be sent.
 */
import type { Observation } from '../diffusion/observation.js';
import { CORRELATION_UNITS, MAX_CORRELATION } from '../format.js';
import { COEFFICIENTS } from '../model/architecture.js';
import { COLOURS } from '../pixels/colour.js';
import { rowsOfPiece, type Pieces } from '../turns.js';

/** A colour, and one that is told after it. */
export const PAIRS = [
  [0, 1],
  [0, 2],
  [1, 2],
] as const;
/**
 * By pair: sixteenths of the correlation that LL has around a place, and units besides. Least squares over the steps of 14 pictures
 * of the training set; of the last pair, of what brightness leaves.
 */
const SHARES = [8, 9, 12];
const USUAL = [0, 10, 8];

/** Side of a block of positions that have the same correlation. */
const BLOCK = 2;
/** Binomial window around a block, 1 5 10 10 5 1: it reaches so many positions further on all sides. */
const REACH = 2;
const [MIDDLE, INNER] = [5, 10];
const LENGTH = BLOCK + 2 * REACH;
/** Sum of all weights. */
const WEIGHT = 1024;
/** LL is taken in halves of a unit, no further than 16 bits reach: all sums are whole numbers, and exact. */
const HALVES = 2;
const MOST = 2 ** 15 - 1;
/** What variances are added to, in squared halves: below that nothing but noise goes up and down. */
const LEAST_VARIANCE = 16;

/** By block, three numbers each: by pair, −MAX_CORRELATION..MAX_CORRELATION. */
export interface ColourCorrelation {
  /** Column and row of the first block. */
  left: number;
  top: number;
  columns: number;
  units: Int8Array;
}

/** Where the numbers of a position of the level begin. */
export function correlationAt({ left, top, columns }: ColourCorrelation, x: number, y: number): number {
  return ((Math.floor(y / BLOCK) - top) * columns + Math.floor(x / BLOCK) - left) * PAIRS.length;
}

/** What is summed: the three colours, and products of each two: 00, 11, 22, 01, 02, 12. */
const SUMS = 9;

/** Correlations at the positions of an observation, by LL as it is. Beyond its borders LL goes on as it is there. */
export function* colourCorrelationInPieces(observation: Observation): Pieces<ColourCorrelation> {
  const { x, y, width, height } = observation;
  const [left, top] = [Math.floor(x / BLOCK), Math.floor(y / BLOCK)];
  const columns = Math.floor((x + width - 1) / BLOCK) - left + 1;
  const rows = Math.floor((y + height - 1) / BLOCK) - top + 1;
  const units = new Int8Array(columns * rows * PAIRS.length);
  const products = new Float64Array(SUMS * (BLOCK * columns + 2 * REACH));
  // Sums along the last rows, the first of which is the window's.
  const sums = Array.from({ length: LENGTH }, () => new Float64Array(SUMS * columns));
  const piece = rowsOfPiece(width, 2 ** 13);
  let next = BLOCK * top - REACH;
  for (let row = 0; row < rows; row++) {
    if (row % piece === piece - 1) yield;
    for (const end = BLOCK * (top + row + 1) + REACH; next < end; next++) {
      const oldest = sums.shift()!;
      putProducts(observation, next - y, BLOCK * left - REACH - x, products);
      sumAlongRow(products, oldest);
      sums.push(oldest);
    }
    for (let column = 0; column < columns; column++)
      putUnits(sums, SUMS * column, units, (row * columns + column) * PAIRS.length);
  }
  return { left, top, columns, units };
}

/** Colours and products of a row. @param y, x where it begins, within the observation */
function putProducts({ width, height, z }: Observation, y: number, x: number, to: Float64Array): void {
  const row = Math.max(0, Math.min(height - 1, y)) * width;
  for (let s = 0; s < to.length; s += SUMS, x++) {
    const i = (row + Math.max(0, Math.min(width - 1, x))) * COEFFICIENTS;
    const a = inHalves(z[i]!);
    const b = inHalves(z[i + 1]!);
    const c = inHalves(z[i + 2]!);
    to[s] = a;
    to[s + 1] = b;
    to[s + 2] = c;
    to[s + 3] = a * a;
    to[s + 4] = b * b;
    to[s + 5] = c * c;
    to[s + 6] = a * b;
    to[s + 7] = a * c;
    to[s + 8] = b * c;
  }
}

function inHalves(value: number): number {
  const halves = Math.floor(HALVES * value + 0.5);
  return halves > MOST ? MOST : halves > -MOST ? halves : -MOST;
}

/** Weighted sums of six products next to each other, of each block. */
function sumAlongRow(products: Float64Array, to: Float64Array): void {
  for (let s = 0, from = 0; s < to.length; s += SUMS, from += BLOCK * SUMS)
    for (let k = 0, p = from; k < SUMS; k++, p++)
      to[s + k] =
        INNER * (products[p + 2 * SUMS]! + products[p + 3 * SUMS]!) +
        MIDDLE * (products[p + SUMS]! + products[p + 4 * SUMS]!) +
        (products[p]! + products[p + 5 * SUMS]!);
}

const window = new Float64Array(SUMS);
const variances = new Float64Array(COLOURS);
const FIRST = PAIRS.map(([i]) => i);
const SECOND = PAIRS.map(([, j]) => j);

/** @param sums along the rows of the window @param s where those of the block begin */
function putUnits(sums: readonly Float64Array[], s: number, units: Int8Array, at: number): void {
  const [r0, r1, r2, r3, r4, r5] = sums as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let k = 0, i = s; k < SUMS; k++, i++)
    window[k] = INNER * (r2[i]! + r3[i]!) + MIDDLE * (r1[i]! + r4[i]!) + (r0[i]! + r5[i]!);
  for (let i = 0; i < COLOURS; i++)
    variances[i] = WEIGHT * window[COLOURS + i]! - window[i]! * window[i]! + LEAST_VARIANCE * (WEIGHT * WEIGHT);
  for (let pair = 0; pair < PAIRS.length; pair++) {
    const [i, j] = [FIRST[pair]!, SECOND[pair]!];
    const together = WEIGHT * window[2 * COLOURS + pair]! - window[i]! * window[j]!;
    const around = Math.floor((CORRELATION_UNITS * together) / Math.sqrt(variances[i]! * variances[j]!) + 0.5);
    const wanted = Math.floor((SHARES[pair]! * around) / 16) + USUAL[pair]!;
    units[at + pair] = Math.max(-MAX_CORRELATION, Math.min(MAX_CORRELATION, wanted));
  }
}
