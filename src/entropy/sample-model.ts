/**
 * Coding of photographs sample by sample, without loss or with a bounded error. Each sample is predicted by least squares
 * from those around it and, where there is one, from a lossy picture that both sides have. The prediction, the recent
 * errors and the variance that the lossy picture comes with make distributions, and these are mixed with contexts in each
 * of the binary decisions that tell the error (docs/format.md, section 13).
 */
import type { Samples } from '../picture.js';
import type { Pieces } from '../turns.js';
import { exp2 } from '../math/exact.js';
import { ExpertMixer, logistic } from './expert-mixing.js';
import { CELL_COLUMNS, LeastSquares } from './least-squares.js';
import { hash, type BinaryCoder } from './mixing.js';
import { SampleRows, VARIANCES, type Side } from './sample-rows.js';

export { VARIANCES, type Side } from './sample-rows.js';

/** Samples of the channel that a prediction knows, and of the channels before: columns to the right, rows down. */
const OWN = [
  [-1, 0],
  [0, -1],
  [-1, -1],
  [1, -1],
  [-2, 0],
  [0, -2],
  [2, -1],
  [-2, -1],
  [1, -2],
  [-1, -2],
] as const;
const OTHERS = 4;
/** Of the lossy picture. */
const AROUND = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
  [1, 1],
  [-1, 1],
  [1, -1],
  [-1, -1],
  [2, 0],
  [0, 2],
] as const;

const CONTEXTS = 13;
/** Weights: by the number of a decision, by quarter octaves of what is expected, by channel. */
const SETS = 64;
const SIZES = 48;
/** Nodes: is there an error, its sign; is it in a later bucket; where in the bucket. */
const BUCKET = 2;
const PLACE = 34;
const NEGATIVE_NODES = 64;
const PLACE_NODES = 128;

/** Scale of a logistic distribution of variance 1: √3 / π. */
const SCALE = 0.5513;
/** What the error of the last samples alone is worth. */
const LAST_SCALE = 0.60643;
/** Below this an expert has nothing to say. */
const NOTHING = 1e-9;

/** Samples that are coded in a piece: some milliseconds. */
const PIECE = 64;
const MIN_TABLE_BITS = 12;
const MAX_TABLE_BITS = 22;
const TABLE_SHARE = 64;

/** The variance that a code of the side information stands for, in units of 8-bit samples. */
const VARIANCE = Float64Array.from({ length: VARIANCES }, (_, i) => exp2((i - 40) / 4));

const FLOAT = new Float32Array(1);
const BITS = new Uint32Array(FLOAT.buffer);

/** About 4 · log2(v), for v ≥ 1: exponent and two bits of the mantissa of a float32. */
function quarterOctaves(v: number): number {
  FLOAT[0] = v;
  return (BITS[0]! >>> 21) - 508;
}

const LEVELS = Uint8Array.from({ length: 128 }, (_, m) =>
  m < 4 ? m : 3 + [4, 6, 9, 14, 22, 36, 64].filter((least) => m >= least).length,
);

/** Sign and about the logarithm of a rounded number: −14..14. */
function level(value: number): number {
  const v = Math.floor(value + 0.5);
  const m = v < 0 ? -v : v;
  const size = m < 128 ? LEVELS[m]! : m < 512 ? 11 : m < 2048 ? 12 : m < 8192 ? 13 : 14;
  return v < 0 ? -size : size;
}

export class SampleModel {
  private readonly rows: SampleRows;
  private readonly mixer: ExpertMixer;
  private readonly predictions: LeastSquares[];
  /** Channels in their order: green before red and blue. */
  private readonly order: readonly number[];
  private readonly range: number;
  /** Width of a bin: errors are whole multiples of it. */
  private readonly bin: number;
  private readonly experts: number;
  private readonly centres: Float64Array;
  private readonly inverses: Float64Array;
  /** Errors of this pixel's channels so far. */
  private readonly found = new Float64Array(3);
  /** Bounds of what is coded: the bins that there are. */
  private rounded = 0;
  /** What a sample counts for in later predictions. */
  private weight = 0;
  private bottom = 0;
  private top = 0;

