/**
 * Colour: an orthonormal rotation of RGB around mid-grey, so that squared error is kept and white noise stays white.
 * Rows: luma (1,1,1)/√3, then (1,−1,0)/√2 and (1,1,−2)/√6. Samples of all depths are coded in units of 8 bits, with
 * fractions.
 */
import { newSamples, rangeOf, type Depth, type Samples } from '../picture.js';

export const COLOURS = 3;

const L = 1 / Math.sqrt(3);
const P = 1 / Math.sqrt(2);
const Q = 1 / Math.sqrt(6);
const MID = 127.5;

/** @param rgb three samples a pixel. @returns three rotated floats a pixel, luma −221..221. */
export function rotateColours(rgb: Samples, depth: Depth = 8): Float32Array {
  const range = rangeOf(depth);
  const out = new Float32Array(rgb.length);
  for (let i = 0; i < rgb.length; i += 3) {
    const r = (rgb[i]! * 255) / range - MID;
    const g = (rgb[i + 1]! * 255) / range - MID;
    const b = (rgb[i + 2]! * 255) / range - MID;
    out[i] = (r + g + b) * L;
    out[i + 1] = (r - g) * P;
    out[i + 2] = (r + g - 2 * b) * Q;
  }
  return out;
}

/** A grey picture as rotated colours: both chroma channels are exactly 0. */
export function rotateGrey(grey: Samples, depth: Depth = 8): Float32Array {
  const range = rangeOf(depth);
  const out = new Float32Array(grey.length * 3);
  for (let i = 0; i < grey.length; i++) out[3 * i] = ((grey[i]! * 255) / range - MID) * 3 * L;
  return out;
}

/**
 * Ends of the range that values near them are taken for, by how near, in units of 8 bits: what is left of the noise would
 * make a white area not quite white. 0: nothing but rounding.
 */
export interface Ends {
  white: number;
  black: number;
}

const AS_THEY_ARE: Ends = { white: 0, black: 0 };

/** Inverse of `rotateColours`, rounded to whole samples. */
export function restoreColours(rotated: Float32Array, depth: Depth = 8, ends: Ends = AS_THEY_ARE): Samples {
  const range = rangeOf(depth);
  const out = newSamples(rotated.length, depth);
  for (let i = 0; i < rotated.length; i += 3) {
    const l = rotated[i]! * L + MID;
    const p = rotated[i + 1]! * P;
    const q = rotated[i + 2]! * Q;
    out[i] = toSample(l + p + q, range, ends);
    out[i + 1] = toSample(l - p + q, range, ends);
    out[i + 2] = toSample(l - 2 * q, range, ends);
  }
  return out;
}

/** Inverse of `rotateGrey`, rounded to whole samples; chroma is ignored. */
export function restoreGrey(rotated: Float32Array, depth: Depth = 8, ends: Ends = AS_THEY_ARE): Samples {
  const range = rangeOf(depth);
  const out = newSamples(rotated.length / 3, depth);
  for (let i = 0; i < out.length; i++) out[i] = toSample(rotated[3 * i]! * L + MID, range, ends);
  return out;
}

/**
 * Samples in 1/256 of the units of 8 bits, 0..65280.
 * @param out where they are written to, from `first` on
 * @param grey one sample a pixel; chroma is ignored
 */
export function fractionsOf(rotated: Float32Array, out: Uint16Array, first: number, grey: boolean): void {
  for (let i = 0, o = first; i < rotated.length; i += 3) {
    const l = rotated[i]! * L + MID;
    if (grey) {
      out[o++] = fraction(l);
      continue;
    }
    const p = rotated[i + 1]! * P;
    const q = rotated[i + 2]! * Q;
    out[o++] = fraction(l + p + q);
    out[o++] = fraction(l - p + q);
    out[o++] = fraction(l - 2 * q);
  }
}

function fraction(v: number): number {
  return v <= 0 ? 0 : v >= 255 ? 65280 : Math.floor(v * 256 + 0.5);
}

/** A value in units of 8 bits as a whole sample. */
export function toSample(v: number, range: number, { white, black }: Ends = AS_THEY_ARE): number {
  if (white > 0 && v >= 254.5 - white) return range;
  if (black > 0 && v < black + 0.5) return 0;
  const scaled = v * (range / 255);
  return scaled <= 0 ? 0 : scaled >= range ? range : Math.floor(scaled + 0.5);
}
