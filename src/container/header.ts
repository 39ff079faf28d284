/** The header of a `.dcz` file: what it says of the picture, the model and the schedule. */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import {
  DEFAULT_SCHEDULE,
  FINEST_FIRST_CODE,
  CHROMA_UNIT,
  MAX_AHEAD,
  MAX_LAST_LEVEL,
  type Ahead,
  NOT_SETTLED,
  SETTLE_UNIT,
  type Settled,
  VIEWS,
  type Chroma,
  type Schedule,
  type Straight,
} from '../diffusion/schedule.js';
import { MIN_NU } from '../entropy/trellis.js';
import { DcompError } from '../errors.js';
import { FORMAT_VERSION, LAST_CODE, MAGIC, MAX_FINE_NU, MAX_FIRST_CODE, MAX_NEAR } from '../format.js';
import { MODEL_ID_BYTES } from '../model/integer/integer-model.js';
import { TOP_CODE } from '../model/sigma.js';
import { MAX_PIXELS, MAX_SIDE, type Channels, type Depth } from '../picture.js';
import type { Ends } from '../pixels/colour.js';
import { concat, CRC_BYTES, readU32, readVarint, u32Bytes, varint } from '../bytes.js';
import { crc32 } from './crc32.js';
import { defined } from '../options.js';

/** How a file holds the colours: coded against what the network expects, or plainly, without loss. */
export type Form = 'diffusion' | 'plain';

export interface Header {
  /** Default: diffusion. A plain file has neither model, schedule nor trellis: in its header they are NO_CODING. */
  form?: Form;
  width: number;
  height: number;
  channels: Channels;
  /** Bits of a sample; below 8 for grey alone. */
  depth: Depth;
  /** Of MODEL_ID_BYTES bytes, in hexadecimal. */
  modelId: string;
  schedule: Schedule;
  /** log2 of the states of the trellis of signs at level 0. */
  nu: number;
  /** How near to the ends of the range samples are taken for them, 0..MAX_NEAR. Default: not at all. */
  ends?: Ends;
}

/** What the header of a plain file has in place of model, schedule and trellis; it means nothing. */
export const NO_CODING = { modelId: '', schedule: DEFAULT_SCHEDULE, nu: 0 } as const;

/** Where fields of the header begin. */
const KIND = MAGIC.length + 1;
const MODEL_ID = KIND + 1;
export const SIZES = MODEL_ID + MODEL_ID_BYTES;
/** Bytes of schedule and nu, behind the sizes. */
const SETTINGS_BYTES = 4;
/** Bytes that hold a number for each of levels 1, 2, 3 and 4, four bits each. */
const LEVELS_BYTES = 2;
/** Bytes of a straight schedule, behind them: the first code, by how much each level is ahead, what colours have more. */
const STRAIGHT_BYTES = 1 + 4 + 1;
/**
 * The byte behind a straight schedule, or behind by how much levels are settled, that says how strongly contrast masks, and
 * above that the last level.
 */
const MASKING_BYTES = 1;
const LAST_LEVEL_UNIT = 16;
/** The byte behind those that says how near to white and black samples are taken for them, four bits each. */
const ENDS_BYTES = 1;
/** Most bytes behind the model id, without the checksum: width and height have 1 to 5 bytes each. */
const MAX_BEHIND_ID = 10 + SETTINGS_BYTES + STRAIGHT_BYTES + MASKING_BYTES + ENDS_BYTES;
/** Bytes of the shortest and the longest header, without its checksum. */
export const MIN_HEADER = MODEL_ID + 2;
export const MAX_HEADER = SIZES + MAX_BEHIND_ID;
/** The byte of the coarse width: width − 1 in four bits, log2 of the views and of the coarse views in two each. */
const COARSE_UNITS = 16;
/** The byte of the fine width: width in four bits, 0 for 16; whether the picture is shown for the eye; the tail above that. */
const FINE_WIDTHS = 16;
const FOR_EYE = 16;
const FINE_UNITS = 32;

/** Above nu: what is near white or black is taken for it; a byte says how near. */
const HAS_ENDS = 32;
/** Above nu, of a refined schedule: coarse levels are settled in the end. */
const IS_SETTLED = 64;
/** Above nu, of a straight schedule: the details of level 0 are measured at once. */
const IS_AT_ONCE = 64;
/** Above nu: levels are measured straight. */
const IS_STRAIGHT = 128;

