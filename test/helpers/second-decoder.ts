/**
 * A second decoder, written from docs/format.md and not from src/codec: plain, slow, without a line in common with the first
 * but the elementary functions, the network, and the entropy coder of side information and alpha.
 */
import { decodeCorrections } from '../../src/entropy/corrections.js';
import { decodeGains } from '../../src/entropy/gains.js';
import { decodePlane } from '../../src/entropy/plane.js';
import { exp2, log2 } from '../../src/math/exact.js';
import type { Evaluator } from '../../src/model/evaluator.js';
import type { IntegerModel } from '../../src/model/integer/integer-model.js';
import { secondPlain } from './second-plain.js';
import { gapOf, hash, odd, points } from './second-points.js';
import { lossyPicture } from './second-samples.js';

const TOP = 168;
const { fround, floor, ceil, min, max, round, sqrt } = Math;
const sigma = (code: number): number => exp2((code - 80) / 16);
const codeOf = (s: number): number => min(254, max(1, 80 + floor(16 * log2(s) + 0.5)));
const V = Array.from({ length: 1281 }, (_, i) => exp2((i - 512) / 32));

type Mode = 'root' | 'enter' | 'refine' | 'settle';
interface Grid {
  w: number;
  h: number;
  gw: number;
  gh: number;
  z: Float32Array;
  codes: Uint8Array;
}
interface Plane {
  w: number;
  h: number;
  data: Float32Array;
}

const COLUMNS = [0x0e, 0x33, 0x6d, 0x24, 0x8b, 0xde, 0xb7, 0x1b, 0xd0, 0xb2, 0xc9, 0x4d, 0x65, 0x98];
const COST = [1.106, 1.088, 1.075, 1.066, 1.058, 1.051, 1.047, 1.043, 1.039, 1.035, 1.0335];
const labelOf = (q: number): number =>
  COLUMNS.reduce((label, column, i) => ((q >> (3 + i)) & 1 ? label ^ column : label), q & 7);

/** Bits of one segment. */
class Bits {
  at = 0;
  constructor(readonly bytes: Uint8Array) {}
  get left(): number {
    return 8 * this.bytes.length - this.at;
  }
  bit(at = this.at++): number {
    return (this.bytes[at >> 3]! >> (7 - (at & 7))) & 1;
  }
  /** Bytes from the current bit on. */
  rest(): Uint8Array {
    return Uint8Array.from({ length: this.left >> 3 }, (_, i) =>
      [0, 1, 2, 3, 4, 5, 6, 7].reduce((v, k) => 2 * v + this.bit(this.at + 8 * i + k), 0),
    );
  }
}

class Ended extends Error {}

function blank(w: number, h: number, grey: boolean): Grid {
  const [gw, gh] = [ceil(w / 2), ceil(h / 2)];
  const codes = Uint8Array.from({ length: gw * gh * 12 }, (_, i) => {
    const [c, x, y] = [i % 12, floor(i / 12) % gw, floor(i / 12 / gw)];
    const band = floor(c / 3);
    const repeated = (2 * x + 2 > w && (band === 1 || band === 3)) || (2 * y + 2 > h && band >= 2);
    return repeated || (grey && c % 3 > 0) ? 0 : 255;
  });
  return { w, h, gw, gh, z: new Float32Array(codes.length), codes };
}

function unHaar(grid: Grid, data: Float32Array): Plane {
  const out = new Float32Array(grid.w * grid.h * 3);
  for (let y = 0, o = 0; y < grid.h; y++) {
    for (let x = 0; x < grid.w; x++) {
      for (let c = 0; c < 3; c++, o++) {
        const [ll, lh, hl, hh] = [0, 3, 6, 9].map((b) => data[((y >> 1) * grid.gw + (x >> 1)) * 12 + b + c]!) as [
          number,
          number,
          number,
          number,
        ];
        const h = x % 2 ? -1 : 1;
        out[o] = (ll + lh * h) * 0.5 + (hl + hh * h) * (y % 2 ? -0.5 : 0.5);
      }
    }
  }
  return { w: grid.w, h: grid.h, data: out };
}

function finer(coarse: Grid, w: number, h: number, grey: boolean): Grid {
  const fine = blank(w, h, grey);
  const u = unHaar(coarse, coarse.z);
  fine.codes.forEach((code, i) => {
    if (i % 12 >= 3 || code === 0) return;
    const [c, x, y] = [i % 12, floor(i / 12) % fine.gw, floor(i / 12 / fine.gw)];
    const four = [0, 3, 6, 9].map((b) => coarse.codes[((y >> 1) * coarse.gw + (x >> 1)) * 12 + b + c]!);
    const exact = four.filter((each) => each === 0).length;
    const worst = max(1, ...four.filter((each) => each !== 0 && each !== 255));
    fine.codes[i] = min(254, max(1, worst + 16 - (exact >= 3 ? 16 : exact === 2 ? 8 : 0)));
    fine.z[i] = 2 * u.data[(y * fine.gw + x) * 3 + c]!;
  });
  return fine;
}

function wiener(code: number, S: number): [cs: number, co: number] {
  if (code === 255) return [0, S];
  if (code === 0) return [1, 0];
  const T = S * S + sigma(code) * sigma(code);
  return [(S * S) / T, (S * sigma(code)) / sqrt(T)];
}

/** Section 3: by position of a level, how many codes more it is measured with. @param energy at positions of the coarser level */
function maskingOf(
  level: number,
  strength: number,
  [gw, gh]: [number, number],
  energy: (x: number, y: number) => number,
): (x: number, y: number) => number {
  const side = [2, 2, 1, 1][level];
  if (side === undefined || strength === 0) return () => 0;
  const known = new Map<number, number>();
  /** Of a block: mean of log2; undefined where there is none. */
  const octaves = (column: number, row: number): number | undefined => {
    let [sum, count] = [0, 0];
    for (let v = side * row; v < min(gh, side * row + side); v++)
      for (let u = side * column; u < min(gw, side * column + side); u++, count++) sum += log2(energy(u, v) + 60);
    return count === 0 ? undefined : sum / count;
  };
  return (x, y) => {
    const [column, row] = [floor(x / 2 / side), floor(y / 2 / side)];
    const key = row * 65536 + column;
    if (!known.has(key)) {
      const own = octaves(column, row)!;
      const [left, top] = [column - (column % 2), row - (row % 2)];
      const cell = [0, 1].flatMap((r) => [0, 1].map((c) => octaves(left + c, top + r) ?? Infinity));
      const octave = own + 0.375 * (min(...cell) - own);
      const codes = 2 * floor((0.5 * strength * (octave - log2(1000))) / 2 + 0.5);
      known.set(key, max(-16, min(16, codes)));
    }
    return known.get(key)!;
  };
}

