/** A file as packets, and back from any of them that are enough. Pure functions on bytes: sending and receiving is the caller's. */
import { concat } from '../bytes.js';
import { DcompError } from '../errors.js';
import {
  bytesOf,
  checkList,
  checkObject,
  checkOptions,
  isNumber,
  isWhole,
  type Check,
  type Checks,
} from '../options.js';
import { MAX_SHARES, shareAt, type Share } from './erasure.js';
import { headBytes, idOf, MAX_NEED, readPacket, writePacket, type Layout, type Packet } from './packet.js';

/** Bytes of the longest packet. */
export const MAX_PACKET_BYTES = 2 ** 24;

/** What packets are to be like. */
export interface PacketOptions {
  /** Bytes of a packet, at most; 5 to 2^24. */
  bytes: number;
  /** How many packets, 1 to 256. Default: as many as the file needs, and the redundancy. */
  count?: number;
  /**
   * How many packets may be lost, as a share of those that are needed, from 0 to below 256: 0.3 of 10 are 3 more. Default 0; with `count`
   * at least that.
   */
  redundancy?: number;
  /** The beginning of the file, protected better: fewer packets give it. Default: none. */
  preview?: Preview;
}

/** The beginning of a file that a few packets give, whichever they are. */
export interface Preview {
  /** Bytes of the file, 1 to 2^24, rounded up to a multiple of `need`; they take `bytes / need` of every packet. */
  bytes: number;
  /** How many packets give it, 1 to 127, fewer than the file needs. */
  need: number;
}

/** What fits into packets. */
export interface PacketPlan {
  /** Bytes that a file can have. */
  room: number;
  /** Any so many packets give the file. */
  need: number;
  /** Packets in all; undefined where the file decides. */
  count: number | undefined;
}

const isPreview: Check<Preview> = (value, name) => {
  checkObject(value, name, 'an object such as { bytes: 60, need: 1 }');
  const checks: Checks<Preview> = { bytes: isWhole(1, 2 ** 24), need: isWhole(1, MAX_NEED) };
  const { bytes, need } = checkOptions<Partial<Preview>>(value, checks, name);
  if (bytes === undefined || need === undefined) throw new DcompError('E_USAGE', `${name} needs bytes and need`);
  return { bytes, need };
};

const CHECKS: Checks<PacketOptions> = {
  bytes: isWhole(5, MAX_PACKET_BYTES, ' of bytes'),
  count: isWhole(1, MAX_SHARES, ' of packets'),
  redundancy: isNumber('a number from 0 up', (value) => value >= 0 && value < MAX_SHARES),
  preview: isPreview,
};

interface Shape {
  /** Bytes of the file that a packet has at most a share of: of the preview, and of the rest. */
  previewBytes: number;
  shareBytes: number;
  preview: Layout['preview'];
  redundancy: number;
  count: number | undefined;
}

/** @throws DcompError E_USAGE */
function shapeOf(given: PacketOptions): Shape {
  const {
    bytes,
    count,
    redundancy = 0,
    preview: wanted,
  } = checkOptions<Partial<PacketOptions>>(given, CHECKS, 'packets');
  if (bytes === undefined) throw new DcompError('E_USAGE', 'packets need bytes: how long one may be');
  const preview =
    wanted === undefined ? undefined : { need: wanted.need, shareBytes: Math.ceil(wanted.bytes / wanted.need) };
  const previewShare = preview?.shareBytes ?? 0;
  const shareBytes = bytes - headBytes({ preview }) - previewShare;
  if (shareBytes < 1)
    throw new DcompError(
      'E_USAGE',
      `packets of ${bytes} bytes hold nothing beside the preview; make it smaller, or have it of more packets (need)`,
    );
  return { previewBytes: previewShare * (preview?.need ?? 0), shareBytes, preview, redundancy, count };
}

/** Packets in all of a file that needs so many. */
const withRedundancy = (need: number, redundancy: number): number => need + Math.ceil(need * redundancy - 1e-9);

