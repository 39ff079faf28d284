import { DcompError } from './errors.js';
import { advice, BYTES, bytesOf, checkObject, isOneOf, shown, viewOf } from './options.js';
import { finish, type Pieces } from './turns.js';

/** Most pixels that format version 1 codes; a header that claims more is refused before anything is allocated. */
export const MAX_PIXELS = 2 ** 28;
/** Most pixels unless the caller says otherwise: the best file of so many takes minutes on a usual machine, not hours. */
export const DEFAULT_MAX_PIXELS = 2 ** 25;
/** Longest side that format version 1 codes. */
export const MAX_SIDE = 65535;

/** 1 = grey, 2 = grey + alpha, 3 = RGB, 4 = RGB + alpha. Alpha is straight (not premultiplied). */
export type Channels = 1 | 2 | 3 | 4;

/** Bits of a sample; less than 8 for grey alone. */
export type Depth = 1 | 2 | 4 | 8 | 16;

/** Samples of 16 bits, or of 8 and less. */
export type Samples = Uint8Array | Uint16Array;

/** A picture: rows from top to bottom, samples interleaved, sRGB unless the metadata say something else. */
export interface Picture {
  /** 1..65535 */
  width: number;
  /** 1..65535 */
  height: number;
  channels: Channels;
  /** Bits of a sample. Default: 16 for a Uint16Array, else 8. */
  depth?: Depth;
  /** width · height · channels samples, 0..2^depth − 1: a Uint16Array for 16 bits, else a Uint8Array. */
  data: Samples;
  metadata?: Metadata;
}

/**
 * What belongs to a picture beside its samples. Profile, EXIF, XMP and IPTC have 2^23 bytes each at most, all texts together 2^21
 * characters.
 */
export interface Metadata {
  /** ICC profile. */
  icc?: Uint8Array;
  /** What the samples mean by code points; counts before a profile. */
  cicp?: Cicp;
  /** Exponent of the samples, as PNG's gAMA: whole number, 1/100000, 1..2^31 − 1. Counts only without `cicp` and `icc`. */
  gamma?: number;
  /** Primaries, as PNG's cHRM. Count only without `cicp` and `icc`. */
  chromaticities?: Chromaticities;
  /** How the picture is to be turned or mirrored to be seen, as EXIF has it: 1 (not at all, the default) to 8. The samples are not turned. */
  orientation?: number;
  density?: Density;
  /** EXIF: a TIFF structure, beginning with `II` or `MM`. */
  exif?: Uint8Array;
  /** XMP packet: XML in UTF-8. */
  xmp?: Uint8Array;
  text?: Text[];
  /** IPTC: the records of IIM, beginning with 1c. */
  iptc?: Uint8Array;
  /** When the picture was changed last, UTC: `2026-11-28T06:41:00Z`. */
  modified?: string;
}

/** Code points of ITU-T H.273, 1 to 255: of PQ in BT.2020 9 and 16, of HLG 9 and 18, of Display P3 12 and 13. The samples are RGB, from black 0 to white 2^depth − 1. */
export interface Cicp {
  primaries: number;
  transfer: number;
}

/** CIE x and y of the white and the primaries: whole numbers, 1/100000, 0..2^31 − 1. */
export interface Chromaticities {
  white: [x: number, y: number];
  red: [x: number, y: number];
  green: [x: number, y: number];
  blue: [x: number, y: number];
}

/** Pixels per unit, as in PNG: whole numbers, 0..2^31 − 1; without a unit they are the shape of a pixel. */
export interface Density {
  x: number;
  y: number;
  unit: 'metre' | 'none';
}

/** A text of a PNG, as its text chunks have it. */
export interface Text {
  /** 1 to 79 characters of Latin-1: `Title`, `Author`, `Copyright`, … */
  keyword: string;
  text: string;
  /** Language of the text, such as `de-AT`, and the keyword in it. */
  language?: string;
  translatedKeyword?: string;
}

