/** The plain form, written from section 11 of docs/format.md: for the second decoder. */
import { exp2, log2 } from '../../src/math/exact.js';
import { Predicted, type Lossy } from './second-samples.js';

const { abs, floor, fround, imul, max, min, sign, sqrt } = Math;
const H = (h: number, v: number): number => {
  const x = imul(h ^ v, 0x9e3779b1);
  return x ^ (x >>> 15);
};
const LEVELS = [4, 6, 9, 14, 22, 36, 64, 128];
const level = (v: number): number =>
  sign(v) * (abs(v) < 4 ? abs(v) : 3 + LEVELS.filter((limit) => abs(v) >= limit).length);
const pair = (a: number, b: number): number => 32 * level(a) + level(b);
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** A stack of section 6 with decisions of 2^14 quanta. */
class Decisions {
  private x = 0;
  constructor(
    private readonly bytes: Uint8Array,
    private at: number,
  ) {
    for (let i = 0; i < 3; i++) this.x = 256 * this.x + bytes[this.at++]!;
  }
  pop(ones: number): number {
    const q = this.x % 16384;
    const [start, freq] = q < ones ? [0, ones] : [ones, 16384 - ones];
    this.x = floor(this.x / 16384) * freq + q - start;
    while (this.x < 65536) this.x = 256 * this.x + this.bytes[this.at++]!;
    return q < ones ? 1 : 0;
  }
}

class Mixer {
  private readonly weights = new Map<number, number[]>();
  private readonly seen = new Map<number, number>();
  private readonly p: number[];
  private readonly counts: number[];
  constructor(
    private readonly inputs: number,
    private readonly t: number,
  ) {
    this.p = new Array<number>(2 ** t).fill(0.5);
    this.counts = new Array<number>(2 ** t).fill(0);
  }
  decide(from: Decisions, node: number, set: number, contexts: readonly number[]): number {
    const { inputs, p, counts } = this;
    if (!this.weights.has(set)) this.weights.set(set, new Array<number>(inputs).fill(0.18));
    const weights = this.weights.get(set)!;
    const slots = contexts.map(
      (context, i) => imul(context ^ imul(node * inputs + i + 1, 0x9e3779b1), 0x85ebca6b) >>> (32 - this.t),
    );
    const xs = slots.map((slot) => floor(p[slot]! * 4096)).map((q) => log2((q + 0.5) / (4096 - q - 0.5)));
    const sum = xs.reduce((total, x, i) => total + weights[i]! * x, 0);
    const one = 1 / (1 + exp2(16 - floor((max(-16, min(16, sum)) + 16) * 128 + 0.5) / 128));
    const bit = from.pop(max(1, min(16383, floor(one * 16384 + 0.5))));
    const n = this.seen.get(set) ?? 0;
    this.seen.set(set, n + 1);
    slots.forEach((slot, i) => {
      weights[i]! += (bit - one) * (0.003 + 0.02 / (1 + n / 64)) * xs[i]!;
      const moved = p[slot]! + (bit - p[slot]!) / (counts[slot]! + 1.5);
      p[slot] = fround(max(1 / 8192, min(8191 / 8192, moved)));
      counts[slot] = min(250, counts[slot]! + 1);
    });
    return bit;
  }
}

const AROUND = (
  '-1 0, 0 -1, -1 -1, 1 -1, -2 0, 0 -2, 1 -2, 2 -1, -2 -1, -1 -2, -3 0, 0 -3, 2 -2, -2 -2, 3 -1, -3 -1, ' +
  '-1 -3, 1 -3, -4 0, 4 -1, -4 -1, 3 -2, -3 -2, 2 -3, -2 -3'
)
  .split(', ')
  .map((each) => each.split(' ').map(Number) as [number, number]);
const EQUAL = ['0 1', '1 2', '1 3', '0 4', '1 5', '3 6', '3 7', '0 2'].map((each) => each.split(' ').map(Number));

/** Pixels of one picture, each a list of values, or of one index. */
class Pixels {
  readonly pixels: number[][] = [];
  private readonly errors: number[][] = [];
  private readonly memory = new Map<number, { p: number; hits: number }>();
  private readonly copies: Mixer;
  private readonly rest: Mixer;
  private run = 0;

  constructor(
    private readonly width: number,
    height: number,
    private readonly channels: number,
    private readonly bits: number,
    private readonly indexed: boolean,
  ) {
    const t = range(21).find((each) => each >= 12 && (each === 20 || 2 ** each >= 16 * width * height))!;
    this.copies = new Mixer(7, t);
    this.rest = new Mixer(indexed ? 6 : 8, t);
  }

