/** Regions of interest: what the blocks' lags are, and that the bits go where they should. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { rectangleOf } from './helpers/crops.js';
import { assertLimited } from './helpers/limited.js';
import { corpusPicture } from '../corpus/pictures.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { inspectFile } from '../src/codec/inspect.js';
import {
  LAG_BLOCK,
  LAG_STEP,
  lagsOfInPieces,
  MAX_LAG,
  readLags,
  writeLagsInPieces,
  type Importance,
  type Lags,
  type Region,
} from '../src/codec/region.js';
import { encodePlane } from '../src/entropy/plane.js';
import { DcompError } from '../src/errors.js';
import type { Picture } from '../src/picture.js';
import type { Size } from '../src/math/rectangle.js';
import { finish } from '../src/turns.js';
import type { EncoderOptions } from '../src/codec/encoder-options.js';
import { loadModel } from '../src/models/read-node.js';
import { codeOfError } from './helpers/outcome.js';
import { secondDecode } from './helpers/second-decoder.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { createEvaluator } from '../src/model/wasm/engine.js';
import { tinyEvaluator, tinyModelFile } from '../corpus/tiny-model.js';

const sizes = fc.record({ width: fc.integer({ min: 1, max: 90 }), height: fc.integer({ min: 1, max: 90 }) });
const lagsOf = (importance: Importance, size: Size): Lags => finish(lagsOfInPieces(importance, size));

function squaredError(a: Picture, b: Picture, inside: (x: number, y: number) => boolean): number {
  let sum = 0;
  let n = 0;
  for (let y = 0; y < a.height; y++) {
    for (let x = 0; x < a.width; x++) {
      if (!inside(x, y)) continue;
      for (let c = 0; c < a.channels; c++, n++)
        sum += (a.data[(y * a.width + x) * a.channels + c]! - b.data[(y * a.width + x) * a.channels + c]!) ** 2;
    }
  }
  return sum / n;
}

describe('regions of interest', () => {
  const evaluator = tinyEvaluator();

  it('lags come back from their part', () => {
    assertLimited(
      fc.property(sizes, fc.infiniteStream(fc.constantFrom(0, LAG_STEP, 5 * LAG_STEP, MAX_LAG)), (size, values) => {
        const lags = lagsOf({ mask: new Uint8Array(size.width * size.height) }, size);
        lags.codes = lags.codes.map(() => values.next().value as number);
        assert.deepEqual(readLags(finish(writeLagsInPieces(lags)), size), lags);
      }),
      { numRuns: 50 },
    );
  });

  it('four times the weight is an octave of sigma; the most important blocks do not lag', () => {
    const size = { width: 64, height: 48 };
    const lag = (regions: Region[], x: number, y: number): number => {
      const { columns, codes } = lagsOf({ regions }, size);
      return codes[Math.floor(y / LAG_BLOCK) * columns + Math.floor(x / LAG_BLOCK)]!;
    };
    const region = { x: 20, y: 20, width: 20, height: 4 };
    assert.equal(lag([region], 25, 22), 0);
    assert.equal(lag([region], 0, 0), 16);
    assert.equal(lag([{ x: 14, y: 16, width: 20, height: 17, weight: 1 / 4 }], 25, 22), 16);
    assert.equal(lag([{ ...region, weight: 1 / 4 }], 0, 0), 0);
    assert.equal(
      lag(
        [
          { ...region, weight: 16 },
          { x: 0, y: 0, width: 1, height: 1, weight: 4 },
        ],
        0,
        0,
      ),
      16,
    );
    const mask = new Uint8Array(64 * 48);
    mask[0] = 255;
    const { codes } = lagsOf({ mask }, size);
    assert.deepEqual([codes[0], codes[1]], [0, MAX_LAG / 2]);
    assert.ok(lagsOf({ mask: mask.fill(77) }, size).codes.every((code) => code === 0));
  });

  it('a block lags as far as its most important pixel does: a region that matters less leaves alone what it only touches', () => {
    const size = { width: 75, height: 50 };
    // Two regions: the pixels of the first, if that matters more, are not the second's to spoil.
    assertLimited(
      fc.property(
        fc.array(
          fc.record({
            x: fc.integer({ min: 0, max: 50 }),
            y: fc.integer({ min: 0, max: 30 }),
            width: fc.integer({ min: 1, max: 25 }),
            height: fc.integer({ min: 1, max: 20 }),
            weight: fc.constantFrom(1 / 16, 1 / 4, 4),
          }),
          { minLength: 1, maxLength: 2 },
        ),
        (regions) => {
          const weights = new Float64Array(size.width * size.height).fill(1);
          for (const { x, y, width, height, weight } of regions)
            for (let row = y; row < y + height; row++)
              weights.fill(weight, row * size.width + x, row * size.width + x + width);
          const { columns, codes } = lagsOf({ regions }, size);
          const heaviest = new Float64Array(codes.length);
          for (const [i, weight] of weights.entries()) {
            const b = Math.floor(i / size.width / 16) * columns + Math.floor((i % size.width) / 16);
            heaviest[b] = Math.max(heaviest[b]!, weight);
          }
          const most = Math.max(...heaviest);
          for (const [b, lag] of codes.entries()) assert.ok(lag <= 8 * Math.log2(most / heaviest[b]!), `block ${b}`);
          if (regions.length === 1)
            for (const [b, lag] of codes.entries()) assert.equal(lag, 8 * Math.log2(most / heaviest[b]!), `block ${b}`);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('are at most four different lags, in quarters of an octave, however many weights there are', async () => {
    assertLimited(
      fc.property(sizes, fc.infiniteStream(fc.nat({ max: 255 })), (size, values) => {
        const mask = new Uint8Array(size.width * size.height);
        for (let i = 0; i < mask.length; i++) mask[i] = values.next().value as number;
        const used = [...new Set(lagsOf({ mask }, size).codes)];
        assert.ok(used.length <= 4 && used.includes(0) && used.every((lag) => lag % LAG_STEP === 0), used.join());
      }),
    );
    const size = { width: 96, height: 16 };
    const plane = (samples: number[]): Uint8Array => encodePlane(Uint8Array.from(samples), 6, 1);
    assert.deepEqual([...readLags(plane([0, 1, 5, 16, 0, 1]), size).codes], [0, 4, 20, 64, 0, 4]);
    for (const samples of [
      [0, 1, 2, 3, 4, 0],
      [0, 0, 0, 0, 0, 17],
    ])
      assert.equal(await codeOfError(() => readLags(plane(samples), size)), 'E_DAMAGED_SEGMENT');
  });

  it('what matters is better and the rest worse at the same size; a second decoder sees the same', async () => {
    const picture = corpusPicture('scene', { width: 96, height: 96 });
    const region = { x: 16, y: 16, width: 48, height: 48 };
    const inside = (x: number, y: number): boolean => x >= 16 && x < 64 && y >= 16 && y < 64;
    const options = { plain: false, effort: 1, target: { size: 4000 } };
    const plain = await decodePicture((await encodePicture(picture, evaluator, options)).bytes, evaluator);
    const { bytes } = await encodePicture(picture, evaluator, {
      ...options,
      importance: { regions: [{ ...region, weight: 16 }] },
    });
    const favoured = await decodePicture(bytes, evaluator);
    assert.ok(bytes.length <= 4000);
    assert.ok(squaredError(picture, favoured, inside) < 0.7 * squaredError(picture, plain, inside));
    assert.ok(
      squaredError(picture, favoured, (x, y) => !inside(x, y)) > squaredError(picture, plain, (x, y) => !inside(x, y)),
    );
    for (const length of [bytes.length, bytes.length - 200, bytes.length >> 1]) {
      const { data } = await decodePicture(bytes, evaluator, { maxBytes: length });
      assert.deepEqual(
        Array.from(data),
        await secondDecode(bytes.subarray(0, length), evaluator),
        `other pixels from ${length} bytes`,
      );
    }
  });

  it('what matters is decibels better in the smallest files, too', { timeout: 300_000 }, async () => {
    const small = await createEvaluator(readModelFile(await loadModel('small')));
    const picture = corpusPicture('scene', { width: 192, height: 128 });
    const region = { x: 64, y: 40, width: 64, height: 48, weight: 16 };
    const inside = (x: number, y: number): boolean => x >= 64 && x < 128 && y >= 40 && y < 88;
    for (const target of [{ size: 900 }, { size: 2500 }]) {
      const options = { plain: false, effort: 1, target };
      const plain = await encodePicture(picture, small, options);
      const { bytes } = await encodePicture(picture, small, { ...options, importance: { regions: [region] } });
      assert.ok(bytes.length <= target.size && bytes.length > 0.9 * target.size, `${bytes.length} bytes`);
      const [before, after] = [await decodePicture(plain.bytes, small), await decodePicture(bytes, small)];
      const share = squaredError(picture, after, inside) / squaredError(picture, before, inside);
      assert.ok(share < 0.65, `${target.size} bytes: ${share} times the error`);
    }
    await small.close();
  });

  it('lag at the four finest levels of a straight path; a second decoder sees the same, of the whole, of less, and of a part', async () => {
    const untold = await createEvaluator(readModelFile(tinyModelFile({ sigma: false })));
    await assertLimited(
      fc.asyncProperty(
        fc.record({ width: fc.integer({ min: 9, max: 150 }), height: fc.integer({ min: 9, max: 150 }) }),
        fc.record({ x: fc.integer({ min: 0, max: 8 }), y: fc.integer({ min: 0, max: 8 }) }),
        fc.constantFrom(1 / 64, 1 / 3, 5, 100),
        fc.constantFrom<EncoderOptions>(
          { target: { quality: 20 } },
          { target: { size: 900 } },
          { target: { psnr: 27 } },
        ),
        async (size, corner, weight, options) => {
          const picture = corpusPicture('scene', size);
          const part = {
            ...corner,
            width: (size.width - corner.x + 1) >> 1,
            height: (size.height - corner.y + 1) >> 1,
          };
          const importance = { regions: [{ ...part, weight }] };
          const { bytes } = await encodePicture(picture, untold, { plain: false, effort: 1, importance, ...options });
          const whole = await decodePicture(bytes, untold);
          for (const length of [bytes.length, (3 * bytes.length) >> 2]) {
            const decoded = await decodePicture(bytes, untold, { maxBytes: length });
            assert.deepEqual(Array.from(decoded.data), await secondDecode(bytes.subarray(0, length), untold));
          }
          const cut = await decodePicture(bytes, untold, { crop: part });
          assert.deepEqual(Array.from(cut.data), rectangleOf(whole, part));
        },
      ),
      { numRuns: 6 },
    );
    await untold.close();
  });

  it('a network that is not told sigma evaluates a picture with regions as often as one without, in as many views', async () => {
    const untold = await createEvaluator(readModelFile(tinyModelFile({ sigma: false, classes: 4 })));
    const counted = { ...untold, model: untold.model, evaluations: 0 };
    counted.evaluateRows = (...args) => {
      if (args[4].level === 0) counted.evaluations++;
      return untold.evaluateRows(...args);
    };
    const picture = corpusPicture('scene', { width: 64, height: 64 });
    const evaluations = async (options: object): Promise<number> => {
      const { bytes } = await encodePicture(picture, untold, { effort: 1, target: { quality: 20 }, ...options });
      counted.evaluations = 0;
      const { data, evaluations } = await decodePicture(bytes, counted);
      assert.deepEqual(Array.from(data), await secondDecode(bytes, untold));
      assert.equal(inspectFile(bytes).work!.evaluations, evaluations, 'what info says');
      return counted.evaluations;
    };
    const plain = await evaluations({});
    const region = { x: 16, y: 16, width: 24, height: 24, weight: 16 };
    assert.equal(await evaluations({ importance: { regions: [region] } }), plain);
  });

  it('refuses regions outside, of no size or weight, and masks of another size', async () => {
    const picture = corpusPicture('flat', { width: 20, height: 20 });
    const region = { x: 0, y: 0, width: 5, height: 5 };
    for (const importance of [
      { regions: [{ ...region, x: 16 }] },
      { regions: [{ ...region, width: 0 }] },
      { regions: [{ ...region, y: -1 }] },
      { regions: [{ ...region, weight: 0 }] },
      { regions: [{ ...region, weight: NaN }] },
      { mask: new Uint8Array(399) },
    ]) {
      await assert.rejects(
        encodePicture(picture, evaluator, { importance }),
        (error: DcompError) => error.code === 'E_USAGE',
      );
    }
  });
});
