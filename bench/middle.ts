/** What the measurements on parts of pictures share. */
import { COLOURS } from '../src/pixels/colour.js';
import { cutOut, wholeOf } from '../src/math/rectangle.js';
import type { Picture } from '../src/picture.js';

/** The middle of an RGB picture, at most so many pixels a side. */
export function middle({ width, height, data }: Picture, side: number): Picture {
  const [w, h] = [Math.min(side, width), Math.min(side, height)];
  const wanted = { x: (width - w) >> 1, y: (height - h) >> 1, width: w, height: h };
  return { width: w, height: h, channels: 3, data: cutOut(data, wholeOf({ width, height }), wanted, COLOURS) };
}

export const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;
