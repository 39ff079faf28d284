/** A decoded picture as a file that every browser can show. */
import { depthOf, type Picture } from '../src/picture.js';
import { toRgba } from '../src/pixels/rgba.js';
import { pngOf } from './png.js';
import { upright } from './shown.js';

/** What a service worker gives to the browser. */
export type PictureType = 'png' | 'webp';

/** Longest side of a WebP. */
const WEBP_SIDE = 16383;

export async function fileOf(decoded: Picture, type: PictureType): Promise<Blob> {
  const picture = upright(decoded);
  return (type === 'webp' ? await webpOf(picture) : undefined) ?? pngOf(picture);
}

/** Without loss; undefined where WebP, or what a canvas writes of it, cannot hold the picture. */
async function webpOf(picture: Picture): Promise<Blob | undefined> {
  const { width, height, channels, metadata = {} } = picture;
  const { icc, cicp, gamma, chromaticities } = metadata;
  const plain = [icc, cicp, gamma, chromaticities].every((meaning) => meaning === undefined);
  // A canvas keeps colours times alpha, of 8 bits: what comes back is no longer what was there.
  if (!plain || channels % 2 === 0 || depthOf(picture) > 8 || Math.max(width, height) > WEBP_SIDE) return undefined;
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext('2d')?.putImageData(new ImageData(toRgba(picture), width, height), 0, 0);
  const blob = await canvas.convertToBlob({ type: 'image/webp', quality: 1 });
  return blob.type === 'image/webp' ? blob : undefined;
}
