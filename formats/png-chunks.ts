/** Metadata as PNG chunks (PNG sections 11.3.2 to 11.3.4), both ways. What is damaged in them costs no picture: it is left out. */
import { crc32, deflateSync, inflateSync } from 'node:zlib';
import { isKeyword, MAX_METADATA_BYTES, type Metadata, type Text } from '../src/picture.js';
import { exifOfOrientation, orientationOf, tiffOf, withOrientation } from './exif.js';
import { profileFault } from './metadata.js';

/** A chunk's name and content. */
export interface Chunk {
  name: string;
  body: Uint8Array;
}

/** The chunks that `readMetadata` reads. */
export const METADATA_CHUNKS: ReadonlySet<string> = new Set(['iCCP', 'pHYs', 'eXIf', 'tEXt', 'zTXt', 'iTXt']);

const XMP_KEYWORD = 'XML:com.adobe.xmp';
const PROFILE_NAME = 'ICC profile';
/** Texts of more characters than this are written compressed. */
const LONG_TEXT = 1024;
/** Texts take so many bytes at least in a coded file; they may have so many in all. */
const TEXT_BYTES_BESIDE = 16;

/** @param grey is the picture grey? @returns metadata, and a notice for all that cannot be kept */
export function readMetadata(
  chunks: readonly Chunk[],
  grey: boolean,
): { metadata: Metadata | undefined; notices: string[] } {
  const metadata: Metadata = {};
  const notices = new Set<string>();
  const text: Text[] = [];
  let textBytes = 0;
  const inflater = new Inflater();
  const readers: Record<string, (body: Uint8Array) => void> = {
    iCCP(body) {
      if (metadata.icc !== undefined) return;
      const icc = readProfile(body, inflater);
      const fault = icc === undefined ? 'the colour profile is damaged and not kept' : profileFault(icc, grey);
      if (icc !== undefined && fault === undefined) metadata.icc = new Uint8Array(icc);
      else if (fault !== undefined) notices.add(fault);
    },
    pHYs(body) {
      if (metadata.density !== undefined) return;
      const view = new DataView(body.buffer, body.byteOffset, body.length);
      if (body.length !== 9 || body[8] > 1 || view.getUint32(0) >= 2 ** 31 || view.getUint32(4) >= 2 ** 31) {
        notices.add('the pixel density is damaged and not kept');
        return;
      }
      metadata.density = { x: view.getUint32(0), y: view.getUint32(4), unit: body[8] === 1 ? 'metre' : 'none' };
    },
    eXIf(body) {
      if (metadata.exif !== undefined) return;
      const exif = tiffOf(body);
      if (exif === undefined || exif.length > MAX_METADATA_BYTES) {
        notices.add('the EXIF data is damaged and not kept');
        return;
      }
      metadata.exif = new Uint8Array(exif); // not a view that keeps the whole file in memory
      const orientation = orientationOf(exif);
      if (orientation !== undefined) metadata.orientation = orientation;
    },
    tEXt: (body) => addText(readText(body)),
    zTXt: (body) => addText(readCompressedText(body, inflater)),
    iTXt(body) {
      const entry = readInternationalText(body, inflater);
      if (entry?.keyword !== XMP_KEYWORD) addText(entry);
      else metadata.xmp ??= new TextEncoder().encode(entry.text);
    },
  };
  const addText = (entry: Text | undefined): void => {
    if (entry === undefined || !isKeyword(entry.keyword) || entry.text.includes('\0')) {
      notices.add('a text in the file is damaged and not kept');
      return;
    }
    textBytes +=
      4 *
        (entry.keyword.length +
          entry.text.length +
          (entry.language ?? '').length +
          (entry.translatedKeyword ?? '').length) +
      TEXT_BYTES_BESIDE;
    if (textBytes <= MAX_METADATA_BYTES) text.push(entry);
    else notices.add('the file has more text than can be kept');
  };
  for (const { name, body } of chunks) readers[name]?.(body);
  if (text.length > 0) metadata.text = text;
  return { metadata: Object.keys(metadata).length === 0 ? undefined : metadata, notices: [...notices] };
}

