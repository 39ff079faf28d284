import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ArithmeticDecoder, ArithmeticEncoder } from '../src/entropy/arithmetic-coder.js';
import { BitReader, BitWriter } from '../src/entropy/bits.js';
import { distances, nearest, POINT_WINDOW, searchPoints } from '../src/entropy/tcq-search.js';
import { PointEncoder, type EncodedPoints } from '../src/entropy/tcq-encoder.js';
import {
  codePoint,
  decodePoints,
  dither,
  ditherAt,
  MAX_SPREAD,
  MAX_TCQ_NU,
  MIN_TCQ_NU,
  pointLabels,
  pointModel,
  pointNu,
  QUANTA,
  type DecodedPoints,
  type PointModel,
  type PointRun,
  type SymbolCoder,
} from '../src/entropy/tcq.js';
import { DcompError } from '../src/errors.js';
import { hash32, mix32 } from '../src/math/hash.js';
import { finish } from '../src/turns.js';
import { gaussianPoints, signal } from '../corpus/trellis-signal.js';
import { assertLimited } from './helpers/limited.js';

const encoder = new PointEncoder();
const PHASES = 32;

function encode(run: PointRun, residual: Float64Array, nu: number): EncodedPoints {
  return finish(encoder.encodeInPieces(run, residual, nu));
}

function decode(run: PointRun, reader: BitReader, nu: number): DecodedPoints {
  return finish(decodePoints(run, reader, nu));
}

const residuals = fc.oneof(
  { weight: 8, arbitrary: fc.double({ min: -8, max: 8, noNaN: true }) },
  { weight: 2, arbitrary: fc.double({ min: -3e4, max: 3e4, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -0, 0.5, 1e-300, 1e6, -1e6, 2 ** 22, 1e30, -1e300) },
  { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity, Number.MAX_VALUE) },
);
const spreadValues = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 80 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: MAX_SPREAD }) },
  { weight: 1, arbitrary: fc.constantFrom(0, MAX_SPREAD) },
);
const keys = fc.integer({ min: 0, max: 0xffffffff });
const nus = fc.integer({ min: MIN_TCQ_NU, max: MAX_TCQ_NU });
const runs = fc
  .tuple(fc.array(fc.tuple(residuals, spreadValues), { maxLength: 300, size: 'max' }), keys)
  .map(([list, key]) => ({
    run: { spreads: Uint16Array.from({ length: list.length }, (_, i) => list[i]![1]), key },
    residual: Float64Array.from({ length: list.length }, (_, i) => list[i]![0]),
  }));

/** What the encoder chooses, by the definition of its search. */
function placesBySearch({ spreads, key }: PointRun, residual: Float64Array, nu: number): Float64Array {
  const mixedKey = mix32(key);
  const target = residual.map((r, j) => r - dither(ditherAt(mixedKey, j)));
  const off = new Int16Array(4 * spreads.length);
  for (const [j, t] of target.entries()) distances(t, off, 4 * j);
  const labels = pointLabels(nu);
  const places = new Float64Array(spreads.length);
  let state = 0;
  for (const [j, bit] of searchPoints(off, nu).entries()) {
    const [q, t] = [state % labels.length, Math.floor(state / labels.length)];
    places[j] = nearest(target[j]!, labels[q]! ^ (2 * (t ^ bit))) + dither(ditherAt(mixedKey, j));
    state = 2 * q + bit;
  }
  return places;
}

test('the decoder has the places that the encoder reports, at any place of the bit stream', () => {
  assertLimited(
    fc.property(runs, nus, fc.nat(20), fc.nat(40), keys, ({ run, residual }, nu, lead, trail, noise) => {
      const encoded = encode(run, residual, nu);
      assert.equal(encoded.bytes.length, Math.ceil(encoded.count / 8));
      const writer = new BitWriter();
      for (let i = 0; i < lead; i++) writer.push(i & 1);
      writer.append(encoded.bytes, encoded.count);
      for (let i = 0; i < trail; i++) writer.push((noise >>> (i & 31)) & 1);
      const reader = new BitReader(writer.finish(), 0, writer.length);
      reader.skip(lead);
      const decoded = decode(run, reader, nu);
      assert.equal(decoded.covered, residual.length);
      assert.deepEqual(decoded.places, encoded.places);
      assert.equal(reader.remaining, trail);
      for (const [j, r] of residual.entries()) {
        if (Math.abs(r) < 2 ** 21)
          assert.ok(Math.abs(decoded.places[j]! - r) <= 2, `${r} becomes ${decoded.places[j]}`);
      }
    }),
    { numRuns: 60, seed: 1 },
  );
});

