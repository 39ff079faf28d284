/** A picture as it is to be seen: turned and mirrored as its orientation says. */
import { depthOf, newSamples, type Picture } from '../picture.js';

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

/** @param orientation 1 to 8, of EXIF; others are taken for 1 */
export function turnedPicture(picture: Picture, orientation: number): Picture {
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
