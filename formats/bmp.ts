/**
 * Reads BMP: 1 to 32 bits a pixel, palettes, bit fields, run lengths (the headers of Windows and OS/2). The packages of the
 * registry for it ignore where the pixels begin, stop at odd widths, or know few kinds.
 */
import { DcompError } from '../src/errors.js';
import { finish, rowsOfPiece, type Pieces } from '../src/turns.js';
import {
  MAX_METADATA_BYTES,
  MAX_PIXELS,
  type Channels,
  type Depth,
  type Metadata,
  type Picture,
} from '../src/picture.js';
import { densityOf } from './density.js';
import { Faults } from './faults.js';
import { profileFault } from './metadata.js';
import type { PngRead } from './png-reader.js';
import { checkSize } from './png-header.js';
import { inFewerBitsInPieces } from './samples.js';
import { defined } from '../src/options.js';

interface Header {
  width: number;
  height: number;
  /** Are the rows stored from top to bottom? */
  topDown: boolean;
  bits: number;
  compression: number;
  /** Bytes of the header behind the first 14, where it is followed by the palette. */
  size: number;
  /** Byte offset of the pixels. */
  pixels: number;
  /** Bits of a pixel that are red, green, blue and alpha. */
  masks: number[];
}

const FILE_HEADER = 14;
/** Header of OS/2: sides of 16 bits, and 3 bytes a colour of the palette. */
const CORE = 12;
const PLAIN = 0;
const RLE8 = 1;
const RLE4 = 2;
const BIT_FIELDS = 3;
const ALPHA_BIT_FIELDS = 6;
/** Most pixels that two bytes of run lengths make. */
const MOST_RUN = 255;
/** Pixels that are made in a piece, and codes of run lengths. */
const PIECE = 2 ** 18;
const CODES_OF_PIECE = 2 ** 11;

function damagedBmp(what: string, options?: ErrorOptions): DcompError {
  return new DcompError('E_DAMAGED_PICTURE', `damaged BMP: ${what}; get the file again from its source`, options);
}

/** @throws DcompError E_DAMAGED_PICTURE, E_NOT_PICTURE, E_TOO_LARGE */
export function readBmp(bytes: Uint8Array, maxPixels = MAX_PIXELS, allowDamaged = false): PngRead {
  return finish(readBmpInPieces(bytes, maxPixels, allowDamaged));
}

/** As `readBmp`. */
export function* readBmpInPieces(bytes: Uint8Array, maxPixels: number, allowDamaged: boolean): Pieces<PngRead> {
  const faults = new Faults(allowDamaged, damagedBmp);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const header = readHeader(view);
  checkSize(header.width, header.height, maxPixels);
  const picture = yield* header.bits <= 8 ? readIndexed(view, header, faults) : readDirect(view, header, faults);
  const metadata = readMetadata(view, header, picture.channels <= 2, faults);
  return {
    picture: Object.keys(metadata).length === 0 ? picture : { ...picture, metadata },
    notices: faults.notices,
    damage: faults.damages,
  };
}

function readHeader(view: DataView): Header {
  const size = view.byteLength < FILE_HEADER + CORE ? 0 : view.getUint32(FILE_HEADER, true);
  if (size < CORE || view.byteLength < FILE_HEADER + size) throw damagedBmp('it ends before its header is complete');
  const pixels = view.getUint32(10, true);
  const core = size === CORE;
  if (!core && size < 40) throw damagedBmp(`it has a header of ${size} bytes, which BMP does not know`);
  const [width, rows] = core
    ? [view.getUint16(18, true), view.getUint16(20, true)]
    : [view.getInt32(18, true), view.getInt32(22, true)];
  const bits = view.getUint16(core ? 24 : 28, true);
  const compression = core ? PLAIN : view.getUint32(30, true);
  if (width <= 0 || rows === 0) throw damagedBmp(`its header says ${width}×${Math.abs(rows)} pixels`);
  const kinds: Record<number, number[]> = {
    [PLAIN]: [1, 2, 4, 8, 16, 24, 32],
    [RLE8]: [8],
    [RLE4]: [4],
    [BIT_FIELDS]: [16, 32],
    [ALPHA_BIT_FIELDS]: [16, 32],
  };
  if (!kinds[compression]?.includes(bits))
    throw new DcompError(
      'E_NOT_PICTURE',
      `the BMP has ${bits} bits a pixel with compression ${compression}, which dcomp does not read; convert it to PNG`,
    );
  const masks = masksOf(view, size, bits, compression);
  return { width, height: Math.abs(rows), topDown: rows < 0, bits, compression, size, pixels, masks };
}