/** Of the three details of brightness, LL of which is at `i`, the others each `apart` from the one before. */
function energyOf(z: Float32Array, i: number, apart: number): number {
  const [h, v, d] = [z[i + apart]!, z[i + 2 * apart]!, z[i + 3 * apart]!];
  return h * h + v * v + d * d;
}

function maskedCode(code: number, more: number): number {
  return max(min(code, 48), min(240, code + more));
}

/** Section 4: which half of a level a coefficient is of. */
function halfOf({ gw }: Grid, i: number, byBand: boolean): number {
  return (floor(i / 12 / gw) + (floor(i / 12) % gw) + (byBand ? floor((i % 12) / 3) : i % 12)) % 2;
}

/** Section 4: by position, correlations of colours 0 and 1, 0 and 2, 1 and 2, in 64ths. */
function correlationOf({ gw, gh, z }: Grid): (x: number, y: number) => number[] {
  const known = new Map<number, number[]>();
  const value = (x: number, y: number, c: number): number => {
    const i = 12 * (min(gh - 1, max(0, y)) * gw + min(gw - 1, max(0, x))) + c;
    return min(32767, max(-32767, floor(2 * z[i]! + 0.5)));
  };
  const weights = [1, 5, 10, 10, 5, 1];
  const of = (column: number, row: number): number[] => {
    const sum = (f: (x: number, y: number) => number): number =>
      weights
        .flatMap((a, v) => weights.map((b, u) => a * b * f(2 * column - 2 + u, 2 * row - 2 + v)))
        .reduce((total, each) => total + each, 0);
    const covariance = (i: number, j: number): number =>
      1024 * sum((x, y) => value(x, y, i) * value(x, y, j)) -
      sum((x, y) => value(x, y, i)) * sum((x, y) => value(x, y, j));
    const variance = (i: number): number => covariance(i, i) + 2 ** 24;
    return (
      [
        [0, 1, 8, 0],
        [0, 2, 9, 10],
        [1, 2, 12, 8],
      ] as const
    ).map(([i, j, share, more]) => {
      const r = floor((64 * covariance(i, j)) / sqrt(variance(i) * variance(j)) + 0.5);
      return min(56, max(-56, floor((share * r) / 16) + more));
    });
  };
  return (x, y) => {
    const [column, row] = [floor(x / 2), floor(y / 2)];
    const key = row * 65536 + column;
    if (!known.has(key)) known.set(key, of(column, row));
    return known.get(key)!;
  };
}

interface State {
  /** By position, of the level. */
  correlation: (x: number, y: number) => number[];
  model: IntegerModel;
  nu: number;
  bits: Bits;
  scales: number[];
  /** Sigma code that a coefficient is taken to in a step to this one. */
  own: (to: number, i: number) => number;
  straight: boolean;
  masking: number;
  /** Whether it is of a message. */
  message: boolean;
}

