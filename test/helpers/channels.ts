/** The encoder's side of a channel for tests that walk a session themselves: real search, bits counted and thrown away. */
import type { Channel } from '../../src/codec/channel.js';
import { TrellisEncoder } from '../../src/entropy/trellis-encoder.js';
import { PointEncoder } from '../../src/entropy/tcq-encoder.js';
import type { PointRun } from '../../src/entropy/tcq.js';
import { encodeCorrections, type Corrections } from '../../src/entropy/corrections.js';
import { encodeGains, scaleBits } from '../../src/entropy/gains.js';
import type { Run } from '../../src/entropy/trellis.js';
import type { Pieces } from '../../src/turns.js';

const trellis = new TrellisEncoder();
const points = new PointEncoder();

export class CountingChannel implements Channel {
  readonly ended = false;
  /** Bits of signs, and bits of scales and gains. */
  signBits = 0;
  gainBits = 0;
  /** Bits of what is quantised. */
  pointBits = 0;
  correctionBits = 0;
  runs = 0;

  /** @param nu log2 of the trellis states at level 0 */
  constructor(readonly nu: number) {}

  *run(run: Run, metric: Float32Array, nu: number): Pieces<{ signs: Int8Array; covered: number }> {
    const { bitCount, signs } = trellis.encode(run, metric, nu);
    this.signBits += bitCount;
    this.runs++;
    return { signs, covered: bitCount === 0 ? 0 : signs.length };
  }

  *points(run: PointRun, residual: Float64Array, nu: number): Pieces<{ places: Float64Array; covered: number }> {
    const { count, places } = yield* points.encodeInPieces(run, residual, nu);
    this.pointBits += count;
    return { places, covered: places.length };
  }

  scale(before: number, choose: () => number): number {
    const scale = choose();
    this.gainBits += scaleBits(scale - before).length;
    return scale;
  }

  gains(contexts: Uint8Array, choose: () => Int8Array): Int8Array {
    const gains = choose();
    this.gainBits += 1 + (gains.some((gain) => gain !== 0) ? 8 * encodeGains(gains, contexts).length : 0);
    return gains;
  }

  *corrections(_n: number, choose: () => Corrections): Pieces<Corrections> {
    const corrections = choose();
    this.correctionBits += 1 + (corrections.indices.length === 0 ? 0 : 8 * encodeCorrections(corrections).length);
    return corrections;
  }
}
