/** The first 33 bytes of a PNG: signature and IHDR (PNG sections 5.2 and 11.2.1). */
import { crc32 } from 'node:zlib';
import { DcompError } from '../src/errors.js';
import { MAX_PIXELS, MAX_SIDE, type Depth } from '../src/picture.js';
import { Faults } from './faults.js';
import { FORMAT_NAMES, formatOfBytes } from './formats.js';

export interface Header {
  width: number;
  height: number;
  depth: Depth;
  colourType: number;
  interlaced: boolean;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Bytes of signature and IHDR. */
export const HEADER_BYTES = 33;

/** Colour types of PNG section 11.2.1 with the bit depths that each allows and its samples per pixel. */
const COLOUR_TYPES = new Map([
  [0, { depths: [1, 2, 4, 8, 16], samples: 1 }],
  [2, { depths: [8, 16], samples: 3 }],
  [3, { depths: [1, 2, 4, 8], samples: 1 }],
  [4, { depths: [8, 16], samples: 2 }],
  [6, { depths: [8, 16], samples: 4 }],
]);
export const GREY = 0;
export const RGB = 2;
export const PALETTE = 3;

/** Samples of a pixel, in the file. */
export function samplesPerPixel({ colourType }: Header): number {
  return COLOUR_TYPES.get(colourType)?.samples ?? 0;
}

export function damagedPng(what: string, options?: ErrorOptions): DcompError {
  return new DcompError('E_DAMAGED_PNG', `damaged PNG: ${what}; get the file again from its source`, options);
}

export function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** Of the chunk that begins at a byte. */
export function chunkName(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at + 4, at + 8));
}

/** @throws DcompError E_EMPTY, E_NOT_PNG, E_DAMAGED_PNG, E_TOO_LARGE */
export function readHeader(bytes: Uint8Array, maxPixels: number, faults: Faults): Header {
  if (bytes.length === 0) throw new DcompError('E_EMPTY', 'the file is empty; give a PNG picture');
  const given = bytes.subarray(0, SIGNATURE.length);
  if (given.some((byte, i) => byte !== SIGNATURE[i])) throw notPng(bytes);
  // A file that stops inside the signature, or an IHDR that stops inside itself.
  if (bytes.length < HEADER_BYTES)
    throw damagedPng(`it ends after ${bytes.length} bytes, before its header is complete`);
  if (chunkName(bytes, 8) === 'CgBI')
    throw new DcompError(
      'E_NOT_PNG',
      'the file is a PNG as iOS programs have them inside (CgBI), which is none; convert it with pngcrush -revert-iphone-optimizations',
    );
  if (uint32(bytes, 8) !== 13 || chunkName(bytes, 8) !== 'IHDR')
    throw damagedPng('it does not begin with a header chunk (IHDR) of 13 bytes');
  if (crc32(bytes.subarray(12, 29)) !== uint32(bytes, 29))
    faults.damage('wrong checksum of the header chunk (IHDR, byte 8)');

  const width = uint32(bytes, 16);
  const height = uint32(bytes, 20);
  const [depth, colourType, compression, filter, interlace] = bytes.subarray(24, 29);
  if (width === 0 || height === 0) throw damagedPng(`its header says ${width}×${height} pixels`);
  checkSize(width, height, maxPixels);
  if (!COLOUR_TYPES.get(colourType)?.depths.includes(depth)) {
    throw damagedPng(`its header has colour type ${colourType} with ${depth} bits per sample, which PNG does not know`);
  }
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    throw damagedPng(
      `its header has compression ${compression}, filter ${filter}, interlace ${interlace}, which PNG does not know`,
    );
  }
  return { width, height, depth: depth as Depth, colourType, interlaced: interlace === 1 };
}

/**
 * Refuses what is too large to be coded, or larger than the caller allows, by what a file's header says.
 * @throws DcompError E_TOO_LARGE
 */
export function checkSize(width: number, height: number, maxPixels: number): void {
  if (width > MAX_SIDE || height > MAX_SIDE) {
    throw new DcompError(
      'E_TOO_LARGE',
      `the picture has ${width}×${height} pixels; the longest side coded is ${MAX_SIDE}: cut or shrink it`,
    );
  }
  const pixels = `the picture has ${width}×${height} = ${width * height} pixels`;
  if (width * height > MAX_PIXELS)
    throw new DcompError('E_TOO_LARGE', `${pixels}; the most coded is ${MAX_PIXELS} pixels: cut or shrink it`);
  if (width * height > maxPixels)
    throw new DcompError(
      'E_TOO_LARGE',
      `${pixels}, more than the limit of ${maxPixels}; raise the limit (--max-pixels) to encode it`,
    );
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
