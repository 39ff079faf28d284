/**
 * Multi-scale structural similarity (Wang, Simoncelli and Bovik 2003) with the conventions of pytorch-msssim, which
 * CompressAI uses: 11-tap Gaussian of sigma 1.5 without padding, five scales by 2×2 means (odd sides padded by a zero on
 * the left and top that counts), the product of the scales per channel, then the mean of R, G and B.
 */
import type { Picture } from '../../src/picture.js';

import { plane, type FloatPlane } from '../../src/metrics/float-plane.js';
import { filterValid } from './filter.js';
import { rgbOf } from '../../src/metrics/rgb.js';

const WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];
const C1 = (0.01 * 255) ** 2;
const C2 = (0.03 * 255) ** 2;
const REACH = 5;
/** A smaller side has no 11 samples left at the coarsest scale. */
const MS_SSIM_MIN_SIDE = 161;

const gaussian = Array.from({ length: REACH + 1 }, (_, k) => Math.exp(-(k * k) / (2 * 1.5 * 1.5)));
const total = gaussian.reduce((sum, tap, k) => sum + (k === 0 ? tap : 2 * tap), 0);
const HALF = gaussian.map((tap) => tap / total);

/** Of a channel at a scale: the samples, their local means and mean squares. */
interface Scale {
  x: FloatPlane;
  mean: FloatPlane;
  square: FloatPlane;
}

/** Prepares the reference's side. @returns MS-SSIM of a decoded RGB picture, undefined where a side is below 161 @throws DcompError E_PICTURE */
export function msSsim(source: Picture): (decoded: Picture) => number | undefined {
  const reference = rgbOf(source);
  if (Math.min(reference.width, reference.height) < MS_SSIM_MIN_SIDE) return () => undefined;
  const scales = [0, 1, 2].map((c) => pyramid(channel(reference, c)).map(statistics));
  return (decoded) => {
    let sum = 0;
    for (let c = 0; c < 3; c++) {
      let product = 1;
      for (const [i, y] of pyramid(channel(rgbOf(decoded, reference), c)).entries()) {
        const { luminance, structure } = compare(scales[c]![i]!, statistics(y));
        product *= Math.max(0, i === WEIGHTS.length - 1 ? luminance : structure) ** WEIGHTS[i]!;
      }
      sum += product;
    }
    return sum / 3;
  };
}

/** The scale on which differences near 1 are seen. */
export function msSsimDecibels(value: number): number {
  return -10 * Math.log10(1 - value);
}

function channel({ width, height, data }: Picture, c: number): FloatPlane {
  const out = plane(width, height);
  for (let i = 0, j = c; i < out.data.length; i++, j += 3) out.data[i] = data[j]!;
  return out;
}

function pyramid(x: FloatPlane): FloatPlane[] {
  const planes = [x];
  while (planes.length < WEIGHTS.length) planes.push(halve(planes[planes.length - 1]!));
  return planes;
}

/** Means of 2×2, an odd side having a row or column of zeros before it. */
function halve({ width, height, data }: FloatPlane): FloatPlane {
  const [left, top] = [width % 2, height % 2];
  const out = plane((width + left) / 2, (height + top) / 2);
  const sample = (x: number, y: number): number => (x < 0 || y < 0 ? 0 : data[y * width + x]!);
  for (let y = 0; y < out.height; y++) {
    const y0 = 2 * y - top;
    for (let x = 0; x < out.width; x++) {
      const x0 = 2 * x - left;
      out.data[y * out.width + x] =
        (sample(x0, y0) + sample(x0 + 1, y0) + sample(x0, y0 + 1) + sample(x0 + 1, y0 + 1)) / 4;
    }
  }
  return out;
}

function statistics(x: FloatPlane): Scale {
  return { x, mean: blurProduct(x), square: blurProduct(x, x) };
}

/** Blurs x, or the product of x and y. */
function blurProduct(x: FloatPlane, y?: FloatPlane): FloatPlane {
  const { width, height, data } = x;
  const other = y?.data;
  return filterValid(width, height, HALF, (line, row) => {
    const from = line * width;
    if (other === undefined) for (let i = 0; i < width; i++) row[i] = data[from + i]!;
    else for (let i = 0; i < width; i++) row[i] = data[from + i]! * other[from + i]!;
  });
}

/** Mean of the SSIM map, and of its contrast-structure factor alone. */
function compare(a: Scale, b: Scale): { luminance: number; structure: number } {
  const product = blurProduct(a.x, b.x).data;
  const n = product.length;
  const [ma, mb, sa, sb] = [a.mean.data, b.mean.data, a.square.data, b.square.data];
  let luminance = 0;
  let structure = 0;
  for (let i = 0; i < n; i++) {
    const p = ma[i]!;
    const q = mb[i]!;
    const cs = (2 * (product[i]! - p * q) + C2) / (sa[i]! - p * p + (sb[i]! - q * q) + C2);
    structure += cs;
    luminance += ((2 * p * q + C1) / (p * p + q * q + C1)) * cs;
  }
  return { luminance: luminance / n, structure: structure / n };
}
