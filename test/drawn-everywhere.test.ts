/** Pictures that are drawn by `dcomp/diffusion` have the same samples in Node and in a browser, on the processor and on a GPU. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import type { EngineName } from '../src/node.js';
import { release } from '../src/diffusion-node.js';
import { noBrowser } from './helpers/chromium.js';
import { root } from './helpers/cli.js';
import { testedGpu } from './helpers/gpu.js';
import { hasAdapter, openModulePage } from './helpers/module-page.js';

const entryOf = (name: string): string => pathToFileURL(join(root, 'dist', 'src', name)).href;
after(() => release());

/** What is asked: which module, and on what its networks are computed. */
interface Asked {
  entry: string;
  engine: EngineName;
  /** Of those below. */
  names: readonly string[];
}

/**
 * Hashes of the samples of pictures that the package's small model draws. It runs here as in a page, so it knows nothing but
 * its argument.
 */
async function hashesOfDrawn({ entry, engine, names }: Asked): Promise<Record<string, string>> {
  const { denoisePicture, normalAt, resultOf, samplePicture } = (await import(
    entry
  )) as typeof import('../src/diffusion-browser.js');
  const common = { model: 'small', engine, threads: 1, steps: 3 } as const;
  const [width, height] = [15, 10];
  const noisy = {
    width,
    height,
    channels: 3 as const,
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => 90 + (i % 97) + 20 * normalAt(1, i)),
  };
  const drawn = {
    told: () => resultOf(samplePicture({ ...common, width: 32, seed: 1, class: 22 })),
    sampled: () => resultOf(samplePicture({ ...common, width: 9, height: 13, seed: 2 })),
    tokens: () => resultOf(samplePicture({ ...common, width: 48, seed: 1, discrete: true })),
    denoised: () => resultOf(denoisePicture(noisy, { ...common, sigma: 20, seed: 3, sampler: 'ancestral' })),
    best: () => resultOf(denoisePicture(noisy, { ...common, sigma: 20, sampler: 'mean' })),
  };
  const hashes: Record<string, string> = {};
  for (const [name, draw] of Object.entries(drawn)) {
    if (!names.includes(name)) continue;
    const { data } = await draw();
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(data)));
    hashes[name] = Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('');
  }
  return hashes;
}

/** By the processor in Node; `told` is what test/classes.test.ts has, too, `tokens` what test/discrete.test.ts has. */
const EXPECTED = {
  told: 'b97d6beb32b24670',
  sampled: 'aff1f0129be20d7f',
  tokens: '1ea8a3c071f7f2f1',
  denoised: 'a2ecab9afaa9d1b8',
  best: '608cfbaf6ad0b0ef',
};

/** A processor that plays a GPU takes a minute for all of them. */
function expectedOn(names: readonly (keyof typeof EXPECTED)[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, EXPECTED[name]]));
}
const ALL = Object.keys(EXPECTED) as (keyof typeof EXPECTED)[];

describe('pictures that are drawn are the same', () => {
  it('in Node', async () => {
    const asked = { entry: entryOf('diffusion-node.js'), engine: 'wasm', names: ALL } as const;
    assert.deepEqual(await hashesOfDrawn(asked), EXPECTED);
  });

  it('in Node, on a GPU', async (test) => {
    const gpu = await testedGpu();
    if (typeof gpu === 'string') return test.skip(gpu);
    await gpu.close();
    const asked = { entry: entryOf('diffusion-node.js'), engine: 'webgpu', names: ['tokens'] } as const;
    assert.deepEqual(await hashesOfDrawn(asked), expectedOn(['tokens']));
  });

  for (const [engine, names] of [
    ['wasm', ALL],
    ['webgpu', ['sampled']],
  ] as const)
    it(`in a browser, by ${engine}`, { skip: noBrowser }, async (test) => {
      const { page, complaints, close } = await openModulePage(engine === 'webgpu');
      try {
        if (engine === 'webgpu' && !(await hasAdapter(page))) return test.skip('this browser has no WebGPU');
        const asked = { entry: '/dist/src/diffusion-browser.js', engine, names };
        assert.deepEqual(await page.evaluate(hashesOfDrawn, asked), expectedOn(names));
        assert.deepEqual(complaints, []);
      } finally {
        await close();
      }
    });
});
