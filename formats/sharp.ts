/** The optional package sharp: loaded only when it is needed, and its errors in one line. */
import type sharpModule from 'sharp';
import { DcompError } from '../src/errors.js';
import { FORMAT_NAMES, type PictureFormat, type ReadFormat } from './formats.js';
import { oneLine } from './text.js';

export type Sharp = typeof sharpModule;

/** @throws DcompError E_MISSING_DEPENDENCY */
export async function loadSharp(format: PictureFormat | ReadFormat): Promise<Sharp> {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    throw new DcompError(
      'E_MISSING_DEPENDENCY',
      `${FORMAT_NAMES[format]} needs the package sharp, which is not installed or does not load here: npm install sharp, or use PNG`,
      { cause },
    );
  }
}

/** Most characters that are told of another library's reason. */
const MAX_REASON = 120;

/** What a library says, in one line; libvips says some things many times. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const [first = ''] = message
    .split('\n')
    .map(oneLine)
    .filter((line) => line !== '');
  return first.length > MAX_REASON ? `${first.slice(0, MAX_REASON)}…` : first;
}
