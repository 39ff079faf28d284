/** A short run over all fuzz targets, and the inputs that once made one fail (test/regressions, named TARGET-HASH). */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { USUAL_HEADER } from '../corpus/header.js';
import { Coverage, fuzz } from '../fuzz/fuzzer.js';
import { mutate } from '../fuzz/mutate.js';
import type { Target } from '../fuzz/target.js';
import { TARGETS } from '../fuzz/targets.js';
import { readContainer, writeHeader } from '../src/container/container.js';
import { DcompError } from '../src/errors.js';
import { assertLimited } from './helpers/limited.js';

const folder = fileURLToPath(new URL('../../test/regressions', import.meta.url));

describe('fuzz targets', () => {
  const regressions = readdirSync(folder).filter((name) => !name.endsWith('.md'));

  it('every regression file belongs to a target', () => {
    for (const name of regressions)
      assert.ok(
        TARGETS.some((target) => name.startsWith(`${target.name}-`)),
        name,
      );
  });

  for (const target of TARGETS) {
    it(`${target.name}: seeds, regressions and changes to them give a result or a DcompError`, async () => {
      const seeds = await target.seeds();
      const inputs = [
        ...seeds,
        ...regressions
          .filter((name) => name.startsWith(`${target.name}-`))
          .map((name) => new Uint8Array(readFileSync(join(folder, name)))),
      ];
      for (const input of inputs) await target.run(input);
      for (const seed of seeds) assert.ok(target.passes(seed), 'a seed is refused at its header');
      const index = fc.nat({ max: inputs.length - 1 });
      const change = target.mutate ?? mutate;
      let runs = 0;
      let passed = 0;
      await assertLimited(
        fc.asyncProperty(index, index, fc.integer(), async (a, b, seed) => {
          const input = change(inputs[a]!, inputs[b]!, seed);
          runs++;
          if (target.passes(input)) passed++;
          await target.run(input);
        }),
        { numRuns: target.share < 1 ? 60 : 300 },
      );
      assert.ok(passed >= runs / 3, `only ${passed} of ${runs} changed inputs are read beyond their header`);
    });
  }

  it('a run finds the way to a fault, tells of it once, and gives an input that repeats it', async () => {
    const header = writeHeader({ ...USUAL_HEADER, width: 5, height: 5 });
    const planted: Target = {
      name: 'planted',
      share: 1,
      seeds: () => [header],
      passes: () => true,
      run(bytes) {
        try {
          if (readContainer(bytes).segments.length > 0) throw new RangeError('planted');
        } catch (error) {
          if (!(error instanceof DcompError)) throw error;
        }
      },
    };
    const coverage = new Coverage();
    await coverage.start();
    const { executions, findings } = await fuzz(planted, { executions: 1000, seed: 1, coverage });
    await coverage.stop();
    assert.ok(executions >= 1000);
    assert.equal(findings.length, 1);
    assert.throws(() => void planted.run(findings[0]!.input), { message: 'planted' });
  });
});
