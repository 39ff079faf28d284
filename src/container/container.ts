/**
 * The container `.dcz`, version 1. All numbers of more than a byte are LEB128 (`varint`) or little-endian.
 *
 *   header    magic (8), version (1), kind (1), model id (8), width, height (varint each), coarse width and both views, fine width and tail,
 *             last code, nu (1 each), CRC-32 of all this (4)
 *   parts     only if the kind says so: what belongs to the picture beside its samples (src/container/parts.ts); each:
 *             type (1, not 0), payload length (varint), CRC-32 of those fields and the payload (4), payload; then a 0
 *   alpha     only if the kind has alpha: length (varint), CRC-32 of the payload (4), payload (src/entropy/plane.ts)
 *   segments  until the file ends, in the order in which they refine the picture, each:
 *             payload length (varint), units in it (1), ideal rate (1), CRC-32 of those fields and the payload (4), payload
 *
 * A unit is one step of one group. A segment's units follow those of the segment before it. In the last one the bits of the last unit may be missing
 * from some point on: a picture of any size in bytes. Whatever prefix of a file is there decodes, from the header on.
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { DcompError } from '../errors.js';
import { MAX_PIXELS, MAX_SIDE, type Channels, type Depth } from '../picture.js';
import { MIN_NU } from '../entropy/trellis.js';
import { MODEL_ID_BYTES } from '../model/integer/integer-model.js';
import { TOP_CODE } from '../model/sigma.js';
import { crc32 } from './crc32.js';
import { CODES_LEVEL_SPAN, FORMAT_VERSION, LAST_CODE, MAGIC, MAX_FINE_NU } from '../format.js';
import { isKnownPart, MAX_PART_BYTES, MUST_BE_KNOWN, type Part } from './parts.js';
import { VIEWS, type Schedule } from '../diffusion/schedule.js';

export interface Header {
  width: number;
  height: number;
  channels: Channels;
  /** Bits of a sample; below 8 for grey alone. */
  depth: Depth;
  /** Of MODEL_ID_BYTES bytes, in hexadecimal. */
  modelId: string;
  schedule: Schedule;
  /** log2 of the trellis states. */
  nu: number;
}

/** Where a payload lies in the file. */
export interface Extent {
  /** Byte offset of the payload, and how many of its bytes are there. */
  payloadOffset: number;
  payloadLength: number;
  /** complete: checksum holds; cut: the file ends in it; damaged: checksum does not hold. */
  state: 'complete' | 'cut' | 'damaged';
}

export interface PartExtent extends Extent {
  /** Byte offset in the file of the part's type. */
  offset: number;
  type: number;
}

export interface Segment extends Extent {
  /** Byte offset in the file of the segment's length field. */
  offset: number;
  /** Units in it (a step of a group each), the last one perhaps cut. */
  units: number;
  /** Ideal bits over real bits, in 1/128. */
  idealRatio: number;
}

export interface Container {
  header: Header;
  /** In the order of the file, unknown ones too. */
  parts: PartExtent[];
  alpha: Extent | undefined;
  segments: Segment[];
  /** True where the file ends in the middle of something. */
  truncated: boolean;
}

/** Most units in one segment, so that their number is a byte. */
export const MAX_SEGMENT_UNITS = 255;
export const CRC_BYTES = 4;
/** Where fields of the header begin. */
const KIND = MAGIC.length + 1;
const MODEL_ID = KIND + 1;
const SIZES = MODEL_ID + MODEL_ID_BYTES;
/** Bytes of schedule and nu, behind the sizes. */
const SETTINGS_BYTES = 4;
/** Bytes of the shortest and the longest header, without its checksum: width and height have 1 to 5 bytes each. */
export const MIN_HEADER = SIZES + 2 + SETTINGS_BYTES;
export const MAX_HEADER = MIN_HEADER + 8;
/** The byte of the coarse width: width − 1 in four bits, log2 of the views and of the coarse views in two each. */
const COARSE_UNITS = 16;
/** The byte of the fine width: width in five bits, the tail above them. */
const FINE_UNITS = 32;

/** Depths in the order of their codes in the kind byte: bits 4 to 6. Bits 0 to 2 are the channels. */
const DEPTHS: readonly Depth[] = [8, 16, 4, 2, 1];
/** Bit of the kind byte: parts follow the header. */
const HAS_PARTS = 8;

/** The header and the parts behind it. */
export function writeHeader(header: Header, parts: readonly Part[] = []): Uint8Array {
  const { schedule } = header;
  const fields = [
    ...MAGIC,
    FORMAT_VERSION,
    header.channels | (DEPTHS.indexOf(header.depth) << 4) | (parts.length > 0 ? HAS_PARTS : 0),
    ...hexToBytes(header.modelId),
    ...varint(header.width),
    ...varint(header.height),
    schedule.coarseWidth - 1 + COARSE_UNITS * (VIEWS.indexOf(schedule.views) + 4 * VIEWS.indexOf(schedule.coarseViews)),
    schedule.fineWidth + FINE_UNITS * schedule.tail,
    schedule.lastCode,
    header.nu,
  ];
  const start = withCrc(Uint8Array.from(fields), new Uint8Array(0));
  return parts.length === 0 ? start : concat([start, ...parts.map(writePart), Uint8Array.of(0)]);
}

