/**
 * About how many bits a picture takes by the noise that it is measured with, from its coefficients alone: where the search
 * for the noise of a given size begins. No decoder sees it.
 */
import { chromaAt, straightCode, type Schedule, type Straight } from '../diffusion/schedule.js';
import { exp2, log2 } from '../math/exact.js';
import { gridOf, type Size } from '../math/rectangle.js';
import { COEFFICIENTS } from '../model/architecture.js';
import { CODES_PER_OCTAVE, log2SigmaOf } from '../model/sigma.js';
import { COLOURS } from '../pixels/colour.js';
import { ForeseenMasking } from './masking.js';
import { isLagging, lagAt, laggingCode, type Lags } from './region.js';
import type { PictureCoefficients } from '../pixels/picture-coefficients.js';
import type { Pieces } from '../turns.js';

/** Energies are those of so many positions side by side and below each other. */
const BLOCK = 2;
/** Energies are counted by their log2, in bins of half an octave from 2^LOWEST on. */
const LOWEST = -8;
const BINS = 80;
/** Rows of positions that are looked at, of each level: every so many where there are more. */
const ROWS = 256;
/** Log2 of bits over estimate by level, on the mean; of coarser ones the last. At level 0 the less, the less there is to tell. */
const USUAL = [-0.8, -0.27, -0.2, -0.02, -0.01, 0.02, 0];
const LESS_TOLD = 0.05;
/** What a level differs from the usual by, of what the two coarser ones do; of coarser ones the last. */
const FOLLOWS = [
  [3.57, -2.4],
  [1.65, -0.66],
  [1.42, -0.24],
  [0.85, 0],
] as const;
/** So many bits of a level say as much about it as what others say. */
const DOUBTED_BITS = 2000;

/**
 * Of the blocks that lag alike: how many details of each level have which energy, over that of the noise of their block when
 * others have as much as a step says. Levels that do not lag are with those blocks that do not.
 */
export interface Energies {
  lag: number;
  /** Of the picture. */
  pixels: number;
  levels: Float64Array[];
}

/**
 * @param sizes of u₀, u₁, …
 * @param schedule how errors are spread over places and colours
 * @param lags of blocks
 * @returns by lag
 */
export function* energiesOf(
  coefficients: PictureCoefficients,
  sizes: readonly Size[],
  schedule: Pick<Schedule, 'straight' | 'masking' | 'chroma'>,
  lags?: Lags,
): Pieces<Energies[]> {
  const parts = new Map<number, Energies>();
  const partOf = (lag: number): Energies => {
    let part = parts.get(lag);
    if (part === undefined) {
      part = { lag, pixels: 0, levels: sizes.slice(1).map(() => new Float64Array(BINS)) };
      parts.set(lag, part);
    }
    return part;
  };
  partOf(0);
  for (let level = 0; level + 1 < sizes.length; level++) {
    const { width, height } = gridOf(sizes[level]!);
    const skip = Math.max(1, Math.floor(height / ROWS));
    const step = BLOCK * skip;
    const masked =
      level + 2 < sizes.length
        ? ForeseenMasking.of(coefficients.rowsOf(level + 1), gridOf(sizes[level + 1]!), level, schedule.masking ?? 0)
        : undefined;
    const lagging = isLagging({ level, kind: 'enter' }, true) ? lags : undefined;
    for (let y = 0; y < height; y += step) {
      if (masked !== undefined) yield* masked.at(y);
      const rows = yield* coefficients.rowsOf(level)(y, Math.min(height, y + BLOCK));
      const offsets = { masked, chroma: chromaAt(schedule, level) };
      countEnergies(rows, width, offsets, skip, (x, count) => {
        const part = partOf(lagging === undefined ? 0 : lagAt(lagging, level, x, y));
        // Of a position of level 0, four; only these are asked for.
        if (level === 0) part.pixels += 4 * count;
        return part.levels[level]!;
      });
    }
  }
  return [...parts.values()];
}

