/** Times beside those of AVIF's encoder, effort 6, 4:4:4, one thread each, in turn and in the same run. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { corpusPicture } from '../corpus/pictures.js';
import { loadFormat, SHARP_FORMATS } from '../eval/codecs/sharp.js';
import { findPictures, loadPicture, spread, toRgb } from '../eval/pictures.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import type { Evaluator } from '../src/model/evaluator.js';
import type { Picture } from '../src/picture.js';
import { processorTime } from './engine.js';
import { mean } from './middle.js';

const PHOTOGRAPHS = fileURLToPath(new URL('../../../shared/data/dev2', import.meta.url));
/** Files of a quality are within this of the size, or nearest to it. */
const NEAR = 0.04;

/** By picture, each over the time of AVIF's encoder for about as many bytes. */
export interface BesideAvif {
  decoding: number[];
  /** To a quality, and to a size. */
  encoding: number[];
  sizing: number[];
}

/** Photographs where they are, else the project's own picture. @param count at most */
export function picturesBesideAvif(count: number): Picture[] {
  if (!existsSync(PHOTOGRAPHS)) return [corpusPicture('scene', { width: 768, height: 512 })];
  return spread(findPictures([PHOTOGRAPHS]), count).map((file) => toRgb(loadPicture(file)));
}

/**
 * @param evaluator of one thread
 * @throws DcompError E_MISSING_DEPENDENCY without sharp
 */
export async function besideAvif(
  pictures: readonly Picture[],
  evaluator: Evaluator,
  bitsPerPixel: number,
): Promise<BesideAvif> {
  const avif = await loadFormat(SHARP_FORMATS.find(({ name }) => name === 'avif')!);
  const times: BesideAvif = { decoding: [], encoding: [], sizing: [] };
  for (const picture of pictures) {
    const size = Math.floor((bitsPerPixel * picture.width * picture.height) / 8);
    const rival = await nearest(size, 6, (quality) => avif.encode(picture, Math.max(1, Math.round(quality))));
    const own = await nearest(size, 6, async (quality) => {
      const target = { quality: Math.max(1, quality) };
      return (await encodePicture(picture, evaluator, { target, plain: false })).bytes;
    });
    const sizing = await timed(() => encodePicture(picture, evaluator, { target: { size }, plain: false }));
    const decoding = await timed(() => decodePicture(own.value, evaluator));
    times.encoding.push(own.time / rival.time);
    times.sizing.push(sizing.time / rival.time);
    times.decoding.push(decoding.time / rival.time);
  }
  return times;
}

interface Timed<T> {
  value: T;
  /** Of the processor, in milliseconds. */
  time: number;
}

async function timed<T>(task: () => Promise<T>): Promise<Timed<T>> {
  const start = processorTime();
  const value = await task();
  return { value, time: processorTime() - start };
}

/** The file of the quality that comes nearest to a size, found by so many trials. */
async function nearest(
  size: number,
  trials: number,
  encode: (quality: number) => Promise<Uint8Array>,
): Promise<Timed<Uint8Array>> {
  let best: Timed<Uint8Array> | undefined;
  const distance = ({ value }: Timed<Uint8Array>): number => Math.abs(value.length / size - 1);
  for (let [low, high, trial] = [0, 100, 0]; trial < trials; trial++) {
    const quality = (low + high) / 2;
    const made = await timed(() => encode(quality));
    if (best === undefined || distance(made) < distance(best)) best = made;
    if (distance(made) < NEAR) break;
    if (made.value.length < size) low = quality;
    else high = quality;
  }
  return best!;
}

/** Mean and highest. */
export function meanAndMost(ratios: readonly number[]): string {
  return `${mean(ratios).toFixed(2)} (at most ${Math.max(...ratios).toFixed(2)})`;
}
