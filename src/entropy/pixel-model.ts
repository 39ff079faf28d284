/**
 * Lossless coding of pixels, one by one from the upper left: what an encoder says of each and a decoder reads. A pixel is
 * the copy of one before it (the one that followed the last time the pixels around it were the same, or a neighbour) or is
 * coded: as an index bit by bit, or channel by channel as the error of a prediction. Each of these decisions is binary, and
 * mixed from contexts (src/entropy/mixing.ts).
 */
import type { Samples } from '../picture.js';
import type { Pieces } from '../turns.js';
import { hash, Mixer, type BinaryCoder } from './mixing.js';

/** The pixels known around one, nearest first: columns to the right, rows down. */
const NEAR: readonly (readonly [x: number, y: number])[] = [
  [-1, 0],
  [0, -1],
  [-1, -1],
  [1, -1],
  [-2, 0],
  [0, -2],
  [1, -2],
  [2, -1],
  [-2, -1],
  [-1, -2],
  [-3, 0],
  [0, -3],
  [2, -2],
  [-2, -2],
  [3, -1],
  [-3, -1],
  [-1, -3],
  [1, -3],
  [-4, 0],
  [4, -1],
  [-4, -1],
  [3, -2],
  [-3, -2],
  [2, -3],
  [-2, -3],
];
/** Pairs of them that a context tells to be equal or not. */
const EQUAL: readonly (readonly [number, number])[] = [
  [0, 1],
  [1, 2],
  [1, 3],
  [0, 4],
  [1, 5],
  [3, 6],
  [3, 7],
  [0, 2],
];
/** Columns outside the picture, and rows, that are looked at. */
const MARGIN = 4;
const ROWS = 4;

/** How many of the nearest pixels each context of a copy knows (others are below), of an index, of an index of one bit. */
const COPY_CONTEXTS = [4, 6, 9, 18] as const;
const INDEX_CONTEXTS = [0, 1, 2, 4, 6, 10] as const;
const BIT_CONTEXTS = [6, 10, 14, 18, 22, 25] as const;
/** How many tell which pixel is remembered; log2 of the places to remember. */
const MEMORY_CONTEXT = 12;
const MEMORY_BITS = 16;
/** Pixels that are coded in a piece: some milliseconds. */
const PIECE = 256;
/** An index of so few bits is never a copy: its own contexts see as much. */
const SMALL_INDEX_BITS = 2;

const COPY_INPUTS = COPY_CONTEXTS.length + 3;
const VALUE_INPUTS = 8;
const MOST_COPIES = 5;
/** Weights of a copy: by its number, by hits of the memory up to 7, by equalities up to 7. */
const COPY_SETS = MOST_COPIES * 64;
const INDEX_SETS = 256;
const VALUE_SETS = 40;
const MAX_HITS = 15;
const MAX_RUN = 63;
/** Nodes of a value: is there an error, its sign, from SIZE_NODE on its binary digits, from DIGIT_NODE on those below the leading one. */
const SIZE_NODE = 2;
const DIGIT_NODE = 64;

/** log2 of the probabilities in a table, for a picture of so many pixels. */
const MIN_TABLE_BITS = 12;
const MAX_TABLE_BITS = 20;
const TABLE_SHARE = 16;

/** Sign and about the logarithm: −11..11. */
function level(value: number): number {
  const m = Math.abs(value);
  const size =
    m < 4 ? m : m < 6 ? 4 : m < 9 ? 5 : m < 14 ? 6 : m < 22 ? 7 : m < 36 ? 8 : m < 64 ? 9 : m < 128 ? 10 : 11;
  return value < 0 ? -size : size;
}

const ONES = Uint8Array.from({ length: 256 }, (_, i) => i.toString(2).replaceAll('0', '').length);

/** Two levels in one number. */
const pair = (a: number, b: number): number => 32 * level(a) + level(b);

