/** Distortions in whole-number arithmetic, the same on every machine: what the metrics' test vectors were made of. */
import { hash32 } from '../../src/math/hash.js';
import type { Picture } from '../../src/picture.js';

export const DISTORTIONS: Record<string, (picture: Picture) => Picture> = {
  /** Independent errors of up to ±12. */
  noise: (picture) => map(picture, (v, i) => v + (hash32(i, 1) % 25) - 12),
  /** Samples in steps of 24: bands and false contours. */
  steps: (picture) => map(picture, (v) => 24 * Math.floor(v / 24) + 12),
  /** Means of 8×8 blocks, half and half with the picture. */
  blocks: (picture) => map(picture, (v, i) => (v + blockMean(picture, i)) >> 1),
  /** Means of 3×3. */
  blur: (picture) => map(picture, (_, i) => boxMean(picture, i)),
  /** Brighter by 6, red by 4 more. */
  tint: (picture) => map(picture, (v, i) => v + 6 + (i % 3 === 0 ? 4 : 0)),
};

function map(picture: Picture, f: (value: number, index: number) => number): Picture {
  return { ...picture, data: picture.data.map((v, i) => Math.min(255, Math.max(0, f(v, i)))) };
}

function mean({ width, channels, data }: Picture, x0: number, x1: number, y0: number, y1: number, c: number): number {
  let sum = 0;
  for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) sum += data[(y * width + x) * channels + c]!;
  return Math.floor(sum / ((x1 - x0) * (y1 - y0)));
}

function position({ width, channels }: Picture, i: number): { x: number; y: number; c: number } {
  const p = Math.floor(i / channels);
  return { x: p % width, y: Math.floor(p / width), c: i % channels };
}

function blockMean(picture: Picture, i: number): number {
  const { x, y, c } = position(picture, i);
  const [x0, y0] = [x - (x % 8), y - (y % 8)];
  return mean(picture, x0, Math.min(picture.width, x0 + 8), y0, Math.min(picture.height, y0 + 8), c);
}

function boxMean(picture: Picture, i: number): number {
  const { x, y, c } = position(picture, i);
  return mean(
    picture,
    Math.max(0, x - 1),
    Math.min(picture.width, x + 2),
    Math.max(0, y - 1),
    Math.min(picture.height, y + 2),
    c,
  );
}
