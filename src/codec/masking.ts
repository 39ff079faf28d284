/**
 * Contrast masking: an error is seen the less, the more contrast there is around it. So brightness in the details of a
 * block is measured straight, or settled, the less precisely, the more energy the coarser level has there. Both sides know
 * that level before they come to the finer one, so nothing has to be sent.
 */
import type { Observation } from '../diffusion/observation.js';
import { FINEST_COARSE_CODE, type Chroma } from '../diffusion/schedule.js';
import { MAX_FIRST_CODE } from '../format.js';
import { log2 } from '../math/exact.js';
import { gridOf, type Rectangle, type Size } from '../math/rectangle.js';
import { sigmaOf, UNKNOWN } from '../model/sigma.js';
import { COEFFICIENTS } from '../model/architecture.js';
import { COLOURS } from '../pixels/colour.js';
import type { CoefficientRows } from '../pixels/pyramid.js';
import { rowsOfPiece, type Pieces } from '../turns.js';
import { isLagging, lagAt, type Lags } from './region.js';

/** Strength for the eye on straight paths: SSIMULACRA 2 gains 6 to 9 % of the bytes, for 0.2 to 0.4 dB of PSNR. */
export const EYE_MASKING = 6;
/** The same where levels are settled: half a point. */
export const SETTLED_MASKING = 8;
/** By how many codes more than brightness the colours are measured for the eye on straight paths: another 2 % of the bytes. */
export const EYE_CHROMA: Chroma = [4, 8];
/** What a straight schedule for the eye says of how errors are spread over places and colours. */
export const EYE_SPREAD = { masking: EYE_MASKING, chroma: EYE_CHROMA };

/** Side of a block by level, in positions of the coarser one: 8 pixels at level 0, 16 at 1 and 2, 32 at 3. Coarser levels have none. */
const BLOCK_SIDES = [2, 2, 1, 1];
/** Blocks lie in cells of two by two. */
const CELL = 2;
/** Energy of the three details of brightness at a position at which a block is measured as the step says. */
const USUAL = log2(1000);
/** Added to it: below that a block is as good as flat. */
const LEAST = 60;
/**
 * How far a block goes towards the calmest one of its cell: a plain wall beside an edge is to stay plain. The least of all
 * neighbours costs 3 % of the bytes, the mean of energies in place of logarithms 1 %.
 */
const CALM = 0.375;
/** So many times the noise of a block that lags is taken off its energy. */
const NOISE_SHARE = 1.5;
/** Offsets are even numbers of sigma codes, within an octave either way. */
const UNIT = 2;
const MOST = 16;

/** By how many sigma codes more than a step says the blocks of a level are measured, row by row. */
export interface Masking {
  columns: number;
  /** Side of a block in positions of the level. */
  side: number;
  offsets: Int8Array;
}

/** Offset at a position of the level. */
export function offsetAt({ columns, side, offsets }: Masking, x: number, y: number): number {
  return offsets[Math.floor(y / side) * columns + Math.floor(x / side)]!;
}

/** The code that a block is measured to in a step to `code`: no lower than sigma ¼, the least that the network knows. */
export function maskedCode(code: number, offset: number): number {
  return Math.max(Math.min(code, FINEST_COARSE_CODE), Math.min(MAX_FIRST_CODE, code + offset));
}

/** @param energy log2 @param strength 0..MAX_MASKING */
function offsetOf(energy: number, strength: number): number {
  const codes = 0.5 * strength * (energy - USUAL);
  return Math.max(-MOST, Math.min(MOST, UNIT * Math.floor(codes / UNIT + 0.5)));
}

/** Offsets of one row of cells, which are two rows of blocks. */
class CellRow {
  /** Whole cells. */
  private readonly columns: number;
  /** By block, the mean of log2 of the energies at its positions; infinite where there are none. */
  private readonly energies: Float64Array;
  /** How many positions it has. */
  private readonly counts: Float64Array;

  /** @param left position of the coarser level that its rows begin with @param block side of a block there */
  constructor(
    private readonly width: number,
    private readonly left: number,
    private readonly block: number,
    private readonly strength: number,
  ) {
    this.columns = CELL * Math.ceil((left + width) / (CELL * block));
    this.energies = new Float64Array(CELL * this.columns);
    this.counts = new Float64Array(CELL * this.columns);
  }

  /**
   * @param rows coefficients of the coarser level, those of one row of cells
   * @param offsets by block, from the picture's left on: two rows of them, or one where there is no other
   * @param columns of `offsets`
   * @param noises by position, what of its energy is none of the picture's
   */
  put(rows: Float32Array, offsets: Int8Array, columns: number, noises?: Float64Array): void {
    const { energies, counts, width, left, block } = this;
    energies.fill(0);
    counts.fill(0);
    const height = rows.length / (width * COEFFICIENTS);
    for (let y = 0, i = 0, p = 0; y < height; y++) {
      const row = Math.floor(y / block) * this.columns;
      for (let x = left; x < left + width; x++, i += COEFFICIENTS, p++) {
        const [h, v, d] = [rows[i + COLOURS]!, rows[i + 2 * COLOURS]!, rows[i + 3 * COLOURS]!];
        const at = row + Math.floor(x / block);
        const energy = h * h + v * v + d * d;
        energies[at]! += log2((noises === undefined ? energy : Math.max(0, energy - noises[p]!)) + LEAST);
        counts[at]!++;
      }
    }
    for (let at = 0; at < energies.length; at++)
      energies[at] = counts[at]! > 0 ? energies[at]! / counts[at]! : Infinity;
    const first = Math.floor(left / (CELL * block)) * CELL;
    for (let column = first; column < this.columns; column++) this.putColumn(column, offsets, columns);
  }

