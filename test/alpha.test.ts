/** Alpha: lossless at 8 and 16 bits, and with fewer values where that is asked for. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { corpusPicture } from '../corpus/pictures.js';
import { finish } from '../src/turns.js';
import { alphaValues, decodeAlpha, encodeAlpha, quantiseAlphaInPieces } from '../src/container/alpha.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { DcompError } from '../src/errors.js';
import { hash32 } from '../src/math/hash.js';
import { withDepth, type Picture, type Samples } from '../src/picture.js';
import { codeOfError } from './helpers/outcome.js';
import { tinyEvaluator } from '../corpus/tiny-model.js';
import { assertLimited } from './helpers/limited.js';

const evaluator = tinyEvaluator();
const alphaOf = ({ channels, data }: Picture): Samples => data.filter((_, i) => i % channels === channels - 1);
const differentValues = (samples: Samples): number => new Set(samples).size;

const planes16 = fc
  .record({
    width: fc.integer({ min: 1, max: 30 }),
    height: fc.integer({ min: 1, max: 30 }),
    seed: fc.nat(),
    shift: fc.constantFrom(0, 4, 8),
  })
  .map(({ width, height, seed, shift }) => ({
    width,
    height,
    alpha: Uint16Array.from(
      { length: width * height },
      (_, i) => ((Math.imul(i + seed, 0x9e3779b1) >>> 16) >> shift) * (1 << shift),
    ),
  }));

describe('alpha', () => {
  it('of 16 bits comes back', () => {
    assertLimited(
      fc.property(planes16, ({ width, height, alpha }) => {
        assert.deepEqual(decodeAlpha(encodeAlpha(alpha, width, height), width, height, 16), alpha);
      }),
    );
  });

  it('of many pixels takes no more of the JavaScript heap than of few', () => {
    const program = `
      import { decodeAlpha, encodeAlpha } from '${new URL('../src/container/alpha.js', import.meta.url).href}';
      const side = 4000;
      const alpha = new Uint16Array(side * side).fill(0xabcd);
      if (decodeAlpha(encodeAlpha(alpha, side, side), side, side, 16).some((sample) => sample !== 0xabcd)) throw 'other';`;
    execFileSync(process.execPath, ['--max-old-space-size=32', '--input-type=module', '-e', program]);
  });

  it('of 16 bits that is scaled from 8 costs 3 bytes more than that', () => {
    const alpha = alphaOf(corpusPicture('rgba-balls', { width: 60, height: 50 })) as Uint8Array;
    const wide = Uint16Array.from(alpha, (sample) => sample * 257);
    assert.ok(encodeAlpha(wide, 60, 50).length <= encodeAlpha(alpha, 60, 50).length + 4);
  });

  it('that is damaged or cut is told of, or gives a plane of the right size', () => {
    const alpha = Uint16Array.from({ length: 600 }, (_, i) => Math.imul(i, 40503) & 0xffff);
    const coded = encodeAlpha(alpha, 30, 20);
    const known = (error: unknown): boolean =>
      error instanceof DcompError && ['E_TRUNCATED', 'E_DAMAGED_SEGMENT'].includes(error.code);
    for (let n = 0; n < coded.length; n++) assert.throws(() => decodeAlpha(coded.subarray(0, n), 30, 20, 16), known);
    for (let n = 0; n < coded.length; n++) {
      const damaged = coded.slice();
      damaged[n]! ^= 1 << (n & 7);
      try {
        assert.equal(decodeAlpha(damaged, 30, 20, 16).length, 600);
      } catch (error) {
        assert.ok(known(error), String(error));
      }
    }
  });

  it('quantised has at most so many values, keeps its ends, and more values are nearer', () => {
    for (const depth of [8, 16] as const) {
      const scale = depth === 16 ? 257 : 1;
      assertLimited(
        fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
          const alpha = depth === 8 ? bytes : Uint16Array.from(bytes, (sample) => sample * scale);
          let before = Infinity;
          for (const levels of [2, 8, 32, 256]) {
            const kept = finish(quantiseAlphaInPieces(alpha, depth, levels));
            assert.ok(differentValues(kept) <= levels);
            const ends = (samples: Samples): number[] => [Math.min(...samples), Math.max(...samples)];
            assert.deepEqual(ends(kept), ends(alpha));
            const error = Array.from(kept).reduce((sum, sample, i) => sum + (sample - alpha[i]!) ** 2, 0);
            // Lloyd's rounds find a local optimum only.
            assert.ok(error <= 1.1 * before + 1, `${levels} levels: ${error} after ${before}`);
            before = error;
          }
          assert.equal(before, 0);
        }),
        { numRuns: 50 },
      );
    }
  });

  it('has a quality: fewer values and fewer bytes, with 100 all of them', async () => {
    assert.deepEqual([0, 70, 99].map(alphaValues), [2, 16, 248]);
    const picture = corpusPicture('rgba-balls', { width: 64, height: 48 });
    // Soft and noisy, so that many values are there to lose.
    for (let i = 0; i < 64 * 48; i++)
      picture.data[4 * i + 3] = Math.max(0, Math.min(255, 4 * (i % 64) + (hash32(1, i) & 31) - 16));
    for (const depth of [8, 16] as const) {
      const source = withDepth(picture, depth);
      let before = 0;
      for (const alphaQuality of [0, 30, 70, 100]) {
        const { bytes } = await encodePicture(source, evaluator, {
          plain: false,
          effort: 1,
          target: { quality: 5 },
          alphaQuality,
        });
        const alpha = alphaOf(await decodePicture(bytes, evaluator));
        if (alphaQuality === 100) assert.deepEqual(alpha, alphaOf(source));
        else assert.ok(differentValues(alpha) <= alphaValues(alphaQuality));
        assert.ok(bytes.length > before, `alpha quality ${alphaQuality}: ${bytes.length} bytes`);
        before = bytes.length;
      }
    }
    for (const alphaQuality of [-1, 101, NaN])
      assert.equal(await codeOfError(() => encodePicture(picture, evaluator, { alphaQuality })), 'E_USAGE');
  });
});
