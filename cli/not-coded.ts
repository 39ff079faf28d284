/** A picture in the place of a .dcz file is said to be one, and what to do with it. */
import { FORMAT_NAMES, formatOfBytes } from '../formats/formats.js';
import { DcompError } from '../src/errors.js';

/** @throws DcompError E_NOT_DCZ, where a file is a picture that dcomp reads */
export function refusePicture(bytes: Uint8Array): void {
  const found = formatOfBytes(bytes);
  if (!('format' in found)) return;
  throw new DcompError(
    'E_NOT_DCZ',
    `the file is a picture (${FORMAT_NAMES[found.format]}), not a .dcz file; dcomp encode makes one of it`,
  );
}
