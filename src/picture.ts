import { DcompError } from './errors.js';

/** Most pixels that format version 1 codes; a header that claims more is refused before anything is allocated. */
export const MAX_PIXELS = 2 ** 28;
/** Longest side that format version 1 codes. */
export const MAX_SIDE = 65535;

/** 1 = grey, 2 = grey + alpha, 3 = RGB, 4 = RGB + alpha. Alpha is straight (not premultiplied). */
export type Channels = 1 | 2 | 3 | 4;

/** Bits of a sample; less than 8 for grey alone. */
export type Depth = 1 | 2 | 4 | 8 | 16;

/** An 8-bit picture: rows from top to bottom, samples interleaved, sRGB. */
export interface Picture {
  /** 1..65535 */
  width: number;
  /** 1..65535 */
  height: number;
  channels: Channels;
  /** width · height · channels samples, 0..255. */
  data: Uint8Array;
}

/**
 * Checks that a picture is what its fields say.
 * @throws DcompError E_PICTURE (inconsistent) or E_TOO_LARGE.
 */
export function checkPicture(picture: Picture): void {
  const { width, height, channels, data } = picture;
  for (const [name, side] of [
    ['width', width],
    ['height', height],
  ] as const) {
    if (!Number.isInteger(side) || side < 1) {
      throw new DcompError('E_PICTURE', `picture.${name} is ${side}; it must be a whole number of at least 1`);
    }
    if (side > MAX_SIDE) {
      throw new DcompError('E_TOO_LARGE', `picture.${name} is ${side}; the format codes at most ${MAX_SIDE}`);
    }
  }
  if (width * height > MAX_PIXELS) {
    throw new DcompError('E_TOO_LARGE', `the picture has ${width * height} pixels; the format codes at most ${MAX_PIXELS}`);
  }
  if (channels !== 1 && channels !== 2 && channels !== 3 && channels !== 4) {
    throw new DcompError('E_PICTURE', `picture.channels is ${String(channels)}; it must be 1 (grey), 2 (grey + alpha), 3 (RGB) or 4 (RGB + alpha)`);
  }
  if (!(data instanceof Uint8Array) || data.length !== width * height * channels) {
    throw new DcompError('E_PICTURE', `picture.data must be a Uint8Array of width · height · channels = ${width * height * channels} bytes`);
  }
}
