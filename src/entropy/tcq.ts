/**
 * Trellis-coded quantisation with a dither, entropy-coded: sends a sample of a noisy observation y = x + n of coefficients
 * that have half a bit to tell and more, for about 0.02 bits each above the information that y carries. (Trellis-coded
 * quantisation: Marcellin & Fischer 1990; entropy-coded: Fischer & Wang 1992; that a dither makes the error of a quantiser
 * noise which does not depend on x: Ziv 1985, Zamir & Feder 1992.)
 *
 * Points lie `gap` apart and are numbered by whole m; the dither u moves them all, so y = mu + (m + u) · gap. Of every
 * state of a shift register of nu bits those of one parity are to be had; which of them is sent, as a symbol, brings the
 * next state. So a point costs as if they were 2 · gap apart, while among all paths there is one that errs as little as
 * scalar quantisation with a gap of 1.41 · `gap` would. The encoder searches it (tcq-encoder.ts); the decoder looks up.
 *
 * From state s = q + t·2^(nu−1) bit b leads to state 2·q + b, with
 *   parity of m: parity(q & even),   second bit of m: parity(q & second) + t + b
 */
import { exp2, HALF_LOG2_E } from '../math/exact.js';
import { mix32 } from '../math/hash.js';
import { DcompError } from '../errors.js';
import type { Pieces } from '../turns.js';
import { ArithmeticDecoder } from './arithmetic-coder.js';
import type { BitReader } from './bits.js';
import { quantise } from './rans.js';

/** Smallest and largest number of state bits. */
export const MIN_TCQ_NU = 8;
export const MAX_TCQ_NU = 14;

/**
 * By nu: the two masks, and the mean squared error of the search over the square of a gap. The masks are the best of 300
 * (nu 8) to 12 (nu 14) draws; ideal is 0.2342, a scalar quantiser has 0.3333.
 */
const CODES: readonly { even: number; second: number; error: number }[] = [
  { even: 0x66, second: 0x58, error: 0.24506 },
  { even: 0x9e, second: 0xc0, error: 0.24355 },
  { even: 0x1ee, second: 0xd1, error: 0.24232 },
  { even: 0x2ce, second: 0x3e6, error: 0.24149 },
  { even: 0x5d6, second: 0x2b8, error: 0.24059 },
  { even: 0x33e, second: 0x318, error: 0.24003 },
  { even: 0x5fc, second: 0x1c18, error: 0.2394 },
];

/**
 * log2 of the states for the points of a step, from that for its signs: a point takes two bits on the mean, in place of a
 * part of one, and a quantiser's states beyond 2^13 bring nothing to speak of.
 */
export function pointNu(nu: number): number {
  return Math.max(MIN_TCQ_NU, Math.min(MAX_TCQ_NU, nu - 2));
}

/** Distance of neighbouring points, in standard deviations of the noise. @param nu 8..14 */
export function gapOf(nu: number): number {
  return 1 / Math.sqrt(CODES[nu - MIN_TCQ_NU]!.error);
}

/** What both sides know of the coefficients to be sent. */
export interface PointRun {
  /** Per coefficient in coding order: log2 of its variance over the noise's, in eighths, 0..MAX_SPREAD. */
  spreads: Uint16Array;
  /** 32 bits that choose the dither. */
  key: number;
}

/** Spread is in steps of so many to an octave of variance. */
export const SPREAD_STEPS = 8;
export const MAX_SPREAD = 60 * SPREAD_STEPS;

/** Dithers that there are in a gap: (i + ½) / DITHERS, i from a hash. They reach over four gaps, after which labels repeat. */
const DITHERS = 16;
/** Quanta are 2^-QUANTA. */
export const QUANTA = 14;
/** A symbol stands for as many points as make its distribution no wider than so many symbols. */
const WIDEST = 8;
/** Symbols reach so many standard deviations; what is beyond takes an escape, and so many binary digits at most. */
const REACH = 7;
const MAX_DIGITS = 24;

