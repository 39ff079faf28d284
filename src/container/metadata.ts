/**
 * Metadata as parts of a file. Profile, EXIF, XMP, IPTC and text are deflated (RFC 1951), with their length before it, so that
 * nothing is inflated that is longer than it may be.
 */
import { deflated, inflated } from '../deflated.js';
import { DcompError } from '../errors.js';
import {
  checkPicture,
  isTime,
  MAX_METADATA_BYTES,
  MAX_TEXTS,
  type Chromaticities,
  type Cicp,
  type Density,
  type Metadata,
  type Text,
} from '../picture.js';
import { concat, readVarint, varint, type PartExtent } from './container.js';
import { finish, type Pieces } from '../turns.js';
import { PARTS, partName, type Part } from './parts.js';

/** The parts that hold it, in the order of their types; none for what is empty or says nothing. */
export function partsOf(metadata?: Metadata): Part[] {
  return finish(partsOfInPieces(metadata));
}

/** As `partsOf`. */
export function* partsOfInPieces(metadata: Metadata = {}): Pieces<Part[]> {
  const { icc, orientation = 1, density, exif, xmp, text = [] } = metadata;
  const { cicp, gamma, chromaticities, iptc, modified } = metadata;
  const parts: Part[] = [];
  const add = (type: number, payload: Uint8Array): void => void parts.push({ type, payload });
  if (icc !== undefined && icc.length > 0) add(PARTS.icc, yield* pack(icc));
  if (orientation !== 1) add(PARTS.orientation, Uint8Array.of(orientation));
  if (density !== undefined) add(PARTS.density, writeDensity(density));
  if (exif !== undefined && exif.length > 0) add(PARTS.exif, yield* pack(exif));
  if (xmp !== undefined && xmp.length > 0) add(PARTS.xmp, yield* pack(xmp));
  if (text.length > 0) add(PARTS.text, yield* pack(writeText(text)));
  if (cicp !== undefined) add(PARTS.cicp, Uint8Array.of(cicp.primaries, cicp.transfer));
  if (gamma !== undefined) add(PARTS.gamma, Uint8Array.from(varint(gamma)));
  if (chromaticities !== undefined) add(PARTS.chromaticities, writeChromaticities(chromaticities));
  if (iptc !== undefined && iptc.length > 0) add(PARTS.iptc, yield* pack(iptc));
  if (modified !== undefined) add(PARTS.modified, writeTime(modified));
  return parts;
}

/**
 * What the parts of a file hold; undefined if nothing.
 * @param damage told of each part that is damaged; it is then left out
 */
export function metadataOf(
  bytes: Uint8Array,
  parts: readonly PartExtent[],
  damage: (message: string) => void,
): Metadata | undefined {
  return finish(metadataOfInPieces(bytes, parts, damage));
}

/** As `metadataOf`. */
export function* metadataOfInPieces(
  bytes: Uint8Array,
  parts: readonly PartExtent[],
  damage: (message: string) => void,
): Pieces<Metadata | undefined> {
  const metadata: Metadata = {};
  for (const { type, offset, payloadOffset, payloadLength, state, fault } of parts) {
    const name = partName(type);
    if (state === 'cut') break;
    const fail = (what: string): void =>
      damage(`the part "${name}" (type ${type}, byte offset ${offset}) is damaged: ${what}`);
    if (state === 'damaged')
      damage(`the part "${name}" (type ${type}, byte offset ${offset}) is damaged beyond repair: ${fault}`);
    else if (
      name !== 'unknown' &&
      name !== 'pixelHash' &&
      name !== 'regions' &&
      name !== 'exact' &&
      metadata[name] === undefined
    ) {
      try {
        const payload = bytes.subarray(payloadOffset, payloadOffset + payloadLength);
        Object.assign(metadata, {
          [name]: READERS[name](PACKED.includes(name) ? yield* unpack(payload, WATCHES[name]?.()) : payload),
        });
      } catch (error) {
        if (!(error instanceof DcompError)) throw error;
        fail(error.message);
      }
    }
  }
  return Object.keys(metadata).length === 0 ? undefined : metadata;
}

/** Those that are deflated. */
const PACKED: readonly (keyof Metadata)[] = ['icc', 'exif', 'xmp', 'text', 'iptc'];

/** What looks at the content while it is inflated, and throws where that need not go on. */
const WATCHES: { [name in keyof Metadata]?: () => (portion: Uint8Array) => void } = { text: textCounter };

const READERS: { [name in keyof Metadata]-?: (payload: Uint8Array) => Metadata[name] } = {
  icc: (bytes) => bytes,
  orientation: readOrientation,
  density: readDensity,
  exif: (bytes) => bytes,
  xmp: (bytes) => bytes,
  text: readText,
  cicp: readCicp,
  gamma: readGamma,
  chromaticities: readChromaticities,
  iptc: (bytes) => bytes,
  modified: readTime,
};

function damaged(message: string): DcompError {
  return new DcompError('E_DAMAGED_SEGMENT', message);
}

/** varint length, deflated bytes. */
function* pack(bytes: Uint8Array): Pieces<Uint8Array> {
  return concat([Uint8Array.from(varint(bytes.length)), yield* deflated(bytes)]);
}

/**
 * @param watch sees what is inflated, portion by portion
 * @throws DcompError E_DAMAGED_SEGMENT; nothing longer than was announced, and may be, is ever inflated
 */
function* unpack(payload: Uint8Array, watch?: (portion: Uint8Array) => void): Pieces<Uint8Array> {
  const length = readVarint(payload, 0);
  if (length === undefined || length.value > MAX_METADATA_BYTES) throw damaged('it states an impossible length');
  return yield* inflated(payload.subarray(length.end), length.value, damaged, watch);
}

