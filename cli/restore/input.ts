/** Reads what is to be restored. */
import { inputName, readSource } from '../../formats/files.js';
import type { MetadataChoice } from '../../formats/metadata.js';
import { readPicture } from '../../formats/read.js';
import type { Picture } from '../../src/picture.js';
import { about } from '../errors.js';
import { note } from '../report.js';

/** @throws DcompError E_IO, and what reading the picture throws, with the file's name */
export async function readGiven(
  path: string,
  quiet: boolean,
  maxPixels?: number,
  metadata: MetadataChoice = 'all',
): Promise<Picture> {
  const bytes = await readSource(path);
  try {
    const { picture, notices } = await readPicture(bytes, metadata, maxPixels);
    if (!quiet) for (const notice of notices) note(`${inputName(path)}: ${notice}`);
    return picture;
  } catch (error) {
    throw about(inputName(path), error);
  }
}
