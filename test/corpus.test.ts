import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import { CORPUS, corpusPicture } from '../corpus/pictures.js';
import { checkPicture } from '../src/picture.js';

/** CRC-32 of the samples: the pictures are the same on every machine, and a change is one on purpose. */
const SUMS: Record<string, string> = {
  scene: '50c763fc',
  hills: 'df8bed95',
  gradient: 'deddfb7f',
  edges: '8d6c5ca7',
  glyphs: 'a03613db',
  bricks: '3abd8986',
  noise: 'b30bc68e',
  flat: '1301a43b',
  'grey-scene': '5e31e919',
  'grey-alpha-disc': '7ad149a6',
  'rgba-balls': 'b4d82c54',
};

describe('corpus', () => {
  it('every picture is what it was', () => {
    const sums = Object.fromEntries(
      CORPUS.map(({ name }) => [name, crc32(corpusPicture(name).data).toString(16).padStart(8, '0')]),
    );
    assert.deepEqual(sums, SUMS);
  });

  it('every picture exists at every size, from 1×1', () => {
    for (const { name } of CORPUS) {
      for (const [width, height] of [
        [1, 1],
        [1, 7],
        [9, 2],
        [33, 17],
      ]) {
        const picture = corpusPicture(name, { width, height });
        checkPicture(picture);
        assert.deepEqual([picture.width, picture.height], [width, height]);
      }
    }
  });

  it('another seed is another picture', () => {
    for (const { name } of CORPUS) {
      if (name === 'gradient') continue;
      assert.notDeepEqual(
        corpusPicture(name, { width: 32, height: 32 }, 2),
        corpusPicture(name, { width: 32, height: 32 }, 1),
        name,
      );
    }
  });

  it('a name that does not exist is refused', () => {
    assert.throws(() => corpusPicture('nothing'), RangeError);
  });
});