export function writePart({ type, payload }: Part): Uint8Array {
  return withCrc(Uint8Array.from([type, ...varint(payload.length)]), payload);
}

export function writeAlpha(payload: Uint8Array): Uint8Array {
  return concat([Uint8Array.from(varint(payload.length)), crcBytes(crc32(payload)), payload]);
}

/** Bytes of a segment besides its payload. */
export function segmentOverhead(payloadLength: number): number {
  return varint(payloadLength).length + 2 + CRC_BYTES;
}

export function writeSegment(payload: Uint8Array, units: number, idealRatio: number): Uint8Array {
  return withCrc(Uint8Array.from([...varint(payload.length), units, idealRatio]), payload);
}

/**
 * Reads the structure of a file; needs no model. Damage and truncation behind the header are reported in the result.
 * @param maxPixels refuses pictures that are larger
 * @throws DcompError E_EMPTY, E_NOT_DCZ, E_VERSION, E_DAMAGED_HEADER, E_TOO_LARGE, E_TRUNCATED (inside the header)
 */
export function readContainer(bytes: Uint8Array, maxPixels = MAX_PIXELS): Container {
  const { header, hasParts, end } = readHeader(bytes, maxPixels);
  const container: Container = { header, parts: [], alpha: undefined, segments: [], truncated: false };
  let at = end;
  if (hasParts) {
    const partsEnd = readParts(bytes, at, container.parts);
    if (partsEnd === undefined) {
      container.truncated = true;
      return container;
    }
    at = partsEnd;
  }
  if (header.channels === 2 || header.channels === 4) {
    const length = readVarint(bytes, at);
    if (length === undefined || bytes.length < length.end + CRC_BYTES) {
      container.truncated = true;
      return container;
    }
    const payloadOffset = length.end + CRC_BYTES;
    const payloadLength = Math.min(length.value, bytes.length - payloadOffset);
    const payload = bytes.subarray(payloadOffset, payloadOffset + payloadLength);
    const cut = payloadLength < length.value;
    const state = cut ? 'cut' : crc32(payload) === readU32(bytes, length.end) ? 'complete' : 'damaged';
    container.alpha = { payloadOffset, payloadLength, state };
    container.truncated = cut;
    at = payloadOffset + payloadLength;
  }
  while (at < bytes.length) {
    const length = readVarint(bytes, at);
    if (length === undefined || bytes.length < length.end + 2 + CRC_BYTES) {
      container.truncated = true;
      break;
    }
    const fields = bytes.subarray(at, length.end + 2);
    const payloadOffset = length.end + 2 + CRC_BYTES;
    const payloadLength = Math.min(length.value, bytes.length - payloadOffset);
    const cut = payloadLength < length.value;
    const payload = bytes.subarray(payloadOffset, payloadOffset + payloadLength);
    const intact = !cut && crc32(concat([fields, payload])) === readU32(bytes, length.end + 2);
    container.segments.push({
      offset: at,
      payloadOffset,
      payloadLength,
      units: bytes[length.end]!,
      idealRatio: bytes[length.end + 1]!,
      state: cut ? 'cut' : intact ? 'complete' : 'damaged',
    });
    container.truncated ||= cut;
    at = payloadOffset + payloadLength;
  }
  return container;
}

/** Lists the parts. @returns byte offset behind them, undefined where the file ends first @throws DcompError E_VERSION */
function readParts(bytes: Uint8Array, start: number, parts: PartExtent[]): number | undefined {
  for (let at = start; at < bytes.length;) {
    const type = bytes[at]!;
    if (type === 0) return at + 1;
    const length = readVarint(bytes, at + 1);
    if (length === undefined || bytes.length < length.end + CRC_BYTES) return undefined;
    const payloadOffset = length.end + CRC_BYTES;
    const payloadLength = Math.min(length.value, bytes.length - payloadOffset);
    const cut = payloadLength < length.value;
    const payload = bytes.subarray(payloadOffset, payloadOffset + payloadLength);
    // What is longer than any part can be is not even summed.
    const intact =
      !cut &&
      payloadLength <= MAX_PART_BYTES &&
      crc32(concat([bytes.subarray(at, length.end), payload])) === readU32(bytes, length.end);
    if (intact && type >= MUST_BE_KNOWN && !isKnownPart(type)) {
      throw new DcompError(
        'E_VERSION',
        `the file has a part of type ${type} (byte offset ${at}), without which it cannot be decoded; this release does not know it: use a newer one`,
      );
    }
    parts.push({
      offset: at,
      type,
      payloadOffset,
      payloadLength,
      state: cut ? 'cut' : intact ? 'complete' : 'damaged',
    });
    at = payloadOffset + payloadLength;
  }
  return undefined;
}

