/** Pictures that are drawn by `dcomp/diffusion` have the same samples in Node and in a browser; on a GPU: test/slow/drawn-webgpu.test.ts. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { release } from '../src/diffusion-node.js';
import { noBrowser } from './helpers/chromium.js';
import { drawnHere, EXPECTED, hashesOfDrawn } from './helpers/drawn.js';
import { openModulePage } from './helpers/module-page.js';

describe('pictures that are drawn are the same', () => {
  after(() => release());

  it('in Node', async () => {
    assert.deepEqual(await drawnHere('wasm'), EXPECTED);
  });

  it('in a browser', { skip: noBrowser }, async () => {
    const { page, complaints, close } = await openModulePage(false);
    try {
      const asked = { entry: '/dist/src/diffusion-browser.js', engine: 'wasm' } as const;
      assert.deepEqual(await page.evaluate(hashesOfDrawn, asked), EXPECTED);
      assert.deepEqual(complaints, []);
    } finally {
      await close();
    }
  });
});
