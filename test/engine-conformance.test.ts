/**
 * What every engine has to be: the reference, bit for bit, whatever the network, the grid, the observation and the parts in
 * which it is asked for. A new engine is a line in ENGINES.
 */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { DcompError, type DcompErrorCode } from '../src/errors.js';
import { DEFAULT_ARCHITECTURE, OUTPUT_CHANNELS, uNet } from '../src/model/architecture.js';
import type { Evaluator } from '../src/model/evaluator.js';
import { LOG_VARIANCE_MAX, LOG_VARIANCE_MIN, type Condition } from '../src/model/inputs.js';
import { sumLimit, WEIGHT_LIMIT } from '../src/model/integer/arithmetic.js';
import type { IntegerModel } from '../src/model/integer/integer-model.js';
import { createReferenceEvaluator, referenceEvaluate } from '../src/model/integer/reference.js';
import { UNKNOWN } from '../src/model/sigma.js';
import { createGpuEngine } from '../src/model/gpu/gpu-engine.js';
import type { GpuHost } from '../src/model/gpu/program.js';
import { createEngine, createEvaluator } from '../src/model/wasm/engine.js';
import { createThreadedEvaluator } from '../src/model/wasm/threads-node.js';
import { randomModel, TRAINED_SHARE, uniform } from '../corpus/random-model.js';
import { testedGpu } from './helpers/gpu.js';
import { assertLimited } from './helpers/limited.js';
import { randomArchitecture, randomArguments } from './helpers/random-network.js';

type Create = (model: IntegerModel) => Promise<Evaluator>;

const ENGINES: Record<string, Create> = {
  reference: createReferenceEvaluator,
  'WebAssembly, one thread': createEvaluator,
  'WebAssembly, without tiles': (model) => createEngine(model, undefined, 'direct'),
  'WebAssembly, three threads': (model) => createThreadedEvaluator(model, { threads: 3, startAfter: 0 }),
};

const CONDITION: Condition = { level: 0, sigma: 140, mode: 'refine' };

/** Bits, so that 0 and −0 differ and NaN equals itself. */
function bitsOf(values: Float32Array): Int32Array {
  return new Int32Array(Float32Array.from(values).buffer);
}

function fails(code: DcompErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof DcompError && error.code === code;
}

interface Question {
  z: Float32Array;
  codes: Uint8Array;
  width: number;
  height: number;
  condition?: Condition;
}

async function assertIsReference(evaluator: Evaluator, question: Question, rows?: number): Promise<Float32Array> {
  const { z, codes, width, height, condition = CONDITION } = question;
  const expected = referenceEvaluate(evaluator.model, z, codes, width, height, condition);
  assert.deepEqual(bitsOf(await evaluator.evaluate(z, codes, width, height, condition)), bitsOf(expected));
  if (rows === undefined) return expected;
  const evaluation = evaluator.evaluateRows(z, codes, width, height, condition, rows);
  for (let row = 0; row < height; row += rows) {
    const count = Math.min(rows, height - row);
    const [from, to] = [row, row + count].map((each) => each * width * OUTPUT_CHANNELS);
    assert.deepEqual(bitsOf(await evaluation.next(count)), bitsOf(expected.subarray(from, to)), `rows from ${row}`);
  }
  return expected;
}

const gpu = await testedGpu();
ENGINES['WebGPU'] = (model) => createGpuEngine(model, gpu as GpuHost);

