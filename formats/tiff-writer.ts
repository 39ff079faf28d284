/** Tags put into a TIFF that sharp has coded: metadata as they are, not as libvips rounds or invents them. */
import type { Density, Text } from '../src/picture.js';
import { TIFF_TEXTS } from './tiff-texts.js';

export interface TiffMetadata {
  density: Density | undefined;
  orientation: number | undefined;
  icc: Uint8Array | undefined;
  xmp: Uint8Array | undefined;
  iptc: Uint8Array | undefined;
  texts: readonly Text[];
}

interface Entry {
  type: number;
  count: number;
  /** Little-endian. */
  value: Uint8Array;
}

const BYTE = 1;
const ASCII = 2;
const SHORT = 3;
const RATIONAL = 5;
const UNDEFINED = 7;
const RESOLUTION_UNIT = 296;
/** Resolutions are fractions of this: pixels per metre as those per centimetre. */
const CENTIMETRES = 100;
const UNIT_NONE = 1;
const UNIT_CENTIMETRE = 3;

function shortEntry(value: number): Entry {
  return { type: SHORT, count: 1, value: Uint8Array.of(value & 255, value >> 8) };
}

function rational(numerator: number, denominator: number): Entry {
  const value = Buffer.alloc(8);
  value.writeUInt32LE(numerator, 0);
  value.writeUInt32LE(denominator, 4);
  return { type: RATIONAL, count: 1, value };
}

/** Without a density, pixels are square and have no size. */
function resolution(density: Density | undefined): [number, Entry][] {
  const metre = density?.unit === 'metre';
  const { x, y } = density ?? { x: 1, y: 1 };
  const divisor = metre ? CENTIMETRES : 1;
  return [
    [282, rational(x, divisor)],
    [283, rational(y, divisor)],
    [RESOLUTION_UNIT, shortEntry(metre ? UNIT_CENTIMETRE : UNIT_NONE)],
  ];
}

/** @param bytes a little-endian TIFF of one picture, as libtiff writes it */
export function withTiffMetadata(bytes: Uint8Array, metadata: TiffMetadata): Uint8Array {
  const { orientation, icc, xmp, iptc, texts } = metadata;
  const added = new Map<number, Entry>(resolution(metadata.density));
  const blob = (tag: number, type: number, value: Uint8Array | undefined): void => {
    if (value !== undefined) added.set(tag, { type, count: value.length, value });
  };
  blob(34675, UNDEFINED, icc);
  blob(700, BYTE, xmp);
  blob(33723, UNDEFINED, iptc);
  added.set(274, shortEntry(orientation ?? 1));
  for (const { keyword, text } of texts) {
    const tag = TIFF_TEXTS.find(([, name]) => name === keyword)?.[0];
    const value = Buffer.from(`${text}\0`);
    if (tag !== undefined && !added.has(tag)) added.set(tag, { type: ASCII, count: value.length, value });
  }
  return withEntries(Buffer.from(bytes), added);
}

/** The directory written anew at the file's end, with these entries in place of those of the same tags. */
function withEntries(file: Buffer, added: Map<number, Entry>): Uint8Array {
  const directory = file.readUInt32LE(4);
  const entries = new Map<number, Buffer>();
  for (let i = 0; i < file.readUInt16LE(directory); i++) {
    const at = directory + 2 + 12 * i;
    entries.set(file.readUInt16LE(at), file.subarray(at, at + 12));
  }
  const pieces = [file, Buffer.alloc(file.length & 1)];
  let end = file.length + (file.length & 1);
  for (const [tag, { type, count, value }] of added) {
    const entry = Buffer.alloc(12);
    entry.writeUInt16LE(tag, 0);
    entry.writeUInt16LE(type, 2);
    entry.writeUInt32LE(count, 4);
    if (value.length <= 4) entry.set(value, 8);
    else {
      entry.writeUInt32LE(end, 8);
      pieces.push(Buffer.from(value), Buffer.alloc(value.length & 1));
      end += value.length + (value.length & 1);
    }
    entries.set(tag, entry);
  }
  const count = Buffer.alloc(2);
  count.writeUInt16LE(entries.size);
  const sorted = [...entries].sort(([a], [b]) => a - b).map(([, entry]) => entry);
  const out = Buffer.concat([...pieces, count, ...sorted, Buffer.alloc(4)]);
  out.writeUInt32LE(end, 4);
  return out;
}
