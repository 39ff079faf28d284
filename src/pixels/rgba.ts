import { depthOf, pictureOf, rangeOf, type Picture } from '../picture.js';

/**
 * The samples as an `ImageData` has them: RGBA, 8 bits, alpha straight; grey becomes R = G = B, what has no alpha is opaque. Colours
 * stay as they are, whatever the picture's profile.
 * @returns 4 · width · height samples
 * @throws DcompError E_PICTURE, E_TOO_LARGE
 */
export function toRgba(source: Picture): Uint8ClampedArray<ArrayBuffer> {
  const picture = pictureOf(source);
  const { width, height, channels, data } = picture;
  const range = rangeOf(depthOf(picture));
  const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
  const grey = channels <= 2;
  const alpha = channels % 2 === 0;
  for (let i = 0, o = 0; o < rgba.length; i += channels, o += 4) {
    for (let c = 0; c < 3; c++) rgba[o + c] = (data[grey ? i : i + c]! * 255) / range; // rounds
    if (alpha) rgba[o + 3] = (data[i + channels - 1]! * 255) / range;
  }
  return rgba;
}
