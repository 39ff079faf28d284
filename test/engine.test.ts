import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_ARCHITECTURE, uNet } from '../src/model/architecture.js';
import {
  MAX_FACTOR,
  clampLimit,
  inputTables,
  layerConstants,
  roundToEven,
  scaledProduct,
  sumLimit,
} from '../src/model/integer/arithmetic.js';
import type { Condition } from '../src/model/inputs.js';
import { planGrid } from '../src/model/wasm/plan.js';
import { UNKNOWN } from '../src/model/sigma.js';
import { randomArchitecture } from './helpers/random-network.js';
import { randomModel, uniform } from '../corpus/random-model.js';
import { assertLimited } from './helpers/limited.js';

const CONDITION: Condition = { level: 0, sigma: 140, mode: 'refine' };

test('input tables are symmetric, bounded and zero for the unknown', () => {
  const tables = inputTables(randomModel(uNet([8], 4, 1), 1));
  assert.deepEqual(tables.gain.subarray(UNKNOWN * 12), new Int16Array(12));
  assert.ok(tables.feature.every((value) => Math.abs(value) <= tables.limit));
  assert.equal(tables.feature[UNKNOWN], Math.max(...tables.feature));
});

test('the product of a sum and a factor needs no more than int32', () => {
  const edge = sumLimit(2) * clampLimit(2);
  const sums = fc.oneof(fc.integer({ min: -edge, max: edge }), fc.constantFrom(-edge, edge, -32768, 32767, 65535));
  assertLimited(
    fc.property(sums, fc.integer({ min: -MAX_FACTOR, max: MAX_FACTOR }), (a, m) => {
      const h = (a + 0x8000) >> 16;
      const l = a - 65536 * h;
      assert.ok(a + 0x8000 < 2 ** 31 && l >= -32768 && l <= 32767 && Math.abs(h * m) < 2 ** 30 + 1);
      assert.ok(scaledProduct(a, m) === h * m + ((l * m) >> 16));
      assert.equal(BigInt(scaledProduct(a, m)), (BigInt(a) * BigInt(m)) >> 16n);
    }),
    { numRuns: 2000 },
  );
});

test('constants of any layer keep what follows the sums in int32', () => {
  assertLimited(
    fc.property(
      fc.integer(),
      fc.constantFrom(1e-9, 0.05, 10, 1e6),
      fc.integer({ min: 0, max: 255 }),
      (seed, loud, sigma) => {
        const next = uniform(seed);
        const model = randomModel(randomArchitecture(seed, 5), seed, loud, () => 2 + Math.floor(15 * next()));
        for (const { m, b, skip, shift, skipShift } of layerConstants(model, { ...CONDITION, sigma })) {
          const [factor, summand] = [m, b].map((list) => Math.max(...Array.from(list, Math.abs))) as [number, number];
          assert.ok(Math.abs(scaledProduct(2 ** 31 - 2 ** 15 - 1, factor)) + summand + 32767 * skip < 2 ** 31);
          assert.ok([shift, skipShift].every((each) => each >= 0 && each <= 14));
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('roundToEven rounds as IEEE does', () => {
  const pairs = [
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, 0],
    [-1.5, -2],
    [-2.5, -2],
    [0.49999997, 0],
    [-7.2, -7],
    [3, 3],
  ] as const;
  for (const [x, rounded] of pairs) {
    assert.equal(Math.abs(roundToEven(x) - rounded), 0, `${x}`);
  }
});

test('a level 0 of 768×512 pixels is evaluated in less than 100 MB', () => {
  assert.ok(planGrid(DEFAULT_ARCHITECTURE, 384, 256, 5e6).end < 1e8);
});

test('tensors that are needed at the same time never share memory', () => {
  const sides = fc.integer({ min: 1, max: 40 });
  assertLimited(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 12 }), sides, sides, (seed, length, width, height) => {
      const architecture = randomArchitecture(seed, length);
      const plan = planGrid(architecture, width, height, 1000);
      const spans = [...plan.tensors].map(([name, place]) => {
        const uses = architecture.layers.flatMap((layer, i) =>
          [layer.from, layer.to, layer.add].includes(name) ? [i + 1] : [],
        );
        const bytes = name === 'out' ? width * height * 96 : (place.height + 2) * place.row;
        const first = name === 'input' ? 0 : Math.min(...uses);
        return { first, last: Math.max(first, ...uses), base: place.base, end: place.base + bytes };
      });
      for (const a of spans) {
        assert.ok(a.base >= 1000 && a.end <= plan.end && a.base % 16 === 0);
        for (const b of spans) {
          if (a !== b && a.first <= b.last && b.first <= a.last) assert.ok(a.end <= b.base || b.end <= a.base);
        }
      }
    }),
  );
});
