/**
 * Reads PNG (ISO/IEC 15948, third edition) into a `Picture` of its own kind and depth: all colour types, bit depths and
 * interlacing. Palettes are RGB of 8 bits, and what has a transparent colour is 8 or 16 bits with alpha.
 *
 * Everything is checked before memory is spent on it: signature, IHDR, limits, chunk lengths, checksums, and that the
 * compressed data is long enough to hold the pixels that the header claims. No input can make it loop or allocate more
 * than the picture needs.
 */
import {
  MAX_PIXELS,
  newSamples,
  rangeOf,
  withDepth,
  type Channels,
  type Picture,
  type Samples,
} from '../src/picture.js';
import { finish, inTurns, type Pause, type Pieces } from '../src/turns.js';
import { Faults } from './faults.js';
import { readMetadata } from './png-metadata.js';
import { damagedPng, PALETTE, readHeader, samplesPerPixel, type Header } from './png-header.js';
import { inflateSound, inflateSoundElsewhere, packedPixels, readSamples, type Packed } from './png-pixels.js';
import { readChunks, type Chunks } from './png-structure.js';

/** Pixels that are made in a piece. */
const PIECE = 2 ** 18;

export interface PngRead {
  picture: Picture;
  /** What was in the file and is not in the picture, one sentence each, for the user to know. */
  notices: string[];
  /** What is wrong with the pixels; empty unless damage is allowed. */
  damage: string[];
}

/**
 * @param bytes a whole PNG file
 * @param maxPixels refuses pictures that are larger
 * @param allowDamaged reads what is there of damaged pixels too; what is missing is 0
 * @throws DcompError E_EMPTY, E_NOT_PNG, E_DAMAGED_PNG, E_TOO_LARGE
 */
export function readPng(bytes: Uint8Array, maxPixels = MAX_PIXELS, allowDamaged = false): PngRead {
  const png = open(bytes, maxPixels, allowDamaged);
  return finish(read(png, inflateSound(png.packed)));
}

/** As `readPng`, with turns in between; the pixels are inflated on another thread. */
export async function readPngInTurns(
  bytes: Uint8Array,
  maxPixels: number,
  allowDamaged: boolean,
  pause: Pause,
): Promise<PngRead> {
  const png = open(bytes, maxPixels, allowDamaged);
  return inTurns(read(png, await inflateSoundElsewhere(png.packed)), pause);
}

interface Opened {
  header: Header;
  chunks: Chunks;
  packed: Packed;
  faults: Faults;
}

function open(bytes: Uint8Array, maxPixels: number, allowDamaged: boolean): Opened {
  const faults = new Faults(allowDamaged, damagedPng);
  const header = readHeader(bytes, maxPixels, faults);
  const chunks = readChunks(bytes, header, faults);
  return { header, chunks, packed: packedPixels(header, chunks), faults };
}

/** @param sound the pixel data, undefined where it cannot be inflated as it should */
function* read({ header, chunks, packed, faults }: Opened, sound: Uint8Array | undefined): Pieces<PngRead> {
  const samples = yield* readSamples(header, chunks, packed, sound, faults);
  const pixels = yield* toPicture(header, chunks, samples, faults);
  const { metadata, narrow } = readMetadata(chunks.metadata, pixels.channels <= 2, faults);
  if (narrow) faults.notice('its samples are of narrow range (16 to 235 of 255) and are spread over all of it');
  const ranged = narrow ? yield* fromNarrow(pixels) : pixels;
  const picture = metadata === undefined ? ranged : { ...ranged, metadata };
  return { picture, notices: faults.notices, damage: faults.damages };
}

/** Samples from 16 to 235 (of 8 bits) spread over all that there are; what is beyond is cut off. */
function* fromNarrow(picture: Picture): Pieces<Picture> {
  const { depth = 8, channels, data } = picture;
  const [black, white] = [16 * 2 ** (depth - 8), 235 * 2 ** (depth - 8)];
  const most = rangeOf(depth);
  const alpha = channels % 2 === 0 ? channels - 1 : -1;
  const spread = newSamples(data.length, depth);
  for (let i = 0; i < data.length; i++) {
    if (i % PIECE === 0) yield;
    spread[i] =
      i % channels === alpha
        ? data[i]
        : Math.min(most, Math.max(0, Math.round(((data[i] - black) * most) / (white - black))));
  }
  return { ...picture, data: spread };
}

/** Palette entries looked up, transparency (tRNS, PNG section 11.3.1) made an alpha channel. */
function* toPicture(header: Header, chunks: Chunks, samples: Samples, faults: Faults): Pieces<Picture> {
  const { width, height, colourType, depth } = header;
  if (colourType === PALETTE) return yield* lookUp(header, chunks, samples, faults);
  const perPixel = samplesPerPixel(header);
  const picture: Picture = { width, height, channels: perPixel as Channels, depth, data: samples };
  if (chunks.transparency === undefined) return picture;

  // The transparent colour is compared at the file's own depth; its colour is kept under the alpha.
  const key: number[] = [];
  for (let s = 0; s < perPixel; s++)
    key.push(((chunks.transparency[2 * s] << 8) | chunks.transparency[2 * s + 1]) & rangeOf(depth));
  const wide = depth === 16 ? 16 : 8;
  const { data } = withDepth(picture, wide);
  const withAlpha = newSamples(width * height * (perPixel + 1), wide);
  for (let i = 0, to = 0; i < samples.length; i += perPixel) {
    if ((i / perPixel) % PIECE === 0) yield;
    let same = true;
    for (let s = 0; s < perPixel; s++) {
      same &&= samples[i + s] === key[s];
      withAlpha[to++] = data[i + s];
    }
    withAlpha[to++] = same ? 0 : rangeOf(wide);
  }
  return { width, height, channels: (perPixel + 1) as Channels, depth: wide, data: withAlpha };
}

/** A pixel beyond the palette is opaque black, as libpng has it. */
function* lookUp({ width, height }: Header, chunks: Chunks, indices: Samples, faults: Faults): Pieces<Picture> {
  const { palette = new Uint8Array(0), transparency } = chunks;
  const entries = palette.length / 3;
  const channels = transparency === undefined ? 3 : 4;
  const data = new Uint8Array(width * height * channels);
  let beyond = 0;
  for (let i = 0, to = 0; i < indices.length; i++) {
    if (i % PIECE === 0) yield;
    const index = indices[i];
    if (index >= entries) beyond++;
    else {
      data[to] = palette[3 * index];
      data[to + 1] = palette[3 * index + 1];
      data[to + 2] = palette[3 * index + 2];
    }
    if (transparency !== undefined) data[to + 3] = index < transparency.length ? transparency[index] : 255;
    to += channels;
  }
  if (beyond > 0)
    faults.notice(
      `${beyond} ${beyond === 1 ? 'pixel has a colour' : 'pixels have colours'} beyond its palette of ${entries} and ${beyond === 1 ? 'is' : 'are'} black`,
    );
  return { width, height, channels, depth: 8, data };
}
