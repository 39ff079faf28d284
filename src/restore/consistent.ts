/** Samples of an enlarged picture that, as means of blocks, are exactly those of the picture it was made from. */
import { depthOf, newSamples, rangeOf, type Depth, type Picture, type Samples } from '../picture.js';
import type { Size } from '../math/rectangle.js';
import { COLOURS } from '../pixels/colour.js';
import type { Plane } from '../pixels/pyramid.js';
import { rowsOfPiece, type Pieces } from '../turns.js';

/** Samples that are made in a piece. */
const PIECE = 2 ** 15;

/** By channel: of the rotated colours, what makes a sample; as `restoreColours` has it. */
const TURN: readonly (readonly [number, number, number])[] = [
  [1 / Math.sqrt(3), 1 / Math.SQRT2, 1 / Math.sqrt(6)],
  [1 / Math.sqrt(3), -1 / Math.SQRT2, 1 / Math.sqrt(6)],
  [1 / Math.sqrt(3), 0, -2 / Math.sqrt(6)],
];
const GREY_TURN = [1 / Math.sqrt(3), 0, 0] as const;

/**
 * Fills one channel. In each block, differences to its mean are made smaller where they would leave the range, and then
 * rounded so that their sum stays 0: of those farthest from being rounded the other way, as many as need be are.
 * @param plane enlarged, in rotated colours; the mean of each block is near to the sample of the source
 */
export function* consistent(
  out: Samples,
  channel: number,
  plane: Plane,
  source: Picture,
  factor: number,
): Pieces<void> {
  const range = rangeOf(depthOf(source));
  const { channels, data } = source;
  const [a, b, c] = channels <= 2 ? GREY_TURN : TURN[channel]!;
  const count = factor * factor;
  const values = new Float64Array(count);
  const rounded = new Int32Array(count);
  for (let y = 0; y < source.height; y++) {
    if (y % rowsOfPiece(plane.width * factor, PIECE) === 0) yield;
    for (let x = 0; x < source.width; x++) {
      const mean = data[(y * source.width + x) * channels + channel]!;
      let sum = 0;
      for (let k = 0; k < count; k++) {
        const o = ((y * factor + Math.floor(k / factor)) * plane.width + x * factor + (k % factor)) * COLOURS;
        values[k] = ((plane.data[o]! * a + plane.data[o + 1]! * b + plane.data[o + 2]! * c) * range) / 255;
        sum += values[k]!;
      }
      roundAround(mean, values, sum / count, range, rounded);
      for (let k = 0; k < count; k++) {
        const o = (y * factor + Math.floor(k / factor)) * plane.width + x * factor + (k % factor);
        out[o * channels + channel] = rounded[k]!;
      }
    }
  }
}

/** @param mean whole, that the rounded values have @param centre mean of the values */
function roundAround(mean: number, values: Float64Array, centre: number, range: number, rounded: Int32Array): void {
  let share = 1;
  for (const value of values) {
    const difference = value - centre;
    if (mean + difference > range) share = Math.min(share, (range - mean) / difference);
    if (mean + difference < 0) share = Math.min(share, -mean / difference);
  }
  let lacking = 0;
  for (let k = 0; k < values.length; k++) {
    values[k] = mean + share * (values[k]! - centre);
    rounded[k] = Math.min(range, Math.max(0, Math.floor(values[k]! + 0.5)));
    lacking += mean - rounded[k]!;
  }
  for (; lacking !== 0; lacking -= Math.sign(lacking)) {
    const way = Math.sign(lacking);
    let best = -1;
    for (let k = 0; k < values.length; k++) {
      if (way > 0 ? rounded[k]! >= range : rounded[k]! <= 0) continue;
      if (best < 0 || way * (values[k]! - rounded[k]!) > way * (values[best]! - rounded[best]!)) best = k;
    }
    rounded[best] = rounded[best]! + way;
  }
}

/** Samples of one channel, interpolated in straight lines between the centres of pixels. */
export function* enlargedSmoothly(
  samples: Samples,
  { width, height }: Size,
  factor: number,
  range: number,
): Pieces<Samples> {
  const depth: Depth = range > 255 ? 16 : 8;
  const [w, h] = [width * factor, height * factor];
  const out = newSamples(w * h, depth);
  const place = (i: number, length: number): [number, number, number] => {
    const at = Math.min(length - 1, Math.max(0, (i + 0.5) / factor - 0.5));
    const first = Math.floor(at);
    return [first, Math.min(length - 1, first + 1), at - first];
  };
  for (let y = 0; y < h; y++) {
    if (y % rowsOfPiece(w, PIECE) === 0) yield;
    const [top, bottom, down] = place(y, height);
    for (let x = 0; x < w; x++) {
      const [left, right, across] = place(x, width);
      const row = (at: number): number =>
        samples[at * width + left]! * (1 - across) + samples[at * width + right]! * across;
      out[y * w + x] = Math.floor(row(top) * (1 - down) + row(bottom) * down + 0.5);
    }
  }
  return out;
}
