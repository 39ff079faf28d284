/** Photographs of a folder in memory, with their pyramids, split into a training and a validation part. */
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { COLOURS, rotateColours } from '../pixels/colour.js';
import { halve, haar, type Plane } from '../pixels/pyramid.js';
import { readPng } from '../../formats/png-reader.js';
import { DcompError } from '../errors.js';
import { withDepth, type Picture } from '../picture.js';
import { COEFFICIENTS } from '../model/architecture.js';
import { Random } from './random.js';
import { RECIPE } from './recipe.js';

export interface Photograph {
  name: string;
  width: number;
  height: number;
  /** u₀ as 8-bit RGB: kept small, rotated when a crop is taken. */
  rgb: Uint8Array;
  /** u₁, u₂, … as rotated colours. */
  coarser: Plane[];
}

export interface Dataset {
  training: Photograph[];
  validation: Photograph[];
}

/** Pyramid levels that a photograph is kept in. */
export const DATA_LEVELS = RECIPE.dataLevels;
const MIN_SIDE = RECIPE.minSide;

export interface LoadOptions {
  /** Read only so many photographs of the training part, spread over the folder. */
  trainingLimit?: number;
  onProgress?: (done: number, total: number) => void;
}

/**
 * Reads every PNG of a folder (not its subfolders).
 * @throws DcompError E_TRAINING_DATA when the folder is missing or holds fewer than two usable pictures.
 */
export async function loadDataset(folder: string, options: LoadOptions = {}): Promise<Dataset> {
  let names: string[];
  try {
    names = (await readdir(folder)).filter((n) => n.toLowerCase().endsWith('.png')).sort();
  } catch (cause) {
    throw new DcompError(
      'E_TRAINING_DATA',
      `cannot read the training folder '${folder}'; give a folder of PNG photographs`,
      { cause },
    );
  }
  // A crop and the whole of one photograph share what follows their prefix (c_x_HASH, p_x_HASH): both go to one side.
  const keys = [...new Set(names.map(splitKey))].sort();
  const held = new Set(keys.filter((_, i) => i % RECIPE.heldOut.stride === RECIPE.heldOut.offset));
  const isHeld = (name: string): boolean => held.has(splitKey(name));
  const wanted = [
    ...spread(
      names.filter((name) => !isHeld(name)),
      options.trainingLimit ?? Infinity,
    ),
    ...names.filter(isHeld),
  ];
  const dataset: Dataset = { training: [], validation: [] };
  for (const [i, name] of wanted.entries()) {
    options.onProgress?.(i, wanted.length);
    let picture: Picture;
    try {
      picture = readPng(await readFile(path.join(folder, name))).picture;
    } catch (cause) {
      throw new DcompError('E_TRAINING_DATA', `'${path.join(folder, name)}' is not a readable PNG; remove it`, {
        cause,
      });
    }
    if (Math.min(picture.width, picture.height) < MIN_SIDE) continue;
    (isHeld(name) ? dataset.validation : dataset.training).push(photograph(name, picture));
  }
  if (dataset.training.length === 0 || dataset.validation.length === 0) {
    throw new DcompError(
      'E_TRAINING_DATA',
      `'${folder}' holds ${names.length} PNG files, too few of at least ${MIN_SIDE} pixels a side to train and validate on`,
    );
  }
  return dataset;
}

/** At most `count` of a list, evenly spread. */
function spread<T>(list: readonly T[], count: number): T[] {
  const n = Math.min(list.length, count);
  return Array.from({ length: n }, (_, i) => list[Math.floor((i * list.length) / n)]!);
}

function splitKey(name: string): string {
  return name.replace(/\.[^.]*$/, '').replace(/^[cp]_/, '');
}

function photograph(name: string, picture: Picture): Photograph {
  const { width, height, channels, data } = withDepth(picture, 8);
  const rgb = new Uint8Array(width * height * COLOURS);
  const grey = channels <= 2;
  for (let i = 0, o = 0; o < rgb.length; i += channels, o += COLOURS)
    for (let c = 0; c < COLOURS; c++) rgb[o + c] = data[grey ? i : i + c]!;
  const coarser: Plane[] = [];
  let u: Plane = { width, height, data: rotateColours(rgb) };
  for (let k = 1; k < DATA_LEVELS; k++) coarser.push((u = halve(u)));
  return { name, width, height, rgb, coarser };
}