/**
 * Errors of a network have heavier tails than its variances say: a mixture of normal distributions, by share and variance,
 * as fitted to files of `small` (five middles of photographs at qualities 30, 50, 70; 0.013 bits a coefficient).
 */
const MIXTURE = [
  { share: 0.336, variance: 0.309 },
  { share: 0.623, variance: 1.168 },
  { share: 0.041, variance: 3.91 },
] as const;
/** Variance of the noise beside the square of two gaps. */
const NOISE = 0.06;

/** How the points of a coefficient are coded. */
export interface PointModel {
  /** A symbol stands for 2^low points. */
  low: number;
  /** The first symbol stands for the points from −reach · 2^low on, in pairs of gaps; behind the last comes the escape. */
  reach: number;
  /** See `quantise`. */
  cumulative: Uint32Array;
}

/** Those that were asked for; all of them together take some 10 MB. */
const models = new Array<PointModel | undefined>((MAX_SPREAD + 1) * 2 * DITHERS);

/** @param phase of the first point that is not below the mean: (phase + ½) / (2 · DITHERS) of two gaps */
export function pointModel(spread: number, phase: number): PointModel {
  const at = spread * 2 * DITHERS + phase;
  return (models[at] ??= makeModel(spread, (phase + 0.5) / (2 * DITHERS)));
}

function makeModel(spread: number, phase: number): PointModel {
  const rho = exp2(spread / SPREAD_STEPS);
  // All in symbols from here on.
  let unit = 1;
  let low = 0;
  let width = Math.sqrt((1 + rho) * NOISE);
  while (width >= WIDEST) {
    width /= 2;
    unit /= 2;
    low++;
  }
  const reach = Math.ceil(REACH * width) + 1;
  const weights = new Float64Array(2 * reach + 1);
  const first = -reach + ((1 / unit - 1) / 2 + phase) * unit;
  for (const { share, variance } of MIXTURE) {
    const own = (1 + rho * variance) * NOISE * unit * unit;
    // exp(−x²/(2·own)) at first, first + 1, …: each is the one before times a factor, which changes by a factor.
    const scale = -HALF_LOG2_E / own;
    let value = (share / Math.sqrt(own)) * exp2(scale * first * first);
    let factor = exp2(scale * (2 * first + 1));
    const change = exp2(2 * scale);
    for (let i = 0; i < 2 * reach; i++) {
      weights[i]! += value;
      value *= factor;
      factor *= change;
    }
  }
  return { low, reach, cumulative: quantise(weights, QUANTA) };
}

/** Parities by state, for both masks: even | second << 1. */
const labelTables = new Map<number, Uint8Array>();

/** For q 0..2^(nu−1) − 1: the parity of m, and twice its second bit where t and b are equal. @throws DcompError E_USAGE if nu isn't 8..14 */
export function pointLabels(nu: number): Uint8Array {
  const code = CODES[nu - MIN_TCQ_NU];
  if (code === undefined)
    throw new DcompError('E_USAGE', `the quantiser has ${nu} state bits; it can have ${MIN_TCQ_NU} to ${MAX_TCQ_NU}`);
  let table = labelTables.get(nu);
  if (table === undefined) {
    table = Uint8Array.from(
      { length: 1 << (nu - 1) },
      (_, q) => parity(q & code.even) | (parity(q & code.second) << 1),
    );
    labelTables.set(nu, table);
  }
  return table;
}

function parity(x: number): number {
  let bit = 0;
  for (let rest = x; rest !== 0; rest &= rest - 1) bit ^= 1;
  return bit;
}

/** Which of the dithers coefficient j has, 0..63. @param mixedKey mix32 of the run's key */
export function ditherAt(mixedKey: number, j: number): number {
  return mix32(Math.imul(j, 0x9e3779b1) ^ mixedKey) >>> 26;
}

/** The dither itself, in gaps. */
export function dither(index: number): number {
  return (index + 0.5) / DITHERS;
}

/** Phase for a parity of m. */
export function phaseOf(even: number, dither: number): number {
  return (even * DITHERS + dither) % (2 * DITHERS);
}

