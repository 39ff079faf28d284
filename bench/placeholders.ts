/**
 * `npm run report:placeholders`: placeholders of dcomp beside BlurHash and ThumbHash at as many characters, shown at 32×32 and 100×100
 * pixels: PSNR and SSIMULACRA 2. With --publish a table into docs/results.md.
 *
 * Usage: node dist/bench/placeholders.js [FOLDER] [--every N] [--model FILE] [--publish]    (default: ../shared/data/dev2)
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { decode as decodeBlurHash, encode as encodeBlurHash } from 'blurhash';
import { rgbaToThumbHash, thumbHashToRGBA } from 'thumbhash';
import { psnrRgb } from '../eval/metrics/psnr.js';
import { ssimulacra2 } from '../src/metrics/ssimulacra2.js';
import { findPictures, loadPicture, toRgb } from '../eval/pictures.js';
import { resizePicture } from '../formats/resize.js';
import { decodeMessage, encodeMessages, placeholderText, toRgba } from '../src/node.js';
import type { Picture } from '../src/picture.js';
import { mean } from './middle.js';
import { publish, table } from './tables.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    every: { type: 'string', default: '1' },
    model: { type: 'string' },
    publish: { type: 'boolean', default: false },
  },
});
const model = values.model === undefined ? {} : { model: new Uint8Array(readFileSync(values.model)) };
const SIDES = [32, 100];

/** A placeholder's characters, and its picture at a side. */
interface Made {
  characters: number;
  at(side: number): Promise<Picture>;
}

const squared = async (picture: Picture, side: number): Promise<Picture> =>
  picture.width === side && picture.height === side
    ? picture
    : resizePicture(picture, { width: side, height: side, fit: 'fill' });

async function thumbHash(picture: Picture): Promise<Made> {
  const { width, height } = picture;
  const hash = rgbaToThumbHash(width, height, toRgba(picture));
  const { w, h, rgba } = thumbHashToRGBA(hash);
  const small = toRgb({ width: w, height: h, channels: 4, data: rgba });
  return { characters: Math.ceil((hash.length * 4) / 3), at: async (side) => squared(small, side) };
}

function blurHash(components: number): (picture: Picture) => Promise<Made> {
  return async (picture) => {
    const { width, height } = picture;
    const text = encodeBlurHash(new Uint8ClampedArray(toRgba(picture)), width, height, components, components);
    return {
      characters: text.length,
      at: async (side) =>
        toRgb({ width: side, height: side, channels: 4, data: new Uint8Array(decodeBlurHash(text, side, side)) }),
    };
  };
}

function dcomp(side: number, characters: number): (picture: Picture) => Promise<Made> {
  return async (picture) => {
    const bytes = Math.floor((characters * 3) / 4);
    const [message] = await encodeMessages(await squared(picture, side), [bytes], model);
    const shown = await decodeMessage(message!.bytes, model);
    return { characters: placeholderText(message!.bytes).length, at: async (wanted) => squared(shown, wanted) };
  };
}

const WAYS: [string, (picture: Picture) => Promise<Made>][] = [
  ['ThumbHash', thumbHash],
  ['BlurHash 4×4', blurHash(4)],
  ['dcomp 32×32', dcomp(32, 34)],
  ['BlurHash 5×5', blurHash(5)],
  ['dcomp 32×32', dcomp(32, 54)],
  ['BlurHash 6×6', blurHash(6)],
  ['dcomp 32×32', dcomp(32, 76)],
  ['BlurHash 9×9', blurHash(9)],
  ['dcomp 32×32', dcomp(32, 166)],
  ['dcomp 100×100', dcomp(100, 166)],
  ['dcomp 100×100', dcomp(100, 266)],
];

const paths = findPictures([positionals[0] ?? '../shared/data/dev2']).filter((_, i) => i % Number(values.every) === 0);
const pictures: Picture[] = [];
for (const path of paths)
  pictures.push(await resizePicture(loadPicture(path), { width: 100, height: 100, fit: 'cover' }));
const rows: string[][] = [];
for (const [name, make] of WAYS) {
  const lengths: number[] = [];
  const scores: number[][] = SIDES.flatMap(() => [[], []]);
  for (const picture of pictures) {
    const made = await make(picture);
    lengths.push(made.characters);
    for (const [i, side] of SIDES.entries()) {
      const reference = await squared(picture, side);
      const shown = await made.at(side);
      scores[2 * i]!.push(psnrRgb(reference, shown));
      scores[2 * i + 1]!.push(ssimulacra2(reference)(shown)!);
    }
  }
  const figures = scores.map((list, i) => mean(list).toFixed(i % 2 === 0 ? 2 : 0));
  rows.push([name, mean(lengths).toFixed(0), ...figures]);
  console.log(rows.at(-1)!.join('  '));
}
const head = ['placeholder', 'characters', ...SIDES.flatMap((side) => [`${side}×${side}, dB`, 'SSIMULACRA 2'])];
const date = new Date().toISOString().slice(0, 10);
const typed = process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(' ')}` : '';
if (values.publish)
  publish(
    'placeholders',
    `${table(head, rows)}\n\nMean of ${paths.length} pictures, the squares of their middles. \`npm run report:placeholders${typed}\`, ${date}.`,
  );
