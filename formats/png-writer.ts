/** Writes a `Picture` as PNG (ISO/IEC 15948, third edition) of its own kind and depth, with its metadata. */
import { promisify } from 'node:util';
import { deflate, deflateSync, type ZlibOptions } from 'node:zlib';
import { checkPicture, depthOf, type Picture } from '../src/picture.js';
import { finish, inTurns, rowsOfPiece, type Pause, type Pieces } from '../src/turns.js';
import { chunkBytes, metadataChunks } from './png-chunks.js';

/** PNG colour types of 1 to 4 channels: grey, grey + alpha, RGB, RGB + alpha. */
const COLOUR_TYPE: Record<Picture['channels'], number> = { 1: 0, 2: 4, 3: 2, 4: 6 };

/** Level of zlib. */
export const PNG_LEVEL = 6;

/** Most bytes of pixel data in one chunk. */
const PIECE = 2 ** 24;

/** Samples that are packed, or filtered, in a piece. */
const SAMPLES = 2 ** 18;
const FILTERED = 2 ** 16;

/**
 * @param level of zlib: less where the file is for the moment only
 * @throws DcompError E_PICTURE, E_TOO_LARGE
 */
export function writePng(picture: Picture, level = PNG_LEVEL): Uint8Array {
  checkPicture(picture);
  const rows = finish(filteredRows(picture));
  return Buffer.concat(finish(chunksOf(picture, deflateSync(rows, { level }))));
}

/** As `writePng`, with turns in between; the pixels are packed on another thread. */
export async function writePngInTurns(picture: Picture, level: number, pause: Pause): Promise<Uint8Array> {
  checkPicture(picture);
  const rows = await inTurns(filteredRows(picture), pause);
  const pixels = await promisify<Uint8Array, ZlibOptions, Buffer>(deflate)(rows, { level });
  return Buffer.concat(await inTurns(chunksOf(picture, pixels), pause));
}

function filteredRows(picture: Picture): Pieces<Uint8Array> {
  return filtered(picture, Math.ceil((picture.width * picture.channels * depthOf(picture)) / 8));
}

/** Signature and chunks. @param pixels filtered and packed */
function* chunksOf(picture: Picture, pixels: Uint8Array): Pieces<Uint8Array[]> {
  const { width, height, channels, metadata } = picture;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depthOf(picture), COLOUR_TYPE[channels], 0, 0, 0], 8);
  const written = [
    Buffer.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    ...[{ name: 'IHDR', body: header }, ...metadataChunks(metadata ?? {})].map(chunkBytes),
  ];
  for (let at = 0; at < pixels.length; at += PIECE) {
    yield;
    written.push(chunkBytes({ name: 'IDAT', body: pixels.subarray(at, at + PIECE) }));
  }
  return [...written, chunkBytes({ name: 'IEND', body: Buffer.alloc(0) })];
}

/** Rows of whole bytes: PNG section 7.2. */
function* packed(picture: Picture, rowBytes: number): Pieces<Uint8Array> {
  const { data, height } = picture;
  const depth = depthOf(picture);
  if (depth === 8) return data as Uint8Array;
  const out = new Uint8Array(rowBytes * height);
  if (depth === 16) {
    for (let i = 0; i < data.length; i++) {
      if (i % SAMPLES === 0) yield;
      out[2 * i] = data[i] >> 8;
      out[2 * i + 1] = data[i];
    }
    return out;
  }
  const { width } = picture; // one channel
  for (let y = 0, i = 0; y < height; y++) {
    if (y % rowsOfPiece(width, SAMPLES) === 0) yield;
    for (let x = 0; x < width; x++, i++)
      out[y * rowBytes + ((x * depth) >> 3)] |= data[i] << (8 - depth - ((x * depth) & 7));
  }
  return out;
}

/**
 * Filters each row, PNG section 9, by the filter with the least sum of absolute differences (section 12.7); rows of less
 * than 8 bits a pixel, for which that is no good, by none.
 */
function* filtered(picture: Picture, rowBytes: number): Pieces<Uint8Array> {
  const { height, channels } = picture;
  const rows = yield* packed(picture, rowBytes);
  // Bytes of a pixel, 0 for less than one.
  const step = (channels * depthOf(picture)) >> 3;
  const out = new Uint8Array((rowBytes + 1) * height);
  const candidate = new Uint8Array(rowBytes);
  const none = new Uint8Array(rowBytes);
  for (let y = 0; y < height; y++) {
    if (y % rowsOfPiece(rowBytes, FILTERED) === 0) yield;
    const row = rows.subarray(y * rowBytes, (y + 1) * rowBytes);
    const to = y * (rowBytes + 1);
    out.set(row, to + 1);
    if (step === 0) continue;
    const above = y === 0 ? none : rows.subarray((y - 1) * rowBytes, y * rowBytes);
    let least = cost(row);
    for (let type = 1; type <= 4; type++) {
      applyFilter(type, row, above, step, candidate);
      const sum = cost(candidate);
      if (sum >= least) continue;
      least = sum;
      out[to] = type;
      out.set(candidate, to + 1);
    }
  }
  return out;
}

function cost(row: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += row[i] < 128 ? row[i] : 256 - row[i];
  return sum;
}

/** Types 1 to 4: sub, up, average, Paeth. */
function applyFilter(type: number, row: Uint8Array, above: Uint8Array, step: number, out: Uint8Array): void {
  const n = row.length;
  if (type === 2) {
    for (let i = 0; i < n; i++) out[i] = row[i] - above[i];
    return;
  }
  for (let i = 0; i < n; i++) {
    const a = i < step ? 0 : row[i - step];
    if (type === 1) out[i] = row[i] - a;
    else if (type === 3) out[i] = row[i] - ((a + above[i]) >> 1);
    else {
      const b = above[i];
      const c = i < step ? 0 : above[i - step];
      const fromA = Math.abs(b - c);
      const fromB = Math.abs(a - c);
      const fromC = Math.abs(a + b - 2 * c);
      out[i] = row[i] - (fromA <= fromB && fromA <= fromC ? a : fromB <= fromC ? b : c);
    }
  }
}
