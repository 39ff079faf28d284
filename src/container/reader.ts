/** Reads the structure of a file, also while it arrives: bytes are looked at once, however many times it is asked for. */
import { unitCount } from '../diffusion/units.js';
import { DcompError } from '../errors.js';
import { hasAlpha } from '../pixels/picture-planes.js';
import { MAX_PIXELS } from '../picture.js';
import type { Pieces } from '../turns.js';
import { CRC_BYTES, readU32 } from '../bytes.js';
import { crc32 } from './crc32.js';
import type { Container, Extent, PartExtent, Segment } from './extents.js';
import { ALPHA_SHAPE, frameAt, PART_SHAPE, SEGMENT_SHAPE, type Shape } from './frame.js';
import { readHeader, type Header } from './header.js';
import { isKnownPart, MAX_PARTS, MUST_BE_KNOWN, PARTS } from './parts.js';
import { segmentChecksum } from './segment.js';

/**
 * Reads the structure of a file; needs no model. Damage and truncation behind the header are reported in the result.
 * @param maxPixels refuses pictures that are larger
 * @throws DcompError E_EMPTY, E_NOT_DCZ, E_VERSION, E_DAMAGED_HEADER, E_TOO_LARGE, E_TRUNCATED (inside the header),
 *   E_DAMAGED_SEGMENT (more parts than there can be)
 */
export function readContainer(bytes: Uint8Array, maxPixels = MAX_PIXELS): Container {
  return new ContainerReader(maxPixels).read(bytes);
}

/** Bytes that are read in a piece. */
const PIECE = 2 ** 20;

/** As `readContainer`. */
export function* readContainerInPieces(bytes: Uint8Array, maxPixels?: number): Pieces<Container> {
  const reader = new ContainerReader(maxPixels);
  for (let end = PIECE; end < bytes.length; end += PIECE) {
    reader.advance(bytes.subarray(0, end));
    yield;
  }
  return reader.read(bytes);
}

/** What the reader is in the middle of: its length is known, and its payload summed as far as it is there. */
interface Open {
  payloadOffset: number;
  length: number;
  /** Bytes of the fields before the checksum that it covers, and the checksum that is stated. */
  fields: number;
  stated: number;
  /** CRC-32 of fields and payload up to byte offset `summed`. */
  crc: number;
  summed: number;
}

type Section = 'parts' | 'alpha' | 'segments';

/** What the file ends in, or what nothing can be behind; nothing where not even its length is there. */
interface Rest {
  part?: PartExtent;
  alpha?: Extent;
  segment?: Segment;
}

const WRONG_CHECKSUM = 'its checksum does not hold';

export class ContainerReader {
  private header: Header | undefined;
  private section: Section = 'parts';
  /** Byte offset of what comes next, and what of it is known. */
  private at = 0;
  private open: Open | undefined;
  private readonly parts: PartExtent[] = [];
  private readonly types = new Set<number>();
  private alpha: Extent | undefined;
  private readonly segments: Segment[] = [];
  /** Units of the segments so far, and of the picture. */
  private units = 0;
  private allUnits = 0;
  /** True behind the segment that says it is the last. */
  ended = false;
  /** Byte offset up to which there are only zeros where a segment should follow. */
  private zeros = 0;

  constructor(private readonly maxPixels = MAX_PIXELS) {}

  /**
   * @param bytes of the file so far; those of earlier calls must be the same
   * @throws DcompError as `readContainer`
   */
  read(bytes: Uint8Array): Container {
    const { header, rest } = this.advance(bytes);
    // The last segment may be damaged: where one ends with the file, it is taken for that.
    const damaged = this.at === bytes.length && this.segments[this.segments.length - 1]?.state === 'damaged';
    const open = rest?.part ?? rest?.alpha ?? rest?.segment;
    return {
      header,
      parts: rest?.part === undefined ? this.parts.slice() : [...this.parts, rest.part],
      alpha: rest?.alpha ?? this.alpha,
      segments: rest?.segment === undefined ? this.segments.slice() : [...this.segments, rest.segment],
      truncated: !this.ended && !damaged && open?.state !== 'damaged',
      trailing: this.ended || this.zeros === bytes.length ? bytes.length - this.at : 0,
    };
  }

  /** Looks at what is new. @throws DcompError as `readContainer` */
  advance(bytes: Uint8Array): { header: Header; rest: Rest | undefined } {
    const header = this.readHeader(bytes);
    let rest: Rest | undefined;
    while (rest === undefined && !this.ended && this.at < bytes.length) {
      if (this.section === 'parts') rest = this.nextPart(bytes);
      else if (this.section === 'alpha') rest = this.nextAlpha(bytes);
      else rest = this.onlyZeros(bytes) ? {} : this.nextSegment(bytes);
    }
    return { header, rest };
  }

  /** Bytes of payload of what the file ends in; 0 where nothing is cut. */
  get lengthOfNext(): number {
    return this.open?.length ?? 0;
  }

  private readHeader(bytes: Uint8Array): Header {
    if (this.header !== undefined) return this.header;
    const { header, hasParts, end } = readHeader(bytes, this.maxPixels);
    this.header = header;
    this.at = end;
    // Each band of a plain file is a unit, and has a row at least.
    this.allUnits = header.form === 'plain' ? header.height : unitCount(header.schedule, header);
    if (!hasParts) this.section = hasAlpha(header.channels) ? 'alpha' : 'segments';
    return header;
  }

