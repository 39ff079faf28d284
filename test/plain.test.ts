/** The plain form: the samples without loss, of any picture, in no more bytes than PNG or the samples themselves. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { PNG } from 'pngjs';
import { corpusPicture, CORPUS } from '../corpus/pictures.js';
import { concat, readContainer } from '../src/container/container.js';
import { estimatedBytesInPieces } from '../src/container/plain-samples.js';
import { hash32 } from '../src/math/hash.js';
import {
  decode,
  encode,
  encodeToSizes,
  info,
  ProgressiveDecoder,
  release,
  repair,
  verify,
  withDepth,
  type EncodeOptions,
  type Picture,
} from '../src/node.js';
import { finish } from '../src/turns.js';
import { pictures } from './helpers/arbitrary.js';
import { codeOfError } from './helpers/outcome.js';
import { DECODING, ENCODING } from './helpers/tiny.js';

const lossless = async (picture: Picture): Promise<Uint8Array> =>
  (await encode(picture, { ...ENCODING, target: 'lossless', plain: true })).bytes;

/** Text on white, twice the same lines: what a screenshot is like. */
function screen(width: number, height: number): Picture {
  const glyphs = corpusPicture('glyphs', { width: 160, height: 20 });
  const data = new Uint8Array(width * height * 3).fill(255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = ((y % 20) * 160 + (x % 160)) * 3;
      if (y % 40 < 20 && x < 200) data.set(glyphs.data.subarray(from, from + 3), (y * width + x) * 3);
      else if (x > 220 && y > 30) data.set([230, 30, 30], (y * width + x) * 3);
    }
  }
  return { width, height, channels: 3, data };
}

/** Grey made of black and white by an ordered threshold with some noise. */
function dithered(width: number, height: number): Picture {
  const data = new Uint8Array(width * height);
  for (let y = 0, p = 0; y < height; y++)
    for (let x = 0; x < width; x++, p++)
      data[p] = ((x * 5 + y * 3) % 8) * 8 + (hash32(3, p) & 15) < (64 * x) / width + 4 ? 1 : 0;
  return { width, height, channels: 1, depth: 1, data };
}

function noise(width: number, height: number): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) data[i] = hash32(11, i) & 255;
  return { width, height, channels: 3, data };
}

function estimateOf({ width, height, channels, data }: Picture): number {
  const colours = channels === 1 ? 1 : 3;
  return finish(estimatedBytesInPieces({ width, height, colours, depth: 8, samples: data }));
}

