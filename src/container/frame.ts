/** Frames: what parts, alpha and segments have in common, a length and a checksum before the payload. */
import { CRC_BYTES, readVarint } from '../bytes.js';
import { MAX_PART_BYTES } from './parts.js';
import { MAX_SEGMENT_BYTES } from './segment.js';

/** What stands around the length. */
export interface Shape {
  /** Bytes before the length, and between it and the checksum. */
  before: number;
  behind: number;
  /** Whether the checksum covers these and the length; it covers the payload in any case. */
  covered: boolean;
  /** Most bytes of the payload; behind what is longer nothing can be found. */
  maxLength: number;
}

export const PART_SHAPE: Shape = { before: 1, behind: 0, covered: true, maxLength: MAX_PART_BYTES };
export const ALPHA_SHAPE: Shape = { before: 0, behind: 0, covered: false, maxLength: Infinity };
export const SEGMENT_SHAPE: Shape = { before: 0, behind: 2, covered: true, maxLength: MAX_SEGMENT_BYTES };

/** Where a frame's fields lie. */
export interface Frame {
  /** Bytes before the payload that the checksum covers. */
  fields: Uint8Array;
  length: number;
  /** Byte offsets of the checksum and of the payload. */
  crc: number;
  payload: number;
}

/** undefined where the bytes end before the payload, or the length has no end. */
export function frameAt(bytes: Uint8Array, at: number, { before, behind, covered }: Shape): Frame | undefined {
  const length = readVarint(bytes, at + before);
  if (length === undefined) return undefined;
  const crc = length.end + behind;
  if (crc + CRC_BYTES > bytes.length) return undefined;
  return {
    fields: covered ? bytes.slice(at, crc) : new Uint8Array(0),
    length: length.value,
    crc,
    payload: crc + CRC_BYTES,
  };
}