  /**
   * @param samples interleaved; overwritten by what a reader has
   * @param channels 1 or 3
   * @param bits of a sample, 1..16
   * @param maxError that a sample may have: 0 is lossless
   * @param side a lossy picture that both sides know
   */
  constructor(
    private readonly samples: Samples,
    private readonly width: number,
    height: number,
    private readonly channels: number,
    bits: number,
    private readonly maxError: number,
    private readonly side?: Side,
  ) {
    let table = MIN_TABLE_BITS;
    while (table < MAX_TABLE_BITS && 2 ** table < TABLE_SHARE * width * height) table++;
    this.range = 2 ** bits - 1;
    this.bin = 2 * maxError + 1;
    this.order = channels === 1 ? [0] : [1, 0, 2];
    this.rows = new SampleRows(width, height, channels, bits, side);
    this.experts = side === undefined ? 2 : 3;
    this.centres = new Float64Array(this.experts);
    this.inverses = new Float64Array(this.experts);
    this.mixer = new ExpertMixer(CONTEXTS, this.experts, channels * SIZES * SETS, table);
    this.predictions = this.order.map(
      (_, k) =>
        new LeastSquares(
          OWN.length + (side === undefined ? 0 : AROUND.length) + k * (1 + OTHERS),
          width,
          side === undefined ? [0.5, 0.5] : [],
        ),
    );
  }

  /** Codes the pixels of a row; rows in their order. */
  *codeRowInPieces(coder: BinaryCoder, y: number): Pieces<void> {
    const { width, predictions, channels, rows, order } = this;
    rows.begin(y);
    for (const prediction of predictions) prediction.fade();
    for (let x = 0; x < width; x++) {
      if (x % CELL_COLUMNS === 0) for (const prediction of predictions) prediction.solve(x / CELL_COLUMNS);
      for (let k = 0; k < channels; k++) this.codeSample(coder, x, y, k, order[k]!);
      if ((y * width + x) % PIECE === PIECE - 1) yield;
    }
    rows.end();
  }

  private codeSample(coder: BinaryCoder, x: number, y: number, k: number, c: number): void {
    const { rows, samples, range, bin, maxError } = this;
    const prediction = this.predictions[k]!;
    const base = rows.base(c, x);
    this.fill(prediction.inputs, base, k, c, x);
    const sum = base + prediction.predict();
    const mean = sum > 0 ? (sum < range ? sum : range) : 0;
    const p = (this.rounded = Math.floor(mean + 0.5));
    this.bottom = -Math.floor((p + maxError) / bin);
    this.top = Math.floor((range - p + maxError) / bin);
    this.expect(x, y, k, c, base, mean);
    const at = (y * this.width + x) * this.channels + c;
    const steps = this.codeError(coder, Math.floor((samples[at]! - p + maxError) / bin));
    const value = p + steps * bin;
    const v = value < 0 ? 0 : value > range ? range : value;
    samples[at] = v;
    rows.put(c, x, v, v - mean);
    this.found[k] = v - mean;
    prediction.learn(Math.floor(x / CELL_COLUMNS), v - base, this.weight);
  }

  /** What the prediction is made of, all relative to `base`. */
  private fill(inputs: Float64Array, base: number, k: number, c: number, x: number): void {
    const { rows, order } = this;
    let i = 0;
    for (let q = 0; q < OWN.length; q++) inputs[i++] = rows.at(c, x + OWN[q]![0], OWN[q]![1]) - base;
    if (this.side !== undefined)
      for (let q = 0; q < AROUND.length; q++) inputs[i++] = rows.lossyAt(c, x + AROUND[q]![0], AROUND[q]![1]) - base;
    for (let before = 0; before < k; before++) {
      const other = order[before]!;
      const here = rows.at(other, x, 0);
      inputs[i++] = here - rows.base(other, x);
      for (let q = 0; q < OTHERS; q++) inputs[i++] = rows.at(other, x + OWN[q]![0], OWN[q]![1]) - here;
    }
  }

