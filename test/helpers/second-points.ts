/** Points of the second decoder: of section 5 of docs/format.md, and what they share with runs of signs. */
import { exp2 } from '../../src/math/exact.js';

const { ceil, floor, min, sqrt } = Math;

function mix(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
export const hash = (key: number, index: number): number => mix(Math.imul(index, 0x9e3779b1) ^ mix(key));
export const odd = (x: number): number => x.toString(2).replaceAll('0', '').length % 2;

const EVEN = [0x66, 0x9e, 0x1ee, 0x2ce, 0x5d6, 0x33e, 0x5fc];
const SECOND = [0x58, 0xc0, 0xd1, 0x3e6, 0x2b8, 0x318, 0x1c18];
const ERROR = [0.24506, 0.24355, 0.24232, 0.24149, 0.24059, 0.24003, 0.2394];

/** Gap of a coefficient that is measured with precision 1. */
export const gapOf = (nu: number): number => 1 / sqrt(ERROR[nu - 8]!);

interface Table {
  low: number;
  reach: number;
  /** Where symbols begin, and the end of the last one. */
  begins: number[];
}
const tables = new Map<number, Table>();

function tableOf(spread: number, phase: number): Table {
  const known = tables.get(32 * spread + phase);
  if (known !== undefined) return known;
  const rho = exp2(spread / 8);
  let [width, unit, low] = [sqrt((1 + rho) * 0.06), 1, 0];
  for (; width >= 8; low++) [width, unit] = [width / 2, unit / 2];
  const reach = ceil(7 * width) + 1;
  const first = -reach + ((1 / unit - 1) / 2 + (phase + 0.5) / 32) * unit;
  const n = 2 * reach + 1;
  const weights = new Float64Array(n);
  for (const [share, variance] of [
    [0.336, 0.309],
    [0.623, 1.168],
    [0.041, 3.91],
  ] as const) {
    const own = (1 + rho * variance) * 0.06 * unit * unit;
    const scale = -0.7213475204444817 / own;
    let value = (share / sqrt(own)) * exp2(scale * first * first);
    let factor = exp2(scale * (2 * first + 1));
    for (let i = 0; i < n - 1; i++) {
      weights[i]! += value;
      value *= factor;
      factor *= exp2(2 * scale);
    }
  }
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  let before = 0;
  const begins = Array.from(weights, (weight, i) => {
    const begin = i + floor(min(1, before / all) * (2 ** 14 - n));
    before += weight;
    return begin;
  });
  const table = { low, reach, begins: [...begins, 2 ** 14] };
  tables.set(32 * spread + phase, table);
  return table;
}

/**
 * A run of points.
 * @param bits of which it takes its own @returns places of coefficients, fewer than spreads where the data ended
 */
export function points(
  bits: { at: number; readonly left: number; bit(at?: number): number },
  spreads: readonly number[],
  nu: number,
  key: number,
): number[] {
  const { at: start, left } = bits;
  let [range, offset, taken, ended] = [2 ** 31, 0, 0, false];
  const take = (): void => void ((offset = 2 * offset + (taken < left ? bits.bit(start + taken) : 0)), taken++);
  while (taken < 31) take();
  /** @param begins where symbols of 2^n quanta begin, as far as they are more than one quantum */
  const symbol = (n: number, begins?: readonly number[]): number => {
    const step = floor(range / 2 ** n);
    const quantum = min(2 ** n - 1, floor(offset / step));
    const x = begins === undefined ? quantum : begins.findIndex((begin) => begin > quantum) - 1;
    const [from, to] = begins === undefined ? [x, x + 1] : [begins[x]!, begins[x + 1]!];
    ended ||= taken > left && offset + 2 ** (taken - left) > to * step;
    if (ended) return 0;
    offset -= from * step;
    for (range = (to - from) * step; range < 2 ** 30; range *= 2) take();
    return x;
  };
  const digits = (count: number): number =>
    count === 0 ? 0 : count <= 12 ? symbol(count) : 2 ** 12 * symbol(count - 12) + symbol(12);

  const places: number[] = [];
  let s = 0;
  for (const [j, spread] of spreads.entries()) {
    const u = hash(key, j) >>> 26;
    const q = s % 2 ** (nu - 1);
    const e = odd(q & EVEN[nu - 8]!);
    const { low, reach, begins } = tableOf(spread, (16 * e + u) % 32);
    const x = symbol(14, begins);
    let bin = x - reach;
    if (x === 2 * reach) {
      const count = digits(5);
      ended ||= count > 24;
      const f = 2 ** count + digits(count);
      bin = f % 2 === 1 ? reach + (f - 1) / 2 : -1 - reach - (f - 2) / 2;
    }
    const k = bin * 2 ** low + digits(low) - floor((16 * e + u) / 32);
    if (ended) break;
    places.push(2 * k + e + (u + 0.5) / 16);
    s = 2 * q + ((k & 1) ^ odd(q & SECOND[nu - 8]!) ^ (s >>> (nu - 1)));
  }
  bits.at += ended ? left : min(left, taken - 31 + 2);
  return places;
}
