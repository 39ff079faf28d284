/**
 * Engines that are chosen: a GPU is taken where it is right, and where it fails another engine goes on in the middle of a picture.
 * That the engine on a GPU is the reference, bit for bit, is for engine-conformance.test.ts to say.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { randomModel, uniform } from '../corpus/random-model.js';
import { DcompError } from '../src/errors.js';
import { OUTPUT_CHANNELS, uNet } from '../src/model/architecture.js';
import { engineOf, rowsOfWhole, type Evaluator } from '../src/model/evaluator.js';
import { SharedGpu } from '../src/model/gpu/choose.js';
import { GpuFailure } from '../src/model/gpu/device.js';
import { FallbackEvaluator } from '../src/model/gpu/fallback.js';
import { advance, planGpu } from '../src/model/gpu/gpu-plan.js';
import type { GpuHost, GpuProgram } from '../src/model/gpu/program.js';
import type { Condition } from '../src/model/inputs.js';
import { createReferenceEvaluator, referenceEvaluate } from '../src/model/integer/reference.js';
import { contextRows, rowsHeld, rowsKept, rowsNeeded } from '../src/model/strips.js';
import { createEngine } from '../src/model/wasm/engine.js';
import { assertLimited } from './helpers/limited.js';
import { randomArchitecture, randomArguments } from './helpers/random-network.js';

const CONDITION: Condition = { level: 0, sigma: 140, mode: 'refine' };
const model = randomModel(uNet([4, 4], 4, 2), 1, 0.3);

/** An evaluator in strips that fails at the n-th call for rows. */
async function failing(of: typeof model, at: number, strip: number): Promise<Evaluator> {
  const inner = await createEngine(of);
  let calls = 0;
  return {
    model: of,
    threads: 1,
    engine: 'a GPU',
    evaluate: () => Promise.reject(new GpuFailure('lost')),
    evaluateRows: (z, codes, width, height, condition, rows) => {
      if (at < 0) throw new GpuFailure('too wide');
      const evaluation = inner.evaluateRows(z, codes, width, height, condition, rows, strip);
      return {
        next: (count) => (calls++ === at ? Promise.reject(new GpuFailure('lost')) : evaluation.next(count)),
      };
    },
    close: () => inner.close(),
  };
}

describe('a GPU that fails', () => {
  it('in the middle of a picture: the rows are the same, whatever became of those given', async () => {
    const settings = fc.record({
      seed: fc.integer(),
      length: fc.integer({ min: 0, max: 6 }),
      width: fc.integer({ min: 1, max: 6 }),
      height: fc.integer({ min: 1, max: 70 }),
      rows: fc.integer({ min: 1, max: 20 }),
      at: fc.integer({ min: -1, max: 6 }),
    });
    await assertLimited(
      fc.asyncProperty(settings, async ({ seed, length, width, height, rows, at }) => {
        const random = randomModel(randomArchitecture(seed, length), seed, 0.3);
        const { z, codes } = randomArguments(seed, width, height, 100);
        const expected = referenceEvaluate(random, z, codes, width, height, CONDITION);
        const evaluator = new FallbackEvaluator(await failing(random, at, 8), () => createReferenceEvaluator(random));
        const evaluation = evaluator.evaluateRows(z, codes, width, height, CONDITION, Math.min(rows, height));
        for (let row = 0; row < height; row += rows) {
          const count = Math.min(rows, height - row);
          const [from, to] = [row, row + count].map((each) => each * width * OUTPUT_CHANNELS);
          assert.deepEqual((await evaluation.next(count)).slice(), expected.slice(from, to), `rows from ${row}`);
          z.fill(7, 0, (row + count) * width * 12);
          codes.fill(3, 0, (row + count) * width * 12);
        }
        await evaluator.close();
      }),
      { numRuns: 40 },
    );
  });

  it('is said, once something else has taken over, and that takes what follows', async () => {
    let made = 0;
    const evaluator = new FallbackEvaluator(await failing(model, 0, 8), () => {
      made++;
      return createReferenceEvaluator(model);
    });
    assert.equal(engineOf(evaluator), 'a GPU');
    const { z, codes } = randomArguments(1, 3, 2, 100);
    for (let i = 0; i < 2; i++) {
      const found = await evaluator.evaluate(z, codes, 3, 2, CONDITION);
      assert.deepEqual(found, referenceEvaluate(model, z, codes, 3, 2, CONDITION));
    }
    assert.equal(made, 1);
    assert.equal(engineOf(evaluator), 'WebAssembly, as the GPU failed: lost');
    await evaluator.close();
  });

  it('errors of the caller are not taken for the GPU', async () => {
    const evaluator = new FallbackEvaluator(await createReferenceEvaluator(model), () => assert.fail());
    const wrong = evaluator.evaluate(new Float32Array(12), new Uint8Array(12), 2, 1, CONDITION);
    await assert.rejects(wrong, (error) => error instanceof DcompError && error.code === 'E_USAGE');
    await evaluator.close();
  });
});

