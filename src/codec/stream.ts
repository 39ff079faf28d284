/** The encoder's channel: searches the points and signs of every run, collects the bits into segments, cuts them to a size. */
import { BitWriter } from '../entropy/bits.js';
import { encodeCorrectionsInPieces, type Corrections } from '../entropy/corrections.js';
import { TrellisEncoder } from '../entropy/trellis-encoder.js';
import { PointEncoder } from '../entropy/tcq-encoder.js';
import type { PointRun } from '../entropy/tcq.js';
import { encodeGains, scaleBits } from '../entropy/gains.js';
import type { Run, Sections } from '../entropy/trellis.js';
import { MAX_SEGMENT_UNITS, segmentOverhead, writeSegments, type SegmentContent } from '../container/container.js';
import { SEGMENT_BYTES, SEGMENT_GROWTH } from '../format.js';
import type { Pieces } from '../turns.js';
import type { Channel } from './channel.js';

/** What a file holds behind its header. */
export interface Body {
  bytes: Uint8Array;
  idealBits: number;
  realBits: number;
}

const NOTHING = new Uint8Array(0);
/** A file has one segment at least. */
export const LEAST_BYTES = segmentOverhead(0);

interface StoredUnit {
  /** Bit of the segment at which the unit begins. */
  start: number;
  bits: number;
  ideal: number;
}

interface StoredSegment {
  payload: Uint8Array;
  units: StoredUnit[];
}

/** What both the stream of a file and that of a message do: bits of runs and side information, one behind the other. */
export class BitChannel implements Channel {
  readonly ended = false;
  protected writer = new BitWriter();

  constructor(readonly nu: number) {}

  /** Bits since the beginning or the last segment. */
  get bits(): number {
    return this.writer.length;
  }

  /** A copy of them, packed; the last byte is filled with zeros. */
  packed(): Uint8Array {
    return this.writer.finish();
  }

  *run(run: Run, metric: Float32Array, nu: number): Pieces<{ signs: Int8Array; covered: number }> {
    const { bits, bitCount, signs } = yield* trellises.with((trellis) => trellis.encodeInPieces(run, metric, nu));
    this.writer.append(bits, bitCount);
    return { signs, covered: bitCount === 0 ? 0 : signs.length };
  }

  *sections(run: Sections, metric: Float32Array, nu: number): Pieces<{ bytes: Uint8Array; count: number }> {
    const bits = yield* trellises.with((trellis) => trellis.bitsInPieces(run, metric, nu));
    this.writer.append(bits.bytes, bits.count);
    return bits;
  }

  *points(run: PointRun, residual: Float64Array, nu: number): Pieces<{ places: Float64Array; covered: number }> {
    const { bytes, count, places } = yield* pointEncoders.with((encoder) => encoder.encodeInPieces(run, residual, nu));
    this.writer.append(bytes, count);
    return { places, covered: places.length };
  }

  scale(before: number, choose: () => number): number {
    const scale = choose();
    for (const bit of scaleBits(scale - before)) this.writer.push(bit);
    return scale;
  }

  gains(contexts: Uint8Array, choose: () => Int8Array): Int8Array {
    const gains = choose();
    const some = gains.some((gain) => gain !== 0);
    this.writer.push(some ? 1 : 0);
    if (!some) return gains;
    const bytes = encodeGains(gains, contexts);
    this.writer.append(bytes, 8 * bytes.length);
    return gains;
  }

  *corrections(_n: number, choose: () => Corrections): Pieces<Corrections> {
    const corrections = choose();
    const some = corrections.indices.length > 0;
    this.writer.push(some ? 1 : 0);
    if (some) {
      const bytes = yield* encodeCorrectionsInPieces(corrections);
      this.writer.append(bytes, 8 * bytes.length);
    }
    return corrections;
  }
}