/** They stand behind the first 40 bytes of the header, in it or after it. */
function masksOf(view: DataView, size: number, bits: number, compression: number): number[] {
  if (compression !== BIT_FIELDS && compression !== ALPHA_BIT_FIELDS)
    return bits === 16 ? [0x7c00, 0x3e0, 0x1f, 0] : [0xff0000, 0xff00, 0xff, 0];
  const count = size >= 56 || compression === ALPHA_BIT_FIELDS ? 4 : 3;
  if (view.byteLength < 54 + 4 * count) throw damagedBmp('it ends before its header is complete');
  const masks = Array.from({ length: count }, (_, i) => view.getUint32(54 + 4 * i, true));
  return count === 4 ? masks : [...masks, 0];
}

/** Bytes of a row, a multiple of 4. */
const rowBytes = ({ width, bits }: Header): number => 4 * Math.ceil((width * bits) / 32);

/** Tells of rows that are missing. @returns bytes that there are */
function checkLength(view: DataView, header: Header, needed: number, faults: Faults): void {
  const there = Math.max(0, view.byteLength - header.pixels);
  if (there < needed)
    faults.damage(
      `its pixels take ${needed} bytes, of which ${there} are there (${Math.floor((100 * there) / needed)} %)`,
    );
}

/** Row of the picture of a row of the file. */
const rowOf = ({ height, topDown }: Header, y: number): number => (topDown ? y : height - 1 - y);

/** Grey where all the colours of the palette are. */
function* readIndexed(view: DataView, header: Header, faults: Faults): Pieces<Picture> {
  const { width, height, bits, compression } = header;
  const palette = readPalette(view, header);
  const entries = palette.length / 3;
  const indices = yield* compression === PLAIN ? plainIndices(view, header, faults) : runLengths(view, header, faults);
  const grey = palette.every((value, i) => value === palette[i - (i % 3)]);
  const channels: Channels = grey ? 1 : 3;
  const data = new Uint8Array(width * height * channels);
  let beyond = 0;
  for (let i = 0; i < indices.length; i++) {
    if (i % PIECE === 0) yield;
    if (indices[i] >= entries) beyond++;
    else for (let c = 0; c < channels; c++) data[i * channels + c] = palette[3 * indices[i] + c];
  }
  if (beyond > 0) faults.notice(`${beyond} of its pixels have colours beyond its palette of ${entries} and are black`);
  const picture: Picture = { width, height, channels, depth: 8, data };
  return grey && bits < 8 ? yield* inFewerBitsInPieces(picture, bits as Depth) : picture;
}

/** Red, green, blue of each colour. */
function readPalette(view: DataView, { size, bits, pixels }: Header): Uint8Array {
  const step = size === CORE ? 3 : 4;
  const used = size === CORE ? 0 : view.getUint32(46, true);
  const at = FILE_HEADER + size;
  const room = Math.floor((Math.min(view.byteLength, pixels > at ? pixels : view.byteLength) - at) / step);
  const entries = Math.max(0, Math.min(used === 0 ? 2 ** bits : used, 2 ** bits, room));
  const palette = new Uint8Array(3 * entries);
  for (let i = 0; i < entries; i++)
    for (let c = 0; c < 3; c++) palette[3 * i + c] = view.getUint8(at + i * step + 2 - c);
  return palette;
}

function* plainIndices(view: DataView, header: Header, faults: Faults): Pieces<Uint8Array> {
  const { width, height, bits, pixels } = header;
  const length = rowBytes(header);
  checkLength(view, header, length * (height - 1) + Math.ceil((width * bits) / 8), faults);
  const out = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    if (y % rowsOfPiece(width, PIECE) === 0) yield;
    const to = rowOf(header, y) * width;
    for (let x = 0; x < width; x++) {
      const at = pixels + y * length + ((x * bits) >> 3);
      if (at >= view.byteLength) break;
      out[to + x] = (view.getUint8(at) >> (8 - bits - ((x * bits) & 7))) & (2 ** bits - 1);
    }
  }
  return out;
}

