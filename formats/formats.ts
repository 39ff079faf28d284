/** Picture formats, by what a file begins with and by what a name ends in. */
import { extname } from 'node:path';
import { DcompError } from '../src/errors.js';
import { bytesOf, mustBe } from '../src/options.js';
import { oneLine } from './text.js';

/** Formats that are written: PNG by dcomp itself, the others by the optional package sharp. */
export const PICTURE_FORMATS = ['png', 'jpeg', 'webp', 'avif', 'tiff'] as const;
/** Name of a picture format. */
export type PictureFormat = (typeof PICTURE_FORMATS)[number];

/** Formats that are read. HEIC needs a sharp with HEVC, JPEG XL the optional package wasm-vips. */
export const READ_FORMATS = [...PICTURE_FORMATS, 'gif', 'bmp', 'jxl', 'heic'] as const;
/** A format that is read. */
export type ReadFormat = (typeof READ_FORMATS)[number];

/** As people write them. */
export const FORMAT_NAMES: Record<ReadFormat, string> = {
  png: 'PNG',
  jpeg: 'JPEG',
  webp: 'WebP',
  avif: 'AVIF',
  tiff: 'TIFF',
  gif: 'GIF',
  bmp: 'BMP',
  jxl: 'JPEG XL',
  heic: 'HEIC',
};

/** All of them, for messages. */
export const READ_NAMES = READ_FORMATS.map((format) => FORMAT_NAMES[format]).join(', ');

const BY_EXTENSION: Record<string, PictureFormat> = {
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.jpe': 'jpeg',
  '.webp': 'webp',
  '.avif': 'avif',
  '.tif': 'tiff',
  '.tiff': 'tiff',
};

/** Extensions of pictures that are read and not written: under such a name nobody expects a PNG. */
const READ_ONLY_EXTENSIONS = ['.gif', '.bmp', '.dib', '.jxl', '.heic', '.heif'];

/** All extensions of pictures that can be read, with their dots. */
export const PICTURE_EXTENSIONS: readonly string[] = [...Object.keys(BY_EXTENSION), ...READ_ONLY_EXTENSIONS];

/** Extensions of pictures that nothing here writes: under such a name nobody expects a PNG. */
const OTHER_EXTENSIONS = [...READ_ONLY_EXTENSIONS, '.jp2', '.pbm', '.pgm', '.pnm', '.ppm', '.psd', '.svg', '.tga'];

/** By the extension of an output's name, undefined if it says nothing. @throws DcompError E_USAGE for formats that are not written */
export function formatOfName(path: string): PictureFormat | undefined {
  if (typeof path !== 'string') throw mustBe('the path', path, 'a string');
  const extension = extname(path).toLowerCase();
  if (OTHER_EXTENSIONS.includes(extension)) {
    const names = PICTURE_FORMATS.map((format) => FORMAT_NAMES[format]).join(', ');
    throw new DcompError(
      'E_USAGE',
      `${oneLine(path)}: pictures are written as ${names}, not as ${extension}; name another, or give --format`,
    );
  }
  return BY_EXTENSION[extension];
}

/** The extension that files of a format usually have. */
export function extensionOf(format: PictureFormat): string {
  return format === 'jpeg' ? '.jpg' : format === 'tiff' ? '.tif' : `.${format}`;
}

/** A format's name as given by the user, `jpg` and `tif` too. @throws DcompError E_USAGE */
export function formatOfOption(text: string): PictureFormat {
  const format = BY_EXTENSION[`.${text.toLowerCase()}`];
  if (format === undefined)
    throw new DcompError('E_USAGE', `--format is ${text}; it must be one of ${PICTURE_FORMATS.join(', ')}`);
  return format;
}

/** What `formatOfBytes` calls a file of dcomp's own. */
export const CODED = 'a .dcz file';

/** By a file's first bytes; a name or undefined for what is not read. @throws DcompError E_USAGE */
export function formatOfBytes(file: Uint8Array): { format: ReadFormat } | { name: string | undefined } {
  const start = String.fromCharCode(...bytesOf(file, 'the file').subarray(0, 32));
  if (start.startsWith('\x89PNG')) return { format: 'png' };
  if (start.startsWith('\xff\xd8\xff')) return { format: 'jpeg' };
  if (start.startsWith('RIFF') && start.slice(8, 12) === 'WEBP') return { format: 'webp' };
  if (/^(II[*+]\0|MM\0[*+])/.test(start)) return { format: 'tiff' };
  if (start.slice(4, 8) === 'ftyp') {
    // The major brand, or one of the first compatible ones.
    if (/avi[fs]/.test(start.slice(8))) return { format: 'avif' };
    if (/hei[cxms]|hev[cx]|mif1|msf1/.test(start.slice(8))) return { format: 'heic' };
    return { name: 'an MP4 or another video' };
  }
  if (/^GIF8[79]a/.test(start)) return { format: 'gif' };
  if (start.startsWith('BM')) return { format: 'bmp' };
  if (/^P[1-7]\s/.test(start)) return { name: 'a PNM' };
  if (start.startsWith('\xff\x0a') || start.slice(4, 8) === 'JXL ') return { format: 'jxl' };
  if (start.startsWith('8BPS')) return { name: 'a Photoshop file' };
  if (start.startsWith('\x8dDCZ')) return { name: CODED };
  return { name: undefined };
}
