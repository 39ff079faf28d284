/** JPEG, WebP, AVIF and TIFF: coded by sharp, their metadata put beside by dcomp, as libvips bends and invents some. */
import type sharpModule from 'sharp';
import { DcompError } from '../src/errors.js';
import { depthOf, MAX_PIXELS, MAX_SIDE, withDepthInPieces, type Metadata, type Picture } from '../src/picture.js';
import { inTurns, type Pause } from '../src/turns.js';
import { withAvifMetadata } from './avif-writer.js';
import { BT709, isSrgb, SRGB_TRANSFER } from './colour-meaning.js';
import { exifOf, saysMore } from './exif.js';
import { FORMAT_NAMES, type PictureFormat } from './formats.js';
import { greyProfileAsRgb, isHdr, profileOf } from './icc.js';
import { withJpegMetadata } from './jpeg.js';
import { profileSpace } from './metadata.js';
import { writePngInTurns } from './png-writer.js';
import { roundedTo } from './samples.js';
import { loadSharp, reasonOf } from './sharp.js';
import { TIFF_TEXTS } from './tiff-texts.js';
import { withTiffMetadata } from './tiff-writer.js';
import { withWebpMetadata } from './webp.js';

export type OtherFormat = Exclude<PictureFormat, 'png'>;

/** What the encoders can do: longest side, and what of a picture they cannot hold. */
const LIMITS: Record<OtherFormat, { side: number; alpha: boolean; depth: number; grey: boolean }> = {
  jpeg: { side: 65500, alpha: false, depth: 8, grey: true },
  webp: { side: 16383, alpha: true, depth: 8, grey: false },
  avif: { side: 16384, alpha: true, depth: 10, grey: false },
  tiff: { side: MAX_SIDE, alpha: true, depth: 16, grey: true },
};

/** At which the eye sees no difference; TIFF is without loss. */
const DEFAULT_QUALITY: Record<OtherFormat, number> = { jpeg: 95, webp: 95, avif: 85, tiff: 100 };

/**
 * The picture in another format, by default of a quality at which the eye sees no difference: what was lost was lost in coding.
 * @throws DcompError E_MISSING_DEPENDENCY, E_PICTURE, E_TOO_LARGE, E_ABORTED, E_IO
 */
export async function writeOther(
  source: Picture,
  format: OtherFormat,
  quality: number = DEFAULT_QUALITY[format],
  pause: Pause,
): Promise<{ bytes: Uint8Array; notices: string[] }> {
  const sharp = await loadSharp(format);
  const name = FORMAT_NAMES[format];
  const limits = LIMITS[format];
  const { width, height, channels, metadata = {}, ...samples } = source;
  if (width > limits.side || height > limits.side) {
    throw new DcompError(
      'E_TOO_LARGE',
      `the picture has ${width}×${height} pixels, but ${name} holds at most ${limits.side} a side: write PNG or TIFF`,
    );
  }
  const notices: string[] = [];
  const wide = depthOf(source) === 16;
  if (wide && limits.depth < 16)
    notices.push(`${name} has ${limits.depth} bits per sample; the picture's 16 are rounded`);
  if (channels % 2 === 0 && !limits.alpha) notices.push(`${name} has no transparency; the picture is put on white`);
  const picture: Picture = { width, height, channels, ...samples };
  let bytes: Uint8Array;
  try {
    bytes = await coded(sharp, picture, format, quality, pause);
  } catch (cause) {
    if (cause instanceof DcompError) throw cause;
    throw new DcompError('E_IO', `sharp cannot write this picture as ${name}: ${reasonOf(cause)}; write PNG`, {
      cause,
    });
  }
  return { bytes: withMetadata(bytes, picture, metadata, format, notices), notices };
}

/** The picture without metadata. */
async function coded(
  sharp: typeof sharpModule,
  picture: Picture,
  format: OtherFormat,
  quality: number,
  pause: Pause,
): Promise<Uint8Array> {
  const { channels } = picture;
  const depth = depthOf(picture);
  const limits = LIMITS[format];
  const keepsDepth = depth === 16 && limits.depth > 8;
  // A PNG carries the samples to sharp in one piece; it is for the moment and hardly compressed.
  const carried = await inTurns(keepsDepth ? roundedTo(picture, limits.depth) : withDepthInPieces(picture, 8), pause);
  let image = sharp(await writePngInTurns(carried, 1, pause), { limitInputPixels: MAX_PIXELS });
  if (channels % 2 === 0 && !limits.alpha) image = image.flatten({ background: 'white' });
  image = image.toColourspace(channels <= 2 ? (keepsDepth ? 'grey16' : 'b-w') : keepsDepth ? 'rgb16' : 'srgb');
  switch (format) {
    case 'jpeg':
      return image.jpeg({ quality, chromaSubsampling: '4:4:4' }).toBuffer();
    case 'webp':
      return image.webp({ quality, smartSubsample: true }).toBuffer();
    case 'avif':
      return image.avif({ quality, chromaSubsampling: '4:4:4', bitdepth: keepsDepth ? 10 : 8 }).toBuffer();
    case 'tiff':
      return image
        .tiff({
          compression: 'deflate',
          predictor: depth < 8 ? 'none' : 'horizontal',
          ...(depth === 1 || depth === 2 || depth === 4 ? { bitdepth: depth } : {}),
        })
        .toBuffer();
  }
}

