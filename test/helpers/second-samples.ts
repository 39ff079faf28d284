/** Predicted samples, written from section 13 of docs/format.md: for the second decoder. */
import { exp2, log2 } from '../../src/math/exact.js';

const { abs, floor, fround, imul, max, min, sign, sqrt } = Math;
const H = (h: number, v: number): number => {
  const x = imul(h ^ v, 0x9e3779b1);
  return x ^ (x >>> 15);
};
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** The lossy picture: values in 1/256, and variance codes by position. */
export interface Lossy {
  mean: number[];
  codes: number[];
  /** A sample as it is shown, of a value in units of 8 bits. */
  shown: (value: number) => number;
}

/**
 * @param values of the samples before they are rounded, in units of 8 bits
 * @param variances of level 0's coefficients, float32
 */
export function lossyPicture(
  values: readonly number[],
  variances: Float32Array,
  grey: boolean,
  shown: (value: number) => number,
): Lossy {
  const codes = range(variances.length / 12).flatMap((position) => {
    const [l, p, q] = range(3).map((c) => {
      const four = range(4).map((band) => variances[12 * position + 3 * band + c]!);
      return four.reduce((sum, v) => sum + v, 0) / 4;
    }) as [number, number, number];
    const warm = l / 3 + p / 2 + q / 6;
    return (grey ? [l / 3] : [warm, warm, l / 3 + (2 * q) / 3]).map(
      (v) => range(95).find((i) => exp2((i - 40) / 4) >= v) ?? 95,
    );
  });
  return { mean: values.map((v) => max(0, min(65280, floor(256 * v + 0.5)))), codes, shown };
}

const CDF = range(3074).map((i) => 1 / (1 + exp2((24 - i / 64) * 1.4426950408889634)));
function logistic(t: number): number {
  const u = (t + 24) * 64;
  if (u <= 0) return 0;
  if (u >= 3072) return 1;
  return CDF[floor(u)]! + (u - floor(u)) * (CDF[floor(u) + 1]! - CDF[floor(u)]!);
}
const octaves = (v: number): number => {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, v);
  return (view.getUint32(0) >>> 21) - 508;
};
const LEVELS = [4, 6, 9, 14, 22, 36, 64, 128, 512, 2048, 8192];
const level = (value: number): number => {
  const v = floor(value + 0.5);
  return sign(v) * (abs(v) < 4 ? abs(v) : 3 + LEVELS.filter((limit) => abs(v) >= limit).length);
};

class Mixer {
  private readonly weights = new Map<string, { w: number[]; n: number }>();
  private readonly p = new Map<number, { p: number; count: number }>();
  constructor(
    private readonly t: number,
    private readonly experts: number,
  ) {}
  decide(
    pop: (ones: number) => number,
    node: number,
    sets: readonly number[],
    contexts: readonly number[],
    said: readonly number[],
  ): number {
    const places = contexts.map((c, i) => imul(c ^ imul(node * 13 + i + 1, 0x9e3779b1), 0x85ebca6b) >>> (32 - this.t));
    const known = places.map((place) => {
      if (!this.p.has(place)) this.p.set(place, { p: 0.5, count: 0 });
      return this.p.get(place)!;
    });
    const quanta = [...known.map(({ p }) => floor(p * 4096)), ...said.map((s) => max(0, min(4095, floor(s * 4096))))];
    const inputs = [...quanta.map((q) => log2((q + 0.5) / (4096 - q - 0.5))), 0.3];
    const learners = sets.map((set, kind) => {
      const key = `${kind} ${set}`;
      if (!this.weights.has(key))
        this.weights.set(key, { w: inputs.map((_, i) => (i < 13 ? 0.1 : i < 13 + this.experts ? 0.35 : 0)), n: 0 });
      return this.weights.get(key)!;
    });
    const sums = learners.map(({ w }) => inputs.reduce((sum, x, i) => sum + w[i]! * x, 0));
    const one = (sum: number): number => 1 / (1 + exp2(16 - floor((max(-16, min(16, sum)) + 16) * 128 + 0.5) / 128));
    const bit = pop(max(1, min(16383, floor(one((sums[0]! + sums[1]!) / 2) * 16384 + 0.5))));
    learners.forEach((learner, kind) => {
      const rate = (bit - one(sums[kind]!)) * (0.002 + 0.02 / (1 + learner.n++ / 64));
      inputs.forEach((x, i) => (learner.w[i]! += rate * x));
    });
    for (const each of known) {
      const moved = each.p + (bit - each.p) / (each.count + 1.5);
      each.p = fround(max(1 / 4096, min(4095 / 4096, moved)));
      each.count = min(250, each.count + 1);
    }
    return bit;
  }
}

