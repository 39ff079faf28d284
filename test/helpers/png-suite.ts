/**
 * The files of the PngSuite (W. van Schaik), made anew: under each of its names a picture of the same kind, depth, size,
 * interlacing, filters, chunks and faults, though of other content.
 */
import { deflateSync } from 'node:zlib';
import type { DcompErrorCode } from '../../src/errors.js';
import type { Channels, Depth, Metadata, Samples } from '../../src/picture.js';
import { chunk, ihdr, makePng, png, SAMPLES, SIGNATURE, pixelData, type Pixels, type PngParts } from './make-png.js';

/** What a reader has to make of a file. */
export interface SuiteFile {
  name: string;
  bytes: Uint8Array;
  expected:
    | { width: number; height: number; channels: Channels; depth: Depth; data: Samples; metadata?: Metadata }
    | DcompErrorCode;
}

/** A smooth picture with a rim, of samples of any depth; a palette's indices likewise. */
function draw(width: number, height: number, colourType: number, depth: number, entries = 2 ** depth): Pixels {
  const range = entries - 1;
  const samples: number[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let s = 0; s < SAMPLES[colourType]; s++) {
        const wave = [(x + y) / (width + height), x / width, y / height, 1 - (x * y) / (width * height)][s];
        const rim = x === 0 || y === 0 || x === width - 1 || y === height - 1;
        samples.push(rim ? range : Math.floor(range * wave + 0.5));
      }
    }
  }
  return { width, height, colourType, depth, samples };
}

/** Red, green and blue of a palette of so many entries. */
function paletteOf(entries: number): Buffer {
  return Buffer.from(
    Array.from({ length: 3 * entries }, (_, i) =>
      Math.floor((i % 3 === 1 ? entries - 1 - i / 3 : i / 3) * (255 / Math.max(1, entries - 1))),
    ),
  );
}

/** The picture that pixels are, by the rules of PNG, sample by sample. @param transparency a colour, or alpha of palette entries */
function meaning(
  { width, height, colourType, depth, samples }: Pixels,
  palette?: Uint8Array,
  transparency?: number[],
): SuiteFile['expected'] {
  const n = width * height;
  const out: number[] = [];
  const perPixel = SAMPLES[colourType];
  const wide = depth === 16 ? 16 : transparency !== undefined || colourType === 3 ? 8 : (depth as Depth);
  const scale = (2 ** wide - 1) / (2 ** depth - 1);
  for (let i = 0; i < n; i++) {
    const own = Array.from({ length: perPixel }, (_, s) => samples[i * perPixel + s]);
    if (colourType === 3) {
      out.push(...[0, 1, 2].map((c) => palette![3 * own[0] + c]));
      if (transparency !== undefined) out.push(transparency[own[0]] ?? 255);
    } else {
      out.push(...own.map((v) => v * scale));
      if (transparency !== undefined) out.push(own.every((v, s) => v === transparency[s]) ? 0 : 2 ** wide - 1);
    }
  }
  const data = wide === 16 ? Uint16Array.from(out) : Uint8Array.from(out);
  return { width, height, channels: (out.length / n) as Channels, depth: wide, data };
}

const u16 = (...values: number[]): Buffer => Buffer.from(values.flatMap((v) => [v >> 8, v & 255]));
const u32 = (...values: number[]): Buffer => Buffer.concat(values.map((v) => u16(v >>> 16, v & 65535)));

/** A name ends in i if interlaced, the colour type with a letter, and two digits of depth. */
function kindOf(name: string): { interlaced: boolean; colourType: number; depth: number } {
  const [, interlace, digit, depth] = /(.)(\d)[gcpa](\d\d)$/.exec(name)!;
  return { interlaced: interlace === 'i', colourType: Number(digit), depth: Number(depth) };
}

