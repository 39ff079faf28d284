/** What is fuzzed of the decoder: whole files, regions of interest, files that arrive in portions. */
import assert from 'node:assert/strict';
import { corpusPicture } from '../../corpus/pictures.js';
import { tinyEvaluator } from '../../corpus/tiny-model.js';
import { decodePicture, type DecodeResult } from '../../src/codec/decoder.js';
import { type DecoderOptions } from '../../src/codec/decoder-options.js';
import { encodePicture } from '../../src/codec/encoder.js';
import type { EncoderOptions } from '../../src/codec/encoder-options.js';
import { Progression } from '../../src/codec/progressive.js';
import { checkPicture } from '../../src/picture.js';
import { mutateFile, putTogether, takeApart } from '../file.js';
import { numbers } from '../mutate.js';
import { equal, refused, type Target } from '../target.js';

const evaluator = tinyEvaluator();
/** Larger pictures are refused, so that the network takes little time. */
const FUZZ_PIXELS = 420;

/** The model's id is not what is fuzzed. */
function withModel(bytes: Uint8Array): Uint8Array {
  const file = takeApart(bytes);
  if (file === undefined || file.header.form === 'plain' || file.header.modelId === evaluator.model.id) return bytes;
  return putTogether({ ...file, header: { ...file.header, modelId: evaluator.model.id } });
}

async function decoded(bytes: Uint8Array, options: DecoderOptions): Promise<DecodeResult | undefined> {
  try {
    const picture = await decodePicture(bytes, evaluator, { maxPixels: FUZZ_PIXELS, ...options });
    checkPicture(picture);
    assert.ok(picture.width * picture.height <= FUZZ_PIXELS);
    return picture;
  } catch (error) {
    return refused(error);
  }
}

const same = (a: DecodeResult, b: DecodeResult, what: string): void =>
  assert.ok(
    a.data.length === b.data.length && equal(new Uint8Array(a.data.buffer), new Uint8Array(b.data.buffer)),
    what,
  );

async function runFile(bytes: Uint8Array): Promise<void> {
  const file = withModel(bytes);
  for (const allowDamaged of [false, true]) {
    const picture = await decoded(file, { allowDamaged });
    if (picture === undefined) continue;
    same(picture, (await decoded(file, { allowDamaged }))!, 'two decodings differ');
    const crop = { x: picture.width - 1, y: picture.height - 1, width: 1, height: 1 };
    const corner = await decoded(file, { allowDamaged, crop });
    assert.deepEqual(corner?.data, picture.data.slice(-picture.channels), 'a crop has other pixels');
    break;
  }
  await decoded(file, { maxBytes: bytes.length >> 1 });
}

const encoded = async (list: readonly (readonly [string, number, number, EncoderOptions])[]): Promise<Uint8Array[]> => {
  const files: Uint8Array[] = [];
  for (const [name, width, height, options] of list)
    files.push(
      (await encodePicture(corpusPicture(name, { width, height }), evaluator, { plain: false, effort: 1, ...options }))
        .bytes,
    );
  return files;
};

export const decoder: Target = {
  name: 'decoder',
  share: 0.25,
  seeds: () =>
    encoded([
      ['rgba-balls', 12, 9, { target: { quality: 70 } }],
      ['grey-scene', 20, 3, { target: { quality: 100 }, pixelHash: true }],
      ['scene', 16, 16, { target: { quality: 90 } }],
      ['grey-alpha-disc', 5, 7, { target: { quality: 40 } }],
      ['glyphs', 19, 18, { target: { quality: 60 } }],
      ['glyphs', 19, 18, { target: 'lossless' }],
      ['rgba-balls', 9, 7, { target: 'lossless', pixelHash: true }],
    ]),
  mutate: mutateFile,
  passes: (bytes) => takeApart(bytes) !== undefined,
  run: runFile,
};

export const regions: Target = {
  name: 'regions',
  share: 0.15,
  seeds: () =>
    encoded([
      ['scene', 24, 17, { importance: { regions: [{ x: 3, y: 3, width: 9, height: 9, weight: 16 }] } }],
      ['grey-scene', 33, 12, { importance: { regions: [{ x: 20, y: 0, width: 13, height: 12, weight: 4 }] } }],
    ]),
  mutate: mutateFile,
  passes: (bytes) => takeApart(bytes) !== undefined,
  run: runFile,
};

/** A file in portions; their sizes follow from its bytes. */
export const progressive: Target = {
  name: 'progressive',
  share: 0.15,
  seeds: () =>
    encoded([
      ['scene', 18, 13, { target: { quality: 80 } }],
      ['scene', 18, 13, { target: 'lossless' }],
      ['grey-alpha-disc', 9, 7, { target: { quality: 50 } }],
    ]),
  mutate: mutateFile,
  passes: (bytes) => takeApart(bytes) !== undefined,
  async run(bytes) {
    const file = withModel(bytes);
    const below = numbers(file.length);
    const progression = new Progression({ maxPixels: FUZZ_PIXELS });
    let last: DecodeResult | undefined;
    try {
      for (let at = 0; at < file.length;) {
        const end = Math.min(file.length, at + 1 + below(1 + (file.length >> 1)));
        progression.push(file.subarray(at, end));
        last = await progression.picture(evaluator);
        at = end;
      }
    } catch (error) {
      refused(error);
      return;
    }
    const whole = await decoded(file, {});
    if (last !== undefined && whole !== undefined) same(last, whole, 'in portions the picture is another');
  },
};