  /** Sets distributions, weights and contexts of a sample. */
  private expect(x: number, y: number, k: number, c: number, base: number, mean: number): void {
    const { rows, bin, mixer, centres, inverses, found } = this;
    const square = bin * bin;
    const w = rows.error(c, x - 1, 0);
    const n = rows.error(c, x, -1);
    const nw = rows.error(c, x - 1, -1);
    const ne = rows.error(c, x + 1, -1);
    const ww = rows.error(c, x - 2, 0);
    const nn = rows.error(c, x, -2);
    const f = k > 0 ? found[0]! : 0;
    const g = k > 1 ? found[1]! : 0;
    const near = (2 * w * w + 2 * n * n + nw * nw + ne * ne + 0.5 * ww * ww + 0.5 * nn * nn) / 7 + 0.15 * square;
    const here = k === 0 ? near : k === 1 ? f * f : (f * f + g * g) / 2;
    const lossy = this.side === undefined ? near : VARIANCE[rows.variance(c, x, y)]! * rows.units + 0.08 * square;
    const variance = this.side === undefined ? 0.7 * near + 0.3 * here : 0.5 * near + 0.3 * lossy + 0.2 * here;
    const last = k === 0 ? (w * w + n * n) / 2 : 0.5 * here + 0.5 * near;
    this.weight = 1 / (variance + 0.5 * square);
    centres[0] = centres[1] = mean;
    inverses[0] = 1 / (Math.sqrt(variance + 0.05 * square) * SCALE);
    inverses[1] = 1 / (Math.sqrt(last + 0.1 * square) * LAST_SCALE);
    if (this.side !== undefined) {
      centres[2] = base;
      inverses[2] = 1 / (Math.sqrt(lossy) * SCALE);
    }
    const expected = Math.min(SIZES - 1, quarterOctaves(1 + (2 * Math.sqrt(variance)) / bin));
    const other = Math.min(
      SIZES - 1,
      this.side === undefined
        ? quarterOctaves(1 + (Math.abs(w) + Math.abs(n) + Math.abs(f)) / bin)
        : quarterOctaves(1 + (2 * Math.sqrt(lossy)) / bin),
    );
    mixer.firstSet = (k * SIZES + expected) * SETS;
    mixer.secondSet = (k * SIZES + other) * SETS;
    const rough = Math.min(31, quarterOctaves(1 + near / square) >> 1);
    this.setContexts(x, k, c, mean, base, [w / bin, n / bin, nw / bin, ne / bin, f / bin, g / bin], {
      expected,
      other,
      rough,
    });
  }

  private setContexts(
    x: number,
    k: number,
    c: number,
    mean: number,
    base: number,
    [ew, en, enw, ene, f, g]: [number, number, number, number, number, number],
    { expected, other, rough }: { expected: number; other: number; rough: number },
  ): void {
    const { rows, rounded: p, bin, mixer } = this;
    const { contexts } = mixer;
    const w = rows.at(c, x - 1, 0);
    const n = rows.at(c, x, -1);
    const nw = rows.at(c, x - 1, -1);
    const ne = rows.at(c, x + 1, -1);
    const ww = rows.at(c, x - 2, 0);
    const nn = rows.at(c, x, -2);
    const off = (v: number): number => level((v - p) / bin);
    const part = Math.floor((mean - p + 0.5) * 8);
    const above =
      (w > mean ? 32 : 0) +
      (n > mean ? 16 : 0) +
      (nw > mean ? 8 : 0) +
      (ne > mean ? 4 : 0) +
      (ww > mean ? 2 : 0) +
      (nn > mean ? 1 : 0);
    contexts[0] = expected * 16 + part;
    contexts[1] = (level(ew) * 32 + level(en)) * 32 + (rough >> 1);
    contexts[2] = (level(f) * 32 + level(g)) * 32 + rough;
    contexts[3] = (off(w) * 32 + off(n)) * 16 + part;
    contexts[4] = p;
    contexts[5] = hash(hash(1, w), n);
    contexts[6] = (off(w + n - nw) * 32 + off(2 * w - ww)) * 32 + level(f);
    contexts[7] = (off(ne) * 32 + off(2 * n - nn)) * 32 + rough;
    contexts[8] = (level(this.side === undefined ? ene : (2 * (base - mean)) / bin) * SIZES + other) * 32 + level(f);
    contexts[9] = above * SIZES + expected;
    contexts[10] = (other * SIZES + expected) * 16 + part;
    contexts[11] = (level(ew + en) * 32 + level(ene + enw)) * 32 + level(f + g);
    contexts[12] = hash(hash(level(2 * f), level(2 * g)), part * SIZES + other);
    for (let i = 0; i < CONTEXTS; i++) contexts[i] = hash(contexts[i]!, k * 16 + i);
  }