/** Most texts. */
export const MAX_TEXTS = 4096;
/** Most bytes of a profile, of EXIF, XMP, IPTC, and of all texts together. */
export const MAX_METADATA_BYTES = 2 ** 23;

export function depthOf({ depth, data }: Picture): Depth {
  return depth === undefined ? (data instanceof Uint16Array ? 16 : 8) : depth;
}

/** Largest sample of a depth. */
export function rangeOf(depth: Depth): number {
  return 2 ** depth - 1;
}

/** Zeros. */
export function newSamples(length: number, depth: Depth): Samples {
  return depth === 16 ? new Uint16Array(length) : new Uint8Array(length);
}

/** All that there are. */
export const DEPTHS = [1, 2, 4, 8, 16] as const;

/**
 * The samples in another depth, rounded to the nearest: v · (2^to − 1) / (2^from − 1). Those of a picture that has it already
 * are not copied.
 * @throws DcompError E_PICTURE, E_TOO_LARGE, E_USAGE
 */
export function withDepth(source: Picture, depth: Depth): Picture {
  return finish(withDepthInPieces(source, depth));
}

/** Samples that are converted in a piece. */
const PIECE = 2 ** 20;

/** As `withDepth`. */
export function* withDepthInPieces(source: Picture, depth: Depth): Pieces<Picture> {
  const picture = pictureOf(source);
  const from = depthOf(picture);
  if (from === isOneOf(DEPTHS)(depth, 'depth')) return picture;
  if (depth < 8 && picture.channels !== 1) throw bad(`depth is ${depth} bits, which only a grey picture can have`);
  const most = rangeOf(from);
  const range = rangeOf(depth);
  const data = newSamples(picture.data.length, depth);
  for (let i = 0; i < data.length; i++) {
    if (i % PIECE === 0) yield;
    data[i] = Math.floor((picture.data[i]! * range) / most + 0.5);
  }
  return { ...picture, depth, data };
}

function bad(message: string): DcompError {
  return new DcompError('E_PICTURE', message);
}

/**
 * A caller's picture, checked, as the codec takes it. Samples and metadata may be in any buffer or view of the right length,
 * which is not copied; an ImageData of a canvas, which has no `channels`, is RGB + alpha.
 * @throws DcompError E_PICTURE (inconsistent) or E_TOO_LARGE
 */
export function pictureOf(value: unknown): Picture {
  if (typeof value !== 'object' || value === null)
    throw bad(`the picture is ${shown(value)}; it must be an object with width, height, channels and data`);
  const { width, height, depth, data, metadata, colorSpace } = value as Picture & { colorSpace?: unknown };
  let { channels } = value as Picture;
  if (channels === undefined && data instanceof Uint8ClampedArray) {
    if (colorSpace !== undefined && colorSpace !== 'srgb')
      throw bad(`the picture is an ImageData of the colour space ${shown(colorSpace)}; get it as srgb`);
    channels = 4;
  }
  const picture: Picture = { width, height, channels, data: samplesOf(data, depth) };
  if (depth !== undefined) picture.depth = depth;
  if (metadata !== undefined) picture.metadata = metadataOf(metadata);
  checkPicture(picture);
  return picture;
}

/** Samples as the array that their depth asks for, where they are in another kind of view. @throws DcompError E_PICTURE */
function samplesOf(data: unknown, depth: Depth | undefined): Samples {
  if (data instanceof Uint8Array || data instanceof Uint16Array) return data;
  const kind = Object.prototype.toString.call(data).slice('[object '.length, -1);
  const wide = kind === 'Uint16Array' || (depth === 16 && BYTES.includes(kind));
  if (!wide && !BYTES.includes(kind))
    throw bad(`picture.data is ${shown(data)}; it must be a Uint8Array, or a Uint16Array for 16 bits${advice(data)}`);
  return asPicture(() =>
    wide
      ? viewOf(data as object, 'picture.data', (buffer, offset, length) =>
          offset % 2 === 0 && length % 2 === 0
            ? new Uint16Array(buffer, offset, length / 2)
            : new Uint16Array(buffer.slice(offset, offset + length - (length % 2))),
        )
      : bytesOf(data, 'picture.data'),
  );
}

