/** Pictures for what keeps no metadata and no alpha: messages. */
import { depthOf, rangeOf } from '../src/picture.js';
import { turnedPicture } from '../src/pixels/turned.js';
import type { Channels, Picture } from '../src/index.js';
import { choosing } from './metadata.js';

/**
 * The samples alone, turned as the picture is seen, and without an alpha channel that is opaque everywhere.
 * @returns and what is not kept, one sentence each
 */
export function barePicture(picture: Picture): { picture: Picture; notices: string[] } {
  const { orientation = 1, ...rest } = picture.metadata ?? {};
  const turned = turnedPicture(picture, orientation);
  return choosing(withoutOpaqueAlpha({ ...turned, metadata: rest }), 'none');
}

function withoutOpaqueAlpha(picture: Picture): Picture {
  const { channels, data } = picture;
  if (channels % 2 === 1) return picture;
  const most = rangeOf(depthOf(picture));
  for (let i = channels - 1; i < data.length; i += channels) if (data[i] !== most) return picture;
  const colours = (channels - 1) as Channels;
  const kept = data.filter((_, i) => i % channels !== channels - 1);
  return { ...picture, channels: colours, data: kept };
}