const PLACES = '-1 0,0 -1,-1 -1,1 -1,-2 0,0 -2,2 -1,-2 -1,1 -2,-1 -2'.split(',').map((s) => s.split(' ').map(Number));
const LOSSY = '1 0,0 1,-1 0,0 -1,1 1,-1 1,1 -1,-1 -1,2 0,0 2'.split(',').map((s) => s.split(' ').map(Number));

/** Weights of a channel. */
class Weights {
  private readonly cells: number[][][];
  private weights: number[] = [];
  constructor(
    private readonly n: number,
    width: number,
    private readonly expected: number[],
  ) {
    this.cells = range(Math.ceil(width / 8)).map(() => range(n + 1).map(() => new Array<number>(n + 1).fill(0)));
  }
  fade(): void {
    for (const cell of this.cells) for (const row of cell) row.forEach((v, j) => (row[j] = v * 0.9));
  }
  solve(cell: number): void {
    const { n, cells } = this;
    const t = cells[cell]!.map((row) => [...row]);
    for (const beside of [cells[cell - 1], cells[cell + 1]])
      beside?.forEach((row, i) => row.forEach((v, j) => (t[i]![j]! += 0.5 * v)));
    for (const i of range(n)) {
      t[i]![i]! += 1;
      t[n]![i]! += this.expected[i] ?? 0;
    }
    const f = range(n).map(() => new Array<number>(n).fill(0));
    for (const i of range(n))
      for (const j of range(i + 1)) {
        let s = t[i]![j]!;
        for (const q of range(j)) s -= f[i]![q]! * f[j]![q]!;
        f[i]![j] = i === j ? sqrt(s > 0.001 ? s : 0.001) : s / f[j]![j]!;
      }
    const y: number[] = [];
    for (const i of range(n)) {
      let s = t[n]![i]!;
      for (const q of range(i)) s -= f[i]![q]! * y[q]!;
      y.push(s / f[i]![i]!);
    }
    this.weights = new Array<number>(n).fill(0);
    for (const i of range(n).reverse()) {
      let s = y[i]!;
      for (let q = i + 1; q < n; q++) s -= f[q]![i]! * this.weights[q]!;
      this.weights[i] = s / f[i]![i]!;
    }
  }
  predict(inputs: readonly number[]): number {
    return inputs.reduce((sum, z, i) => sum + this.weights[i]! * z, 0);
  }
  learn(cell: number, inputs: readonly number[], outcome: number, weight: number): void {
    const z = [...inputs, outcome];
    for (const i of range(z.length)) for (const j of range(i + 1)) this.cells[cell]![i]![j]! += z[i]! * weight * z[j]!;
  }
}

export class Predicted {
  readonly samples: number[] = [];
  private readonly errors: number[] = [];
  private readonly mixer: Mixer;
  private readonly weights: Weights[];
  private readonly M: number;

  constructor(
    private readonly width: number,
    private readonly height: number,
    private readonly channels: number,
    private readonly depth: number,
    private readonly N: number,
    private readonly lossy?: Lossy,
  ) {
    this.M = 2 ** depth - 1;
    const t = range(23).find((each) => each >= 12 && (each === 22 || 2 ** each >= 64 * width * height))!;
    this.mixer = new Mixer(t, lossy === undefined ? 2 : 3);
    this.weights = range(channels).map(
      (k) => new Weights((lossy === undefined ? 10 : 20) + 5 * k, width, lossy === undefined ? [0.5, 0.5] : []),
    );
  }

