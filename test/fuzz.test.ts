/** A short run over all fuzz targets, and the inputs that once made one fail (test/regressions, named TARGET-HASH). */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { mutate } from '../fuzz/mutate.js';
import { TARGETS } from '../fuzz/targets.js';

const folder = fileURLToPath(new URL('../../test/regressions', import.meta.url));

describe('fuzz targets', () => {
  const regressions = readdirSync(folder).filter((name) => !name.endsWith('.md'));

  it('every regression file belongs to a target', () => {
    for (const name of regressions) assert.ok(TARGETS.some((target) => name.startsWith(`${target.name}-`)), name);
  });

  for (const target of TARGETS) {
    it(`${target.name}: seeds, regressions and changes to them give a result or a DcompError`, async () => {
      const seeds = await target.seeds();
      const inputs = [...seeds, ...regressions.filter((name) => name.startsWith(`${target.name}-`)).map((name) => new Uint8Array(readFileSync(join(folder, name))))];
      for (const input of inputs) await target.run(input);
      const index = fc.nat({ max: inputs.length - 1 });
      await fc.assert(
        fc.asyncProperty(index, index, fc.integer(), async (a, b, seed) => target.run(mutate(inputs[a]!, inputs[b]!, seed))),
        { numRuns: target.share < 1 ? 60 : 500 },
      );
    });
  }
});
