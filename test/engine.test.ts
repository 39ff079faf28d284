import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DcompError } from '../src/errors.js';
import { DEFAULT_ARCHITECTURE, uNet } from '../src/model/architecture.js';
import {
  MAX_FACTOR,
  WEIGHT_LIMIT,
  clampLimit,
  inputTables,
  layerConstants,
  roundToEven,
  scaledProduct,
  sumLimit,
} from '../src/model/integer/arithmetic.js';
import { createEvaluator } from '../src/model/wasm/engine.js';
import { LOG_VARIANCE_MAX, LOG_VARIANCE_MIN, type Condition } from '../src/model/inputs.js';
import type { IntegerModel } from '../src/model/integer/integer-model.js';
import { planGrid } from '../src/model/wasm/plan.js';
import { createReferenceEvaluator, referenceEvaluate } from '../src/model/integer/reference.js';
import { UNKNOWN } from '../src/model/sigma.js';
import { randomArchitecture, randomArguments } from './helpers/random-network.js';
import { randomModel, uniform } from '../corpus/random-model.js';
import { assertLimited } from './helpers/limited.js';

const CONDITION: Condition = { level: 0, sigma: 140, mode: 'refine' };

/** Bits, so that 0 and −0 differ and NaN equals itself. */
function bitsOf(values: Float32Array): Int32Array {
  return new Int32Array(Float32Array.from(values).buffer);
}

async function assertEngineIsReference(
  model: IntegerModel,
  z: Float32Array,
  codes: Uint8Array,
  width: number,
  height: number,
  condition = CONDITION,
): Promise<Float32Array> {
  const evaluator = createEvaluator(model);
  const result = await evaluator.evaluate(z, codes, width, height, condition);
  assert.deepEqual(bitsOf(result), bitsOf(referenceEvaluate(model, z, codes, width, height, condition)));
  await evaluator.close();
  return result;
}

test('engine equals the reference bit for bit: any layers, sizes, weights, saturation', async () => {
  const settings = fc.record({
    seed: fc.integer(),
    length: fc.integer({ min: 0, max: 6 }),
    width: fc.integer({ min: 1, max: 11 }),
    height: fc.integer({ min: 1, max: 6 }),
    loudness: fc.constantFrom(0.05, 0.3, 10),
    spread: fc.constantFrom(1, 300, 1e6),
    narrow: fc.boolean(),
    level: fc.integer({ min: 0, max: 6 }),
    sigma: fc.integer({ min: 0, max: 255 }),
    mode: fc.constantFrom('enter' as const, 'refine' as const),
  });
  await assertLimited(
    fc.asyncProperty(settings, async ({ seed, length, width, height, loudness, spread, narrow, ...condition }) => {
      const next = uniform(seed);
      const bits = (): number => 2 + Math.floor(15 * next());
      const model = randomModel(randomArchitecture(seed, length), seed, loudness, narrow ? bits : undefined);
      const { z, codes } = randomArguments(seed, width, height, spread);
      await assertEngineIsReference(model, z, codes, width, height, condition);
    }),
    { numRuns: 60 },
  );
});

test('engine equals the reference on whole networks', async () => {
  for (const [architecture, width, height] of [
    [uNet([12, 20, 9], 8, 2), 21, 10],
    [DEFAULT_ARCHITECTURE, 9, 3],
  ] as const) {
    const { z, codes } = randomArguments(1, width, height, 100);
    const result = await assertEngineIsReference(randomModel(architecture, 2, 0.3), z, codes, width, height);
    assert.ok(new Set(result).size > result.length / 4, 'the network says something');
  }
});

test('one evaluator serves sizes and conditions in any order', async () => {
  const model = randomModel(uNet([8, 16], 4, 2), 3, 0.3);
  const evaluator = createEvaluator(model);
  for (const [width, height, level] of [
    [5, 4, 0],
    [1, 1, 1],
    [40, 30, 0],
    [5, 4, 1],
    [3, 9, 0],
    [5, 4, 0],
  ] as const) {
    const { z, codes } = randomArguments(width, width, height, 50);
    const condition: Condition = { level, sigma: 100 + level, mode: level === 0 ? 'enter' : 'refine' };
    const result = await evaluator.evaluate(z, codes, width, height, condition);
    assert.deepEqual(bitsOf(result), bitsOf(referenceEvaluate(model, z, codes, width, height, condition)));
  }
});

