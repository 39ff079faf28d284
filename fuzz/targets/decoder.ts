/** What is fuzzed of the decoder: whole files, regions of interest, crops and smaller pictures, files that arrive in portions. */
import assert from 'node:assert/strict';
import { corpusPicture } from '../../corpus/pictures.js';
import { decodePicture, type DecodeResult } from '../../src/codec/decoder.js';
import { type DecoderOptions } from '../../src/codec/decoder-options.js';
import { encodePicture } from '../../src/codec/encoder.js';
import type { EncodingOptions } from '../../src/codec/encoder-options.js';
import { Progression } from '../../src/codec/progressive.js';
import { viewOf } from '../../src/codec/source.js';
import { pyramidSizes, STRAIGHT_SCHEDULE, type Schedule } from '../../src/diffusion/schedule.js';
import type { Evaluator } from '../../src/model/evaluator.js';
import { checkPicture } from '../../src/picture.js';
import { mutateFile, putTogether, takeApart } from '../file.js';
import { evaluatorFor, toldEvaluator, untoldEvaluator } from '../models.js';
import { numbers } from '../mutate.js';
import { equal, refused, type Target } from '../target.js';

/** Larger pictures are refused, so that the network takes little time. */
const FUZZ_PIXELS = 420;
/** Where a part is to take less than the whole, the picture has to be larger. */
const CROP_PIXELS = 4096;

/** Levels measured straight, the coarse ones ahead, and refined from where they are entered. */
const STRAIGHT: Schedule = { ...STRAIGHT_SCHEDULE, straight: { firstCode: 168, ahead: [2, 6, 10, 12] } };

/** A file, and who evaluates for it: the one of its model, or, as models' ids are not what is fuzzed, of any. */
function withModel(bytes: Uint8Array): { bytes: Uint8Array; evaluator: Evaluator } {
  const file = takeApart(bytes);
  if (file === undefined || file.header.form === 'plain') return { bytes, evaluator: toldEvaluator };
  const evaluator = evaluatorFor(file.header.modelId);
  const { id: modelId } = evaluator.model;
  if (file.header.modelId === modelId) return { bytes, evaluator };
  return { bytes: putTogether({ ...file, header: { ...file.header, modelId } }), evaluator };
}