/** Most packets that a file may need. */
function mostNeed({ count = MAX_SHARES, redundancy }: Shape): number {
  let need = Math.min(MAX_NEED, count);
  while (need > 0 && withRedundancy(need, redundancy) > count) need--;
  return need;
}

/**
 * How many bytes a file may have: what to code a picture to.
 * @throws DcompError E_USAGE
 */
export function planPackets(options: PacketOptions): PacketPlan {
  const shape = shapeOf(options);
  const need = mostNeed(shape);
  if (need === 0 || (shape.preview !== undefined && shape.preview.need > need))
    throw new DcompError(
      'E_USAGE',
      need === 0
        ? `${shape.count ?? MAX_SHARES} packets are too few for that redundancy; have more of them, or less of it`
        : `the preview needs ${shape.preview!.need} packets, and the whole file ${need}; have fewer for the preview`,
    );
  return { room: shape.previewBytes + need * shape.shareBytes, need, count: shape.count };
}

/**
 * Spreads a file over packets, of which any `need` give it back (`planPackets`), and fewer what comes first in it, as far as it is there.
 * Those of a smaller count are the first of a larger one: more can be made later, for who lacks some.
 * @param file any bytes; of a picture those of a `.dcz` file or a message
 * @throws DcompError E_USAGE; E_EMPTY; E_UNREACHABLE where the file is too large
 */
export function makePackets(file: Uint8Array, options: PacketOptions): Uint8Array[] {
  const shape = shapeOf(options);
  const bytes = bytesOf(file, 'the file');
  if (bytes.length === 0) throw new DcompError('E_EMPTY', 'the file is empty; there is nothing to send');
  const { room, need: most } = planPackets(options);
  if (bytes.length > room)
    throw new DcompError(
      'E_UNREACHABLE',
      `the file has ${bytes.length} bytes, and ${most} packets hold ${room}; have more or longer packets, or a smaller file`,
    );
  const { preview, previewBytes } = shape;
  if (previewBytes >= bytes.length)
    throw new DcompError(
      'E_USAGE',
      `the preview has ${previewBytes} bytes and the file ${bytes.length}; have fewer for the preview`,
    );
  const rest = bytes.subarray(previewBytes);
  const need = Math.max(preview?.need ?? 1, Math.ceil(rest.length / shape.shareBytes));
  const shareBytes = Math.ceil(rest.length / need);
  const padded = bytes.length < previewBytes + need * shareBytes;
  const data = paddedTo(bytes, previewBytes + need * shareBytes, padded);
  const layout: Layout = { need, padded, preview };
  const firsts = pieces(data.subarray(0, previewBytes), preview?.need ?? 0); // none without a preview
  const others = pieces(data.subarray(previewBytes), need);
  const id = idOf(bytes);
  return Array.from({ length: shape.count ?? withRedundancy(need, shape.redundancy) }, (_, index) => {
    const shares = preview === undefined ? [others] : [firsts, others];
    const share = concat(shares.map((each) => shareAt(index, each)));
    return writePacket({ id, index, ...layout, share });
  });
}

function paddedTo(bytes: Uint8Array, length: number, padded: boolean): Uint8Array {
  if (!padded) return bytes;
  const out = new Uint8Array(length);
  out.set(bytes);
  out[bytes.length] = 128;
  return out;
}

/** The data as the shares with the numbers 0 .. count − 1. */
function pieces(data: Uint8Array, count: number): Share[] {
  const length = data.length / count;
  return Array.from({ length: count }, (_, index) => ({
    index,
    bytes: data.subarray(index * length, (index + 1) * length),
  }));
}

/** What packets of one picture gave. */
export interface Joined {
  /** Of the picture, 0..65535. */
  id: number;
  /** The file if it is complete, else what comes first in it, perhaps nothing. */
  bytes: Uint8Array;
  complete: boolean;
  /** Different packets of it, and how many are enough. */
  received: number;
  need: number;
}

