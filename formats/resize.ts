/** Pictures in another size, through sharp, an optional package. */
import type sharpModule from 'sharp';
import { DcompError } from '../src/errors.js';
import { hearing } from '../src/event-loop.js';
import {
  depthOf,
  MAX_PIXELS,
  MAX_SIDE,
  withDepthInPieces,
  type Channels,
  type Picture,
  type Samples,
} from '../src/picture.js';
import { inTurns, unlessAborted, type Pieces } from '../src/turns.js';
import { copied, firstChannels } from './samples.js';
import { defined } from '../src/options.js';

/** How a picture comes into a width and a height of another shape, as sharp has it. */
export const FITS = ['inside', 'outside', 'cover', 'contain', 'fill'] as const;
export type Fit = (typeof FITS)[number];

export interface Resizing {
  /** Pixels, as the picture is seen, that is after turning it; undefined to keep the shape. */
  width?: number;
  height?: number;
  /** In place of both, a factor. */
  scale?: number;
  /** For a width and a height. */
  fit: Fit;
}

/** Orientations of EXIF whose pictures lie on their side. */
const FIRST_LYING = 5;

/**
 * The picture in another size, as it is otherwise: 8 bits per sample where it had fewer.
 * @param signal ends the resizing
 * @throws DcompError E_TOO_LARGE, E_ABORTED, E_MISSING_DEPENDENCY
 */
export async function resizePicture(
  source: Picture,
  resizing: Resizing,
  maxPixels = MAX_PIXELS,
  signal?: AbortSignal,
): Promise<Picture> {
  const pause = hearing(signal);
  const { channels, metadata } = source;
  const lying = (metadata?.orientation ?? 1) >= FIRST_LYING;
  const { width, height, fit } = stored(source, resizing, lying);
  checkSize(source, { width, height, fit }, maxPixels);
  // Of grey with alpha sharp's 8-bit output has no alpha.
  const depth = depthOf(source) === 16 ? 16 : 8;
  const wide = depth === 16 || channels === 2;
  const { data } = await inTurns(withDepthInPieces(source, wide ? 16 : 8), pause);
  const image = (await loadSharp())(data, { raw: { width: source.width, height: source.height, channels } })
    .resize({
      ...defined({ width, height }),
      fit,
      background: { r: 0, g: 0, b: 0, alpha: channels % 2 === 0 ? 0 : 1 },
    })
    .toColourspace(channels <= 2 ? (wide ? 'grey16' : 'b-w') : wide ? 'rgb16' : 'srgb');
  const made = await unlessAborted(signal, () =>
    image.raw({ depth: wide ? 'ushort' : 'uchar' }).toBuffer({ resolveWithObject: true }),
  );
  const samples = await inTurns(only(channels, made.data, made.info.channels, wide), pause);
  const picture: Picture = {
    ...source,
    width: made.info.width,
    height: made.info.height,
    depth: wide ? 16 : 8,
    data: samples,
  };
  return inTurns(withDepthInPieces(picture, depth), pause);
}

type Size = Pick<Resizing, 'width' | 'height' | 'fit'>;

/** What is asked for of the picture as it is stored. */
function stored(source: Picture, { width, height, scale, fit }: Resizing, lying: boolean): Size {
  if (scale !== undefined) {
    const scaled = (side: number): number => Math.max(1, Math.round(side * scale));
    return { width: scaled(source.width), height: scaled(source.height), fit: 'fill' };
  }
  const [across, down] = lying ? [height, width] : [width, height];
  return { ...defined({ width: across, height: down }), fit };
}

/** Before anything is made. @throws DcompError E_TOO_LARGE */
function checkSize(source: Picture, { width, height, fit }: Size, maxPixels: number): void {
  const across = width === undefined ? Infinity : width / source.width;
  const down = height === undefined ? Infinity : height / source.height;
  const exact =
    Number.isFinite(across) && Number.isFinite(down) && (fit === 'fill' || fit === 'cover' || fit === 'contain');
  const factor = fit === 'outside' && Number.isFinite(across + down) ? Math.max(across, down) : Math.min(across, down);
  const [w, h] = exact
    ? [width!, height!]
    : [source.width, source.height].map((side) => Math.max(1, Math.round(side * factor)));
  if (w! > MAX_SIDE || h! > MAX_SIDE || w! * h! > maxPixels)
    throw new DcompError(
      'E_TOO_LARGE',
      `resized the picture would have ${w}×${h} pixels; the limits are ${MAX_SIDE} a side and ${maxPixels} in all`,
    );
}

/** Samples of the channels that the picture had. */
function* only(channels: Channels, data: Buffer, given: number, wide: boolean): Pieces<Samples> {
  // sharp's memory need not begin at an even byte.
  const samples = wide
    ? new Uint16Array(yield* copied(data))
    : new Uint8Array(data.buffer, data.byteOffset, data.length);
  return given === channels ? samples : yield* firstChannels(samples, given, channels);
}

async function loadSharp(): Promise<typeof sharpModule> {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    throw new DcompError(
      'E_MISSING_DEPENDENCY',
      '--resize needs the package sharp, which is not installed or does not load here: npm install sharp',
      { cause },
    );
  }
}