/** One group of a step. `means` takes mu + d of every coefficient that is concerned. */
function group(
  state: State,
  grid: Grid,
  step: { index: number; level: number; mode: Mode; to: number; part: number },
  area: number[],
  number: number,
  out: Float32Array | undefined,
  means: Float32Array,
  moves?: Float32Array,
): void {
  const { model, bits, scales } = state;
  const settles = step.mode === 'settle';
  const more = !settles && (state.straight ? step.level >= 3 : step.level > 0);
  const nu = !more ? state.nu : state.straight ? min(18, state.nu + 2) : max(16, min(18, state.nu + 3));
  const [x0, y0, x1, y1] = area as [number, number, number, number];
  const gw = x1 - x0;
  const N = gw * (y1 - y0) * 12;
  const at = (p: number): number => ((y0 + floor(p / 12 / gw)) * grid.gw + x0 + (floor(p / 12) % gw)) * 12 + (p % 12);
  const inStages = state.straight && step.mode === 'enter';
  const prior = settles ? new Float32Array(12).fill(1) : priorOf(model, step.level);
  const classes: { P: number; delta: number; I: number[] }[] = [];
  const target = (i: number): number => state.own(step.to, i);
  const classOf = new Map<number, number>();
  const mu = new Float32Array(N);
  const klass = new Int32Array(N).fill(-1);
  const index = new Int32Array(N);
  for (let p = 0; p < N; p++) {
    const i = at(p);
    const code = grid.codes[i]!;
    if (code <= target(i) || (step.mode === 'root' && p % 12 >= 3)) continue;
    if (step.part === 1 && halfOf(grid, i, inStages) === 1) continue;
    const key = code + 256 * target(i);
    if (!classOf.has(key)) {
      const P = code === 255 ? 0 : 1 / (sigma(code) * sigma(code));
      const delta = 1 / (sigma(target(i)) * sigma(target(i))) - P;
      classOf.set(key, classes.push({ P, delta, I: V.map((v) => 0.5 * log2(1 + v * delta)) }) - 1);
    }
    klass[p] = classOf.get(key)!;
    const [cs, co] = wiener(code, prior[p % 12]!);
    const o = out === undefined ? 0 : out[2 * i - (p % 12)]!;
    const L = out === undefined ? 0 : out[2 * i - (p % 12) + 12]!;
    mu[p] = cs * grid.z[i]! + co * o;
    index[p] = min(1280, max(0, floor(64 * log2(co) + 32 * L + 0.5) + 512));
  }
  if (classes.length === 0) return;
  let concerned = Array.from({ length: N }, (_, p) => p).filter((p) => klass[p]! >= 0);
  const side = <T extends { end: number }>(read: (bytes: Uint8Array) => T): T => {
    try {
      const value = read(bits.rest());
      bits.at += 8 * value.end;
      return value;
    } catch {
      throw new Ended();
    }
  };

  const ask = (): number => {
    if (bits.left === 0) throw new Ended();
    return bits.bit();
  };
  let difference = 0;
  while (ask() === 1) difference++;
  if (difference > 0 && ask() === 1) difference = -difference;
  const scale = (scales[number] ?? 0) + difference;
  if (scale < -24 || scale > 24) throw new Ended();
  scales[number] = scale;
  const scaled = (p: number, steps: number): number => (index[p] = min(1280, max(0, index[p]! + steps)));
  for (const p of concerned) scaled(p, 4 * scales[number]);
  if (step.part === 1) {
    for (const p of concerned) if (classes[klass[p]!]!.I[index[p]!]! < 1 / 8) klass[p] = -1;
    concerned = concerned.filter((p) => klass[p]! >= 0);
  }

  const columns = ceil(gw / 8);
  const blocks = columns * ceil((y1 - y0) / 8);
  if (step.mode === 'enter' && step.level <= 2 && blocks >= 16 && ask() === 1) {
    const block = (p: number): number => floor(floor(p / 12 / gw) / 8) * columns + floor((floor(p / 12) % gw) / 8);
    const sums = new Float64Array(blocks);
    for (const p of concerned) sums[block(p)]! += classes[klass[p]!]!.I[index[p]!]!;
    const contexts = Uint8Array.from(sums, (b) => [0.5, 1, 2, 4, 8, 16].filter((limit) => b >= limit).length);
    const { gains } = side((bytes) => decodeGains(bytes, 0, blocks, contexts));
    for (const p of concerned) scaled(p, 32 * gains[block(p)]!);
  }

  const row = (p: number): number => klass[p]! * 1281 + index[p]!;
  const I = classes.flatMap((each) => each.I);
  const d = new Float32Array(N);
  const done = new Uint8Array(N);
  const a = new Float32Array(N);
  const shares = new Float64Array(N);
  let ended = false;
  /** Tells some coefficients. @param length of the shuffled order, whose q-th is at placeOf(q) */
  const tell = (members: number[], stage: number, length: number, placeOf: (q: number) => number): void => {
    const isMember = new Set(members);
    // Rows and passes.
    const H = new Float64Array(classes.length * 1281);
    const isOut = (p: number): boolean =>
      ((state.straight && step.level === 0) || settles) && classes[klass[p]!]!.P === 0 && I[row(p)]! < 0.1;
    const left = new Set(members.filter(isOut));
    const isQuantised = (p: number): boolean => !left.has(p) && I[row(p)]! >= 7 / 16;
    for (const p of members) if (!left.has(p) && !isQuantised(p)) H[row(p)]!++;
    let total = 0;
    H.forEach((count, r) => (total += count * I[r]!));
    let [limit, cap] = [0, 1];
    for (limit of [1 / 16, 1 / 8, 1 / 4]) {
      const passesOf = (bits: number): number => min(8, max(1, ceil(bits / limit)));
      for (cap = 8; cap > 1; cap--) {
        let count = 0;
        H.forEach((each, r) => (count += passesOf(I[r]!) >= cap ? each : 0));
        if (count * limit >= 16) break;
      }
      if (total >= 300 * cap) break;
    }
    const passes = I.map((bits) => (bits >= 7 / 16 ? 1 : max(1, min(ceil(bits / limit), cap))));
    const exactGain = I.map((bits, r) => exp2((2 * bits) / passes[r]!) - 1);
    const rank = I.map((bits, r) => (passes[r] === 1 && bits < 0.25 * limit ? 0 : passes[r]!));

    // Order.
    let b = 1;
    while (2 ** b < length) b++;
    const h = floor(b / 2);
    const times = (x: number, y: number): number => Number((BigInt(x) * BigInt(y)) % BigInt(2 ** b));
    const visit = (j: number): number => {
      let x = times(j ^ (j >> h), 0x7feb352d);
      x = times(x ^ (x >> h), 0x846ca68b);
      return x ^ (x >> h);
    };
    const shuffled = Array.from({ length: 2 ** b }, (_, j) => visit(j))
      .filter((q) => q < length && isMember.has(placeOf(q)) && !left.has(placeOf(q)))
      .map(placeOf);
    const sorted = (those: number[], by: (row: number) => number): number[] =>
      those
        .map((p, j) => ({ p, j }))
        .sort((a, b) => by(row(b.p)) - by(row(a.p)) || a.j - b.j)
        .map(({ p }) => p);
    const quantised = sorted(shuffled.filter(isQuantised), (r) => min(15, floor(I[r]!)));
    const order = sorted(
      shuffled.filter((p) => !isQuantised(p)),
      (r) => rank[r]!,
    );

    for (const p of members) a[p] = sqrt((V[index[p]!]! * exactGain[row(p)]!) / (1 + exactGain[row(p)]!));
    let key = hash(hash(0x646370, step.index), number);
    if (stage > 0) key = hash(key, 256 + stage);
    if (quantised.length > 0 && !ended) {
      const rho = (p: number): number => V[index[p]!]! * classes[klass[p]!]!.delta;
      const spreads = quantised.map((p) => max(0, min(480, floor(8 * log2(rho(p)) + 0.5))));
      const nuOfPoints = max(8, min(14, nu - 2));
      const places = points(bits, spreads, nuOfPoints, hash(key, 0xffffffff));
      places.forEach((place, j) => {
        const p = quantised[j]!;
        const gap = gapOf(nuOfPoints) / sqrt(classes[klass[p]!]!.delta);
        d[p] = place * (gap * (rho(p) / (1 + rho(p))));
        done[p] = 1;
      });
      if (places.length < quantised.length) ended = true;
    }
    const run = (those: number[], told: number, runKey: number): void => {
      const ends: number[] = [];
      let u = 0;
      const cost = COST[nu - 8]! + 4.2 / (told + 4.2);
      those.forEach((p, j) => {
        u += floor((I[row(p)]! / passes[row(p)]!) * cost * 2 ** 20 + 0.5);
        if (u < 2 ** 20) return;
        u -= 2 ** 20;
        ends.push(j + 1);
      });
      if (those.length > (ends.at(-1) ?? 0)) {
        if (u >= 2 ** 19) ends.push(those.length);
        else if (ends.length > 0) ends[ends.length - 1] = those.length;
      }
      if (ends.length > bits.left) ended = true;
      let s = 0;
      let j = 0;
      for (const end of ends.slice(0, bits.left)) {
        const b = bits.bit();
        const q = s % 2 ** (nu - 1);
        const label = labelOf(q);
        for (; j < end; j++) {
          const p = those[j]!;
          const h = hash(runKey, j);
          const negative = odd(label & (h >>> 24)) ^ ((h >>> 23) & 1) ^ (s >>> (nu - 1)) ^ b;
          d[p] = d[p]! + (negative ? -a[p]! : a[p]!);
          a[p] = a[p]! * fround(1 / sqrt(1 + exactGain[row(p)]!));
          done[p]!++;
        }
        s = 2 * q + b;
      }
    };
    const rounds = max(...order.map((p) => passes[row(p)]!));
    let runs = 0;
    const toldBy = (takesPart: (r: number) => boolean): number =>
      H.reduce((sum, count, r) => (count > 0 && takesPart(r) ? sum + count * (I[r]! / passes[r]!) : sum), 0);
    for (let r = rounds; r >= 1 && !ended; r--)
      run(
        order.filter((p) => passes[row(p)]! >= r),
        toldBy((row) => passes[row]! >= r),
        hash(key, runs++),
      );

    for (const p of members) {
      const i = at(p);
      means[i] = mu[p]! + d[p]!;
      if (done[p] === 0) {
        if (grid.codes[i] === 255) grid.z[i] = mu[p]!;
        continue;
      }
      if (moves !== undefined) moves[i] = d[p]!;
      const { P, delta: full } = classes[klass[p]!]!;
      const v = V[index[p]!]!;
      let delta = full;
      let code = target(i);
      if (done[p]! < passes[row(p)]!) {
        let g = 1;
        for (let k = 0; k < done[p]!; k++) g *= 1 + fround(exactGain[row(p)]!);
        delta = (g - 1) / v;
        code = max(target(i), codeOf(1 / sqrt(P + delta)));
      }
      grid.z[i] =
        (P / (P + delta)) * grid.z[i]! + (delta / (P + delta)) * mu[p]! + ((delta + 1 / v) / (P + delta)) * d[p]!;
      grid.codes[i] = code;
    }
    for (const p of members) {
      const rho = V[index[p]!]! * classes[klass[p]!]!.delta;
      shares[p] = left.has(p) ? 0 : floor((32 * rho) / (1 + rho) + 0.5);
    }
  };

  /** By what has been told of another, whose correlation with it is of so many 64ths. @param own its variance's index at first */
  const foresee = (p: number, source: number, units: number, own: number): void => {
    if (shares[source] === 0) return;
    expected += (units / 64) * (sqrt(V[own]!) / sqrt(V[index[source]!]!)) * d[source]!;
    const share = (units * units * shares[source]!) / (64 * 64 * 32);
    scaled(p, -floor(0.5 - 32 * log2(1 - share)));
  };
  let expected = 0;
  if (!inStages) tell(concerned, 0, N, (q) => q);
  else {
    const inPlane =
      (colour: number) =>
      (q: number): number =>
        floor(q / 4) * 12 + 3 * (q % 4) + colour;
    const ofColour = (colour: number): number[] => concerned.filter((p) => p % 3 === colour);
    const half = (which: number): number[] => ofColour(0).filter((p) => halfOf(grid, at(p), true) === which);
    if (step.part > 0) tell(ofColour(0), 0, N / 3, inPlane(0));
    else {
      tell(half(0), 0, N / 3, inPlane(0));
      for (const p of half(1)) {
        const [x, y, band] = [floor(p / 12) % gw, floor(p / 12 / gw), floor((p % 12) / 3)];
        const own = index[p]!;
        expected = mu[p]!;
        const [beside, above] = [[0, -24, 16, -20][band]!, [0, 16, -24, -20][band]!];
        if (x > 0) foresee(p, p - 12, beside, own);
        if (x < gw - 1) foresee(p, p + 12, beside, own);
        if (y > 0) foresee(p, p - 12 * gw, above, own);
        if (y < y1 - y0 - 1) foresee(p, p + 12 * gw, above, own);
        mu[p] = expected;
      }
      tell(half(1), 1, N / 3, inPlane(0));
    }
    for (const colour of [1, 2]) {
      for (const p of ofColour(colour)) {
        const [x, y] = [x0 + (floor(p / 12) % gw), y0 + floor(p / 12 / gw)];
        const own = index[p]!;
        expected = mu[p]!;
        foresee(p, p - colour, state.correlation(x, y)[colour - 1]!, own);
        if (colour === 2) foresee(p, p - 1, state.correlation(x, y)[2]!, own);
        mu[p] = expected;
      }
      tell(ofColour(colour), colour + 1, N / 3, inPlane(colour));
    }
  }
  if (ended) throw new Ended();
  if (settles) return;
  if (
    step.level > 0 &&
    (state.message || (step.part === 1 && !state.straight) || (step.mode === 'refine' && step.to % 8 > 0))
  )
    return;
  if (bits.left === 0) throw new Ended();
  if (bits.bit() === 0) return;
  const { indices, steps } = side((bytes) => decodeCorrections(bytes, 0, N));
  indices.forEach((p, k) => {
    if (klass[p]! < 0) return;
    const i = at(p);
    if (grid.codes[i] === 255) grid.codes[i] = target(i);
    grid.z[i] = grid.z[i]! + steps[k]! * 3 * sigma(grid.codes[i]!);
  });
}