export class PixelModel {
  private readonly copies: Mixer;
  private readonly rest: Mixer;
  /** A number for each pixel of the last rows, by its colour; 0 outside the picture. */
  private readonly ids: Uint32Array;
  private readonly stride: number;
  private readonly near = new Uint32Array(NEAR.length);
  /** Where they are among `ids`, but for the column. */
  private readonly offsets = new Int32Array(NEAR.length);
  /** Hashes of the nearest 0, 1, 2, … pixels. */
  private readonly around = new Uint32Array(NEAR.length + 1);
  /** By the hash of the pixels around: 1 + the place of the pixel that was there, and how often in a row it was right. */
  private readonly memory = new Uint32Array(2 ** MEMORY_BITS);
  private readonly hits = new Uint8Array(2 ** MEMORY_BITS);
  /** Places of the pixels that this one may be a copy of. */
  private readonly places = new Uint32Array(MOST_COPIES);
  /** Errors of the predictions in this row and the one above, by channel; entry 1 + x. */
  private readonly errors: Int32Array[];
  private run = 0;

  /**
   * @param samples interleaved, written by a reader
   * @param channels 1 or 3
   * @param bits of a sample, 1..16
   * @param indexed whether samples are indices, of which near ones need not be alike; one channel, at most 8 bits
   */
  constructor(
    private readonly samples: Samples,
    private readonly width: number,
    height: number,
    private readonly channels: number,
    private readonly bits: number,
    private readonly indexed: boolean,
  ) {
    let table = MIN_TABLE_BITS;
    while (table < MAX_TABLE_BITS && 2 ** table < TABLE_SHARE * width * height) table++;
    this.copies = new Mixer(COPY_INPUTS, COPY_SETS, table);
    this.rest = indexed
      ? new Mixer(INDEX_CONTEXTS.length, INDEX_SETS, table)
      : new Mixer(VALUE_INPUTS, channels * VALUE_SETS, table);
    this.stride = width + 2 * MARGIN;
    this.ids = new Uint32Array(ROWS * this.stride);
    this.errors = Array.from({ length: channels }, () => new Int32Array(2 * (width + 2)));
  }

  /** Codes the pixels of a row; rows in their order. */
  *codeRowInPieces(coder: BinaryCoder, y: number): Pieces<void> {
    const { ids, stride, indexed, bits, width } = this;
    const row = (y % ROWS) * stride;
    for (const [i, [dx, dy]] of NEAR.entries()) this.offsets[i] = ((y + dy) & (ROWS - 1)) * stride + MARGIN + dx;
    ids.fill(0, row, row + stride);
    for (const errors of this.errors) errors.fill(0, (y & 1) * (width + 2), ((y & 1) + 1) * (width + 2));
    for (let x = 0; x < width; x++) {
      this.lookAround(x);
      const copied = !(indexed && bits <= SMALL_INDEX_BITS) && this.codeCopy(coder, x, y);
      if (!copied && indexed) this.codeIndex(coder, y * width + x);
      else if (!copied) this.codeValues(coder, x, y);
      ids[row + MARGIN + x] = this.idOf(y * width + x);
      if ((y * width + x) % PIECE === PIECE - 1) yield;
    }
  }

  private lookAround(x: number): void {
    const { near, around, ids, offsets } = this;
    let h = 1;
    for (let i = 0; i < near.length; i++) {
      around[i] = h;
      near[i] = ids[offsets[i]! + x]!;
      h = hash(h, near[i]! + i);
    }
    around[near.length] = h;
  }

  private idOf(p: number): number {
    const { samples, channels, bits } = this;
    let id = 0;
    for (let c = 0; c < channels; c++) {
      const sample = samples[p * channels + c]!;
      id = bits <= 8 ? id * 256 + sample : hash(id, sample);
    }
    return id + 1;
  }

  private same(p: number, q: number): boolean {
    const { samples, channels } = this;
    for (let c = 0; c < channels; c++) if (samples[p * channels + c] !== samples[q * channels + c]) return false;
    return true;
  }

