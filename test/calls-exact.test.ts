/** Every target ends, also of pictures that come out exactly: one colour, and so small that their last step leaves no error. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { tinyEvaluator } from '../corpus/tiny-model.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import type { LossyTarget as Target } from '../src/codec/encoder-options.js';
import { psnr } from '../src/codec/psnr.js';
import { cbrt, exp2, log2, pow2, power } from '../src/math/exact.js';
import { hash32 } from '../src/math/hash.js';
import { newSamples, rangeOf, type Channels, type Depth, type Picture } from '../src/picture.js';
import { outcome } from './helpers/outcome.js';

const evaluator = tinyEvaluator();

const KINDS: readonly (readonly [Channels, Depth])[] = [
  [1, 1],
  [1, 2],
  [1, 4],
  [1, 8],
  [2, 8],
  [3, 8],
  [4, 8],
  [1, 16],
  [3, 16],
  [4, 16],
];

const TARGETS: readonly Target[] = [
  { psnr: 0.001 },
  { psnr: 20 },
  { psnr: 50 },
  { psnr: 99 },
  { quality: 1 },
  { quality: 100 },
  { bitsPerPixel: 1000 },
  { size: 1 },
  { size: 60 },
];

function filled(width: number, height: number, [channels, depth]: readonly [Channels, Depth], seed: number): Picture {
  const data = newSamples(width * height * channels, depth);
  const most = rangeOf(depth);
  // Of seed 0 to 2 one colour: none, all, half of it; of others noise.
  for (let i = 0; i < data.length; i++)
    data[i] = seed < 3 ? Math.floor(most * [0, 1, 0.5][seed]!) : hash32(seed, i) % (most + 1);
  return { width, height, channels, depth, data };
}

describe('targets of pictures that come out exactly', () => {
  for (const [channels, depth] of KINDS) {
    it(`${channels} channels of ${depth} bits`, { timeout: 300_000 }, async () => {
      for (const [width, height] of [
        [1, 1],
        [2, 1],
        [3, 3],
        [8, 8],
      ] as const) {
        for (const seed of [0, 2, 4]) {
          const picture = filled(width, height, [channels, depth], seed);
          for (const target of TARGETS) {
            const about = `${width}×${height}, seed ${seed}, ${JSON.stringify(target)}`;
            const options = { target, effort: 1, exact: true, plain: false };
            const result = await outcome(() => encodePicture(picture, evaluator, options));
            if (typeof result === 'string') {
              assert.equal(result, 'E_UNREACHABLE', about);
              continue;
            }
            const back = await decodePicture(result.bytes, evaluator);
            if ('psnr' in target) assert.ok(psnr(picture, back) >= target.psnr, about);
          }
        }
      }
    });
  }
});

describe('elementary functions', () => {
  it('end, and say something for what has no logarithm', () => {
    assert.deepEqual([0, -0, Infinity, -1, -Infinity, NaN].map(log2), [-Infinity, -Infinity, Infinity, NaN, NaN, NaN]);
    assert.deepEqual([5e-324, Number.MAX_VALUE, 1, 8].map(log2), [-1074, 1024, 0, 3]);
    for (const f of [exp2, pow2]) {
      assert.deepEqual([Infinity, -Infinity, NaN, 1e300, -1e300, 2000, -2000].map(f), [
        Infinity,
        0,
        NaN,
        Infinity,
        0,
        Infinity,
        0,
      ]);
      assert.deepEqual([-1022, -1, 0, 1, 1023].map(f), [2 ** -1022, 0.5, 1, 2, 2 ** 1023]);
    }
    assert.deepEqual([0, -0, -1, Infinity, NaN].map(cbrt), [0, 0, NaN, NaN, NaN]);
    assert.deepEqual([power(0, 2.4), power(1, 2.4), power(4, 0.5), power(-1, 2)], [0, 1, 2, NaN]);
  });

  it('roots and powers are those of the standard library, nearly', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -126, max: 127, noNaN: true }),
        fc.double({ min: -4, max: 4, noNaN: true }),
        (e, y) => {
          const x = 2 ** e;
          assert.ok(Math.abs(cbrt(x) / Math.cbrt(x) - 1) < 1e-12, `the cube root of ${x}`);
          assert.ok(Math.abs(power(x, y) / x ** y - 1) < 1e-11, `${x} to the power of ${y}`);
        },
      ),
    );
  });
});
