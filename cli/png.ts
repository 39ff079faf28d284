/** PNG in and out. The reader is our own, as it has to refuse bad input before it costs anything; the writer is pngjs. */
import { PNG, type ColorType } from 'pngjs';
import { checkPicture, type Picture } from '../src/picture.js';

export { readPng, type PngRead } from './png-reader.js';

/** PNG colour types of 1 to 4 channels: grey, grey + alpha, RGB, RGB + alpha. */
const COLOUR_TYPE: Record<Picture['channels'], ColorType> = { 1: 0, 2: 4, 3: 2, 4: 6 };

/**
 * The picture as a PNG file of its own kind, 8 bits per sample.
 * @throws DcompError E_PICTURE, E_TOO_LARGE
 */
export function writePng(picture: Picture): Uint8Array {
  checkPicture(picture);
  const { width, height, channels, data } = picture;
  const colorType = COLOUR_TYPE[channels];
  // The constructor allocates 4 bytes per pixel whatever the kind, so the few fields that the writer reads are given alone.
  const source = { width, height, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength), gamma: 0 };
  return PNG.sync.write(source as PNG, { colorType, inputColorType: colorType, bitDepth: 8, deflateLevel: 6, deflateStrategy: 0 });
}