/** What is said against a value is then said against a picture. */
function asPicture<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof DcompError ? new DcompError('E_PICTURE', error.message, { cause: error }) : error;
  }
}

/**
 * Checks that a picture is what its fields say.
 * @throws DcompError E_PICTURE (inconsistent) or E_TOO_LARGE.
 */
export function checkPicture(picture: Picture): void {
  const { width, height, channels, data, metadata } = picture;
  for (const [name, side] of [
    ['width', width],
    ['height', height],
  ] as const) {
    if (!Number.isInteger(side) || side < 1)
      throw bad(`picture.${name} is ${shown(side)}; it must be a whole number of at least 1`);
    if (side > MAX_SIDE) {
      throw new DcompError('E_TOO_LARGE', `picture.${name} is ${side}; the format codes at most ${MAX_SIDE}`);
    }
  }
  if (width * height > MAX_PIXELS) {
    throw new DcompError(
      'E_TOO_LARGE',
      `the picture has ${width * height} pixels; the format codes at most ${MAX_PIXELS}`,
    );
  }
  if (channels !== 1 && channels !== 2 && channels !== 3 && channels !== 4) {
    throw bad(
      `picture.channels is ${shown(channels)}; it must be 1 (grey), 2 (grey + alpha), 3 (RGB) or 4 (RGB + alpha)`,
    );
  }
  const depth = depthOf(picture);
  if (!DEPTHS.includes(depth)) throw bad(`picture.depth is ${shown(depth)}; it must be 1, 2, 4, 8 or 16 bits`);
  if (depth < 8 && channels !== 1) throw bad(`picture.depth is ${depth} bits, which only a grey picture can have`);
  const fits = depth === 16 ? data instanceof Uint16Array : data instanceof Uint8Array;
  const length = width * height * channels;
  if (!fits || data.length !== length) {
    const found = data instanceof Uint8Array || data instanceof Uint16Array ? ` with ${data.length}` : '';
    throw bad(
      `picture.data must be a ${depth === 16 ? 'Uint16Array' : 'Uint8Array'} of width · height · channels = ${length} samples, not ${shown(data)}${found}`,
    );
  }
  if (depth < 8 && !isWithin(data, rangeOf(depth)))
    throw bad(`picture.data has samples above ${rangeOf(depth)}, the largest of ${depth} bits`);
  if (metadata !== undefined) checkMetadata(metadata);
}

/** A loop, which takes a tenth of what `every` does: pictures are checked at a stretch. */
function isWithin(data: Samples, most: number): boolean {
  for (let i = 0; i < data.length; i++) if (data[i]! > most) return false;
  return true;
}

/** Profile, EXIF, XMP and IPTC from any buffer or view. @throws DcompError E_PICTURE */
function metadataOf(metadata: Metadata): Metadata {
  checkRecord(metadata, 'picture.metadata');
  const result = { ...metadata };
  for (const name of ['icc', 'exif', 'xmp', 'iptc'] as const)
    if (result[name] !== undefined) result[name] = asPicture(() => bytesOf(result[name], `metadata.${name}`));
  return result;
}

function checkRecord(value: unknown, name: string): void {
  asPicture(() => checkObject(value, name));
}

