/** From the bytes of a picture file to a `Picture`, whatever its format. */
import { DcompError } from '../src/errors.js';
import { MAX_PIXELS } from '../src/picture.js';
import type { Picture } from '../src/index.js';
import { FORMAT_NAMES, formatOfBytes, PICTURE_FORMATS, type PictureFormat } from './formats.js';
import { choosing, type MetadataChoice } from './metadata.js';
import { readPng } from './png-reader.js';
import { readOther } from './sharp.js';

/** A picture as its file had it. */
export interface PictureRead {
  /** With the metadata that is to be kept. */
  picture: Picture;
  format: PictureFormat;
  /** What was in the file and is not in the picture, one sentence each, for the user to know. */
  notices: string[];
}

/**
 * Reads a picture file. The format is found from the bytes, whatever the file's name.
 * @param metadata which of it to keep
 * @param maxPixels refuses larger pictures before anything is made of them
 * @throws DcompError E_EMPTY, E_NOT_PICTURE, E_DAMAGED_PNG, E_DAMAGED_PICTURE, E_TOO_LARGE, E_MISSING_DEPENDENCY (not PNG, and no sharp)
 */
export async function readPicture(
  bytes: Uint8Array,
  metadata: MetadataChoice = 'default',
  maxPixels = MAX_PIXELS,
): Promise<PictureRead> {
  if (bytes.length === 0) throw new DcompError('E_EMPTY', 'the file is empty; give a picture');
  const found = formatOfBytes(bytes);
  if (!('format' in found)) {
    const names = PICTURE_FORMATS.map((format) => FORMAT_NAMES[format]).join(', ');
    const what = found.name === undefined ? 'not a picture that dcomp reads' : `the file is ${found.name}`;
    throw new DcompError('E_NOT_PICTURE', `${what}; dcomp reads ${names}: convert the picture first`);
  }
  const { format } = found;
  const { picture, notices } = format === 'png' ? readPng(bytes, maxPixels) : await readOther(bytes, format, maxPixels);
  const kept = choosing(picture, metadata);
  return { picture: kept.picture, format, notices: [...notices, ...kept.notices] };
}
