/** Smaller pictures from the same file, at the cost of the levels that they take. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { psnr } from '../src/codec/psnr.js';
import { join } from '../src/pixels/picture-planes.js';
import { separate } from './helpers/planes.js';
import { halve } from '../src/pixels/pyramid.js';
import type { Picture } from '../src/picture.js';
import { outcome } from './helpers/outcome.js';
import { tinyEvaluator } from '../corpus/tiny-model.js';

const evaluator = tinyEvaluator();

describe('decode with a scale', () => {
  it('gives u_k, near to the picture made small, for the work of its levels', async () => {
    const picture = corpusPicture('scene', { width: 101, height: 67 });
    const { bytes } = await encodePicture(picture, evaluator, { plain: false, effort: 1, target: { quality: 60 } });
    const pyramid = [separate(picture).colour];
    while (pyramid.length < 4) pyramid.push(halve(pyramid[pyramid.length - 1]!));
    const full = await decodePicture(bytes, evaluator);
    assert.deepEqual((await decodePicture(bytes, evaluator, { scale: 1 })).data, full.data);
    let { work } = full;
    for (const [level, u] of pyramid.entries()) {
      if (level === 0) continue;
      const small = await decodePicture(bytes, evaluator, { scale: 0.5 ** level });
      assert.deepEqual([small.width, small.height, small.channels], [u.width, u.height, 3]);
      const decibels = psnr(join(u, 3, undefined) as Picture, small);
      assert.ok(decibels > 20, `level ${level}: ${decibels} dB`);
      assert.ok(small.work < 0.6 * work, `level ${level}: ${small.work} after ${work}`);
      work = small.work;
      // What is told of finer levels does not matter; a file that ends before goes the usual way.
      const cut = Math.floor(0.98 * bytes.length);
      assert.deepEqual(
        (await decodePicture(bytes, evaluator, { scale: 0.5 ** level, maxBytes: cut })).data,
        small.data,
      );
      const early = await decodePicture(bytes, evaluator, { scale: 0.5 ** level, maxBytes: 60 });
      assert.deepEqual([early.width, early.height], [u.width, u.height]);
    }
  });

  it('makes alpha small too, and refuses scales that there are not', async () => {
    const picture = corpusPicture('grey-alpha-disc', { width: 33, height: 30 });
    const { bytes } = await encodePicture(picture, evaluator, { plain: false, effort: 1, target: { quality: 20 } });
    const small = await decodePicture(bytes, evaluator, { scale: 0.5 });
    assert.deepEqual([small.width, small.height, small.channels], [17, 15, 2]);
    for (const [x, y] of [
      [0, 0],
      [8, 7],
      [15, 3],
    ] as const) {
      const at = (i: number, j: number): number => picture.data[2 * ((2 * y + j) * 33 + 2 * x + i) + 1]!;
      assert.equal(small.data[2 * (y * 17 + x) + 1], (at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1) + 2) >> 2);
    }
    for (const scale of [0, 0.3, 2, NaN, -1, 1 / 64])
      assert.equal(await outcome(() => decodePicture(bytes, evaluator, { scale })), 'E_USAGE', `scale ${scale}`);
  });
});