  take(from: Decisions): void {
    const { width, pixels, channels } = this;
    const p = pixels.length;
    const [x, y] = [p % width, floor(p / width)];
    const d = AROUND.map(([dx, dy]) =>
      x + dx >= 0 && x + dx < width && y + dy >= 0 ? this.id(pixels[p + dx + dy * width]!) : 0,
    );
    const a = [1];
    for (const [k, each] of d.entries()) a.push(H(a[k]!, (each + k) >>> 0) >>> 0);
    this.errors.push(new Array<number>(channels).fill(0));
    if (!(this.indexed && this.bits <= 2) && this.copy(from, x, y, d, a)) return;
    pixels[p] = this.indexed ? [this.index(from, a)] : this.values(from, x, y);
  }

  private id(pixel: number[]): number {
    const id = this.bits <= 8 ? pixel.reduce((sum, v) => 256 * sum + v, 0) : pixel.reduce((sum, v) => H(sum, v), 0);
    return (id + 1) >>> 0;
  }

  private like(p: number, q: number): boolean {
    return this.pixels[p]!.every((v, c) => v === this.pixels[q]![c]);
  }

  private copy(from: Decisions, x: number, y: number, d: number[], a: number[]): boolean {
    const { width, pixels, memory } = this;
    const p = pixels.length;
    const place = imul(a[12]!, 0x85ebca6b) >>> 16;
    const remembered = memory.get(place);
    const hit = remembered === undefined ? 0 : 1 + remembered.hits;
    const there: number[] = remembered === undefined ? [] : [remembered.p];
    if (x > 0) there.push(p - 1);
    if (y > 0) there.push(p - width);
    if (y > 0 && x > 0) there.push(p - width - 1);
    if (y > 0 && x + 1 < width) there.push(p - width + 1);
    const candidates = there.filter((q, i) => !there.slice(0, i).some((before) => this.like(before, q)));
    const equals = EQUAL.map(([i, j]) => (d[i!] === d[j!] ? 1 : 0));
    const equal = equals.reduce<number>((sum, bit, i) => sum + bit * 2 ** i, 0);
    const ones = equals.filter((bit) => bit === 1).length;
    let which = 0;
    if (remembered !== undefined) {
      if (x > 0 && this.like(remembered.p, p - 1)) which = 1;
      else which = y > 0 && this.like(remembered.p, p - width) ? 2 : 3;
    }
    const contexts = [
      ...[4, 6, 9, 18].map((k) => a[k]!),
      64 * equal + hit,
      64 * equal + this.run,
      H(H(d[0]!, hit), d[1]!),
    ];
    const set = 8 * min(7, hit) + min(7, ones);
    const found = candidates.findIndex((_, c) => this.copies.decide(from, 4 * c + which, 64 * c + set, contexts) === 1);
    if (remembered !== undefined && found === 0) remembered.hits = min(15, remembered.hits + 1);
    else memory.set(place, { p, hits: 0 });
    if (found >= 0) pixels.push([...pixels[candidates[found]!]!]);
    this.run = found >= 0 && x > 0 && this.like(p, p - 1) ? min(63, this.run + 1) : 0;
    return found >= 0;
  }

  private index(from: Decisions, a: number[]): number {
    const contexts = (this.bits === 1 ? [6, 10, 14, 18, 22, 25] : [0, 1, 2, 4, 6, 10]).map((k) => a[k]!);
    let v = 1;
    for (let i = 0; i < this.bits; i++) v = 2 * v + this.rest.decide(from, v, v, contexts);
    return v - 2 ** this.bits;
  }

  private values(from: Decisions, x: number, y: number): number[] {
    const { channels, width } = this;
    const p = y * width + x;
    const pixel = new Array<number>(channels).fill(0);
    this.pixels[p] = pixel;
    for (const [k, c] of (channels === 1 ? [0] : [1, 0, 2]).entries()) {
      const base = k === 0 ? 0 : pixel[1]!;
      const { prediction, contexts } = this.predict(x, y, k, c, base);
      const e = this.error(from, k, contexts);
      pixel[c] = (prediction + e) & (2 ** this.bits - 1);
      this.errors[p]![k] = e;
    }
    return pixel;
  }

