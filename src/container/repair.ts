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
import { bytesOf, checkObject, isWhole } from '../options.js';
import { hasAlpha } from '../pixels/picture-planes.js';
import { finish, type Pieces } from '../turns.js';
import { CRC_BYTES, readU32 } from './container.js';
import { crc32, crc32Combine, crc32InPieces } from './crc32.js';
import { frameAt, type Frame } from './frame.js';
import {
  ALPHA,
  checksum,
  headerFixes,
  headerOf,
  partShape,
  segmentShape,
  wrongBytes,
  type Fix,
  type Framed,
} from './repair-fixes.js';
import { MAX_PARTS } from './parts.js';

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
  return finish(repairFileInPieces(file));
}

/** As `repairFile`. */
export function* repairFileInPieces(file: Uint8Array): Pieces<Repaired> {
  return yield* new Repairer(bytesOf(file, 'the file')).repair();
}

/** What a repair is for people to read. @throws DcompError E_USAGE for what is none */
export function repairText(repair: Repair): string {
  checkObject(repair, 'the repair', 'one of those that `repair` gives');
  const { part, offset, found, right } = repair;
  for (const [name, value] of Object.entries({ offset, found, right })) isWhole(0)(value, `the repair's ${name}`);
  return `${part}: byte ${offset} is ${hex(found)}, but must be ${hex(right)}`;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

/** Lengths of up to so many bytes are tried. */
const MAX_VARINT = 5;

class Repairer {
  private readonly repairs: Repair[] = [];
  private readonly lost: Repaired['lost'] = [];
  /** Bytes that may still be summed for trial lengths. */
  private budget: number;

  constructor(private bytes: Uint8Array) {
    this.budget = MAX_PASSES * bytes.length + FREE_BYTES;
  }

  *repair(): Pieces<Repaired> {
    const header = this.header();
    if (header !== undefined) {
      let at: number | undefined = header.end;
      if (header.hasParts) at = yield* this.parts(at, header.alpha);
      if (header.alpha && at !== undefined) at = yield* this.mend(at, ALPHA);
      if (at !== undefined) yield* this.segments(at);
    }
    return { bytes: this.bytes, repairs: this.repairs, lost: this.lost };
  }

  /** Up to the last, or to one that cannot be mended. */
  private *segments(start: number): Pieces<void> {
    let at: number | undefined = start;
    let firstUnit = 0;
    for (let i = 1; at !== undefined && at < this.bytes.length; i++) {
      yield; // there may be many without a byte
      const offset: number = at;
      const shape = segmentShape(i, firstUnit);
      at = yield* this.mend(offset, shape);
      if (at === undefined) return;
      const { crc } = frameAt(this.bytes, offset, shape)!;
      const units = this.bytes[crc - 2]!;
      if (units === 0) this.lost.push({ part: shape.name, offset });
      if (units === 0 || (yield* this.check(offset, shape)).last) return;
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

  /** @returns byte offset behind the list, undefined where the file ends or is lost before, or there are more parts than there can be */
  private *parts(start: number, alpha: boolean): Pieces<number | undefined> {
    const next = alpha ? ALPHA : segmentShape(1, 0);
    for (let at = start, count = 0; ;) {
      yield; // there may be many without a byte
      const type = this.bytes[at];
      if (type === undefined) return undefined;
      if (type !== 0 && count === MAX_PARTS) {
        this.lost.push({ part: 'end of the parts', offset: at });
        return undefined;
      }
      const shape = partShape(type);
      if (type === 0) {
        // The end of the list, which no checksum covers; or the type of a part, turned to 0: its checksum then tells.
        const type0 = (yield* this.behaves(at + 1, next))
          ? []
          : (yield* this.examine(at, shape, true)).filter(({ offset }) => offset === at);
        if (type0.length === 0) return at + 1;
        if (!this.apply('type of a part', at, type0)) return undefined;
        continue;
      }
      const finding = yield* this.find(at, shape);
      if (finding.state === 'intact') {
        at = finding.end;
        count++;
        continue;
      }
      // The end of the list, turned to another byte?
      const end: Fix[] = (yield* this.behaves(at + 1, next)) ? [{ offset: at, right: 0, risk: 255 / 2 ** 32 }] : [];
      const fixes = [
        ...end,
        ...(finding.state === 'damaged'
          ? finding.fixes.filter(({ offset, right }) => offset !== at || right !== 0)
          : []),
      ];
      if (finding.state === 'cut' && fixes.length === 0) return undefined;
      if (this.apply(end.length > 0 ? 'end of the parts' : shape.name, at, fixes)) continue;
      const behind = yield* this.behindDamage(at, shape);
      if (behind === undefined) return undefined;
      at = behind;
      count++;
    }
  }

  /** Whether a part with a checksum that holds begins there. */
  private *behaves(at: number, shape: Framed): Pieces<boolean> {
    return (yield* this.check(at, shape)).state === 'intact';
  }

  /** Goes over a part, repairs it if needed. @returns byte offset behind it, undefined where that is unknown or of no use */
  private *mend(at: number, shape: Framed): Pieces<number | undefined> {
    const finding = yield* this.find(at, shape);
    if (finding.state === 'intact') return finding.end;
    if (finding.state === 'cut') return undefined;
    if (this.apply(shape.name, at, finding.fixes)) return (yield* this.check(at, shape)).end;
    return shape.firstUnit === undefined ? yield* this.behindDamage(at, shape) : undefined;
  }

  /** Where the next part begins if the length of a damaged one is right. */
  private *behindDamage(at: number, shape: Framed): Pieces<number | undefined> {
    const { state, end } = yield* this.check(at, shape);
    return state === 'damaged' && end > at ? end : undefined;
  }

  private apply(part: string, partOffset: number, fixes: Fix[]): boolean {
    if (fixes.length !== 1) {
      this.lost.push({ part, offset: partOffset });
      return false;
    }
    const { offset, right, risk } = fixes[0]!;
    const found = this.bytes[offset]!;
    if (this.repairs.length === 0) this.bytes = new Uint8Array(this.bytes);
    this.bytes[offset] = right;
    this.repairs.push({ part, partOffset, offset, found, right, risk });
    return true;
  }

  private *find(at: number, shape: Framed): Pieces<Finding> {
    const { state, end } = yield* this.check(at, shape);
    if (state === 'intact') return { state, end };
    const fixes = yield* this.examine(at, shape, state === 'damaged');
    return state === 'cut' && fixes.length === 0 ? { state } : { state: 'damaged', fixes };
  }

  /** `last` is true of a segment that says it is the last. */
  private *check(
    at: number,
    shape: Framed,
  ): Pieces<{ state: 'intact' | 'damaged' | 'cut'; end: number; last: boolean }> {
    const frame = frameAt(this.bytes, at, shape);
    if (frame === undefined) return { state: 'cut', end: this.bytes.length, last: false };
    if (frame.length > shape.maxLength) return { state: 'damaged', end: at, last: false };
    const end = frame.payload + frame.length;
    if (end > this.bytes.length) return { state: 'cut', end, last: false };
    const { fields, payload, length, crc } = frame;
    const covered = yield* crc32InPieces(this.bytes.subarray(payload, end), crc32(fields));
    const holds = (last: boolean): boolean =>
      checksum(shape, covered, fields.length + length, last) === readU32(this.bytes, crc);
    const last = shape.firstUnit !== undefined && holds(true);
    return { state: last || holds(false) ? 'intact' : 'damaged', end, last };
  }

  /** Checksum computed xor checksum stored. A segment that ends with the file is taken for the last. */
  private *difference({ fields, payload, length, crc }: Frame, shape: Framed): Pieces<number> {
    const end = payload + length;
    const covered = yield* crc32InPieces(this.bytes.subarray(payload, end), crc32(fields));
    return (
      (checksum(shape, covered, fields.length + length, end === this.bytes.length) ^ readU32(this.bytes, crc)) >>> 0
    );
  }

  /** All ways to make the checksum hold by one byte; none if it would take too long to try them. */
  private *examine(at: number, shape: Framed, lengthMayBeRight: boolean): Pieces<Fix[]> {
    const fixes = lengthMayBeRight ? yield* this.wrongBytes(at, shape) : [];
    if (fixes.length > 0 && (yield* this.lengthIsRight(at, shape))) return fixes;
    const lengths = yield* this.wrongLengths(at, shape);
    return lengths === undefined ? [] : [...fixes, ...lengths];
  }

  /** Whether a segment's length leads to the file's end or to another segment that is intact. */
  private *lengthIsRight(at: number, shape: Framed): Pieces<boolean> {
    if (shape.firstUnit === undefined) return false;
    const { end } = yield* this.check(at, shape);
    const units = this.bytes[frameAt(this.bytes, at, shape)!.crc - 2]!;
    return end === this.bytes.length || (yield* this.behaves(end, { ...shape, firstUnit: shape.firstUnit + units }));
  }

  /** With the length as it is. */
  private *wrongBytes(at: number, shape: Framed): Pieces<Fix[]> {
    const frame = frameAt(this.bytes, at, shape);
    if (frame === undefined || frame.payload + frame.length > this.bytes.length || frame.length > shape.maxLength)
      return [];
    const { fields, payload, length, crc } = frame;
    const inLength = (offset: number): boolean => offset >= at + shape.before && offset < crc - shape.behind;
    const offsetOf = (index: number): number => (index < fields.length ? at + index : payload + index - fields.length);
    return wrongBytes(this.bytes, yield* this.difference(frame, shape), fields.length + length, offsetOf, crc).filter(
      ({ offset }) => !inLength(offset),
    );
  }

  /** Lengths that differ in one byte; undefined if it would take too long to try them. */
  private *wrongLengths(at: number, shape: Framed): Pieces<Fix[] | undefined> {
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
        crc: yield* crc32InPieces(this.bytes.subarray(summed.end, payload + length), summed.crc),
      };
      const covered = crc32Combine(crc32(fields), summed.crc, length);
      const last = payload + length === this.bytes.length;
      if (checksum(shape, covered, fields.length + length, last) === readU32(this.bytes, crc))
        fixes.push({ ...fix, risk: trials.length / 2 ** 32 });
    }
    return fixes;
  }
}
