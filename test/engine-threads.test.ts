import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { DcompError } from '../src/errors.js';
import { DEFAULT_ARCHITECTURE, uNet } from '../src/model/architecture.js';
import { createEvaluator } from '../src/model/wasm/engine.js';
import type { Condition } from '../src/model/inputs.js';
import { MAX_THREADS } from '../src/model/wasm/chunks.js';
import { createThreadedEvaluator } from '../src/model/wasm/threads-node.js';
import { gaussian, randomModel } from '../corpus/random-model.js';

const CONDITION: Condition = { level: 0, sigma: 140, mode: 'refine' };

function randomArguments(seed: number, width: number, height: number): { z: Float32Array; codes: Uint8Array } {
  const next = gaussian(seed);
  const z = new Float32Array(width * height * 12).map(() => 100 * next());
  return { z, codes: new Uint8Array(z.length).map((_, i) => 1 + ((i * 13) % 255)) };
}

test('the result is the same with any number of threads, also more than cores', async () => {
  const model = randomModel(DEFAULT_ARCHITECTURE, 1, 0.3);
  const single = await createEvaluator(model);
  for (const threads of [1, 2, 3, 8]) {
    const evaluator = await createThreadedEvaluator(model, { threads, startAfter: 0 });
    assert.equal(evaluator.threads, threads);
    // The first evaluations begin before the helpers have started; small grids are not shared out at all.
    for (const [width, height] of [
      [40, 24],
      [2, 3],
      [17, 33],
      [40, 24],
      [64, 40],
    ] as const) {
      const { z, codes } = randomArguments(width, width, height);
      const result = await evaluator.evaluate(z, codes, width, height, CONDITION);
      assert.deepEqual(
        result,
        await single.evaluate(z, codes, width, height, CONDITION),
        `${threads} threads, ${width}×${height}`,
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await evaluator.close();
  }
});

test('many evaluations in a row on many threads', async () => {
  const model = randomModel(uNet([64, 64], 4, 2), 2, 0.3);
  const single = await createEvaluator(model);
  const evaluator = await createThreadedEvaluator(model, { threads: 6, startAfter: 0 });
  const { z, codes } = randomArguments(1, 32, 30);
  const expected = Float32Array.from(await single.evaluate(z, codes, 32, 30, CONDITION));
  for (let i = 0; i < 100; i++)
    assert.deepEqual(Float32Array.from(await evaluator.evaluate(z, codes, 32, 30, CONDITION)), expected);
  await evaluator.close();
  await evaluator.close();
});

test('a change of grid between evaluations, with helpers still leaving the one before', async () => {
  const model = randomModel(uNet([64, 64], 4, 2), 2, 0.3);
  const single = await createEvaluator(model);
  const evaluator = await createThreadedEvaluator(model, { threads: 4, startAfter: 0 });
  const grids = (
    [
      [32, 30],
      [48, 46],
      [40, 64],
    ] as const
  ).map(([width, height]) => ({ width, height, ...randomArguments(width, width, height) }));
  const expected: Float32Array[] = [];
  for (const { z, codes, width, height } of grids)
    expected.push(Float32Array.from(await single.evaluate(z, codes, width, height, CONDITION)));
  for (let i = 0; i < 240; i++) {
    const { z, codes, width, height } = grids[i % 3]!;
    assert.deepEqual(
      Float32Array.from(await evaluator.evaluate(z, codes, width, height, CONDITION)),
      expected[i % 3],
      `evaluation ${i}`,
    );
  }
  await evaluator.close();
});

test('a number of threads that makes no sense is refused', async () => {
  const model = randomModel(uNet([8], 4, 1), 1);
  for (const threads of [0, -1, 1.5, NaN, MAX_THREADS + 1]) {
    const isUsage = (error: unknown): boolean => error instanceof DcompError && error.code === 'E_USAGE';
    await assert.rejects(createThreadedEvaluator(model, { threads, startAfter: 0 }), isUsage);
  }
});

/** Runs a script in a process of its own. */
function runs(body: string): string {
  const script = `
    import { createThreadedEvaluator } from ${JSON.stringify(new URL('../src/model/wasm/threads-node.js', import.meta.url).href)};
    import { uNet } from ${JSON.stringify(new URL('../src/model/architecture.js', import.meta.url).href)};
    import { randomModel } from ${JSON.stringify(new URL('../corpus/random-model.js', import.meta.url).href)};
    const evaluator = await createThreadedEvaluator(randomModel(uNet([64, 64], 4, 2), 1), { threads: 4, startAfter: 0 });
    const n = 40 * 40 * 12;
    const condition = { level: 0, sigma: 100, mode: 'refine' };
    const evaluate = () => evaluator.evaluate(new Float32Array(n), new Uint8Array(n).fill(100), 40, 40, condition);
    ${body}
  `;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 600_000,
    encoding: 'utf8',
  });
  assert.equal(result.status, 0, result.stderr);
  return result.stdout;
}

test('idle threads do not keep the process alive, and close ends them while the process goes on', () => {
  const pause = 'await new Promise((resolve) => setTimeout(resolve, 300));';
  assert.equal(runs(`await evaluate(); ${pause} await evaluate(); console.log('end');`), 'end\n');
  assert.equal(runs(`await evaluate(); await evaluator.close(); console.log('closed');`), 'closed\n');
  assert.equal(runs(`await evaluator.close(); console.log('closed at once');`), 'closed at once\n');
});
