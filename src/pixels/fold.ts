/**
 * Thin pictures, folded: their strips lie side by side, every other one turned by 180°, so that what was near is near. What
 * is left of the last strip repeats the picture's end.
 */
import { codedSize, stripsOf } from '../format.js';
import type { Size } from '../math/rectangle.js';
import { depthOf, newSamples, type Depth, type Picture } from '../picture.js';

/** A picture as its colours are coded: itself, unless it is thin. */
export function folded(picture: Picture): Picture {
  if (stripsOf(picture) === 1) return picture;
  const size = codedSize(picture);
  const { channels, data } = picture;
  const samples = newSamples(size.width * size.height * channels, depthOf(picture));
  for (const { from, to } of places(picture))
    for (let c = 0; c < channels; c++) samples[to * channels + c] = data[from * channels + c]!;
  return { ...picture, ...size, data: samples };
}

/** The inverse of `folded`. @param size of the picture */
export function unfolded(picture: Picture & { depth: Depth }, { width, height }: Size): Picture & { depth: Depth } {
  if (stripsOf({ width, height }) === 1) return picture;
  const { channels, data, depth } = picture;
  const samples = newSamples(width * height * channels, depth);
  for (const { from, to, beyond } of places({ width, height }))
    for (let c = 0; c < channels && !beyond; c++) samples[from * channels + c] = data[to * channels + c]!;
  return { ...picture, width, height, data: samples };
}

/** Each pixel of the folded picture, which of the picture it is, and whether it is there for a second time, beyond its end. */
export function* places(size: Size): Generator<{ from: number; to: number; beyond: boolean }> {
  const { width, height } = size;
  const coded = codedSize(size);
  const wide = width > height;
  const [short, long, length] = wide ? [height, width, coded.width] : [width, height, coded.height];
  for (let strip = 0; strip < stripsOf(size); strip++) {
    const turned = strip % 2 === 1;
    for (let across = 0; across < short; across++) {
      for (let along = 0; along < length; along++) {
        const a = turned ? short - 1 - across : across;
        const wanted = strip * length + (turned ? length - 1 - along : along);
        const l = Math.min(long - 1, wanted);
        const beyond = wanted >= long;
        const to = strip * short + across;
        yield wide
          ? { from: a * width + l, to: to * coded.width + along, beyond }
          : { from: l * width + a, to: along * coded.width + to, beyond };
      }
    }
  }
}
