/**
 * The pyramid: u₀ is the picture (rotated colours), u_{k+1} the 2×2 mean of u_k. One orthonormal Haar step on u_k gives
 * four subbands at half the resolution; LL is 2 · u_{k+1}, and white noise stays white. An odd side is continued by
 * repeating its last row or column.
 */
import { COEFFICIENTS } from '../model/architecture.js';
import { finish, rowsOfPiece, type Pieces } from '../turns.js';
import { COLOURS } from './colour.js';

/** A picture in rotated colours: width · height · 3 floats, interleaved. */
export interface Plane {
  width: number;
  height: number;
  data: Float32Array;
}

/** The coefficients of one level: width · height positions of 12 (subband-major: LL, LH, HL, HH, three colours each). */
export interface Coefficients {
  width: number;
  height: number;
  data: Float32Array;
}

/** Rows of the coefficients of a level, from `first` to before `end`. */
export type CoefficientRows = (first: number, end: number) => Pieces<Float32Array>;

/** Samples that are halved in a piece. */
const PIECE = COLOURS * 2 ** 18;

/** One Haar step. LH is the horizontal difference, HL the vertical one. */
export function haar(u: Plane): Coefficients {
  return finish(haarInPieces(u));
}

/** As `haar`. */
export function* haarInPieces(u: Plane): Pieces<Coefficients> {
  const width = (u.width + 1) >> 1;
  const height = (u.height + 1) >> 1;
  const data = new Float32Array(width * height * COEFFICIENTS);
  const src = u.data;
  const lastX = u.width - 1;
  const lastY = u.height - 1;
  const piece = rowsOfPiece(width);
  let o = 0;
  for (let y = 0; y < height; y++) {
    if (y % piece === piece - 1) yield;
    const top = 2 * y * u.width;
    const bottom = Math.min(2 * y + 1, lastY) * u.width;
    for (let x = 0; x < width; x++) {
      const left = 2 * x;
      const right = Math.min(left + 1, lastX);
      for (let c = 0; c < COLOURS; c++) {
        const p = src[(top + left) * COLOURS + c]!;
        const q = src[(top + right) * COLOURS + c]!;
        const r = src[(bottom + left) * COLOURS + c]!;
        const s = src[(bottom + right) * COLOURS + c]!;
        data[o + c] = (p + q + r + s) * 0.5;
        data[o + 3 + c] = (p - q + r - s) * 0.5;
        data[o + 6 + c] = (p + q - r - s) * 0.5;
        data[o + 9 + c] = (p - q - r + s) * 0.5;
      }
      o += COEFFICIENTS;
    }
  }
  return { width, height, data };
}

/**
 * Inverse Haar step, cut to the given size (which differs from twice the grid where a side is odd).
 * @param width, height of the picture, so that the grid is their half, rounded up.
 */
export function inverseHaar(coefficients: Coefficients, width: number, height: number): Plane {
  return finish(inverseHaarInPieces(coefficients, width, height));
}

/** As `inverseHaar`. */
export function* inverseHaarInPieces(coefficients: Coefficients, width: number, height: number): Pieces<Plane> {
  const piece = rowsOfPiece(width, PIECE);
  const data = new Float32Array(width * height * COLOURS);
  const src = coefficients.data;
  for (let y = 0, o = 0; y < height; y++) {
    if (y % piece === piece - 1) yield;
    const vertical = (y & 1) === 0 ? 0.5 : -0.5;
    let i = (y >> 1) * coefficients.width * COEFFICIENTS;
    for (let x = 0; x < width; x += 2, i += COEFFICIENTS) {
      const both = x + 1 < width;
      for (let c = 0; c < COLOURS; c++, o++) {
        const ll = src[i + c]!;
        const lh = src[i + 3 + c]!;
        const hl = src[i + 6 + c]!;
        const hh = src[i + 9 + c]!;
        data[o] = (ll + lh) * 0.5 + (hl + hh) * vertical;
        if (both) data[o + COLOURS] = (ll - lh) * 0.5 + (hl - hh) * vertical;
      }
      if (both) o += COLOURS;
    }
  }
  return { width, height, data };
}

/** u_{k+1} from u_k. */
export function halve(u: Plane): Plane {
  return finish(halveInPieces(u));
}

/** As `halve`. */
export function* halveInPieces(u: Plane): Pieces<Plane> {
  return yield* planeOfLLInPieces(yield* haarInPieces(u), 0.5);
}

/** LL as a picture. @param factor that it is multiplied with: ½ for u_{k+1} */
export function* planeOfLLInPieces(coefficients: Coefficients, factor: number): Pieces<Plane> {
  const { width, height } = coefficients;
  const data = new Float32Array(width * height * COLOURS);
  for (let i = 0, o = 0; o < data.length; i += COEFFICIENTS, o += COLOURS) {
    if (o % PIECE === 0) yield;
    for (let c = 0; c < COLOURS; c++) data[o + c] = coefficients.data[i + c]! * factor;
  }
  return { width, height, data };
}