for (const [name, create] of Object.entries(ENGINES)) {
  const skip = name === 'WebGPU' && typeof gpu === 'string' ? gpu : false;
  describe(name, { skip }, () => {
    after(async () => {
      if (name === 'WebGPU') await (gpu as GpuHost).close();
    });

    /** Does something with an engine and closes it. */
    async function using<T>(model: IntegerModel, task: (evaluator: Evaluator) => Promise<T>): Promise<T> {
      const evaluator = await create(model);
      try {
        return await task(evaluator);
      } finally {
        await evaluator.close();
      }
    }

    it('any layers, sizes, weights, saturation', async () => {
      const settings = fc.record({
        seed: fc.integer(),
        length: fc.integer({ min: 0, max: 6 }),
        width: fc.integer({ min: 1, max: 13 }),
        height: fc.integer({ min: 1, max: 9 }),
        rows: fc.integer({ min: 1, max: 9 }),
        loudness: fc.constantFrom(0.05, 0.3, 10),
        spread: fc.constantFrom(1, 300, 1e6),
        narrow: fc.boolean(),
        trained: fc.boolean(),
        level: fc.integer({ min: 0, max: 6 }),
        sigma: fc.integer({ min: 0, max: 255 }),
        mode: fc.constantFrom('enter' as const, 'refine' as const),
      });
      const check = async (given: typeof settings extends fc.Arbitrary<infer T> ? T : never): Promise<void> => {
        const { seed, length, width, height, rows, loudness, spread, narrow, trained, ...condition } = given;
        const next = uniform(seed);
        const bits = narrow ? (): number => 2 + Math.floor(15 * next()) : undefined;
        const share = trained ? TRAINED_SHARE : undefined;
        const model = randomModel(randomArchitecture(seed, length), seed, loudness, bits, share);
        const question = { ...randomArguments(seed, width, height, spread), width, height, condition };
        await using(model, (evaluator) => assertIsReference(evaluator, question, Math.min(rows, height)));
      };
      await assertLimited(fc.asyncProperty(settings, check), { numRuns: /threads|GPU/.test(name) ? 10 : 25 });
    });

    it('whole networks', async () => {
      for (const [architecture, width, height, share] of [
        [uNet([12, 20, 9], 8, 2), 21, 10, undefined],
        [uNet([20, 7, 33], 8, 2), 37, 21, TRAINED_SHARE],
        [DEFAULT_ARCHITECTURE, 9, 3, TRAINED_SHARE],
      ] as const) {
        const question = { ...randomArguments(1, width, height, 100), width, height };
        const model = randomModel(architecture, 2, 0.3, undefined, share);
        const result = await using(model, (evaluator) => assertIsReference(evaluator, question));
        assert.ok(new Set(result).size > result.length / 8, 'the network says something');
      }
    });

    it('sizes and conditions in any order', async () => {
      await using(randomModel(uNet([8, 16], 4, 2), 3, 0.3), async (evaluator) => {
        for (const [width, height, level] of [
          [5, 4, 0],
          [1, 1, 1],
          [40, 30, 0],
          [5, 4, 1],
          [3, 9, 0],
          [5, 4, 0],
        ] as const) {
          const condition: Condition = { level, sigma: 100 + level, mode: level === 0 ? 'enter' : 'refine' };
          await assertIsReference(evaluator, {
            ...randomArguments(width, width, height, 50),
            width,
            height,
            condition,
          });
        }
      });
    });

    it('sums at the edge of int32, and observations that are no numbers', async () => {
      const model = randomModel(uNet([8], 4, 1), 1);
      for (const layer of model.architecture.layers) {
        const integers = model.layers.get(layer.name)!;
        const inputs = integers.weights.length / integers.bias.length;
        const limit = sumLimit(model.tensors.get(layer.from)!.bits);
        integers.weights.fill(Math.min(WEIGHT_LIMIT, Math.floor(limit / inputs)));
        integers.weightScale.fill(1e3);
      }
      await using(model, async (evaluator) => {
        for (const value of [1e30, -1e30, Infinity, -Infinity, NaN]) {
          const z = new Float32Array(5 * 4 * 12).fill(value);
          await assertIsReference(evaluator, { z, codes: new Uint8Array(z.length).fill(1), width: 5, height: 4 });
        }
      });
    });

    it('log variances stay within their bounds', async () => {
      const question = { ...randomArguments(1, 6, 6, 300), width: 6, height: 6 };
      const result = await using(randomModel(uNet([8], 4, 1), 5, 30), (each) => assertIsReference(each, question));
      const variances = result.filter((_, i) => i % 24 >= 12);
      assert.equal(Math.min(...variances), LOG_VARIANCE_MIN);
      assert.equal(Math.max(...variances), LOG_VARIANCE_MAX);
      assert.ok(Math.max(...result.filter((_, i) => i % 24 < 12)) > LOG_VARIANCE_MAX, 'corrections are not clamped');
    });

    it('what is unknown does not matter, and neither does what lies beyond the grid', async () => {
      const [width, height, side] = [6, 5, 8];
      const { z, codes } = randomArguments(4, width, height, 100);
      const padded = {
        z: new Float32Array(side * side * 12).fill(9),
        codes: new Uint8Array(side * side * 12).fill(UNKNOWN),
      };
      for (let y = 0; y < height; y++) {
        padded.z.set(z.subarray(y * width * 12, (y + 1) * width * 12), y * side * 12);
        padded.codes.set(codes.subarray(y * width * 12, (y + 1) * width * 12), y * side * 12);
      }
      await using(randomModel(uNet([8, 8, 8], 4, 1), 7, 0.3), async (evaluator) => {
        const small = Float32Array.from(await evaluator.evaluate(z, codes, width, height, CONDITION));
        const large = await evaluator.evaluate(padded.z, padded.codes, side, side, CONDITION);
        for (let y = 0; y < height; y++) {
          const row = small.subarray(y * width * OUTPUT_CHANNELS, (y + 1) * width * OUTPUT_CHANNELS);
          const at = y * side * OUTPUT_CHANNELS;
          assert.deepEqual(bitsOf(row), bitsOf(large.subarray(at, at + row.length)));
        }
      });
    });

    it('a model whose sums could overflow is refused', async () => {
      const model = randomModel(uNet([8, 8], 4, 1), 1);
      for (const layer of model.architecture.layers.filter(({ kind }) => kind === 'conv3x3')) {
        const { weights } = model.layers.get(layer.name)!;
        const before = weights.slice();
        weights.fill(WEIGHT_LIMIT);
        await assert.rejects(create(model), fails('E_DAMAGED_MODEL'));
        weights.set(before);
      }
      await using(model, async () => {});
    });

    it('arguments that make no sense are refused, and all once it is closed', async () => {
      const evaluator = await create(randomModel(uNet([8], 4, 1), 1));
      const [z, codes] = [new Float32Array(12), new Uint8Array(12)];
      const refused = async (...question: Parameters<Evaluator['evaluate']>): Promise<void> =>
        assert.rejects(evaluator.evaluate(...question), fails('E_USAGE'));
      await refused(z, codes, 0, 1, CONDITION);
      await refused(z, codes, 1.5, 1, CONDITION);
      await refused(z, codes, 2, 1, CONDITION);
      await refused(z, codes.subarray(1), 1, 1, CONDITION);
      await refused(z, codes, 1, 1, { ...CONDITION, sigma: 256 });
      await refused(z, codes, 1, 1, { ...CONDITION, level: -1 });
      await evaluator.close();
      await evaluator.close();
      await refused(z, codes, 1, 1, CONDITION);
    });
  });
}
