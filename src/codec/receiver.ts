/** The decoder's end of the channel: reads what the encoder sent from a segment's bits. */
import { decodeCorrectionsInPieces, type Corrections } from '../entropy/corrections.js';
import { decodeGains, readScale } from '../entropy/gains.js';
import { decodePoints, type PointRun } from '../entropy/tcq.js';
import { decodeRunInPieces, runBits, type Run, type Sections } from '../entropy/trellis.js';
import type { BitReader } from '../entropy/bits.js';
import { DcompError } from '../errors.js';
import type { Pieces } from '../turns.js';
import type { Channel } from './channel.js';

export class Receiver implements Channel {
  ended = false;

  constructor(
    private readonly reader: BitReader,
    readonly nu: number,
  ) {}

  run(run: Run, _metric: Float32Array, nu: number): Pieces<{ signs: Int8Array; covered: number }> {
    if (runBits(run.information) > this.reader.remaining) this.ended = true;
    return decodeRunInPieces(run, this.reader, nu);
  }

  *sections({ ends }: Sections): Pieces<{ bytes: Uint8Array; count: number }> {
    const count = Math.min(ends.length, this.reader.remaining);
    if (ends.length > count) this.ended = true;
    return { bytes: this.reader.readBits(count), count };
  }

  *points(run: PointRun, _residual: Float64Array, nu: number): Pieces<{ places: Float64Array; covered: number }> {
    const points = yield* decodePoints(run, this.reader, nu);
    if (points.covered < run.spreads.length) this.ended = true;
    return points;
  }

  scale(before: number): number | undefined {
    // Some bits may be left behind a run that was cut: they are of that run.
    const scale = this.ended ? undefined : readScale(this.reader, before);
    if (scale === undefined) this.ended = true;
    return scale;
  }

  gains(contexts: Uint8Array): Int8Array | undefined {
    const some = this.bit();
    if (some !== 1) return some === 0 ? new Int8Array(contexts.length) : undefined;
    try {
      const { gains, end } = decodeGains(this.rest(), 0, contexts.length, contexts);
      this.reader.skip(8 * end);
      return gains;
    } catch (error) {
      return this.endAt(error);
    }
  }

  *corrections(n: number): Pieces<Corrections | undefined> {
    if (this.bit() !== 1) return undefined;
    try {
      const { end, ...corrections } = yield* decodeCorrectionsInPieces(this.rest(), 0, n);
      this.reader.skip(8 * end);
      return corrections;
    } catch (error) {
      return this.endAt(error);
    }
  }

  private rest(): Uint8Array {
    return this.reader.peekBytes(this.reader.remaining);
  }

  /** undefined where a file was cut. */
  private bit(): number | undefined {
    if (this.reader.remaining === 0) this.ended = true;
    return this.ended ? undefined : this.reader.read();
  }

  /** Where side information does not decode, a file was cut inside it (the segment's checksum holds, or it is cut). */
  private endAt(error: unknown): undefined {
    if (!(error instanceof DcompError)) throw error;
    this.ended = true;
  }
}