/** Depths in the order of their codes in the kind byte: bits 4 to 6. Bits 0 to 2 are the channels. */
const DEPTHS: readonly Depth[] = [8, 16, 4, 2, 1];
/** Bit of the kind byte: parts follow the header. */
const HAS_PARTS = 8;
/** Bit of the kind byte: the plain form, whose header has neither model id nor settings. */
const IS_PLAIN = 128;

/** @param hasParts whether parts follow */
export function headerBytes(header: Header, hasParts: boolean): Uint8Array {
  const { schedule } = header;
  const plain = header.form === 'plain';
  const kind = header.channels | (DEPTHS.indexOf(header.depth) << 4) | (hasParts ? HAS_PARTS : 0);
  const sizes = [...varint(header.width), ...varint(header.height)];
  const coding = [
    schedule.coarseWidth - 1 + COARSE_UNITS * (VIEWS.indexOf(schedule.views) + 4 * VIEWS.indexOf(schedule.coarseViews)),
    (schedule.fineWidth % FINE_WIDTHS) + (schedule.forEye === true ? FOR_EYE : 0) + FINE_UNITS * schedule.tail,
    schedule.lastCode,
    header.nu |
      (hasEnds(header) ? HAS_ENDS : 0) |
      (schedule.settled === undefined ? 0 : IS_SETTLED) |
      (schedule.straight === undefined ? 0 : IS_STRAIGHT) |
      (schedule.straight?.atOnce === true ? IS_AT_ONCE : 0),
    ...(schedule.straight === undefined ? [] : straightBytes(schedule.straight, schedule.chroma)),
    ...(schedule.settled === undefined
      ? []
      : levelsBytes(schedule.settled.map((codes) => (codes - NOT_SETTLED) / SETTLE_UNIT))),
    ...(schedule.straight === undefined && schedule.settled === undefined
      ? []
      : [(schedule.masking ?? 0) + LAST_LEVEL_UNIT * (schedule.lastLevel ?? 0)]),
    ...(hasEnds(header) ? [header.ends.white + (MAX_NEAR + 1) * header.ends.black] : []),
  ];
  const fields = Uint8Array.of(
    ...MAGIC,
    FORMAT_VERSION,
    ...(plain ? [kind | IS_PLAIN, ...sizes] : [kind, ...hexToBytes(header.modelId), ...sizes, ...coding]),
  );
  return concat([fields, u32Bytes(crc32(fields))]);
}

function hasEnds(header: Header): header is Header & { ends: Ends } {
  const { ends } = header;
  return ends !== undefined && (ends.white > 0 || ends.black > 0);
}

function straightBytes({ firstCode, ahead }: Straight, [fine, coarse]: Chroma = [0, 0]): number[] {
  return [firstCode, ...ahead, fine / CHROMA_UNIT + 16 * (coarse / CHROMA_UNIT)];
}

function levelsBytes(numbers: readonly number[]): number[] {
  const [one, two, three, four] = numbers as [number, number, number, number];
  return [one + 16 * two, three + 16 * four];
}

function readStraight(bytes: Uint8Array, atOnce: boolean): Straight {
  const ahead = Array.from(bytes.subarray(1, 5)) as unknown as Ahead;
  return { firstCode: bytes[0]!, ahead, ...(atOnce ? { atOnce } : {}) };
}

/** @param bytes of a straight schedule */
function readChroma(bytes: Uint8Array): Chroma | undefined {
  const units = bytes[5]!;
  return units === 0 ? undefined : [CHROMA_UNIT * (units & 15), CHROMA_UNIT * (units >> 4)];
}

function readSettled(bytes: Uint8Array): Settled {
  return readLevels(bytes).map((units) => NOT_SETTLED + SETTLE_UNIT * units) as unknown as Settled;
}

function readLevels([low, high]: Uint8Array): number[] {
  return [low! & 15, low! >> 4, high! & 15, high! >> 4];
}

/**
 * @param maxPixels refuses pictures that are larger
 * @returns the header, whether parts follow, and the byte offset behind its checksum
 * @throws DcompError E_EMPTY, E_NOT_DCZ, E_VERSION, E_DAMAGED_HEADER, E_TOO_LARGE, E_TRUNCATED
 */