  /** What an expert gives all below a bin. */
  private below(expert: number, bin: number): number {
    return logistic((this.rounded + (bin - 0.5) * this.bin - this.centres[expert]!) * this.inverses[expert]!);
  }

  /** Sets what the experts say of a part of something. */
  private say(expert: number, part: number, whole: number): void {
    this.mixer.said[expert] = whole > NOTHING ? part / whole : 0.5;
  }

  /** An error, in bins. */
  private codeError(coder: BinaryCoder, steps: number): number {
    const { mixer, experts, bottom, top } = this;
    if (bottom === top) return 0;
    for (let e = 0; e < experts; e++) {
      const all = this.below(e, top + 1) - this.below(e, bottom);
      this.say(e, all - (this.below(e, 1) - this.below(e, 0)), all);
    }
    if (mixer.code(coder, 0, 0, steps === 0 ? 0 : 1) === 0) return 0;
    let negative = bottom < 0;
    if (bottom < 0 && top > 0) {
      for (let e = 0; e < experts; e++) {
        const lower = this.below(e, 0) - this.below(e, bottom);
        this.say(e, lower, lower + (this.below(e, top + 1) - this.below(e, 1)));
      }
      negative = mixer.code(coder, 1, 1, steps < 0 ? 1 : 0) === 1;
    }
    const size = this.codeSize(coder, negative, Math.abs(steps));
    return negative ? -size : size;
  }

  /** What an expert gives errors of that sign of more than t bins. */
  private beyond(expert: number, negative: boolean, t: number): number {
    return negative
      ? this.below(expert, -t) - this.below(expert, this.bottom)
      : this.below(expert, this.top + 1) - this.below(expert, t + 1);
  }

  /** How many bins, at least one: first in which bucket, of 1, 1, 1, 2, 2, 4, 4, …, then where in it by halves. */
  private codeSize(coder: BinaryCoder, negative: boolean, size: number): number {
    const { mixer, experts } = this;
    const most = negative ? -this.bottom : this.top;
    let before = 0;
    let j = 0;
    let width = 1;
    while (before + width < most) {
      for (let e = 0; e < experts; e++)
        this.say(e, this.beyond(e, negative, before + width), this.beyond(e, negative, before));
      const node = BUCKET + j + (negative ? NEGATIVE_NODES : 0);
      if (mixer.code(coder, node, BUCKET + j, size > before + width ? 1 : 0) === 0) break;
      before += width;
      j++;
      width = 1 << ((j - 1) >> 1);
    }
    let low = before + 1;
    let high = Math.min(before + width, most);
    for (let path = 1; low < high;) {
      const middle = (low + high) >> 1;
      for (let e = 0; e < experts; e++) {
        const end = this.beyond(e, negative, high);
        this.say(e, this.beyond(e, negative, middle) - end, this.beyond(e, negative, low - 1) - end);
      }
      const node = PLACE_NODES + 64 * j + (path < 63 ? path : 63);
      const upper = mixer.code(coder, node, PLACE + (j < 29 ? j : 29), size > middle ? 1 : 0);
      path = 2 * path + upper;
      if (upper === 1) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
