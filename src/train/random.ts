/**
 * Random numbers of the training: a stream for each (seed, step), so that a resumed run draws what an uninterrupted
 * one would have drawn.
 */
import { hash32, mix32 } from '../math/hash.js';

export class Random {
  private state: number;
  private counter = 0;

  constructor(seed: number, step: number) {
    this.state = hash32(seed, step);
  }

  /** 32 random bits. */
  bits(): number {
    return mix32(hash32(this.state, this.counter++));
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.bits() / 2 ** 32;
  }

  /** Whole number in 0..n−1. */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** True with probability p. */
  chance(p: number): boolean {
    return this.uniform() < p;
  }

  /** Index drawn with the given weights. */
  weighted(weights: readonly number[]): number {
    let u = this.uniform() * weights.reduce((a, b) => a + b, 0);
    for (let i = 0; i < weights.length - 1; i++) if ((u -= weights[i]!) < 0) return i;
    return weights.length - 1;
  }
}

const TABLE_SIZE = 2 ** 20;
let table: Float32Array | undefined;

/**
 * Fills `out` with standard normal numbers: a run of a fixed table from a random place, with random sign. Box-Muller
 * for each would cost more than a tenth of a training step.
 */
export function fillNormal(out: Float32Array, random: Random): void {
  if (table === undefined) {
    table = new Float32Array(TABLE_SIZE);
    const source = new Random(0x6e6f726d, 0);
    for (let i = 0; i < TABLE_SIZE; i += 2) {
      const r = Math.sqrt(-2 * Math.log(1 - source.uniform()));
      const a = 2 * Math.PI * source.uniform();
      table[i] = r * Math.cos(a);
      table[i + 1] = r * Math.sin(a);
    }
  }
  const CHUNK = 4096;
  for (let i = 0; i < out.length; i += CHUNK) {
    const n = Math.min(CHUNK, out.length - i);
    const from = random.below(TABLE_SIZE - n);
    if (random.chance(0.5)) for (let j = 0; j < n; j++) out[i + j] = table[from + j]!;
    else for (let j = 0; j < n; j++) out[i + j] = -table[from + j]!;
  }
}
