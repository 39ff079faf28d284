/**
 * Reads PNG (ISO/IEC 15948, third edition) into a `Picture` of its own kind and depth: all colour types, bit depths and
 * interlacing. Palettes are RGB of 8 bits, and what has a transparent colour is 8 or 16 bits with alpha.
 *
 * Everything is checked before memory is spent on it: signature, IHDR, limits, chunk lengths, checksums, and that the
 * compressed data is long enough to hold the pixels that the header claims. No input can make it loop or allocate more
 * than the picture needs.
 */
import { crc32, inflateSync } from 'node:zlib';
import { DcompError } from '../src/errors.js';
import {
  MAX_PIXELS,
  MAX_SIDE,
  newSamples,
  rangeOf,
  withDepth,
  type Channels,
  type Depth,
  type Picture,
  type Samples,
} from '../src/picture.js';
import { FORMAT_NAMES, formatOfBytes } from './formats.js';
import { METADATA_CHUNKS, readMetadata, type Chunk } from './png-chunks.js';

export interface PngRead {
  picture: Picture;
  /** What was in the file and is not in the picture, one sentence each, for the user to know. */
  notices: string[];
}

interface Header {
  width: number;
  height: number;
  depth: Depth;
  colourType: number;
  interlaced: boolean;
}

/** A file's chunks, as far as anything depends on them. */
interface Chunks {
  palette: Uint8Array | undefined;
  transparency: Uint8Array | undefined;
  pixels: Uint8Array[];
  metadata: Chunk[];
  /** Bodies of the first of each other ancillary chunk. */
  ancillary: Map<string, Uint8Array>;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Colour types of PNG section 11.2.1 with the bit depths that each allows and its samples per pixel. */
const COLOUR_TYPES = new Map([
  [0, { depths: [1, 2, 4, 8, 16], samples: 1 }],
  [2, { depths: [8, 16], samples: 3 }],
  [3, { depths: [1, 2, 4, 8], samples: 1 }],
  [4, { depths: [8, 16], samples: 2 }],
  [6, { depths: [8, 16], samples: 4 }],
]);
const GREY = 0;
const RGB = 2;
const PALETTE = 3;

/** Adam7, PNG section 8.2: first column, first row, column step, row step of each pass. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;
const WHOLE = [[0, 0, 1, 1]] as const;

/** Deflate cannot shrink data by more than this factor: a file that is shorter cannot hold the pixels. */
const MOST_DEFLATE_GAINS = 1032;

/** gAMA of sRGB, 1/2.2 in 1/100000. */
const SRGB_GAMMA = 45455;

function damaged(what: string, options?: ErrorOptions): DcompError {
  return new DcompError('E_DAMAGED_PNG', `damaged PNG: ${what}; get the file again from its source`, options);
}

/**
 * @param bytes a whole PNG file
 * @param maxPixels refuses pictures that are larger
 * @throws DcompError E_EMPTY, E_NOT_PNG, E_DAMAGED_PNG, E_TOO_LARGE
 */
export function readPng(bytes: Uint8Array, maxPixels = MAX_PIXELS): PngRead {
  const header = readHeader(bytes);
  checkPixels(header, maxPixels);
  const chunks = readChunks(bytes, header);
  const raw = inflate(header, chunks.pixels);
  const samples = unpackSamples(header, raw);
  const pixels = toPicture(header, chunks, samples);
  const { metadata, notices } = readMetadata(chunks.metadata, pixels.channels <= 2);
  const picture = metadata === undefined ? pixels : { ...pixels, metadata };
  return { picture, notices: [...notices, ...colourNotices(chunks, metadata?.icc !== undefined)] };
}

/** PNG section 4.3: cICP is the first to say what the samples mean, then iCCP, sRGB, and last gAMA with cHRM. */
function colourNotices({ ancillary }: Chunks, profile: boolean): string[] {
  const notices: string[] = [];
  const cicp = ancillary.get('cICP');
  const isSrgb = cicp !== undefined && cicp[0] === 1 && cicp[1] === 13; // primaries of BT.709, transfer of sRGB
  const gamma = ancillary.get('gAMA');
  if (cicp !== undefined && !isSrgb) notices.push('its colour space (cICP) is not kept; the samples are taken as sRGB');
  else if (
    cicp === undefined &&
    !profile &&
    !ancillary.has('sRGB') &&
    gamma?.length === 4 &&
    Math.abs(uint32(gamma, 0) - SRGB_GAMMA) > 1000
  ) {
    notices.push(`its gamma (${(uint32(gamma, 0) / 100000).toFixed(3)}) is not kept; the samples are taken as sRGB`);
  }
  if (ancillary.has('acTL')) notices.push('the file is an animation; only its first picture is read');
  return notices;
}

function checkPixels({ width, height }: Header, maxPixels: number): void {
  if (width * height <= maxPixels) return;
  throw new DcompError(
    'E_TOO_LARGE',
    `the picture has ${width}×${height} = ${width * height} pixels, more than the limit of ${maxPixels}; raise the limit (--max-pixels) to encode it`,
  );
}

function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** Signature and IHDR, PNG sections 5.2 and 11.2.1. */
function readHeader(bytes: Uint8Array): Header {
  if (bytes.length === 0) throw new DcompError('E_EMPTY', 'the file is empty; give a PNG picture');
  const given = bytes.subarray(0, SIGNATURE.length);
  if (given.some((byte, i) => byte !== SIGNATURE[i])) throw notPng(bytes);
  // A file that stops inside the signature, or an IHDR that stops inside itself.
  if (bytes.length < 33) throw damaged(`it ends after ${bytes.length} bytes, before its header is complete`);
  if (uint32(bytes, 8) !== 13 || chunkName(bytes, 8) !== 'IHDR')
    throw damaged('it does not begin with a header chunk (IHDR) of 13 bytes');
  if (crc32(bytes.subarray(12, 29)) !== uint32(bytes, 29))
    throw damaged('wrong checksum of the header chunk (IHDR, byte 8)');

  const width = uint32(bytes, 16);
  const height = uint32(bytes, 20);
  const [depth, colourType, compression, filter, interlace] = bytes.subarray(24, 29);
  if (width === 0 || height === 0) throw damaged(`its header says ${width}×${height} pixels`);
  if (width > MAX_SIDE || height > MAX_SIDE) {
    throw new DcompError(
      'E_TOO_LARGE',
      `the picture has ${width}×${height} pixels; the longest side coded is ${MAX_SIDE}: cut or shrink it`,
    );
  }
  if (width * height > MAX_PIXELS) {
    const limit = `${MAX_PIXELS} pixels`;
    throw new DcompError(
      'E_TOO_LARGE',
      `the picture has ${width}×${height} = ${width * height} pixels; the most coded is ${limit}: cut or shrink it`,
    );
  }
  if (!COLOUR_TYPES.get(colourType)?.depths.includes(depth)) {
    throw damaged(`its header has colour type ${colourType} with ${depth} bits per sample, which PNG does not know`);
  }
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    throw damaged(
      `its header has compression ${compression}, filter ${filter}, interlace ${interlace}, which PNG does not know`,
    );
  }
  return { width, height, depth: depth as Depth, colourType, interlaced: interlace === 1 };
}