function good(
  name: string,
  parts: PngParts & { size?: number; palette?: number; transparency?: number[]; metadata?: Metadata } = {},
): SuiteFile {
  const { interlaced, colourType, depth } = kindOf(name);
  const entries = parts.palette ?? 2 ** Math.min(depth, 8);
  const pixels = draw(parts.size ?? 32, parts.size ?? 32, colourType, depth, colourType === 3 ? entries : undefined);
  const palette = colourType === 3 ? paletteOf(entries) : undefined;
  const { transparency, metadata } = parts;
  const before = [
    ...(parts.before ?? []),
    ...(palette === undefined ? [] : [chunk('PLTE', palette)]),
    ...(transparency === undefined
      ? []
      : [chunk('tRNS', colourType === 3 ? Buffer.from(transparency) : u16(...transparency))]),
  ];
  const expected = meaning(pixels, palette, transparency);
  if (typeof expected !== 'string' && metadata !== undefined) expected.metadata = metadata;
  return { name, bytes: makePng(pixels, { ...parts, interlaced, before }), expected };
}

function bad(name: string, bytes: Uint8Array, expected: DcompErrorCode): SuiteFile {
  return { name, bytes, expected };
}

/** Keywords and texts of the PngSuite's text files, shortened. */
const TITLE = { keyword: 'Title', text: 'PngSuite' };
const AUTHOR = { keyword: 'Author', text: 'somebody\nsomewhere' };

function text(name: 'tEXt' | 'zTXt', entry: { keyword: string; text: string }): Buffer {
  const start = Buffer.from(`${entry.keyword}\0`, 'latin1');
  const content = Buffer.from(entry.text, 'latin1');
  return chunk(name, Buffer.concat(name === 'tEXt' ? [start, content] : [start, Buffer.of(0), deflateSync(content)]));
}

function international(
  keyword: string,
  language: string,
  translatedKeyword: string,
  content: string,
  compressed: boolean,
): Buffer {
  const bytes = compressed ? deflateSync(Buffer.from(content)) : Buffer.from(content);
  return chunk(
    'iTXt',
    Buffer.concat([
      Buffer.from(`${keyword}\0${compressed ? '\x01' : '\0'}\0${language}\0${translatedKeyword}\0`),
      bytes,
    ]),
  );
}

const KINDS = [
  '0g01',
  '0g02',
  '0g04',
  '0g08',
  '0g16',
  '2c08',
  '2c16',
  '3p01',
  '3p02',
  '3p04',
  '3p08',
  '4a08',
  '4a16',
  '6a08',
  '6a16',
];