export function readHeader(
  bytes: Uint8Array,
  maxPixels = MAX_PIXELS,
): { header: Header; hasParts: boolean; end: number } {
  checkSignature(bytes);
  const { isPlain, width, height, settings, end } = findFields(bytes);
  if (crc32(bytes.subarray(0, end)) !== readU32(bytes, end)) {
    throw new DcompError(
      'E_DAMAGED_HEADER',
      `the header is damaged: its checksum (byte offset ${end}) does not hold; get the file again`,
    );
  }
  const { channels, depth, hasParts } = readKind(bytes[KIND]!);
  checkSize(width, height, maxPixels);
  const shape = { width, height, channels, depth };
  const header: Header = isPlain
    ? { form: 'plain', ...shape, ...NO_CODING }
    : {
        ...shape,
        modelId: bytesToHex(bytes.subarray(MODEL_ID, SIZES)),
        ...readSettings(bytes.subarray(settings, end)),
      };
  return { header, hasParts, end: end + CRC_BYTES };
}

/** @throws DcompError E_EMPTY, E_TRUNCATED, E_NOT_DCZ, E_VERSION */
function checkSignature(bytes: Uint8Array): void {
  if (bytes.length === 0) throw new DcompError('E_EMPTY', 'the file is empty; a .dcz file begins with a header');
  for (let i = 0; i < MAGIC.length; i++) {
    if (i >= bytes.length) throw truncatedHeader(bytes);
    if (bytes[i] !== MAGIC[i]) throw notDcz(bytes);
  }
  if (bytes.length < MAGIC.length + 1) throw truncatedHeader(bytes);
  const version = bytes[MAGIC.length]!;
  if (version !== FORMAT_VERSION) {
    throw new DcompError(
      'E_VERSION',
      `the file is of format version ${version}; this release reads version ${FORMAT_VERSION}: use the release that wrote it`,
    );
  }
}

/** Where the fields of a header lie, of which nothing is checked yet. */
interface Fields {
  isPlain: boolean;
  width: number;
  height: number;
  /** Byte offsets of the settings, of which a plain file has none, and of the checksum. */
  settings: number;
  end: number;
}

/** @throws DcompError E_TRUNCATED; E_DAMAGED_HEADER where the header would be longer than one can be */
function findFields(bytes: Uint8Array): Fields {
  const isPlain = ((bytes[KIND] ?? 0) & IS_PLAIN) !== 0;
  const sizes = isPlain ? MODEL_ID : SIZES;
  const width = readVarint(bytes, sizes);
  const height = width && readVarint(bytes, width.end);
  if (height !== undefined) {
    const settings = height.end;
    const end = settings + (isPlain ? 0 : settingsLength(bytes[settings + SETTINGS_BYTES - 1] ?? 0));
    if (bytes.length >= end + CRC_BYTES) return { isPlain, width: width!.value, height: height.value, settings, end };
  }
  if (bytes.length < sizes + MAX_BEHIND_ID + CRC_BYTES) throw truncatedHeader(bytes);
  throw new DcompError(
    'E_DAMAGED_HEADER',
    `the header is damaged: its sizes do not end (byte offset ${sizes}); get the file again`,
  );
}

/** @param flags the byte of nu @returns bytes of the settings */
function settingsLength(flags: number): number {
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const behind = maskingAt(flags);
  return SETTINGS_BYTES + behind + (behind > 0 ? MASKING_BYTES : 0) + (has(HAS_ENDS) ? ENDS_BYTES : 0);
}

/** Where the byte of masking is, counted from behind nu; 0 where there is none. */
function maskingAt(flags: number): number {
  return (flags & IS_STRAIGHT) !== 0 ? STRAIGHT_BYTES : (flags & IS_SETTLED) !== 0 ? LEVELS_BYTES : 0;
}

/** @throws DcompError E_DAMAGED_HEADER */
function readKind(kind: number): { channels: Channels; depth: Depth; hasParts: boolean } {
  const channels = kind & 7;
  const depth = DEPTHS[(kind >> 4) & 7];
  if (
    (channels !== 1 && channels !== 2 && channels !== 3 && channels !== 4) ||
    depth === undefined ||
    (depth < 8 && channels !== 1)
  )
    throw impossible(`kind ${kind}`);
  return { channels, depth, hasParts: (kind & HAS_PARTS) !== 0 };
}

