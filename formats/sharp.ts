/** JPEG, WebP, AVIF and TIFF through sharp, an optional package: it is loaded only when it is needed. */
import type sharpModule from 'sharp';
import type { Metadata as SharpMetadata } from 'sharp';
import { DcompError } from '../src/errors.js';
import { MAX_PIXELS, MAX_SIDE, type Channels, type Depth, type Metadata, type Picture } from '../src/index.js';
import { depthOf, MAX_METADATA_BYTES, withDepth } from '../src/picture.js';
import { oneLine } from './text.js';
import { orientationOf, tiffOf } from './exif.js';
import { FORMAT_NAMES, type PictureFormat } from './formats.js';
import { profileFault } from './metadata.js';
import { writePng } from './png-writer.js';

type OtherFormat = Exclude<PictureFormat, 'png'>;

/** What the encoders can do: longest side, and what of a picture they cannot hold. */
const LIMITS: Record<OtherFormat, { side: number; alpha: boolean; depth: number }> = {
  jpeg: { side: 65500, alpha: false, depth: 8 },
  webp: { side: 16383, alpha: true, depth: 8 },
  avif: { side: 16384, alpha: true, depth: 10 },
  tiff: { side: MAX_SIDE, alpha: true, depth: 16 },
};

const METRES_PER_INCH = 0.0254;

async function loadSharp(format: OtherFormat): Promise<typeof sharpModule> {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    throw new DcompError(
      'E_MISSING_DEPENDENCY',
      `${FORMAT_NAMES[format]} needs the package sharp, which is not installed or does not load here: npm install sharp, or use PNG`,
      { cause },
    );
  }
}

/** Most characters that are told of another library's reason. */
const MAX_REASON = 120;

/**
 * @throws DcompError E_MISSING_DEPENDENCY, E_DAMAGED_PICTURE, E_TOO_LARGE
 */
export async function readOther(
  bytes: Uint8Array,
  format: OtherFormat,
  maxPixels = MAX_PIXELS,
): Promise<{ picture: Picture; notices: string[] }> {
  const sharp = await loadSharp(format);
  const damaged = (cause: unknown): DcompError => {
    const message = reasonOf(cause);
    if (message.includes('pixel limit'))
      return new DcompError(
        'E_TOO_LARGE',
        `the picture has more than ${maxPixels} pixels, the limit: cut or shrink it, or raise the limit`,
        { cause },
      );
    return new DcompError(
      'E_DAMAGED_PICTURE',
      `this ${FORMAT_NAMES[format]} cannot be read (${message}); get the file again from its source, or convert it to PNG`,
      { cause },
    );
  };
  const options = { limitInputPixels: maxPixels, failOn: 'error' } as const;
  let found: SharpMetadata;
  try {
    found = await sharp(bytes, options).metadata();
  } catch (error) {
    throw damaged(error);
  }
  const { width, height } = found;
  if (width > MAX_SIDE || height > MAX_SIDE) {
    throw new DcompError(
      'E_TOO_LARGE',
      `the picture has ${width}×${height} pixels; the longest side coded is ${MAX_SIDE}: cut or shrink it`,
    );
  }
  const grey = found.space === 'b-w' || found.space === 'grey16';
  const wide = found.space === 'rgb16' || found.space === 'grey16';
  const asItIs =
    (grey || wide || found.space === 'srgb' || found.space === 'rgb') &&
    found.depth === (wide ? 'ushort' : 'uchar') &&
    found.channels <= 4;
  const notices: string[] = [];
  if (!asItIs) notices.push(`its samples (${spaceName(found)}) are converted to sRGB`);
  if ((found.pages ?? 1) > 1) notices.push(`the file has ${found.pages} pictures; only the first is read`);

  let raw: { data: Buffer; info: { channels: number; width: number; height: number } };
  const space = !asItIs ? 'srgb' : wide ? (grey ? 'grey16' : 'rgb16') : grey && !found.hasAlpha ? 'b-w' : 'srgb'; // as b-w, sharp's raw output has no alpha
  try {
    // The profile is kept beside the samples, not applied to them, unless they are converted anyway.
    const image = sharp(bytes, { ...options, ignoreIcc: asItIs }).toColourspace(space);
    raw = await image.raw({ depth: asItIs && wide ? 'ushort' : 'uchar' }).toBuffer({ resolveWithObject: true });
  } catch (error) {
    throw damaged(error);
  }
  const { info } = raw;
  const spread = asItIs && grey && info.channels > 2;
  const data = spread ? greyOf(raw.data) : raw.data;
  const channels = (spread ? 2 : info.channels) as Channels;
  const depth: Depth = asItIs && wide ? 16 : 8;
  // sharp's memory need not begin at an even byte.
  const samples =
    depth === 16
      ? new Uint16Array(Uint8Array.from(data).buffer)
      : new Uint8Array(data.buffer, data.byteOffset, data.length);
  const metadata = metadataOf(found, asItIs, channels <= 2, notices);
  const picture: Picture = { width: info.width, height: info.height, channels, depth, data: samples };
  return { picture: Object.keys(metadata).length === 0 ? picture : { ...picture, metadata }, notices };
}

