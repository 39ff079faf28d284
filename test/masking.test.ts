/** Contrast masking: what blocks get is the same of a window as of the whole, and as foreseen; the more contrast, the less precise. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { corpusPicture } from '../corpus/pictures.js';
import { gaussian } from '../corpus/random-model.js';
import { tinyModelFile } from '../corpus/tiny-model.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import type { EncoderOptions } from '../src/codec/encoder-options.js';
import {
  EYE_CHROMA,
  EYE_MASKING,
  ForeseenMasking,
  maskedCode,
  maskingInPieces,
  offsetAt,
} from '../src/codec/masking.js';
import { readContainer } from '../src/container/container.js';
import { MAX_MASKING } from '../src/diffusion/schedule.js';
import { MAX_FIRST_CODE } from '../src/format.js';
import { cutOut, gridOf, wholeOf } from '../src/math/rectangle.js';
import { COEFFICIENTS } from '../src/model/architecture.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { createEvaluator } from '../src/model/wasm/engine.js';
import { finish, type Pieces } from '../src/turns.js';
import { rectangleOf } from './helpers/crops.js';
import { assertLimited } from './helpers/limited.js';

const LEAST_CODE = 48;

/** Of a coarser level: coefficients that differ in contrast from place to place. */
function coarseLevel(seed: number, width: number, height: number): Float32Array {
  const normal = gaussian(seed);
  const scales = Array.from({ length: 9 }, () => 2 ** (3 * normal() + 3));
  return Float32Array.from({ length: width * height * COEFFICIENTS }, (_, i) => {
    const [x, y] = [Math.floor(i / COEFFICIENTS) % width, Math.floor(i / COEFFICIENTS / width)];
    return scales[((x >> 3) % 3) + 3 * ((y >> 3) % 3)]! * normal();
  });
}

const cases = fc.record({
  seed: fc.integer(),
  level: fc.integer({ min: 0, max: 3 }),
  width: fc.integer({ min: 1, max: 150 }),
  height: fc.integer({ min: 1, max: 120 }),
  strength: fc.integer({ min: 1, max: MAX_MASKING }),
  place: fc.tuple(fc.double({ min: 0, max: 0.99, noNaN: true }), fc.double({ min: 0, max: 0.99, noNaN: true })),
});

describe('contrast masking', () => {
  it('a window knows of its blocks what the whole does, and both know what was foreseen', () => {
    assertLimited(
      fc.property(cases, ({ seed, level, width, height, strength, place }) => {
        const size = { width, height };
        const grid = gridOf(size);
        const coarse = gridOf(grid);
        const z = coarseLevel(seed, coarse.width, coarse.height);
        const whole = finish(maskingInPieces({ ...wholeOf(coarse), z }, level, size, strength))!;

        const x = 8 * Math.floor((place[0] * coarse.width) / 8);
        const y = 8 * Math.floor((place[1] * coarse.height) / 8);
        const window = { x, y, width: coarse.width - x, height: coarse.height - y };
        const part = finish(
          maskingInPieces({ ...window, z: cutOut(z, wholeOf(coarse), window, COEFFICIENTS) }, level, size, strength),
        )!;

        function* rowsOf(first: number, end: number): Pieces<Float32Array> {
          yield;
          return z.subarray(first * coarse.width * COEFFICIENTS, end * coarse.width * COEFFICIENTS);
        }
        const foreseen = ForeseenMasking.of(rowsOf, coarse, level, strength)!;
        for (let row = 0; row < grid.height; row++) {
          finish(foreseen.at(row));
          for (let column = 0; column < grid.width; column++) {
            const offset = offsetAt(whole, column, row);
            assert.equal(foreseen.offsets[Math.floor(column / foreseen.side)], offset);
            if (row >= 2 * y && column >= 2 * x) assert.equal(offsetAt(part, column, row), offset);
            assert.ok(offset % 2 === 0 && Math.abs(offset) <= 16);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('the more contrast, the higher the code: within what the network knows', () => {
    const offsetOf = (contrast: number): number => {
      const z = Float32Array.from({ length: 16 * COEFFICIENTS }, (_, i) => (i % 3 === 0 ? contrast : 1000));
      const masking = finish(
        maskingInPieces({ ...wholeOf({ width: 4, height: 4 }), z }, 0, { width: 16, height: 16 }, EYE_MASKING),
      )!;
      return offsetAt(masking, 7, 7);
    };
    assert.deepEqual([0, 2, 5, 10, 20, 40, 80, 160, 1e6].map(offsetOf), [-12, -12, -8, -4, 2, 6, 12, 16, 16]);
    assert.deepEqual(
      [maskedCode(100, -16), maskedCode(50, -16), maskedCode(40, -16), maskedCode(235, 16)],
      [84, LEAST_CODE, 40, MAX_FIRST_CODE],
    );
  });

  it('a busy block beside a plain one is measured more precisely than among busy ones; the plain one stays as it is', () => {
    // One row of two cells, of two blocks each: busy and plain, busy and busy.
    const z = Float32Array.from({ length: 8 * 2 * COEFFICIENTS }, (_, i) => {
      const x = Math.floor(i / COEFFICIENTS) % 8;
      return x === 2 || x === 3 ? 0 : 40;
    });
    const size = { width: 32, height: 8 };
    const masking = finish(maskingInPieces({ ...wholeOf({ width: 8, height: 2 }), z }, 0, size, EYE_MASKING))!;
    const [busy, plain, ...others] = [0, 4, 8, 12].map((x) => offsetAt(masking, x, 0));
    assert.equal(plain, -12);
    assert.deepEqual(others, [6, 6]);
    assert.ok(plain < busy! && busy! < 6, `${busy}`);
  });

  it('files for the eye have it, files for PSNR and exact ones do not; a crop is the rectangle of the whole', async () => {
    const evaluator = await createEvaluator(readModelFile(tinyModelFile({ sigma: false })));
    const picture = corpusPicture('scene', { width: 48, height: 40 });
    const spreadOf = async (options: EncoderOptions): Promise<unknown[]> => {
      const { bytes } = await encodePicture(picture, evaluator, { plain: false, effort: 1, ...options });
      const { masking, chroma } = readContainer(bytes).header.schedule;
      return [masking, chroma];
    };
    assert.deepEqual(await spreadOf({ target: { psnr: 30 } }), [undefined, undefined]);
    assert.deepEqual(await spreadOf({ target: { quality: 30 }, tune: 'psnr' }), [undefined, undefined]);
    assert.deepEqual(await spreadOf({ target: 'lossless' }), [undefined, undefined]);
    assert.deepEqual(await spreadOf({ target: { quality: 60 } }), [EYE_MASKING, EYE_CHROMA]);
    // Of several groups, so that a crop leaves some out.
    const wide = corpusPicture('scene', { width: 2100, height: 24 });
    const { bytes } = await encodePicture(wide, evaluator, { plain: false, effort: 1, target: { quality: 60 } });
    const whole = await decodePicture(bytes, evaluator);
    for (const crop of [
      { x: 37, y: 3, width: 50, height: 9 },
      { x: 1201, y: 17, width: 33, height: 7 },
      { x: 2090, y: 0, width: 10, height: 24 },
    ])
      assert.deepEqual(Array.from((await decodePicture(bytes, evaluator, { crop })).data), rectangleOf(whole, crop));
    await evaluator.close();
  });
});
