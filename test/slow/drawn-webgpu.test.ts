/** Pictures that are drawn by `dcomp/diffusion` are on a GPU, or on what plays one, those of the processor, in Node and in a browser. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { release } from '../../src/diffusion-node.js';
import { noBrowser } from '../helpers/chromium.js';
import { drawnHere, EXPECTED, hashesOfDrawn } from '../helpers/drawn.js';
import { testedGpu } from '../helpers/gpu.js';
import { hasAdapter, openModulePage } from '../helpers/module-page.js';

describe('pictures that are drawn on a GPU are those of the processor', () => {
  after(() => release());

  it('in Node', async (test) => {
    const gpu = await testedGpu();
    if (typeof gpu === 'string') return test.skip(gpu);
    await gpu.close();
    assert.deepEqual(await drawnHere('webgpu'), EXPECTED);
  });

  it('in a browser', { skip: noBrowser }, async (test) => {
    const { page, complaints, close } = await openModulePage(true);
    try {
      if (!(await hasAdapter(page))) return test.skip('this browser has no WebGPU');
      const asked = { entry: '/dist/src/diffusion-browser.js', engine: 'webgpu' } as const;
      assert.deepEqual(await page.evaluate(hashesOfDrawn, asked), EXPECTED);
      assert.deepEqual(complaints, []);
    } finally {
      await close();
    }
  });
});
