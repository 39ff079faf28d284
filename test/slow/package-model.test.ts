/** Promises that hold for a trained model alone: checked on the large one of the package. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { CORPUS, corpusPicture } from '../../corpus/pictures.js';
import { decode, encode, psnr, release } from '../../src/node.js';
import { inKind } from '../helpers/arbitrary.js';

describe('the model of the package', () => {
  after(() => release());

  it('makes a longer prefix on average over the corpus never worse', async () => {
    // A quarter more bytes each time, from 0.05 bits per pixel on.
    const rates = Array.from({ length: 16 }, (_, i) => 0.05 * 1.25 ** i);
    const sums = new Float64Array(rates.length);
    for (const { name, width, height } of CORPUS) {
      const picture = inKind(corpusPicture(name, { width: Math.min(width, 128), height: Math.min(height, 96) }), 3);
      const pixels = picture.width * picture.height;
      const { bytes } = await encode(picture, { effort: 3, model: 'large', target: { bitsPerPixel: 1.5 } });
      for (const [i, rate] of rates.entries()) {
        const back = await decode(bytes, { maxBytes: Math.max(40, Math.floor((rate * pixels) / 8)) });
        sums[i]! += Math.min(60, psnr(picture, back)) / CORPUS.length;
      }
    }
    const shown = [...sums].map((value) => value.toFixed(2)).join(', ');
    for (let i = 1; i < sums.length; i++) assert.ok(sums[i]! >= sums[i - 1]!, `PSNR by length: ${shown}`);
  });
});
