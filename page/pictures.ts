/** Pictures in workers: from files and to bitmaps, with noise and with damage. */
import type { Picture } from 'dcomp';

interface Read {
  picture: Picture;
  /** Before it was reduced. */
  from: { width: number; height: number };
}

/** Shortest side of a picture. */
const LEAST_SIDE = 8;

/**
 * A picture file as the browser reads it, upright, on white where it is not opaque, reduced to about so many pixels.
 * @throws Error with what to do
 */
export async function rgbOf(blob: Blob, pixels: number): Promise<Read> {
  const whole = await createImageBitmap(blob).catch(() => {
    throw new Error('This browser cannot read that file. Try a PNG, JPEG, WebP or AVIF picture.');
  });
  const from = { width: whole.width, height: whole.height };
  const scale = Math.min(1, Math.sqrt(pixels / (from.width * from.height)));
  const width = Math.max(LEAST_SIDE, Math.round(from.width * scale));
  const height = Math.max(LEAST_SIDE, Math.round(from.height * scale));
  const reduced =
    scale === 1
      ? whole
      : await createImageBitmap(whole, { resizeWidth: width, resizeHeight: height, resizeQuality: 'high' });
  const context = contextOf(width, height);
  context.fillStyle = 'white';
  context.fillRect(0, 0, width, height);
  context.drawImage(reduced, 0, 0, width, height);
  whole.close();
  reduced.close();
  return { picture: rgbFrom(context.getImageData(0, 0, width, height)), from };
}

function contextOf(width: number, height: number): OffscreenCanvasRenderingContext2D {
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('This browser has no canvas in workers.');
  return context;
}

/** RGB of what is opaque. */
export function rgbFrom({ width, height, data }: ImageData): Picture {
  const rgb = new Uint8Array(3 * width * height);
  for (let i = 0, o = 0; o < rgb.length; i += 4, o += 3) {
    rgb[o] = data[i]!;
    rgb[o + 1] = data[i + 1]!;
    rgb[o + 2] = data[i + 2]!;
  }
  return { width, height, channels: 3, data: rgb };
}

function imageDataOf({ width, height, channels, data }: Picture): ImageData {
  const image = new ImageData(width, height);
  const grey = channels < 3;
  for (let i = 0, o = 0; o < image.data.length; i += channels, o += 4) {
    for (let c = 0; c < 3; c++) image.data[o + c] = data[grey ? i : i + c]!;
    image.data[o + 3] = 255;
  }
  return image;
}

/** Most pixels that are shown: what is larger is reduced for that, and for that alone. */
export const MOST_SHOWN = 3e6;

export function bitmapOf(picture: Picture): Promise<ImageBitmap> {
  const { width, height } = picture;
  const scale = Math.sqrt(MOST_SHOWN / (width * height));
  const sizes = { resizeWidth: Math.round(width * scale), resizeHeight: Math.round(height * scale) };
  return createImageBitmap(imageDataOf(picture), scale < 1 ? { ...sizes, resizeQuality: 'high' } : {});
}

/** Numbers below 1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** With so much white noise, in units of 8-bit samples. */
export function withNoise(picture: Picture, sigma: number, seed: number): Picture {
  const random = randomFrom(seed);
  const data = new Uint8ClampedArray(picture.data.length);
  for (let i = 0; i < data.length; i++) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    data[i] = picture.data[i]! + sigma * normal;
  }
  return { ...picture, data: new Uint8Array(data.buffer) };
}

/** Bytes at the beginning that stay as they are: without a header there is no picture at all. */
const HEADER = 32;

/** A copy with so many wrong bytes behind the header. */
export function withFlips(bytes: Uint8Array, flips: number, seed: number): Uint8Array {
  const random = randomFrom(seed);
  const damaged = bytes.slice();
  const places = damaged.length - HEADER;
  for (let i = 0; i < flips && places > 0; i++)
    damaged[HEADER + Math.floor(random() * places)]! ^= 1 + Math.floor(random() * 255);
  return damaged;
}
