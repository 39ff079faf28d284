/** Pictures that are drawn where the file tells little: the same everywhere, and as rough as the original. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { tinyEvaluator } from '../corpus/tiny-model.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { createThreadedEvaluator } from '../src/model/wasm/threads-node.js';
import { decode, encode, info, release } from '../src/node.js';
import type { Picture } from '../src/picture.js';
import { separate } from './helpers/planes.js';
import { haar, halve, type Plane } from '../src/pixels/pyramid.js';
import { outcome } from './helpers/outcome.js';

const evaluator = tinyEvaluator();
/** Decibels by which an octave may differ that the file tells. */
const NEAR = 3;

/** Mean square of the brightness details, of the finest levels. */
function power(picture: Picture): number[] {
  let u: Plane = separate(picture).colour;
  return [0, 1].map(() => {
    const { data } = haar(u);
    u = halve(u);
    const details = data.filter((_, i) => i % 12 >= 3 && i % 3 === 0);
    return details.reduce((sum, x) => sum + x * x, 0) / details.length;
  });
}

describe('decode with realism', () => {
  after(() => release());

  it('is the mean at 0, and a mixture of mean and drawn picture in between', { timeout: 600_000 }, async () => {
    for (const [width, height, bitsPerPixel] of [
      [67, 45, 0.12],
      [64, 48, 0.6],
      [33, 20, 3],
    ] as const) {
      const picture = corpusPicture('scene', { width, height });
      const { bytes } = await encodePicture(picture, evaluator, { plain: false, effort: 1, target: { bitsPerPixel } });
      const at = async (realism: number): Promise<ArrayLike<number>> =>
        (await decodePicture(bytes, evaluator, { realism, seed: 5 })).data;
      const mean = await at(0);
      assert.deepEqual(mean, (await decodePicture(bytes, evaluator)).data);
      const [half, whole] = [await at(0.5), await at(1)];
      for (let i = 0; i < mean.length; i++) {
        if ([mean, whole].some((samples) => samples[i] === 0 || samples[i] === 255)) continue;
        assert.ok(Math.abs(half[i]! - (mean[i]! + whole[i]!) / 2) <= 1, `${width}×${height}, sample ${i}`);
      }
    }
  });

  it('depends on the file and the seed alone', { timeout: 600_000 }, async () => {
    const picture = corpusPicture('scene', { width: 96, height: 70 });
    const { bytes } = await encodePicture(picture, evaluator, { plain: false, effort: 1, target: { quality: 30 } });
    const drawn = (seed: number): Promise<{ data: ArrayLike<number> }> =>
      decodePicture(bytes, evaluator, { realism: 1, seed });
    const first = (await drawn(1)).data;
    assert.deepEqual((await drawn(1)).data, first);
    assert.notDeepEqual((await drawn(2)).data, first);
    const threaded = await createThreadedEvaluator(evaluator.model, { threads: 3 });
    try {
      assert.deepEqual((await decodePicture(bytes, threaded, { realism: 1, seed: 1 })).data, first);
    } finally {
      await threaded.close();
    }
  });

  it('is as rough as the original where the mean is smooth', { timeout: 300_000 }, async () => {
    const picture = corpusPicture('scene', { width: 160, height: 120 });
    const { bytes } = await encode(picture, { plain: false, model: 'small', target: { bitsPerPixel: 0.1 } });
    const [truth, mean, drawn] = [
      power(picture),
      power(await decode(bytes)),
      power(await decode(bytes, { realism: 1 })),
    ];
    for (const [k, original] of truth.entries()) {
      const decibels = (of: number[]): number => Math.abs(10 * Math.log10(of[k]! / original));
      const most = k === 0 ? 0.6 * decibels(mean) : NEAR; // the second octave is told nearly as it is
      assert.ok(decibels(drawn) < most, `octave ${k}: ${decibels(drawn)} dB, mean ${decibels(mean)}`);
    }
  });

  it('takes no more work than is told beforehand', { timeout: 600_000 }, async () => {
    const picture = corpusPicture('scene', { width: 96, height: 70 });
    for (const quality of [10, 50]) {
      const { bytes } = await encodePicture(picture, evaluator, { plain: false, effort: 1, target: { quality } });
      const { megapixels } = info(bytes).work!;
      assert.equal(
        await outcome(() => decodePicture(bytes, evaluator, { realism: 1, maxWork: megapixels })),
        'E_TOO_LARGE',
      );
      await decodePicture(bytes, evaluator, { realism: 1 });
    }
  });

  it('refuses parts of the picture, and what is no share', async () => {
    const picture = corpusPicture('scene', { width: 32, height: 20 });
    const { bytes } = await encodePicture(picture, evaluator, { plain: false, effort: 1, target: { quality: 30 } });
    const crop = { x: 1, y: 1, width: 4, height: 4 };
    for (const options of [
      { realism: 0.5, crop },
      { realism: 0.5, scale: 0.5 },
      { realism: -1 },
      { realism: 1.1 },
      { realism: NaN },
      { realism: 1, seed: 1.5 },
      { realism: 1, seed: -1 },
      { realism: 1, seed: 2 ** 32 },
    ])
      assert.equal(await outcome(() => decodePicture(bytes, evaluator, options)), 'E_USAGE', JSON.stringify(options));
    assert.equal((await decodePicture(bytes, evaluator, { realism: 0, crop })).width, 4);
  });
});
