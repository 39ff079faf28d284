/**
 * Writes the golden files: `npm run golden`, once for a model and a format version. Small pictures of the corpus coded with
 * the models of the package, most with the large one, and test/golden/hashes.json, which says what they are:
 *   {NAME: {picture: {name, width, height, depth, metadata}, options, dcz: SHA-256 of the file, pixels: SHA-256 of the decoded samples}}
 * (16-bit samples most significant byte first).
 * A change of these files is a change of the format or of the model, and nothing else may change them.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { corpusPicture } from '../dist/corpus/pictures.js';
import { decode, encode, release, withDepth } from '../dist/src/node.js';

const GOLDEN = {
  'grey-1x1': { picture: { name: 'grey-scene', width: 1, height: 1 }, options: { target: { quality: 50 } } },
  'rgb-33x47': { picture: { name: 'scene', width: 33, height: 47 }, options: { target: { quality: 60 }, effort: 3 } },
  'rgba-64x40': { picture: { name: 'rgba-balls', width: 64, height: 40 }, options: { target: { size: 1200 } } },
  'grey-alpha-41x75': {
    picture: { name: 'grey-alpha-disc', width: 41, height: 75 },
    options: { target: { psnr: 34 }, effort: 1 },
  },
  'grey4-19x23': {
    picture: { name: 'grey-scene', width: 19, height: 23, depth: 4 },
    options: { target: { quality: 70 }, effort: 2 },
  },
  'rgba16-30x20': {
    picture: {
      name: 'rgba-balls',
      width: 30,
      height: 20,
      depth: 16,
      metadata: {
        orientation: 6,
        density: { x: 11811, y: 11811, unit: 'metre' },
        text: [{ keyword: 'Title', text: 'Bälle', language: 'de' }],
      },
    },
    options: { target: { quality: 80 }, effort: 2, alphaQuality: 60 },
  },
  'rgb-128x96': { picture: { name: 'scene', width: 128, height: 96 }, options: { target: { bitsPerPixel: 1 } } },
  'plain-glyphs-60x30': {
    picture: { name: 'glyphs', width: 60, height: 30 },
    options: { target: 'lossless', plain: true },
  },
  'plain-edges-60x40': { picture: { name: 'edges', width: 60, height: 40 }, options: { target: { quality: 60 } } },
  'plain-rgba16-9x7': {
    picture: { name: 'rgba-balls', width: 9, height: 7, depth: 16 },
    options: { target: 'lossless', plain: true },
  },
  'plain-grey1-40x30': {
    picture: { name: 'grey-scene', width: 40, height: 30, depth: 1 },
    options: { target: 'lossless', plain: true },
  },
  'exact-40x30': {
    picture: { name: 'scene', width: 40, height: 30 },
    options: { target: 'lossless', plain: false, effort: 1, model: 'large' },
  },
  'near-grey-33x21': {
    picture: { name: 'grey-scene', width: 33, height: 21 },
    options: { target: { maxError: 3 }, plain: true },
  },
  'grey-17x23-hash': {
    picture: { name: 'grey-scene', width: 17, height: 23 },
    options: { target: { quality: 40 }, effort: 2, pixelHash: true },
  },
  'small-70x50': {
    picture: { name: 'scene', width: 70, height: 50 },
    options: { target: { quality: 55 }, plain: false, effort: 2, model: 'small' },
  },
  'small-regions-90x70': {
    picture: { name: 'scene', width: 90, height: 70 },
    options: {
      target: { size: 700 },
      plain: false,
      effort: 2,
      model: 'small',
      importance: {
        regions: [
          { x: 10, y: 20, width: 40, height: 30, weight: 8 },
          { x: 60, y: 0, width: 30, height: 20, weight: 2 },
        ],
      },
    },
  },
  'medium-70x50': {
    picture: { name: 'scene', width: 70, height: 50 },
    options: { target: { quality: 30 }, plain: false, effort: 2, model: 'medium', pixelHash: true },
  },
  'medium-mean-35x60': {
    picture: { name: 'scene', width: 35, height: 60 },
    options: { target: { quality: 60 }, plain: false, effort: 2, model: 'medium', tune: 'psnr' },
  },
};

const folder = fileURLToPath(new URL('../test/golden', import.meta.url));
mkdirSync(folder, { recursive: true });
for (const name of readdirSync(folder)) if (name.endsWith('.dcz')) rmSync(join(folder, name));

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const asBytes = (samples) =>
  samples instanceof Uint8Array
    ? samples
    : Uint8Array.from({ length: 2 * samples.length }, (_, i) => (i & 1 ? samples[i >> 1] : samples[i >> 1] >> 8));
const hashes = {};
let total = 0;
for (const [name, { picture, options }] of Object.entries(GOLDEN)) {
  const { depth = 8, metadata } = picture;
  const source = withDepth(corpusPicture(picture.name, picture), depth);
  const { bytes } = await encode(metadata === undefined ? source : { ...source, metadata }, {
    model: 'large',
    ...options,
  });
  const { data } = await decode(bytes);
  writeFileSync(join(folder, `${name}.dcz`), bytes);
  hashes[name] = { picture, options, dcz: sha256(bytes), pixels: sha256(asBytes(data)) };
  total += bytes.length;
  console.log(`${name.padEnd(20)} ${String(bytes.length).padStart(6)} bytes`);
}
writeFileSync(join(folder, 'hashes.json'), `${JSON.stringify(hashes, null, 2)}\n`);
console.log(`${'in all'.padEnd(20)} ${String(total).padStart(6)} bytes`);
await release();
