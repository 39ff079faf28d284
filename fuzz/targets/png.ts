/** What is fuzzed of PNG files. */
import assert from 'node:assert/strict';
import { corpusPicture } from '../../corpus/pictures.js';
import { readPng } from '../../formats/png-reader.js';
import { writePng } from '../../formats/png-writer.js';
import { concat } from '../../src/container/container.js';
import { checkPicture } from '../../src/picture.js';
import { composedPng, mutatePng, sealedPng } from '../seal.js';
import { errorOf, noise, read, type Target } from '../target.js';

/** Whether a PNG is read beyond its signature and IHDR. */
const passesHeader = (bytes: Uint8Array): boolean =>
  !/IHDR|signature|not a PNG|empty/.test(errorOf(() => readPng(bytes))?.message ?? '');

const MAX_PNG_SIDE = 4096;

function checkPng(bytes: Uint8Array): void {
  read(() => readPng(bytes, 2 ** 20, true));
  const found = read(() => readPng(bytes));
  if (found === undefined) return;
  const { picture, notices } = found;
  checkPicture(picture);
  assert.ok(notices.every((notice) => notice.length > 5));
  if (picture.width > MAX_PNG_SIDE || picture.height > MAX_PNG_SIDE || picture.data.length > 2 ** 16) return;
  assert.deepEqual(readPng(writePng(picture)).picture.data, picture.data, 'what was read is not read again');
}

export const png: Target = {
  name: 'png',
  share: 4,
  seeds: () =>
    ['scene', 'grey-scene', 'rgba-balls', 'grey-alpha-disc'].map((name) =>
      writePng(corpusPicture(name, { width: 11, height: 7 })),
    ),
  mutate: mutatePng,
  passes: (bytes) => passesHeader(sealedPng(bytes)),
  run(bytes) {
    checkPng(bytes);
    checkPng(sealedPng(bytes));
  },
};

export const pngRows: Target = {
  name: 'png-rows',
  share: 4,
  seeds() {
    const kinds = [
      [0, [1, 2, 4, 8, 16]],
      [2, [8, 16]],
      [3, [1, 2, 4, 8]],
      [4, [8, 16]],
      [6, [8, 16]],
    ] as const;
    return kinds.flatMap(([colour, depths]) =>
      depths.flatMap((depth) =>
        [0, 1].map((interlace) => {
          const ihdr = Uint8Array.of(0, 0, 0, 9, 0, 0, 0, 7, depth, colour, 0, 0, interlace);
          const palette = colour === 3 ? noise(3 * Math.min(2 ** depth, 60), 1) : new Uint8Array(0);
          const transparency =
            interlace === 1 && colour <= 3 ? noise(colour === 0 ? 2 : colour === 2 ? 6 : 2, 2) : new Uint8Array(0);
          return concat([
            ihdr,
            Uint8Array.of(palette.length, transparency.length),
            palette,
            transparency,
            noise(900, 3).map((v, i) => (i % 8 === 0 ? v % 5 : 0)),
          ]);
        }),
      ),
    );
  },
  passes: (bytes) => bytes.length >= 13 && passesHeader(composedPng(bytes)),
  run(bytes) {
    if (bytes.length >= 13) checkPng(composedPng(bytes));
  },
};
