/** An evaluation in parts is the whole evaluation, bit for bit: any network, grid, height of strips and order of questions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { windowOf } from '../src/codec/needs.js';
import { cutOut } from '../src/math/rectangle.js';
import { DcompError } from '../src/errors.js';
import { DEFAULT_ARCHITECTURE, OUTPUT_CHANNELS, uNet, type Architecture } from '../src/model/architecture.js';
import { createEngine, createEvaluator, type Engine } from '../src/model/wasm/engine.js';
import type { Condition } from '../src/model/inputs.js';
import { planGrid } from '../src/model/wasm/plan.js';
import { createReferenceEvaluator, referenceEvaluate } from '../src/model/integer/reference.js';
import { contextRows, rowsHeld, rowsKept, rowsNeeded } from '../src/model/strips.js';
import { createThreadedEvaluator } from '../src/model/wasm/threads-node.js';
import { randomArchitecture, randomArguments } from './helpers/random-network.js';
import { randomModel, uniform } from '../corpus/random-model.js';
import { assertLimited } from './helpers/limited.js';

const CONDITION: Condition = { level: 0, sigma: 140, mode: 'refine' };

/** Numbers of rows that add up to the height. */
function cut(height: number, most: number, seed: number): number[] {
  const next = uniform(seed);
  const counts: number[] = [];
  for (let left = height; left > 0; left -= counts.at(-1)!) counts.push(Math.min(left, 1 + Math.floor(next() * most)));
  return counts;
}

/** Rows given are overwritten at once: what is below must not depend on that. */
async function assertParts(
  engine: Engine,
  z: Float32Array,
  codes: Uint8Array,
  width: number,
  height: number,
  most: number,
  strip: number | undefined,
  seed: number,
): Promise<void> {
  const whole = referenceEvaluate(engine.model, z, codes, width, height, CONDITION);
  const [ownZ, ownCodes] = [z.slice(), codes.slice()];
  const evaluation = engine.evaluateRows(ownZ, ownCodes, width, height, CONDITION, Math.min(most, height), strip);
  let row = 0;
  for (const count of cut(height, most, seed)) {
    const part = await evaluation.next(count);
    const expected = whole.subarray(row * width * OUTPUT_CHANNELS, (row + count) * width * OUTPUT_CHANNELS);
    assert.ok(
      Buffer.compare(Buffer.from(part.slice().buffer), Buffer.from(expected.slice().buffer)) === 0,
      `rows ${row} to ${row + count}`,
    );
    row += count;
    ownZ.fill(7, 0, row * width * 12);
    ownCodes.fill(3, 0, row * width * 12);
  }
}

test('rows one after the other equal the whole: random networks', async () => {
  const settings = fc.record({
    seed: fc.integer(),
    length: fc.integer({ min: 0, max: 8 }),
    width: fc.integer({ min: 1, max: 9 }),
    height: fc.integer({ min: 1, max: 60 }),
    most: fc.integer({ min: 1, max: 25 }),
    strip: fc.integer({ min: 1, max: 20 }),
  });
  await assertLimited(
    fc.asyncProperty(settings, async ({ seed, length, width, height, most, strip }) => {
      const engine = await createEngine(randomModel(randomArchitecture(seed, length), seed, 0.3));
      const { z, codes } = randomArguments(seed, width, height, 100);
      await assertParts(engine, z, codes, width, height, most, strip, seed);
    }),
    { numRuns: 60 },
  );
});

test('rows one after the other equal the whole: the U-Net, higher than its receptive field', async () => {
  const model = randomModel(uNet([8, 8, 8, 8], 8, 2), 1, 0.3);
  const one = await createEngine(model);
  const two = (await createThreadedEvaluator(model, { threads: 3, startAfter: 0 })) as Engine;
  for (const [width, height, most, strip] of [
    [21, 203, 70, 8],
    [5, 340, 340, 16],
    [70, 150, 11, 3],
    [40, 100, 100, undefined],
    [33, 129, 30, 64],
  ] as const) {
    const { z, codes } = randomArguments(width, width, height, 100);
    for (const engine of [one, two]) await assertParts(engine, z, codes, width, height, most, strip, height);
  }
  await two.close();
});

