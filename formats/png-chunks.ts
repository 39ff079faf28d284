/** Metadata as PNG chunks (PNG sections 11.3.2 to 11.3.4), on the way out. */
import { crc32, deflateSync } from 'node:zlib';
import type { Metadata, Text } from '../src/picture.js';
import { exifOf } from './exif.js';
import { rawProfileOfIptc } from './raw-profile.js';

/** A chunk's name and content. */
export interface Chunk {
  name: string;
  body: Uint8Array;
}

export const XMP_KEYWORD = 'XML:com.adobe.xmp';
const PROFILE_NAME = 'ICC profile';
/** Texts of more characters than this are written compressed. */
const LONG_TEXT = 1024;

/** The chunks that belong between IHDR and the pixels. */
export function metadataChunks(metadata: Metadata): Chunk[] {
  const { icc, orientation, density, xmp, text = [], cicp, iptc, modified } = metadata;
  const chunks: Chunk[] = [];
  if (cicp !== undefined) chunks.push({ name: 'cICP', body: Uint8Array.of(cicp.primaries, cicp.transfer, 0, 1) });
  if (icc !== undefined)
    chunks.push({ name: 'iCCP', body: Buffer.concat([Buffer.from(`${PROFILE_NAME}\0\0`), deflateSync(icc)]) });
  chunks.push(...gammaChunks(metadata));
  if (density !== undefined) {
    const body = Buffer.alloc(9);
    body.writeUInt32BE(density.x, 0);
    body.writeUInt32BE(density.y, 4);
    body[8] = density.unit === 'metre' ? 1 : 0;
    chunks.push({ name: 'pHYs', body });
  }
  const exif = exifOf(metadata.exif, orientation);
  if (exif !== undefined) chunks.push({ name: 'eXIf', body: exif });
  if (xmp !== undefined) chunks.push(internationalText({ keyword: XMP_KEYWORD, text: '' }, xmp, false));
  if (modified !== undefined) chunks.push({ name: 'tIME', body: timeBytes(modified) });
  const texts = iptc === undefined ? text : [rawProfileOfIptc(iptc), ...text];
  return [...chunks, ...texts.map(textChunk)];
}

function gammaChunks({ gamma, chromaticities }: Metadata): Chunk[] {
  const numbers = (name: string, values: number[]): Chunk => {
    const body = Buffer.alloc(4 * values.length);
    values.forEach((value, i) => body.writeUInt32BE(value, 4 * i));
    return { name, body };
  };
  const { white = [], red = [], green = [], blue = [] } = chromaticities ?? {};
  return [
    ...(gamma === undefined ? [] : [numbers('gAMA', [gamma])]),
    ...(chromaticities === undefined ? [] : [numbers('cHRM', [...white, ...red, ...green, ...blue])]),
  ];
}

/** `2026-11-28T06:41:00Z` */
function timeBytes(time: string): Uint8Array {
  const [year, ...rest] = time.split(/[-T:Z]/, 6).map(Number);
  return Uint8Array.of(year >> 8, year & 255, ...rest);
}

function textChunk(entry: Text): Chunk {
  const { keyword, text, language, translatedKeyword } = entry;
  const long = text.length > LONG_TEXT;
  if (language !== undefined || translatedKeyword !== undefined || !/^[\x01-\xff]*$/.test(text))
    return internationalText(entry, Buffer.from(text), long);
  const start = Buffer.from(`${keyword}\0`, 'latin1');
  const bytes = Buffer.from(text, 'latin1');
  if (!long) return { name: 'tEXt', body: Buffer.concat([start, bytes]) };
  return { name: 'zTXt', body: Buffer.concat([start, Buffer.of(0), deflateSync(bytes)]) };
}

function internationalText(
  { keyword, language = '', translatedKeyword = '' }: Text,
  text: Uint8Array,
  compressed: boolean,
): Chunk {
  const start = Buffer.from(`${keyword}\0${compressed ? '\x01' : '\0'}\0${language}\0`, 'latin1');
  return {
    name: 'iTXt',
    body: Buffer.concat([start, Buffer.from(`${translatedKeyword}\0`), compressed ? deflateSync(text) : text]),
  };
}

/** Length, name, content, CRC-32: PNG section 5.3. */
export function chunkBytes({ name, body }: Chunk): Uint8Array {
  const out = Buffer.alloc(body.length + 12);
  out.writeUInt32BE(body.length, 0);
  out.write(name, 4, 'latin1');
  out.set(body, 8);
  out.writeUInt32BE(crc32(out.subarray(4, body.length + 8)), body.length + 8);
  return out;
}
