/** What holds for all documents, whatever they say. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { toRgba, withDepth, type Picture } from '../src/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const documents = [
  'README.md',
  'models/README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

it('every link of a document leads to a file that is there', () => {
  let count = 0;
  for (const document of documents) {
    for (const [, target] of readFileSync(join(root, document), 'utf8').matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)) {
      assert.ok(existsSync(join(root, dirname(document), target!)), `${document} links to ${target}`);
      count++;
    }
  }
  assert.ok(count > 20);
});

it('every source file that a document names is there', () => {
  for (const document of documents.filter((name) => !name.includes('lab'))) {
    for (const [path] of readFileSync(join(root, document), 'utf8').matchAll(
      /\b(?:src|formats|eval|cli)\/[\w/-]+\.ts\b/g,
    ))
      assert.ok(existsSync(join(root, path)), `${document} names ${path}`);
  }
});

it('README can be read in a screen and a half', () => {
  const lines = readFileSync(join(root, 'README.md'), 'utf8').split('\n').length;
  assert.ok(lines <= 110, `README.md has ${lines} lines; what is longer belongs to docs/guide`);
});

it('the documents have the marks between which `npm run report` writes', () => {
  for (const document of ['README.md', 'docs/results.md'])
    assert.match(readFileSync(join(root, document), 'utf8'), /<!-- report -->\n[^]*<!-- \/report -->/, document);
});

it('toRgba: grey is repeated, alpha kept or opaque, 16 bits rounded to 8', () => {
  const picture: Picture = { width: 1, height: 2, channels: 2, data: Uint8Array.of(7, 200, 255, 0) };
  const expected = [7, 7, 7, 200, 255, 255, 255, 0];
  assert.deepEqual([...toRgba(picture)], expected);
  assert.deepEqual([...toRgba(withDepth(picture, 16))], expected);
  assert.deepEqual(
    [...toRgba({ width: 2, height: 1, channels: 1, depth: 1, data: Uint8Array.of(0, 1) })],
    [0, 0, 0, 255, 255, 255, 255, 255],
  );
  assert.deepEqual(
    [...toRgba({ width: 1, height: 1, channels: 3, data: Uint16Array.of(65535, 257, 128) })],
    [255, 1, 0, 255],
  );
});
