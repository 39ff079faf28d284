/** Pictures for what keeps no metadata and no alpha: messages. */
import { depthOf, rangeOf, newSamples } from '../src/picture.js';
import type { Channels, Picture } from '../src/index.js';
import { choosing } from './metadata.js';

/** Column and row, of a picture of w×h, of what is shown at x, y; by orientation of EXIF. */
const PLACES: readonly ((x: number, y: number, w: number, h: number) => [column: number, row: number])[] = [
  (x, y) => [x, y],
  (x, y, w) => [w - 1 - x, y],
  (x, y, w, h) => [w - 1 - x, h - 1 - y],
  (x, y, _w, h) => [x, h - 1 - y],
  (x, y) => [y, x],
  (x, y, _w, h) => [y, h - 1 - x],
  (x, y, w, h) => [w - 1 - y, h - 1 - x],
  (x, y, w) => [w - 1 - y, x],
];
/** Orientations from here on turn the sides. */
const FIRST_LYING = 5;

/**
 * The samples alone, turned as the picture is seen, and without an alpha channel that is opaque everywhere.
 * @returns and what is not kept, one sentence each
 */
export function barePicture(picture: Picture): { picture: Picture; notices: string[] } {
  const { orientation = 1, ...rest } = picture.metadata ?? {};
  const turned = turnedPicture(picture, orientation);
  return choosing(withoutOpaqueAlpha({ ...turned, metadata: rest }), 'none');
}

function turnedPicture(picture: Picture, orientation: number): Picture {
  const place = PLACES[orientation - 1];
  if (place === undefined || orientation === 1) return picture;
  const { width: w, height: h, channels, data } = picture;
  const [width, height] = orientation >= FIRST_LYING ? [h, w] : [w, h];
  const out = newSamples(data.length, depthOf(picture));
  for (let y = 0, o = 0; y < height; y++) {
    for (let x = 0; x < width; x++, o += channels) {
      const [column, row] = place(x, y, w, h);
      const i = (row * w + column) * channels;
      out.set(data.subarray(i, i + channels), o);
    }
  }
  return { ...picture, width, height, data: out };
}

function withoutOpaqueAlpha(picture: Picture): Picture {
  const { channels, data } = picture;
  if (channels % 2 === 1) return picture;
  const most = rangeOf(depthOf(picture));
  for (let i = channels - 1; i < data.length; i += channels) if (data[i] !== most) return picture;
  const colours = (channels - 1) as Channels;
  const kept = data.filter((_, i) => i % channels !== channels - 1);
  return { ...picture, channels: colours, data: kept };
}