  /** The different pixels that this one may be a copy of: the remembered one, left, above, above left and right. @returns how many */
  private findPlaces(x: number, y: number, remembered: number): number {
    const { width, places } = this;
    const p = y * width + x;
    let count = 0;
    if (remembered > 0) places[count++] = remembered - 1;
    if (x > 0) count = this.addPlace(count, p - 1);
    if (y > 0) count = this.addPlace(count, p - width);
    if (y > 0 && x > 0) count = this.addPlace(count, p - width - 1);
    if (y > 0 && x + 1 < width) count = this.addPlace(count, p - width + 1);
    return count;
  }

  private addPlace(count: number, q: number): number {
    const { places } = this;
    for (let i = 0; i < count; i++) if (this.same(places[i]!, q)) return count;
    places[count] = q;
    return count + 1;
  }

  /** Which of the pixels around are equal, a bit each. */
  private equalities(): number {
    const { near } = this;
    let equal = 0;
    for (let i = 0; i < EQUAL.length; i++) if (near[EQUAL[i]![0]] === near[EQUAL[i]![1]]) equal |= 1 << i;
    return equal;
  }

  /** @returns whether it was a copy */
  private codeCopy(coder: BinaryCoder, x: number, y: number): boolean {
    const { around, copies, width, places, samples, channels, memory, hits } = this;
    const p = y * width + x;
    const slot = Math.imul(around[MEMORY_CONTEXT]!, 0x85ebca6b) >>> (32 - MEMORY_BITS);
    const remembered = memory[slot]!;
    const hit = remembered > 0 ? 1 + hits[slot]! : 0;
    const count = this.findPlaces(x, y, remembered);
    const equal = this.equalities();
    let which = 0;
    if (remembered > 0) {
      if (x > 0 && this.same(remembered - 1, p - 1)) which = 1;
      else which = y > 0 && this.same(remembered - 1, p - width) ? 2 : 3;
    }
    const { contexts } = copies;
    for (let i = 0; i < COPY_CONTEXTS.length; i++) contexts[i] = around[COPY_CONTEXTS[i]!]!;
    contexts[COPY_CONTEXTS.length] = equal * 64 + hit;
    contexts[COPY_CONTEXTS.length + 1] = equal * 64 + this.run;
    contexts[COPY_CONTEXTS.length + 2] = hash(hash(this.near[0]!, hit), this.near[1]!);
    const set = Math.min(7, hit) * 8 + Math.min(7, ONES[equal]!);
    let found = 0;
    while (found < count) {
      const same = this.same(places[found]!, p) ? 1 : 0;
      if (copies.code(coder, found * 4 + which, found * 64 + set, same) === 1) break;
      found++;
    }
    const copied = found < count;
    if (remembered > 0 && found === 0) hits[slot] = Math.min(MAX_HITS, hits[slot]! + 1);
    else {
      hits[slot] = 0;
      memory[slot] = p + 1;
    }
    if (copied) {
      const from = places[found]! * channels;
      for (let c = 0; c < channels; c++) samples[p * channels + c] = samples[from + c]!;
    }
    this.run = copied && x > 0 && this.same(p, p - 1) ? Math.min(MAX_RUN, this.run + 1) : 0;
    return copied;
  }

  private codeIndex(coder: BinaryCoder, p: number): void {
    const { rest, around, samples, bits } = this;
    const sizes = bits === 1 ? BIT_CONTEXTS : INDEX_CONTEXTS;
    for (let i = 0; i < sizes.length; i++) rest.contexts[i] = around[sizes[i]!]!;
    let v = 1;
    for (let b = bits - 1; b >= 0; b--) v = 2 * v + rest.code(coder, v, v, (samples[p]! >> b) & 1);
    samples[p] = v - 2 ** bits;
  }

  /** Of RGB, green comes first, and the others as their difference to it. */
  private codeValues(coder: BinaryCoder, x: number, y: number): void {
    const { samples, width, channels } = this;
    const p = (y * width + x) * channels;
    let first = 0;
    let second = 0;
    for (let k = 0; k < channels; k++) {
      const c = channels === 1 ? 0 : k === 0 ? 1 : k === 1 ? 0 : 2;
      const base = k === 0 ? 0 : samples[p + 1]!;
      const prediction = this.predict(x, y, c, base, k, first, second);
      const error = this.codeError(coder, k * VALUE_SETS, samples[p + c]! - prediction);
      samples[p + c] = (prediction + error) & (2 ** this.bits - 1);
      this.errors[k]![(y & 1) * (width + 2) + x + 1] = error;
      if (k === 0) first = error;
      else second = error;
    }
  }

