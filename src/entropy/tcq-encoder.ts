import { compileKernel, instantiateKernel, kernelMemory, type KernelModule } from '../kernels/load.js';
import { wasm } from '../kernels/tcq.wasm.js';
import { mix32 } from '../math/hash.js';
import { DcompError } from '../errors.js';
import type { Pieces } from '../turns.js';
import { ArithmeticEncoder } from './arithmetic-coder.js';
import {
  codePoint,
  dither,
  ditherAt,
  MAX_TCQ_NU,
  pairsOf,
  phaseOf,
  POINT_PIECE,
  pointLabels,
  pointModel,
  QUANTA,
  type PointRun,
  type SymbolCoder,
} from './tcq.js';
import { distances, KEPT_POINTS, nearest, POINT_WINDOW } from './tcq-search.js';

interface SearchKernel {
  begin(nu: number, window: number, keep: number): void;
  feed(count: number): number;
  finish(): number;
}

// Addresses in the kernel's memory, as in kernels/tcq.ts.
const LABELS = 64;
const INPUT = 81984;
const INPUT_LENGTH = 16384;
const BITS = 213056;
const BITS_LENGTH = 32768;
const DECISIONS = 245824;
const MEMORY_BYTES = DECISIONS + (POINT_WINDOW << (MAX_TCQ_NU - 3));

/** States of all coefficients that are searched in a piece. */
const PIECE_STATES = 2 ** 24;
/** Targets that are made in a piece. */
const TARGET_PIECE = 2 ** 16;
/** Targets are cut to this: what is farther away takes corrections. */
const FARTHEST = 2 ** 22;

export interface EncodedPoints {
  /** Packed, most significant bit first, and how many bits they are. */
  bytes: Uint8Array;
  count: number;
  /** As the decoder will have them. */
  places: Float64Array;
}

let compiled: KernelModule | undefined;

/** Encodes runs of points; holds the search's memory (8 MB), so keep and reuse one. Not reentrant. */
export class PointEncoder {
  private readonly kernel: SearchKernel;
  private readonly labels: Uint8Array;
  private readonly input: Int16Array;
  private readonly output: Uint8Array;
  /** The nu whose labels stand in `labels`. */
  private labelled = 0;

  constructor() {
    compiled ??= compileKernel(wasm);
    const memory = kernelMemory(MEMORY_BYTES);
    this.kernel = instantiateKernel<SearchKernel>(compiled, memory);
    this.labels = new Uint8Array(memory.buffer, LABELS, 1 << MAX_TCQ_NU);
    this.input = new Int16Array(memory.buffer, INPUT, 4 * INPUT_LENGTH);
    this.output = new Uint8Array(memory.buffer, BITS, BITS_LENGTH);
  }

  /**
   * Chooses the points that are nearest to what they are to tell, and codes them.
   * @param run as the decoder will have it
   * @param residual x − mu per coefficient, in gaps
   * @param nu log2 of the number of states, 8..14
   * @throws DcompError E_USAGE if nu or the residual's length doesn't fit
   */
  *encodeInPieces(run: PointRun, residual: Float64Array, nu: number): Pieces<EncodedPoints> {
    const n = run.spreads.length;
    if (residual.length !== n)
      throw new DcompError('E_USAGE', `the run has ${n} coefficients, but ${residual.length} residuals`);
    const target = yield* targetsOf(run, residual);
    const bits = yield* this.search(target, nu);
    return yield* codePoints(run, target, bits, nu);
  }

  private *search(target: Float64Array, nu: number): Pieces<Uint8Array> {
    const n = target.length;
    this.setLabels(nu);
    const bits = new Uint8Array(n);
    this.kernel.begin(nu, POINT_WINDOW, KEPT_POINTS);
    let written = 0;
    const take = (count: number): void => {
      bits.set(this.output.subarray(0, count), written);
      written += count;
    };
    const most = Math.min(INPUT_LENGTH, PIECE_STATES >> nu);
    for (let from = 0; from < n; from += most) {
      const count = Math.min(most, n - from);
      for (let j = 0; j < count; j++) distances(target[from + j]!, this.input, 4 * j);
      take(this.kernel.feed(count));
      yield;
    }
    take(this.kernel.finish());
    return bits;
  }

  /** Tells the kernel where the distance of each state's label stands: places of bytes, two a state. */
  private setLabels(nu: number): void {
    const labels = pointLabels(nu);
    if (nu === this.labelled) return;
    this.labelled = nu;
    for (const [q, label] of labels.entries()) {
      this.labels[2 * q] = 2 * label;
      this.labels[2 * q + 1] = 2 * label + 1;
    }
  }
}

/** Where the points of number 0 are to be moved. */
function* targetsOf({ key }: PointRun, residual: Float64Array): Pieces<Float64Array> {
  const mixedKey = mix32(key);
  const target = new Float64Array(residual.length);
  for (let j = 0; j < target.length; j++) {
    if (j % TARGET_PIECE === TARGET_PIECE - 1) yield;
    const t = residual[j]! - dither(ditherAt(mixedKey, j));
    target[j] = Number.isNaN(t) ? 0 : Math.max(-FARTHEST, Math.min(FARTHEST, t));
  }
  return target;
}

function* codePoints(
  { spreads, key }: PointRun,
  target: Float64Array,
  bits: Uint8Array,
  nu: number,
): Pieces<EncodedPoints> {
  const labels = pointLabels(nu);
  const mask = labels.length - 1;
  const mixedKey = mix32(key);
  const places = new Float64Array(target.length);
  const encoder = new ArithmeticEncoder();
  const coder: SymbolCoder = {
    symbol(cumulative, symbol) {
      encoder.encode(cumulative[symbol]!, cumulative[symbol + 1]! - cumulative[symbol]!, QUANTA);
      return symbol;
    },
    digits(value, count) {
      encoder.encode(value, 1, count);
      return value;
    },
  };
  for (let j = 0, state = 0; j < target.length; j++) {
    if (j % POINT_PIECE === POINT_PIECE - 1) yield;
    const bit = bits[j]!;
    const label = labels[state & mask]! ^ (((state >>> (nu - 1)) ^ bit) << 1);
    const even = label & 1;
    const u = ditherAt(mixedKey, j);
    const m = nearest(target[j]!, label);
    codePoint(coder, pointModel(spreads[j]!, phaseOf(even, u)), (m - even) / 2 + pairsOf(even, u));
    places[j] = m + dither(u);
    state = ((state & mask) << 1) | bit;
  }
  yield;
  return { ...encoder.finish(), places };
}