/**
 * Section 4: details that slope as LL does, of the first colours of each band.
 * @param ll by position, so many numbers each @returns coefficients whose LL is that, and details what is added to them
 */
function sloped({ gw, gh, codes }: Grid, ll: ArrayLike<number>, stride: number, colours = 1): Float64Array {
  const out = new Float64Array(gw * gh * 12);
  for (let p = 0; p < gw * gh; p++) {
    const [x, y] = [p % gw, floor(p / gw)];
    const at = (x: number, y: number, c: number): number =>
      ll[stride * (min(gh - 1, max(0, y)) * gw + min(gw - 1, max(0, x))) + c]!;
    for (let c = 0; c < colours; c++) {
      out[12 * p + c] = at(x, y, c);
      if (codes[12 * p + 3 + c] !== 0) out[12 * p + 3 + c] = (at(x - 1, y, c) - at(x + 1, y, c)) / 8;
      if (codes[12 * p + 6 + c] !== 0) out[12 * p + 6 + c] = (at(x, y - 1, c) - at(x, y + 1, c)) / 8;
    }
  }
  return out;
}

/** Section 10: a mean that keeps LL. @param ll three colours a position */
function keeping(grid: Grid, mean: Float32Array, ll: Float32Array): Float32Array {
  const more = Float64Array.from(ll, (value, i) => value - mean[12 * floor(i / 3) + (i % 3)]!);
  const slopes = sloped(grid, more, 3, 3);
  return mean.map((value, i) => (i % 12 < 3 ? ll[floor(i / 12) * 3 + (i % 12)]! : value + slopes[i]!));
}

/**
 * Section 4, settling: one group.
 * @param given of brightness, four bands by position @returns what they are moved by, and whether the data ended
 */
