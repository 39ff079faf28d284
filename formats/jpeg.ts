/** Segments of a JPEG (ISO/IEC 10918-1 section B.1, JFIF): what libvips does not pass on of them, and how they are written. */
import type { Density, Text } from '../src/picture.js';
import { densityOf, METRES_PER_INCH } from './density.js';
import { iptcOf, photoshopOf } from './iptc.js';

export interface JpegFacts {
  density: Density | undefined;
  comments: Text[];
  iptc: Uint8Array | undefined;
  /** Is there a second picture that makes the first one HDR? */
  gainMap: boolean;
}

interface Segment {
  marker: number;
  body: Uint8Array;
}

const START_OF_SCAN = 0xda;
const APP0 = 0xe0;
const APP1 = 0xe1;
const APP13 = 0xed;
const COMMENT = 0xfe;

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');

/** The segments before the first scan. */
function segments(bytes: Uint8Array): Segment[] {
  const found: Segment[] = [];
  for (let at = 2; at + 4 <= bytes.length;) {
    if (bytes[at] !== 0xff) break;
    const marker = bytes[at + 1];
    if (marker === 0xff || marker === 1 || (marker >= 0xd0 && marker <= 0xd7)) {
      at += marker === 0xff ? 1 : 2; // fill bytes, and markers without a segment
      continue;
    }
    if (marker === START_OF_SCAN) break;
    const length = (bytes[at + 2] << 8) | bytes[at + 3];
    if (length < 2) break;
    found.push({ marker, body: bytes.subarray(at + 4, at + 2 + length) });
    at += 2 + length;
  }
  return found;
}

export function jpegFacts(bytes: Uint8Array): JpegFacts {
  const all = segments(bytes);
  const jfif = all.find(({ marker, body }) => marker === APP0 && latin1(body.subarray(0, 5)) === 'JFIF\0')?.body;
  const photoshop = all.filter(({ marker }) => marker === APP13).map(({ body }) => body);
  const iptc = photoshop.map(iptcOf).find((each) => each !== undefined);
  return {
    density: jfif === undefined ? undefined : densityOfJfif(jfif),
    comments: all
      .filter(({ marker }) => marker === COMMENT)
      .map(({ body }) => ({ keyword: 'Comment', text: textOf(body) })),
    iptc,
    gainMap: all.some(({ marker, body }) => marker === APP1 && latin1(body).includes('hdrgm:Version')),
  };
}

/** JFIF 1.02: unit, 0 for none, 1 inch, 2 centimetre, then x and y. */
function densityOfJfif(jfif: Uint8Array): Density | undefined {
  if (jfif.length < 12 || jfif[7] > 2) return undefined;
  const metres = [undefined, METRES_PER_INCH, 0.01][jfif[7]];
  return densityOf((jfif[8] << 8) | jfif[9], (jfif[10] << 8) | jfif[11], metres);
}

/** UTF-8, or Latin-1: the format does not say. */
function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).split('\0', 1)[0];
  } catch {
    return latin1(bytes).split('\0', 1)[0];
  }
}

/** Most bytes of a segment's content. */
const MOST = 65533;
const EXIF_MARKER = 'Exif\0\0';
const XMP_MARKER = 'http://ns.adobe.com/xap/1.0/\0';
const ICC_MARKER = 'ICC_PROFILE\0';
const APP2 = 0xe2;
const APP15 = 0xef;
const METRE_PER_CENTIMETRE = 0.01;

function segmentBytes({ marker, body }: Segment): Uint8Array {
  return Buffer.concat([Buffer.of(0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 255), body]);
}

export interface JpegMetadata {
  density: Density | undefined;
  exif: Uint8Array | undefined;
  xmp: Uint8Array | undefined;
  icc: Uint8Array | undefined;
  iptc: Uint8Array | undefined;
  comments: string[];
}

/**
 * The picture that sharp has coded with these metadata in place of its own.
 * @param lost is told what is too long for a segment
 */
export function withJpegMetadata(bytes: Uint8Array, metadata: JpegMetadata, lost: (what: string) => void): Uint8Array {
  const { density, exif, xmp, icc, iptc, comments } = metadata;
  const added: Segment[] = [{ marker: APP0, body: jfifOf(density) }];
  const add = (what: string, marker: number, start: string, body: Uint8Array | undefined): void => {
    if (body === undefined) return;
    if (start.length + body.length > MOST) lost(what);
    else added.push({ marker, body: Buffer.concat([Buffer.from(start, 'latin1'), body]) });
  };
  add('EXIF data', APP1, EXIF_MARKER, exif);
  add('XMP data', APP1, XMP_MARKER, xmp);
  if (icc !== undefined) added.push(...iccSegments(icc));
  add('IPTC data', APP13, '', iptc === undefined ? undefined : photoshopOf(iptc, true));
  for (const comment of comments) add('comment', COMMENT, '', Buffer.from(comment));
  let at = 2;
  const coding: Uint8Array[] = [];
  for (const segment of segments(bytes)) {
    const all = segmentBytes(segment);
    at += all.length;
    if (segment.marker < APP0 || (segment.marker > APP15 && segment.marker !== COMMENT)) coding.push(all);
  }
  return Buffer.concat([bytes.subarray(0, 2), ...added.map(segmentBytes), ...coding, bytes.subarray(at)]);
}

/** JFIF has whole numbers of 16 bits, by inch or centimetre: the unit that is nearer. */
function jfifOf(density: Density | undefined): Uint8Array {
  let [unit, x, y] = [0, 1, 1];
  if (density?.unit === 'none') [x, y] = [density.x, density.y];
  if (density?.unit === 'metre') {
    const off = (metres: number): number =>
      Math.abs(density.x * metres - Math.round(density.x * metres)) / metres +
      Math.abs(density.y * metres - Math.round(density.y * metres)) / metres;
    const metres = off(METRES_PER_INCH) <= off(METRE_PER_CENTIMETRE) ? METRES_PER_INCH : METRE_PER_CENTIMETRE;
    [unit, x, y] = [metres === METRES_PER_INCH ? 1 : 2, density.x * metres, density.y * metres].map(Math.round);
  }
  if (x < 1 || y < 1 || x > 65535 || y > 65535) [unit, x, y] = [0, 1, 1];
  const out = Buffer.from('JFIF\0\x01\x02\0\0\0\0\0\0\0', 'latin1');
  out[7] = unit;
  out.writeUInt16BE(x, 8);
  out.writeUInt16BE(y, 10);
  return out;
}

/** ICC.1 annex B.4: in pieces, each with its number and how many there are. */
function iccSegments(icc: Uint8Array): Segment[] {
  const size = MOST - ICC_MARKER.length - 2;
  const count = Math.ceil(icc.length / size);
  return Array.from({ length: count }, (_, i) => ({
    marker: APP2,
    body: Buffer.concat([
      Buffer.from(ICC_MARKER, 'latin1'),
      Uint8Array.of(i + 1, count),
      icc.subarray(i * size, (i + 1) * size),
    ]),
  }));
}
