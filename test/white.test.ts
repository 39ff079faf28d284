/** White areas are white, black ones black, and nothing else is touched. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { readContainer } from '../src/container/container.js';
import { decode, encode, release, type Picture } from '../src/node.js';

/** The scene in the middle of an area of one value. */
function onPaper(value: number, width: number, height: number): Picture {
  const data = new Uint8Array(width * height * 3).fill(value);
  const scene = corpusPicture('scene', { width: width >> 1, height: height >> 1 });
  for (let y = 0; y < scene.height; y++) {
    const row = scene.data.subarray(y * scene.width * 3, (y + 1) * scene.width * 3);
    data.set(row, ((y + (height >> 2)) * width + (width >> 2)) * 3);
  }
  return { width, height, channels: 3, data };
}

describe('white and black', () => {
  after(() => release());

  for (const [name, value] of [
    ['white', 255],
    ['black', 0],
  ] as const) {
    it(
      `${name} areas are exact on at least 95 % of their pixels, from quality 50 on`,
      { timeout: 600_000 },
      async () => {
        const picture = onPaper(value, 160, 128);
        for (const [model, quality] of [50, 70, 85].flatMap((q) => [['large', q] as const, ['small', q] as const])) {
          const { bytes } = await encode(picture, { plain: false, effort: 1, model, target: { quality } });
          const { data } = await decode(bytes);
          let [exact, all] = [0, 0];
          for (let i = 0; i < data.length; i += 3) {
            const isPaper = (samples: Uint8Array | Uint16Array): boolean =>
              [0, 1, 2].every((c) => samples[i + c] === value);
            if (!isPaper(picture.data)) continue;
            all++;
            if (isPaper(data)) exact++;
          }
          assert.ok(exact >= 0.95 * all, `${exact} of ${all} at quality ${quality}, ${model}`);
        }
      },
    );
  }

  it('a picture without such areas is left alone', async () => {
    const ramp: Picture = { width: 64, height: 48, channels: 1, data: new Uint8Array(64 * 48) };
    for (let i = 0; i < ramp.data.length; i++) ramp.data[i] = 4 * (i % 64);
    for (const picture of [corpusPicture('scene', { width: 64, height: 48 }), ramp]) {
      const { bytes } = await encode(picture, { plain: false, effort: 1, model: 'large', target: { quality: 60 } });
      assert.equal(readContainer(bytes).header.ends?.white ?? 0, 0);
    }
  });
});
