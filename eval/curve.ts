/** Rate-distortion curves: points of rate and quality, and what lies between them. */
import { DcompError } from '../src/errors.js';
import { checkList, checkObject, checkValues, isNumber, type Checks } from '../src/options.js';
import { pchip, type Interpolant } from './pchip.js';

/** One point of a curve: bits per pixel, and a quality (dB, points) of which more is better. */
export interface CurvePoint {
  rate: number;
  quality: number;
}

const NUMBER = isNumber('a number', (value) => !Number.isNaN(value));
const POINT_CHECKS: Checks<CurvePoint> = { rate: NUMBER, quality: NUMBER };

/** @throws DcompError E_USAGE */
function checkPoints(points: unknown): asserts points is readonly CurvePoint[] {
  checkList(points, 'the points of a curve');
  for (const point of points) {
    checkObject(point, 'a point of a curve', 'an object such as { rate: 0.5, quality: 31 }');
    const { rate, quality } = checkValues<Partial<CurvePoint>>({ ...point }, POINT_CHECKS);
    if (rate === undefined || quality === undefined)
      throw new DcompError('E_USAGE', 'a point of a curve needs rate and quality');
  }
}

/** The points by rising rate, without those that cost more and are no better than one before. @throws DcompError E_USAGE */
export function rising(points: readonly CurvePoint[]): CurvePoint[] {
  checkPoints(points);
  const curve: CurvePoint[] = [];
  for (const point of [...points].sort((a, b) => a.rate - b.rate || b.quality - a.quality)) {
    const last = curve[curve.length - 1];
    if (
      Number.isFinite(point.quality) &&
      (last === undefined || (point.quality > last.quality && point.rate > last.rate))
    )
      curve.push(point);
  }
  return curve;
}

/** A file that should have so many bits has up to one percent less: how far beyond its ends a curve is still known. */
const SLACK = 0.012;

/** Quality at a rate, by PCHIP over the logarithm of the rate. undefined outside of the curve. */
export function qualityAt(points: readonly CurvePoint[], rate: number): number | undefined {
  const curve = rising(points);
  if (curve.length === 0) return undefined;
  const [first, last] = [curve[0]!, curve[curve.length - 1]!];
  if (rate <= first.rate) return rate >= first.rate * (1 - SLACK) ? first.quality : undefined;
  if (rate < last.rate) return interpolant(curve).at(Math.log(rate));
  // A larger file that was no better is a point of the curve all the same.
  const isReached = rate <= last.rate * (1 + SLACK) || points.some((point) => point.rate >= rate);
  return isReached ? last.quality : undefined;
}

/** Rate at a quality: the inverse of `qualityAt`. undefined outside of the curve. */
export function rateAt(points: readonly CurvePoint[], quality: number): number | undefined {
  const curve = rising(points);
  if (curve.length === 0 || quality < curve[0]!.quality || quality > curve[curve.length - 1]!.quality) return undefined;
  const exact = curve.find((point) => point.quality === quality);
  if (exact !== undefined) return exact.rate;
  const { at } = interpolant(curve);
  // The interpolant rises between its points, so halving finds the only place.
  const upper = curve.findIndex((point) => point.quality > quality);
  let [low, high] = [Math.log(curve[upper - 1]!.rate), Math.log(curve[upper]!.rate)];
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (at(middle)! < quality) low = middle;
    else high = middle;
  }
  return Math.exp((low + high) / 2);
}

/** Over the logarithm of the rate. @param curve at least two points, rising */
function interpolant(curve: readonly CurvePoint[]): Interpolant {
  return pchip(
    curve.map((p) => Math.log(p.rate)),
    curve.map((p) => p.quality),
  );
}

/** The part of a curve between two rates, with its ends interpolated where the curve goes beyond them. */
export function between(points: readonly CurvePoint[], low: number, high: number): CurvePoint[] {
  const inside = points.filter((p) => p.rate > low && p.rate < high);
  for (const rate of [low, high]) {
    const quality = qualityAt(points, rate);
    if (quality !== undefined) inside.push({ rate, quality });
  }
  return rising(inside);
}
