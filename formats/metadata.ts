/** Which metadata the user wants kept, and what is wrong with what a picture brings. */
import { DcompError } from '../src/errors.js';
import { mustBe } from '../src/options.js';
import type { Metadata, Picture } from '../src/index.js';
import { colourName } from './colour-meaning.js';
import { saysMore } from './exif.js';

/** `default`: what the picture needs to look right: colour, orientation and density. */
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

/** @throws DcompError E_USAGE */
export function checkChoice(value: unknown): asserts value is MetadataChoice {
  if (!METADATA_CHOICES.includes(value as MetadataChoice))
    throw mustBe('metadata', value, `one of ${METADATA_CHOICES.join(', ')}`);
}

/** What `default` keeps. */
const SHOWN = ['icc', 'cicp', 'gamma', 'chromaticities', 'orientation', 'density'] as const;

/** What it leaves out, in words. */
const LEFT: Record<Exclude<keyof Metadata, (typeof SHOWN)[number]>, string> = {
  exif: 'EXIF',
  xmp: 'XMP',
  iptc: 'IPTC',
  text: 'texts',
  modified: 'the time of the last change',
};

/** The picture with the metadata that is to be kept, and what is told of the rest. */
export function choosing(picture: Picture, choice: MetadataChoice): { picture: Picture; notices: string[] } {
  const { metadata, ...bare } = picture;
  if (metadata === undefined || choice === 'all') return { picture, notices: [] };
  const kept: Metadata = {};
  const notices: string[] = [];
  if (choice === 'default') {
    for (const name of SHOWN) if (metadata[name] !== undefined) Object.assign(kept, { [name]: metadata[name] });
  } else {
    const colour = colourName(metadata);
    if (colour !== undefined) notices.push(`the ${colour} is not kept; the samples are then taken as sRGB`);
    if (metadata.orientation !== undefined && metadata.orientation !== 1)
      notices.push('the orientation is not kept; the picture may appear turned');
  }
  const left = leftOut(metadata);
  if (choice === 'default' && left !== undefined) notices.push(`${left} not kept; --metadata all keeps all`);
  return { picture: Object.keys(kept).length === 0 ? bare : { ...bare, metadata: kept }, notices };
}

/** The subject and verb of a sentence; undefined if it is nothing. EXIF that says the orientation alone is no loss. */
function leftOut({ exif, xmp, iptc, text = [], modified }: Metadata): string | undefined {
  const names = [
    ...(exif !== undefined && saysMore(exif) ? [LEFT.exif] : []),
    ...(xmp === undefined ? [] : [LEFT.xmp]),
    ...(iptc === undefined ? [] : [LEFT.iptc]),
    ...(text.length === 0 ? [] : [LEFT.text]),
    ...(modified === undefined ? [] : [LEFT.modified]),
  ];
  if (names.length === 0) return undefined;
  const plural = names.length > 1 || names[0] === LEFT.text;
  return `${names.join(', ')} ${plural ? 'are' : 'is'}`;
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