  /** @returns undefined where reading goes on behind it @throws DcompError E_VERSION, E_DAMAGED_SEGMENT */
  private nextPart(bytes: Uint8Array): Rest | undefined {
    const offset = this.at;
    const type = bytes[offset]!;
    if (type === 0) {
      this.at++;
      this.section = hasAlpha(this.header!.channels) ? 'alpha' : 'segments';
      return undefined;
    }
    const found = this.extent(bytes, PART_SHAPE);
    if (found === undefined) return {};
    const { extent, open } = found;
    const part: PartExtent = { offset, type, ...extent };
    if (part.state !== 'complete') return { part };
    if (open.crc !== open.stated) fail(part, WRONG_CHECKSUM);
    if (part.state === 'complete' && type >= MUST_BE_KNOWN && !isKnownPart(type)) {
      throw new DcompError(
        'E_VERSION',
        `the file has a part of type ${type} (byte offset ${offset}), without which it cannot be decoded; this release does not know it: use a newer one`,
      );
    }
    if (part.state === 'complete' && this.types.has(type)) fail(part, 'there is another of its type before it');
    if (part.state === 'complete') {
      this.types.add(type);
      // The bands behind the steps of a file that ends with the samples themselves are units, too.
      if (type === PARTS.exact && this.header!.form !== 'plain') this.allUnits += this.header!.height;
    }
    if (this.parts.length === MAX_PARTS) {
      throw new DcompError(
        'E_DAMAGED_SEGMENT',
        `the file has more than ${MAX_PARTS} parts (byte offset ${offset}), which no encoder writes; get it again`,
      );
    }
    this.parts.push(part);
    return this.close(extent);
  }

  private nextAlpha(bytes: Uint8Array): Rest | undefined {
    const found = this.extent(bytes, ALPHA_SHAPE);
    if (found === undefined) return {};
    const { extent: alpha, open } = found;
    if (alpha.state !== 'complete') return { alpha };
    if (open.crc !== open.stated) fail(alpha, WRONG_CHECKSUM);
    this.alpha = alpha;
    this.section = 'segments';
    return this.close(alpha);
  }

  private nextSegment(bytes: Uint8Array): Rest | undefined {
    const offset = this.at;
    const found = this.extent(bytes, SEGMENT_SHAPE);
    if (found === undefined) return {};
    const { extent, open } = found;
    const [units, idealRatio] = bytes.subarray(open.payloadOffset - CRC_BYTES - 2) as unknown as [number, number];
    const segment: Segment = { offset, units, idealRatio, ...extent };
    if (units === 0) fail(segment, 'it states that it holds no step');
    else if (this.units + units > this.allUnits) fail(segment, 'it states more steps than the picture has');
    if (segment.state !== 'complete') return { segment };
    const sum = (last: boolean): number =>
      segmentChecksum({ first: this.units, last }, open.crc, open.fields + open.length);
    this.ended = open.stated === sum(true);
    if (!this.ended && open.stated !== sum(false)) fail(segment, WRONG_CHECKSUM);
    this.units += units;
    this.segments.push(segment);
    return this.close(extent);
  }

  /** Whether nothing but zeros follows, where no segment can begin with two. */
  private onlyZeros(bytes: Uint8Array): boolean {
    if (this.open !== undefined || bytes[this.at] !== 0 || (bytes[this.at + 1] ?? 0) !== 0) return false;
    this.zeros = Math.max(this.zeros, this.at);
    while (bytes[this.zeros] === 0) this.zeros++;
    return this.zeros === bytes.length;
  }

  /**
   * The payload of what comes next, as far as it is there; `complete` says nothing of its checksum yet.
   * @returns undefined where the file ends before the payload
   */
  private extent(bytes: Uint8Array, shape: Shape): { extent: Extent; open: Open } | undefined {
    this.open ??= openAt(bytes, this.at, shape);
    const { open } = this;
    if (open === undefined) return undefined;
    const { payloadOffset, length } = open;
    const end = Math.min(payloadOffset + length, bytes.length);
    const extent: Extent = {
      payloadOffset,
      payloadLength: end - payloadOffset,
      state: end < payloadOffset + length ? 'cut' : 'complete',
    };
    if (length > shape.maxLength) {
      fail(extent, 'it is longer than it can be');
    } else {
      open.crc = crc32(bytes.subarray(open.summed, end), open.crc);
      open.summed = end;
    }
    return { extent, open };
  }

  private close({ payloadOffset, payloadLength }: Extent): undefined {
    this.at = payloadOffset + payloadLength;
    this.open = undefined;
  }
}

function fail(extent: Extent, fault: string): void {
  if (extent.fault === undefined) Object.assign(extent, { state: 'damaged', fault });
}

function openAt(bytes: Uint8Array, at: number, shape: Shape): Open | undefined {
  const frame = frameAt(bytes, at, shape);
  if (frame === undefined) return undefined;
  const { fields, length, crc, payload } = frame;
  return {
    payloadOffset: payload,
    length,
    fields: fields.length,
    stated: readU32(bytes, crc),
    crc: crc32(fields),
    summed: payload,
  };
}
