/** The encoder's side of a channel for tests that walk a session themselves: real search, bits counted and thrown away. */
import type { Channel } from '../../src/codec/group-step.js';
import { TrellisEncoder } from '../../src/entropy/encoder.js';
import { encodeCorrections, type Corrections } from '../../src/entropy/corrections.js';
import { encodeGains } from '../../src/entropy/gains.js';
import { trellisCost, type Run } from '../../src/entropy/trellis.js';

const trellis = new TrellisEncoder();

export class CountingChannel implements Channel {
  readonly ended = false;
  readonly cost: number;
  /** Bits of signs, and bits of gains. */
  signBits = 0;
  gainBits = 0;
  correctionBits = 0;
  runs = 0;

  /** @param nu log2 of the trellis states */
  constructor(private readonly nu: number) {
    this.cost = trellisCost(nu);
  }

  run(run: Run, metric: Float32Array): { signs: Int8Array; covered: number } {
    const { bitCount, signs } = trellis.encode(run, metric, this.nu);
    this.signBits += bitCount;
    this.runs++;
    return { signs, covered: bitCount === 0 ? 0 : signs.length };
  }

  gains(contexts: Uint8Array, choose: () => Int8Array): Int8Array {
    const gains = choose();
    this.gainBits += 8 * encodeGains(gains, contexts).length;
    return gains;
  }

  corrections(_n: number, choose: () => Corrections): Corrections {
    const corrections = choose();
    this.correctionBits += 1 + (corrections.indices.length === 0 ? 0 : 8 * encodeCorrections(corrections).length);
    return corrections;
  }
}