  private predict(
    x: number,
    y: number,
    k: number,
    c: number,
    base: number,
  ): { prediction: number; contexts: number[] } {
    const { pixels, width, errors, bits } = this;
    const p = y * width + x;
    const v = (q: number): number => pixels[q]![c]! - (k > 0 ? pixels[q]![1]! : 0);
    const n = y > 0 ? v(p - width) : x > 0 ? v(p - 1) : 0;
    const w = x > 0 ? v(p - 1) : n;
    const nw = x > 0 && y > 0 ? v(p - width - 1) : n;
    const ne = y > 0 && x + 1 < width ? v(p - width + 1) : n;
    const ww = x > 1 ? v(p - 2) : w;
    const nn = y > 1 ? v(p - 2 * width) : n;
    const plane = w + n - nw;
    const median = max(min(w, n), min(max(w, n), plane));
    const smooth = (2 * (w + n) + ne - nw + 2) >> 2;
    const prediction = max(0, min(2 ** bits - 1, base + ((median + smooth + 1) >> 1)));
    const e = (dx: number, dy: number): number =>
      x + dx < 0 || x + dx >= width || y + dy < 0 ? 0 : errors[p + dx + dy * width]![k]!;
    const energy = 2 * abs(e(-1, 0)) + 2 * abs(e(0, -1)) + abs(e(-1, -1)) + abs(e(1, -1));
    const activity = abs(w - nw) + abs(n - nw) + abs(n - ne);
    const rough = min(15, floor(sqrt(energy)));
    const off = (value: number): number => base + value - prediction;
    const [f, s] = [k > 0 ? errors[p]![0]! : 0, k > 1 ? errors[p]![1]! : 0];
    const contexts = [
      min(63, floor(2 * sqrt(activity + energy))),
      pair(e(-1, 0), e(0, -1)),
      16 * pair(f, s) + rough,
      pair(off(w), off(n)),
      prediction,
      H(H(1, base + w), base + n),
      32 * pair(off(plane), off(2 * w - ww)) + level(f),
      16 * pair(off(ne), off(2 * n - nn)) + rough,
    ];
    return { prediction, contexts: contexts.map((context) => H(context, k)) };
  }

  private error(from: Decisions, k: number, contexts: number[]): number {
    const decide = (node: number, set: number): number => this.rest.decide(from, node, 40 * k + set, contexts);
    if (decide(0, 0) === 0) return 0;
    const negative = decide(1, 1);
    let d = 0;
    while (d < this.bits && decide(2 + d, 2 + d) === 1) d++;
    let m = d === 0 ? 0 : 1;
    for (let i = 1; i < d; i++) m = 2 * m + decide(64 * (1 + d) + min(m, 63), 2 + this.bits + d);
    return negative === 1 ? -(m + 1) : m + 1;
  }
}

/** Bands of a plain file. @param bands whole, the first ones @param N largest error @param lossy picture of a file of the network @returns the colour samples, behind them the lossy picture or mid-grey */
export function secondPlain(
  bands: readonly Uint8Array[],
  { width, height, colours, depth }: { width: number; height: number; colours: number; depth: number },
  N = 0,
  lossy?: Lossy,
): number[] {
  const samples: number[] = [];
  let model: Pixels | undefined;
  let predicted: Predicted | undefined;
  let kind = 0;
  let palette: number[][] | undefined;
  let bits = depth;
  for (const band of bands) {
    let at = 0;
    const packed = (count: number, b: number): number[] => {
      const values = range(count).map((i) =>
        range(b).reduce((v, j) => 2 * v + ((band[at + floor((i * b + j) / 8)]! >> (7 - ((i * b + j) % 8))) & 1), 0),
      );
      at += Math.ceil((count * b) / 8);
      return values;
    };
    const split = (values: number[], size: number): number[][] =>
      range(values.length / size).map((i) => values.slice(i * size, (i + 1) * size));
    let rows = 0;
    for (let scale = 1; ; scale *= 128) {
      rows += (band[at]! & 127) * scale;
      if (band[at++]! < 128) break;
    }
    let from: Decisions | undefined;
    if (samples.length === 0) {
      kind = band[at++]!;
      const size = kind === 2 || kind === 3 ? band[at++]! + 1 : 0;
      if (kind % 2 === 0) from = new Decisions(band, at);
      if (size > 0) {
        bits = Math.ceil(Math.log2(size));
        if (kind % 2 === 1) palette = split(packed(size * colours, depth), colours);
        else {
          const own = new Pixels(size, 1, colours, depth, false);
          while (own.pixels.length < size) own.take(from!);
          palette = own.pixels;
        }
      }
    }
    if (kind === 4) {
      predicted ??= new Predicted(width, height, colours, depth, N, lossy);
      from ??= new Decisions(band, at);
      const first = predicted.samples.length / (width * colours);
      const pops = from;
      for (const y of range(rows)) predicted.row((ones) => pops.pop(ones), first + y);
      samples.push(...predicted.samples.slice(samples.length));
      continue;
    }
    const channels = palette === undefined ? colours : 1;
    let pixels: number[][];
    if (kind % 2 === 1) pixels = split(packed(rows * width * channels, bits), channels);
    else {
      model ??= new Pixels(width, height, channels, bits, palette !== undefined);
      from ??= new Decisions(band, at);
      const begun = model.pixels.length;
      for (let i = 0; i < rows * width; i++) model.take(from);
      pixels = model.pixels.slice(begun);
    }
    for (const pixel of pixels) samples.push(...(palette === undefined ? pixel : palette[pixel[0]!]!));
  }
  const shown = lossy?.mean.map((value) => lossy.shown(value / 256));
  while (samples.length < width * height * colours) samples.push(shown?.[samples.length] ?? 2 ** (depth - 1));
  return samples;
}
