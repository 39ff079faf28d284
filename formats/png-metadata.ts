/** Metadata of PNG chunks (PNG sections 11.3.2 to 11.3.4). What is damaged in them costs no picture: it is left out. */
import { inflateSync } from 'node:zlib';
import { isTime, MAX_METADATA_BYTES, type Chromaticities, type Metadata, type Text } from '../src/picture.js';
import { gammaMeaning, isSrgb, LIGHT_NOT_KEPT } from './colour-meaning.js';
import { orientationOf, tiffOf } from './exif.js';
import type { Faults } from './faults.js';
import { profileFault } from './metadata.js';
import { XMP_KEYWORD, type Chunk } from './png-chunks.js';
import { uint32 } from './png-header.js';
import { rawProfileOf } from './raw-profile.js';
import { TextList } from './text-list.js';

export interface MetadataRead {
  metadata: Metadata | undefined;
  /** Are the samples from 16 to 235 (of 8 bits), in place of 0 to 255? */
  narrow: boolean;
}

/** @param grey is the picture grey? */
export function readMetadata(chunks: readonly Chunk[], grey: boolean, faults: Faults): MetadataRead {
  const reader = new MetadataReader(grey, faults);
  for (const chunk of chunks) reader.read(chunk);
  return reader.end();
}

class MetadataReader {
  private readonly metadata: Metadata = {};
  private readonly texts: TextList;
  private readonly inflater = new Inflater();
  private readonly raw: Text[] = [];
  /** The first chunk of each kind that says what colours are. */
  private readonly colour = new Map<string, Uint8Array>();

  constructor(
    private readonly grey: boolean,
    private readonly faults: Faults,
  ) {
    this.texts = new TextList(faults);
  }

  read({ name, body }: Chunk): void {
    const { metadata, faults, inflater } = this;
    switch (name) {
      case 'cICP':
      case 'sRGB':
      case 'gAMA':
      case 'cHRM':
        if (!this.colour.has(name)) this.colour.set(name, body);
        break;
      case 'iCCP':
        if (metadata.icc === undefined) this.setProfile(readProfile(body, inflater));
        break;
      case 'pHYs':
        if (metadata.density === undefined) this.setDensity(body);
        break;
      case 'eXIf':
        if (metadata.exif === undefined) this.setExif(body);
        break;
      case 'tIME': {
        const time = readTime(body);
        if (time === undefined) faults.notice('the time of the last change is damaged and not kept');
        else metadata.modified ??= time;
        break;
      }
      case 'tEXt':
        this.addText(readText(body));
        break;
      case 'zTXt':
        this.addText(readCompressedText(body, inflater));
        break;
      case 'iTXt': {
        const entry = readInternationalText(body, inflater);
        if (entry?.keyword !== XMP_KEYWORD) this.addText(entry);
        else metadata.xmp ??= new TextEncoder().encode(entry.text);
        break;
      }
      case 'mDCV':
      case 'cLLI':
        faults.notice(LIGHT_NOT_KEPT);
        break;
      case 'acTL':
        faults.notice('the file is an animation; only its first picture is read');
    }
  }

  private setProfile(icc: Uint8Array | undefined): void {
    const fault = icc === undefined ? 'the colour profile is damaged and not kept' : profileFault(icc, this.grey);
    if (icc !== undefined && fault === undefined) this.metadata.icc = new Uint8Array(icc);
    else if (fault !== undefined) this.faults.notice(fault);
  }

  private setDensity(body: Uint8Array): void {
    if (body.length !== 9 || body[8] > 1 || uint32(body, 0) >= 2 ** 31 || uint32(body, 4) >= 2 ** 31)
      this.faults.notice('the pixel density is damaged and not kept');
    else this.metadata.density = { x: uint32(body, 0), y: uint32(body, 4), unit: body[8] === 1 ? 'metre' : 'none' };
  }

  private setExif(bytes: Uint8Array): void {
    const exif = tiffOf(bytes);
    if (exif === undefined || exif.length > MAX_METADATA_BYTES) {
      this.faults.notice('the EXIF data is damaged and not kept');
      return;
    }
    this.metadata.exif = new Uint8Array(exif); // not a view that keeps the whole file in memory
    const orientation = orientationOf(exif);
    if (orientation !== undefined) this.metadata.orientation = orientation;
  }

  private addText(entry: Text | undefined): void {
    if (entry !== undefined && rawProfileOf(entry) !== undefined) this.raw.push(entry);
    else this.texts.add(entry);
  }

  end(): MetadataRead {
    const { metadata } = this;
    // Chunks of their own count before what texts hold.
    for (const entry of this.raw) {
      const { icc, exif, xmp, iptc } = rawProfileOf(entry) ?? {};
      if (icc !== undefined && metadata.icc === undefined) this.setProfile(icc);
      if (exif !== undefined && metadata.exif === undefined) this.setExif(exif);
      if (xmp !== undefined) metadata.xmp ??= xmp;
      if (iptc !== undefined) metadata.iptc ??= iptc;
    }
    if (this.texts.list.length > 0) metadata.text = this.texts.list;
    const narrow = this.readColour();
    return { metadata: Object.keys(metadata).length === 0 ? undefined : metadata, narrow };
  }

  /** PNG section 4.3: cICP is the first to say what the samples mean, then iCCP, sRGB, and last gAMA with cHRM. */
  private readColour(): boolean {
    const { metadata, colour, faults } = this;
    const cicp = colour.get('cICP');
    if (cicp !== undefined) {
      const [primaries, transfer, matrix, range] = cicp;
      if (cicp.length === 4 && primaries > 0 && transfer > 0 && matrix === 0 && range <= 1) {
        // That it is sRGB needs no saying, unless something else says otherwise.
        if (!isSrgb({ primaries, transfer }) || metadata.icc !== undefined) metadata.cicp = { primaries, transfer };
        return range === 0;
      }
      faults.notice('its colour space (cICP) is damaged and not kept');
    }
    if (metadata.icc !== undefined || colour.has('sRGB')) return false;
    Object.assign(metadata, gammaMeaning(this.gamma(), this.chromaticities()));
    return false;
  }

  private gamma(): number | undefined {
    const body = this.colour.get('gAMA');
    if (body === undefined) return undefined;
    const gamma = body.length === 4 ? uint32(body, 0) : 0;
    if (gamma > 0 && gamma < 2 ** 31) return gamma;
    this.faults.notice('its gamma is damaged and not kept');
    return undefined;
  }

  private chromaticities(): Chromaticities | undefined {
    const body = this.colour.get('cHRM');
    if (body === undefined) return undefined;
    const xy = (i: number): [number, number] => [uint32(body, 8 * i), uint32(body, 8 * i + 4)];
    if (body.length === 32) {
      const found = { white: xy(0), red: xy(1), green: xy(2), blue: xy(3) };
      if (Object.values(found).every(([x, y]) => x < 2 ** 31 && y < 2 ** 31)) return found;
    }
    this.faults.notice('its chromaticities are damaged and not kept');
    return undefined;
  }
}

/** PNG section 11.3.4.4: year, month, day, hour, minute, second. */
function readTime(body: Uint8Array): string | undefined {
  if (body.length !== 7) return undefined;
  const two = (n: number): string => String(n).padStart(2, '0');
  const [month, day, hour, minute, second] = [...body.subarray(2)].map(two);
  const year = String((body[0] << 8) | body[1]).padStart(4, '0');
  const time = `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
  return isTime(time) ? time : undefined;
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