/** @throws DcompError E_PICTURE */
function checkMetadata(metadata: Metadata): void {
  checkRecord(metadata, 'picture.metadata');
  const { icc, orientation, density, exif, xmp, text, iptc, modified } = metadata;
  for (const [name, bytes] of Object.entries({ icc, exif, xmp, iptc })) {
    if (bytes === undefined) continue;
    if (!(bytes instanceof Uint8Array) || bytes.length > MAX_METADATA_BYTES)
      throw bad(`metadata.${name} must be a Uint8Array of at most ${MAX_METADATA_BYTES} bytes, not ${shown(bytes)}`);
  }
  if (orientation !== undefined && !(Number.isInteger(orientation) && orientation >= 1 && orientation <= 8)) {
    throw bad(`metadata.orientation is ${shown(orientation)}; it must be a whole number from 1 to 8`);
  }
  if (density !== undefined) {
    checkRecord(density, 'metadata.density');
    const whole = (n: number): boolean => Number.isInteger(n) && n >= 0 && n < 2 ** 31;
    if (!whole(density.x) || !whole(density.y) || (density.unit !== 'metre' && density.unit !== 'none')) {
      throw bad('metadata.density must have whole numbers x and y of pixels per unit, and a unit, metre or none');
    }
  }
  checkColourMeaning(metadata);
  if (modified !== undefined && !isTime(modified))
    throw bad('metadata.modified must be a time of UTC such as 2026-11-28T06:41:00Z');
  if (text !== undefined) checkTexts(text);
}

/** @throws DcompError E_PICTURE */
function checkColourMeaning({ cicp, gamma, chromaticities }: Metadata): void {
  const whole = (n: unknown, least: number, most: number): boolean =>
    typeof n === 'number' && Number.isInteger(n) && n >= least && n <= most;
  if (cicp !== undefined) checkRecord(cicp, 'metadata.cicp');
  if (cicp !== undefined && !(whole(cicp.primaries, 1, 255) && whole(cicp.transfer, 1, 255)))
    throw bad('metadata.cicp must have the code points primaries and transfer, whole numbers from 1 to 255');
  if (gamma !== undefined && !whole(gamma, 1, 2 ** 31 - 1))
    throw bad(`metadata.gamma is ${shown(gamma)}; it must be a whole number of 1/100000, from 1 to 2^31 − 1`);
  if (chromaticities === undefined) return;
  checkRecord(chromaticities, 'metadata.chromaticities');
  const { white, red, green, blue } = chromaticities;
  if (
    ![white, red, green, blue].every(
      (xy) => Array.isArray(xy) && xy.length === 2 && xy.every((n) => whole(n, 0, 2 ** 31 - 1)),
    )
  )
    throw bad('metadata.chromaticities must have x and y of white, red, green and blue, whole numbers of 1/100000');
}

/** @throws DcompError E_PICTURE */
function checkTexts(texts: unknown): void {
  if (!Array.isArray(texts)) throw bad(`metadata.text is ${shown(texts)}; it must be a list`);
  if (texts.length > MAX_TEXTS) throw bad(`metadata.text has ${texts.length} texts; there can be ${MAX_TEXTS}`);
  let total = 0;
  for (const entry of texts) {
    checkRecord(entry, 'an entry of metadata.text');
    const { keyword, text, language = '', translatedKeyword = '' } = entry as Text;
    const fields = [keyword, text, language, translatedKeyword];
    if (fields.some((field) => typeof field !== 'string'))
      throw bad('metadata.text must be a list of texts with a keyword each');
    if (!isKeyword(keyword))
      throw bad(
        'a keyword in metadata.text must have 1 to 79 characters of Latin-1, no space at its ends and none beside another',
      );
    if (!/^[a-z0-9-]*$/i.test(language))
      throw bad('a language in metadata.text must be of letters, digits and hyphens');
    if (fields.some((field) => field.includes('\0')))
      throw bad('a text in metadata.text has a zero character, which none can have');
    for (const field of fields) total += 4 * (field.length + 1);
  }
  if (total > MAX_METADATA_BYTES)
    throw bad(`the texts in metadata.text are too long; together they may have ${MAX_METADATA_BYTES / 4} characters`);
}

const TIME = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)Z$/;

/** A time as `Metadata.modified` has it. */
export function isTime(time: string): boolean {
  return typeof time === 'string' && TIME.test(time);
}

/** PNG section 11.3.3.2: printable Latin-1, 1 to 79 characters, single spaces inside only. */
export function isKeyword(keyword: string): boolean {
  return keyword.length >= 1 && keyword.length <= 79 && /^[!-~¡-ÿ]+( [!-~¡-ÿ]+)*$/.test(keyword);
}
