/** How errors are spread over levels: for the eye, or for PSNR. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { ssimulacra2 } from '../src/metrics/ssimulacra2.js';
import { psnrRgb } from '../eval/metrics/psnr.js';
import { corpusPicture } from '../corpus/pictures.js';
import { aheadAt } from '../src/codec/straight.js';
import { readContainer } from '../src/container/container.js';
import { FINEST_FIRST_CODE, MAX_AHEAD } from '../src/diffusion/schedule.js';
import { MAX_FIRST_CODE } from '../src/format.js';
import { decode, encode, release } from '../src/node.js';

describe('tune', () => {
  after(() => release());

  it('spreads errors in steps that the header can state, more the more noise there is', () => {
    for (const tune of ['eye', 'psnr'] as const) {
      let before = aheadAt(tune, FINEST_FIRST_CODE);
      for (let code = FINEST_FIRST_CODE; code <= MAX_FIRST_CODE; code++) {
        const ahead = aheadAt(tune, code);
        for (const [i, codes] of ahead.entries()) {
          assert.ok(codes >= before[i]! && codes <= MAX_AHEAD, `${tune}, ${code}`);
        }
        before = ahead;
      }
    }
  });

  it('is for the eye by default, and worth its while in what it is for', { timeout: 300_000 }, async () => {
    const picture = corpusPicture('scene', { width: 256, height: 192 });
    const target = { bitsPerPixel: 1.2 };
    const scores = [];
    for (const tune of ['eye', 'psnr'] as const) {
      const { bytes } = await encode(picture, { plain: false, model: 'small', target, tune });
      const decoded = await decode(bytes);
      scores.push({ eye: ssimulacra2(picture)(decoded)!, psnr: psnrRgb(picture, decoded) });
    }
    const [eye, psnr] = scores;
    assert.ok(eye!.eye > psnr!.eye + 0.5, `SSIMULACRA 2: ${eye!.eye}, ${psnr!.eye}`);
    assert.ok(psnr!.psnr > eye!.psnr, `PSNR: ${psnr!.psnr}, ${eye!.psnr}`);
    const { bytes } = await encode(picture, { plain: false, model: 'small', effort: 1, target: { quality: 50 } });
    const { firstCode, ahead } = readContainer(bytes).header.schedule.straight!;
    assert.deepEqual(ahead, aheadAt('eye', firstCode));
  });
});
