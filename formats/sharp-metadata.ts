/** Metadata of JPEG, WebP, AVIF, TIFF, GIF and HEIC: what sharp passes on, and what only the file itself says. */
import type { Metadata as SharpMetadata } from 'sharp';
import { MAX_METADATA_BYTES, type Metadata, type Text } from '../src/picture.js';
import { ADOBE_RGB, LIGHT_NOT_KEPT, meaningOf } from './colour-meaning.js';
import { exifDensity, isAdobeRgb, orientationOf, tiffOf, withOrientation } from './exif.js';
import type { Faults } from './faults.js';
import type { ReadFormat } from './formats.js';
import { gifComments } from './gif.js';
import type { HeifFacts } from './heif.js';
import { iptcOf } from './iptc.js';
import { jpegFacts } from './jpeg.js';
import { profileFault } from './metadata.js';
import { TextList } from './text-list.js';
import { TIFF_TEXTS } from './tiff-texts.js';
import { readDirectories, type Directory } from './tiff.js';

export interface Beside {
  /** Are the samples those of the file, or were they converted to sRGB? */
  asItIs: boolean;
  grey: boolean;
  heif: HeifFacts | undefined;
  faults: Faults;
}

/** Tags of TIFF that say what colours are: white point, primaries, transfer function. */
const TIFF_COLOUR = [318, 319, 301];

export function metadataOfOther(bytes: Uint8Array, format: ReadFormat, found: SharpMetadata, beside: Beside): Metadata {
  const { faults } = beside;
  const metadata: Metadata = {};
  const texts = new TextList(faults);
  if (beside.asItIs) Object.assign(metadata, profileOf(found.icc, beside));
  readExif(metadata, found, format, beside);
  const { xmp } = found;
  if (xmp !== undefined) {
    if (xmp.length > MAX_METADATA_BYTES) faults.notice('the XMP data is too long and not kept');
    else metadata.xmp = new Uint8Array(xmp);
  }
  if (format === 'jpeg') readJpeg(metadata, bytes, texts, faults);
  else if (format === 'tiff') readTiff(metadata, bytes, texts, beside);
  else if (format === 'gif') gifComments(bytes).forEach((text) => texts.add(text));
  if (beside.heif?.light === true) faults.notice(LIGHT_NOT_KEPT);
  if (texts.list.length > 0) metadata.text = texts.list;
  readColour(metadata, beside);
  return metadata;
}

function profileOf(icc: Uint8Array | undefined, { grey, faults }: Beside): Pick<Metadata, 'icc'> {
  if (icc === undefined) return {};
  const fault =
    icc.length > MAX_METADATA_BYTES ? 'the colour profile is too long and not kept' : profileFault(icc, grey);
  if (fault === undefined) return { icc: new Uint8Array(icc) };
  faults.notice(fault);
  return {};
}

/** EXIF with its orientation and density; of AVIF and HEIC the decoder has turned the picture already. */
function readExif(
  metadata: Metadata,
  { exif, orientation }: SharpMetadata,
  format: ReadFormat,
  { heif, faults }: Beside,
): void {
  const turned = format === 'avif' || format === 'heic';
  const tiff = exif === undefined ? undefined : tiffOf(exif);
  if (exif !== undefined) {
    if (tiff === undefined || tiff.length > MAX_METADATA_BYTES) faults.notice('the EXIF data is damaged and not kept');
    else metadata.exif = new Uint8Array(turned ? withOrientation(tiff, 1) : tiff);
  }
  const { exif: kept } = metadata;
  const density = kept === undefined ? undefined : exifDensity(kept);
  if (density !== undefined)
    metadata.density = heif?.onSide === true ? { ...density, x: density.y, y: density.x } : density;
  if (turned) return;
  const said = orientation ?? (kept === undefined ? undefined : orientationOf(kept));
  if (said !== undefined && said > 1 && said <= 8) metadata.orientation = said;
}

function readJpeg(metadata: Metadata, bytes: Uint8Array, texts: TextList, faults: Faults): void {
  const facts = jpegFacts(bytes);
  if (facts.density !== undefined) metadata.density = facts.density;
  if (facts.iptc !== undefined) metadata.iptc = facts.iptc;
  facts.comments.forEach((text) => texts.add(text));
  if (facts.gainMap)
    faults.notice('its gain map, which makes it HDR, is not read; the picture is as other programs show it');
}

function readTiff(metadata: Metadata, bytes: Uint8Array, texts: TextList, { asItIs, faults }: Beside): void {
  const directory: Directory | undefined = readDirectories(bytes)[0];
  if (directory === undefined) return;
  if (directory.density !== undefined) metadata.density = directory.density;
  const iptc = directory.iptc === undefined ? undefined : iptcOf(directory.iptc);
  if (iptc !== undefined) metadata.iptc = iptc;
  for (const [tag, keyword] of TIFF_TEXTS) {
    const text: Text = { keyword, text: directory.text(tag) ?? '' };
    if (text.text !== '' && !text.text.startsWith('<?xml')) texts.add(text);
  }
  if (directory.exifAt !== undefined && metadata.exif === undefined) faults.notice('the EXIF data of TIFF is not read');
  if (asItIs && metadata.icc === undefined && TIFF_COLOUR.some((tag) => directory.tags.has(tag)))
    faults.notice('what its tags say of colour is not kept; the samples are taken as sRGB');
}

/** Code points of AVIF and HEIC count where there is no profile; EXIF may say Adobe RGB. */
function readColour(metadata: Metadata, { asItIs, heif }: Beside): void {
  if (!asItIs || metadata.icc !== undefined) return;
  const { nclx } = heif ?? {};
  if (nclx !== undefined) {
    const cicp =
      nclx.primaries > 0 && nclx.primaries < 256 && nclx.transfer > 0 && nclx.transfer < 256
        ? meaningOf(nclx)
        : undefined;
    if (cicp !== undefined) metadata.cicp = cicp;
  } else if (metadata.exif !== undefined && isAdobeRgb(metadata.exif)) Object.assign(metadata, ADOBE_RGB);
}
