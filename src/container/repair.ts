/**
 * Repair of single wrong bytes. A CRC-32 not only detects them: the difference between the right and the wrong checksum says
 * which byte it is and what it was (`singleByteErrors`), also a byte of the checksum itself. Wrong lengths are
 * found by trying all that differ in one byte. So one byte in each part of a file may be wrong, and nothing is lost.
 *
 * What is wrong in more places may look like one wrong byte by chance. There are 255 · n errors of one byte in n bytes, and
 * 2^32 checksums: up to ONE_BYTE bytes the chance is 1/128 at most, and no two of these errors look alike. In longer parts
 * only single bits are repaired: 8 · n errors, up to ONE_BIT bytes again 1/128, never two alike (the polynomial is
 * primitive). What could be repaired in two ways is not repaired.
 *
 * The stream is a closed loop: bits behind a lost segment mean nothing. Repair therefore ends at the first segment that it
 * cannot mend.
 */
import {
  CRC_BYTES,
  MAX_HEADER,
  MAX_SEGMENT_BYTES,
  MIN_HEADER,
  readHeader,
  readU32,
  readVarint,
  segmentChecksum,
} from './container.js';
import { crc32, crc32Combine, singleByteErrors } from './crc32.js';
import { bytesOf, checkObject, isWhole } from '../options.js';
import { MAX_PART_BYTES, partName } from './parts.js';
import { hasAlpha } from '../pixels/picture-planes.js';

/** Longest covered part, in bytes, in which one wrong byte is repaired, and one wrong bit. */
const ONE_BYTE = 2 ** 17;
const ONE_BIT = 2 ** 22;

/**
 * Trying lengths costs up to 5 passes over the rest of the file, and some time for each trial. In bytes to be summed: what
 * a trial costs, and what all of them may cost for a file of n bytes, MAX_PASSES · n + FREE_BYTES.
 */
const TRIAL_BYTES = 2 ** 10;
const MAX_PASSES = 64;
const FREE_BYTES = 2 ** 24;

/** A wrong byte, where it is and what it has to be. */
export interface Repair {
  /** What it is in: `header`, `part icc`, `alpha`, `segment 3`. */
  part: string;
  /** Where that begins, and where the wrong byte is: byte offsets in the file. */
  partOffset: number;
  offset: number;
  /** The byte as it is, and as it has to be. */
  found: number;
  right: number;
  /** Chance, at most, that damage of several bytes would look like this. */
  risk: number;
}

/** A file with its repairs, and what cannot be repaired. */
export interface Repaired {
  /** The same bytes if nothing was repaired, a copy otherwise. */
  bytes: Uint8Array;
  repairs: Repair[];
  /** What is damaged and cannot be repaired. Behind a lost segment nothing is looked at any more. */
  lost: { part: string; offset: number }[];
}

/** Part of a file with a length and a checksum of its own. */
interface Shape {
  name: string;
  /** Bytes before and behind the length. */
  before: number;
  behind: number;
  /** Whether the checksum covers them and the length; it covers the payload in any case. */
  covered: boolean;
  maxLength: number;
  /** Of a segment, the number of its first unit; undefined for others. */
  firstUnit?: number;
}

interface Fix {
  offset: number;
  right: number;
  risk: number;
}

type Finding =
  /** The checksum holds. */
  | { state: 'intact'; end: number }
  /** The file ends in it, as far as one can tell. */
  | { state: 'cut' }
  | { state: 'damaged'; fixes: Fix[] };

/**
 * Repairs whatever single byte is wrong in each part of a file; needs no model.
 * @throws DcompError E_USAGE for what are no bytes; nothing else
 * Time: proportional to the file's size, however it is damaged; memory: one copy of it.
 */
export function repairFile(file: Uint8Array): Repaired {
  return new Repairer(bytesOf(file, 'the file')).repair();
}