async function decoded(
  bytes: Uint8Array,
  evaluator: Evaluator,
  options: DecoderOptions,
): Promise<DecodeResult | undefined> {
  const { maxPixels = FUZZ_PIXELS } = options;
  try {
    const picture = await decodePicture(bytes, evaluator, { maxPixels, ...options });
    checkPicture(picture);
    assert.ok(picture.width * picture.height <= maxPixels);
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

async function runFile(given: Uint8Array): Promise<void> {
  const { bytes, evaluator } = withModel(given);
  for (const allowDamaged of [false, true]) {
    const picture = await decoded(bytes, evaluator, { allowDamaged });
    if (picture === undefined) continue;
    same(picture, (await decoded(bytes, evaluator, { allowDamaged }))!, 'two decodings differ');
    const crop = { x: picture.width - 1, y: picture.height - 1, width: 1, height: 1 };
    const corner = await decoded(bytes, evaluator, { allowDamaged, crop });
    assert.deepEqual(corner?.data, picture.data.slice(-picture.channels), 'a crop has other pixels');
    break;
  }
  await decoded(bytes, evaluator, { maxBytes: given.length >> 1 });
}

type Made = readonly [name: string, width: number, height: number, options: EncodingOptions, evaluator?: Evaluator];

async function encoded(list: readonly Made[]): Promise<Uint8Array[]> {
  const files: Uint8Array[] = [];
  for (const [name, width, height, options, evaluator = toldEvaluator] of list) {
    const picture = corpusPicture(name, { width, height });
    files.push((await encodePicture(picture, evaluator, { plain: false, effort: 1, ...options })).bytes);
  }
  return files;
}

const readable = (bytes: Uint8Array): boolean => takeApart(bytes) !== undefined;

export const decoder: Target = {
  name: 'decoder',
  share: 0.25,
  seeds: () =>
    encoded([
      ['rgba-balls', 12, 9, { target: { quality: 70 } }],
      ['grey-scene', 20, 3, { target: { quality: 100 }, pixelHash: true }],
      ['scene', 16, 16, { target: { quality: 90 } }, untoldEvaluator],
      ['grey-alpha-disc', 5, 7, { target: { quality: 40 } }],
      ['glyphs', 19, 18, { target: { quality: 60 } }],
      ['glyphs', 19, 18, { target: 'lossless' }],
      ['rgba-balls', 9, 7, { target: 'lossless', pixelHash: true }],
      ['scene', 20, 13, { target: { quality: 80 }, schedule: STRAIGHT }, untoldEvaluator],
      ['rgba-balls', 17, 12, { target: { size: 300 }, schedule: STRAIGHT }],
      ['grey-scene', 15, 15, { target: { psnr: 30 }, schedule: STRAIGHT, pixelHash: true }],
    ]),
  mutate: mutateFile,
  passes: readable,
  run: runFile,
};

export const regions: Target = {
  name: 'regions',
  share: 0.15,
  seeds: () => {
    const near = { importance: { regions: [{ x: 3, y: 3, width: 9, height: 9, weight: 16 }] } };
    const right = { importance: { regions: [{ x: 20, y: 0, width: 13, height: 12, weight: 4 }] } };
    return encoded([
      ['scene', 24, 17, near],
      ['grey-scene', 33, 12, right],
      ['scene', 24, 17, { ...near, schedule: STRAIGHT, target: { quality: 70 } }],
      ['rgba-balls', 24, 17, { ...near, schedule: STRAIGHT, target: { size: 400 } }, untoldEvaluator],
      ['grey-scene', 33, 12, right, untoldEvaluator],
    ]);
  },
  mutate: mutateFile,
  passes: readable,
  run: runFile,
};

/** Parts and smaller pictures of a file; which ones follows from its bytes. */
export const crops: Target = {
  name: 'crops',
  share: 0.1,
  seeds: () => {
    const importance = { regions: [{ x: 10, y: 3, width: 20, height: 9, weight: 8 }] };
    return encoded([
      ['scene', 90, 20, { target: { quality: 60 } }],
      ['scene', 40, 40, { target: { quality: 50 }, importance }, untoldEvaluator],
      ['rgba-balls', 61, 23, { target: { size: 500 }, schedule: STRAIGHT }, untoldEvaluator],
      ['scene', 70, 20, { target: { quality: 60 }, schedule: STRAIGHT, importance }],
      ['glyphs', 50, 31, { target: 'lossless' }],
      ['grey-scene', 120, 5, { target: { quality: 70 } }],
    ]);
  },
  mutate: mutateFile,
  passes: readable,
  async run(given) {
    const { bytes, evaluator } = withModel(given);
    const below = numbers(given.length + 1000 * (given[given.length >> 1] ?? 0));
    const header = takeApart(bytes)?.header;
    const levels = header === undefined ? 1 : pyramidSizes(header.width, header.height).length - 1;
    const options = { maxPixels: CROP_PIXELS, scale: 0.5 ** below(levels), allowDamaged: below(2) === 0 };
    const picture = await decoded(bytes, evaluator, options);
    if (picture === undefined) return;
    const { width, height, channels } = picture;
    if (header !== undefined) {
      const { pixels } = viewOf(header, options);
      assert.ok(width === pixels.width && height === pixels.height, 'a smaller picture is of another size');
    }
    const [x, y] = [below(width), below(height)];
    const crop = { x, y, width: 1 + below(width - x), height: 1 + below(height - y) };
    const part = (await decoded(bytes, evaluator, { ...options, crop }))!;
    for (let row = 0; row < crop.height; row++) {
      const at = ((y + row) * width + x) * channels;
      const n = crop.width * channels;
      assert.deepEqual(
        part.data.subarray(row * n, (row + 1) * n),
        picture.data.subarray(at, at + n),
        'a crop has other pixels than the picture',
      );
    }
  },
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
      ['scene', 18, 13, { target: { quality: 80 }, schedule: STRAIGHT }, untoldEvaluator],
      ['rgba-balls', 20, 12, { target: { size: 350 }, schedule: STRAIGHT }],
      ['scene', 16, 14, { target: { quality: 60 } }, untoldEvaluator],
    ]),
  mutate: mutateFile,
  passes: readable,
  async run(given) {
    const { bytes, evaluator } = withModel(given);
    const below = numbers(bytes.length);
    const progression = new Progression({ maxPixels: FUZZ_PIXELS });
    let last: DecodeResult | undefined;
    try {
      for (let at = 0; at < bytes.length;) {
        const end = Math.min(bytes.length, at + 1 + below(1 + (bytes.length >> 1)));
        progression.push(bytes.subarray(at, end));
        last = await progression.picture(evaluator);
        at = end;
      }
    } catch (error) {
      refused(error);
      return;
    }
    const whole = await decoded(bytes, evaluator, {});
    if (last !== undefined && whole !== undefined) same(last, whole, 'in portions the picture is another');
  },
};
