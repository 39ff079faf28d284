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
}

/**
 * Hashes of the samples of pictures that the package's small model draws. It runs here as in a page, so it knows nothing but
 * its argument.
 */
async function hashesOfDrawn({ entry, engine }: Asked): Promise<Record<string, string>> {
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
    told: await resultOf(samplePicture({ ...common, width: 32, seed: 1, class: 22 })),
    sampled: await resultOf(samplePicture({ ...common, width: 9, height: 13, seed: 2 })),
    tokens: await resultOf(samplePicture({ ...common, width: 48, seed: 1, discrete: true })),
    denoised: await resultOf(denoisePicture(noisy, { ...common, sigma: 20, seed: 3, sampler: 'ancestral' })),
    best: await resultOf(denoisePicture(noisy, { ...common, sigma: 20, sampler: 'mean' })),
  };
  const hashes: Record<string, string> = {};
  for (const [name, { data }] of Object.entries(drawn)) {
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

describe('pictures that are drawn are the same', () => {
  it('in Node', async () => {
    assert.deepEqual(await hashesOfDrawn({ entry: entryOf('diffusion-node.js'), engine: 'wasm' }), EXPECTED);
  });

  it('in Node, on a GPU', async (test) => {
    const gpu = await testedGpu();
    if (typeof gpu === 'string') return test.skip(gpu);
    await gpu.close();
    assert.deepEqual(await hashesOfDrawn({ entry: entryOf('diffusion-node.js'), engine: 'webgpu' }), EXPECTED);
  });

  for (const engine of ['wasm', 'webgpu'] as const)
    it(`in a browser, by ${engine}`, { skip: noBrowser }, async (test) => {
      const { page, complaints, close } = await openModulePage(engine === 'webgpu');
      try {
        if (engine === 'webgpu' && !(await hasAdapter(page))) return test.skip('this browser has no WebGPU');
        assert.deepEqual(
          await page.evaluate(hashesOfDrawn, { entry: '/dist/src/diffusion-browser.js', engine }),
          EXPECTED,
        );
        assert.deepEqual(complaints, []);
      } finally {
        await close();
      }
    });
});