function settle(
  state: State,
  step: { index: number; level: number; mode: Mode; part: number },
  size: { w: number; h: number },
  given: { m: Float32Array; v: Float32Array },
  ahead: readonly (number | undefined)[],
  white: number,
  J: number,
): { moves: Float32Array; ended: boolean } {
  const haar = ({ w, h, data }: Plane): Plane => {
    const [gw, gh] = [ceil(w / 2), ceil(h / 2)];
    const pixel = (x: number, y: number): number => data[min(h - 1, y) * w + min(w - 1, x)]!;
    const band = [
      [1, 1, 1],
      [-1, 1, -1],
      [1, -1, -1],
      [-1, -1, 1],
    ];
    const of = (i: number): number => {
      const [x, y] = [2 * (floor(i / 4) % gw), 2 * floor(i / 4 / gw)];
      const [p, q, r, s] = [pixel(x, y), pixel(x + 1, y), pixel(x, y + 1), pixel(x + 1, y + 1)];
      const [a, b, c] = band[i % 4] as [number, number, number];
      return (p + a * q + b * r + c * s) * 0.5;
    };
    return { w: gw, h: gh, data: Float32Array.from({ length: gw * gh * 4 }, (_, i) => of(i)) };
  };
  const ll = ({ w, h, data }: Plane, by: number): Plane => ({
    w,
    h,
    data: data.filter((_, i) => i % 4 === 0).map((x) => x * by),
  });
  const f = step.level;
  const levels: { size: { w: number; h: number }; M: Plane; S: Plane }[] = [];
  let [M, S]: [Plane, Plane] = [
    { w: ceil(size.w / 2), h: ceil(size.h / 2), data: given.m },
    { w: ceil(size.w / 2), h: ceil(size.h / 2), data: given.v },
  ];
  levels[f] = { size, M, S };
  for (let j = f + 1; j <= J; j++) {
    const size = { w: M.w, h: M.h };
    const spread = haar(ll(S, 0.25));
    M = haar(ll(M, 0.5));
    S = { ...M, data: spread.data.map((_, i) => 0.5 * spread.data[i - (i % 4)]!) };
    levels[j] = { size, M, S };
  }
  let ended = false;
  let coarser: Float32Array | undefined;
  let told = new Float32Array(given.m.length);
  for (let j = J; j >= f; j--) {
    const { size, M, S } = levels[j]!;
    const grid = blank(size.w, size.h, true);
    const moves = new Float32Array(grid.z.length);
    if (j < J) for (let i = 0; i < grid.codes.length; i += 12) grid.codes[i] = 0;
    const out = new Float32Array(2 * grid.z.length);
    for (let i = 0; i < M.data.length; i++) {
      const at = 24 * floor(i / 4) + 3 * (i % 4);
      out[at] = M.data[i]!;
      out[at + 12] = log2(max(2 ** -20, S.data[i]!));
    }
    const more = j === 0 ? undefined : ahead[j - 1];
    if (more !== undefined && !ended) {
      const to = max(1, white - 16 * j - more);
      const { w, data } = levels[j + 1]?.M ?? { w: 0, data: new Float32Array() };
      const h = w === 0 ? 0 : data.length / (4 * w);
      const energy = (x: number, y: number): number => energyOf(data, 4 * (y * w + x), 1);
      const masking = w === 0 ? () => 0 : maskingOf(j, state.masking, [w, h], energy);
      const masked = (to: number, i: number): number =>
        maskedCode(to, masking(floor(i / 12) % grid.gw, floor(i / 12 / grid.gw)));
      const own = { ...state, scales: [], own: masked };
      try {
        group(
          own,
          grid,
          { ...step, level: j, to },
          [0, 0, grid.gw, grid.gh],
          0,
          out,
          new Float32Array(moves.length),
          moves,
        );
      } catch (error) {
        if (!(error instanceof Ended)) throw error;
        ended = true;
      }
    }
    for (let i = 0; coarser !== undefined && i < moves.length; i += 12) moves[i] = 2 * coarser[i / 12]!;
    if (coarser !== undefined && more === undefined) sloped(grid, moves, 12).forEach((value, i) => (moves[i] = value));
    coarser = unHaar(grid, moves).data.filter((_, i) => i % 3 === 0);
    told = moves.filter((_, i) => i % 3 === 0);
  }
  return { moves: told, ended };
}

function priorOf({ architecture, statistics }: IntegerModel, level: number): Float32Array {
  return statistics.prior.subarray(12 * min(level, architecture.conditioning.levels - 1));
}

/** Section 2: the coded size, and where in it a pixel is. */
function fold(width: number, height: number): [cw: number, ch: number, place: (x: number, y: number) => number] {
  const [short, long] = [min(width, height), max(width, height)];
  const strips = floor(sqrt(long / short) + 0.5);
  if (short > 8 || strips < 3) return [width, height, (x, y) => y * width + x];
  const length = ceil(long / strips);
  const at = (along: number, across: number): [number, number] => {
    const k = floor(along / length);
    const rest = along % length;
    return k % 2 === 0 ? [rest, k * short + across] : [length - 1 - rest, k * short + short - 1 - across];
  };
  if (width > height) return [length, strips * short, (x, y) => at(x, y)[1] * length + at(x, y)[0]];
  return [strips * short, length, (x, y) => at(y, x)[0] * strips * short + at(y, x)[1]];
}