/** Packets that are of one picture, as far as they say. */
interface Family {
  id: number;
  layout: Layout;
  /** By number. */
  shares: Map<number, Uint8Array>;
}

/**
 * Puts files together of whatever packets arrived, in any order: duplicates count once, and what is damaged or no packet at all is of no
 * picture or one of its own.
 * @param packets messages as they arrived
 * @returns pictures; complete ones first, those with more packets before others
 * @throws DcompError E_USAGE
 */
export function joinPackets(packets: readonly Uint8Array[]): Joined[] {
  checkList(packets, 'the packets');
  const families = new Map<string, Family>();
  for (const [i, given] of packets.entries()) {
    const packet = readPacket(bytesOf(given, `packet ${i + 1}`));
    if (packet !== undefined) addTo(families, packet);
  }
  return [...families.values()].map(join).sort((a, b) => rank(b) - rank(a) || a.id - b.id);
}

const rank = ({ complete, received, bytes }: Joined): number =>
  (complete ? 2 * MAX_SHARES + 2 : 0) + 2 * received + (bytes.length > 0 ? 1 : 0);

function addTo(families: Map<string, Family>, { id, index, share, need, padded, preview }: Packet): void {
  const key = [id, need, padded, preview?.need, preview?.shareBytes, share.length].join();
  const family = families.get(key) ?? { id, layout: { need, padded, preview }, shares: new Map<number, Uint8Array>() };
  families.set(key, family);
  if (!family.shares.has(index)) family.shares.set(index, Uint8Array.from(share));
}

function join({ id, layout, shares }: Family): Joined {
  const { need, padded, preview } = layout;
  const previewShare = preview?.shareBytes ?? 0;
  const firsts = [...shares].map(([index, bytes]) => ({ index, bytes: bytes.subarray(0, previewShare) }));
  const others = [...shares].map(([index, bytes]) => ({ index, bytes: bytes.subarray(previewShare) }));
  const beginning = preview === undefined ? new Uint8Array(0) : interpolated(firsts, preview.need);
  const found = { id, received: shares.size, need };
  const data = interpolated(others, need);
  if (beginning !== undefined && data !== undefined) {
    const bytes = withoutPadding(concat([beginning, data]), padded);
    if (bytes !== undefined && idOf(bytes) === id) return { ...found, bytes, complete: true };
    // Damage that looks like a packet of this picture: what is true of it nobody knows.
    return { ...found, bytes: new Uint8Array(0), complete: false };
  }
  if (beginning === undefined) return { ...found, bytes: new Uint8Array(0), complete: false };
  return { ...found, bytes: concat([beginning, ...firstOf(others)]), complete: false };
}

/** Pieces of the data from the first on, as far as they are there. */
function firstOf(shares: readonly Share[]): Uint8Array[] {
  const byIndex = new Map(shares.map(({ index, bytes }) => [index, bytes]));
  const found: Uint8Array[] = [];
  for (let bytes = byIndex.get(0); bytes !== undefined; bytes = byIndex.get(found.length)) found.push(bytes);
  return found;
}

/** The data that shares stand for; undefined where they are too few. */
function interpolated(shares: readonly Share[], need: number): Uint8Array | undefined {
  if (shares.length < need) return undefined;
  // What need not be computed: pieces of the data are their own shares.
  const chosen = [...shares].sort((a, b) => a.index - b.index).slice(0, need);
  return concat(Array.from({ length: need }, (_, index) => shareAt(index, chosen)));
}

/** undefined where the padding is none. */
function withoutPadding(data: Uint8Array, padded: boolean): Uint8Array | undefined {
  if (!padded) return data;
  let end = data.length;
  while (end > 0 && data[end - 1] === 0) end--;
  return end > 0 && data[end - 1] === 128 ? data.subarray(0, end - 1) : undefined;
}
