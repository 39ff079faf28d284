/** How a picture came about: its states as an animation or side by side. */
import { resolve } from 'node:path';
import { DcompError } from '../../src/errors.js';
import { withDepth, type Picture } from '../../src/picture.js';
import { toRgba } from '../../src/pixels/rgba.js';
import { loadSharp } from '../../formats/sharp.js';
import { formatOfName } from '../../formats/formats.js';
import { writePicture } from '../../formats/write.js';

/** Most pictures of a film. */
const MOST_FRAMES = 48;
/** Milliseconds of a picture, and of the last one. */
const DELAY = 100;
const LAST_DELAY = 2000;

/** @param pictures what else is written @throws DcompError E_USAGE for a name that says neither WebP nor PNG, or is one of theirs */
export function checkFilm(path: string, pictures: readonly string[]): void {
  const format = formatOfName(path);
  if (format !== 'webp' && format !== 'png')
    throw new DcompError('E_USAGE', `--film is ${path}; a film is a .webp, which moves, or a .png, which is a strip`);
  if (pictures.some((picture) => resolve(picture) === resolve(path)))
    throw new DcompError('E_USAGE', `--film is ${path}, where the picture goes; give it another name`);
}

/** Takes states, and keeps so few of them that they are evenly spread. */
export class Film {
  private readonly frames: Picture[] = [];
  private next = 0;

  /** @param fraction of the work that is done, 1 with the last state */
  async take(fraction: number, picture: () => Promise<Picture>): Promise<void> {
    if (fraction < this.next && fraction < 1) return;
    this.next = fraction + 1 / MOST_FRAMES;
    this.frames.push(withDepth(await picture(), 8));
  }

  /** The film as a file. @throws DcompError E_MISSING_DEPENDENCY, E_TOO_LARGE */
  async bytes(path: string): Promise<Uint8Array> {
    const { width, height } = this.frames[this.frames.length - 1]!;
    const size = { width, height };
    if (formatOfName(path) === 'png') {
      const data = new Uint8Array(width * height * 4 * this.frames.length);
      const row = width * 4;
      this.frames.forEach((frame, k) => {
        const rgba = enlarged(frame, size);
        for (let y = 0; y < height; y++)
          data.set(rgba.subarray(y * row, (y + 1) * row), (y * this.frames.length + k) * row);
      });
      return (await writePicture({ width: width * this.frames.length, height, channels: 4, data }, 'png')).bytes;
    }
    const sharp = await loadSharp('webp');
    const data = new Uint8Array(width * height * 4 * this.frames.length);
    this.frames.forEach((frame, k) => data.set(enlarged(frame, size), k * width * height * 4));
    const raw = { width, height: height * this.frames.length, channels: 4 as const, pageHeight: height };
    const delay = this.frames.map((_, k) => (k + 1 === this.frames.length ? LAST_DELAY : DELAY));
    return sharp(data, { raw, limitInputPixels: false }).webp({ quality: 85, loop: 0, delay }).toBuffer();
  }
}

/** RGBA of a picture, each pixel repeated until it has the size. */
function enlarged(picture: Picture, { width, height }: { width: number; height: number }): Uint8ClampedArray {
  const rgba = toRgba(picture);
  if (picture.width === width && picture.height === height) return rgba;
  const out = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    const from = Math.floor((y * picture.height) / height);
    for (let x = 0; x < width; x++) {
      const at = 4 * (from * picture.width + Math.floor((x * picture.width) / width));
      out.set(rgba.subarray(at, at + 4), 4 * (y * width + x));
    }
  }
  return out;
}
