/** JPEG, WebP, AVIF, TIFF, GIF and HEIC through sharp, each as what it is. */
import type { Metadata as SharpMetadata, SharpOptions } from 'sharp';
import { DcompError } from '../src/errors.js';
import { inTurns, type Pause, type Pieces } from '../src/turns.js';
import { MAX_PIXELS, type Channels, type Depth, type Picture, type Samples } from '../src/picture.js';
import { Faults } from './faults.js';
import { FORMAT_NAMES, type ReadFormat } from './formats.js';
import { heifFacts, type HeifFacts } from './heif.js';
import type { PngRead } from './png-reader.js';
import { checkSize } from './png-header.js';
import {
  copied,
  divideByAlpha,
  firstColour,
  fromFloat,
  greyOfRgba,
  inFewerBitsInPieces,
  overAll,
  withoutOpaque,
} from './samples.js';
import { loadSharp, reasonOf, type Sharp } from './sharp.js';
import { metadataOfOther } from './sharp-metadata.js';
import { choosePicture } from './tiff-pictures.js';

export type SharpFormat = Exclude<ReadFormat, 'png' | 'bmp' | 'jxl'>;

/** What is known of the picture that is read. */
interface Source {
  sharp: Sharp;
  bytes: Uint8Array;
  options: SharpOptions;
  found: SharpMetadata;
  heif: HeifFacts | undefined;
  faults: Faults;
  pause: Pause;
}

/**
 * @param maxPixels refuses larger pictures by their header
 * @param allowDamaged reads what is there of a damaged picture
 * @param pause asked between pieces of what dcomp itself does to the samples; sharp decodes on threads of its own
 * @throws DcompError E_MISSING_DEPENDENCY, E_DAMAGED_PICTURE, E_NOT_PICTURE, E_TOO_LARGE, E_ABORTED
 */
export async function readOther(
  bytes: Uint8Array,
  format: SharpFormat,
  maxPixels: number,
  allowDamaged: boolean,
  pause: Pause,
): Promise<PngRead> {
  const sharp = await loadSharp(format);
  const faults = new Faults(allowDamaged, (what, options) => damagedPicture(format, what, options));
  const which = format === 'tiff' ? choosePicture(bytes, faults) : {};
  const options: SharpOptions = { ...which, limitInputPixels: MAX_PIXELS, failOn: 'error' };
  let found: SharpMetadata;
  try {
    found = await sharp(bytes, options).metadata();
  } catch (error) {
    throw unreadable(format, error);
  }
  checkSize(found.width, found.height, maxPixels);
  if (format !== 'tiff' && (found.pages ?? 1) > 1)
    faults.notice(
      `the file has ${found.pages} pictures; only ${found.pagePrimary ? 'the main one' : 'the first'} is read`,
    );
  const heif = format === 'avif' || format === 'heic' ? heifFacts(bytes) : undefined;
  const source = { sharp, bytes, options, found, heif, faults, pause };
  const { picture: bare, asItIs } = await samplesOf(source, format);
  const metadata = metadataOfOther(bytes, format, found, { asItIs, grey: bare.channels <= 2, heif, faults });
  const picture = Object.keys(metadata).length === 0 ? bare : { ...bare, metadata };
  return { picture, notices: faults.notices, damage: faults.damages };
}

function damagedPicture(format: ReadFormat, reason: string, options?: ErrorOptions): DcompError {
  return new DcompError(
    'E_DAMAGED_PICTURE',
    `this ${FORMAT_NAMES[format]} cannot be read (${reason}); get the file again from its source, or convert it to PNG`,
    options,
  );
}

/** What libvips says, and what it means where that is something else than damage. */
function unreadable(format: ReadFormat, cause: unknown): DcompError {
  const reason = reasonOf(cause);
  if (reason.includes('pixel limit'))
    return new DcompError('E_TOO_LARGE', `the picture has more than ${MAX_PIXELS} pixels; cut or shrink it`, { cause });
  if (format === 'heic')
    return new DcompError(
      'E_NOT_PICTURE',
      `the file is a HEIC, which sharp reads only where it was built with HEVC, and as npm has it, it was not (${reason}); convert the file to JPEG or AVIF`,
      { cause },
    );
  return damagedPicture(format, reason, { cause });
}

/** The samples, of the picture's own kind and depth as far as they are whole numbers of up to 16 bits, or floats. */
async function samplesOf(source: Source, format: SharpFormat): Promise<{ picture: Picture; asItIs: boolean }> {
  const { found, faults } = source;
  const grey = found.space === 'b-w' || found.space === 'grey16';
  if (found.depth === 'float' && found.bitsPerSample === 32 && found.channels <= 4 && (grey || found.space === 'scrgb'))
    return { picture: await floats(source, format, grey), asItIs: true };
  if (!['uchar', 'ushort', 'float'].includes(found.depth) || (grey && found.depth === 'float'))
    throw new DcompError(
      'E_NOT_PICTURE',
      `the samples of this ${FORMAT_NAMES[format]} (${spaceName(found)}) are of a kind that dcomp does not read; convert it to 8 or 16 bits`,
    );
  const wide = found.space === 'rgb16' || found.space === 'grey16';
  const asItIs =
    (grey || wide || found.space === 'srgb' || found.space === 'rgb') &&
    found.depth === (wide ? 'ushort' : 'uchar') &&
    found.channels <= 4;
  if (!asItIs) faults.notice(`its samples (${spaceName(found)}) are converted to sRGB`);
  const space = !asItIs ? 'srgb' : wide ? (grey ? 'grey16' : 'rgb16') : grey && !found.hasAlpha ? 'b-w' : 'srgb'; // as b-w, sharp's raw output has no alpha
  const depth: Depth = asItIs && wide ? 16 : 8;
  const { data, channels, width, height } = await raw(source, format, space, depth === 16 ? 'ushort' : 'uchar', asItIs);
  const samples = depth === 16 ? new Uint16Array(data) : new Uint8Array(data);
  const made = { width, height, channels: channels as Channels, depth, data: samples };
  return { picture: await inTurns(asItWas(made, source, format, asItIs && grey), source.pause), asItIs };
}