function readOrientation(payload: Uint8Array): number {
  const value = payload[0];
  if (payload.length !== 1 || value === undefined || value < 1 || value > 8) throw damaged('it is no orientation');
  return value;
}

function writeDensity({ x, y, unit }: Density): Uint8Array {
  const out = new Uint8Array(9);
  const view = new DataView(out.buffer);
  view.setUint32(0, x, true);
  view.setUint32(4, y, true);
  out[8] = unit === 'metre' ? 1 : 0;
  return out;
}

function readDensity(payload: Uint8Array): Density {
  if (payload.length !== 9 || payload[8]! > 1) throw damaged('it is no density');
  const view = new DataView(payload.buffer, payload.byteOffset, 9);
  const [x, y] = [view.getUint32(0, true), view.getUint32(4, true)];
  if (x >= 2 ** 31 || y >= 2 ** 31) throw damaged('it is no density');
  return { x, y, unit: payload[8] === 1 ? 'metre' : 'none' };
}

function readCicp(payload: Uint8Array): Cicp {
  const [primaries = 0, transfer = 0] = payload;
  if (payload.length !== 2 || primaries === 0 || transfer === 0)
    throw damaged('it has no code points of a colour space');
  return { primaries, transfer };
}

/** So many varints below 2^31, and nothing behind them. */
function readNumbers(payload: Uint8Array, count: number): number[] {
  const numbers: number[] = [];
  let at = 0;
  while (numbers.length < count) {
    const number = readVarint(payload, at);
    if (number === undefined || number.value >= 2 ** 31) throw damaged('it ends too early or has too large a number');
    numbers.push(number.value);
    at = number.end;
  }
  if (at !== payload.length) throw damaged('it is too long');
  return numbers;
}

function readGamma(payload: Uint8Array): number {
  const [gamma] = readNumbers(payload, 1) as [number];
  if (gamma === 0) throw damaged('it is no gamma');
  return gamma;
}

function writeChromaticities({ white, red, green, blue }: Chromaticities): Uint8Array {
  return Uint8Array.from([...white, ...red, ...green, ...blue].flatMap(varint));
}

function readChromaticities(payload: Uint8Array): Chromaticities {
  const [wx, wy, rx, ry, gx, gy, bx, by] = readNumbers(payload, 8) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return { white: [wx, wy], red: [rx, ry], green: [gx, gy], blue: [bx, by] };
}

/** Year (2 bytes), month, day, hour, minute, second. */
function writeTime(time: string): Uint8Array {
  const [year, ...rest] = time.split(/[-T:Z]/, 6).map(Number) as [number, ...number[]];
  return Uint8Array.of(year & 255, year >> 8, ...rest);
}

function readTime(payload: Uint8Array): string {
  const [low = 0, high = 0, ...rest] = payload;
  const [month, day, hour, minute, second] = rest.map((n) => String(n).padStart(2, '0'));
  const time = `${String(low + 256 * high).padStart(4, '0')}-${month}-${day}T${hour}:${minute}:${second}Z`;
  if (payload.length !== 7 || !isTime(time)) throw damaged('it is no time');
  return time;
}

/** For each text keyword, text, language and keyword in that language: varint length and UTF-8. */
function writeText(texts: readonly Text[]): Uint8Array {
  const encoder = new TextEncoder();
  return concat(
    texts.flatMap(({ keyword, text, language = '', translatedKeyword = '' }) =>
      [keyword, text, language, translatedKeyword].flatMap((field) => {
        const bytes = encoder.encode(field);
        return [Uint8Array.from(varint(bytes.length)), bytes];
      }),
    ),
  );
}

const FIELDS_OF_TEXT = 4;

/** Counts texts as they come, without reading them: empty ones are four bytes each, and 8 MiB of them a few kilobytes packed. */
function textCounter(): (portion: Uint8Array) => void {
  let fields = 0;
  /** Bytes that the current field still has; where there are none, its length is read. */
  let left = 0;
  let [length, unit] = [0, 1];
  return (portion) => {
    for (let at = 0; at < portion.length;) {
      if (left > 0) {
        const passed = Math.min(left, portion.length - at);
        left -= passed;
        at += passed;
        continue;
      }
      const byte = portion[at++]!;
      length += (byte & 127) * unit;
      unit *= 128;
      if (byte >= 128) continue;
      [left, length, unit] = [length, 0, 1];
      if (++fields > MAX_TEXTS * FIELDS_OF_TEXT) throw tooManyTexts();
    }
  };
}

function tooManyTexts(): DcompError {
  return damaged(`it has more than ${MAX_TEXTS} texts`);
}

function readText(bytes: Uint8Array): Text[] {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let at = 0;
  const field = (): string => {
    const length = readVarint(bytes, at);
    if (length === undefined || length.end + length.value > bytes.length) throw damaged('a text ends too early');
    at = length.end + length.value;
    try {
      return decoder.decode(bytes.subarray(length.end, at));
    } catch {
      throw damaged('a text is not UTF-8');
    }
  };
  const texts: Text[] = [];
  while (at < bytes.length) {
    if (texts.length === MAX_TEXTS) throw tooManyTexts();
    const [keyword, text, language, translatedKeyword] = [field(), field(), field(), field()];
    texts.push({
      keyword,
      text,
      ...(language === '' ? {} : { language }),
      ...(translatedKeyword === '' ? {} : { translatedKeyword }),
    });
  }
  // What an encoder would refuse is damage.
  try {
    checkPicture({ width: 1, height: 1, channels: 1, data: new Uint8Array(1), metadata: { text: texts } });
  } catch {
    throw damaged('its texts are not what a text can be');
  }
  return texts;
}
