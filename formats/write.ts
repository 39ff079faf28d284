/** From a `Picture` to the bytes of a picture file. */
import type { Picture } from '../src/index.js';
import { hearing } from '../src/event-loop.js';
import { isNumber, isSignal, mustBe } from '../src/options.js';
import { pictureOf } from '../src/picture.js';
import { unlessAborted } from '../src/turns.js';
import { PICTURE_FORMATS, type PictureFormat } from './formats.js';
import { checkChoice, choosing, type MetadataChoice } from './metadata.js';
import { PNG_LEVEL, writePngInTurns } from './png-writer.js';
import { writeOther } from './sharp-writer.js';

/** A picture as a file. */
export interface PictureWritten {
  bytes: Uint8Array;
  /** What the format cannot hold, one sentence each, for the user to know. */
  notices: string[];
}

/**
 * The picture as a file of a format, with the metadata that is to be kept: of its own kind and depth as far as the format has them.
 * @param quality of JPEG, WebP and AVIF, 1 to 100; by default 95, 95 and 85
 * @param signal ends the writing
 * @throws DcompError E_USAGE, E_PICTURE, E_TOO_LARGE, E_ABORTED, E_MISSING_DEPENDENCY (not PNG, and no sharp), E_IO
 */
export async function writePicture(
  picture: Picture,
  format: PictureFormat,
  metadata: MetadataChoice = 'all',
  quality?: number,
  signal?: AbortSignal,
): Promise<PictureWritten> {
  if (!PICTURE_FORMATS.includes(format)) throw mustBe('format', format, `one of ${PICTURE_FORMATS.join(', ')}`);
  checkChoice(metadata);
  if (quality !== undefined)
    isNumber('a number from 1 to 100', (value) => value >= 1 && value <= 100)(quality, 'quality');
  if (signal !== undefined) isSignal(signal, 'signal');
  const kept = choosing(pictureOf(picture), metadata);
  const pause = hearing(signal);
  const { bytes, notices } = await unlessAborted(signal, async () =>
    format === 'png'
      ? { bytes: await writePngInTurns(kept.picture, PNG_LEVEL, pause), notices: [] }
      : writeOther(kept.picture, format, quality, pause),
  );
  return { bytes, notices: [...kept.notices, ...notices] };
}
