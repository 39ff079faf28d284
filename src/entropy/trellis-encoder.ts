import { compileKernel, instantiateKernel, kernelMemory, type KernelModule } from '../kernels/load.js';
import { wasm } from '../kernels/trellis.wasm.js';
import { mix32 } from '../math/hash.js';
import { DcompError } from '../errors.js';
import { finish, type Pieces } from '../turns.js';
import { BitReader } from './bits.js';
import { MAX_NU, decodeRunInPieces, labelTable, sectionEnds, type Run, type Sections } from './trellis.js';
import { WINDOW_SECTIONS, keptSections } from './viterbi.js';

interface TrellisKernel {
  begin(nu: number, mixedKey: number, window: number, keep: number): void;
  feed(count: number): number;
  finish(): number;
}

// Addresses in the kernel's memory, as in kernels/trellis.ts.
const BLOCKS = 8192;
const INPUT = 1116160;
const INPUT_LENGTH = 16384;
const CLOSES = 1181696;
const BITS = 1198080;
const BITS_LENGTH = 32768;
const DECISIONS = 1230848;
const MEMORY_BYTES = DECISIONS + (WINDOW_SECTIONS << (MAX_NU - 3));

/** States of all sections that are searched in a piece. */
const PIECE_STATES = 2 ** 24;

let compiled: KernelModule | undefined;

export interface EncodedRun {
  /** Packed, most significant bit first; the last byte is filled with zeros. */
  bits: Uint8Array;
  bitCount: number;
  /** What the decoder will get: ±1 per coefficient, 0 for all if the run has no sections. */
  signs: Int8Array;
}

/** Encodes runs; holds the search's memory (68 MB, of which a small nu touches little), so keep and reuse one. Not reentrant. */
export class TrellisEncoder {
  private readonly kernel: TrellisKernel;
  private readonly blocks: Uint16Array;
  private readonly input: Float32Array;
  private readonly closes: Uint8Array;
  private readonly output: Uint8Array;
  /** The nu whose labels stand in `blocks`. */
  private labelled = 0;

  constructor() {
    compiled ??= compileKernel(wasm);
    const memory = kernelMemory(MEMORY_BYTES);
    this.kernel = instantiateKernel<TrellisKernel>(compiled, memory);
    this.blocks = new Uint16Array(memory.buffer, BLOCKS, 1 << (MAX_NU - 4));
    this.input = new Float32Array(memory.buffer, INPUT, INPUT_LENGTH);
    this.closes = new Uint8Array(memory.buffer, CLOSES, INPUT_LENGTH);
    this.output = new Uint8Array(memory.buffer, BITS, BITS_LENGTH);
  }

  /**
   * Chooses signs that (nearly) maximise Σ metric · sign, one bit per section.
   * @param run as the decoder will have it
   * @param metric log-likelihood ratio per coefficient, √(delta·(1 + v·delta)) · (x − mu), in nats; finite
   * @param nu log2 of the number of states, 8..18: each one more doubles the time and saves about 1 % of the bits
   * @throws DcompError E_USAGE if nu or the metric's length doesn't fit
   */
  encode(run: Run, metric: Float32Array, nu: number): EncodedRun {
    return finish(this.encodeInPieces(run, metric, nu));
  }

  /** As `encode`; nothing else may be searched until it has ended. */
  *encodeInPieces(run: Run, metric: Float32Array, nu: number): Pieces<EncodedRun> {
    const { bytes, count } = yield* this.bitsInPieces(sectionsOf(run), metric, nu);
    // The decoder's own function: whatever the search did, both sides have the same signs.
    const decoded = yield* decodeRunInPieces(run, new BitReader(bytes, 0, count), nu);
    return { bits: bytes, bitCount: count, signs: decoded.signs };
  }

  /** As `encodeInPieces`, the bits alone: packed, and how many they are. */
  *bitsInPieces(run: Sections, metric: Float32Array, nu: number): Pieces<{ bytes: Uint8Array; count: number }> {
    const bits = yield* this.searchInPieces(run, metric, nu);
    const bytes = new Uint8Array((bits.length + 7) >>> 3);
    for (let k = 0; k < bits.length; k++) bytes[k >>> 3]! |= bits[k]! << (7 - (k & 7));
    return { bytes, count: bits.length };
  }

  /** The bits alone, one a byte: what `viterbi` returns. */
  search(run: Run, metric: Float32Array, nu: number): Uint8Array {
    return finish(this.searchInPieces(sectionsOf(run), metric, nu));
  }

  private *searchInPieces({ length: n, ends, key }: Sections, metric: Float32Array, nu: number): Pieces<Uint8Array> {
    if (metric.length !== n)
      throw new DcompError('E_USAGE', `the run has ${n} coefficients, but ${metric.length} metrics`);
    this.setLabels(nu);
    const bits = new Uint8Array(ends.length);
    if (ends.length === 0) return bits;
    this.kernel.begin(nu, mix32(key), WINDOW_SECTIONS, keptSections(nu));
    let written = 0;
    const take = (count: number): void => {
      bits.set(this.output.subarray(0, count), written);
      written += count;
    };
    const sections = Math.max(1, PIECE_STATES >> nu);
    for (let from = 0, k = 0, to = 0; from < n; from = to) {
      to = Math.min(n, from + INPUT_LENGTH, ends[k + sections - 1] ?? n);
      this.input.set(metric.subarray(from, to));
      this.closes.fill(0);
      for (; k < ends.length && ends[k]! <= to; k++) this.closes[ends[k]! - 1 - from] = 1;
      take(this.kernel.feed(to - from));
      yield;
    }
    take(this.kernel.finish());
    return bits;
  }

  /** Tells the kernel where the metrics of each 8 consecutive states stand: by 8 labels, for each x, those of labels ^ x. */
  private setLabels(nu: number): void {
    if (nu === this.labelled) return;
    const labels = labelTable(nu);
    this.labelled = nu;
    for (let i = 0; i < labels.length / 8; i++) this.blocks[i] = 16 * labels[8 * i]!;
  }
}

function sectionsOf({ information, key }: Run): Sections {
  return { length: information.length, ends: sectionEnds(information), key };
}
