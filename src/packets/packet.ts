/**
 * A packet: a message of a few dozen to some thousand bytes that holds a share of a picture's file.
 *
 *   check    2 bytes, the lower first: the picture's id, exclusive or the CRC-16 of all that follows
 *   index    1 byte: number of the share
 *   need     1 byte: bits 0 to 6, how many shares give the file, 1 to 127; bit 7: the data end in a padding: a byte 128 and zeros
 *   preview  only if `need` is 0, which then follows here: 1 byte as above, how many shares give the preview (1, from 1 up),
 *            bytes of a share of the preview (varint, from 1 up)
 *   share    of the preview, if there is one, and of what follows it in the file
 *
 * The id is the lower half of the file's CRC-32. Check and id share two bytes: what is damaged seems to be of another picture. And once
 * the file is together, its id tells whether it is the right one.
 */
import { readVarint, varint } from '../bytes.js';
import { crc32 } from '../container/crc32.js';

/** Most packets that a file's bytes can be spread over; there can be more, up to MAX_SHARES, for redundancy. */
export const MAX_NEED = 127;
/** Bit of the byte `need`. */
const PADDED = 128;
const CHECK_BYTES = 2;

/** How a packet's share lies in the file. */
export interface Layout {
  /** Shares that give the file. */
  need: number;
  padded: boolean;
  /** What of the file fewer shares give. */
  preview: { need: number; shareBytes: number } | undefined;
}

/** What a packet says. */
export interface Packet extends Layout {
  /** Of the picture, 0..65535. */
  id: number;
  index: number;
  /** Shares of the preview and of the rest. */
  share: Uint8Array;
}

/** Id of a file, 0..65535. */
export function idOf(file: Uint8Array): number {
  return crc32(file) & 0xffff;
}

/** Bytes of a packet besides its share. */
export function headBytes({ preview }: Pick<Layout, 'preview'>): number {
  return CHECK_BYTES + 2 + (preview === undefined ? 0 : 2 + varint(preview.shareBytes).length);
}

/** A packet's bytes. */
export function writePacket({ id, index, need, padded, preview, share }: Packet): Uint8Array {
  const stated = need + (padded ? PADDED : 0);
  const head =
    preview === undefined ? [index, stated] : [index, 0, stated, preview.need, ...varint(preview.shareBytes)];
  const bytes = new Uint8Array(CHECK_BYTES + head.length + share.length);
  bytes.set(head, CHECK_BYTES);
  bytes.set(share, CHECK_BYTES + head.length);
  const check = id ^ crc16(bytes.subarray(CHECK_BYTES));
  bytes[0] = check & 255;
  bytes[1] = check >>> 8;
  return bytes;
}

/** What a message says if it is a packet; undefined where it cannot be one. */
export function readPacket(bytes: Uint8Array): Packet | undefined {
  const [low = 0, high = 0, index = 0, stated] = bytes;
  if (stated === undefined) return undefined;
  const id = (low | (high << 8)) ^ crc16(bytes.subarray(CHECK_BYTES));
  if (stated !== 0) {
    const need = stated % PADDED;
    const share = bytes.subarray(CHECK_BYTES + 2);
    if (need === 0 || share.length === 0) return undefined;
    return { id, index, need, padded: stated >= PADDED, preview: undefined, share };
  }
  const [all = 0, some = 0] = bytes.subarray(CHECK_BYTES + 2);
  const need = all % PADDED;
  const length = readVarint(bytes, CHECK_BYTES + 4);
  if (length === undefined || need === 0 || some === 0 || some > need || length.value === 0) return undefined;
  const share = bytes.subarray(length.end);
  if (share.length <= length.value) return undefined;
  return { id, index, need, padded: all >= PADDED, preview: { need: some, shareBytes: length.value }, share };
}

/** CRC-16 of CCITT (polynomial 1021, from ffff on). It finds every burst of up to 16 bits. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1;
  }
  return crc;
}
