/** The entries of EXIF that are needed: orientation and density (CIPA DC-008), and whether there is more. */
import type { Density } from '../src/picture.js';
import { readDirectories, readDirectoryAt } from './tiff.js';

const ORIENTATION = 0x0112;
const SHORT = 3;
const RATIONAL = 5;
const UNIT_NONE = 1;
const UNIT_CENTIMETRE = 3;

/** EXIF without the marker that JPEG puts before it; undefined if it is none. */
export function tiffOf(exif: Uint8Array): Uint8Array | undefined {
  const marker = [0x45, 0x78, 0x69, 0x66, 0, 0]; // "Exif\0\0"
  const tiff = marker.every((byte, i) => exif[i] === byte) ? exif.subarray(marker.length) : exif;
  return byteOrder(tiff) === undefined ? undefined : tiff;
}

/** Little-endian? undefined if the bytes are no TIFF structure. */
function byteOrder(exif: Uint8Array): boolean | undefined {
  const start = String.fromCharCode(...exif.subarray(0, 4));
  return start === 'II*\0' ? true : start === 'MM\0*' ? false : undefined;
}

/** Where the value of the orientation stands, and what it is. */
function find(exif: Uint8Array): { at: number; little: boolean; value: number } | undefined {
  const little = byteOrder(exif);
  if (little === undefined || exif.length < 8) return undefined;
  const view = new DataView(exif.buffer, exif.byteOffset, exif.length);
  const directory = view.getUint32(4, little);
  if (directory + 2 > exif.length) return undefined;
  const entries = view.getUint16(directory, little);
  for (let i = 0; i < entries; i++) {
    const at = directory + 2 + 12 * i;
    if (at + 12 > exif.length) return undefined;
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    const fits = view.getUint16(at + 2, little) === SHORT && view.getUint32(at + 4, little) === 1;
    return fits ? { at: at + 8, little, value: view.getUint16(at + 8, little) } : undefined;
  }
  return undefined;
}

/** 1 to 8, undefined if there is none. */
export function orientationOf(exif: Uint8Array): number | undefined {
  const value = find(exif)?.value;
  return value !== undefined && value >= 1 && value <= 8 ? value : undefined;
}

/** The same EXIF with another orientation; one is added where there is none and it is not 1. */
export function withOrientation(exif: Uint8Array, orientation: number): Uint8Array {
  const found = find(exif);
  if (found === undefined)
    return orientation === 1 ? exif : withEntries(exif, [{ tag: ORIENTATION, value: orientation }]);
  if (found.value === orientation) return exif;
  const copy = new Uint8Array(exif); // `slice` of a Buffer would be the same memory
  new DataView(copy.buffer).setUint16(found.at, orientation, found.little);
  return copy;
}

/** A SHORT, or a fraction. */
interface Entry {
  tag: number;
  value: number | [numerator: number, denominator: number];
}

/** The first directory written anew at the end, with more entries; the same EXIF where there is no directory. */
function withEntries(exif: Uint8Array, added: Entry[]): Uint8Array {
  const little = byteOrder(exif);
  const view = new DataView(exif.buffer, exif.byteOffset, exif.length);
  const directory = little === undefined || exif.length < 8 ? exif.length : view.getUint32(4, little);
  const count = directory + 2 > exif.length ? 0 : view.getUint16(directory, little);
  const old = exif.subarray(directory + 2, directory + 2 + 12 * count + 4);
  if (count > 0 && old.length < 12 * count) return exif;
  if (directory + 2 > exif.length) return exif;
  const start = exif.length + (exif.length & 1);
  const total = count + added.length;
  let place = start + 2 + 12 * total + 4;
  const out = new Uint8Array(place + 8 * added.filter(({ value }) => typeof value !== 'number').length);
  const written = new DataView(out.buffer);
  out.set(exif);
  written.setUint32(4, start, little);
  written.setUint16(start, total, little);
  const entries = Array.from({ length: count }, (_, i) => ({
    tag: view.getUint16(directory + 2 + 12 * i, little),
    bytes: old.subarray(12 * i, 12 * i + 12),
  }));
  for (const { tag, value } of added) {
    const bytes = new Uint8Array(12);
    const entry = new DataView(bytes.buffer);
    entry.setUint16(0, tag, little);
    entry.setUint16(2, typeof value === 'number' ? SHORT : RATIONAL, little);
    entry.setUint32(4, 1, little);
    if (typeof value === 'number') entry.setUint16(8, value, little);
    else {
      entry.setUint32(8, place, little);
      value.forEach((part, i) => written.setUint32(place + 4 * i, part, little));
      place += 8;
    }
    entries.push({ tag, bytes });
  }
  // Entries are in the order of their tags.
  entries.sort((a, b) => a.tag - b.tag).forEach(({ bytes }, i) => out.set(bytes, start + 2 + 12 * i));
  out.set(old.subarray(12 * count), start + 2 + 12 * total); // where the next directory is
  return out;
}

/** The shortest EXIF that says an orientation. */
export function exifOfOrientation(orientation: number): Uint8Array {
  const directory = [0, 1, 0x01, 0x12, 0, SHORT, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
  return Uint8Array.of(0x4d, 0x4d, 0, 0x2a, 0, 0, 0, 8, ...directory);
}

/** Pixels per centimetre as hundredths of those per metre. */
function densityEntries({ x, y, unit }: Density): Entry[] {
  const divisor = unit === 'metre' ? 100 : 1;
  return [
    { tag: 0x011a, value: [x, divisor] },
    { tag: 0x011b, value: [y, divisor] },
    { tag: 0x0128, value: unit === 'metre' ? UNIT_CENTIMETRE : UNIT_NONE },
  ];
}

/** A directory of no entries. */
const EMPTY = Uint8Array.of(0x4d, 0x4d, 0, 0x2a, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0);

/** EXIF that says the orientation, and the density where the EXIF says none; none where there is nothing to say. */
export function exifOf(
  exif: Uint8Array | undefined,
  orientation: number | undefined,
  density?: Density,
): Uint8Array | undefined {
  let out = exif;
  if (density !== undefined && (exif === undefined || readDirectories(exif)[0]?.tags.has(0x011a) !== true))
    out = withEntries(exif ?? EMPTY, densityEntries(density));
  if (out !== undefined) return orientation === undefined ? out : withOrientation(out, orientation);
  return orientation === undefined || orientation === 1 ? undefined : exifOfOrientation(orientation);
}

/** Pixels per unit; undefined if it says nothing of them. */
export function exifDensity(exif: Uint8Array): Density | undefined {
  return readDirectories(exif)[0]?.density;
}

/** Is there anything in it beside the orientation? */
export function saysMore(exif: Uint8Array): boolean {
  const directories = readDirectories(exif);
  return directories.length !== 1 || [...directories[0].tags].some((tag) => tag !== ORIENTATION);
}

const INTEROPERABILITY = 0xa005;
const INDEX = 1;

/** DCF: does it say that the samples are Adobe RGB? */
export function isAdobeRgb(exif: Uint8Array): boolean {
  const at = readDirectories(exif)[0]?.exifAt;
  const interoperability = at === undefined ? undefined : readDirectoryAt(exif, at)?.pointers.get(INTEROPERABILITY);
  if (interoperability === undefined) return false;
  return readDirectoryAt(exif, interoperability)?.text(INDEX) === 'R03';
}