/** A picture as libvips hands it over made what its file has. @param isGrey whether all colours of a pixel are the same */
function* asItWas(made: Picture, { found, heif }: Source, format: SharpFormat, isGrey: boolean): Pieces<Picture> {
  let { data: samples, channels: count }: { data: Samples; channels: number } = made;
  if (isGrey && count > 2) {
    samples = yield* greyOfRgba(samples);
    count = 2;
  }
  if (heif !== undefined) {
    if (samples instanceof Uint16Array && found.bitsPerSample !== undefined)
      samples = yield* overAll(samples, found.bitsPerSample);
    if (heif.monochrome && count > 2) {
      samples = yield* firstColour(samples, count);
      count -= 2;
    }
    if (heif.premultiplied && count % 2 === 0) yield* divideByAlpha(samples, count);
  }
  const picture: Picture = { ...made, channels: count as Channels, data: samples };
  // A GIF may name a transparent colour that no pixel has.
  if (format === 'gif') return yield* withoutOpaque(picture);
  const few = found.bitsPerSample;
  const mayBeFew = isGrey && count === 1 && (few === 1 || few === 2 || few === 4);
  return mayBeFew ? yield* inFewerBitsInPieces(picture, few) : picture;
}

/** Floats are taken as from 0 to 1, whatever they mean, and rounded to 16 bits. @throws DcompError E_NOT_PICTURE */
async function floats(source: Source, format: SharpFormat, grey: boolean): Promise<Picture> {
  const { found, faults, pause } = source;
  const space = !grey ? 'scrgb' : found.hasAlpha ? undefined : 'b-w';
  const { data, channels, width, height } = await raw(source, format, space, 'float', true);
  const spread = grey && channels > 2;
  const values = new Float32Array(data);
  const samples = await inTurns(fromFloat(values), pause);
  faults.notice('its samples, floats from 0 to 1, are rounded to 16 bits');
  return {
    width,
    height,
    channels: (spread ? 2 : channels) as Channels,
    depth: 16,
    data: spread ? await inTurns(greyOfRgba(samples), pause) : samples,
  };
}

interface Raw {
  data: ArrayBuffer;
  channels: number;
  width: number;
  height: number;
}

/**
 * libjpeg's warnings (jerror.h): where a scan has less than its header says, or what means nothing, it goes on with grey, and
 * libvips takes that for sound. Bytes too many cost nothing.
 */
const CORRUPT = /Corrupt JPEG data/;
const MISSING = /Corrupt JPEG data: (?!\d+ extraneous)/;

/** @param asItIs keeps the profile beside the samples, and does not apply it to them */
async function raw(
  { sharp, bytes, options, faults, pause }: Source,
  format: SharpFormat,
  space: string | undefined,
  depth: 'uchar' | 'ushort' | 'float',
  asItIs: boolean,
): Promise<Raw> {
  const read = async (failOn: 'warning' | 'error' | 'none'): Promise<Raw> => {
    let image = sharp(bytes, { ...options, failOn, ignoreIcc: asItIs });
    if (space === 'scrgb') image = image.pipelineColourspace(space);
    if (space !== undefined) image = image.toColourspace(space);
    const { data, info } = await image.raw({ depth }).toBuffer({ resolveWithObject: true });
    // A copy: sharp's memory need not begin at an even byte.
    return {
      data: await inTurns(copied(data), pause),
      channels: info.channels,
      width: info.width,
      height: info.height,
    };
  };
  for (const failOn of format === 'jpeg' ? (['warning', 'error'] as const) : (['error'] as const)) {
    try {
      return await read(failOn);
    } catch (error) {
      const meant = unreadable(format, error);
      if (meant.code !== 'E_DAMAGED_PICTURE') throw meant;
      const reason = reasonOf(error);
      if (failOn === 'error' || MISSING.test(reason)) {
        faults.damage(reason, { cause: error });
        break;
      }
      if (CORRUPT.test(reason)) faults.notice(`something is wrong with it that may cost no pixels (${reason})`);
    }
  }
  try {
    return await read('none');
  } catch (error) {
    throw unreadable(format, error);
  }
}

function spaceName({ space, depth, channels }: SharpMetadata): string {
  return `${channels} channels of ${space.toUpperCase()}${depth === 'uchar' ? '' : `, ${depth}`}`;
}
