/** From a decoded picture to what a browser can show: colours as they are meant, turned as it is to be seen. */
import type { DecodeResult } from '../src/codec/decoder.js';
import type { Picture } from '../src/picture.js';
import { toRgba } from '../src/pixels/rgba.js';
import { turnedPicture } from '../src/pixels/turned.js';
import { pngOf } from './png.js';

/** A picture to be shown. Whoever has it closes the bitmap. */
export interface Shown {
  bitmap: ImageBitmap;
  width: number;
  height: number;
  /** True where the bytes end before the picture is as good as it gets. */
  truncated: boolean;
}

/** A picture upright, with nothing that would have to be turned again. */
export function upright(picture: Picture): Picture {
  const { orientation = 1, ...metadata } = picture.metadata ?? {};
  return { ...turnedPicture(picture, orientation), metadata };
}

/** Whether its samples mean more than sRGB of 8 bits, which a browser shows as it shows a PNG of them. */
function isMeant({ metadata = {} }: Picture): boolean {
  const { icc, cicp, gamma, chromaticities } = metadata;
  return [icc, cicp, gamma, chromaticities].some((meaning) => meaning !== undefined);
}

/** For `serveWeb`: the bitmap, made where the picture was decoded, so that a page's thread only has to show it. */
export async function shownOf(decoded: DecodeResult): Promise<Shown> {
  const picture = upright(decoded);
  const { width, height } = picture;
  const { truncated } = decoded;
  const source = isMeant(picture) ? await pngOf(picture) : new ImageData(toRgba(picture), width, height);
  return { bitmap: await createImageBitmap(source), width, height, truncated };
}
