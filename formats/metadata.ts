/** Which metadata the user wants kept, and what is wrong with what a picture brings. */
import { DcompError } from '../src/errors.js';
import type { Metadata, Picture } from '../src/index.js';

/** `default`: what the picture needs to look right: profile, orientation and density. */
export const METADATA_CHOICES = ['all', 'default', 'none'] as const;
/** Which metadata is kept. */
export type MetadataChoice = (typeof METADATA_CHOICES)[number];

/** @throws DcompError E_USAGE */
export function metadataChoice(text: string): MetadataChoice {
  const choice = METADATA_CHOICES.find((each) => each === text);
  if (choice === undefined)
    throw new DcompError('E_USAGE', `--metadata is ${text}; it must be one of ${METADATA_CHOICES.join(', ')}`);
  return choice;
}

/** The picture with the metadata that is to be kept, and a notice where that changes how it looks. */
export function choosing(picture: Picture, choice: MetadataChoice): { picture: Picture; notices: string[] } {
  const { metadata, ...bare } = picture;
  if (metadata === undefined || choice === 'all') return { picture, notices: [] };
  const { icc, orientation, density } = metadata;
  if (choice === 'none') {
    const notices: string[] = [];
    if (icc !== undefined) notices.push('the colour profile is not kept; the samples are then taken as sRGB');
    if (orientation !== undefined && orientation !== 1)
      notices.push('the orientation is not kept; the picture may appear turned');
    return { picture: bare, notices };
  }
  const kept: Metadata = {
    ...(icc === undefined ? {} : { icc }),
    ...(orientation === undefined ? {} : { orientation }),
    ...(density === undefined ? {} : { density }),
  };
  return { picture: Object.keys(kept).length === 0 ? bare : { ...bare, metadata: kept }, notices: [] };
}

/** ICC.1, section 7.2: the header of a profile, and the colour space that it is for, 4 letters. */
export function profileSpace(icc: Uint8Array): string | undefined {
  if (icc.length < 132 || String.fromCharCode(...icc.subarray(36, 40)) !== 'acsp') return undefined;
  return String.fromCharCode(...icc.subarray(16, 20));
}

/** Why a profile is of no use for grey or colour; undefined if it is. */
export function profileFault(icc: Uint8Array, grey: boolean): string | undefined {
  const space = profileSpace(icc);
  if (space === undefined) return 'the colour profile is damaged and not kept';
  if (space !== (grey ? 'GRAY' : 'RGB '))
    return `the colour profile, for ${space.trim() || 'nothing'}, does not fit the picture and is not kept`;
  return undefined;
}
