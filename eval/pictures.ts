/** The pictures of an evaluation: found, checked, and brought to RGB. */
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readInput } from '../formats/files.js';
import { readPng } from '../formats/png-reader.js';
import { withDepth } from '../src/picture.js';
import { DcompError } from '../src/errors.js';
import type { Picture } from '../src/picture.js';

export interface PictureFile {
  path: string;
  /** As the report calls it. */
  name: string;
  width: number;
  height: number;
  /** SHA-256 of size and samples. */
  hash: string;
}

/** PNGs of folders (not of folders in them) and single files, by name. @throws DcompError E_IO, E_USAGE */
export function findPictures(paths: readonly string[]): string[] {
  const found = paths.flatMap((path) => {
    const status = statSync(path, { throwIfNoEntry: false });
    if (status === undefined) throw new DcompError('E_IO', `cannot read ${path}: there is no such file or folder`);
    if (!status.isDirectory()) return [path];
    const names = readdirSync(path).filter((name) => name.toLowerCase().endsWith('.png'));
    if (names.length === 0) throw new DcompError('E_IO', `${path} holds no pictures: a folder of PNG files is needed`);
    return names.sort().map((name) => join(path, name));
  });
  return [...new Set(found)];
}

/** `limit` of them, spread evenly. */
export function spread<T>(items: readonly T[], limit: number): T[] {
  if (limit >= items.length) return [...items];
  return Array.from({ length: limit }, (_, i) => items[Math.floor(((i + 0.5) * items.length) / limit)]!);
}

/** @throws DcompError E_IO, E_NOT_PNG, E_DAMAGED_PNG, E_TOO_LARGE */
export function loadPicture(path: string): Picture {
  return toRgb(readPng(readInput(path)).picture);
}

function describePicture(path: string): PictureFile {
  const { width, height, data } = loadPicture(path);
  const hash = createHash('sha256').update(`${width} ${height} `).update(data).digest('hex');
  return { path, name: basename(path).replace(/\.png$/i, ''), width, height, hash };
}

/**
 * All pictures of folders and files, or `limit` of them.
 * @param notice told of each that cannot be read
 * @throws DcompError E_IO if none can be
 */
export function describeAll(
  { inputs, limit }: { inputs: readonly string[]; limit: number },
  notice: (line: string) => void,
): PictureFile[] {
  const pictures: PictureFile[] = [];
  for (const path of spread(findPictures(inputs), limit)) {
    try {
      pictures.push(describePicture(path));
    } catch (error) {
      if (!(error instanceof DcompError)) throw error;
      notice(`${path} is left out: ${error.message}`);
    }
  }
  if (pictures.length === 0) throw new DcompError('E_IO', 'none of the pictures could be read');
  // Of different folders: two with the same name go by their paths.
  const unique = (name: string): boolean => pictures.filter((other) => other.name === name).length === 1;
  return pictures.map((picture) => (unique(picture.name) ? picture : { ...picture, name: picture.path }));
}

/** Colours as RGB; alpha is no part of the comparison. */
export function toRgb(picture: Picture): Picture {
  const { width, height, channels, data } = withDepth(picture, 8);
  if (channels === 3) return { width, height, channels, data };
  const out = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++)
    for (let c = 0; c < 3; c++) out[3 * i + c] = data[i * channels + (channels > 2 ? c : 0)]!;
  return { width, height, channels: 3, data: out };
}
