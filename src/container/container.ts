/**
 * The container `.dcz`, version 1. All numbers of more than a byte are LEB128 (`varint`) or little-endian.
 *
 *   header    src/container/header.ts
 *   parts     only if the kind says so: what belongs to the picture beside its samples (src/container/parts.ts); each:
 *             type (1, not 0), payload length (varint), CRC-32 of those fields and the payload (4), payload; then a 0
 *   alpha     only if the kind has alpha: length (varint), CRC-32 of the payload (4), payload (src/entropy/plane.ts)
 *   segments  in the order in which they refine the picture, each: payload length (varint), units in it (1), ideal rate (1),
 *             CRC-32 of its place, those fields and the payload (4), payload
 *
 * In the plain form a segment is a band of rows (src/container/plain-samples.ts), with 1 for its units and 0 for its rate.
 * A unit is one step of one group. A segment's units follow those of the segment before it. In the last one the bits of the last unit
 * may be missing from some point on: a picture of any size in bytes. Whatever prefix of a file is there decodes, from the header on.
 *
 * A segment's place is in its checksum and not in its bytes: the number of its first unit, and whether it is the last. So
 * no segment can be left out, doubled or moved without notice, and a reader knows where the file ends.
 */
import { concat, u32Bytes, varint } from '../bytes.js';
import { crc32 } from './crc32.js';
import { headerBytes, type Header } from './header.js';
import type { Part } from './parts.js';

export { concat, CRC_BYTES, readU32, readVarint, varint } from '../bytes.js';
export { MAX_HEADER, MIN_HEADER, NO_CODING, readHeader, type Form, type Header } from './header.js';
export type * from './extents.js';
export { ContainerReader, readContainer, readContainerInPieces } from './reader.js';
export * from './segment.js';

/** The header and the parts behind it. */
export function writeHeader(header: Header, parts: readonly Part[] = []): Uint8Array {
  const start = headerBytes(header, parts.length > 0);
  return parts.length === 0 ? start : concat([start, ...parts.map(writePart), Uint8Array.of(0)]);
}

export function writePart({ type, payload }: Part): Uint8Array {
  const fields = Uint8Array.of(type, ...varint(payload.length));
  return concat([fields, u32Bytes(crc32(payload, crc32(fields))), payload]);
}

export function writeAlpha(payload: Uint8Array): Uint8Array {
  return concat([Uint8Array.from(varint(payload.length)), u32Bytes(crc32(payload)), payload]);
}
