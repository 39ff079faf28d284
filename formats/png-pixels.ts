/** Pixel data of PNG: decompressed (PNG section 10), rows unfiltered (9), passes put together (8). */
import { promisify } from 'node:util';
import { inflate, inflateSync, type ZlibOptions } from 'node:zlib';
import { Inflate } from 'fflate';
import { newSamples, type Samples } from '../src/picture.js';
import { rowsOfPiece, type Pieces } from '../src/turns.js';
import type { Faults } from './faults.js';
import { damagedPng, samplesPerPixel, type Header } from './png-header.js';
import type { Chunks } from './png-structure.js';

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
  const bitsPerPixel = samplesPerPixel(header) * header.depth;
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

/**
 * One unscaled sample of up to 16 bits per entry, pixels in reading order. Whole pixels with a fault behind them (surplus
 * data, a checksum, a missing end) are a notice; missing pixels are 0 where damage is allowed.
 * @throws DcompError E_DAMAGED_PNG
 */
export function* readSamples(
  header: Header,
  chunks: Chunks,
  packed: Packed,
  sound: Uint8Array | undefined,
  faults: Faults,
): Pieces<Samples> {
  const raw = sound ?? (yield* inflatePixels(header, chunks, packed, faults));
  if (sound !== undefined && chunks.cut !== undefined) faults.notice(`${chunks.cut}; its pixels are whole`);
  return yield* unpackSamples(header, raw, faults);
}

/** The pixel data as the file has it, and as how many bytes it is to be inflated. */
export interface Packed {
  compressed: Uint8Array;
  expected: number;
}

const tooShort = ({ width, height }: Header): string => `its pixel data is too short for ${width}×${height} pixels`;

/** @throws DcompError E_DAMAGED_PNG where it is too short, even if damage is allowed: a few bytes would ask for gigabytes */
export function packedPixels(header: Header, { pixels, cut }: Chunks): Packed {
  const expected = passes(header).reduce((sum, { height, rowBytes }) => sum + height * (rowBytes + 1), 0);
  const compressed = pixels.length === 1 ? pixels[0] : Buffer.concat(pixels);
  if (compressed.length * MOST_DEFLATE_GAINS < expected) throw damagedPng(cut ?? tooShort(header));
  return { compressed, expected };
}

function* inflatePixels(header: Header, { cut }: Chunks, packed: Packed, faults: Faults): Pieces<Uint8Array> {
  const { expected } = packed;
  const { raw, length, fault } = yield* inflateLeniently(packed);
  if (length === expected)
    faults.notice(`${cut ?? fault ?? 'its pixel data has a wrong checksum'}; its pixels are whole`);
  else
    faults.damage(
      `${cut ?? fault ?? tooShort(header)}, so ${Math.floor((100 * length) / expected)} % of them can be read`,
    );
  return raw;
}

/** undefined where anything is wrong. */
export function inflateSound({ compressed, expected }: Packed): Uint8Array | undefined {
  try {
    const raw = inflateSync(compressed, limits(expected));
    return raw.length === expected ? raw : undefined;
  } catch {
    return undefined;
  }
}

/** As `inflateSound`, on another thread. */
export async function inflateSoundElsewhere({ compressed, expected }: Packed): Promise<Uint8Array | undefined> {
  try {
    const raw = await promisify(inflate)(compressed, limits(expected));
    return raw.length === expected ? raw : undefined;
  } catch {
    return undefined;
  }
}

function limits(expected: number): ZlibOptions {
  return { maxOutputLength: expected, chunkSize: Math.min(Math.max(expected, 1024), 1 << 20) };
}

/** Bytes that are inflated at a time: first in large pieces, and the one with the fault in small ones, so that little is lost. */
const PIECE = 4096;
const SMALL_PIECE = 32;
/** RFC 1950: the header of zlib's format. */
const ZLIB_HEADER = 2;
const DEFLATE = 8;

/**
 * As much as can be had, at most the bytes that are expected; zlib's checksum is not looked at, nor what follows.
 * @returns `length` bytes of `raw` are what the data held, the rest is 0; `fault` says why it is not more, or what is behind it
 */
function* inflateLeniently({
  compressed,
  expected,
}: Packed): Pieces<{ raw: Uint8Array; length: number; fault: string | undefined }> {
  const raw = new Uint8Array(expected);
  if ((compressed[0] & 15) !== DEFLATE) return { raw, length: 0, fault: 'its pixel data cannot be decompressed' };
  const data = compressed.subarray(ZLIB_HEADER);
  let length = 0;
  let surplus = false;
  const run = function* (inflate: Inflate, from: number, to: number, size: number): Pieces<number> {
    for (let at = from; at < to && !surplus; at += size) {
      yield;
      try {
        inflate.push(data.subarray(at, Math.min(to, at + size)), false);
      } catch {
        return at;
      }
    }
    return to;
  };
  const start = (): Inflate => {
    length = 0;
    return new Inflate((chunk) => {
      surplus ||= length + chunk.length > expected;
      const taken = chunk.subarray(0, expected - length);
      raw.set(taken, length);
      length += taken.length;
    });
  };
  const stopped = yield* run(start(), 0, data.length, PIECE);
  if (stopped < data.length && !surplus) {
    const inflate = start();
    yield* run(inflate, 0, stopped, PIECE);
    yield* run(inflate, stopped, data.length, SMALL_PIECE);
    return { raw, length, fault: 'its pixel data cannot be decompressed' };
  }
  return { raw, length, fault: surplus ? 'it has more pixel data than its header says' : undefined };
}

/** Bytes of rows that are unfiltered in a piece. */
const ROW_BYTES_OF_PIECE = 2 ** 19;

/** Undoes the filters and the interlacing. */
function* unpackSamples(header: Header, raw: Uint8Array, faults: Faults): Pieces<Samples> {
  const { width, height, depth } = header;
  const perPixel = samplesPerPixel(header);
  const out = newSamples(width * height * perPixel, depth);
  let at = 0;
  for (const pass of passes(header)) {
    const { rowBytes } = pass;
    let above: Uint8Array = new Uint8Array(rowBytes);
    for (let row = 0; row < pass.height; row++) {
      if (row % rowsOfPiece(rowBytes, ROW_BYTES_OF_PIECE) === 0) yield;
      const line = raw.subarray(at + 1, at + 1 + rowBytes);
      if (raw[at] > 4) faults.damage(`a row of pixels has filter ${raw[at]}, which PNG does not know`);
      unfilter(raw[at], line, above, Math.max(1, (perPixel * depth) >> 3));
      const start = ((pass.y + row * pass.dy) * width + pass.x) * perPixel;
      spread(line, depth, perPixel, pass.width, out, start, pass.dx * perPixel);
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