  /** Sets the contexts of a value. @param c channel, @param k its turn, @param first, second errors of the channels before */
  private predict(x: number, y: number, c: number, base: number, k: number, first: number, second: number): number {
    const { samples, width, channels, bits } = this;
    const p = y * width + x;
    const range = 2 ** bits - 1;
    const value = (q: number): number =>
      k === 0 ? samples[q * channels + c]! : samples[q * channels + c]! - samples[q * channels + 1]!;
    const n = y > 0 ? value(p - width) : x > 0 ? value(p - 1) : 0;
    const w = x > 0 ? value(p - 1) : n;
    const nw = x > 0 && y > 0 ? value(p - width - 1) : n;
    const ne = y > 0 && x + 1 < width ? value(p - width + 1) : n;
    const ww = x > 1 ? value(p - 2) : w;
    const nn = y > 1 ? value(p - 2 * width) : n;
    const plane = w + n - nw;
    const median = Math.max(Math.min(w, n), Math.min(Math.max(w, n), plane));
    const smooth = (2 * (w + n) + ne - nw + 2) >> 2;
    const prediction = Math.max(0, Math.min(range, base + ((median + smooth + 1) >> 1)));
    const own = (y & 1) * (width + 2) + x;
    const above = ((y + 1) & 1) * (width + 2) + x;
    const e = this.errors[k]!;
    const energy = 2 * Math.abs(e[own]!) + 2 * Math.abs(e[above + 1]!) + Math.abs(e[above]!) + Math.abs(e[above + 2]!);
    const activity = Math.abs(w - nw) + Math.abs(n - nw) + Math.abs(n - ne);
    const rough = Math.min(15, Math.floor(Math.sqrt(energy)));
    const off = (v: number): number => base + v - prediction;
    const { contexts } = this.rest;
    contexts[0] = Math.min(63, Math.floor(2 * Math.sqrt(activity + energy)));
    contexts[1] = pair(e[own]!, e[above + 1]!);
    contexts[2] = pair(first, second) * 16 + rough;
    contexts[3] = pair(off(w), off(n));
    contexts[4] = prediction;
    contexts[5] = hash(hash(1, base + w), base + n);
    contexts[6] = pair(off(plane), off(2 * w - ww)) * 32 + level(first);
    contexts[7] = pair(off(ne), off(2 * n - nn)) * 16 + rough;
    for (let i = 0; i < VALUE_INPUTS; i++) contexts[i] = hash(contexts[i]!, k);
    return prediction;
  }

  /** An error, modulo 2^bits between ±2^(bits − 1). */
  private codeError(coder: BinaryCoder, set: number, difference: number): number {
    const { rest, bits } = this;
    const half = 2 ** (bits - 1);
    const error = difference >= half ? difference - 2 * half : difference < -half ? difference + 2 * half : difference;
    if (rest.code(coder, 0, set, error === 0 ? 0 : 1) === 0) return 0;
    const negative = rest.code(coder, 1, set + 1, error < 0 ? 1 : 0);
    const size = 32 - Math.clz32(Math.abs(error) - 1);
    let digits = 0;
    while (digits < bits && rest.code(coder, SIZE_NODE + digits, set + SIZE_NODE + digits, size > digits ? 1 : 0) === 1)
      digits++;
    let v = digits === 0 ? 0 : 1;
    for (let i = digits - 2; i >= 0; i--) {
      // Of long errors, only the upper digits are known by what came before them.
      const node = DIGIT_NODE * (1 + digits) + (v < DIGIT_NODE - 1 ? v : DIGIT_NODE - 1);
      v = 2 * v + rest.code(coder, node, set + SIZE_NODE + bits + digits, ((Math.abs(error) - 1) >> i) & 1);
    }
    return negative === 1 ? -(v + 1) : v + 1;
  }
}
