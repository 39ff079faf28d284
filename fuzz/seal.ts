/** Checksums that hold, so that changed files are read further than to the first of them. */
import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { concat } from '../src/container/container.js';
import { crc32 } from '../src/container/crc32.js';
import { mutate, numbers } from './mutate.js';

function setU32(bytes: Uint8Array, at: number, value: number, littleEndian = true): void {
  if (at + 4 <= bytes.length) new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, value, littleEndian);
}

/** A model file with the lengths and the digest that its bytes have, and in it that of the network that shows. */
export function sealedModel(file: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(file);
  setU32(bytes, 12, bytes.length);
  // Of the first header; a file inside has none that shows.
  const told = /"shows":(\d{1,7})/.exec(Buffer.from(bytes.subarray(0, 2 ** 16)).toString('latin1'))?.[1];
  const held = told === undefined ? 0 : Number(told);
  if (held > 0 && held + 32 < bytes.length)
    bytes.set(sealedModel(bytes.subarray(bytes.length - 32 - held, bytes.length - 32)), bytes.length - 32 - held);
  if (bytes.length > 52) bytes.set(createHash('sha256').update(bytes.subarray(0, -32)).digest(), bytes.length - 32);
  return bytes;
}

/** A PNG file with the checksums of its chunks right. */
export function sealedPng(file: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(file);
  const view = new DataView(bytes.buffer);
  for (let at = 8; at + 12 <= bytes.length;) {
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > bytes.length) break;
    setU32(bytes, end, crc32(bytes.subarray(at + 4, end)), false);
    at = end + 4;
  }
  return bytes;
}

/** A PNG file made of any bytes: 13 of IHDR, then the lengths of PLTE and tRNS, their bytes, and filtered rows. */
export function composedPng(input: Uint8Array): Uint8Array {
  const chunk = (type: string, data: Uint8Array): Uint8Array => {
    const out = new Uint8Array(12 + data.length);
    setU32(out, 0, data.length, false);
    out.set(new TextEncoder().encode(type), 4);
    out.set(data, 8);
    setU32(out, 8 + data.length, crc32(out.subarray(4, 8 + data.length)), false);
    return out;
  };
  const [palette = 0, transparency = 0] = input.subarray(13);
  const plte = input.subarray(15, 15 + palette);
  const trns = input.subarray(15 + palette, 15 + palette + transparency);
  const rows = input.subarray(15 + palette + transparency);
  return concat([
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk('IHDR', input.subarray(0, 13)),
    ...(palette > 0 ? [chunk('PLTE', plte)] : []),
    ...(transparency > 0 ? [chunk('tRNS', trns)] : []),
    chunk('IDAT', deflateSync(rows, { level: 1 })),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

/** Changes a PNG by its chunks: one is changed inside, left out, doubled or moved; checksums and lengths are right. Now and then by its bytes. */
export function mutatePng(input: Uint8Array, other: Uint8Array, seed: number): Uint8Array {
  const below = numbers(seed);
  if (below(4) === 0) return mutate(input, other, below(2 ** 32));
  const chunks = chunksOf(input);
  if (chunks.length === 0) return mutate(input, other, below(2 ** 32));
  for (let changes = 1 + below(4); changes > 0; changes--) {
    const i = below(chunks.length);
    const chunk = chunks[i] ?? chunksOf(other)[0];
    if (chunk === undefined) break;
    const data = mutate(chunk.subarray(4), chunk.subarray(4), below(2 ** 32));
    // IHDR decides whether anything else is read: it is changed seldom.
    const kind = i === 0 ? (below(6) === 0 ? 0 : 4) : below(5);
    if (kind <= 1) chunks[i] = concat([chunk.subarray(0, 4), data]);
    else if (kind === 2) chunks.splice(i, 1);
    else if (kind === 3) chunks.splice(below(chunks.length), 0, chunk);
    else chunks.splice(1 + below(chunks.length), 0, concat([ancillary(below), data]));
  }
  return sealedPng(
    concat([input.subarray(0, 8), ...chunks.map((chunk) => concat([lengthOf(chunk), chunk, new Uint8Array(4)]))]),
  );
}

const TYPES = [
  'tRNS',
  'PLTE',
  'IDAT',
  'gAMA',
  'cHRM',
  'sRGB',
  'iCCP',
  'cICP',
  'pHYs',
  'tEXt',
  'zTXt',
  'iTXt',
  'eXIf',
  'tIME',
  'sBIT',
  'abCd',
];

function ancillary(below: (bound: number) => number): Uint8Array {
  return new TextEncoder().encode(TYPES[below(TYPES.length)]);
}

function lengthOf(chunk: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, chunk.length - 4);
  return length;
}

/** Type and data of each chunk. */
function chunksOf(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const chunks: Uint8Array[] = [];
  for (let at = 8; at + 12 <= file.length;) {
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > file.length) break;
    chunks.push(file.subarray(at + 4, end));
    at = end + 4;
  }
  return chunks;
}
