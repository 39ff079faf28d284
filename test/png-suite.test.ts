/** Every file of the PngSuite goes through and comes back with its kind, depth and size. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { PNG } from 'pngjs';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { DcompError } from '../src/errors.js';
import { depthOf, withDepth, type Picture } from '../src/picture.js';
import { pngSuite } from './helpers/png-suite.js';
import { tinyEvaluator } from '../corpus/tiny-model.js';

const suite = pngSuite();
const evaluator = tinyEvaluator();

const shapeOf = (picture: Picture): number[] => [picture.width, picture.height, picture.channels, depthOf(picture)];

/** Through the codec and into a PNG and out of it again. */
async function through(picture: Picture): Promise<{ decoded: Picture; back: Picture }> {
  const { bytes } = await encodePicture(picture, evaluator, { effort: 1, target: { quality: 60 } });
  const decoded = await decodePicture(bytes, evaluator);
  return { decoded, back: readPng(writePng(decoded)).picture };
}

async function comesBack(name: string, picture: Picture): Promise<void> {
  const { decoded, back } = await through(picture);
  assert.deepEqual(shapeOf(decoded), shapeOf(picture), name);
  assert.deepEqual(shapeOf(back), shapeOf(picture), name);
  assert.deepEqual(back.data, decoded.data, name);
  assert.deepEqual(back.metadata, picture.metadata, name);
  const alpha = ({ channels, data }: Picture): number[] =>
    channels % 2 === 1 ? [] : Array.from(data.filter((_, i) => i % channels === channels - 1));
  assert.deepEqual(alpha(back), alpha(picture), `${name}: alpha`);
}

describe('PngSuite, made anew', () => {
  it('has all the kinds, and pngjs finds the same pixels in it', () => {
    assert.ok(suite.length > 170, `${suite.length} files`);
    assert.equal(new Set(suite.map(({ name }) => name)).size, suite.length);
    for (const { name, bytes, expected } of suite) {
      // pngjs has its own view of a palette in a picture that needs none.
      if (typeof expected === 'string' || name.startsWith('pp0')) continue;
      const { width, height, data } = PNG.sync.read(Buffer.from(bytes));
      const { data: own, channels } = withDepth(expected, 8);
      for (let i = 0; i < width * height; i++) {
        const [r, g, b, a] = data.subarray(4 * i, 4 * i + 4);
        const theirs = { 1: [r], 2: [r, a], 3: [r, g, b], 4: [r, g, b, a] }[channels];
        // It rounds 16 bits down, and has no colour where nothing is to be seen.
        const near = Array.from(own.subarray(i * channels, (i + 1) * channels)).every(
          (v, c) => Math.abs(v - theirs[c]) <= (expected.depth === 16 ? 1 : 0) || (a === 0 && c < channels - 1),
        );
        assert.ok(near, `${name}, pixel ${i}`);
      }
    }
  });

  it('is read, each file as what it is', () => {
    for (const { name, bytes, expected } of suite) {
      if (typeof expected === 'string') {
        assert.throws(
          () => readPng(bytes),
          (error) => error instanceof DcompError && error.code === expected,
          name,
        );
        continue;
      }
      assert.deepEqual(readPng(bytes), { picture: expected, notices: [], damage: [] }, name);
    }
  });

  it('goes through the codec and comes back with its kind, depth and size', async () => {
    for (const { name, bytes, expected } of suite) {
      if (typeof expected === 'string') continue;
      await comesBack(name, readPng(bytes).picture);
    }
  });
});

const folder = process.env.DCOMP_PNGSUITE ?? '';

describe(
  'PngSuite itself',
  { skip: folder !== '' && existsSync(folder) ? false : 'name its folder in the environment variable DCOMP_PNGSUITE' },
  () => {
    it('goes through the codec and comes back with its kind, depth and size', async () => {
      const names = readdirSync(folder).filter((name) => name.endsWith('.png'));
      assert.ok(names.length > 0);
      for (const name of names) {
        const bytes = readFileSync(join(folder, name));
        if (name.startsWith('x')) {
          assert.throws(() => readPng(bytes), DcompError, name);
          continue;
        }
        const { picture } = readPng(bytes);
        const [depth, type] = bytes.subarray(24, 26);
        if (({ 0: 1, 2: 3, 4: 2, 6: 4 } as Record<number, number>)[type] === picture.channels)
          assert.equal(picture.depth, depth, name);
        await comesBack(name, picture);
      }
    });
  },
);
