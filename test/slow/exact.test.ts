/**
 * Exact files at length: 2000 random pictures of all kinds and depths (DCOMP_PICTURES sets another number, DCOMP_SEED another
 * seed), the whole PngSuite, the whole corpus, and every prefix of a file.
 */
import { after, it } from 'node:test';
import fc from 'fast-check';
import { CORPUS, corpusPicture } from '../../corpus/pictures.js';
import { release } from '../../src/node.js';
import { picturesOfAnyDepth } from '../helpers/arbitrary.js';
import { codedBehindSteps, comesBack, prefixesDecode } from '../helpers/exact-cases.js';
import { assertLimited } from '../helpers/limited.js';
import { pngSuite } from '../helpers/png-suite.js';

const numRuns = Number(process.env['DCOMP_PICTURES'] ?? 2000);
const seed = process.env['DCOMP_SEED'];

after(() => release());

it('random pictures come back, by the network, without loss or within an error', async () => {
  await assertLimited(
    fc.asyncProperty(
      picturesOfAnyDepth(32),
      fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 32 }) }),
      (picture, maxError) => comesBack(picture, maxError),
    ),
    { numRuns, ...(seed === undefined ? {} : { seed: Number(seed) }) },
  );
});

it('the PngSuite comes back', async () => {
  for (const { name, expected } of pngSuite()) if (typeof expected !== 'string') await comesBack(expected, 0, name);
});

it('the corpus comes back', async () => {
  for (const { name } of CORPUS) await comesBack(corpusPicture(name), 0, name);
});

it('every prefix decodes', async () => {
  await prefixesDecode(await codedBehindSteps(corpusPicture('scene', { width: 26, height: 19 })), 1);
});