  private putColumn(column: number, offsets: Int8Array, columns: number): void {
    const { energies, strength } = this;
    const cell = column - (column % CELL);
    let calmest = Infinity;
    for (let row = 0; row < CELL; row++)
      for (let x = cell; x < cell + CELL; x++) calmest = Math.min(calmest, energies[row * this.columns + x]!);
    for (let row = 0; row < CELL; row++) {
      const energy = energies[row * this.columns + column]!;
      if (energy < Infinity) offsets[row * columns + column] = offsetOf(energy + CALM * (calmest - energy), strength);
    }
  }
}

/** What is known of the coarser level: coefficients of some of its positions, measured or as they are expected. */
type Known = Rectangle & Pick<Observation, 'z'>;

/**
 * By position of some rows that lag, what noise there is in the energy, and half as much again: seldom more than that. Blocks of
 * noise alone would be taken for contrast, and those beside each other be measured in different ways, which is seen.
 */
function noisesOf(
  { x, y, width, codes }: Observation,
  level: number,
  lags: Lags,
  from: number,
  to: number,
): Float64Array {
  const noises = new Float64Array((to - from) * width);
  for (let row = from, p = 0; row < to; row++) {
    for (let column = 0; column < width; column++, p++) {
      if (lagAt(lags, level, x + column, y + row) === 0) continue;
      const i = (row * width + column) * COEFFICIENTS;
      for (let c = COLOURS; c < COEFFICIENTS; c += COLOURS) {
        const sigma = codes[i + c] === UNKNOWN ? 0 : sigmaOf(codes[i + c]!);
        noises[p]! += NOISE_SHARE * (sigma * sigma);
      }
    }
  }
  return noises;
}

/**
 * Offsets of the blocks of a level that is about to be entered, from what has been measured of the coarser one.
 * @param lags of blocks, if the path is straight
 * @returns undefined where a level has none
 */
export function* maskingBeforeInPieces(
  coarse: Observation,
  level: number,
  size: Size,
  strength: number,
  lags: Lags | undefined,
): Pieces<Masking | undefined> {
  const lagging = lags !== undefined && isLagging({ level: level + 1, kind: 'enter' }, true);
  const noises = lagging ? (from: number, to: number) => noisesOf(coarse, level + 1, lags, from, to) : undefined;
  return yield* maskingInPieces(coarse, level, size, strength, noises);
}

/**
 * Offsets of the blocks of a level, from the coarser one.
 * @param coarse may be a window that begins with whole cells: blocks that it does not hold get none
 * @param size of the level's picture
 * @param noises of rows of `coarse`, by position: what of the energy is none of the picture's
 * @returns undefined where a level has none
 */
export function* maskingInPieces(
  coarse: Known,
  level: number,
  size: Size,
  strength: number,
  noises?: (from: number, to: number) => Float64Array,
): Pieces<Masking | undefined> {
  const block = BLOCK_SIDES[level];
  if (block === undefined || strength === 0) return undefined;
  const { width, height } = gridOf(size);
  const columns = Math.ceil(width / (2 * block));
  const offsets = new Int8Array(columns * Math.ceil(height / (2 * block)));
  const length = coarse.width * COEFFICIENTS;
  const cell = CELL * block;
  const row = new CellRow(coarse.width, coarse.x, block, strength);
  const piece = rowsOfPiece(cell * coarse.width);
  const first = Math.floor(coarse.y / cell);
  for (let y = first; y * cell < coarse.y + coarse.height; y++) {
    if ((y - first) % piece === piece - 1) yield;
    const from = Math.max(0, y * cell - coarse.y);
    const to = Math.min(coarse.height, (y + 1) * cell - coarse.y);
    const rows = coarse.z.subarray(from * length, to * length);
    row.put(rows, offsets.subarray(y * CELL * columns, (y + 1) * CELL * columns), columns, noises?.(from, to));
  }
  return { columns, side: 2 * block, offsets };
}

/** The same of single rows of blocks, before anything is coded: by the coefficients themselves. */
export class ForeseenMasking {
  /** Side of a block in positions of the level. */
  readonly side: number;
  /** Of the blocks in which the row lies that was asked for last. */
  offsets: Int8Array;
  private readonly columns: number;
  private readonly row: CellRow;
  /** Of a row of cells, and which one. */
  private readonly known: Int8Array;
  private knownRow = -1;

  private constructor(
    private readonly rowsOf: CoefficientRows,
    private readonly coarse: Size,
    private readonly block: number,
    strength: number,
  ) {
    this.side = 2 * block;
    this.columns = Math.ceil(coarse.width / block);
    this.known = new Int8Array(CELL * this.columns);
    this.offsets = this.known;
    this.row = new CellRow(coarse.width, 0, block, strength);
  }

  /** @param rowsOf those of the coarser level @param coarse size of its grid @returns undefined where the level has none */
  static of(rowsOf: CoefficientRows, coarse: Size, level: number, strength: number): ForeseenMasking | undefined {
    const block = BLOCK_SIDES[level];
    return block === undefined || strength === 0 ? undefined : new ForeseenMasking(rowsOf, coarse, block, strength);
  }

  /** Sets `offsets` to those of the blocks in which a row of the level lies. */
  *at(y: number): Pieces<void> {
    const { side, block, coarse, columns } = this;
    const wanted = Math.floor(y / side);
    const row = Math.floor(wanted / CELL);
    if (row !== this.knownRow) {
      const cell = CELL * block;
      const rows = yield* this.rowsOf(row * cell, Math.min(coarse.height, (row + 1) * cell));
      this.row.put(rows, this.known, columns);
      this.knownRow = row;
    }
    this.offsets = this.known.subarray((wanted % CELL) * columns, ((wanted % CELL) + 1) * columns);
  }
}