/** @param notices is told what the format has no place for */
function withMetadata(
  bytes: Uint8Array,
  { width, height, channels }: Picture,
  metadata: Metadata,
  format: OtherFormat,
  notices: string[],
): Uint8Array {
  const name = FORMAT_NAMES[format];
  const { orientation = 1, density, xmp, iptc, text = [] } = metadata;
  const lost = (what: string): void => void notices.push(`${name} does not keep ${what}`);
  const icc = chosenProfile(metadata, channels <= 2, format, notices);
  if (metadata.modified !== undefined) lost('the time of the last change');
  switch (format) {
    case 'jpeg': {
      const comments = text.filter(({ keyword }) => keyword === 'Comment').map((entry) => entry.text);
      if (comments.length < text.length) lost('texts other than the comment');
      const exif = exifOf(metadata.exif, orientation);
      return withJpegMetadata(bytes, { density, exif, xmp, icc, iptc, comments }, (what) =>
        lost(`${what} that are longer than 64 kB`),
      );
    }
    case 'webp': {
      if (iptc !== undefined) lost('IPTC');
      if (text.length > 0) lost('texts');
      const exif = exifOf(metadata.exif, orientation, density);
      const alpha = channels % 2 === 0;
      return withWebpMetadata(
        bytes,
        { width, height, alpha },
        { ...(icc && { icc }), ...(exif && { exif }), ...(xmp && { xmp }) },
      );
    }
    case 'avif': {
      if (iptc !== undefined) lost('IPTC');
      if (text.length > 0) lost('texts');
      const { primaries, transfer } = metadata.cicp ?? { primaries: BT709, transfer: SRGB_TRANSFER };
      const exif = exifOf(metadata.exif, 1, density);
      const written = withAvifMetadata(bytes, { icc, primaries, transfer, orientation, exif, xmp });
      if (written !== undefined) return written;
      notices.push('this sharp writes an AVIF that dcomp does not know; its metadata are not kept');
      return bytes;
    }
    case 'tiff': {
      if (metadata.exif !== undefined && saysMore(metadata.exif)) lost('EXIF');
      if (text.some(({ keyword }) => !TIFF_TEXTS.some(([, known]) => known === keyword)))
        lost(`texts other than ${TIFF_TEXTS.map(([, known]) => known).join(', ')}`);
      return withTiffMetadata(bytes, { density, orientation, icc, xmp, iptc, texts: text });
    }
  }
}

/**
 * The profile to be written: the picture's own, or one for what else it says of colour. AVIF has code points, and needs
 * none for them.
 */
function chosenProfile(
  metadata: Metadata,
  grey: boolean,
  format: OtherFormat,
  notices: string[],
): Uint8Array | undefined {
  const { icc, cicp } = metadata;
  const name = FORMAT_NAMES[format];
  if (cicp !== undefined && format === 'avif') {
    if (icc !== undefined)
      notices.push('AVIF gets the code points of the colour space, which count, and not the profile');
    return undefined;
  }
  if (cicp !== undefined && icc === undefined && isSrgb(cicp)) return undefined;
  const asRgb = grey && !LIMITS[format].grey;
  if (icc !== undefined) {
    if (!asRgb || profileSpace(icc) !== 'GRAY') return icc;
    const converted = greyProfileAsRgb(icc);
    if (converted === undefined)
      notices.push(`${name} has no grey, and the colour profile, which is for grey, is not kept`);
    return converted;
  }
  if (cicp === undefined && metadata.gamma === undefined && metadata.chromaticities === undefined) return undefined;
  const made = profileOf(metadata, grey && !asRgb);
  if (made === undefined)
    notices.push(`${name} has no place for the picture's colour space; its samples will be taken as sRGB`);
  else if (cicp !== undefined && isHdr(cicp))
    notices.push(
      `${name} has no HDR: most programs will show the picture without what is brighter than white; write PNG or AVIF`,
    );
  return made;
}