export function pngSuite(): SuiteFile[] {
  const grey = draw(32, 32, 0, 8);
  const tiny = draw(32, 32, 0, 4);
  const whole = good('basn0g04').bytes;
  const exif = Uint8Array.from(Buffer.from('4d4d002a00000008000101120003000000010006000000000000', 'hex')); // orientation 6
  const changed = (bytes: Uint8Array, at: number, value: number): Buffer => {
    const copy = Buffer.from(bytes);
    copy[at] = value;
    return copy;
  };
  return [
    // Basic formats, plain and interlaced.
    ...['n', 'i'].flatMap((mode) => KINDS.map((kind) => good(`bas${mode}${kind}`))),
    // Odd sizes.
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 32, 33, 34, 35, 36, 37, 38, 39, 40].flatMap((size) =>
      ['n', 'i'].map((mode) =>
        good(`s${String(size).padStart(2, '0')}${mode}3p${size < 9 ? '01' : size < 32 ? '02' : '04'}`, { size }),
      ),
    ),
    // Background colours.
    ...['bgai4a08', 'bgai4a16', 'bgan6a08', 'bgan6a16'].map((name) => good(name)),
    good('bgbn4a08', { before: [chunk('bKGD', u16(0))] }),
    good('bggn4a16', { before: [chunk('bKGD', u16(0xaaaa))] }),
    good('bgwn6a08', { before: [chunk('bKGD', u16(255, 255, 255))] }),
    good('bgyn6a16', { before: [chunk('bKGD', u16(65535, 65535, 0))] }),
    // Transparency, with and without a background.
    good('tbbn0g04', { transparency: [15], before: [chunk('bKGD', u16(0))] }),
    good('tbbn2c16', { transparency: [65535, 65535, 65535], before: [chunk('bKGD', u16(0, 0, 65535))] }),
    good('tbbn3p08', { transparency: [0] }),
    good('tbgn2c16', { transparency: [65535, 65535, 65535], before: [chunk('bKGD', u16(0, 65535, 0))] }),
    good('tbgn3p08', { transparency: [0] }),
    good('tbrn2c08', { transparency: [255, 255, 255], before: [chunk('bKGD', u16(255, 0, 0))] }),
    good('tbwn0g16', { transparency: [65535], before: [chunk('bKGD', u16(65535))] }),
    good('tbwn3p08', { transparency: [0] }),
    good('tbyn3p08', { transparency: [0] }),
    good('tp0n0g08'),
    good('tp0n2c08'),
    good('tp0n3p08'),
    good('tp1n3p08', { transparency: [0] }),
    good('tm3n3p02', { transparency: [0, 85, 170, 255] }),
    // Gamma.
    ...['03', '04', '05', '07', '10', '25'].flatMap((gamma) =>
      ['0g16', '2c08', '3p04'].map((kind) =>
        good(`g${gamma}n${kind}`, {
          before: [chunk('gAMA', u32(Number(gamma) * 10000))],
          metadata: { gamma: Number(gamma) * 10000 },
        }),
      ),
    ),
    // Filters.
    ...[0, 1, 2, 3, 4].flatMap((type) =>
      ['0g08', '2c08'].map((kind) => good(`f${String(type).padStart(2, '0')}n${kind}`, { filterOf: () => type })),
    ),
    good('f99n0g04', { filterOf: (row) => row % 5 }),
    // Additional palettes.
    good('pp0n2c16', { before: [chunk('PLTE', paletteOf(216))] }),
    good('pp0n6a08', { before: [chunk('PLTE', paletteOf(216))] }),
    ...['ps1n0g08', 'ps1n2c16', 'ps2n0g08', 'ps2n2c16'].map((name) => {
      const depth = name[2] === '1' ? 8 : 16;
      return good(name, {
        before: [
          chunk(
            'sPLT',
            Buffer.concat([Buffer.from(`six\0${String.fromCharCode(depth)}`), Buffer.alloc(depth === 8 ? 6 : 10)]),
          ),
        ],
      });
    }),
    // Ancillary chunks.
    good('ccwn2c08', { before: [chunk('cHRM', u32(31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))] }),
    good('ccwn3p08', { before: [chunk('cHRM', u32(31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))] }),
    good('cdfn2c08', {
      before: [chunk('pHYs', Buffer.concat([u32(1, 4), Buffer.of(0)]))],
      metadata: { density: { x: 1, y: 4, unit: 'none' } },
    }),
    good('cdhn2c08', {
      before: [chunk('pHYs', Buffer.concat([u32(4, 1), Buffer.of(0)]))],
      metadata: { density: { x: 4, y: 1, unit: 'none' } },
    }),
    good('cdsn2c08', {
      before: [chunk('pHYs', Buffer.concat([u32(1, 1), Buffer.of(0)]))],
      metadata: { density: { x: 1, y: 1, unit: 'none' } },
    }),
    good('cdun2c08', {
      before: [chunk('pHYs', Buffer.concat([u32(1000, 1000), Buffer.of(1)]))],
      metadata: { density: { x: 1000, y: 1000, unit: 'metre' } },
    }),
    good('ch1n3p04'),
    good('ch2n3p08', { after: [chunk('hIST', Buffer.alloc(512, 1))] }),
    ...['cm0n0g04', 'cm7n0g04', 'cm9n0g04'].map((name) =>
      good(name, {
        before: [chunk('tIME', Buffer.of(7, 178, 1, 1, 0, 0, 0))],
        metadata: { modified: '1970-01-01T00:00:00Z' },
      }),
    ),
    good('cs3n2c16', { before: [chunk('sBIT', Buffer.of(13, 13, 13))] }),
    good('cs3n3p08', { before: [chunk('sBIT', Buffer.of(3, 3, 3))] }),
    good('cs5n2c08', { before: [chunk('sBIT', Buffer.of(5, 5, 5))] }),
    good('cs5n3p08', { before: [chunk('sBIT', Buffer.of(5, 5, 5))] }),
    good('cs8n2c08', { before: [chunk('sBIT', Buffer.of(8, 8, 8))] }),
    good('cs8n3p08', { before: [chunk('sBIT', Buffer.of(8, 8, 8))] }),
    good('ct0n0g04'),
    good('ct1n0g04', {
      before: [text('tEXt', TITLE)],
      after: [text('tEXt', AUTHOR)],
      metadata: { text: [TITLE, AUTHOR] },
    }),
    good('ctzn0g04', {
      before: [text('tEXt', TITLE)],
      after: [text('zTXt', AUTHOR)],
      metadata: { text: [TITLE, AUTHOR] },
    }),
    ...[
      ['cten0g04', 'en', 'Title', 'PngSuite', false],
      ['ctfn0g04', 'fi', 'Otsikko', 'PngSuite kokeilua', false],
      ['ctgn0g04', 'el', 'Τίτλος', 'Δοκιμή', true],
      ['cthn0g04', 'hi', 'शीर्षक', 'परीक्षण', true],
      ['ctjn0g04', 'ja', 'タイトル', '試験', false],
    ].map(([name, language, translatedKeyword, content, compressed]) =>
      good(name as string, {
        before: [
          international(
            'Title',
            language as string,
            translatedKeyword as string,
            content as string,
            compressed as boolean,
          ),
        ],
        metadata: {
          text: [
            {
              keyword: 'Title',
              text: content as string,
              language: language as string,
              translatedKeyword: translatedKeyword as string,
            },
          ],
        },
      }),
    ),
    good('exif2c08', { before: [chunk('eXIf', exif)], metadata: { exif, orientation: 6 } }),
    // Pixel data in pieces.
    ...['0g16', '2c16'].flatMap((kind) => [
      good(`oi1n${kind}`),
      good(`oi2n${kind}`, { pieces: [100] }),
      good(`oi4n${kind}`, { pieces: [40, 50, 60] }),
      good(`oi9n${kind}`, { pieces: Array<number>(60).fill(1) }),
    ]),
    // Compression levels.
    ...[0, 3, 6, 9].map((level) => good(`z0${level}n2c08`, { level })),
    // Broken files.
    bad('xs1n0g01', changed(whole, 0, 0x88), 'E_NOT_PNG'),
    bad('xs2n0g01', changed(whole, 1, 0x51), 'E_NOT_PNG'),
    bad('xs4n0g01', changed(whole, 3, 0x67), 'E_NOT_PNG'),
    bad('xs7n0g01', changed(whole, 6, 0x1b), 'E_NOT_PNG'),
    bad('xcrn0g04', Buffer.from(Buffer.from(whole).toString('latin1').replaceAll('\n', '\r'), 'latin1'), 'E_NOT_PNG'),
    bad('xlfn0g04', Buffer.from(Buffer.from(whole).toString('latin1').replaceAll('\r', '\n'), 'latin1'), 'E_NOT_PNG'),
    bad('xhdn0g08', changed(good('basn0g08').bytes, 29, 0), 'E_DAMAGED_PNG'),
    bad('xc1n0g08', png(ihdr(32, 32, 8, 1), chunk('IDAT', deflateSync(pixelData(grey)))), 'E_DAMAGED_PNG'),
    bad('xc9n2c08', png(ihdr(32, 32, 8, 9), chunk('IDAT', deflateSync(pixelData(grey)))), 'E_DAMAGED_PNG'),
    ...[0, 3, 99].map((depth) =>
      bad(
        `xd${depth % 90}n2c08`,
        png(ihdr(32, 32, depth, 2), chunk('IDAT', deflateSync(pixelData(grey)))),
        'E_DAMAGED_PNG',
      ),
    ),
    bad('xdtn0g01', Buffer.concat([SIGNATURE, ihdr(32, 32, 1, 0), chunk('IEND')]), 'E_DAMAGED_PNG'),
    bad('xcsn0g01', changed(makePng(tiny), 45, 0), 'E_DAMAGED_PNG'),
  ];
}
