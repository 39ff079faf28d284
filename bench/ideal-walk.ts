/**
 * The codec's path through coarse levels by an ideal Gaussian channel: what a measurement costs is the KL of the network's
 * posterior, and nothing is said of trellis, headers and gains.
 */
import { denoise } from '../src/diffusion/denoise.js';
import { blankObservation, finerObservation, halfOf, type Observation } from '../src/diffusion/observation.js';
import { COEFFICIENTS } from '../src/model/architecture.js';
import type { Evaluator } from '../src/model/evaluator.js';
import type { Mode } from '../src/model/inputs.js';
import { isStraight } from '../src/model/integer/integer-model.js';
import { CODES_PER_OCTAVE, EXACT, sigmaOf, TOP_CODE, UNKNOWN } from '../src/model/sigma.js';
import { priorOf } from '../src/model/weights.js';
import type { Size } from '../src/math/rectangle.js';
import { normalAt } from '../src/math/normal.js';

/** Width of a refining step in sigma codes. */
const WIDTH = 2;
/** Of the coarsest levels so many are entered in one step. */
const ENTERED_WHOLE = 2;

/** A picture's coefficients at a level. */
export type Truth = (level: number) => Float32Array;

/** A point of the path: bits so far, and squared error of the posterior mean, a coefficient. */
export interface Point {
  bits: number;
  square: number;
}

const isDetail = (i: number): boolean => i % COEFFICIENTS >= 3;

/** KL in bits of a measurement of precision delta, where x is foreseen with a variance and missed by an error. */
function cost(delta: number, variance: number, error: number): number {
  const expected = 1 + delta * variance;
  return 0.5 * (Math.log2(expected) + ((1 + delta * error * error) / expected - 1) * Math.LOG2E);
}

/** What is known of one level, as measurements go on. */
export class IdealLevel {
  /** Bits of the measurements at it. */
  bits = 0;
  private draws = 0;

  constructor(
    private readonly evaluator: Evaluator,
    readonly level: number,
    readonly observation: Observation,
    private readonly x: Float32Array,
  ) {}

  /** Measures coefficients with as much noise as to have sigma code `to` afterwards, those of which less is known. */
  async measure(mode: Mode, code: number, to: number, wanted: (i: number) => boolean): Promise<void> {
    const { evaluator, level, observation } = this;
    const { mean, variance } = await denoise(evaluator, observation, { level, sigma: code, mode });
    this.take(to, wanted, mean, variance);
  }

  /** LL of the coarsest level, against its prior. */
  measureRoot(to: number): void {
    const { architecture, statistics } = this.evaluator.model;
    const prior = priorOf(architecture, statistics, this.level);
    const variance = this.x.map((_, i) => prior[i % COEFFICIENTS]! ** 2);
    this.take(to, (i) => !isDetail(i), new Float32Array(variance.length), variance);
  }

  /** The details, in two halves or at once. @param code what the network is told */
  async enter(code: number, to: number, whole: boolean): Promise<void> {
    const { width } = this.observation;
    if (whole) return this.measure('enter', code, to, isDetail);
    for (const half of [0, 1]) await this.measure('enter', code, to, (i) => isDetail(i) && halfOf(i, width) === half);
  }

  /** Of all, from the noise of one sigma code to that of another, in narrow steps. */
  async refine(from: number, to: number): Promise<void> {
    for (let code = from; code > to; code -= WIDTH)
      await this.measure('refine', code, Math.max(to, code - WIDTH), () => true);
  }

  /** Squared error of what is expected, a coefficient. */
  async square(code: number): Promise<number> {
    const { evaluator, level, observation, x } = this;
    const { mean } = await denoise(evaluator, observation, { level, sigma: code, mode: 'refine' });
    return squareOf(mean, x);
  }

  private take(to: number, wanted: (i: number) => boolean, mean: Float32Array, variance: Float32Array): void {
    const { z, codes } = this.observation;
    const precision = sigmaOf(to) ** -2;
    const key = (this.level << 16) + this.draws++;
    for (let i = 0; i < z.length; i++) {
      const code = codes[i]!;
      if (code === EXACT || !wanted(i)) continue;
      const before = code === UNKNOWN ? 0 : sigmaOf(code) ** -2;
      const delta = precision - before;
      if (delta <= 1e-9 * precision) continue;
      const x = this.x[i]!;
      this.bits += cost(delta, variance[i]!, x - mean[i]!);
      z[i] = (z[i]! * before + (x + normalAt(key, i) / Math.sqrt(delta)) * delta) / precision;
      codes[i] = to;
    }
  }
}

/** Mean square of the differences. */
export function squareOf(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum / a.length;
}

/** Where paths lead through, and who foresees them. */
export interface Way {
  evaluator: Evaluator;
  /** Of u₀, u₁, … */
  sizes: readonly Size[];
  truth: Truth;
}

/** Points of the path at a level, coarser ones included, by the sigma codes that it ends with, falling from TOP_CODE on. */
export async function pathOf(way: Way, level: number, codes: readonly number[]): Promise<Point[]> {
  const points: Point[] = [];
  if (isStraight(way.evaluator.model)) {
    for (const code of codes) {
      const { own, bits } = await straightTo(way, level, code);
      points.push({ bits: bits + own.bits, square: await own.square(code) });
    }
    return points;
  }
  const { own, bits } = await walked(
    way,
    level,
    () => TOP_CODE,
    async (each) => {
      await each.enter(TOP_CODE, TOP_CODE, each.level >= way.sizes.length - 1 - ENTERED_WHOLE);
      if (each.level > level) await each.refine(TOP_CODE, TOP_CODE - CODES_PER_OCTAVE);
    },
  );
  let at = TOP_CODE;
  for (const code of codes) {
    await own.refine(at, code);
    at = code;
    points.push({ bits: bits + own.bits, square: await own.square(code) });
  }
  return points;
}

/** Each level measured at once with the noise that it keeps, which is white. */
function straightTo(way: Way, level: number, code: number): Promise<{ own: IdealLevel; bits: number }> {
  const codeAt = (k: number): number => code - CODES_PER_OCTAVE * (k - level);
  return walked(way, level, codeAt, (each) => each.enter(codeAt(each.level), codeAt(each.level), false));
}

/**
 * From the root to a level.
 * @param rootCode that the root of the coarsest level is measured with
 * @param gone measures a level of which LL is known
 * @returns the level, and the bits of those above it
 */
async function walked(
  { evaluator, sizes, truth }: Way,
  level: number,
  rootCode: (level: number) => number,
  gone: (each: IdealLevel) => Promise<void>,
): Promise<{ own: IdealLevel; bits: number }> {
  const begun = (k: number, observation: Observation): IdealLevel =>
    new IdealLevel(evaluator, k, observation, truth(k));
  let k = sizes.length - 2;
  let own = begun(k, blankObservation(sizes[k]!, false));
  own.measureRoot(rootCode(k));
  await gone(own);
  let bits = 0;
  while (k > level) {
    bits += own.bits;
    k--;
    own = begun(k, finerObservation(own.observation, sizes[k]!, false));
    await gone(own);
  }
  return { own, bits };
}