  private X(c: number, x: number, y: number): number {
    const { width, channels, samples } = this;
    if (y < 0) return 2 ** (this.depth - 1);
    if (x < 0) return this.left(c, y);
    return samples[(y * width + min(x, width - 1)) * channels + c]!;
  }
  /** Left of a row is what is above its first sample. */
  private left(c: number, y: number): number {
    return y === 0 ? 2 ** (this.depth - 1) : this.samples[(y - 1) * this.width * this.channels + c]!;
  }
  private E(c: number, x: number, y: number): number {
    return x < 0 || x >= this.width || y < 0 ? 0 : this.errors[(y * this.width + x) * this.channels + c]!;
  }
  private m(c: number, x: number, y: number): number {
    const [cx, cy] = [max(0, min(this.width - 1, x)), max(0, min(this.height - 1, y))];
    return this.lossy!.mean[(cy * this.width + cx) * this.channels + c]! * (this.M / (255 * 256));
  }
  private base(c: number, x: number, y: number): number {
    return this.lossy === undefined ? (this.X(c, x - 1, y) + this.X(c, x, y - 1)) / 2 : this.m(c, x, y);
  }

  row(pop: (ones: number) => number, y: number): void {
    for (const weights of this.weights) weights.fade();
    for (const x of range(this.width)) {
      if (x % 8 === 0) for (const weights of this.weights) weights.solve(x / 8);
      const found: number[] = [];
      for (const [k, c] of (this.channels === 1 ? [0] : [1, 0, 2]).entries()) this.sample(pop, x, y, k, c, found);
    }
  }

  private sample(pop: (ones: number) => number, x: number, y: number, k: number, c: number, found: number[]): void {
    const { M, N, lossy, width, channels } = this;
    const S = 2 * N + 1;
    const X = (dx: number, dy: number, channel = c): number => this.X(channel, x + dx, y + dy);
    const base = this.base(c, x, y);
    const inputs = PLACES.map(([dx, dy]) => X(dx!, dy!) - base);
    if (lossy !== undefined) inputs.push(...LOSSY.map(([dx, dy]) => this.m(c, x + dx!, y + dy!) - base));
    for (const other of [1, 0].slice(0, k)) {
      const at = X(0, 0, other);
      inputs.push(at - this.base(other, x, y), ...PLACES.slice(0, 4).map(([dx, dy]) => X(dx!, dy!, other) - at));
    }
    const mu = max(0, min(M, base + this.weights[k]!.predict(inputs)));
    const p = floor(mu + 0.5);
    const E = (dx: number, dy: number): number => this.E(c, x + dx, y + dy);
    const [w, n, nw, ne, ww, nn] = [E(-1, 0), E(0, -1), E(-1, -1), E(1, -1), E(-2, 0), E(0, -2)];
    const [f, g] = [found[0] ?? 0, found[1] ?? 0];
    const near = (2 * w * w + 2 * n * n + nw * nw + ne * ne + 0.5 * ww * ww + 0.5 * nn * nn) / 7 + 0.15 * (S * S);
    const here = k === 0 ? near : k === 1 ? f * f : (f * f + g * g) / 2;
    const code = lossy?.codes[((y >> 1) * ((width + 1) >> 1) + (x >> 1)) * channels + c];
    const unsure = code === undefined ? near : exp2((code - 40) / 4) * ((M / 255) * (M / 255)) + 0.08 * (S * S);
    const variance = lossy === undefined ? 0.7 * near + 0.3 * here : 0.5 * near + 0.3 * unsure + 0.2 * here;
    const last = k === 0 ? (w * w + n * n) / 2 : 0.5 * here + 0.5 * near;
    const experts = [
      [mu, 1 / (sqrt(variance + 0.05 * (S * S)) * 0.5513)],
      [mu, 1 / (sqrt(last + 0.1 * (S * S)) * 0.60643)],
      ...(lossy === undefined ? [] : [[base, 1 / (sqrt(unsure) * 0.5513)]]),
    ];
    const expected = min(47, octaves(1 + (2 * sqrt(variance)) / S));
    const other = min(47, octaves(1 + (lossy === undefined ? abs(w) + abs(n) + abs(f) : 2 * sqrt(unsure)) / S));
    const rough = min(31, octaves(1 + near / (S * S)) >> 1);
    const off = (v: number): number => level((v - p) / S);
    const e = (v: number): number => level(v / S);
    const part = floor((mu - p + 0.5) * 8);
    const [W, n1, NW, NE, WW, NN] = [X(-1, 0), X(0, -1), X(-1, -1), X(1, -1), X(-2, 0), X(0, -2)];
    const above = [W, n1, NW, NE, WW, NN].reduce((sum, v) => 2 * sum + (v > mu ? 1 : 0), 0);
    const contexts = [
      16 * expected + part,
      32 * (32 * e(w) + e(n)) + (rough >> 1),
      32 * (32 * e(f) + e(g)) + rough,
      16 * (32 * off(W) + off(n1)) + part,
      p,
      H(H(1, W), n1),
      32 * (32 * off(W + n1 - NW) + off(2 * W - WW)) + e(f),
      32 * (32 * off(NE) + off(2 * n1 - NN)) + rough,
      32 * (48 * (lossy === undefined ? e(ne) : e(2 * (base - mu))) + other) + e(f),
      48 * above + expected,
      16 * (48 * other + expected) + part,
      32 * (32 * level(w / S + n / S) + level(ne / S + nw / S)) + level(f / S + g / S),
      H(H(level(2 * (f / S)), level(2 * (g / S))), 48 * part + other),
    ].map((context, i) => H(context, 16 * k + i));
    const B = ([centre, inverse]: number[], i: number): number => logistic((p + (i - 0.5) * S - centre!) * inverse!);
    const low = -floor((p + N) / S);
    const high = floor((M - p + N) / S);
    const decide = (node: number, set: number, ask: (expert: number[]) => [part: number, whole: number]): number => {
      const said = experts.map((expert) => ask(expert)).map(([some, whole]) => (whole > 1e-9 ? some / whole : 0.5));
      const sets = [(48 * k + expected) * 64 + set, (48 * k + other) * 64 + set];
      return this.mixer.decide(pop, node, sets, contexts, said);
    };
    const steps = low === high ? 0 : this.steps(decide, B, low, high);
    const v = max(0, min(M, p + steps * S));
    this.samples[(y * width + x) * channels + c] = v;
    this.errors[(y * width + x) * channels + c] = v - mu;
    found.push(v - mu);
    this.weights[k]!.learn(floor(x / 8), inputs, v - base, 1 / (variance + 0.5 * (S * S)));
  }

