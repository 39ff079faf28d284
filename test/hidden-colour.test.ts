/** The colour under alpha 0: what it is does not matter, unless it is asked for. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { assertLimited } from './helpers/limited.js';
import { corpusPicture } from '../corpus/pictures.js';
import { tinyModelFile } from '../corpus/tiny-model.js';
import { hash32 } from '../src/math/hash.js';
import { decode, encode, release, withDepth, type Picture } from '../src/node.js';
import { withoutHiddenColourInPieces } from '../src/pixels/hidden-colour.js';
import { finish } from '../src/turns.js';
import { alphaOf } from './helpers/planes.js';

const model = tinyModelFile();
const filled = (picture: Picture): Picture => finish(withoutHiddenColourInPieces(picture, alphaOf(picture)));

/** The picture with other colours where alpha is 0. */
function withHidden(picture: Picture, colour: (i: number) => number): Picture {
  const { channels } = picture;
  const data = picture.data.map((v, i) => {
    const pixel = Math.floor(i / channels);
    return i % channels < channels - 1 && picture.data[(pixel + 1) * channels - 1] === 0 ? colour(i) : v;
  });
  return { ...picture, data };
}

/** Half of it is transparent. */
function cutOut(width: number, height: number): Picture {
  const picture = corpusPicture('rgba-balls', { width, height });
  return { ...picture, data: picture.data.map((v, i) => (i % 4 === 3 ? (v < 128 ? 0 : v) : v)) };
}

describe('the colour of wholly transparent pixels', () => {
  after(() => release());

  it('costs the same whatever it is, and next to nothing', async () => {
    const picture = cutOut(128, 96);
    const size = async (source: Picture, exact = false): Promise<number> =>
      (await encode(source, { model, threads: 1, plain: false, effort: 1, exact, target: { quality: 50 } })).bytes
        .length;
    const sizes = [];
    for (const colour of [(): number => 0, (): number => 255, (i: number): number => hash32(7, i) & 255])
      sizes.push(await size(withHidden(picture, colour)));
    assert.equal(sizes[0], sizes[1]);
    assert.equal(sizes[0], sizes[2]);
    const noisy = await size(
      withHidden(picture, (i) => hash32(7, i) & 255),
      true,
    );
    assert.ok(sizes[0]! < 0.4 * noisy, `${sizes[0]} bytes, noise kept ${noisy}`);
  });

  it('is kept with `exact`', async () => {
    const picture = withHidden(cutOut(40, 30), (i) => (i % 4 === 0 ? 250 : 10));
    const distance = async (exact: boolean): Promise<number> => {
      const { bytes } = await encode(picture, {
        model,
        threads: 1,
        plain: false,
        effort: 1,
        exact,
        target: { quality: 95 },
      });
      const { data } = await decode(bytes, { model, threads: 1 });
      let worst = 0;
      for (let i = 0; i < data.length; i += 4)
        if (data[i + 3] === 0) worst = Math.max(worst, Math.abs(data[i]! - picture.data[i]!));
      return worst;
    };
    assert.ok((await distance(true)) < 24);
    assert.ok((await distance(false)) > 60);
  });

  it('leaves what is seen, and alpha, as they are, at any size and depth', () => {
    assertLimited(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom<2 | 4>(2, 4),
        fc.constantFrom<8 | 16>(8, 16),
        fc.integer(),
        (width, height, channels, depth, seed) => {
          const noise = Uint8Array.from({ length: width * height * channels }, (_, i) => hash32(seed, i) & 255);
          const data = noise.map((v, i) => (i % channels === channels - 1 && v < 170 ? 0 : v));
          const picture = withDepth({ width, height, channels, data }, depth);
          const { data: result } = filled(picture);
          for (let i = 0; i < result.length; i++) {
            const alpha = picture.data[(Math.floor(i / channels) + 1) * channels - 1]!;
            if (alpha > 0 || i % channels === channels - 1) assert.equal(result[i], picture.data[i]);
          }
          const other = filled(withHidden(picture, (i) => hash32(7, i) & 255));
          assert.deepEqual(other.data, result);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('lies between the colours that are seen, is theirs where there is one, and mid-grey where there is none', () => {
    const one = new Uint8Array(4 * 99 * 51);
    one.set([200, 100, 50, 255], 4 * 1234);
    const { data } = filled({ width: 99, height: 51, channels: 4, data: one });
    for (let i = 0; i < data.length; i += 4) assert.deepEqual([...data.subarray(i, i + 3)], [200, 100, 50]);
    const none = filled({ width: 5, height: 3, channels: 2, data: new Uint8Array(30) });
    assert.deepEqual([...none.data.subarray(0, 4)], [128, 0, 128, 0]);
  });

  it('is not looked at in a picture without any', () => {
    const opaque = corpusPicture('scene', { width: 9, height: 9 });
    assert.equal(filled(opaque), opaque);
    const half: Picture = { width: 1, height: 2, channels: 2, data: Uint8Array.of(9, 1, 9, 255) };
    assert.equal(filled(half), half);
  });
});