/** A GPU that computes nothing but zeros. */
function wrongHost(closed: () => void): GpuHost {
  const program: GpuProgram = {
    limits: { bufferBytes: 2 ** 30 },
    place: async () => {},
    run: async ({ results }) => new Float32Array(results),
    close: async () => {},
  };
  return {
    about: { name: 'wrong', software: false },
    start: async () => program,
    isLost: () => false,
    close: async () => closed(),
  };
}

describe('the engine that is chosen', () => {
  const other = (): Promise<Evaluator> => createReferenceEvaluator(model);
  const isEnvironment = (error: unknown): boolean => error instanceof DcompError && error.code === 'E_ENVIRONMENT';

  it('is not a GPU that computes wrongly', async () => {
    let closed = 0;
    const gpu = new SharedGpu(async () => wrongHost(() => closed++));
    assert.equal(engineOf(await gpu.createEvaluator(model, 'auto', other)), 'WebAssembly');
    assert.equal(closed, 1);
    await assert.rejects(gpu.createEvaluator(model, 'webgpu', other), isEnvironment);
    assert.equal(closed, 2);
  });

  it('is none that is not there: auto does without, webgpu is refused, wasm does not even ask', async () => {
    let asked = 0;
    const gpu = new SharedGpu(async () => {
      asked++;
      throw new GpuFailure('none');
    });
    await (await gpu.createEvaluator(model, 'wasm', other)).close();
    assert.equal(asked, 0);
    for (let i = 0; i < 2; i++) await (await gpu.createEvaluator(model, 'auto', other)).close();
    assert.equal(asked, 1, 'what is not there is not looked for again');
    await assert.rejects(gpu.createEvaluator(model, 'webgpu', other), isEnvironment);
  });
});

describe('plans for a GPU', () => {
  it('strips find the rows that they need in their buffers, and nothing is computed twice', () => {
    assertLimited(
      fc.property(
        fc.integer(),
        fc.integer({ min: 0, max: 8 }),
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: 1, max: 30 }),
        (seed, length, height, strip) => {
          const architecture = randomArchitecture(seed, length);
          const plan = planGpu(architecture, 5, height, { bufferBytes: 2 ** 27 }, strip)!;
          const ends = new Map<string, number>();
          const next = uniform(seed);
          const lead = plan.whole ? 0 : contextRows(architecture);
          for (let done = -lead; done < height;) {
            const end = Math.min(height, done + (plan.whole ? height : 1 + Math.floor(next() * plan.strip)));
            const kept = rowsKept(architecture, rowsNeeded(architecture, done));
            for (const [tensor, range] of advance(architecture, plan, ends, end)) {
              const rows = plan.tensors.get(tensor)?.rows ?? Infinity;
              const first = Math.max(0, Math.min(kept.get(tensor) ?? range.begin, range.begin));
              assert.ok(range.end - first <= rows || plan.whole, `${tensor}: rows ${first} to ${range.end} in ${rows}`);
              if (tensor === 'input') assert.ok(Math.min(range.end, height) - range.begin <= plan.inputRows);
            }
            done = end;
          }
          assert.equal(ends.get('out'), height);
        },
      ),
    );
  });

  it('buffers are shared by tensors that are not there at the same time, and stay within what the device allows', () => {
    const architecture = uNet([64, 96, 160, 160], 8, 2);
    const limits = { bufferBytes: 2 ** 27 };
    const group = planGpu(architecture, 384, 384, limits)!;
    assert.ok(group.whole && group.buffers.length < group.tensors.size / 2);
    for (const [width, height] of [
      [3000, 2000],
      [10000, 3000],
    ] as const) {
      const plan = planGpu(architecture, width, height, limits)!;
      assert.ok(!plan.whole && plan.buffers.every((bytes) => bytes <= limits.bufferBytes));
      assert.equal(plan.strip, planGpu(architecture, width, 10 * height, limits)!.strip);
      for (const [tensor, rows] of rowsHeld(architecture, plan.strip))
        assert.ok(plan.tensors.get(tensor)!.rows >= Math.min(rows, plan.tensors.get(tensor)!.height));
    }
    assert.equal(planGpu(architecture, 2 ** 24, 8, limits), undefined);
  });

  it('rows of evaluators that know only the whole can fall back as well', async () => {
    const inner = await createReferenceEvaluator(model);
    const close = async (): Promise<void> => {};
    const whole: Evaluator = {
      ...inner,
      close,
      evaluateRows: rowsOfWhole(() => Promise.reject(new GpuFailure('lost'))),
    };
    const { z, codes } = randomArguments(1, 3, 5, 100);
    const rows = new FallbackEvaluator(whole, async () => inner).evaluateRows(z, codes, 3, 5, CONDITION, 2);
    assert.deepEqual(
      (await rows.next(2)).slice(),
      referenceEvaluate(model, z, codes, 3, 5, CONDITION).slice(0, 2 * 3 * OUTPUT_CHANNELS),
    );
  });
});