/** Two bytes each: a run of one colour, or an escape: end of row, end, a jump, or pixels as they are. */
function* runLengths(view: DataView, header: Header, faults: Faults): Pieces<Uint8Array> {
  const { width, height, bits, pixels } = header;
  if ((view.byteLength - pixels) * MOST_RUN < width * height)
    throw damagedBmp(`its pixel data is too short for ${width}×${height} pixels`);
  const out = new Uint8Array(width * height);
  const nibble = (byte: number, i: number): number => (bits === 8 ? byte : i % 2 === 0 ? byte >> 4 : byte & 15);
  let [x, y, at] = [0, 0, pixels];
  const put = (index: number): void => {
    if (x < width && y < height) out[rowOf(header, y) * width + x] = index;
    x++;
  };
  for (let codes = 0; at + 2 <= view.byteLength; codes++) {
    if (codes % CODES_OF_PIECE === 0) yield;
    const [count, value] = [view.getUint8(at), view.getUint8(at + 1)];
    at += 2;
    if (count > 0) {
      for (let i = 0; i < count; i++) put(nibble(value, i));
    } else if (value === 0) {
      x = 0;
      y++;
    } else if (value === 1) return out;
    else if (value === 2) {
      if (at + 2 > view.byteLength) break;
      x += view.getUint8(at);
      y += view.getUint8(at + 1);
      at += 2;
    } else {
      const length = Math.ceil((value * bits) / 8);
      if (at + length > view.byteLength) break;
      for (let i = 0; i < value; i++) put(nibble(view.getUint8(at + ((i * bits) >> 3)), i));
      at += 2 * Math.ceil(length / 2);
    }
  }
  // A file may lack the mark of its end, but not pixels.
  if (y * width + x < (height - 1) * width) faults.damage('its pixel data is cut off');
  return out;
}

/** A value of some bits, by its mask, as one of 8. */
function field(mask: number): (pixel: number) => number {
  if (mask === 0) return () => 0;
  const shift = 31 - Math.clz32(mask & -mask);
  const most = mask >>> shift;
  return (pixel) => Math.round((((pixel & mask) >>> shift) * 255) / most);
}

/** Pixels of 16, 24 or 32 bits. Alpha that is 0 everywhere means that nobody wrote it. */
function* readDirect(view: DataView, header: Header, faults: Faults): Pieces<Picture> {
  const { width, height, bits, pixels, masks } = header;
  const length = rowBytes(header);
  checkLength(view, header, length * (height - 1) + (width * bits) / 8, faults);
  const fields = masks.map(field);
  const size = bits / 8;
  const rgba = new Uint8Array(width * height * 4);
  let opaque = true;
  for (let y = 0; y < height; y++) {
    if (y % rowsOfPiece(width, PIECE) === 0) yield;
    for (let x = 0; x < width; x++) {
      const at = pixels + y * length + x * size;
      if (at + size > view.byteLength) break;
      const pixel =
        size === 4
          ? view.getUint32(at, true)
          : size === 2
            ? view.getUint16(at, true)
            : view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
      const to = 4 * (rowOf(header, y) * width + x);
      for (let c = 0; c < 4; c++) rgba[to + c] = fields[c](pixel);
      opaque &&= rgba[to + 3] === 0;
    }
  }
  if (!opaque) return { width, height, channels: 4, depth: 8, data: rgba };
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    if (i % PIECE === 0) yield;
    for (let c = 0; c < 3; c++) data[3 * i + c] = rgba[4 * i + c];
  }
  return { width, height, channels: 3, depth: 8, data };
}

/** Header of version 5 with a profile in the file. */
const V5 = 124;
const EMBEDDED = 0x4d424544;

function readMetadata(view: DataView, { size }: Header, grey: boolean, faults: Faults): Metadata {
  if (size === CORE) return {};
  const density = densityOf(view.getInt32(38, true), view.getInt32(42, true), 1);
  const metadata: Metadata = defined({ density });
  if (size < V5 || view.getUint32(FILE_HEADER + 56, true) !== EMBEDDED) return metadata;
  const [at, length] = [FILE_HEADER + view.getUint32(FILE_HEADER + 112, true), view.getUint32(FILE_HEADER + 116, true)];
  const icc = new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice(at, at + length);
  const fault = length > MAX_METADATA_BYTES ? 'the colour profile is too long and not kept' : profileFault(icc, grey);
  if (fault === undefined) metadata.icc = icc;
  else faults.notice(fault);
  return metadata;
}
