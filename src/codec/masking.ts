/**
 * Contrast masking: an error is seen the less, the more contrast there is around it. So the details of a block
 * are measured straight, or settled, the less precisely, the more energy the coarser level has there. Both sides know that
 * level before they come to the finer one, so nothing has to be sent.
 */
import type { Observation } from '../diffusion/observation.js';
import { FINEST_COARSE_CODE, type Chroma } from '../diffusion/schedule.js';
import { MAX_FIRST_CODE } from '../format.js';
import { log2 } from '../math/exact.js';
import { gridOf, type Rectangle, type Size } from '../math/rectangle.js';
import { COEFFICIENTS } from '../model/architecture.js';
import { COLOURS } from '../pixels/colour.js';
import type { CoefficientRows } from '../pixels/pyramid.js';
import { rowsOfPiece, type Pieces } from '../turns.js';

/** Strength for the eye on straight paths. SSIMULACRA 2 gains 4 to 7 % of the bytes, for 0.2 to 0.3 dB of PSNR. */
export const EYE_MASKING = 4;
/** By how many codes more than brightness the colours are measured for the eye on straight paths: another 2 % of the bytes. */
export const EYE_CHROMA: Chroma = [6, 10];
/** What a straight schedule for the eye says of how errors are spread over places and colours. */
export const EYE_SPREAD = { masking: EYE_MASKING, chroma: EYE_CHROMA };
/** Strength of masking of levels that are settled, where no network has to make sense of it. */
export const SETTLED_MASKING = 6;

/**
 * Side of a block by level, in positions of the coarser one: 16 pixels at levels 0, 1, 2, and 32 at level 3. Coarser levels
 * have none.
 */
const BLOCK_SIDES = [4, 2, 1, 1];
/** Energy of the three details of brightness at a position, in the mean of a block, at which a block is measured as the step says. */
const USUAL = 1000;
/** Added to it: below that a block is as good as flat. */
const LEAST = 60;
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

/**
 * What the colours of a block are measured with, in codes more than its step says: contrast of brightness does not hide
 * them, and a block that ends in a flat area would be seen.
 */
export function colourOffset(offset: number, chroma: number): number {
  return Math.min(offset, 0) + chroma;
}

/** @param energy mean of a block @param strength 0..MAX_MASKING */
function offsetOf(energy: number, strength: number): number {
  const codes = 0.5 * strength * log2((energy + LEAST) / USUAL);
  return Math.max(-MOST, Math.min(MOST, UNIT * Math.floor(codes / UNIT + 0.5)));
}

/** Offsets of one row of blocks. */
class BlockRow {
  private readonly sums: Float64Array;

  /** @param left position of the coarser level that its rows begin with @param block side of a block there */
  constructor(
    private readonly width: number,
    private readonly left: number,
    private readonly block: number,
    private readonly strength: number,
  ) {
    this.sums = new Float64Array(Math.ceil((left + width) / block));
  }

  /** @param rows coefficients of the coarser level, those of one row of blocks @param offsets by block, from the picture's left on */
  put(rows: Float32Array, offsets: Int8Array): void {
    const { sums, width, left, block, strength } = this;
    sums.fill(0);
    const height = rows.length / (width * COEFFICIENTS);
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = left; x < left + width; x++, i += COEFFICIENTS) {
        const [h, v, d] = [rows[i + COLOURS]!, rows[i + 2 * COLOURS]!, rows[i + 3 * COLOURS]!];
        sums[Math.floor(x / block)]! += h * h + v * v + d * d;
      }
    }
    for (let column = Math.floor(left / block); column < sums.length; column++) {
      const first = Math.max(left, block * column);
      const end = Math.min(left + width, block * (column + 1));
      offsets[column] = offsetOf(sums[column]! / (height * (end - first)), strength);
    }
  }
}

/** What is known of the coarser level: coefficients of some of its positions, measured or as they are expected. */
type Known = Rectangle & Pick<Observation, 'z'>;

/**
 * Offsets of the blocks of a level, from the coarser one.
 * @param coarse may be a window that begins with whole blocks: blocks that it does not hold get none
 * @param size of the level's picture
 * @returns undefined where a level has none
 */
export function* maskingInPieces(
  coarse: Known,
  level: number,
  size: Size,
  strength: number,
): Pieces<Masking | undefined> {
  const block = BLOCK_SIDES[level];
  if (block === undefined || strength === 0) return undefined;
  const { width, height } = gridOf(size);
  const columns = Math.ceil(width / (2 * block));
  const offsets = new Int8Array(columns * Math.ceil(height / (2 * block)));
  const length = coarse.width * COEFFICIENTS;
  const row = new BlockRow(coarse.width, coarse.x, block, strength);
  const piece = rowsOfPiece(block * coarse.width);
  const first = Math.floor(coarse.y / block);
  for (let y = first; y * block < coarse.y + coarse.height; y++) {
    if ((y - first) % piece === piece - 1) yield;
    const from = Math.max(0, y * block - coarse.y);
    const to = Math.min(coarse.height, (y + 1) * block - coarse.y);
    row.put(coarse.z.subarray(from * length, to * length), offsets.subarray(y * columns, (y + 1) * columns));
  }
  return { columns, side: 2 * block, offsets };
}

/** The same of single rows of blocks, before anything is coded: by the coefficients themselves. */
export class ForeseenMasking {
  /** Side of a block in positions of the level. */
  readonly side: number;
  readonly offsets: Int8Array;
  private readonly row: BlockRow;
  private known = -1;

  private constructor(
    private readonly rowsOf: CoefficientRows,
    private readonly coarse: Size,
    private readonly block: number,
    strength: number,
  ) {
    this.side = 2 * block;
    this.offsets = new Int8Array(Math.ceil(coarse.width / block));
    this.row = new BlockRow(coarse.width, 0, block, strength);
  }

  /** @param rowsOf those of the coarser level @param coarse size of its grid @returns undefined where the level has none */
  static of(rowsOf: CoefficientRows, coarse: Size, level: number, strength: number): ForeseenMasking | undefined {
    const block = BLOCK_SIDES[level];
    return block === undefined || strength === 0 ? undefined : new ForeseenMasking(rowsOf, coarse, block, strength);
  }

  /** Fills `offsets` with those of the blocks in which a row of the level lies. */
  *at(y: number): Pieces<void> {
    const { side, block, coarse } = this;
    const wanted = Math.floor(y / side);
    if (wanted === this.known) return;
    this.known = wanted;
    const rows = yield* this.rowsOf(wanted * block, Math.min(coarse.height, (wanted + 1) * block));
    this.row.put(rows, this.offsets);
  }
}