test('any cut of the bits decodes to the same places as far as it goes', () => {
  assertLimited(
    fc.property(runs, nus, fc.nat(), ({ run, residual }, nu, n) => {
      const { bytes, count, places } = encode(run, residual, nu);
      let before = 0;
      for (const bits of [0, n % count, count - 1, count]) {
        const reader = new BitReader(bytes, 0, bits);
        const cut = decode(run, reader, nu);
        assert.deepEqual(cut.places.subarray(0, cut.covered), places.subarray(0, cut.covered));
        assert.ok(cut.places.subarray(cut.covered).every((place) => place === 0));
        assert.ok(cut.covered >= before && reader.remaining >= 0);
        before = cut.covered;
      }
      assert.equal(before, residual.length);
    }),
    { numRuns: 60, seed: 2 },
  );
});

test('the kernel and the plain search choose the same points', () => {
  assertLimited(
    fc.property(runs, fc.integer({ min: 8, max: 10 }), ({ run, residual }, nu) => {
      // What is no number, or too far away, the encoder puts in its place before it searches.
      const near = residual.map((r) => (Math.abs(r) < 1e6 ? r : 0));
      assert.deepEqual(encode(run, near, nu).places, placesBySearch(run, near, nu));
    }),
    { numRuns: 60, seed: 3 },
  );
});

for (const [nu, n] of [
  [8, 20_000], // more than a piece of the input
  [9, 2 * POINT_WINDOW + 1],
  [10, POINT_WINDOW],
  [12, POINT_WINDOW + 2500],
  [14, POINT_WINDOW + 77],
] as const) {
  test(`the kernel and the plain search choose the same points of ${n} coefficients at nu ${nu}, across windows`, () => {
    const { run, residual } = gaussianPoints(signal(n, nu), 12, nu);
    assert.deepEqual(encode(run, residual, nu).places, placesBySearch(run, residual, nu));
  });
}

test('frequencies: each symbol has a quantum, none lies outside, and models do not depend on which were made before', () => {
  const first = pointModel(16, 5);
  for (let spread = 0; spread <= MAX_SPREAD; spread++) {
    for (let phase = 0; phase < PHASES; phase++) {
      const { low, reach, cumulative } = pointModel(spread, phase);
      assert.equal(cumulative.length, 2 * reach + 2);
      assert.equal(cumulative[0], 0);
      assert.equal(cumulative[2 * reach + 1], 2 ** QUANTA);
      for (let i = 0; i <= 2 * reach; i++) assert.ok(cumulative[i]! < cumulative[i + 1]!);
      assert.ok(low >= 0 && low <= 14 + 12, 'digits are read in two parts at most');
    }
  }
  assert.deepEqual(pointModel(16, 5), first);
});

test('frequencies of a phase are those of the opposite phase, mirrored, within the quanta', () => {
  for (const spread of [0, 9, 30, 77, 300]) {
    for (let phase = 0; phase < PHASES; phase++) {
      const { reach, cumulative } = pointModel(spread, phase);
      const { cumulative: mirror } = pointModel(spread, PHASES - 1 - phase);
      for (let i = 0; i <= 2 * reach; i++) {
        const difference = cumulative[i]! - (2 ** QUANTA - 1 - mirror[2 * reach - i]!);
        assert.ok(Math.abs(difference) <= 3, `spread ${spread}, phase ${phase}: ${difference} quanta`);
      }
    }
  }
});

