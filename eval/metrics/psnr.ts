/** Peak signal-to-noise ratio of 8-bit pictures. */
import type { Picture } from '../../src/picture.js';
import { rgbOf } from '../../src/metrics/rgb.js';

/** PSNR in dB over all RGB samples, as CompressAI computes it: one mean squared error of the three channels. @throws DcompError E_PICTURE */
export function psnrRgb(reference: Picture, decoded: Picture): number {
  const { data: a } = rgbOf(reference);
  const { data: b } = rgbOf(decoded, reference);
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const d = a[i]! - b[i]!;
    sum += d * d;
  }
  return decibels(sum / a.length);
}

/** Luma weights of ITU-R BT.709, which CompressAI uses too. */
const [RED, GREEN, BLUE] = [0.2126, 0.7152, 0.0722];

/** PSNR in dB of luma (BT.709, full range, not rounded). @throws DcompError E_PICTURE */
export function psnrLuma(reference: Picture, decoded: Picture): number {
  const { data: a } = rgbOf(reference);
  const { data: b } = rgbOf(decoded, reference);
  let sum = 0;
  for (let i = 0; i < a.length; i += 3) {
    const d = RED * (a[i]! - b[i]!) + GREEN * (a[i + 1]! - b[i + 1]!) + BLUE * (a[i + 2]! - b[i + 2]!);
    sum += d * d;
  }
  return decibels(sum / (a.length / 3));
}

function decibels(meanSquaredError: number): number {
  return 10 * Math.log10((255 * 255) / meanSquaredError);
}
