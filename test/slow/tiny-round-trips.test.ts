/**
 * Round trips of random tiny pictures: all kinds, depths and targets, schedules that refine and straight ones, models that are told
 * sigma and that are not, each limited to a minute. `npm run tiny` does 10 000; DCOMP_ROUND_TRIPS sets another number, DCOMP_MODEL=large
 * or small takes a model of the package alone, DCOMP_SEED another seed.
 */
import assert from 'node:assert/strict';
import { after, it } from 'node:test';
import fc from 'fast-check';
import { tinyModelFile } from '../../corpus/tiny-model.js';
import type { Form } from '../../src/container/container.js';
import { DcompError } from '../../src/errors.js';
import { stripsOf } from '../../src/format.js';
import { hash32 } from '../../src/math/hash.js';
import {
  decode,
  encode,
  info,
  psnr,
  release,
  verify,
  type EncodeOptions,
  type EncodeResult,
  type ModelOptions,
  type Picture,
  type Samples,
} from '../../src/node.js';
import { newSamples, rangeOf } from '../../src/picture.js';
import { withoutHiddenColourInPieces } from '../../src/pixels/hidden-colour.js';
import { finish } from '../../src/turns.js';
import { alphaOf } from '../helpers/planes.js';
import { sampleKinds } from '../helpers/arbitrary.js';

const count = Number(process.env['DCOMP_ROUND_TRIPS'] ?? 1000);
const seed = Number(process.env['DCOMP_SEED'] ?? 1);
const LIMIT = 60_000;

/** By what they have of what a model may have; `small` is the package's. */
const MODELS: Readonly<Record<string, NonNullable<ModelOptions['model']>>> = {
  told: tinyModelFile(),
  'told, straight': tinyModelFile({}, true),
  'untold, straight': tinyModelFile({ sigma: false }),
  small: 'small',
  large: 'large',
};
const only = process.env['DCOMP_MODEL'];
const models = fc.constantFrom(
  ...(only === undefined ? Object.keys(MODELS).filter((name) => name !== 'large') : [only]),
);

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
      fc.constant('lossless' as const),
      fc.oneof(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 255 })).map((maxError) => ({ maxError })),
    ),
    effort: fc.integer({ min: 1, max: 3 }),
    views: fc.constantFrom(1, 2, 4),
    tune: fc.constantFrom('eye', 'psnr'),
    exact: fc.boolean(),
    alphaQuality: number(0, 100),
    pixelHash: fc.boolean(),
    plain: fc.boolean(),
  },
  { requiredKeys: ['target', 'effort'], noNullPrototype: true },
);

/** A picture with what its file has in place of colours that nobody sees. */
function asSeen(picture: Picture, back: Picture, form: Form): Picture {
  const alpha = alphaOf(back);
  if (alpha === undefined || form === 'diffusion') return finish(withoutHiddenColourInPieces(picture, alpha));
  // The plain form takes what costs nothing.
  const data = picture.data.map((sample, i) =>
    alpha[Math.floor(i / picture.channels)] === 0 ? back.data[i]! : sample,
  ) as Samples;
  return { ...picture, data };
}

/** What is promised of every target. */
function assertKept(picture: Picture, back: Picture, { target, exact }: EncodeOptions, file: EncodeResult): void {
  for (const field of ['width', 'height', 'channels', 'depth'] as const) assert.equal(back[field], picture[field]);
  assert.equal(back.data.length, picture.data.length);
  if (target === 'lossless') assert.deepEqual(back.data, picture.data);
  else if ('maxError' in target!) {
    const { channels } = picture;
    for (let i = 0; i < picture.data.length; i++) {
      const isAlpha = channels % 2 === 0 && i % channels === channels - 1;
      const error = Math.abs(back.data[i]! - picture.data[i]!);
      assert.ok(error <= (isAlpha ? 0 : target.maxError), `sample ${i} is ${error} off`);
    }
  } else if ('size' in target!) assert.ok(file.bytes.length <= target.size, `${file.bytes.length} bytes`);
  else if ('psnr' in target!) {
    const seen = exact === true ? picture : asSeen(picture, back, file.form);
    assert.ok(psnr(seen, back) >= target.psnr - 1e-9, `${psnr(seen, back)} dB`);
  }
}

after(() => release());

it(`${count} round trips of tiny pictures: each ends, and gives a picture of its kind that keeps what was asked`, async () => {
  const cases = fc.sample(fc.record({ picture: tiny, options, model: models }), { numRuns: count, seed });
  let slowest = 0;
  let unreachable = 0;
  const failed: string[] = [];
  for (const [i, { picture, options: chosen, model }] of cases.entries()) {
    const about = `seed ${seed}, case ${i}: ${picture.width}×${picture.height}, ${picture.channels} channels of ${picture.depth} bits, model ${model}, ${JSON.stringify(chosen)}`;
    const shared = { threads: 1, model: MODELS[model]!, signal: AbortSignal.timeout(LIMIT) };
    const start = performance.now();
    try {
      const file = await encode(picture, { ...shared, ...chosen });
      const { bytes } = file;
      assertKept(picture, await decode(bytes, shared), chosen, file);
      assert.equal(info(bytes).byteLength, bytes.length);
      assert.equal((await verify(bytes)).state, 'intact');
    } catch (error) {
      // What no file has: sizes below the header's, samples of a thin picture by the network.
      const isThin = chosen.plain === false && stripsOf(picture) > 1;
      if (error instanceof DcompError && (error.code === 'E_UNREACHABLE' || (isThin && error.code === 'E_USAGE')))
        unreachable++;
      else failed.push(`${about}: ${String(error)}`);
    }
    slowest = Math.max(slowest, performance.now() - start);
    if (i % 1000 === 999) console.log(`# ${i + 1} done, slowest ${(slowest / 1000).toFixed(1)} s`);
  }
  console.log(`# ${count} cases, ${unreachable} unreachable, slowest ${(slowest / 1000).toFixed(1)} s`);
  assert.deepEqual(failed, []);
});