/** @throws DcompError E_DAMAGED_HEADER, E_TOO_LARGE */
function checkSize(width: number, height: number, maxPixels: number): void {
  if (width < 1 || height < 1) throw impossible(`a picture of ${width}×${height} pixels`);
  if (width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS) {
    throw new DcompError(
      'E_TOO_LARGE',
      `the header states ${width}×${height} pixels; the format codes at most ${MAX_SIDE} a side and ${MAX_PIXELS} in all`,
    );
  }
  if (width * height > maxPixels)
    throw new DcompError(
      'E_TOO_LARGE',
      `the picture has ${width}×${height} pixels, more than the limit of ${maxPixels}; raise the limit (maxPixels) to decode it`,
    );
}

/** @param bytes those between the sizes and the checksum @throws DcompError E_DAMAGED_HEADER */
function readSettings(bytes: Uint8Array): Pick<Header, 'schedule' | 'nu' | 'ends'> {
  const [coarse, fine, lastCode, last] = bytes as unknown as [number, number, number, number];
  const behind = bytes.subarray(SETTINGS_BYTES);
  const straight = (last & IS_STRAIGHT) === 0 ? undefined : readStraight(behind, (last & IS_AT_ONCE) !== 0);
  const coarseWidth = (coarse % COARSE_UNITS) + 1;
  const bothViews = Math.floor(coarse / COARSE_UNITS);
  const views = VIEWS[bothViews % 4];
  const coarseViews = VIEWS[Math.floor(bothViews / 4)];
  const fineWidth = fine % FINE_WIDTHS || FINE_WIDTHS;
  const tail = Math.floor(fine / FINE_UNITS);
  if (
    views === undefined ||
    coarseViews === undefined ||
    lastCode < LAST_CODE ||
    lastCode > (straight === undefined ? TOP_CODE : MAX_FIRST_CODE)
  ) {
    throw impossible(`the schedule ${coarse}, ${fine}, ${lastCode}`);
  }
  if (
    straight !== undefined &&
    (straight.firstCode < Math.max(lastCode, FINEST_FIRST_CODE) || straight.firstCode > MAX_FIRST_CODE)
  )
    throw impossible(`a first code of ${straight.firstCode}`);
  if (straight?.ahead.some((codes) => codes > MAX_AHEAD) === true)
    throw impossible(`levels ahead by ${straight.ahead.join(', ')}`);
  const settled = straight !== undefined || (last & IS_SETTLED) === 0 ? undefined : readSettled(behind);
  const nu = last & ~(HAS_ENDS | IS_SETTLED | IS_STRAIGHT);
  if (nu < MIN_NU || nu > MAX_FINE_NU) throw impossible(`a trellis of ${nu} bits`);
  const ends = bytes.at(-1)!;
  const both = maskingAt(last) === 0 ? 0 : behind[maskingAt(last)]!;
  const [masking, lastLevel] = [both % LAST_LEVEL_UNIT, Math.floor(both / LAST_LEVEL_UNIT)];
  if (lastLevel > (settled === undefined ? 0 : MAX_LAST_LEVEL)) throw impossible(`the last level ${lastLevel}`);
  const chroma = straight === undefined ? undefined : readChroma(behind);
  return {
    schedule: {
      ...{ coarseWidth, fineWidth, lastCode, tail, views, coarseViews },
      ...((fine & FOR_EYE) === 0 ? {} : { forEye: true }),
      ...defined({ straight, settled }),
      ...(masking === 0 ? {} : { masking }),
      ...(lastLevel === 0 ? {} : { lastLevel }),
      ...defined({ chroma }),
    },
    nu,
    ...((last & HAS_ENDS) === 0 ? {} : { ends: { white: ends & MAX_NEAR, black: ends >> 4 } }),
  };
}

function impossible(what: string): DcompError {
  return new DcompError('E_DAMAGED_HEADER', `the header states ${what}, which no encoder writes; get the file again`);
}

function notDcz(bytes: Uint8Array): DcompError {
  const name = bytes[1] === MAGIC[1] && bytes[2] === MAGIC[2] && bytes[3] === MAGIC[3];
  return new DcompError(
    'E_NOT_DCZ',
    name
      ? 'the file was a .dcz file, but a transfer of 7 bits has changed it (byte offset 0); transfer it again as binary'
      : 'not a .dcz file: it does not begin with the signature of one',
  );
}

function truncatedHeader(bytes: Uint8Array): DcompError {
  return new DcompError(
    'E_TRUNCATED',
    `the file ends after ${bytes.length} bytes, inside the header; get the whole file`,
  );
}