/** Of section 12: what a message has in the place of a file's header. */
function messageHead(file: Uint8Array, told: readonly [number, number] | undefined): { start: number } & Head {
  const [shape, steps] = file as unknown as [number, number];
  const code = shape & 15;
  const tables = [
    [32, 32],
    [64, 64],
    [100, 100],
    [64, 48],
    [48, 64],
    [128, 96],
    [96, 128],
    [160, 120],
    [120, 160],
  ];
  let start = 3;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = file[start++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const [width, height] =
    code === 0
      ? told!
      : code === 1
        ? [file[start++]! + 1, file[start++]! + 1]
        : code === 2
          ? [number(), number()]
          : [...tables, [192, 128], [128, 192], [320, 240], [240, 320]][code - 3]!;
  return {
    start: start + [0, 1, 2, 4][(shape >> 4) & 3]!,
    width: width!,
    height: height!,
    kind: shape & 64 ? 1 : 3,
    coarseWidth: [3, 4, 6, 8][steps & 3]!,
    firstWidth: (steps >> 2) & 3,
    coarsestWidth: steps & 128 ? 16 : 8,
    coarseViews: 2 ** ((steps >> 4) & 3),
    trusted: (steps & 64) > 0,
  };
}

interface Head {
  width: number;
  height: number;
  kind: number;
  coarseWidth: number;
  firstWidth: number;
  coarsestWidth: number;
  coarseViews: number;
  trusted: boolean;
}

/**
 * Decodes a file or message that is not damaged, or a prefix of one.
 * @param told size of a message that does not say it
 * @returns the samples
 */
export async function secondDecode(
  file: Uint8Array,
  evaluator: Evaluator,
  told?: readonly [number, number],
): Promise<number[]> {
  if (file[0]! >= 128) return decodeAny(file, evaluator);
  const { start, ...head } = messageHead(file, told);
  // A file's first bytes, which only what a message has not is read of, then one segment without an end.
  return decodeAny(file.subarray(start), evaluator, head);
}

async function decodeAny(file: Uint8Array, evaluator: Evaluator, message?: Head): Promise<number[]> {
  const { model } = evaluator;
  let at = 10;
  const varint = (): number | undefined => {
    for (let value = 0, scale = 1; at < file.length; scale *= 128) {
      const byte = file[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    return undefined;
  };
  const first = message === undefined ? file[5]! : message.kind;
  const kind = first & 7;
  const range = 2 ** [8, 16, 4, 2, 1][(first >> 4) & 7]! - 1;
  const plain = first >= 128;
  at = plain ? 6 : 10;
  const [width, height] = message === undefined ? [varint()!, varint()!] : [message.width, message.height];
  const [cw, ch, place] = fold(width, height);
  const [coarse, widths, lastCode, flagged] =
    message === undefined
      ? (file.subarray(at, at + 4) as unknown as [number, number, number, number])
      : ([0, 4, 64, 16] as const);
  const coarseWidth = message?.coarseWidth ?? (coarse & 15) + 1;
  const nu = flagged & 31;
  const views = message === undefined ? 2 ** ((coarse >> 4) & 3) : 4;
  const coarseViews = message?.coarseViews ?? 2 ** (coarse >> 6);
  at += plain ? 4 : 8;
  const straight = !plain && flagged >= 128;
  // A straight schedule has five numbers here and what colours have more; else levels that are settled.
  const [firstCode, ...ahead] = Array.from(file.subarray(at - 4, at + 1)) as [number, ...number[]];
  const aheadOf = (level: number): number => ahead[min(level, 4) - 1]!;
  const codeAt = (level: number): number =>
    !straight ? TOP : level === 0 ? firstCode : max(48, firstCode - 16 * level - aheadOf(level));
  const seen = plain ? 0 : straight ? file[at + 2]! : (flagged & 64) > 0 ? file[at - 2]! : 0;
  const [strength, lastLevel] = [seen & 15, seen >> 4];
  const coloured = straight ? file[at + 1]! : 0;
  const chromaAt = (level: number): number => 2 * (level < 2 ? coloured & 15 : coloured >> 4);
  if (straight) at += 7;
  const isSettled = !plain && !straight && (flagged & 64) > 0;
  const settled = [firstCode & 15, firstCode >> 4, ahead[0]! & 15, ahead[0]! >> 4].map((n) =>
    n > 0 ? 4 * n - 4 : undefined,
  );
  if (isSettled) at += 3;
  const near = (flagged & 32) > 0 && !plain ? file[at++ - 4]! : 0;
  if (message !== undefined) at = 0;
  const scales: number[] = [];
  let lags: Uint8Array | undefined;
  let masking: (x: number, y: number) => number = () => 0;
  let N = -1;
  for (let parts = (first & 8) !== 0; parts && at < file.length;) {
    const type = file[at++]!;
    parts = type !== 0;
    if (!parts) continue;
    const length = varint() ?? file.length;
    if (type === 128 && at + 4 + length <= file.length)
      lags = decodePlane(file.subarray(at + 4, at + 4 + length), ceil(cw / 16), ceil(ch / 16)).map((lag) => 4 * lag);
    if (type === 129 && at + 4 + length <= file.length)
      N = file[at + 4]! + (length > 1 ? 128 * (file[at + 5]! - 1) : 0);
    at += length + 4;
  }
  const grey = kind <= 2;
  let alpha: number[] | undefined;
  if (kind % 2 === 0) {
    const length = varint();
    const end = length === undefined ? file.length : at + 4 + length;
    if (length !== undefined && end <= file.length) {
      at += 4;
      const high = range === 65535 ? varint()! : end - at;
      alpha = Array.from(decodePlane(file.subarray(at, at + high), width, height));
      if (range === 65535) {
        const low = decodePlane(file.subarray(at + high, end), width, height);
        alpha = alpha.map((high, i) => 256 * high + ((low[i]! + high) % 256));
      }
    }
    at = end;
  }

  const colours = grey ? 1 : 3;
  const depth = round(log2(range + 1));
  const withAlpha = (samples: number[]): number[] =>
    kind % 2 === 1
      ? samples
      : Array.from({ length: width * height }, (_, p) => [
          ...samples.slice(p * colours, (p + 1) * colours),
          alpha?.[p] ?? range,
        ]).flat();

  if (plain) {
    const bands: Uint8Array[] = [];
    while (at < file.length) {
      const length = varint()!;
      at += 6 + length;
      if (at <= file.length) bands.push(file.subarray(at - length, at));
    }
    return withAlpha(secondPlain(bands, { width, height, colours, depth }, max(0, N)));
  }
  const sizes = [{ w: cw, h: ch }];
  do sizes.push({ w: ceil(sizes.at(-1)!.w / 2), h: ceil(sizes.at(-1)!.h / 2) });
  while (max(sizes.at(-1)!.w, sizes.at(-1)!.h) > 8);
  const K = sizes.length - 1;
  const steps: { index: number; level: number; mode: Mode; from: number; to: number; part: number }[] = [
    { index: 0, level: K - 1, mode: 'root', from: TOP, to: codeAt(K - 1), part: 0 },
  ];
  const finest = min(lastLevel, K - 1);
  for (let level = K - 1; level >= finest; level--) {
    const to = codeAt(level);
    const from = straight && level < K - 1 ? codeAt(level + 1) + 16 : to;
    const isWhole = straight ? level === 0 && (flagged & 64) > 0 : level >= K - 2;
    for (const part of isWhole ? [0] : [1, 2])
      steps.push({ index: steps.length, level, mode: 'enter', from, to, part });
    if (straight && level > 0) continue;
    const end = level === finest ? lastCode : TOP - 16;
    const tail = level === 0 ? min(to, end + (widths >> 5)) : end;
    const coarser = message !== undefined && level >= K - 2 ? message.coarsestWidth : coarseWidth;
    for (let c = to, next = 0; c > end; c = next) {
      const usual = level === 0 ? widths & 15 || 16 : coarser;
      const isFirst = message !== undefined && level < K - 2 && c === to && message.firstWidth > 0;
      next = c <= tail ? end : max(tail, c - (isFirst ? message.firstWidth : usual));
      steps.push({ index: steps.length, level, mode: 'refine', from: c, to: next, part: 0 });
    }
  }

  if (isSettled)
    steps.push({ index: steps.length, level: finest, mode: 'settle', from: lastCode, to: lastCode, part: 0 });

  let grid = blank(sizes[K - 1]!.w, sizes[K - 1]!.h, grey);
  const lagIn =
    (g: Grid, level: number, mode: Mode) =>
    (i: number): number =>
      lags === undefined || level > (straight ? 3 : 0) || mode === 'root' || (mode !== 'refine' && !straight)
        ? 0
        : lags[
            floor((2 ** level * floor(i / 12 / g.gw)) / 8) * ceil(cw / 16) +
              floor((2 ** level * (floor(i / 12) % g.gw)) / 8)
          ]!;
  const ownIn =
    (g: Grid, level: number, mode: Mode) =>
    (to: number, i: number): number => {
      const more = masking(floor(i / 12) % g.gw, floor(i / 12 / g.gw));
      const code = maskedCode(to, i % 3 > 0 ? chromaAt(level) : more);
      return max(code, min(240, code + lagIn(g, level, mode)(i)));
    };
  const shower = evaluator.shower ?? evaluator;
  const evaluate = async (
    g: Grid,
    level: number,
    code: number,
    mode: 'enter' | 'refine',
    by: Evaluator,
  ): Promise<Float32Array> => {
    const lag = mode === 'refine' && by === evaluator ? lagIn(g, level, mode) : (): number => 0;
    const own = (i: number): number => max(code, min(TOP, code + lag(i)));
    const merged = new Float32Array(2 * g.z.length);
    const network = (by === evaluator && level > 0 && mode === 'enter' ? evaluator.coarse : undefined) ?? by;
    for (const each of new Set(Array.from(g.z.keys(), own))) {
      const out = await network.evaluate(g.z, g.codes, g.gw, g.gh, { level, sigma: each, mode });
      out.forEach((value, q) => {
        if (own(floor(q / 24) * 12) === each) merged[q] = value;
      });
    }
    return merged;
  };
  const viewed = async (
    g: Grid,
    level: number,
    code: number,
    mode: 'enter' | 'refine',
    most: number,
    by = evaluator,
  ): Promise<Float32Array> => {
    const { gw, gh } = g;
    const told = by === evaluator && (evaluator.model.architecture.conditioning.sigma ?? true);
    const n = (level === 0 && lags !== undefined && told) || sizes[level]!.w * sizes[level]!.h > 2 ** 23 ? 1 : most;
    const mean = new Float32Array(gw * gh * 24);
    for (const [across, down] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ].slice(0, n) as [boolean, boolean][]) {
      const at = (i: number): number =>
        (down ? gh - 1 - floor(i / gw) : floor(i / gw)) * gw + (across ? gw - 1 - (i % gw) : i % gw);
      const sign = (c: number): number => (across && floor(c / 3) % 2 === 1 ? -1 : 1) * (down && c >= 6 ? -1 : 1);
      const z = g.z.map((_, i) => sign(i % 12) * g.z[at(floor(i / 12)) * 12 + (i % 12)]!);
      const codes = g.codes.map((_, i) => g.codes[at(floor(i / 12)) * 12 + (i % 12)]!);
      const out = await evaluate({ ...g, z, codes }, level, code, mode, by);
      mean.forEach(
        (sum, i) => (mean[i] = sum + (i % 24 < 12 ? sign(i % 24) : 1) * out[at(floor(i / 24)) * 24 + (i % 24)]!),
      );
    }
    return mean.map((sum) => sum / n);
  };
  const posterior = (g: Grid, out: Float32Array, level: number, by = model): Float32Array =>
    g.z.map((z, i) => {
      const [cs, co] = wiener(g.codes[i]!, priorOf(by, level)[i % 12]!);
      return (g.codes[i] === 255 ? 0 : cs * z) + co * out[2 * i - (i % 12)]!;
    });
  const variancesOf = (g: Grid, out: Float32Array, by = model, level = 0): Float32Array =>
    g.z.map((_, i) => {
      const [, co] = wiener(g.codes[i]!, priorOf(by, level)[i % 12]!);
      return co * co * exp2(out[2 * i - (i % 12) + 12]!);
    });
  /** Of brightness of the level that is settled, four bands by position. */
  let moves: Float32Array | undefined;
  const moved = (mean: Float32Array): Float32Array =>
    moves === undefined ? mean : mean.map((value, i) => (i % 3 === 0 ? value + moves![i / 3]! : value));
  let condition: { level: number; code: number; mode: 'enter' | 'refine' } | undefined;
  // Section 10: what level 0 is shown by where a coarser one is the last that is known; also LL that it keeps.
  const lead = async (): Promise<Float32Array | undefined> => {
    let { level, code, mode } = condition!;
    let ll: Float32Array | undefined;
    const picture = (mean: Float32Array): Float32Array => unHaar(grid, mean).data.map((x) => 2 * x);
    const kept = (mean: Float32Array): Float32Array => (ll === undefined ? mean : keeping(grid, mean, ll));
    if (level > 0 && (moves !== undefined || (mode === 'refine' && code <= 162))) {
      if (moves !== undefined)
        ll = picture(moved(posterior(grid, await viewed(grid, level, code, mode, views), level)));
      level--;
      grid = finer(grid, sizes[level]!.w, sizes[level]!.h, grey);
      [code, mode] = [min(176, code + 16), 'enter'];
    }
    for (; level > 0; mode = 'enter') {
      const out = await viewed(grid, level, code, mode, views);
      const u = picture(kept(posterior(grid, out, level)));
      let [sum, n] = [0, 0];
      for (let i = 0; i < grid.z.length; i++) {
        if ((i & 255) >= 12 || grid.codes[i] === 0) continue;
        const [, co] = wiener(grid.codes[i]!, priorOf(model, level)[i % 12]!);
        sum += co * co * exp2(out[2 * i - (i % 12) + 12]!);
        n++;
      }
      level--;
      const [least, less] = straight ? [64, 24] : message?.trusted === true ? [128, 24] : [152, 0];
      code = min(176, max(least, codeOf(2 * sqrt(max(1e-6, n === 0 ? 0 : sum / n))) - less));
      const fine = blank(sizes[level]!.w, sizes[level]!.h, grey);
      for (let i = 0; i < fine.z.length; i++) {
        if (i % 12 >= 3 || fine.codes[i] === 0) continue;
        fine.z[i] = u[floor(i / 12) * 3 + (i % 12)]!;
        fine.codes[i] = code;
      }
      grid = fine;
      if (moves !== undefined) ll = u;
    }
    condition = { level, code, mode };
    return ll;
  };
  let whole = true;
  let shown: Plane = { w: cw, h: ch, data: new Float32Array(cw * ch * 3) };
  let unfinished: Float32Array | undefined;
  let next = 0;
  let g = 0;
  let out: Float32Array | undefined;
  let correlation = (_x: number, _y: number): number[] => [0, 0, 0];
  const bands: Uint8Array[] = [];
  while (at < file.length && whole) {
    const head = message === undefined ? 6 : 0;
    const length = message === undefined ? varint() : file.length;
    if (length === undefined || at + head > file.length) break;
    if (next === steps.length) {
      at += head + length;
      if (at <= file.length) bands.push(file.subarray(at - length, at));
      continue;
    }
    const count = message === undefined ? file[at]! : steps.length;
    const bits = new Bits(file.subarray(at + head, at + head + length));
    at += head + length;
    for (let k = 0; k < count && whole && (message === undefined || bits.left > 0); k++) {
      const step = steps[next]!;
      const mode = step.mode === 'refine' || step.mode === 'settle' ? 'refine' : 'enter';
      const code = straight && step.mode === 'enter' ? step.to : step.from;
      if (g === 0) {
        if (step.mode === 'enter' && step.part !== 2 && step.level < K - 1) {
          const { gw, gh, z } = grid;
          const coarse = grid;
          const lag = lagIn(coarse, step.level + 1, 'enter');
          const energy = (x: number, y: number): number => {
            const i = 12 * (y * gw + x);
            if (lag(i) === 0) return energyOf(z, i, 3);
            const codes = [3, 6, 9].map((c) => coarse.codes[i + c]!).filter((code) => code !== 255);
            const noise = codes.map((code) => sigma(code) ** 2).reduce((a, b) => a + 1.5 * b, 0);
            return max(0, energyOf(z, i, 3) - noise);
          };
          masking = maskingOf(step.level, straight ? strength : 0, [gw, gh], energy);
          grid = finer(grid, sizes[step.level]!.w, sizes[step.level]!.h, grey);
        }
        if (step.mode === 'enter' && step.part !== 2) correlation = correlationOf({ ...grid, z: grid.z.slice() });
        if (step.mode === 'settle') moves = new Float32Array(grid.gw * grid.gh * 4);
        condition = { level: step.level, code, mode };
        out =
          step.mode === 'root'
            ? undefined
            : await viewed(
                grid,
                step.level,
                code,
                mode,
                step.mode === 'settle' ? views : step.level > 0 ? coarseViews : 1,
              );
      }
      const [columns, rows] = [ceil(grid.gw / 384), ceil(grid.gh / 384)];
      const last = g === columns * rows - 1;
      const means = new Float32Array(grid.z.length).fill(NaN);
      let ended = false;
      try {
        const [c, r] = [g % columns, floor(g / columns)];
        const area = [
          floor((c * grid.gw) / columns),
          floor((r * grid.gh) / rows),
          floor(((c + 1) * grid.gw) / columns),
          floor(((r + 1) * grid.gh) / rows),
        ];
        if (step.mode === 'enter' && step.part !== 2 && g === 0) scales.fill(0);
        const own = {
          model,
          nu,
          bits,
          scales,
          straight,
          masking: strength,
          own: ownIn(grid, step.level, step.mode),
          message: message !== undefined,
          correlation,
        };
        if (step.mode === 'settle') {
          const [x0, y0, x1, y1] = area as [number, number, number, number];
          const brightness = (_: number, i: number): boolean => {
            const [x, y] = [floor(i / 12) % grid.gw, floor(i / 12 / grid.gw)];
            return i % 3 === 0 && x >= x0 && x < x1 && y >= y0 && y < y1;
          };
          const m = posterior(grid, out!, step.level).filter(brightness);
          const v = variancesOf(grid, out!, model, step.level).filter(brightness);
          const { w, h } = sizes[step.level]!;
          const size = { w: min(2 * x1, w) - 2 * x0, h: min(2 * y1, h) - 2 * y0 };
          const told = settle(own, step, size, { m, v }, settled, lastCode + 16 * lastLevel, min(4, K - 1));
          told.moves.forEach((d, i) => {
            const p = floor(i / 4);
            moves![((y0 + floor(p / (x1 - x0))) * grid.gw + x0 + (p % (x1 - x0))) * 4 + (i % 4)] = d;
          });
          if (told.ended) throw new Ended();
        } else group(own, grid, step, area, g, out, means);
      } catch (error) {
        if (!(error instanceof Ended)) throw error;
        ended = true;
        if (step.level === 0 && step.mode !== 'settle' && out !== undefined && columns * rows === 1) {
          unfinished = posterior(grid, out, 0).map((value, i) => (Number.isNaN(means[i]!) ? value : means[i]!));
        }
      }
      const cut = ended && (columns * rows === 1 || !last);
      if (cut) whole = false;
      if (last && !cut && step.mode !== 'root' && step.mode !== 'settle' && step.part !== 1)
        condition = { level: step.level, code: step.to, mode: 'refine' };
      g = last ? 0 : g + 1;
      if (last) next++;
      if (ended) at = file.length;
      if (ended) break;
    }
  }
  const isExact = N >= 0 && next === steps.length && whole;
  let variances: Float32Array = new Float32Array(12 * ceil(cw / 2) * ceil(ch / 2));
  if (condition !== undefined) {
    const isSettledHere = moves !== undefined && condition.level === 0;
    const ll = await lead();
    const by = isSettledHere ? evaluator : shower;
    const way = by === evaluator ? condition.mode : (widths & 16) > 0 && !isExact ? 'enter' : 'refine';
    const out = await viewed(grid, 0, condition.code, way, views, by);
    let mean = posterior(grid, out, 0, by.model);
    if (isSettledHere) mean = moved(mean);
    if (ll !== undefined) mean = keeping(grid, mean, ll);
    shown = unHaar(grid, unfinished === undefined ? mean : mean.map((value, i) => (3 * value + unfinished![i]!) / 4));
    variances = variancesOf(grid, out, by.model);
  }

  const sample = (value: number): number =>
    near & 15 && value >= 254.5 - (near & 15)
      ? range
      : near > 15 && value < (near >> 4) + 0.5
        ? 0
        : min(range, max(0, floor(value * (range / 255) + 0.5)));
  const values: number[] = [];
  for (let i = 0; i < width * height; i++) {
    const at = 3 * place(i % width, floor(i / width));
    const l = shown.data[at]! * (1 / sqrt(3)) + 127.5;
    const p = shown.data[at + 1]! * (1 / sqrt(2));
    const q = shown.data[at + 2]! * (1 / sqrt(6));
    values.push(...(grey ? [l] : [l + p + q, l - p + q, l - 2 * q]));
  }
  const samples = isExact
    ? secondPlain(bands, { width, height, colours, depth }, N, lossyPicture(values, variances, grey, sample))
    : values.map(sample);
  return withAlpha(samples);
}