/** What libvips says, in one line; it says some things many times. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const [first = ''] = message
    .split('\n')
    .map(oneLine)
    .filter((line) => line !== '');
  return first.length > MAX_REASON ? `${first.slice(0, MAX_REASON)}…` : first;
}

/** RGB + alpha of a grey picture as grey + alpha. */
function greyOf(rgba: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: rgba.length / 2 }, (_, i) => rgba[(i >> 1) * 4 + (i & 1 ? 3 : 0)]);
}

function spaceName({ space, depth, channels }: SharpMetadata): string {
  return `${channels} channels of ${space.toUpperCase()}${depth === 'uchar' ? '' : `, ${depth}`}`;
}

function metadataOf(found: SharpMetadata, asItIs: boolean, grey: boolean, notices: string[]): Metadata {
  const metadata: Metadata = {};
  const { icc, exif, xmp, density } = found;
  if (asItIs && icc !== undefined) {
    const fault =
      icc.length > MAX_METADATA_BYTES ? 'the colour profile is too long and not kept' : profileFault(icc, grey);
    if (fault === undefined) metadata.icc = new Uint8Array(icc);
    else notices.push(fault);
  }
  if (exif !== undefined) {
    const tiff = tiffOf(exif);
    if (tiff === undefined || tiff.length > MAX_METADATA_BYTES) notices.push('the EXIF data is damaged and not kept');
    else metadata.exif = new Uint8Array(tiff);
  }
  // Of AVIF the decoder has turned the picture already; sharp then states none.
  const orientation =
    found.orientation ??
    (found.format === 'heif' || metadata.exif === undefined ? undefined : orientationOf(metadata.exif));
  if (orientation !== undefined && orientation >= 1 && orientation <= 8) metadata.orientation = orientation;
  if (xmp !== undefined) {
    if (xmp.length > MAX_METADATA_BYTES) notices.push('the XMP data is too long and not kept');
    else metadata.xmp = new Uint8Array(xmp);
  }
  if (density !== undefined && density > 0 && density < 2 ** 20) {
    const perMetre = Math.round(density / METRES_PER_INCH);
    metadata.density = { x: perMetre, y: perMetre, unit: 'metre' };
  }
  return metadata;
}

/**
 * The picture in another format, of a quality at which the eye sees no difference: what was lost was lost in coding.
 * @throws DcompError E_MISSING_DEPENDENCY, E_PICTURE, E_TOO_LARGE, E_IO
 */
export async function writeOther(
  source: Picture,
  format: OtherFormat,
): Promise<{ bytes: Uint8Array; notices: string[] }> {
  const sharp = await loadSharp(format);
  const name = FORMAT_NAMES[format];
  const limits = LIMITS[format];
  const { width, height, channels, metadata = {} } = source;
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
  if ((metadata.text ?? []).length > 0) notices.push(`${name} does not keep the texts of PNG`);
  if (format === 'tiff' && metadata.exif !== undefined) notices.push('TIFF does not keep the EXIF data');

  // A PNG carries samples and metadata to sharp in one piece; it is for the moment and hardly compressed.
  const keepsDepth = wide && limits.depth > 8;
  const png = writePng(withDepth(source, keepsDepth ? 16 : 8), 1);
  let image = sharp(png, { limitInputPixels: MAX_PIXELS }).keepMetadata();
  if (channels % 2 === 0 && !limits.alpha) image = image.flatten({ background: 'white' });
  image = image.toColourspace(channels <= 2 ? (keepsDepth ? 'grey16' : 'b-w') : keepsDepth ? 'rgb16' : 'srgb');
  const perMillimetre =
    metadata.density?.unit === 'metre' ? { xres: metadata.density.x / 1000, yres: metadata.density.y / 1000 } : {};
  switch (format) {
    case 'jpeg':
      image = image.jpeg({ quality: 95, chromaSubsampling: '4:4:4' });
      break;
    case 'webp':
      image = image.webp({ quality: 95, smartSubsample: true });
      break;
    case 'avif':
      image = image.avif({ quality: 85, chromaSubsampling: '4:4:4', bitdepth: keepsDepth ? 10 : 8 });
      break;
    case 'tiff':
      image = image.tiff({ compression: 'deflate', predictor: 'horizontal', ...perMillimetre });
  }
  try {
    return { bytes: await image.toBuffer(), notices };
  } catch (cause) {
    throw new DcompError('E_IO', `sharp cannot write this picture as ${name}: ${reasonOf(cause)}; write PNG`, {
      cause,
    });
  }
}