/** Names the format where it is a common one, as a wrong name's ending is the commonest reason. */
function notPng(bytes: Uint8Array): DcompError {
  if (
    String.fromCharCode(...bytes.subarray(1, 6)) === 'PNG\r\n' ||
    String.fromCharCode(...bytes.subarray(1, 5)) === 'PNG\n'
  ) {
    return new DcompError(
      'E_NOT_PNG',
      'not a PNG file: its first bytes were changed, as by a transfer in text mode; get the file again',
    );
  }
  const found = formatOfBytes(bytes);
  const name = 'format' in found ? `a ${FORMAT_NAMES[found.format]}` : found.name;
  return new DcompError('E_NOT_PNG', `not a PNG file${name === undefined ? '' : ` but ${name}`}; give a PNG`);
}

function chunkName(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at + 4, at + 8));
}

/** Chunk layout, PNG section 5.3; order of chunks, section 5.6. What follows IEND is ignored, as by other readers. */
function readChunks(bytes: Uint8Array, header: Header): Chunks {
  const chunks: Chunks = {
    palette: undefined,
    transparency: undefined,
    pixels: [],
    metadata: [],
    ancillary: new Map(),
  };
  let pixelsEnded = false;
  for (let at = 33; ;) {
    if (at + 12 > bytes.length) throw damaged(`it ends after ${bytes.length} bytes, before its end chunk (IEND)`);
    const length = uint32(bytes, at);
    const name = chunkName(bytes, at);
    const where = `${/^[a-zA-Z]{4}$/.test(name) ? name : 'unknown'}, byte ${at}`;
    if (length > bytes.length - at - 12) {
      throw damaged(
        `a chunk (${where}) says that it has ${length} bytes, but the file has only ${bytes.length - at - 12} more`,
      );
    }
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (crc32(bytes.subarray(at + 4, at + 8 + length)) !== uint32(bytes, at + 8 + length)) {
      throw damaged(`wrong checksum of a chunk (${where})`);
    }
    at += 12 + length;
    if (name !== 'IDAT' && chunks.pixels.length > 0) pixelsEnded = true;
    if (name === 'IEND') break;
    if (name === 'IDAT') {
      if (pixelsEnded) throw damaged(`the pixel data is torn apart by other chunks (${where})`);
      chunks.pixels.push(body);
    } else if (name === 'PLTE') {
      if (chunks.palette !== undefined || pixelsEnded || length % 3 !== 0 || length === 0 || length > 768) {
        throw damaged(`a palette (${where}) of ${length} bytes where none can be`);
      }
      chunks.palette = body;
    } else if (name === 'tRNS') {
      if (chunks.transparency !== undefined || pixelsEnded)
        throw damaged(`a transparency chunk (${where}) where none can be`);
      chunks.transparency = body;
    } else if ((bytes[at - 8 - length] & 0x20) === 0) {
      // Upper case: a critical chunk, without which the pixels cannot be understood.
      throw damaged(`a critical chunk (${where}) that PNG does not know`);
    } else if (METADATA_CHUNKS.has(name)) {
      chunks.metadata.push({ name, body });
    } else if (!chunks.ancillary.has(name)) {
      chunks.ancillary.set(name, body);
    }
  }
  checkColours(header, chunks);
  return chunks;
}