describe('the plain form', () => {
  after(() => release());

  it('gives every sample back, of any picture', async () => {
    await fc.assert(
      fc.asyncProperty(pictures(40), async (picture) => {
        const back = await decode(await lossless(picture), DECODING);
        assert.deepEqual(back.data, picture.data);
        assert.deepEqual(
          [back.width, back.height, back.channels, back.depth, back.truncated],
          [picture.width, picture.height, picture.channels, picture.depth ?? 8, false],
        );
      }),
      { numRuns: 15 },
    );
  });

  it('gives back pictures of several bands, of 1 to 16 bits, of few colours and of one', async () => {
    const several = noise(180, 140);
    const cases: Picture[] = [
      several,
      withDepth(corpusPicture('scene', { width: 61, height: 47 }), 16),
      ...([1, 2, 4] as const).map((depth) => withDepth(corpusPicture('grey-scene', { width: 50, height: 41 }), depth)),
      { width: 3000, height: 2, channels: 3, data: new Uint8Array(18000).fill(7) },
      { width: 1, height: 1, channels: 4, data: Uint8Array.of(1, 2, 3, 0) },
      screen(300, 90),
      dithered(120, 70),
    ];
    for (const picture of cases) assert.deepEqual((await decode(await lossless(picture), DECODING)).data, picture.data);
    const large = await lossless(noise(400, 350));
    assert.ok(Math.abs(large.length - 400 * 350 * 3) < 200, 'stored');
    assert.ok(readContainer(await lossless(several)).segments.length > 1);
  });

  it('takes at most 2 % more than the smaller of PNG and the samples', async () => {
    for (const picture of [
      ...CORPUS.map(({ name }) => corpusPicture(name)),
      screen(300, 200),
      dithered(200, 150),
      noise(64, 48),
    ]) {
      const { width, height, channels, depth = 8, data } = picture;
      if (channels % 2 === 0) continue;
      const stored = (data.length * depth) / 8;
      const colorType = channels === 1 ? 0 : 2;
      const png = PNG.sync.write(
        { width, height, data: Buffer.from(data) } as unknown as PNG,
        { colorType, inputColorType: colorType, deflateLevel: 9, inputHasAlpha: false } as object,
      ).length;
      const { length } = await lossless(picture);
      assert.ok(length <= 1.02 * Math.min(png, stored) + 80, `${length} bytes; PNG ${png}, stored ${stored}`);
    }
  });

  it('is taken where it is no larger than the lossy file, whatever the target', async () => {
    const cases: [Picture, EncodeOptions['target'], 'plain' | 'diffusion'][] = [
      [screen(260, 120), { quality: 50 }, 'plain'],
      [dithered(100, 80), { quality: 60 }, 'plain'],
      [dithered(100, 80), { psnr: 99 }, 'plain'],
      [noise(64, 48), { quality: 100 }, 'plain'],
      [noise(20, 20), { size: 2000 }, 'plain'],
      [noise(20, 20), { size: 500 }, 'diffusion'],
      [noise(20, 20), { bitsPerPixel: 30 }, 'plain'],
      [corpusPicture('scene', { width: 64, height: 48 }), { quality: 10 }, 'diffusion'],
    ];
    for (const [picture, target, expected] of cases) {
      const { bytes, form } = await encode(picture, { ...ENCODING, target: target! });
      assert.equal(form, expected, JSON.stringify(target));
      assert.equal(info(bytes).form, expected);
      if (form === 'plain') assert.deepEqual((await decode(bytes, DECODING)).data, picture.data);
      if (target !== undefined && typeof target === 'object' && !('size' in target || 'bitsPerPixel' in target)) {
        const lossy = await encode(picture, { ...ENCODING, target, plain: false }).catch(() => undefined);
        if (form === 'diffusion') assert.deepEqual(bytes, lossy?.bytes);
        else if (lossy !== undefined) assert.ok(bytes.length <= lossy.bytes.length);
      }
    }
  });

  it('is how pictures of a few pixels are coded, so that their colours are right', async () => {
    for (const [width, height] of [
      [1, 1],
      [2, 1],
      [1, 3],
      [4, 4],
      [8, 8],
    ] as const) {
      const data = new Uint8Array(width * height * 3);
      for (let i = 0; i < data.length; i += 3) data.set([255, 0, hash32(5, i) & 255], i);
      const picture: Picture = { width, height, channels: 3, data };
      for (const quality of [1, 50, 100]) {
        const { bytes } = await encode(picture, { ...ENCODING, target: { quality } });
        assert.deepEqual((await decode(bytes, DECODING)).data, data);
      }
    }
  });

  it('needs no model', async () => {
    const picture = screen(100, 50);
    const { bytes } = await encode(picture, { target: 'lossless', plain: true, model: Uint8Array.of(1) });
    assert.deepEqual((await decode(bytes, { model: Uint8Array.of(1) })).data, picture.data);
    const { modelId, schedule, trellisBits } = info(bytes);
    assert.deepEqual([modelId, schedule, trellisBits], [null, null, null]);
  });

  it('decodes in part and in smaller sizes: the crop is that of the whole, a size its means', async () => {
    const picture = screen(201, 99);
    const bytes = await lossless(picture);
    const crop = { x: 33, y: 14, width: 50, height: 21 };
    const part = await decode(bytes, { ...DECODING, crop });
    for (let y = 0; y < crop.height; y++) {
      const from = ((crop.y + y) * 201 + crop.x) * 3;
      assert.deepEqual(part.data.subarray(y * 150, y * 150 + 150), picture.data.subarray(from, from + 150));
    }
    const half = await decode(bytes, { ...DECODING, scale: 1 / 2 });
    assert.deepEqual([half.width, half.height], [101, 50]);
    for (const [x, y] of [
      [0, 0],
      [20, 7],
      [99, 30],
    ] as const) {
      const at = (dx: number, dy: number): number => picture.data[((2 * y + dy) * 201 + 2 * x + dx) * 3]!;
      const mean = (at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1)) / 4;
      assert.ok(Math.abs(half.data[(y * 101 + x) * 3]! - mean) <= 0.5001);
    }
    const quarter = await decode(bytes, { ...DECODING, scale: 1 / 4, crop: { x: 1, y: 2, width: 10, height: 9 } });
    const all = await decode(bytes, { ...DECODING, scale: 1 / 4 });
    assert.deepEqual(quarter.data.subarray(0, 30), all.data.subarray((2 * 51 + 1) * 3, (2 * 51 + 11) * 3));
  });

  it('arrives progressively: the bands that are there, and the whole at the end', async () => {
    const picture = noise(180, 140);
    const bytes = await lossless(picture);
    const decoder = new ProgressiveDecoder(DECODING);
    decoder.push(bytes.subarray(0, 70000));
    const early = (await decoder.picture())!;
    assert.equal(early.truncated, true);
    assert.deepEqual(early.data.subarray(0, 60000), picture.data.subarray(0, 60000));
    assert.deepEqual([...early.data.subarray(-3)], [128, 128, 128]);
    decoder.push(bytes.subarray(70000));
    assert.deepEqual((await decoder.picture())!.data, picture.data);
  });

  it('is checked and repaired as any file', async () => {
    const bytes = await lossless(screen(90, 60));
    for (let i = 0; i < bytes.length; i += 7) {
      const wrong = bytes.slice();
      wrong[i]! ^= 0x21;
      assert.deepEqual((await repair(wrong)).bytes, bytes, `byte ${i}`);
    }
    assert.equal((await verify(bytes)).state, 'intact');
    const two = bytes.slice();
    two[bytes.length - 5]! ^= 1;
    two[bytes.length - 9]! ^= 64;
    assert.equal(await codeOfError(() => decode(two, DECODING)), 'E_DAMAGED_SEGMENT');
    const told: string[] = [];
    await decode(two, { ...DECODING, allowDamaged: true, onDamage: (message) => told.push(message) });
    assert.equal(told.length, 1);
    const { segments } = readContainer(bytes);
    const twice = concat([bytes, bytes.subarray(segments[0]!.offset)]);
    const { data, trailing } = await decode(twice, DECODING);
    assert.deepEqual(data, (await decode(bytes, DECODING)).data);
    assert.equal(trailing, twice.length - bytes.length, 'the last band says that it is');
  });

  it('bands that are left out, doubled or moved are noticed', async () => {
    const bytes = await lossless(noise(250, 140));
    const { segments } = readContainer(bytes);
    assert.ok(segments.length >= 2);
    const first = segments[0]!.offset;
    const bands = segments.map(({ offset }, i) => bytes.subarray(offset, segments[i + 1]?.offset));
    const head = bytes.subarray(0, first);
    for (const order of [bands.slice(1), [bands[0]!, ...bands], [...bands].reverse()])
      assert.equal(await codeOfError(() => decode(concat([head, ...order]), DECODING)), 'E_DAMAGED_SEGMENT');
    assert.equal((await decode(concat([head, ...bands.slice(0, -1)]), DECODING)).truncated, true);
  });

  it('its work is known before, counted by samples, and limited by maxWork and maxPixels', async () => {
    const picture = noise(64, 48);
    const bytes = await lossless(picture);
    const { work } = info(bytes);
    assert.deepEqual(work, { evaluations: 0, fullSize: 0, megapixels: (12 * 64 * 48) / 1e6, coarse: 0 });
    const less = { maxWork: work!.megapixels / 2 };
    assert.equal(await codeOfError(() => decode(bytes, { ...DECODING, ...less })), 'E_TOO_LARGE');
    assert.equal(
      await codeOfError(() => encode(picture, { ...ENCODING, ...less, target: 'lossless', plain: true })),
      'E_TOO_LARGE',
    );
    assert.equal(await codeOfError(() => decode(bytes, { ...DECODING, maxPixels: 64 * 48 - 1 })), 'E_TOO_LARGE');
    assert.deepEqual((await decode(bytes, { ...DECODING, maxWork: work!.megapixels })).data, picture.data);
  });

  it('a limit of work that the network would pass is no obstacle to a drawing, and one to a photograph', async () => {
    const drawing = screen(260, 120);
    const maxWork = info(await lossless(drawing)).work!.megapixels;
    assert.equal((await encode(drawing, { ...ENCODING, maxWork })).form, 'plain');
    assert.equal(
      await codeOfError(() => encode(drawing, { ...ENCODING, maxWork, plain: false, target: { quality: 95 } })),
      'E_TOO_LARGE',
    );
    const photograph = corpusPicture('scene', { width: 260, height: 120 });
    assert.equal(
      await codeOfError(() => encode(photograph, { ...ENCODING, maxWork, target: { quality: 95 } })),
      'E_TOO_LARGE',
    );
  });

  it('is taken for a size that it just fits, alone and among others', async () => {
    const tiny = corpusPicture('grey-scene', { width: 2, height: 2 });
    const { length } = (await encode(tiny, ENCODING)).bytes;
    for (const size of [length, length + 1]) {
      assert.equal((await encode(tiny, { ...ENCODING, target: { size } })).bytes.length, length);
      const files = await encodeToSizes(tiny, [size, 60], ENCODING);
      assert.deepEqual(
        files.map(({ form }) => form),
        ['plain', 'plain'],
      );
    }
  });

  it('a large picture is looked at in places first: what would take twice the bytes is not tried', async () => {
    const large = { width: 500, height: 300 };
    const scene = corpusPicture('scene', large);
    const drawing = screen(large.width, large.height);
    for (const [picture, factor] of [
      [scene, 1.6],
      [drawing, 8],
    ] as const) {
      const { length } = await lossless(picture);
      const estimate = estimateOf(picture);
      assert.ok(estimate > length / 1.6 && estimate < length * factor, `${estimate} for ${length}`);
    }
    assert.ok(estimateOf(drawing) < (500 * 300) / 2, 'of no more than 4 bits a pixel');
    for (const [width, height] of [
      [140000 / 2, 2],
      [3, 50000],
    ] as const) {
      const thin: Picture = { width, height, channels: 1, data: new Uint8Array(width * height).fill(9) };
      assert.ok(estimateOf(thin) < 2000);
    }
  });

  it('gives turns, and ends when its signal says so', async () => {
    const picture = corpusPicture('scene', { width: 300, height: 260 });
    const bytes = await lossless(picture);
    for (const call of [
      (signal: AbortSignal) => encode(picture, { ...ENCODING, target: 'lossless', plain: true, signal }),
      (signal: AbortSignal) => decode(bytes, { ...DECODING, signal }),
    ]) {
      const stop = new AbortController();
      const timer = setTimeout(() => stop.abort(), 5);
      assert.equal(await codeOfError(() => call(stop.signal)), 'E_ABORTED');
      clearTimeout(timer);
    }
  });

  it('keeps a pixel hash, metadata, and colours under alpha 0', async () => {
    const base = corpusPicture('rgba-balls', { width: 30, height: 20 });
    const picture: Picture = {
      ...base,
      data: base.data.map((v, i) => (i % 4 === 3 && i % 3 === 0 ? 0 : v)),
      metadata: { orientation: 6 },
    };
    const { bytes } = await encode(picture, { ...ENCODING, target: 'lossless', plain: true, alphaQuality: 30 });
    const back = await decode(bytes, DECODING);
    assert.deepEqual(back.data, picture.data);
    assert.equal(back.metadata?.orientation, 6);
    assert.notEqual((await verify(bytes)).pixelHash, null);
  });
});