test('points come back however far they are', () => {
  const far = fc.oneof(
    fc.integer({ min: -(2 ** 23), max: 2 ** 23 }),
    fc.integer({ min: -200, max: 200 }),
    fc.constantFrom(2 ** 23, -(2 ** 23), 0, -1),
  );
  const coded = fc.record({
    spread: spreadValues,
    phase: fc.nat(PHASES - 1),
    k: far,
    edge: fc.integer({ min: -3, max: 3 }),
  });
  assertLimited(
    fc.property(fc.array(coded, { maxLength: 40 }), (list) => {
      const points = list.flatMap(({ spread, phase, k, edge }): [PointModel, number][] => {
        const model = pointModel(spread, phase);
        const reach = model.reach * 2 ** model.low;
        return [k, reach + edge, -reach + edge].map((number) => [model, number]);
      });
      const arithmetic = new ArithmeticEncoder();
      const writer: SymbolCoder = {
        symbol(cumulative, symbol) {
          arithmetic.encode(cumulative[symbol]!, cumulative[symbol + 1]! - cumulative[symbol]!, QUANTA);
          return symbol;
        },
        digits(value, count) {
          assert.ok(count <= 14 && value >= 0 && value < 2 ** count);
          arithmetic.encode(value, 1, count);
          return value;
        },
      };
      for (const [model, number] of points) assert.equal(codePoint(writer, model, number), number);
      const { bytes, count } = arithmetic.finish();
      const decoder = new ArithmeticDecoder(new BitReader(bytes, 0, count));
      const reader: SymbolCoder = {
        symbol: (cumulative) => decoder.decode(cumulative, QUANTA),
        digits: (_, digits) => decoder.digits(digits),
      };
      for (const [model, number] of points) assert.equal(codePoint(reader, model, 0), number);
    }),
  );
});

test('garbage gives finite places, and ends', () => {
  const filled = fc.tuple(fc.nat(100), fc.constantFrom(0, 255)).map(([n, byte]) => new Uint8Array(n).fill(byte));
  const data = fc.oneof(fc.uint8Array({ maxLength: 100, size: 'max' }), filled);
  assertLimited(
    fc.property(data, fc.array(spreadValues, { maxLength: 600, size: 'max' }), keys, nus, (bytes, list, key, nu) => {
      const reader = new BitReader(bytes);
      const spreads = Uint16Array.from({ length: list.length }, (_, i) => list[i]!);
      const { places, covered } = decode({ spreads, key }, reader, nu);
      assert.ok(covered <= list.length && places.length === list.length);
      assert.ok(places.every((place) => Number.isFinite(place)));
      assert.ok(places.subarray(covered).every((place) => place === 0));
      assert.ok(reader.remaining >= 0 && reader.remaining <= 8 * bytes.length);
    }),
  );
  const many = { spreads: new Uint16Array(100_000), key: 1 };
  assert.equal(decode(many, new BitReader(new Uint8Array(0)), 8).covered, 0, 'without data nothing is there');
});

test('misuse is told, however often', () => {
  const throwsUsage = (call: () => unknown): void => {
    assert.throws(call, (error) => error instanceof DcompError && error.code === 'E_USAGE');
  };
  const run = { spreads: new Uint16Array(3), key: 0 };
  throwsUsage(() => encode(run, new Float64Array(2), 8));
  throwsUsage(() => encode(run, new Float64Array(4), 8));
  for (const nu of [7, 15, 7, 0, -1, 8.5, NaN]) {
    throwsUsage(() => pointLabels(nu));
    throwsUsage(() => encode(run, new Float64Array(3), nu));
    throwsUsage(() => finish(new PointEncoder().encodeInPieces(run, new Float64Array(3), nu)));
    throwsUsage(() => decode(run, new BitReader(new Uint8Array(9)), nu));
  }
  for (let nu = 8; nu <= 18; nu++) assert.equal(pointLabels(pointNu(nu)).length, 2 ** (pointNu(nu) - 1));
});

test('the bits of a stated run never change: a change would be another format', () => {
  const n = 3000;
  const spreads = Uint16Array.from({ length: n }, (_, j) => hash32(1, j) >>> 25);
  const residual = Float64Array.from(
    { length: n },
    (_, j) => ((hash32(2, j) - 2 ** 31) / 2 ** 31) * 2 ** (spreads[j]! / 16),
  );
  const { bytes, count, places } = encode({ spreads, key: 0xdeadbeef }, residual, 12);
  const digest = bytes.reduce((sum, byte, i) => (Math.imul(sum, 31) + byte + i) | 0, count);
  const told = places.reduce((sum, place) => (Math.imul(sum, 31) + 32 * place) | 0, 0);
  assert.deepEqual({ digest, told }, { digest: -1673072433, told: -268651026 });
});
