/** Exact files through the steps of the network: of all kinds, depths and sizes, whole and cut; and none that grows. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { CORPUS, corpusPicture } from '../corpus/pictures.js';
import { encode, release } from '../src/node.js';
import { picturesOfAnyDepth } from './helpers/arbitrary.js';
import { codedBehindSteps, comesBack, drawings, otherwise, prefixesDecode } from './helpers/exact-cases.js';
import { assertLimited } from './helpers/limited.js';
import { pngSuite } from './helpers/png-suite.js';

describe('exact files behind the steps of the network', () => {
  after(() => release());

  it('give every sample back of the PngSuite: each fourth file here, all in the slow tests', async () => {
    const files = pngSuite().filter(({ expected }) => typeof expected !== 'string');
    assert.ok(files.length > 150);
    for (const [i, { name, expected }] of files.entries())
      if (i % 4 === 0 && typeof expected !== 'string') await comesBack(expected, 0, name);
  });

  it('give every sample back of the corpus, a quarter of the size', async () => {
    for (const { name, width, height } of CORPUS)
      await comesBack(corpusPicture(name, { width: (width + 3) >> 2, height: (height + 3) >> 2 }), 0, name);
  });

  it('give random pictures back, of all kinds and depths, within any error from 0 to 32', async () => {
    await assertLimited(
      fc.asyncProperty(
        picturesOfAnyDepth(20),
        fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 32 })),
        (picture, maxError) => comesBack(picture, maxError),
      ),
      { numRuns: 30 },
    );
  });

  it('of several groups, and cut in the middle of each', async () => {
    for (const [width, height] of [
      [1540, 9],
      [10, 790],
    ] as const) {
      const picture = corpusPicture('scene', { width, height });
      await comesBack(picture);
      const bytes = await codedBehindSteps(picture);
      await prefixesDecode(bytes, Math.ceil(bytes.length / 7));
    }
  });

  it('decode wherever they end, and say that they are not whole', async () => {
    const bytes = await codedBehindSteps(corpusPicture('scene', { width: 26, height: 19 }));
    await prefixesDecode(bytes, 31);
    await prefixesDecode(bytes.subarray(0, bytes.length - 1), bytes.length - 2);
  });

  it('of drawings, text and noise take at most 2 % more than the smaller of PNG and the samples', async () => {
    const glyphs = corpusPicture('glyphs');
    for (const [name, picture] of Object.entries({ ...drawings(), glyphs, noise: corpusPicture('noise') })) {
      const depth = picture.data.every((v) => v === 0 || v === 255) ? 1 : 8;
      const { png, stored } = otherwise(picture, depth);
      const { bytes } = await encode(picture, { target: 'lossless', model: 'small', threads: 1, effort: 1 });
      // The header, the part that promises exactness and the hash of the pixels.
      assert.ok(
        bytes.length <= 1.02 * Math.min(png, stored) + 80,
        `${name}: ${bytes.length} bytes; PNG ${png}, stored ${stored}`,
      );
    }
  });
});
