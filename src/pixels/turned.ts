/** A picture as it is to be seen: turned and mirrored as its orientation says. */
import { depthOf, newSamples, type Picture } from '../picture.js';
import { finish, rowsOfPiece, type Pieces } from '../turns.js';

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
  return finish(turnedInPieces(picture, orientation));
}

/** As `turnedPicture`. */
export function* turnedInPieces(picture: Picture, orientation: number): Pieces<Picture> {
  const place = PLACES[orientation - 1];
  if (place === undefined || orientation === 1) return picture;
  const { width: w, height: h, channels, data } = picture;
  const [width, height] = orientation >= FIRST_LYING ? [h, w] : [w, h];
  const out = newSamples(data.length, depthOf(picture));
  const indexOf = (x: number, y: number): number => {
    const [column, row] = place(x, y, w, h);
    return (row * w + column) * channels;
  };
  const across = indexOf(1, 0) - indexOf(0, 0);
  const rows = rowsOfPiece(width * channels, 2 ** 18);
  for (let y = 0, o = 0; y < height; y++) {
    if (y % rows === 0) yield;
    for (let x = 0, i = indexOf(0, y); x < width; x++, i += across)
      for (let c = 0; c < channels; c++) out[o++] = data[i + c]!;
  }
  return { ...picture, width, height, data: out };
}