/** What a repair is for people to read. */
export function repairText(repair: Repair): string {
  checkObject(repair, 'the repair', 'one of those that `repair` gives');
  const { part, offset, found, right } = repair;
  for (const [name, value] of Object.entries({ offset, found, right })) isWhole(0)(value, `the repair's ${name}`);
  return `${part}: byte ${offset} is ${hex(found)}, but must be ${hex(right)}`;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

class Repairer {
  private readonly repairs: Repair[] = [];
  private readonly lost: Repaired['lost'] = [];
  /** Bytes that may still be summed for trial lengths. */
  private budget: number;

  constructor(private bytes: Uint8Array) {
    this.budget = MAX_PASSES * bytes.length + FREE_BYTES;
  }

  repair(): Repaired {
    const header = this.header();
    if (header !== undefined) {
      let at: number | undefined = header.end;
      if (header.hasParts) at = this.parts(at, header.alpha);
      if (header.alpha && at !== undefined) at = this.mend(at, ALPHA);
      if (at !== undefined) this.segments(at);
    }
    return { bytes: this.bytes, repairs: this.repairs, lost: this.lost };
  }

  /** Up to the last, or to one that cannot be mended. */
  private segments(start: number): void {
    let at: number | undefined = start;
    let firstUnit = 0;
    for (let i = 1; at !== undefined && at < this.bytes.length; i++) {
      const offset: number = at;
      const shape = segmentShape(i, firstUnit);
      at = this.mend(offset, shape);
      if (at === undefined) return;
      const { crc } = frameAt(this.bytes, offset, shape)!;
      const units = this.bytes[crc - 2]!;
      if (units === 0) this.lost.push({ part: shape.name, offset });
      if (units === 0 || this.check(offset, shape).last) return;
      firstUnit += units;
    }
  }

  private header(): { end: number; hasParts: boolean; alpha: boolean } | undefined {
    let read = headerOf(this.bytes);
    if (read === undefined) {
      const fixes = headerFixes(this.bytes);
      if (!this.apply('header', 0, fixes)) return undefined;
      read = headerOf(this.bytes)!;
    }
    return { end: read.end, hasParts: read.hasParts, alpha: hasAlpha(read.header.channels) };
  }

  /** @returns byte offset behind the list, undefined where the file ends or is lost before */
  private parts(start: number, alpha: boolean): number | undefined {
    const next = alpha ? ALPHA : segmentShape(1, 0);
    for (let at = start; ;) {
      const type = this.bytes[at];
      if (type === undefined) return undefined;
      const shape = partShape(type);
      if (type === 0) {
        // The end of the list, which no checksum covers; or the type of a part, turned to 0: its checksum then tells.
        const type0 = this.behaves(at + 1, next)
          ? []
          : this.examine(at, shape, true).filter(({ offset }) => offset === at);
        if (type0.length === 0) return at + 1;
        if (!this.apply('type of a part', at, type0)) return undefined;
        continue;
      }
      const finding = this.find(at, shape);
      if (finding.state === 'intact') {
        at = finding.end;
        continue;
      }
      // The end of the list, turned to another byte?
      const end: Fix[] = this.behaves(at + 1, next) ? [{ offset: at, right: 0, risk: 255 / 2 ** 32 }] : [];
      const fixes = [
        ...end,
        ...(finding.state === 'damaged'
          ? finding.fixes.filter(({ offset, right }) => offset !== at || right !== 0)
          : []),
      ];
      if (finding.state === 'cut' && fixes.length === 0) return undefined;
      if (this.apply(end.length > 0 ? 'end of the parts' : shape.name, at, fixes)) continue;
      const behind = this.behindDamage(at, shape);
      if (behind === undefined) return undefined;
      at = behind;
    }
  }

  /** Whether a part with a checksum that holds begins there. */
  private behaves(at: number, shape: Shape): boolean {
    return this.check(at, shape).state === 'intact';
  }

  /** Goes over a part, repairs it if needed. @returns byte offset behind it, undefined where that is unknown or of no use */
  private mend(at: number, shape: Shape): number | undefined {
    const finding = this.find(at, shape);
    if (finding.state === 'intact') return finding.end;
    if (finding.state === 'cut') return undefined;
    if (this.apply(shape.name, at, finding.fixes)) return this.check(at, shape).end;
    return shape.firstUnit === undefined ? this.behindDamage(at, shape) : undefined;
  }

  /** Where the next part begins if the length of a damaged one is right. */
  private behindDamage(at: number, shape: Shape): number | undefined {
    const { state, end } = this.check(at, shape);
    return state === 'damaged' && end > at ? end : undefined;
  }

  private apply(part: string, partOffset: number, fixes: Fix[]): boolean {
    if (fixes.length !== 1) {
      this.lost.push({ part, offset: partOffset });
      return false;
    }
    const { offset, right, risk } = fixes[0]!;
    const found = this.bytes[offset]!;
    if (this.repairs.length === 0) this.bytes = Uint8Array.from(this.bytes);
    this.bytes[offset] = right;
    this.repairs.push({ part, partOffset, offset, found, right, risk });
    return true;
  }

  private find(at: number, shape: Shape): Finding {
    const { state, end } = this.check(at, shape);
    if (state === 'intact') return { state, end };
    const fixes = this.examine(at, shape, state === 'damaged');
    return state === 'cut' && fixes.length === 0 ? { state } : { state: 'damaged', fixes };
  }

  /** `last` is true of a segment that says it is the last. */
  private check(at: number, shape: Shape): { state: 'intact' | 'damaged' | 'cut'; end: number; last: boolean } {
    const frame = frameAt(this.bytes, at, shape);
    if (frame === undefined) return { state: 'cut', end: this.bytes.length, last: false };
    if (frame.length > shape.maxLength) return { state: 'damaged', end: at, last: false };
    const end = frame.payload + frame.length;
    if (end > this.bytes.length) return { state: 'cut', end, last: false };
    const { fields, payload, length, crc } = frame;
    const covered = crc32(this.bytes.subarray(payload, end), crc32(fields));
    const holds = (last: boolean): boolean =>
      checksum(shape, covered, fields.length + length, last) === readU32(this.bytes, crc);
    const last = shape.firstUnit !== undefined && holds(true);
    return { state: last || holds(false) ? 'intact' : 'damaged', end, last };
  }

  /** Checksum computed xor checksum stored. A segment that ends with the file is taken for the last. */
  private difference({ fields, payload, length, crc }: Frame, shape: Shape): number {
    const end = payload + length;
    const covered = crc32(this.bytes.subarray(payload, end), crc32(fields));
    return (
      (checksum(shape, covered, fields.length + length, end === this.bytes.length) ^ readU32(this.bytes, crc)) >>> 0
    );
  }

  /** All ways to make the checksum hold by one byte; none if it would take too long to try them. */
  private examine(at: number, shape: Shape, lengthMayBeRight: boolean): Fix[] {
    const fixes = lengthMayBeRight ? this.wrongBytes(at, shape) : [];
    if (fixes.length > 0 && this.lengthIsRight(at, shape)) return fixes;
    const lengths = this.wrongLengths(at, shape);
    return lengths === undefined ? [] : [...fixes, ...lengths];
  }

  /** Whether a segment's length leads to the file's end or to another segment that is intact. */
  private lengthIsRight(at: number, shape: Shape): boolean {
    const { end } = this.check(at, shape);
    if (shape.firstUnit === undefined) return false;
    const units = this.bytes[frameAt(this.bytes, at, shape)!.crc - 2]!;
    return end === this.bytes.length || this.behaves(end, { ...shape, firstUnit: shape.firstUnit + units });
  }

  /** With the length as it is. */
  private wrongBytes(at: number, shape: Shape): Fix[] {
    const frame = frameAt(this.bytes, at, shape);
    if (frame === undefined || frame.payload + frame.length > this.bytes.length || frame.length > shape.maxLength)
      return [];
    const { fields, payload, length, crc } = frame;
    const inLength = (offset: number): boolean => offset >= at + shape.before && offset < crc - shape.behind;
    const offsetOf = (index: number): number => (index < fields.length ? at + index : payload + index - fields.length);
    return wrongBytes(this.bytes, this.difference(frame, shape), fields.length + length, offsetOf, crc).filter(
      ({ offset }) => !inLength(offset),
    );
  }

  /** Lengths that differ in one byte; undefined if it would take too long to try them. */
  private wrongLengths(at: number, shape: Shape): Fix[] | undefined {
    const start = at + shape.before;
    const trials: { fix: Fix; frame: Frame }[] = [];
    const trial = this.bytes.slice(at, start + MAX_VARINT + shape.behind + CRC_BYTES);
    for (let i = 0; i < MAX_VARINT && start + i < this.bytes.length; i++) {
      const offset = start + i;
      const found = this.bytes[offset]!;
      for (let right = 0; right < 256; right++) {
        if (right === found) continue;
        trial[shape.before + i] = right;
        const frame = frameAt(trial, 0, shape);
        // Zeros at its end no writer gives a length.
        const lengthEnd = frame === undefined ? 0 : frame.crc - shape.behind;
        if (
          frame === undefined ||
          lengthEnd <= shape.before + i ||
          (lengthEnd > shape.before + 1 && trial[lengthEnd - 1] === 0)
        )
          continue;
        const payload = frame.payload + at;
        if (frame.length > shape.maxLength || payload + frame.length > this.bytes.length) continue;
        trials.push({ fix: { offset, right, risk: 0 }, frame: { ...frame, payload, crc: frame.crc + at } });
      }
      trial[shape.before + i] = found;
      if (found < 128) break;
    }
    trials.sort((a, b) => a.frame.payload - b.frame.payload || a.frame.length - b.frame.length);
    const fixes: Fix[] = [];
    let summed = { payload: -1, end: 0, crc: 0 };
    for (const { fix, frame } of trials) {
      const { fields, payload, length, crc } = frame;
      if (payload !== summed.payload) summed = { payload, end: payload, crc: 0 };
      this.budget -= TRIAL_BYTES + payload + length - summed.end;
      if (this.budget < 0) return undefined;
      summed = {
        payload,
        end: payload + length,
        crc: crc32(this.bytes.subarray(summed.end, payload + length), summed.crc),
      };
      const covered = crc32Combine(crc32(fields), summed.crc, length);
      const last = payload + length === this.bytes.length;
      if (checksum(shape, covered, fields.length + length, last) === readU32(this.bytes, crc))
        fixes.push({ ...fix, risk: trials.length / 2 ** 32 });
    }
    return fixes;
  }
}

const MAX_VARINT = 5;

const ALPHA: Shape = { name: 'alpha', before: 0, behind: 0, covered: false, maxLength: Infinity };

function segmentShape(number: number, firstUnit: number): Shape {
  return { name: `segment ${number}`, before: 0, behind: 2, covered: true, maxLength: MAX_SEGMENT_BYTES, firstUnit };
}

/** @param crc CRC-32 of what is covered, `length` bytes */
function checksum({ firstUnit }: Shape, crc: number, length: number, last: boolean): number {
  return firstUnit === undefined ? crc : segmentChecksum({ first: firstUnit, last }, crc, length);
}

function partShape(type: number): Shape {
  return {
    name: `part ${partName(type)}`,
    before: 1,
    behind: 0,
    covered: true,
    maxLength: MAX_PART_BYTES,
  };
}

interface Frame {
  /** Bytes before the payload that the checksum covers. */
  fields: Uint8Array;
  length: number;
  /** Byte offsets of the checksum and of the payload. */
  crc: number;
  payload: number;
}

/** undefined where the bytes end before the payload, or the length has no end. */
function frameAt(bytes: Uint8Array, at: number, { before, behind, covered }: Shape): Frame | undefined {
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

/**
 * @param covered number of bytes that the checksum covers
 * @param offsetOf the byte offset in the file of each of them
 * @param crc byte offset of the checksum
 */
function wrongBytes(
  bytes: Uint8Array,
  difference: number,
  covered: number,
  offsetOf: (index: number) => number,
  crc: number,
): Fix[] {
  const oneBit = covered > ONE_BYTE;
  if (covered > ONE_BIT || difference === 0) return [];
  const risk = ((oneBit ? 8 : 255) * (covered + CRC_BYTES)) / 2 ** 32;
  const errors = singleByteErrors(difference, covered).map(([index, error]): [number, number] => [
    offsetOf(index),
    error,
  ]);
  for (let i = 0; i < CRC_BYTES; i++) {
    const error = (difference >>> (8 * i)) & 255;
    if (difference === (error << (8 * i)) >>> 0) errors.push([crc + i, error]);
  }
  return errors
    .filter(([, error]) => !oneBit || (error & (error - 1)) === 0)
    .map(([offset, error]) => ({ offset, right: bytes[offset]! ^ error, risk }));
}

function headerOf(bytes: Uint8Array): ReturnType<typeof readHeader> | undefined {
  try {
    return readHeader(bytes);
  } catch {
    return undefined;
  }
}

/** A header's length depends on what may be wrong in it, so all are tried; what comes out must be a header of that length. */
function headerFixes(bytes: Uint8Array): Fix[] {
  const fixes: Fix[] = [];
  for (let end = MIN_HEADER; end <= MAX_HEADER && end + CRC_BYTES <= bytes.length; end++) {
    const head = bytes.slice(0, end + CRC_BYTES);
    const difference = (crc32(head.subarray(0, end)) ^ readU32(head, end)) >>> 0;
    for (const fix of wrongBytes(head, difference, end, (index) => index, end)) {
      const found = head[fix.offset]!;
      head[fix.offset] = fix.right;
      if (headerOf(head)?.end === end + CRC_BYTES)
        fixes.push({ ...fix, risk: fix.risk * (MAX_HEADER - MIN_HEADER + 1) });
      head[fix.offset] = found;
    }
  }
  return fixes;
}