export function readHeader(
  bytes: Uint8Array,
  maxPixels = MAX_PIXELS,
): { header: Header; hasParts: boolean; end: number } {
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
  const width = readVarint(bytes, SIZES);
  const height = width && readVarint(bytes, width.end);
  if (height === undefined || bytes.length < height.end + SETTINGS_BYTES + CRC_BYTES) {
    if (bytes.length >= SIZES + 22)
      throw new DcompError(
        'E_DAMAGED_HEADER',
        `the header is damaged: its sizes do not end (byte offset ${SIZES}); get the file again`,
      );
    throw truncatedHeader(bytes);
  }
  const end = height.end + SETTINGS_BYTES;
  if (crc32(bytes.subarray(0, end)) !== readU32(bytes, end)) {
    throw new DcompError(
      'E_DAMAGED_HEADER',
      `the header is damaged: its checksum (byte offset ${end}) does not hold; get the file again`,
    );
  }
  const impossible = (what: string): DcompError =>
    new DcompError('E_DAMAGED_HEADER', `the header states ${what}, which no encoder writes; get the file again`);
  const kind = bytes[KIND]!;
  const channels = kind & 7;
  const depth = DEPTHS[kind >> 4];
  if (
    (channels !== 1 && channels !== 2 && channels !== 3 && channels !== 4) ||
    depth === undefined ||
    (depth < 8 && channels !== 1)
  )
    throw impossible(`kind ${kind}`);
  const w = width!.value;
  const h = height.value;
  if (w < 1 || h < 1) throw impossible(`a picture of ${w}×${h} pixels`);
  if (w > MAX_SIDE || h > MAX_SIDE || w * h > MAX_PIXELS) {
    throw new DcompError(
      'E_TOO_LARGE',
      `the header states ${w}×${h} pixels; the format codes at most ${MAX_SIDE} a side and ${MAX_PIXELS} in all`,
    );
  }
  if (w * h > maxPixels)
    throw new DcompError(
      'E_TOO_LARGE',
      `the picture has ${w}×${h} pixels, more than the limit of ${maxPixels}; raise the limit to decode it`,
    );
  const [coarse, fine, lastCode, nu] = bytes.subarray(height.end, end) as unknown as [number, number, number, number];
  const coarseWidth = (coarse % COARSE_UNITS) + 1;
  const bothViews = Math.floor(coarse / COARSE_UNITS);
  const views = VIEWS[bothViews % 4];
  const coarseViews = VIEWS[Math.floor(bothViews / 4)];
  const fineWidth = fine % FINE_UNITS;
  const tail = Math.floor(fine / FINE_UNITS);
  if (
    views === undefined ||
    coarseViews === undefined ||
    fineWidth < 1 ||
    fineWidth > CODES_LEVEL_SPAN ||
    lastCode < LAST_CODE ||
    lastCode > TOP_CODE
  ) {
    throw impossible(`the schedule ${coarse}, ${fine}, ${lastCode}`);
  }
  if (nu < MIN_NU || nu > MAX_FINE_NU) throw impossible(`a trellis of ${nu} bits`);
  const modelId = bytesToHex(bytes.subarray(MODEL_ID, SIZES));
  const header: Header = {
    width: w,
    height: h,
    channels,
    depth,
    modelId,
    schedule: { coarseWidth, fineWidth, lastCode, tail, views, coarseViews },
    nu,
  };
  return { header, hasParts: (kind & HAS_PARTS) !== 0, end: end + CRC_BYTES };
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

/** LEB128: 7 bits a byte, least significant first. */
export function varint(value: number): number[] {
  const out: number[] = [];
  while (value >= 128) {
    out.push((value % 128) + 128);
    value = Math.floor(value / 128);
  }
  out.push(value);
  return out;
}

/** undefined where the bytes end inside the number or it has more than 5 bytes. */
export function readVarint(bytes: Uint8Array, at: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let i = 0, scale = 1; i < 5; i++, scale *= 128) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 127) * scale;
    if (byte < 128) return { value, end: at + i + 1 };
  }
  return undefined;
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function crcBytes(crc: number): Uint8Array {
  return Uint8Array.from([crc & 255, (crc >>> 8) & 255, (crc >>> 16) & 255, crc >>> 24]);
}

/** fields, CRC-32 of fields and payload, payload. */
function withCrc(fields: Uint8Array, payload: Uint8Array): Uint8Array {
  return concat([fields, crcBytes(crc32(concat([fields, payload]))), payload]);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
