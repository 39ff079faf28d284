/** Pictures for what keeps no metadata and no alpha: messages. */
import { turnIfDue } from '../src/event-loop.js';
import { turnedInPieces } from '../src/pixels/turned.js';
import { inTurns, type Pieces } from '../src/turns.js';
import type { Picture } from '../src/index.js';
import { choosing } from './metadata.js';
import { withoutOpaque } from './samples.js';

/**
 * The samples alone, turned as the picture is seen, and without an alpha channel that is opaque everywhere.
 * @returns and what is not kept, one sentence each
 */
export async function barePicture(picture: Picture): Promise<{ picture: Picture; notices: string[] }> {
  return choosing(await inTurns(bare(picture), turnIfDue), 'none');
}

function* bare(picture: Picture): Pieces<Picture> {
  const { orientation = 1, ...metadata } = picture.metadata ?? {};
  return { ...(yield* withoutOpaque(yield* turnedInPieces(picture, orientation))), metadata };
}
