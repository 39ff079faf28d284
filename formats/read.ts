/** From the bytes of a picture file to a `Picture`, whatever its format. */
import { DcompError } from '../src/errors.js';
import { bytesOf, isBoolean, isNumber, isSignal } from '../src/options.js';
import { hearing } from '../src/event-loop.js';
import { MAX_PIXELS } from '../src/picture.js';
import { inTurns, unlessAborted } from '../src/turns.js';
import type { Picture } from '../src/index.js';
import { CODED, formatOfBytes, READ_NAMES, type ReadFormat } from './formats.js';
import { checkChoice, choosing, type MetadataChoice } from './metadata.js';
import { readBmpInPieces } from './bmp.js';
import { readJpegXlElsewhere } from './jpeg-xl-thread.js';
import { readPngInTurns, type PngRead } from './png-reader.js';
import { readOther } from './sharp-reader.js';

/** A picture as its file had it. */
export interface PictureRead {
  /** With the metadata that is to be kept. */
  picture: Picture;
  format: ReadFormat;
  /** What was in the file and is not in the picture, one sentence each, for the user to know. */
  notices: string[];
  /** What is wrong with the pixels; empty unless damage is allowed. */
  damage: string[];
}

/**
 * Reads a picture file. The format is found from the bytes, whatever the file's name.
 * @param metadata which of it to keep
 * @param maxPixels refuses larger pictures before anything is made of them
 * @param allowDamaged reads what is there of damaged pixels too
 * @param signal ends the reading
 * @throws DcompError E_USAGE, E_EMPTY, E_NOT_PICTURE, E_DAMAGED_PNG, E_DAMAGED_PICTURE, E_TOO_LARGE, E_ABORTED, E_MISSING_DEPENDENCY (not PNG, and no sharp)
 */
export async function readPicture(
  file: Uint8Array,
  metadata: MetadataChoice = 'default',
  maxPixels = MAX_PIXELS,
  allowDamaged = false,
  signal?: AbortSignal,
): Promise<PictureRead> {
  const bytes = bytesOf(file, 'the file');
  checkChoice(metadata);
  isNumber('a number of pixels, at least 0', (value) => value >= 0)(maxPixels, 'maxPixels');
  isBoolean(allowDamaged, 'allowDamaged');
  if (signal !== undefined) isSignal(signal, 'signal');
  if (bytes.length === 0) throw new DcompError('E_EMPTY', 'the file is empty; give a picture');
  const found = formatOfBytes(bytes);
  if (!('format' in found)) {
    if (found.name === CODED)
      throw new DcompError('E_NOT_PICTURE', 'the file is a .dcz file already; dcomp decode makes a picture of it');
    const what = found.name === undefined ? 'not a picture that dcomp reads' : `the file is ${found.name}`;
    throw new DcompError('E_NOT_PICTURE', `${what}; dcomp reads ${READ_NAMES}: convert the picture first`);
  }
  const { format } = found;
  const { picture, notices, damage } = await unlessAborted(signal, () =>
    readFormat(bytes, format, maxPixels, allowDamaged, signal),
  );
  const kept = choosing(picture, metadata);
  return { picture: kept.picture, format, notices: [...notices, ...kept.notices], damage };
}

function readFormat(
  bytes: Uint8Array,
  format: ReadFormat,
  maxPixels: number,
  allowDamaged: boolean,
  signal: AbortSignal | undefined,
): Promise<PngRead> {
  const pause = hearing(signal);
  switch (format) {
    case 'png':
      return readPngInTurns(bytes, maxPixels, allowDamaged, pause);
    case 'bmp':
      return inTurns(readBmpInPieces(bytes, maxPixels, allowDamaged), pause);
    case 'jxl':
      return readJpegXlElsewhere(bytes, maxPixels, signal);
    default:
      return readOther(bytes, format, maxPixels, allowDamaged, pause);
  }
}