/** @param countsOf those that a number of positions from a column on count among */
function countEnergies(
  rows: Float32Array,
  width: number,
  { masked, chroma }: { masked: ForeseenMasking | undefined; chroma: number },
  weight: number,
  countsOf: (x: number, count: number) => Float64Array,
): void {
  const length = width * COEFFICIENTS;
  for (let x = 0; x < width; x += BLOCK) {
    const columns = Math.min(BLOCK, width - x);
    const offset = masked === undefined ? 0 : masked.offsets[Math.floor(x / masked.side)]!;
    const count = (columns * rows.length) / length;
    const counts = countsOf(x, count * weight);
    for (let c = COLOURS; c < COEFFICIENTS; c++) {
      const noise = (2 * (c % COLOURS === 0 ? offset : chroma)) / CODES_PER_OCTAVE;
      let sum = 0;
      for (let row = 0; row < rows.length; row += length)
        for (let i = row + x * COEFFICIENTS + c, k = 0; k < columns; k++, i += COEFFICIENTS) sum += rows[i]! * rows[i]!;
      const bin = Math.floor(2 * (log2(Math.max(1e-9, sum / count)) - noise - LOWEST));
      counts[Math.max(0, Math.min(BINS - 1, bin))]! += count * weight;
    }
  }
}

/** Bits of the details of a level that are measured with a sigma code. */
function bitsOf(counts: Float64Array, code: number): number {
  const noise = 2 * log2SigmaOf(code);
  let bits = 0;
  for (let bin = 0; bin < BINS; bin++)
    if (counts[bin]! > 0) bits += 0.5 * counts[bin]! * log2(1 + exp2(LOWEST + (bin + 0.5) / 2 - noise));
  return bits;
}

/**
 * Foresees the bits of a picture that is measured straight, better with each level that has been: what one differs
 * from the usual by the next does, too. Its coefficients were fitted to files of dev2, for the eye and for
 * PSNR, and of a part of dev, at three to five qualities each: what is foreseen of the whole from its coefficients alone is
 * right within 16 % (standard deviation; dev: 9 %), from all but the two finest levels within 2 to 7 %, from all but the
 * finest within 1 to 2.5 %.
 */
export class RateForecast {
  /** By level, log2 of bits over estimate beside the usual; where it is known. */
  private readonly surprises: number[] = [];

  /** How many have details. */
  private readonly levels: number;

  /** @param parts of the picture, by lag */
  constructor(private readonly parts: readonly Energies[]) {
    this.levels = parts[0]!.levels.length;
  }

  /** @param code that the details of a level have been measured with @param bits that they took */
  learn(level: number, code: number, bits: number): void {
    const share = bits / (bits + DOUBTED_BITS);
    const surprise = log2(Math.max(1, bits) / this.usual(level, code));
    this.surprises[level] = share * surprise + (1 - share) * this.expected(level);
  }

  /** Bits of the details of levels from one on, and below another. */
  bitsWithin(from: number, to: number, straight: Straight): number {
    let bits = 0;
    for (let level = from; level < Math.min(to, this.levels); level++) {
      const code = straightCode(straight, level);
      bits += this.usual(level, code) * exp2(this.surprise(level));
    }
    return bits;
  }

  /** Log2 of bits over estimate beside the usual, as known or foreseen; above the coarsest level none. */
  private surprise(level: number): number {
    return this.surprises[level] ?? (level < this.levels ? this.expected(level) : 0);
  }

  private expected(level: number): number {
    const [last, before] = FOLLOWS[Math.min(level, FOLLOWS.length - 1)]!;
    return last * this.surprise(level + 1) + before * this.surprise(level + 2);
  }

  /** Bits of a level, as they are on the mean of pictures with such energies. */
  private usual(level: number, code: number): number {
    let sum = 0;
    for (const { lag, pixels, levels } of this.parts) {
      const bits = Math.max(1, bitsOf(levels[level]!, laggingCode(code, lag)));
      // Of blocks between the rows that are looked at no pixel may be known.
      const information = level > 0 ? 0 : log2(bits / Math.max(1, pixels));
      sum += bits * exp2(USUAL[Math.min(level, USUAL.length - 1)]! - LESS_TOLD * (information * information));
    }
    return sum;
  }
}
