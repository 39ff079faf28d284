/** Squared errors of pictures, and PSNR. */
import { codedSize, stripsOf } from '../format.js';
import { exp2, log2 } from '../math/exact.js';
import { mustBe } from '../options.js';
import { depthOf, pictureOf, rangeOf, type Channels, type Picture, type Samples } from '../picture.js';
import type { Ends } from '../pixels/colour.js';
import { unfolded } from '../pixels/fold.js';
import { isGrey, join, PictureRows } from '../pixels/picture-planes.js';
import { finish, type Pieces } from '../turns.js';
import type { Session } from './session.js';

/** Mean squared error of what the decoder would show now. */
export async function errorOf(
  session: Session,
  picture: Picture,
  ends: Ends | undefined,
  views?: number,
): Promise<number> {
  if (stripsOf(picture) > 1) {
    const rows = new PictureRows(codedSize(picture), picture.channels, undefined, depthOf(picture), ends);
    await session.show(rows.take, 0, undefined, views);
    const shown = unfolded(rows.picture, picture);
    return meanOf(squaredError(picture.data, shown.data, picture.channels), picture);
  }
  const { width, channels, data } = picture;
  let sum = 0;
  await session.show(
    (rows, y) => {
      const from = data.subarray(y * width * channels, (y + rows.height) * width * channels);
      sum += squaredError(from, join(rows, channels, undefined, depthOf(picture), ends).data, channels);
    },
    0,
    undefined,
    views,
  );
  return meanOf(sum, picture);
}

/** Over the colour samples, in units of 8 bits. */
export function* meanSquaredError(a: Picture, b: Picture): Pieces<number> {
  const piece = a.channels * 2 ** 18;
  let sum = 0;
  for (let i = 0; i < a.data.length; i += piece) {
    sum += squaredError(a.data.subarray(i, i + piece), b.data.subarray(i, i + piece), a.channels);
    yield;
  }
  return meanOf(sum, a);
}

/** A sum of squared errors of a picture's colour samples as their mean, in units of 8 bits. */
function meanOf(sum: number, picture: Picture): number {
  const unit = 255 / rangeOf(depthOf(picture));
  return (sum / (picture.width * picture.height * (isGrey(picture.channels) ? 1 : 3))) * (unit * unit);
}

/** A sum of whole numbers, exact in any order. */
function squaredError(a: Samples, b: Samples, channels: Channels): number {
  const colours = isGrey(channels) ? 1 : 3;
  let sum = 0;
  for (let i = 0; i < a.length; i += channels) {
    for (let c = 0; c < colours; c++) {
      const d = a[i + c]! - b[i + c]!;
      sum += d * d;
    }
  }
  return sum;
}

/** 10 · log10(2) */
const DECIBELS_PER_OCTAVE = 3.010299956639812;

/**
 * PSNR in dB over the colour samples of two pictures of the same size, kind and depth. Infinity for equal ones. At a stretch: 12
 * megapixels take some 80 ms.
 * @throws DcompError E_PICTURE, E_TOO_LARGE; E_USAGE where they differ in size, kind or depth
 */
export function psnr(a: Picture, b: Picture): number {
  const [first, second] = [pictureOf(a), pictureOf(b)];
  const kinds = [first, second].map(
    (picture) => `${picture.width}×${picture.height}, ${picture.channels} channels of ${depthOf(picture)} bits`,
  );
  if (kinds[0] !== kinds[1])
    throw mustBe('the PSNR', `${kinds[0]} against ${kinds[1]}`, 'of two pictures of the same size, kind and depth');
  return decibelsOf(finish(meanSquaredError(first, second)));
}

/** PSNR of a mean squared error. */
export function decibelsOf(squaredError: number): number {
  return squaredError === 0 ? Infinity : DECIBELS_PER_OCTAVE * log2((255 * 255) / squaredError);
}

/** Mean squared error of a PSNR, the same on every machine: it decides where a file ends. */
export function squaredErrorOf(decibels: number): number {
  return 255 * 255 * exp2(-decibels / DECIBELS_PER_OCTAVE);
}
