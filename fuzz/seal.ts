/** Checksums that hold, so that changed files are read further than to the first of them. */
import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { concat, CRC_BYTES, readHeader, readVarint, segmentChecksum } from '../src/container/container.js';
import { MODEL_ID, SIZES } from '../src/container/header.js';
import { crc32 } from '../src/container/crc32.js';
import { hasAlpha } from '../src/pixels/picture-planes.js';

function setU32(bytes: Uint8Array, at: number, value: number, littleEndian = true): void {
  if (at + 4 <= bytes.length) new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, value, littleEndian);
}

/** A file with that model's id, in hexadecimal. */
export function withModelId(file: Uint8Array, id: string): Uint8Array {
  const bytes = Uint8Array.from(file);
  if (bytes.length >= SIZES) bytes.set(Buffer.from(id, 'hex'), MODEL_ID);
  return bytes;
}

/** A `.dcz` file with all checksums as its lengths, as they are, have them. */
export function sealedFile(file: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(file);
  const height = (readVarint(bytes, SIZES) ?? { end: 0 }).end;
  const headerEnd = (readVarint(bytes, height) ?? { end: 0 }).end + 4;
  setU32(bytes, headerEnd, crc32(bytes.subarray(0, headerEnd)));
  let header: ReturnType<typeof readHeader>;
  try {
    header = readHeader(bytes);
  } catch {
    return bytes;
  }
  let at: number | undefined = header.end;
  while (header.hasParts && at !== undefined && bytes[at] !== 0) at = seal(bytes, at, 1, 0, true);
  if (header.hasParts && at !== undefined) at++;
  if (hasAlpha(header.header.channels) && at !== undefined) at = seal(bytes, at, 0, 0, false);
  for (let first = 0; at !== undefined && at < bytes.length;) {
    const start: number = at;
    at = seal(bytes, at, 0, 2, true, first);
    first += bytes[readVarint(bytes, start)?.end ?? 0] ?? 0;
  }
  return bytes;
}

/** @param first of a segment: its first unit; the one that ends with the file is the last */
function seal(
  bytes: Uint8Array,
  at: number,
  before: number,
  behind: number,
  covered: boolean,
  first?: number,
): number | undefined {
  const length = readVarint(bytes, at + before);
  if (length === undefined) return undefined;
  const crc = length.end + behind;
  const payload = crc + CRC_BYTES;
  const end = payload + length.value;
  if (end > bytes.length) return undefined;
  const sum = crc32(bytes.subarray(payload, end), covered ? crc32(bytes.subarray(at, crc)) : 0);
  const place = first === undefined ? undefined : { first, last: end === bytes.length };
  setU32(bytes, crc, place === undefined ? sum : segmentChecksum(place, sum, crc - at + length.value));
  return end;
}

/** A model file with the lengths and the digest that its bytes have. */
export function sealedModel(file: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(file);
  setU32(bytes, 12, bytes.length);
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