/** Inflates what chunks hold. One file can ask for so much in all and no more: a thousand bombs cost not more than one. */
class Inflater {
  private left = 4 * MAX_METADATA_BYTES;

  /** undefined if it is longer than the limit, or damaged. */
  inflate(bytes: Uint8Array, limit = MAX_METADATA_BYTES): Uint8Array | undefined {
    if (this.left < limit) return undefined;
    try {
      const out = inflateSync(bytes, { maxOutputLength: limit });
      this.left -= out.length;
      return out;
    } catch {
      this.left -= limit;
      return undefined;
    }
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/** undefined where the bytes are not UTF-8. */
function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Name, 0, compression method 0, zlib data. */
function readProfile(body: Uint8Array, inflater: Inflater): Uint8Array | undefined {
  const end = body.indexOf(0);
  return end < 1 || end > 79 || body[end + 1] !== 0 ? undefined : inflater.inflate(body.subarray(end + 2));
}

/** Keyword, 0, text, all Latin-1. */
function readText(body: Uint8Array): Text | undefined {
  const end = body.indexOf(0);
  return end < 0 || body.length > MAX_METADATA_BYTES
    ? undefined
    : { keyword: latin1(body.subarray(0, end)), text: latin1(body.subarray(end + 1)) };
}

/** Keyword, 0, compression method 0, zlib data. A character may take 4 bytes later. */
function readCompressedText(body: Uint8Array, inflater: Inflater): Text | undefined {
  const end = body.indexOf(0);
  const text =
    end < 0 || body[end + 1] !== 0 ? undefined : inflater.inflate(body.subarray(end + 2), MAX_METADATA_BYTES / 4);
  return text === undefined ? undefined : { keyword: latin1(body.subarray(0, end)), text: latin1(text) };
}

/** Keyword, 0, compressed?, method 0, language, 0, translated keyword, 0, text: UTF-8, keyword and language apart. */
function readInternationalText(body: Uint8Array, inflater: Inflater): Text | undefined {
  const end = body.indexOf(0);
  const languageEnd = body.indexOf(0, end + 3);
  const translatedEnd = body.indexOf(0, languageEnd + 1);
  if (end < 0 || languageEnd < 0 || translatedEnd < 0 || body[end + 1] > 1) return undefined;
  const compressed = body[end + 1] === 1;
  if (compressed && body[end + 2] !== 0) return undefined;
  const rest = body.subarray(translatedEnd + 1);
  const bytes = compressed ? inflater.inflate(rest) : rest.length > MAX_METADATA_BYTES ? undefined : rest;
  const text = bytes === undefined ? undefined : utf8(bytes);
  const language = latin1(body.subarray(end + 3, languageEnd));
  const translatedKeyword = utf8(body.subarray(languageEnd + 1, translatedEnd));
  if (text === undefined || translatedKeyword === undefined) return undefined;
  return {
    keyword: latin1(body.subarray(0, end)),
    text,
    ...(/^[a-z0-9-]+$/i.test(language) ? { language } : {}),
    ...(translatedKeyword === '' ? {} : { translatedKeyword }),
  };
}

/** The chunks that belong between IHDR and the pixels. */
export function metadataChunks(metadata: Metadata): Chunk[] {
  const { icc, orientation, density, xmp, text = [] } = metadata;
  const chunks: Chunk[] = [];
  if (icc !== undefined)
    chunks.push({ name: 'iCCP', body: Buffer.concat([Buffer.from(`${PROFILE_NAME}\0\0`), deflateSync(icc)]) });
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
  return [...chunks, ...text.map(textChunk)];
}

/** EXIF that says the orientation; none where there is nothing to say. */
function exifOf(exif: Uint8Array | undefined, orientation: number | undefined): Uint8Array | undefined {
  if (orientation === undefined) return exif;
  return exif === undefined
    ? orientation === 1
      ? undefined
      : exifOfOrientation(orientation)
    : withOrientation(exif, orientation);
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