/** Size of u_k of a photograph. */
export function levelSize(p: Photograph, level: number): { width: number; height: number } {
  return level === 0 ? p : p.coarser[level - 1]!;
}

/** Copies a part of u_k; what lies outside the picture is left out, so the result may be smaller than asked. */
export function cut(p: Photograph, level: number, x0: number, y0: number, width: number, height: number): Plane {
  const size = levelSize(p, level);
  const w = Math.min(width, size.width - x0);
  const h = Math.min(height, size.height - y0);
  if (level > 0) {
    const src = p.coarser[level - 1]!;
    const data = new Float32Array(w * h * COLOURS);
    for (let y = 0; y < h; y++) {
      const from = ((y0 + y) * src.width + x0) * COLOURS;
      data.set(src.data.subarray(from, from + w * COLOURS), y * w * COLOURS);
    }
    return { width: w, height: h, data };
  }
  const rgb = new Uint8Array(w * h * COLOURS);
  for (let y = 0; y < h; y++) {
    const from = ((y0 + y) * p.width + x0) * COLOURS;
    rgb.set(p.rgb.subarray(from, from + w * COLOURS), y * w * COLOURS);
  }
  return { width: w, height: h, data: rotateColours(rgb) };
}

/** Chance of another exposure, and of another saturation, and their ranges in octaves of contrast. */
const RECOLOUR = RECIPE.recolour;

/**
 * Mirrors a plane or swaps its axes, at random: left-right often, the others seldom (photographs have an up). Some get another
 * exposure or saturation, in place.
 */
export function augment(u: Plane, random: Random): Plane {
  recolour(u, random);
  return mirror(u, random);
}

function recolour({ data }: Plane, random: Random): void {
  const gain = ([low, high]: readonly number[]): number =>
    random.chance(RECOLOUR.chance) ? 2 ** (low! + (high! - low!) * random.uniform()) : 1;
  const exposure = gain(RECOLOUR.exposure);
  const chroma = exposure * gain(RECOLOUR.saturation);
  if (exposure === 1 && chroma === 1) return;
  for (let i = 0; i < data.length; i += COLOURS) {
    data[i] = data[i]! * exposure;
    data[i + 1] = data[i + 1]! * chroma;
    data[i + 2] = data[i + 2]! * chroma;
  }
}

function mirror(u: Plane, random: Random): Plane {
  const flipX = random.chance(RECIPE.mirror.x);
  const flipY = random.chance(RECIPE.mirror.y);
  const swap = random.chance(RECIPE.mirror.swap);
  if (!flipX && !flipY && !swap) return u;
  const width = swap ? u.height : u.width;
  const height = swap ? u.width : u.height;
  const data = new Float32Array(u.data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sx = swap ? y : x;
      let sy = swap ? x : y;
      if (flipX) sx = u.width - 1 - sx;
      if (flipY) sy = u.height - 1 - sy;
      const i = (sy * u.width + sx) * COLOURS;
      const o = (y * width + x) * COLOURS;
      data[o] = u.data[i]!;
      data[o + 1] = u.data[i + 1]!;
      data[o + 2] = u.data[i + 2]!;
    }
  }
  return { width, height, data };
}

/** Root mean square of each coefficient channel by level: the prior of `Statistics`. */
export function measurePrior(photographs: readonly Photograph[], levels: number): Float32Array {
  const prior = new Float32Array(levels * COEFFICIENTS);
  const random = new Random(0x7072696f, 0);
  for (let k = 0; k < levels; k++) {
    const sums = new Float64Array(COEFFICIENTS);
    let count = 0;
    for (let n = 0; n < 600; n++) {
      const p = photographs[random.below(photographs.length)]!;
      const size = levelSize(p, k);
      const x0 = random.below(Math.max(1, size.width - 64));
      const y0 = random.below(Math.max(1, size.height - 64));
      const { data } = haar(cut(p, k, x0, y0, 64, 64));
      for (let i = 0; i < data.length; i++) sums[i % COEFFICIENTS]! += data[i]! * data[i]!;
      count += data.length / COEFFICIENTS;
    }
    for (let c = 0; c < COEFFICIENTS; c++) prior[k * COEFFICIENTS + c] = Math.sqrt(sums[c]! / count);
  }
  return prior;
}
