/**
 * A message: a picture for links of some dozen to some thousand bytes that bring their own integrity, so without magic, metadata, segments
 * and checksums. 3 bytes before its bits for the sizes of MESSAGE_SIZES or one that the reader is told, 5 up to 256 a side.
 *
 *   shape     bits 0 to 3: 0 the reader is told the size, 1 width and height less 1 follow (1 byte each), 2 width and height follow
 *             (varints), from 3 on those of MESSAGE_SIZES; bits 4 and 5: checksum of 0, 1, 2 or 4 bytes; bit 6: grey; bit 7: 0, which a
 *             .dcz file has not
 *   schedule  bits 0 and 1: coarse width, of COARSE_WIDTHS; bits 2 and 3: width of first steps, 0 for no other; bits 4 and 5: log2 of the
 *             coarse views; bit 6: means are trusted; bit 7: coarsest width 16, not 8
 *   model     the first byte of its id
 *   size      as `shape` says
 *   checksum  as `shape` says: the lower bytes of the CRC-32 of all before and behind it, the lowest first
 *   bits      of all units, one behind the other; they end anywhere
 */
import { VIEWS, type Schedule } from '../diffusion/schedule.js';
import { DcompError } from '../errors.js';
import { LAST_CODE, MAGIC, MAX_FINE_NU } from '../format.js';
import type { Size } from '../math/rectangle.js';
import { MAX_SIDE } from '../picture.js';
import { concat, readVarint, u32Bytes, varint } from '../bytes.js';
import { crc32 } from './crc32.js';

/** Sizes that take no byte, in the order of their codes from 3 on. */
export const MESSAGE_SIZES: readonly (readonly [width: number, height: number])[] = [
  [32, 32],
  [64, 64],
  [100, 100],
  [64, 48],
  [48, 64],
  [128, 96],
  [96, 128],
  [160, 120],
  [120, 160],
  [192, 128],
  [128, 192],
  [320, 240],
  [240, 320],
];
const FIRST_SIZE = 3;

/** Coarse widths that can be stated. */
export const COARSE_WIDTHS = [3, 4, 6, 8] as const;

/** Bits of a message's checksum that can be asked for. */
export const MESSAGE_CHECKS = [0, 8, 16, 32] as const;
/** Bits of a message's checksum. */
export type MessageCheck = (typeof MESSAGE_CHECKS)[number];

/** Largest picture of a message. */
export const MAX_MESSAGE_PIXELS = 2 ** 18;

/** What the messages of a picture may differ in. */
export type MessageSchedule = Required<
  Pick<Schedule, 'coarseWidth' | 'coarseViews' | 'coarsestWidth' | 'firstWidth' | 'trustsMeans'>
>;

/** What a message says before its bits. */
export interface MessageHeader extends Size {
  grey: boolean;
  check: MessageCheck;
  schedule: MessageSchedule;
  /** First byte of the model's id, in hexadecimal. */
  model: string;
}

/** All that a message's schedule says: it is shown as well as can be, and ends where its bits do. */
export function scheduleOf(schedule: MessageSchedule): Schedule {
  return { ...schedule, fineWidth: FINE_WIDTH, lastCode: LAST_CODE, tail: 0, views: 4 };
}

/** log2 of the states of the trellis for signs at level 0, which a message does not state. */
export const MESSAGE_NU = MAX_FINE_NU;

const GREY = 64;
/** Of the second byte: where the other widths and the coarse views are. */
const FIRST_UNIT = 4;
const VIEWS_UNIT = 16;
const TRUST_UNIT = 64;
const COARSEST_UNIT = 128;
/** Largest width of first steps that can be stated. */
export const MAX_FIRST_WIDTH = 3;
/** Width of refining steps at level 0. */
const FINE_WIDTH = 4;
/** Coarsest widths that can be stated. */
export const COARSEST_WIDTHS = [8, 16] as const;

/** @param told whether the reader is told the size, so that it takes no byte */
function headBytes({ width, height, grey, check, schedule, model }: MessageHeader, told: boolean): Uint8Array {
  const known = MESSAGE_SIZES.findIndex(([w, h]) => w === width && h === height);
  const short = width <= 256 && height <= 256;
  const code = told ? 0 : known >= 0 ? FIRST_SIZE + known : short ? 1 : 2;
  const size = code === 1 ? [width - 1, height - 1] : code === 2 ? [...varint(width), ...varint(height)] : [];
  return Uint8Array.of(
    code + 16 * MESSAGE_CHECKS.indexOf(check) + (grey ? GREY : 0),
    COARSE_WIDTHS.findIndex((each) => each === schedule.coarseWidth) +
      FIRST_UNIT * schedule.firstWidth +
      VIEWS_UNIT * VIEWS.indexOf(schedule.coarseViews) +
      (schedule.trustsMeans ? TRUST_UNIT : 0) +
      COARSEST_UNIT * COARSEST_WIDTHS.findIndex((each) => each === schedule.coarsestWidth),
    parseInt(model, 16),
    ...size,
  );
}