function checkColours(header: Header, { palette, transparency, pixels }: Chunks): void {
  if (pixels.length === 0) throw damaged('it has no pixel data (IDAT)');
  if (header.colourType === PALETTE && palette === undefined)
    throw damaged('it has no palette (PLTE), though its header says so');
  if (transparency === undefined) return;
  const { colourType } = header;
  const fits =
    (colourType === GREY && transparency.length === 2) ||
    (colourType === RGB && transparency.length === 6) ||
    (colourType === PALETTE && transparency.length * 3 <= (palette?.length ?? 0));
  if (!fits)
    throw damaged(`a transparency chunk (tRNS) of ${transparency.length} bytes does not fit colour type ${colourType}`);
}

interface Pass {
  x: number;
  y: number;
  dx: number;
  dy: number;
  width: number;
  height: number;
  rowBytes: number;
}

/** The reduced pictures that follow each other in the pixel data; passes without pixels are left out. */
function passes(header: Header): Pass[] {
  const bitsPerPixel = (COLOUR_TYPES.get(header.colourType)?.samples ?? 0) * header.depth;
  return (header.interlaced ? ADAM7 : WHOLE)
    .map(([x, y, dx, dy]) => {
      const width = Math.ceil((header.width - x) / dx);
      return {
        x,
        y,
        dx,
        dy,
        width,
        height: Math.ceil((header.height - y) / dy),
        rowBytes: Math.ceil((width * bitsPerPixel) / 8),
      };
    })
    .filter(({ width, height }) => width > 0 && height > 0);
}

