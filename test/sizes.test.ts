/** Files of given sizes: from one walk or from one each they are the same, and they end with a narrow step. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { readContainer } from '../src/container/container.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture, encodePictureToSizes } from '../src/codec/encoder.js';
import type { EncodeResult } from '../src/codec/encoder-options.js';
import { psnr } from '../src/codec/psnr.js';
import { pyramidSizes, stepsOf } from '../src/diffusion/schedule.js';
import { secondDecode } from './helpers/second-decoder.js';
import { tinyEvaluator } from '../corpus/tiny-model.js';

describe('files of given sizes', () => {
  const evaluator = tinyEvaluator();
  const picture = corpusPicture('scene', { width: 96, height: 80 });
  const sizes = [3000, 60, 900, 1500, 2000, 2200, 2400, 2600, 2800, 2200];

  it('from one walk are those that one encoding each gives, in the order asked for', async () => {
    const together = await encodePictureToSizes(picture, evaluator, sizes, { plain: false, effort: 1 });
    for (const [i, size] of sizes.entries()) {
      const { bytes } = await encodePicture(picture, evaluator, { plain: false, effort: 1, target: { size } });
      assert.deepEqual(together[i]!.bytes, bytes, `${size} bytes`);
    }
  });

  it('fill their size, end with a step of one code where they end within a step, and decode by the document', async () => {
    const made = async (tune: 'eye' | 'psnr'): Promise<EncodeResult[]> =>
      encodePictureToSizes(picture, evaluator, sizes, { plain: false, effort: 1, tune });
    const files = [...(await made('psnr')), ...(await made('eye'))];
    let [tails, settled] = [0, 0];
    for (const [k, { bytes }] of files.entries()) {
      const i = k % sizes.length;
      assert.ok(
        bytes.length <= sizes[i]! && bytes.length >= Math.min(0.99 * sizes[i]!, sizes[i]! - 16),
        `${bytes.length} for ${sizes[i]} bytes`,
      );
      const { schedule } = readContainer(bytes).header;
      if (schedule.tail > 0) tails++;
      if (schedule.settled !== undefined) settled++;
      assert.deepEqual(
        Array.from((await decodePicture(bytes, evaluator)).data),
        await secondDecode(bytes, evaluator),
        `${sizes[i]} bytes`,
      );
    }
    assert.ok(tails >= 3, `${tails} files have a last step of their own`);
    assert.ok(settled >= 3, `${settled} files are settled`);
  });

  it('of several groups, end between them in a step of one code: one group is hardly ahead of the other', async () => {
    const wide = corpusPicture('scene', { width: 780, height: 24 });
    const files = await encodePictureToSizes(
      wide,
      evaluator,
      Array.from({ length: 30 }, (_, i) => 2500 + 67 * i),
      { plain: false, effort: 1, tune: 'psnr' },
    );
    const levels = pyramidSizes(wide.width, wide.height).length - 1;
    let between = 0;
    for (const { bytes } of files) {
      const { header, segments } = readContainer(bytes);
      const units = stepsOf(header.schedule, levels).flatMap((step) =>
        step.level === 0
          ? [
              { step, first: true },
              { step, first: false },
            ]
          : [{ step, first: false }],
      );
      const { step, first } = units[segments.reduce((sum, segment) => sum + segment.units, 0) - 1]!;
      if (!first || step.kind !== 'refine') continue;
      assert.equal(step.from - step.to, 1, `${bytes.length} bytes`);
      between++;
    }
    assert.ok(between >= 5, `${between} files end between two groups`);
  });

  it('a higher quality is never a smaller file, and never noisier', async () => {
    let [size, noise] = [0, Infinity];
    for (let quality = 1; quality <= 100; quality += quality < 30 ? 1 : 7) {
      const { bytes } = await encodePicture(picture, evaluator, { plain: false, effort: 1, target: { quality } });
      assert.ok(bytes.length >= size, `quality ${quality}: ${bytes.length} after ${size} bytes`);
      size = bytes.length;
      const { lastLevel = 0, lastCode } = readContainer(bytes).header.schedule;
      // Below the table a header need not say where the file ends.
      const now = quality < 12 ? Infinity : 256 * lastLevel + lastCode;
      assert.ok(now <= noise, `quality ${quality}`);
      noise = now;
    }
  });

  it('--psnr is reached with little to spare', async () => {
    for (const decibels of [22, 26, 30, 34]) {
      const { bytes } = await encodePicture(picture, evaluator, {
        plain: false,
        effort: 1,
        target: { psnr: decibels },
      });
      const reached = psnr(picture, await decodePicture(bytes, evaluator));
      assert.ok(reached >= decibels && reached < decibels + 0.7, `${reached} dB for ${decibels}`);
    }
  });
});
