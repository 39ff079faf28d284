/** From a PNG file through the codec and back into one: whatever the picture and the options. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import { CORPUS, corpusPicture } from '../corpus/pictures.js';
import { decode, encode, info, psnr, type LossyTarget as Target } from '../src/node.js';
import type { Channels, Picture } from '../src/picture.js';
import { smallModelFile } from '../corpus/small-model.js';
import { assertLimited } from './helpers/limited.js';

const model = smallModelFile();
const NAMES: Record<Channels, string[]> = { 1: [], 2: [], 3: [], 4: [] };
for (const { name } of CORPUS) NAMES[corpusPicture(name, { width: 1, height: 1 }).channels].push(name);

/** Odd and even sizes from 1×1, all kinds, from flat to noise. */
const pictures: fc.Arbitrary<Picture> = fc
  .tuple(
    fc.integer({ min: 1, max: 70 }),
    fc.integer({ min: 1, max: 70 }),
    fc.constantFrom<Channels>(1, 2, 3, 4),
    fc.nat(),
  )
  .chain(([width, height, channels, seed]) => {
    const length = width * height * channels;
    return fc.oneof(
      fc.constantFrom(...NAMES[channels]).map((name) => corpusPicture(name, { width, height }, seed)),
      fc.uint8Array({ minLength: length, maxLength: length }).map((data) => ({ width, height, channels, data })),
      fc.nat({ max: 255 }).map((value) => ({ width, height, channels, data: new Uint8Array(length).fill(value) })),
    );
  });

const targets: fc.Arbitrary<Target> = fc.oneof(
  fc.integer({ min: 1, max: 100 }).map((quality) => ({ quality })),
  fc.double({ min: 1, max: 12, noNaN: true }).map((bitsPerPixel) => ({ bitsPerPixel })),
  fc.integer({ min: 40, max: 4000 }).map((size) => ({ size })),
);

function alphaOf({ channels, data }: Picture): number[] {
  return channels % 2 === 0 ? Array.from(data).filter((_, i) => i % channels === channels - 1) : [];
}

function shapeOf({ width, height, channels }: Picture): [number, number, Channels] {
  return [width, height, channels];
}

/** Bytes that a target allows at most. */
function limitOf(target: Target, { width, height }: Picture): number {
  if ('size' in target) return target.size;
  return 'bitsPerPixel' in target ? Math.floor((width * height * target.bitsPerPixel) / 8) : Infinity;
}

/** undefined where header and alpha alone exceed the limit. */
async function encodeIfPossible(picture: Picture, target: Target, effort: number): Promise<Uint8Array | undefined> {
  try {
    return (await encode(picture, { target, effort, model, threads: 1 })).bytes;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'E_UNREACHABLE') return undefined;
    throw error;
  }
}

describe('round trip', () => {
  it('size, kind and alpha come back; a byte limit holds; every prefix decodes', async () => {
    const property = fc.asyncProperty(
      pictures,
      targets,
      fc.integer({ min: 1, max: 9 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (picture, target, effort, cut) => {
        const { picture: read } = readPng(writePng(picture));
        const bytes = await encodeIfPossible(read, target, effort);
        if (bytes === undefined) return;
        assert.ok(bytes.length <= limitOf(target, picture), `${bytes.length} bytes for ${JSON.stringify(target)}`);
        const back = await decode(bytes, { model, threads: 1 });
        assert.deepEqual(shapeOf(back), shapeOf(picture));
        assert.deepEqual(alphaOf(back), alphaOf(picture));
        assert.deepEqual(readPng(writePng(back)).picture, {
          width: back.width,
          height: back.height,
          channels: back.channels,
          depth: 8,
          data: back.data,
        });
        const { segments, alpha } = info(bytes);
        const start = segments[0]?.offset ?? bytes.length;
        const maxBytes = start + Math.round(cut * (bytes.length - start));
        const coarse = await decode(bytes.subarray(0, maxBytes), { model, threads: 1 });
        assert.deepEqual(shapeOf(coarse), shapeOf(picture));
        assert.deepEqual(alphaOf(coarse), alphaOf(picture));
        assert.equal(alpha === null, picture.channels % 2 === 1);
        const same = await decode(bytes, { model, threads: 1, maxBytes });
        assert.deepEqual(same.data, coarse.data);
      },
    );
    await assertLimited(property, { numRuns: 30 });
  });

  it('a size in bytes is hit within 1 % or 16 bytes, where the picture has so much to send', async () => {
    const whole = corpusPicture('scene', { width: 70, height: 53 });
    const { bytes: all } = await encode(whole, { target: { quality: 100 }, model, threads: 1 });
    for (const size of [60, 61, 100, 333, 1000, 2000, 2001, 3000, 5000].filter((n) => n < all.length)) {
      const { bytes } = await encode(whole, { target: { size }, model, threads: 1 });
      assert.ok(
        bytes.length <= size && bytes.length >= size - Math.max(16, size / 100),
        `${bytes.length} of ${size} bytes`,
      );
    }
  });

  it('the same picture and options give the same bytes', async () => {
    const picture = corpusPicture('edges', { width: 33, height: 21 });
    const first = await encode(picture, { model, threads: 1 });
    const second = await encode(picture, { model, threads: 2 });
    assert.deepEqual(second.bytes, first.bytes);
    assert.deepEqual(
      (await decode(first.bytes, { model, threads: 2 })).data,
      (await decode(first.bytes, { model, threads: 1 })).data,
    );
  });

  it('a longer prefix is never worse, on average over the corpus', async () => {
    const trained = 'large';
    const shares = [0.1, 0.3, 0.6, 1];
    const mean = shares.map(() => 0);
    const natural = CORPUS.filter(({ name }) => !['noise', 'flat'].includes(name)); // nothing to predict, nothing to send
    for (const { name } of natural) {
      const picture = corpusPicture(name, { width: 72, height: 56 });
      const { bytes } = await encode(picture, { target: { bitsPerPixel: 3 }, model: trained });
      const start = info(bytes).segments[0].offset;
      for (const [i, share] of shares.entries()) {
        const back = await decode(bytes.subarray(0, start + Math.round(share * (bytes.length - start))), {
          model: trained,
        });
        mean[i] += Math.min(60, psnr(picture, back)) / natural.length;
      }
    }
    for (let i = 1; i < mean.length; i++)
      assert.ok(mean[i] >= mean[i - 1], `PSNR by share of the file: ${mean.map((v) => v.toFixed(2)).join(' ')}`);
  });
});