  private steps(
    decide: (node: number, set: number, ask: (expert: number[]) => [number, number]) => number,
    B: (expert: number[], i: number) => number,
    low: number,
    high: number,
  ): number {
    const some = decide(0, 0, (e) => {
      const all = B(e, high + 1) - B(e, low);
      return [all - (B(e, 1) - B(e, 0)), all];
    });
    if (some === 0) return 0;
    let negative = low < 0;
    if (low < 0 && high > 0)
      negative =
        decide(1, 1, (e) => {
          const lower = B(e, 0) - B(e, low);
          return [lower, lower + (B(e, high + 1) - B(e, 1))];
        }) === 1;
    const beyond = (e: number[], j: number): number => (negative ? B(e, -j) - B(e, low) : B(e, high + 1) - B(e, j + 1));
    const most = negative ? -low : high;
    let before = 0;
    let j = 0;
    const size = (): number => (j === 0 ? 1 : 2 ** floor((j - 1) / 2));
    while (before + size() < most) {
      const end = before + size();
      if (decide(2 + j + (negative ? 64 : 0), 2 + j, (e) => [beyond(e, end), beyond(e, before)]) === 0) break;
      before = end;
      j++;
    }
    let [a, z, path] = [before + 1, min(before + size(), most), 1];
    while (a < z) {
      const middle = floor((a + z) / 2);
      const bit = decide(128 + 64 * j + min(63, path), 34 + min(29, j), (e) => {
        const end = beyond(e, z);
        return [beyond(e, middle) - end, beyond(e, a - 1) - end];
      });
      path = 2 * path + bit;
      if (bit === 1) a = middle + 1;
      else z = middle;
    }
    return negative ? -a : a;
  }
}
