/** What the metrics take: pictures of three channels of 8 bits, and of one size. */
import { DcompError } from '../errors.js';
import { depthOf, pictureOf, type Picture } from '../picture.js';

/**
 * @param like has to be as large
 * @throws DcompError E_PICTURE
 */
export function rgbOf(source: Picture, like?: Picture): Picture {
  const picture = pictureOf(source);
  const { width, height, channels } = picture;
  if (channels !== 3 || depthOf(picture) !== 8)
    throw new DcompError(
      'E_PICTURE',
      `the picture has ${channels} channels of ${depthOf(picture)} bits; metrics compare RGB of 8 bits: convert it first`,
    );
  if (like !== undefined && (width !== like.width || height !== like.height))
    throw new DcompError(
      'E_PICTURE',
      `the pictures have ${like.width}×${like.height} and ${width}×${height} pixels; metrics compare pictures of one size`,
    );
  return picture;
}
