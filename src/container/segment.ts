/** A segment's bytes; what they say is for src/codec. */
import { concat, CRC_BYTES, u32Bytes, varint } from '../bytes.js';
import { crc32, crc32Combine } from './crc32.js';

/** Most units in one segment, so that their number is a byte; the least is 1. */
export const MAX_SEGMENT_UNITS = 255;
/** Longest payload of a segment: a unit has some 5 MB at most, and a segment ends with the unit in which it is long enough. */
export const MAX_SEGMENT_BYTES = 2 ** 24;
/** Bytes of a segment besides its payload. */
export function segmentOverhead(payloadLength: number): number {
  return varint(payloadLength).length + 2 + CRC_BYTES;
}

/** Where a segment belongs. */
export interface SegmentPlace {
  /** Number of its first unit: units in the segments before it. */
  first: number;
  last: boolean;
}

/** What a segment holds. */
export interface SegmentContent {
  payload: Uint8Array;
  units: number;
  /** Ideal bits over real bits, in 1/128. */
  idealRatio: number;
}

/**
 * The checksum that a segment has at a place.
 * @param crc CRC-32 of its fields and its payload, `length` bytes together
 */
export function segmentChecksum({ first, last }: SegmentPlace, crc: number, length: number): number {
  return crc32Combine(crc32(u32Bytes(first + (last ? 2 ** 31 : 0))), crc, length);
}

export function writeSegment({ payload, units, idealRatio }: SegmentContent, place: SegmentPlace): Uint8Array {
  const fields = Uint8Array.of(...varint(payload.length), units, idealRatio);
  const crc = segmentChecksum(place, crc32(payload, crc32(fields)), fields.length + payload.length);
  return concat([fields, u32Bytes(crc), payload]);
}

/** All segments of a file. @param last whether no more of them follow */
export function writeSegments(segments: readonly SegmentContent[], last = true): Uint8Array {
  let first = 0;
  return concat(
    segments.map((segment, i) => {
      const bytes = writeSegment(segment, { first, last: last && i + 1 === segments.length });
      first += segment.units;
      return bytes;
    }),
  );
}