const bytesOfCheck = (check: MessageCheck): number => check / 8;

/** Bytes of a message besides its bits. */
export function messageOverhead(header: MessageHeader, told: boolean): number {
  return headBytes(header, told).length + bytesOfCheck(header.check);
}

/** @param bits packed */
export function writeMessage(header: MessageHeader, told: boolean, bits: Uint8Array): Uint8Array {
  const head = headBytes(header, told);
  const sum = u32Bytes(crc32(bits, crc32(head))).subarray(0, bytesOfCheck(header.check));
  return concat([head, sum, bits]);
}

/** A message's header, where its bits begin, and whether its checksum holds; true if it has none. */
export interface MessageRead {
  header: MessageHeader;
  start: number;
  intact: boolean;
}

/**
 * @param told the size, where the message does not say it
 * @throws DcompError E_EMPTY, E_TRUNCATED, E_NOT_DCZ, E_DAMAGED_HEADER, E_TOO_LARGE; E_USAGE where the size must be told and is not
 */
export function readMessage(bytes: Uint8Array, told?: Size): MessageRead {
  if (bytes.length === 0) throw new DcompError('E_EMPTY', 'the message is empty');
  const [shape = 0, steps = 0, model] = bytes;
  if (shape >= 128)
    throw new DcompError(
      'E_NOT_DCZ',
      shape === MAGIC[0] ? 'this is a .dcz file, not a message; decode it as one' : 'not a message of a picture',
    );
  const coarseWidth = COARSE_WIDTHS[steps % FIRST_UNIT]!;
  const firstWidth = Math.floor(steps / FIRST_UNIT) % (MAX_FIRST_WIDTH + 1);
  const coarseViews = VIEWS[Math.floor(steps / VIEWS_UNIT) % 4];
  const trustsMeans = (steps & TRUST_UNIT) !== 0;
  const coarsestWidth = COARSEST_WIDTHS[Math.floor(steps / COARSEST_UNIT)]!;
  if (coarseViews === undefined)
    throw new DcompError('E_DAMAGED_HEADER', `the message states the schedule ${steps}, which no encoder writes`);
  const check = MESSAGE_CHECKS[(shape >> 4) & 3]!;
  const found = sizeOf(bytes, shape & 15, told);
  const sum = bytesOfCheck(check);
  if (model === undefined || found === undefined || bytes.length < found.end + sum)
    throw new DcompError('E_TRUNCATED', `the message ends after ${bytes.length} bytes, inside its header`);
  const { end, ...size } = found;
  const header: MessageHeader = {
    ...checkMessageSize(size),
    grey: (shape & GREY) !== 0,
    check,
    schedule: { coarseWidth, firstWidth, coarseViews, coarsestWidth, trustsMeans },
    model: model.toString(16).padStart(2, '0'),
  };
  const stated = bytes.subarray(end, end + sum);
  const right = u32Bytes(crc32(bytes.subarray(end + sum), crc32(bytes.subarray(0, end))));
  return { header, start: end + sum, intact: stated.every((byte, i) => byte === right[i]) };
}

const HEAD = 3;

/** undefined where the message ends before; `end` is behind the size. @throws DcompError E_USAGE */
function sizeOf(bytes: Uint8Array, code: number, told: Size | undefined): (Size & { end: number }) | undefined {
  const known = MESSAGE_SIZES[code - FIRST_SIZE];
  if (known !== undefined) return { width: known[0], height: known[1], end: HEAD };
  if (code === 0) {
    if (told === undefined)
      throw new DcompError('E_USAGE', 'the message does not say how large its picture is; tell the size');
    return { width: told.width, height: told.height, end: HEAD };
  }
  if (code === 1) {
    const [width, height] = bytes.subarray(HEAD);
    return height === undefined ? undefined : { width: width! + 1, height: height + 1, end: HEAD + 2 };
  }
  const width = readVarint(bytes, HEAD);
  const height = width && readVarint(bytes, width.end);
  return height && { width: width.value, height: height.value, end: height.end };
}

/** @throws DcompError E_TOO_LARGE, E_DAMAGED_HEADER */
export function checkMessageSize({ width, height }: Size): Size {
  if (width < 1 || height < 1)
    throw new DcompError('E_DAMAGED_HEADER', `the message states a picture of ${width}×${height} pixels`);
  if (width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_MESSAGE_PIXELS)
    throw new DcompError(
      'E_TOO_LARGE',
      `${width}×${height} pixels are more than the ${MAX_MESSAGE_PIXELS} of a message; make the picture smaller (--resize 160x120), or a .dcz file of it`,
    );
  return { width, height };
}
