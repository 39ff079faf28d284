/**
 * Colour: an orthonormal rotation of RGB around mid-grey, so that squared error is kept and white noise stays white.
 * Rows: luma (1,1,1)/√3, then (1,−1,0)/√2 and (1,1,−2)/√6.
 */
export const COLOURS = 3;

const L = 1 / Math.sqrt(3);
const P = 1 / Math.sqrt(2);
const Q = 1 / Math.sqrt(6);
const MID = 127.5;

/** @param rgb three 8-bit samples a pixel. @returns three rotated floats a pixel, luma −221..221. */
export function rotateColours(rgb: Uint8Array): Float32Array {
  const out = new Float32Array(rgb.length);
  for (let i = 0; i < rgb.length; i += 3) {
    const r = rgb[i]! - MID;
    const g = rgb[i + 1]! - MID;
    const b = rgb[i + 2]! - MID;
    out[i] = (r + g + b) * L;
    out[i + 1] = (r - g) * P;
    out[i + 2] = (r + g - 2 * b) * Q;
  }
  return out;
}

/** A grey picture as rotated colours: both chroma channels are exactly 0. */
export function rotateGrey(grey: Uint8Array): Float32Array {
  const out = new Float32Array(grey.length * 3);
  for (let i = 0; i < grey.length; i++) out[3 * i] = (grey[i]! - MID) * 3 * L;
  return out;
}

/** Inverse of `rotateColours`, rounded to 8 bits. */
export function restoreColours(rotated: Float32Array): Uint8Array {
  const out = new Uint8Array(rotated.length);
  for (let i = 0; i < rotated.length; i += 3) {
    const l = rotated[i]! * L + MID;
    const p = rotated[i + 1]! * P;
    const q = rotated[i + 2]! * Q;
    out[i] = toByte(l + p + q);
    out[i + 1] = toByte(l - p + q);
    out[i + 2] = toByte(l - 2 * q);
  }
  return out;
}

/** Inverse of `rotateGrey`, rounded to 8 bits; chroma is ignored. */
export function restoreGrey(rotated: Float32Array): Uint8Array {
  const out = new Uint8Array(rotated.length / 3);
  for (let i = 0; i < out.length; i++) out[i] = toByte(rotated[3 * i]! * L + MID);
  return out;
}

function toByte(v: number): number {
  return v <= 0 ? 0 : v >= 255 ? 255 : Math.floor(v + 0.5);
}
