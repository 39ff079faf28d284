/** Which of the pictures of a TIFF is the one: the first that is no thumbnail of another. */
import { DcompError } from '../src/errors.js';
import type { Faults } from './faults.js';
import { readDirectories, type Directory } from './tiff.js';

/** Samples of a camera's sensor, before any picture is made of them. */
const SENSOR = [32803, 34892];
const REDUCED = 1;
const MASK = 4;

const areaOf = ({ width, height }: Directory): number => width * height;

/** Sides of the same shape, to a pixel or so in a hundred. */
function sameShape(a: Directory, b: Directory): boolean {
  return Math.abs(a.width * b.height - b.width * a.height) <= 0.02 * Math.max(a.width * b.height, b.width * a.height);
}

/** @returns what sharp is to be told @throws DcompError E_NOT_PICTURE for the files of cameras */
export function choosePicture(bytes: Uint8Array, faults: Faults): { page?: number; tiff?: { subifd: number } } {
  const pages = readDirectories(bytes);
  if (pages.length === 0) return {};
  const [first] = pages;
  const all = pages.flatMap((page, i) => [
    { directory: page, at: { page: i } as { page: number; tiff?: { subifd: number } } },
    ...page.below.map((each, k) => ({ directory: each, at: { page: i, tiff: { subifd: k } } })),
  ]);
  if (all.some(({ directory }) => SENSOR.includes(directory.photometric)) || isCameraFile(bytes))
    throw new DcompError(
      'E_NOT_PICTURE',
      'the file holds what the sensor of a camera saw, and as a picture a thumbnail at most; develop it first',
    );
  const whole = all.filter(({ directory }) => (directory.subfile & (REDUCED | MASK)) === 0 && areaOf(directory) > 0);
  let chosen = whole[0] ?? all[0];
  // Some writers do not flag their thumbnails; a smaller first picture of the same shape is one.
  const largest = whole.reduce((best, each) => (areaOf(each.directory) > areaOf(best.directory) ? each : best), chosen);
  if (areaOf(largest.directory) >= 4 * areaOf(chosen.directory) && sameShape(largest.directory, chosen.directory))
    chosen = largest;
  const { width, height } = chosen.directory;
  const others = all.filter((each) => each !== chosen && (each.directory.subfile & MASK) === 0);
  if (chosen.directory !== first)
    faults.notice(
      `the first of its ${all.length} pictures, ${first.width}×${first.height}, is a thumbnail; the one of ${width}×${height} is read`,
    );
  else if (others.some(({ directory }) => (directory.subfile & REDUCED) === 0))
    faults.notice(`the file has ${all.length} pictures; only the first is read`);
  return chosen.directory === first ? {} : chosen.at;
}

/** CR2 says so in its header. */
function isCameraFile(bytes: Uint8Array): boolean {
  return bytes[8] === 0x43 && bytes[9] === 0x52 && bytes[10] === 2;
}
