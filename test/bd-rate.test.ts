import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bdRate } from '../eval/bd-rate.js';
import { between, qualityAt, rateAt, rising, type CurvePoint } from '../eval/curve.js';

const curve: CurvePoint[] = [
  { rate: 0.1, quality: 26.9 },
  { rate: 0.15, quality: 28.3 },
  { rate: 0.25, quality: 30.1 },
  { rate: 0.5, quality: 33.4 },
  { rate: 0.75, quality: 35.7 },
  { rate: 1, quality: 37.5 },
];
const faster = (factor: number): CurvePoint[] => curve.map(({ rate, quality }) => ({ rate: rate * factor, quality }));

const points = (rates: number[], qualities: number[]): CurvePoint[] =>
  rates.map((rate, i) => ({ rate, quality: qualities[i]! }));

/** Reference, test, and what bjontegaard 1.3.0 (PyPI), method pchip, says. */
const PUBLISHED: [CurvePoint[], CurvePoint[], number][] = [
  [
    points([0.107, 0.252, 0.447, 0.755, 1.231], [22.53, 25.17, 26.93, 29.29, 31.3]),
    points([0.115, 0.185, 0.337, 0.492, 0.723, 1.075], [24.92, 26.71, 29.12, 30.75, 32.57, 34.53]),
    -54.237180062563986,
  ],
  [
    points([0.208, 0.316, 0.449, 0.675, 0.883, 1.324], [25.24, 26.78, 28.16, 29.98, 31.23, 32.93]),
    points([0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 0.75, 1], [24.4, 25.9, 26.9, 27.8, 28.6, 30.9, 32.8, 34.3]),
    -39.56142916538074,
  ],
  [
    points([0.15, 0.2, 0.25, 0.3, 0.5], [25.96, 27.2, 28.08, 28.82, 31.1]),
    points([0.15, 0.2, 0.25, 0.3, 0.5], [26.89, 27.83, 28.6, 29.28, 31.48]),
    -11.856346034236731,
  ],
];

describe('BD-rate', () => {
  it('a curve against itself is 0', () => {
    assert.ok(Math.abs(bdRate(curve, curve)!.percent) < 1e-9);
  });

  it('a shift of the rate is that shift', () => {
    for (const factor of [1.1, 0.9, 2])
      assert.ok(Math.abs(bdRate(curve, faster(factor))!.percent - 100 * (factor - 1)) < 1e-9);
  });

  it('the other way round is the reciprocal', () => {
    const other = curve.map(({ rate, quality }, i) => ({ rate: rate * (1 + 0.02 * i), quality: quality + 0.1 * i }));
    const there = 1 + bdRate(curve, other)!.percent / 100;
    const back = 1 + bdRate(other, curve)!.percent / 100;
    assert.ok(Math.abs(there * back - 1) < 1e-12);
  });

  it('of straight lines (in the logarithm of the rate) is exact, over the overlap alone', () => {
    const line = (from: number, to: number, offset: number): CurvePoint[] =>
      [0, 1, 2, 3, 4]
        .map((i) => from + ((to - from) * i) / 4)
        .map((quality) => ({ quality, rate: Math.exp((quality - 30) / 5 + offset) }));
    const { percent, from, to } = bdRate(line(25, 35, 0), line(28, 40, 0.2))!;
    assert.ok(Math.abs(percent - 100 * (Math.exp(0.2) - 1)) < 1e-9);
    assert.deepEqual([from, to], [28, 35]);
  });

  it('agrees with the bjontegaard package (PCHIP)', () => {
    for (const [reference, test, percent] of PUBLISHED)
      assert.ok(Math.abs(bdRate(reference, test)!.percent - percent) < 1e-4, String(percent));
  });

  it('is refused where curves do not overlap or are points', () => {
    assert.equal(
      bdRate(
        curve,
        curve.map(({ rate, quality }) => ({ rate, quality: quality + 20 })),
      ),
      undefined,
    );
    assert.equal(bdRate(curve, curve.slice(0, 1)), undefined);
  });
});

describe('curves', () => {
  it('a point that costs more and brings less is left out', () => {
    const dip = { rate: 0.3, quality: 29 };
    assert.deepEqual(rising([...curve, dip]), curve);
  });

  it('rate and quality of a point between are each other’s inverse', () => {
    for (const rate of [0.1, 0.12, 0.4, 0.8, 1])
      assert.ok(Math.abs(rateAt(curve, qualityAt(curve, rate)!)! - rate) < 1e-9);
    assert.equal(qualityAt(curve, 0.09), undefined);
    const last = curve.at(-1)!;
    const noBetter = { rate: 2 * last.rate, quality: last.quality - 1e-3 };
    assert.equal(qualityAt(curve, 1.5 * last.rate), undefined);
    assert.equal(qualityAt([...curve, noBetter], 1.5 * last.rate), last.quality, 'a larger file that is no better');
    assert.equal(rateAt(curve, 38), undefined);
  });

  it('a part of a curve ends where it is asked to', () => {
    const part = between(curve, 0.12, 0.8);
    assert.deepEqual(
      part.map((p) => p.rate),
      [0.12, 0.15, 0.25, 0.5, 0.75, 0.8],
    );
    assert.deepEqual(between(curve, 0.01, 5), curve);
  });
});