/** The channel of a file: its bits in segments. */
export class Stream extends BitChannel {
  /** Bytes of all segments so far, with their overhead. */
  bytes = 0;
  private closed = 0;
  private segments: StoredSegment[] = [];
  private units: StoredUnit[] = [];

  begin(): void {
    this.units.push({ start: this.writer.length, bits: 0, ideal: 0 });
  }

  /** @param alone whether the next unit must begin a segment, so that it can be read alone */
  end(ideal: number, alone: boolean): void {
    const unit = this.units[this.units.length - 1]!;
    unit.bits = this.writer.length - unit.start;
    unit.ideal = ideal;
    const length = (this.writer.length + 7) >>> 3;
    this.bytes = this.closed + length + segmentOverhead(length);
    if (
      alone ||
      length >= Math.max(SEGMENT_BYTES, SEGMENT_GROWTH * this.closed) ||
      this.units.length === MAX_SEGMENT_UNITS
    )
      this.close();
  }

  /** A stream that goes on from here by itself. Between units only. */
  fork(): Stream {
    const copy = new Stream(this.nu);
    copy.bytes = this.bytes;
    copy.closed = this.closed;
    copy.segments = this.segments.slice();
    copy.writer.append(this.writer.finish(), this.writer.length);
    copy.units = this.units.slice();
    return copy;
  }

  /** The segments, cut to at most so many bytes. Does not change the stream. @param last whether no more of them follow */
  cut(limit: number, last = true): Body {
    const segments =
      this.units.length === 0
        ? this.segments
        : [...this.segments, { payload: this.writer.finish(), units: this.units }];
    const contents: SegmentContent[] = [];
    let left = limit;
    let idealBits = 0;
    let realBits = 0;
    for (const segment of segments) {
      let length = segment.payload.length;
      while (length > 0 && length + segmentOverhead(length) > left)
        length = Math.min(length - 1, left - segmentOverhead(Math.min(length, Math.max(0, left))));
      if (length < 0 || length + segmentOverhead(length) > left || (length === 0 && segment.payload.length > 0)) break;
      const payload = segment.payload.subarray(0, length);
      const whole = length === segment.payload.length;
      const units = whole ? segment.units : segment.units.filter((s) => s.start < 8 * length);
      let ideal = 0;
      let real = 0;
      for (const s of units) {
        const bits = Math.min(s.bits, 8 * length - s.start);
        real += bits;
        ideal += s.bits === 0 ? 0 : (s.ideal * bits) / s.bits;
      }
      const ratio = real === 0 ? 0 : Math.min(255, Math.floor((128 * ideal) / real + 0.5));
      contents.push({ payload, units: units.length, idealRatio: ratio });
      left -= length + segmentOverhead(length);
      idealBits += ideal;
      realBits += real;
      if (!whole) break;
    }
    // Of nothing else, a step without a bit: only a last segment says that the file is whole.
    if (contents.length === 0 && limit >= LEAST_BYTES) contents.push({ payload: NOTHING, units: 1, idealRatio: 0 });
    return { bytes: writeSegments(contents, last), idealBits, realBits };
  }

  private close(): void {
    if (this.units.length === 0) return;
    const payload = this.writer.finish();
    this.segments.push({ payload, units: this.units });
    this.closed += payload.length + segmentOverhead(payload.length);
    this.bytes = this.closed;
    this.writer = new BitWriter();
    this.units = [];
  }
}

/** Memories of searches that are not going on; a search gives turns, in which another encoding may need one of its own. */
class Idle<T> {
  private kept: T | undefined;

  constructor(private readonly make: () => T) {}

  *with<R>(search: (own: T) => Pieces<R>): Pieces<R> {
    const own = this.kept ?? this.make();
    this.kept = undefined;
    try {
      return yield* search(own);
    } finally {
      this.kept = own;
    }
  }
}

const trellises = new Idle(() => new TrellisEncoder());
const pointEncoders = new Idle(() => new PointEncoder());
