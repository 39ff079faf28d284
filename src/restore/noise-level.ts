/**
 * How strong the white noise of a picture is: by the eigenvalues of the covariance of small patches. Content lies in few
 * directions, noise in all alike; so of the eigenvalues, sorted, the largest are left out until the mean of the rest is
 * their median (Chen, Zhu and Heng, "An efficient statistical method for image noise level estimation", ICCV 2015,
 * algorithm 1).
 */
import { COLOURS } from '../pixels/colour.js';
import { colourRows, isGrey } from '../pixels/picture-planes.js';
import type { Picture } from '../picture.js';
import type { Pieces } from '../turns.js';

/** Side of a patch, and about how many of them are looked at. */
const SIDE = 5;
const PATCHES = 2 ** 16;
const PATCHES_OF_PIECE = 2 ** 10;
/** Patches nearer than so many sigma to black or white are left out: noise is cut off there. */
const MARGIN = 2;

/**
 * Standard deviation of the white noise in each sample, in units of 8 bits.
 * @param picture of at least 8×8 pixels; 0 for smaller ones
 */
export function* estimateSigmaInPieces(picture: Picture): Pieces<number> {
  const { width, height } = picture;
  if (Math.min(width, height) < 8) return 0;
  const first = yield* estimate(picture, 0);
  // What is cut off makes noise look weaker; once it is known how strong it is, such places can be told.
  return Math.max(first, yield* estimate(picture, MARGIN * first));
}

function* estimate(picture: Picture, margin: number): Pieces<number> {
  const covariance = yield* patchCovariance(picture, margin);
  if (covariance === undefined) return 0;
  return levelOf(yield* eigenvalues(covariance));
}

/**
 * Standard deviation of noise by the eigenvalues of patches that have it.
 * @param values in any order; at least one
 */
export function levelOf(values: readonly number[]): number {
  const falling = [...values].sort((a, b) => b - a);
  let sum = falling.reduce((total, value) => total + value, 0);
  let i = 0;
  // Of two the mean is the median: were it left to rounding, busy pictures, whose eigenvalues fall ever more slowly, would have none.
  for (; falling.length - i > 2; i++) {
    const rest = falling.length - i;
    const middle = (falling[i + ((rest - 1) >> 1)]! + falling[i + (rest >> 1)]!) / 2;
    if (sum / rest <= middle) break;
    sum -= falling[i]!;
  }
  return Math.sqrt(Math.max(0, sum / (falling.length - i)));
}

/** @returns rows of the covariance matrix of patches; undefined where there are too few */
function* patchCovariance(picture: Picture, margin: number): Pieces<Float64Array[] | undefined> {
  const { width, height } = picture;
  const colours = isGrey(picture.channels) ? 1 : COLOURS;
  const n = SIDE * SIDE * colours;
  const columns = width - SIDE + 1;
  const rows = height - SIDE + 1;
  const step = Math.max(1, Math.floor(Math.sqrt((columns * rows) / PATCHES)));
  const sums = new Float64Array(n);
  const products = Array.from({ length: n }, () => new Float64Array(n));
  const patch = new Float64Array(n);
  const sum = new Float64Array(COLOURS);
  let patches = 0;
  let count = 0;
  // Grey is as luma, √3 times a sample.
  const scale = colours === 1 ? 1 / Math.sqrt(3) : 1;
  for (let y = 0; y < rows; y += step) {
    const strip = colourRows(picture, y, y + SIDE).data;
    for (let x = 0; x < columns; x += step) {
      if (patches++ % PATCHES_OF_PIECE === 0) yield;
      sum.fill(0);
      for (let j = 0, k = 0; j < SIDE; j++) {
        for (let i = 0; i < SIDE; i++) {
          const o = (j * width + x + i) * COLOURS;
          for (let c = 0; c < COLOURS; c++) sum[c] = sum[c]! + strip[o + c]! / (SIDE * SIDE);
          for (let c = 0; c < colours; c++) patch[k++] = scale * strip[o + c]!;
        }
      }
      if (!isWithin(sum, margin)) continue;
      count++;
      for (let a = 0; a < n; a++) {
        const value = patch[a]!;
        sums[a] = sums[a]! + value;
        const row = products[a]!;
        for (let b = 0; b <= a; b++) row[b] = row[b]! + value * patch[b]!;
      }
    }
  }
  if (count < 8 * n) return undefined;
  for (let a = 0; a < n; a++)
    for (let b = 0; b <= a; b++)
      products[b]![a] = products[a]![b] = products[a]![b]! / count - (sums[a]! / count) * (sums[b]! / count);
  return products;
}

/** Whether a patch's mean colour, rotated, is so far from the ends of the range in all its samples. */
function isWithin([l = 0, p = 0, q = 0]: Float64Array, margin: number): boolean {
  const grey = l / Math.sqrt(3) + 127.5;
  const [red, green] = [p / Math.SQRT2 + q / Math.sqrt(6), q / Math.sqrt(6) - p / Math.SQRT2];
  const blue = (-2 * q) / Math.sqrt(6);
  return Math.min(red, green, blue) + grey >= margin && Math.max(red, green, blue) + grey <= 255 - margin;
}

/** Eigenvalues of a symmetric matrix by Jacobi's rotations (Golub and Van Loan, "Matrix Computations", section 8.5); it is overwritten. */
function* eigenvalues(matrix: Float64Array[]): Pieces<number[]> {
  const n = matrix.length;
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    let diagonal = 0;
    for (let p = 0; p < n; p++) {
      diagonal += matrix[p]![p]! * matrix[p]![p]!;
      for (let q = 0; q < p; q++) off += matrix[p]![q]! * matrix[p]![q]!;
    }
    if (off <= 1e-16 * diagonal) break;
    yield;
    for (let p = 0; p < n - 1; p++) for (let q = p + 1; q < n; q++) rotate(matrix, p, q);
  }
  return matrix.map((row, i) => row[i]!);
}

/** Makes one element off the diagonal 0. */
function rotate(matrix: Float64Array[], p: number, q: number): void {
  const element = matrix[p]![q]!;
  if (element === 0) return;
  const tau = (matrix[q]![q]! - matrix[p]![p]!) / (2 * element);
  const t = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
  const c = 1 / Math.sqrt(1 + t * t);
  const s = t * c;
  for (const row of matrix) {
    const [a, b] = [row[p]!, row[q]!];
    row[p] = c * a - s * b;
    row[q] = s * a + c * b;
  }
  const [above, below] = [matrix[p]!, matrix[q]!];
  for (let k = 0; k < matrix.length; k++) {
    const [a, b] = [above[k]!, below[k]!];
    above[k] = c * a - s * b;
    below[k] = s * a + c * b;
  }
}
