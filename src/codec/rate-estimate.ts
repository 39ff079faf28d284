/**
 * About how many bits a picture takes by the noise that it is measured with, from its coefficients alone: where the search
 * for the noise of a given size begins. No decoder sees it.
 */
import { CODES_LEVEL_SPAN, LAST_CODE } from '../format.js';
import { exp2, log2 } from '../math/exact.js';
import { gridOf, type Size } from '../math/rectangle.js';
import { COEFFICIENTS } from '../model/architecture.js';
import { log2SigmaOf } from '../model/sigma.js';
import { COLOURS } from '../pixels/colour.js';
import type { PictureCoefficients } from '../pixels/picture-coefficients.js';
import type { Pieces } from '../turns.js';
import { MAX_FIRST_CODE } from '../format.js';

/** Energies are those of so many positions side by side and below each other. */
const BLOCK = 2;
/** Energies are counted by their log2, in bins of half an octave from 2^LOWEST on. */
const LOWEST = -8;
const BINS = 80;
/** What a network that knows pictures makes of the Gaussian bits of those blocks. */
const SHARE = 0.6;
/** Rows of positions that are looked at, of each level: every so many where there are more. */
const ROWS = 256;

/** How many details of each level have which energy. */
export type Energies = readonly Float64Array[];

/** @param sizes of u₀, u₁, … */
export function* energiesOf(coefficients: PictureCoefficients, sizes: readonly Size[]): Pieces<Energies> {
  const levels: Float64Array[] = [];
  for (let level = 0; level + 1 < sizes.length; level++) {
    const { width, height } = gridOf(sizes[level]!);
    const counts = new Float64Array(BINS);
    const skip = Math.max(1, Math.floor(height / ROWS));
    const step = BLOCK * skip;
    for (let y = 0; y < height; y += step) {
      const rows = yield* coefficients.rowsOf(level)(y, Math.min(height, y + BLOCK));
      countEnergies(rows, width, counts, skip);
    }
    levels.push(counts);
  }
  return levels;
}

function countEnergies(rows: Float32Array, width: number, counts: Float64Array, weight: number): void {
  const length = width * COEFFICIENTS;
  for (let x = 0; x < width; x += BLOCK) {
    const columns = Math.min(BLOCK, width - x);
    for (let c = COLOURS; c < COEFFICIENTS; c++) {
      let sum = 0;
      for (let row = 0; row < rows.length; row += length)
        for (let i = row + x * COEFFICIENTS + c, k = 0; k < columns; k++, i += COEFFICIENTS) sum += rows[i]! * rows[i]!;
      const count = (columns * rows.length) / length;
      const bin = Math.floor(2 * (log2(Math.max(1e-9, sum / count)) - LOWEST));
      counts[Math.max(0, Math.min(BINS - 1, bin))]! += count * weight;
    }
  }
}

/** Bits of the details of all levels, with white noise of a sigma code at level 0. */
export function bitsAt(energies: Energies, code: number): number {
  let bits = 0;
  for (const [level, counts] of energies.entries()) {
    const noise = 2 * (log2SigmaOf(code) - level);
    for (let bin = 0; bin < BINS; bin++)
      if (counts[bin]! > 0) bits += 0.5 * counts[bin]! * log2(1 + exp2(LOWEST + (bin + 0.5) / 2 - noise));
  }
  return SHARE * bits;
}

/** The code at which so many bits are taken, in whole steps, the coarser of two. @param factor by which the estimate is off */
export function codeForBits(energies: Energies, bits: number, factor = 1): number {
  let code = LAST_CODE + CODES_LEVEL_SPAN;
  while (code < MAX_FIRST_CODE && factor * bitsAt(energies, code) > bits) code++;
  return code;
}