test('a part of a grid with its context equals that part of the whole', async () => {
  const { architecture, ...model } = randomModel(uNet([8, 8, 8, 8], 8, 2), 3, 0.3);
  const engine = await createEngine({ architecture, ...model });
  for (const [width, height] of [
    [230, 45],
    [41, 219],
    [170, 175],
  ] as const) {
    const grid = { x: 0, y: 0, width, height };
    const { z, codes } = randomArguments(9, width, height, 100);
    const whole = Float32Array.from(await engine.evaluate(z, codes, width, height, CONDITION));
    const random = uniform(width);
    const side = (length: number): [number, number] => {
      const from = Math.floor(random() * length);
      return [from, 1 + Math.floor(random() ** 3 * (length - from - 1))];
    };
    for (let i = 0; i < 25; i++) {
      const [[x, w], [y, h]] = [side(width), side(height)];
      const wanted = { x, y, width: w, height: h };
      const window = windowOf(architecture, wanted, grid);
      assert.ok(window.x % 8 === 0 && window.y % 8 === 0);
      const result = await engine.evaluate(
        cutOut(z, grid, window, 12),
        cutOut(codes, grid, window, 12),
        window.width,
        window.height,
        CONDITION,
      );
      assert.deepEqual(
        cutOut(result.slice(), window, wanted, 24),
        cutOut(whole, grid, wanted, 24),
        JSON.stringify(wanted),
      );
    }
  }
});

test('the receptive field of the network: 97 positions each way, from a row that begins a pixel of the coarsest scale 93', () => {
  assert.equal(contextRows(DEFAULT_ARCHITECTURE), 97);
  assert.equal(rowsNeeded(DEFAULT_ARCHITECTURE, 0).get('input'), 93);
});

test('what a strip needs is there: kept rows begin before the new ones, and all fit their memory', () => {
  assertLimited(
    fc.property(
      fc.integer(),
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: -100, max: 100 }),
      (seed, length, strip, row) => {
        const architecture: Architecture = randomArchitecture(seed, length);
        const done = rowsNeeded(architecture, row);
        const next = rowsNeeded(architecture, row + strip);
        const held = rowsHeld(architecture, strip);
        for (const [tensor, first] of rowsKept(architecture, done)) {
          assert.ok(first <= done.get(tensor)! && done.get(tensor)! <= next.get(tensor)!);
          assert.ok(next.get(tensor)! - first <= held.get(tensor)!);
        }
      },
    ),
  );
});

test('memory grows with the width alone', () => {
  const bytes = (width: number, height: number): number => planGrid(DEFAULT_ARCHITECTURE, width, height, 0, 384).end;
  assert.equal(bytes(3000, 2000), bytes(3000, 20000));
  assert.ok(bytes(3000, 2000) < 2 ** 28, `24 megapixels take ${bytes(3000, 2000)} bytes`);
  assert.ok(bytes(32768, 4096) < 2.8e9, `the widest picture takes ${bytes(32768, 4096)} bytes`);
});

test('rows that make no sense are refused, and an evaluation ends when another begins', async () => {
  const isUsage = (error: unknown): boolean => error instanceof DcompError && error.code === 'E_USAGE';
  const model = randomModel(uNet([8], 4, 1), 1);
  const evaluator = await createEvaluator(model);
  const { z, codes } = randomArguments(1, 4, 5, 100);
  assert.throws(() => evaluator.evaluateRows(z, codes, 4, 5, CONDITION, 0), isUsage);
  const first = evaluator.evaluateRows(z, codes, 4, 5, CONDITION, 3);
  await first.next(3);
  await assert.rejects(first.next(3), isUsage);
  await first.next(2);
  await assert.rejects(first.next(1), isUsage);
  const second = evaluator.evaluateRows(z, codes, 4, 5, CONDITION, 3);
  await evaluator.evaluate(z, codes, 4, 5, CONDITION);
  await assert.rejects(second.next(1), isUsage);
  await evaluator.close();
  await assert.rejects(second.next(1), isUsage);
  // Evaluators that know only the whole give the same rows.
  const plain = await createReferenceEvaluator(model);
  const whole = await plain.evaluate(z, codes, 4, 5, CONDITION);
  const rows = plain.evaluateRows(z, codes, 4, 5, CONDITION, 3);
  assert.deepEqual([...(await rows.next(2)), ...(await rows.next(3))], [...whole]);
});