test('sums at the edge of int32 do not overflow', async () => {
  const model = randomModel(uNet([8], 4, 1), 1);
  for (const layer of model.architecture.layers) {
    const integers = model.layers.get(layer.name)!;
    const inputs = integers.weights.length / integers.bias.length;
    const limit = sumLimit(model.tensors.get(layer.from)!.bits);
    integers.weights.fill(Math.min(WEIGHT_LIMIT, Math.floor(limit / inputs)));
    integers.weightScale.fill(1e3);
  }
  for (const value of [1e30, -1e30, Infinity, -Infinity, NaN]) {
    await assertEngineIsReference(
      model,
      new Float32Array(5 * 4 * 12).fill(value),
      new Uint8Array(5 * 4 * 12).fill(1),
      5,
      4,
    );
  }
});

test('log variances stay within their bounds', async () => {
  const { z, codes } = randomArguments(1, 6, 6, 300);
  const result = await assertEngineIsReference(randomModel(uNet([8], 4, 1), 5, 30), z, codes, 6, 6);
  const variances = result.filter((_, i) => i % 24 >= 12);
  assert.equal(Math.min(...variances), LOG_VARIANCE_MIN);
  assert.equal(Math.max(...variances), LOG_VARIANCE_MAX);
  assert.ok(Math.max(...result.filter((_, i) => i % 24 < 12)) > LOG_VARIANCE_MAX, 'corrections are not clamped');
});

test('padding is unknown: a grid equals one completed with unknown coefficients', async () => {
  const model = randomModel(uNet([8, 8, 8], 4, 1), 7, 0.3);
  const [width, height] = [6, 5];
  const { z, codes } = randomArguments(4, width, height, 100);
  const padded = { z: new Float32Array(8 * 8 * 12), codes: new Uint8Array(8 * 8 * 12).fill(UNKNOWN) };
  for (let y = 0; y < height; y++) {
    padded.z.set(z.subarray(y * width * 12, (y + 1) * width * 12), y * 8 * 12);
    padded.codes.set(codes.subarray(y * width * 12, (y + 1) * width * 12), y * 8 * 12);
  }
  const evaluator = createEvaluator(model);
  const small = Float32Array.from(await evaluator.evaluate(z, codes, width, height, CONDITION));
  const large = await evaluator.evaluate(padded.z, padded.codes, 8, 8, CONDITION);
  for (let y = 0; y < height; y++) {
    const rowOf = (values: Float32Array, side: number): Float32Array =>
      values.slice(y * side * 24, (y * side + width) * 24);
    assert.deepEqual(bitsOf(rowOf(small, width)), bitsOf(rowOf(large, 8)));
  }
});

test('what is unknown does not matter: its z is ignored', async () => {
  const evaluator = createReferenceEvaluator(randomModel(uNet([8], 4, 1), 1));
  const codes = new Uint8Array(12).fill(UNKNOWN);
  const zeros = Float32Array.from(await evaluator.evaluate(new Float32Array(12), codes, 1, 1, CONDITION));
  assert.deepEqual(await evaluator.evaluate(new Float32Array(12).fill(123), codes, 1, 1, CONDITION), zeros);
});

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

test('arguments that make no sense are refused', async () => {
  const evaluator = createEvaluator(randomModel(uNet([8], 4, 1), 1));
  const isUsage = (error: unknown): boolean => error instanceof DcompError && error.code === 'E_USAGE';
  const z = new Float32Array(12);
  const codes = new Uint8Array(12);
  await assert.rejects(evaluator.evaluate(z, codes, 0, 1, CONDITION), isUsage);
  await assert.rejects(evaluator.evaluate(z, codes, 1.5, 1, CONDITION), isUsage);
  await assert.rejects(evaluator.evaluate(z, codes, 2, 1, CONDITION), isUsage);
  await assert.rejects(evaluator.evaluate(z, codes.subarray(1), 1, 1, CONDITION), isUsage);
  await assert.rejects(evaluator.evaluate(z, codes, 1, 1, { ...CONDITION, sigma: 256 }), isUsage);
  await assert.rejects(evaluator.evaluate(z, codes, 1, 1, { ...CONDITION, level: -1 }), isUsage);
  await evaluator.close();
  await assert.rejects(evaluator.evaluate(z, codes, 1, 1, CONDITION), isUsage);
});

test('a model whose sums could overflow is refused', () => {
  const model = randomModel(uNet([8, 8], 4, 1), 1);
  for (const layer of model.architecture.layers.filter(({ kind }) => kind === 'conv3x3')) {
    const { weights } = model.layers.get(layer.name)!;
    const before = weights.slice();
    weights.fill(WEIGHT_LIMIT);
    const isDamage = (error: unknown): boolean => error instanceof DcompError && error.code === 'E_DAMAGED_MODEL';
    assert.throws(() => createEvaluator(model), isDamage);
    weights.set(before);
  }
  createEvaluator(model);
});
