/** Thin pictures cost what their pixels cost: they are folded, and nothing of that is seen. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { corpusPicture } from '../corpus/pictures.js';
import { tinyModelFile } from '../corpus/tiny-model.js';
import { codedSize, stripsOf } from '../src/format.js';
import { decode, encode, info, ProgressiveDecoder, psnr, release, type Picture } from '../src/node.js';
import { depthOf } from '../src/picture.js';
import { folded, places, unfolded } from '../src/pixels/fold.js';
import { sampleKinds } from './helpers/arbitrary.js';
import { assertLimited } from './helpers/limited.js';

const model = tinyModelFile();
const decoding = { model, threads: 1 } as const;
const lossy = { ...decoding, effort: 1, plain: false } as const;

/** A line through the scene, of that size. */
function line(width: number, height: number): Picture {
  const scene = corpusPicture('scene', { width: Math.max(200, width), height: Math.max(200, height) });
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const from = ((y + ((scene.height - height) >> 1)) * scene.width + ((scene.width - width) >> 1)) * 3;
    data.set(scene.data.subarray(from, from + width * 3), y * width * 3);
  }
  return { width, height, channels: 3, data };
}

const thinSizes = fc
  .tuple(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 500 }), fc.boolean())
  .map(([short, long, wide]) => (wide ? { width: long, height: short } : { width: short, height: long }));

describe('thin pictures', () => {
  after(() => release());

  it('are folded to what is about square, each pixel once and the last ones to fill it; others stay as they are', () => {
    assertLimited(
      fc.property(thinSizes, (size) => {
        const coded = codedSize(size);
        const [pixels, area] = [size.width * size.height, coded.width * coded.height];
        if (stripsOf(size) === 1) return assert.deepEqual(coded, size);
        assert.ok(Math.max(coded.width, coded.height) <= 2 * Math.min(coded.width, coded.height));
        const short = Math.min(size.width, size.height);
        assert.ok(area >= pixels && area < pixels + short * stripsOf(size));
        const all = [...places(size)];
        assert.equal(new Set(all.map(({ to }) => to)).size, area);
        assert.ok(all.every(({ to }) => to < area));
        const own = all.filter(({ beyond }) => !beyond);
        assert.equal(own.length, pixels);
        assert.equal(new Set(own.map(({ from }) => from)).size, pixels);
        for (const { from, to } of all) {
          // Neighbours in what is coded along a strip are neighbours in the picture.
          if (to % 37 > 0 || (size.width > size.height && to % coded.width === coded.width - 1)) continue;
          const next = all.find((each) => each.to === to + (size.width > size.height ? 1 : coded.width));
          if (next === undefined) continue;
          const distance = Math.abs((next.from % size.width) - (from % size.width));
          const down = Math.abs(Math.floor(next.from / size.width) - Math.floor(from / size.width));
          assert.ok(distance + down <= 1, `${from} and ${next.from}`);
        }
      }),
      { numRuns: 40 },
    );
    for (const size of [
      { width: 9, height: 5000 },
      { width: 8, height: 49 },
      { width: 1, height: 1 },
      { width: 6, height: 7 },
    ])
      assert.equal(stripsOf(size), 1);
  });

  it('come back from folding as they were, of any kind and depth', () => {
    assertLimited(
      fc.property(thinSizes, sampleKinds, (size, { channels, depth }) => {
        const length = size.width * size.height * channels;
        const range = 2 ** depth - 1;
        const data = (depth === 16 ? new Uint16Array(length) : new Uint8Array(length)).map(
          (_, i) => (i * 7919) & range,
        );
        const picture: Picture = { ...size, channels, depth, data };
        const coded = { ...folded(picture), depth: depthOf(picture) };
        for (const { to, beyond } of places(size))
          if (stripsOf(size) > 1 && beyond) coded.data.fill(0, to * channels, (to + 1) * channels);
        assert.deepEqual(unfolded(coded, size).data, data, 'whatever lies beyond the end');
      }),
      { numRuns: 40 },
    );
  });

  it('have work and bytes by their pixels', async () => {
    for (const [width, height] of [
      [1, 1000],
      [2000, 2],
      [500, 6],
    ] as const) {
      const side = Math.ceil(Math.sqrt(width * height));
      const picture = line(width, height);
      const [thin, square] = [
        await encode(picture, { ...lossy, target: { quality: 73 } }),
        await encode(corpusPicture('scene', { width: side, height: side }), { ...lossy, target: { quality: 73 } }),
      ];
      const works = [thin, square].map(({ bytes }) => info(bytes).work!.megapixels);
      assert.ok(works[0]! <= 2 * works[1]!, `${works[0]} megapixels, a square ${works[1]}`);
      assert.ok(thin.bytes.length <= 1.5 * square.bytes.length + 20, `${thin.bytes.length}, ${square.bytes.length}`);
      const back = await decode(thin.bytes, decoding);
      assert.deepEqual([back.width, back.height], [width, height]);
      assert.ok(psnr(picture, { ...back, depth: 8 }) > 25);
    }
  });

  it('65535×2 of one colour takes little', async () => {
    const black: Picture = { width: 65535, height: 2, channels: 1, data: new Uint8Array(65535 * 2) };
    const { bytes, form } = await encode(black, { ...decoding, target: { quality: 50 } });
    assert.equal(form, 'plain');
    assert.ok(bytes.length < 400, `${bytes.length} bytes`);
    assert.ok(info((await encode(line(5000, 2), lossy)).bytes).work!.megapixels < 0.6);
  });

  it('reach decibels and sizes, in parts, sizes and portions, with regions and alpha', async () => {
    const picture = line(3, 300);
    for (const goal of [24, 30]) {
      const { bytes } = await encode(picture, { ...lossy, target: { psnr: goal } });
      assert.ok(psnr(picture, await decode(bytes, decoding)) >= goal);
    }
    const rgba: Picture = {
      ...picture,
      channels: 4,
      data: new Uint8Array(3600).map((_, i) => (i % 4 === 3 ? (i >> 2) & 255 : picture.data[i % 2700]!)),
    };
    const importance = { regions: [{ x: 1, y: 40, width: 2, height: 60, weight: 16 }] };
    const { bytes } = await encode(rgba, { ...lossy, target: { size: 900 }, importance });
    assert.ok(bytes.length <= 900);
    const whole = await decode(bytes, decoding);
    assert.ok(whole.data.every((v, i) => i % 4 < 3 || v === rgba.data[i]));
    const crop = { x: 1, y: 33, width: 2, height: 100 };
    const part = await decode(bytes, { ...decoding, crop });
    for (let y = 0; y < crop.height; y++) {
      const from = ((crop.y + y) * 3 + 1) * 4;
      assert.deepEqual(part.data.subarray(y * 8, y * 8 + 8), whole.data.subarray(from, from + 8));
    }
    const half = await decode(bytes, { ...decoding, scale: 1 / 2 });
    assert.deepEqual([half.width, half.height], [2, 150]);
    const mean = [0, 4, 12, 16].reduce((sum, at) => sum + whole.data[at]!, 0) / 4;
    assert.ok(Math.abs(half.data[0]! - mean) <= 1);
    const decoder = new ProgressiveDecoder(decoding);
    decoder.push(bytes.subarray(0, bytes.length >> 1));
    assert.deepEqual(
      (await decoder.picture({ latest: true }))?.data,
      (await decode(bytes, { ...decoding, maxBytes: bytes.length >> 1 })).data,
    );
    decoder.push(bytes.subarray(bytes.length >> 1));
    assert.deepEqual((await decoder.picture())?.data, whole.data);
  });
});
