/** `dcomp/handler`: a picture file in, a `.dcz` file out, or back; nothing is read or written, so that it goes where functions go. */
import type { MetadataChoice } from '../formats/metadata.js';
import { extensionOf, type PictureFormat } from '../formats/formats.js';
import { readPicture } from '../formats/read.js';
import { FITS, resizePicture, type Resizing } from '../formats/resize.js';
import { writePicture } from '../formats/write.js';
import { checkObject, isBoolean, isNumber, isOneOf, mustBe, type Checks } from '../src/options.js';
import { decode, DEFAULT_MAX_PIXELS, encode, type DecodeOptions, type EncodeOptions } from '../src/node.js';

/** Options of making a `.dcz` file of a picture file: those of `encode`, and these. */
export interface HandlerEncodeOptions extends EncodeOptions {
  /** Not given: makes a `.dcz` file. */
  to?: undefined;
  /** What to keep of the picture's metadata. Default: `default`, colour, orientation and density. */
  metadata?: MetadataChoice;
  /** Another size, before coding, in pixels as the picture is seen; needs sharp. */
  resize?: Partial<Resizing>;
  /** Reads what is there of a damaged picture. Default: false. */
  allowDamaged?: boolean;
}

/** Options of making a picture file of a `.dcz` file: those of `decode`, and these. */
export interface HandlerDecodeOptions extends DecodeOptions {
  /** Format of the picture file. */
  to: PictureFormat;
  /** What to keep of the picture's metadata. Default: `all`. */
  metadata?: MetadataChoice;
  /** Of JPEG, WebP and AVIF, 1 to 100. Default: 95, 95 and 85. */
  outputQuality?: number;
}

/** Options of `handler`. */
export type HandlerOptions = HandlerEncodeOptions | HandlerDecodeOptions;

/** What a handler makes. */
export interface HandlerResult {
  /** The file. */
  bytes: Uint8Array;
  /** Its type for HTTP and stores. */
  contentType: string;
  /** Extension of its name, with the dot. */
  extension: string;
  /** Pixels of the picture. */
  width: number;
  height: number;
  /** What was in the file and is not in the result, one sentence each. */
  notices: string[];
}

const RESIZE_CHECKS: Checks<Resizing> = {
  width: isNumber('a number of pixels, at least 1', (value) => Number.isInteger(value) && value >= 1),
  height: isNumber('a number of pixels, at least 1', (value) => Number.isInteger(value) && value >= 1),
  scale: isNumber('a factor above 0', (value) => value > 0),
  fit: isOneOf(FITS),
};

/**
 * Makes a `.dcz` file of the bytes of a picture file (the formats of `readPicture`), or with `to` a picture file of those
 * of a `.dcz` file. Model and threads are kept for the next call, as `release` of `dcomp` says; several calls at once take
 * turns. The same bytes and options give the same result on every machine.
 * @param bytes of the file
 * @throws DcompError what `readPicture` and `encode` throw, or `decode` and `writePicture`
 */
export async function handler(bytes: Uint8Array, options: HandlerOptions = {}): Promise<HandlerResult> {
  checkObject(options, 'the options of handler');
  return options.to === undefined ? toCoded(bytes, options) : toPicture(bytes, options);
}

async function toCoded(bytes: Uint8Array, options: HandlerEncodeOptions): Promise<HandlerResult> {
  const { to: _to, metadata = 'default', resize, allowDamaged = false, ...rest } = options;
  isBoolean(allowDamaged, 'allowDamaged');
  const resizing = resize === undefined ? undefined : resizingOf(resize);
  const { maxPixels = DEFAULT_MAX_PIXELS } = rest;
  const { picture: read, notices } = await readPicture(bytes, metadata, maxPixels, allowDamaged, rest.signal);
  const picture = resizing === undefined ? read : await resizePicture(read, resizing, maxPixels, rest.signal);
  const { bytes: coded } = await encode(picture, rest);
  const { width, height } = picture;
  return { bytes: coded, contentType: 'application/octet-stream', extension: '.dcz', width, height, notices };
}

/** @throws DcompError E_USAGE */
function resizingOf(resize: Partial<Resizing>): Resizing {
  checkObject(resize, 'resize');
  for (const [name, value] of Object.entries(resize)) {
    if (!Object.hasOwn(RESIZE_CHECKS, name))
      throw mustBe('resize', resize, `of ${Object.keys(RESIZE_CHECKS).join(', ')}; it has ${name}`);
    if (value !== undefined) RESIZE_CHECKS[name as keyof Resizing](value, `resize.${name}`);
  }
  const { width, height, scale } = resize;
  if (width === undefined && height === undefined && scale === undefined)
    throw mustBe('resize', resize, '{ width }, { height }, both, or { scale }');
  if (scale !== undefined && (width !== undefined || height !== undefined))
    throw mustBe('resize', resize, '{ scale } or a width and height, not both');
  return { fit: 'inside', ...resize };
}

async function toPicture(bytes: Uint8Array, options: HandlerDecodeOptions): Promise<HandlerResult> {
  const { to, metadata = 'all', outputQuality, ...rest } = options;
  const picture = await decode(bytes, rest);
  const { bytes: file, notices } = await writePicture(picture, to, metadata, outputQuality, rest.signal);
  const { width, height } = picture;
  return { bytes: file, contentType: `image/${to}`, extension: extensionOf(to), width, height, notices };
}
