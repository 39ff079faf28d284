/**
 * Round trips of random tiny pictures: all kinds, depths and targets, each limited to a minute. `npm run tiny` does 10 000;
 * DCOMP_ROUND_TRIPS sets another number, DCOMP_MODEL=package takes the model of the package, DCOMP_SEED another seed.
 */
import assert from 'node:assert/strict';
import { after, it } from 'node:test';
import fc from 'fast-check';
import { tinyModelFile } from '../../corpus/tiny-model.js';
import { DcompError } from '../../src/errors.js';
import { hash32 } from '../../src/math/hash.js';
import { decode, encode, info, psnr, release, verify, type EncodeOptions, type Picture } from '../../src/node.js';
import { newSamples, rangeOf } from '../../src/picture.js';
import { sampleKinds } from '../helpers/arbitrary.js';

const count = Number(process.env['DCOMP_ROUND_TRIPS'] ?? 1000);
const seed = Number(process.env['DCOMP_SEED'] ?? 1);
const shared = { threads: 1, ...(process.env['DCOMP_MODEL'] === 'package' ? {} : { model: tinyModelFile() }) };
const LIMIT = 60_000;

const side = fc.integer({ min: 1, max: 16 });
const tiny: fc.Arbitrary<Picture> = fc
  .record({ width: side, height: side, kind: sampleKinds, content: fc.integer({ min: 0, max: 4 }), seed: fc.nat() })
  .map(({ width, height, kind: { channels, depth }, content, seed: key }) => {
    const data = newSamples(width * height * channels, depth);
    const most = rangeOf(depth);
    for (let i = 0; i < data.length; i++) {
      const noise = hash32(key, i) % (most + 1);
      // One colour; noise; two values; a ramp; noise of little contrast.
      data[i] = [key % (most + 1), noise, noise & 1 ? most : 0, Math.floor((i * most) / data.length), noise >> 3][
        content
      ]!;
    }
    return { width, height, channels, depth, data };
  });

const number = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true });
const options: fc.Arbitrary<EncodeOptions> = fc.record(
  {
    target: fc.oneof(
      number(1, 100).map((quality) => ({ quality })),
      fc.constantFrom(1, 5, 10, 50, 90, 100).map((quality) => ({ quality })),
      number(0.01, 1000).map((bitsPerPixel) => ({ bitsPerPixel })),
      fc.integer({ min: 1, max: 2000 }).map((size) => ({ size })),
      number(0.001, 100).map((psnr) => ({ psnr })),
    ),
    effort: fc.integer({ min: 1, max: 3 }),
    views: fc.constantFrom(1, 2, 4),
    alphaQuality: number(0, 100),
    pixelHash: fc.boolean(),
    plain: fc.boolean(),
  },
  { requiredKeys: ['target', 'effort'], noNullPrototype: true },
);

after(() => release());

it(`${count} round trips of tiny pictures: each ends, and gives a picture of its kind that keeps what was asked`, async () => {
  const cases = fc.sample(fc.record({ picture: tiny, options }), { numRuns: count, seed });
  let slowest = 0;
  let unreachable = 0;
  for (const [i, { picture, options: chosen }] of cases.entries()) {
    const about = `seed ${seed}, case ${i}: ${picture.width}×${picture.height}, ${picture.channels} channels of ${picture.depth} bits, ${JSON.stringify(chosen)}`;
    const signal = AbortSignal.timeout(LIMIT);
    const start = performance.now();
    try {
      const { bytes } = await encode(picture, { ...shared, ...chosen, signal });
      const back = await decode(bytes, { ...shared, signal });
      for (const field of ['width', 'height', 'channels', 'depth'] as const)
        assert.equal(back[field], picture[field], about);
      assert.equal(back.data.length, picture.data.length, about);
      assert.equal(info(bytes).byteLength, bytes.length, about);
      assert.equal((await verify(bytes)).state, 'intact', about);
      const { target } = chosen;
      assert.ok(typeof target === 'object');
      if ('size' in target) assert.ok(bytes.length <= target.size, about);
      if ('psnr' in target) assert.ok(psnr(picture, back) >= target.psnr - 1e-9, about);
    } catch (error) {
      assert.ok(error instanceof DcompError && error.code === 'E_UNREACHABLE', `${about}: ${String(error)}`);
      unreachable++;
    }
    slowest = Math.max(slowest, performance.now() - start);
    if (i % 1000 === 999) console.log(`# ${i + 1} done, slowest ${(slowest / 1000).toFixed(1)} s`);
  }
  console.log(`# ${count} cases, ${unreachable} unreachable, slowest ${(slowest / 1000).toFixed(1)} s`);
});