function inflate(header: Header, pixels: Uint8Array[]): Uint8Array {
  const expected = passes(header).reduce((sum, { height, rowBytes }) => sum + height * (rowBytes + 1), 0);
  const compressed = pixels.length === 1 ? pixels[0] : Buffer.concat(pixels);
  const short = `its pixel data is too short for ${header.width}×${header.height} pixels`;
  if (compressed.length * MOST_DEFLATE_GAINS < expected) throw damaged(short);
  let raw: Uint8Array;
  try {
    raw = inflateSync(compressed, {
      maxOutputLength: expected,
      chunkSize: Math.min(Math.max(expected, 1024), 1 << 20),
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw damaged('it has more pixel data than its header says', { cause: error });
    if (code === 'Z_BUF_ERROR') throw damaged('its pixel data is cut off', { cause: error });
    throw damaged('its pixel data cannot be decompressed', { cause: error });
  }
  if (raw.length < expected) throw damaged(short);
  return raw;
}

/** Undoes the filters and the interlacing: one unscaled sample of up to 16 bits per entry, pixels in reading order. */
function unpackSamples(header: Header, raw: Uint8Array): Samples {
  const { width, height, depth, colourType } = header;
  const perPixel = COLOUR_TYPES.get(colourType)?.samples ?? 0;
  const out = newSamples(width * height * perPixel, depth);
  let at = 0;
  for (const pass of passes(header)) {
    const { rowBytes } = pass;
    let above: Uint8Array = new Uint8Array(rowBytes);
    for (let row = 0; row < pass.height; row++) {
      const line = raw.subarray(at + 1, at + 1 + rowBytes);
      unfilter(raw[at], line, above, Math.max(1, (perPixel * depth) >> 3));
      spread(
        line,
        depth,
        perPixel,
        pass.width,
        out,
        ((pass.y + row * pass.dy) * width + pass.x) * perPixel,
        pass.dx * perPixel,
      );
      above = line;
      at += 1 + rowBytes;
    }
  }
  return out;
}

/** PNG section 9.2, in place. @param step bytes from a sample to the same sample of the pixel to the left */
function unfilter(type: number, line: Uint8Array, above: Uint8Array, step: number): void {
  const n = line.length;
  switch (type) {
    case 0:
      return;
    case 1:
      for (let i = step; i < n; i++) line[i] += line[i - step];
      return;
    case 2:
      for (let i = 0; i < n; i++) line[i] += above[i];
      return;
    case 3:
      for (let i = 0; i < n; i++) line[i] += ((i < step ? 0 : line[i - step]) + above[i]) >> 1;
      return;
    case 4:
      for (let i = 0; i < n; i++) {
        const a = i < step ? 0 : line[i - step];
        const b = above[i];
        const c = i < step ? 0 : above[i - step];
        const fromA = Math.abs(b - c);
        const fromB = Math.abs(a - c);
        const fromC = Math.abs(a + b - 2 * c);
        line[i] += fromA <= fromB && fromA <= fromC ? a : fromB <= fromC ? b : c;
      }
      return;
    default:
      throw damaged(`a row of pixels has filter ${type}, which PNG does not know`);
  }
}

/** Puts the samples of one unfiltered row where they belong. @param stride entries of `out` from pixel to pixel */
function spread(
  line: Uint8Array,
  depth: number,
  perPixel: number,
  pixels: number,
  out: Samples,
  start: number,
  stride: number,
): void {
  if (depth === 8 && stride === perPixel) {
    out.set(line, start);
    return;
  }
  for (let i = 0; i < pixels; i++) {
    for (let s = 0; s < perPixel; s++) {
      const k = i * perPixel + s;
      let value: number;
      if (depth === 8) value = line[k];
      else if (depth === 16) value = (line[2 * k] << 8) | line[2 * k + 1];
      else value = (line[(k * depth) >> 3] >> (8 - depth - ((k * depth) & 7))) & ((1 << depth) - 1);
      out[start + i * stride + s] = value;
    }
  }
}

/** Palette entries looked up, transparency (tRNS, PNG section 11.3.1) made an alpha channel. */
function toPicture(header: Header, chunks: Chunks, samples: Samples): Picture {
  const { width, height, colourType, depth } = header;
  if (colourType === PALETTE) return lookUp(header, chunks, samples);
  const perPixel = COLOUR_TYPES.get(colourType)?.samples ?? 0;
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
    let same = true;
    for (let s = 0; s < perPixel; s++) {
      same &&= samples[i + s] === key[s];
      withAlpha[to++] = data[i + s];
    }
    withAlpha[to++] = same ? 0 : rangeOf(wide);
  }
  return { width, height, channels: (perPixel + 1) as Channels, depth: wide, data: withAlpha };
}

function lookUp({ width, height }: Header, { palette, transparency }: Chunks, indices: Samples): Picture {
  const colours = palette ?? new Uint8Array(0);
  const entries = colours.length / 3;
  const channels = transparency === undefined ? 3 : 4;
  const data = new Uint8Array(width * height * channels);
  for (let i = 0, to = 0; i < indices.length; i++) {
    const index = indices[i];
    if (index >= entries) throw damaged(`a pixel has colour ${index} of a palette of ${entries}`);
    data[to++] = colours[3 * index];
    data[to++] = colours[3 * index + 1];
    data[to++] = colours[3 * index + 2];
    if (transparency !== undefined) data[to++] = index < transparency.length ? transparency[index] : 255;
  }
  return { width, height, channels, depth: 8, data };
}