/** By how many pairs of gaps the dither moves the points of a parity beyond that. */
export function pairsOf(even: number, dither: number): number {
  return Math.floor((even * DITHERS + dither) / (2 * DITHERS));
}

/** What passes symbols through: the encoder gives them, the decoder finds them; undefined where the data has ended. */
export interface SymbolCoder {
  symbol(cumulative: Uint32Array, symbol: number): number | undefined;
  /** @param count of binary digits, at most 14 */
  digits(value: number, count: number): number | undefined;
}

/** Codes one of the points of a parity, by its number k. @returns k; undefined where the data has ended */
export function codePoint(coder: SymbolCoder, { low, reach, cumulative }: PointModel, k: number): number | undefined {
  const bin = Math.floor(k / 2 ** low);
  const inside = bin >= -reach && bin < reach;
  const symbol = coder.symbol(cumulative, inside ? bin + reach : 2 * reach);
  if (symbol === undefined) return undefined;
  const found = symbol < 2 * reach ? symbol - reach : codeBeyond(coder, reach, bin);
  if (low === 0 || found === undefined) return found;
  const rest = codeDigits(coder, k - bin * 2 ** low, low);
  return rest === undefined ? undefined : found * 2 ** low + rest;
}

/** Far above and far below in turn, by the number of binary digits. */
function codeBeyond(coder: SymbolCoder, reach: number, bin: number): number | undefined {
  const far = bin < 0 ? 2 * (-1 - reach - bin) + 2 : 2 * (bin - reach) + 1;
  const count = coder.digits(31 - Math.clz32(Math.max(1, far)), 5);
  if (count === undefined || count > MAX_DIGITS) return undefined;
  const rest = codeDigits(coder, far - 2 ** count, count);
  if (rest === undefined) return undefined;
  const value = 2 ** count + rest;
  return value % 2 === 1 ? reach + (value - 1) / 2 : -1 - reach - (value - 2) / 2;
}

function codeDigits(coder: SymbolCoder, value: number, count: number): number | undefined {
  if (count === 0) return 0;
  if (count <= 12) return coder.digits(value, count);
  const upper = coder.digits(Math.floor(value / 4096), count - 12);
  const lower = upper === undefined ? undefined : coder.digits(value % 4096, 12);
  return lower === undefined ? undefined : upper! * 4096 + lower;
}

/** Points that are coded in a piece: of each the model may have to be made. */
export const POINT_PIECE = 2 ** 10;

export interface DecodedPoints {
  /** (m + u) of each coefficient covered: by how many gaps y is above the mean. */
  places: Float64Array;
  /** Coefficients that were there: the first so many of the run. */
  covered: number;
}

/**
 * Reads a run. If the data ends inside it, the coefficients before are decoded.
 * @param nu log2 of the number of states, 8..14, as in the encoder
 */
export function* decodePoints({ spreads, key }: PointRun, reader: BitReader, nu: number): Pieces<DecodedPoints> {
  const labels = pointLabels(nu);
  const mask = labels.length - 1;
  const mixedKey = mix32(key);
  const n = spreads.length;
  const places = new Float64Array(n);
  const decoder = new ArithmeticDecoder(reader);
  const coder: SymbolCoder = {
    symbol: (cumulative) => decoder.decode(cumulative, QUANTA),
    digits: (_, count) => decoder.digits(count),
  };
  let j = 0;
  for (let state = 0; j < n; j++) {
    if (j % POINT_PIECE === POINT_PIECE - 1) yield;
    const label = labels[state & mask]!;
    const even = label & 1;
    const u = ditherAt(mixedKey, j);
    const number = codePoint(coder, pointModel(spreads[j]!, phaseOf(even, u)), 0);
    if (number === undefined) break;
    const k = number - pairsOf(even, u);
    places[j] = 2 * k + even + dither(u);
    const bit = (k & 1) ^ (label >> 1) ^ (state >>> (nu - 1));
    state = ((state & mask) << 1) | bit;
  }
  decoder.finish();
  return { places, covered: j };
}
