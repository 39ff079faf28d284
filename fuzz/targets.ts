/**
 * What is fuzzed: readers of bytes that come from outside. A target takes any bytes, and must end with a result that is
 * what it says or with a `DcompError`; anything else is a finding. Valid inputs to begin with are its seeds.
 */
import assert from 'node:assert/strict';
import { writePng } from '../formats/png-writer.js';
import { readPng } from '../formats/png-reader.js';
import { corpusPicture } from '../corpus/pictures.js';
import {
  concat,
  readContainer,
  writeAlpha,
  writeHeader,
  writeSegments,
  type Header,
} from '../src/container/container.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { LAST_CODE } from '../src/format.js';
import { fileInfo } from '../src/container/info.js';
import { repairFile } from '../src/container/repair.js';
import { decodeCorrections, encodeCorrections, type Corrections } from '../src/entropy/corrections.js';
import { decodeGains, encodeGains, GAIN_CONTEXTS } from '../src/entropy/gains.js';
import { decodePlane, encodePlane } from '../src/entropy/plane.js';
import { DcompError } from '../src/errors.js';
import { hash32 } from '../src/math/hash.js';
import { uNet } from '../src/model/architecture.js';
import { readModelFile, writeModelFile } from '../src/model/integer/model-file.js';
import { checkPicture } from '../src/picture.js';
import { tinyEvaluator } from '../corpus/tiny-model.js';
import { randomModel } from '../corpus/random-model.js';
import { pictureFiles } from './picture-files.js';
import { composedPng, sealedFile, sealedModel, sealedPng, withModelId } from './seal.js';

export interface Target {
  name: string;
  seeds(): Uint8Array[] | Promise<Uint8Array[]>;
  /** @throws AssertionError, or whatever the reader throws besides DcompError */
  run(bytes: Uint8Array): void | Promise<void>;
  /** Of a long run, the share of executions: the decoder with its network is slow. */
  share: number;
}

/** The result, or undefined where the input is refused by name. */
function read<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    return refused(error);
  }
}

function refused(error: unknown): undefined {
  if (!(error instanceof DcompError)) throw error;
  assert.ok(error.message.length > 10 && !error.message.includes('\n'), error.message);
  // Bytes are never the caller's misuse.
  assert.ok(error.code !== 'E_USAGE', error.message);
  return undefined;
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

const noise = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => hash32(seed, i) & 255);

const container: Target = {
  name: 'container',
  share: 8,
  seeds() {
    const header: Header = {
      width: 300,
      height: 7,
      channels: 4,
      depth: 8,
      modelId: '01234567',
      schedule: { coarseWidth: 2, fineWidth: 4, lastCode: LAST_CODE, tail: 0, views: 1, coarseViews: 1 },
      nu: 14,
    };
    const first = { payload: noise(40, 1), units: 3, idealRatio: 128 };
    const segments = writeSegments([first, { payload: noise(150, 2), units: 9, idealRatio: 120 }]);
    const parts = [
      { type: 2, payload: Uint8Array.of(6) },
      { type: 6, payload: noise(30, 3) },
      { type: 99, payload: noise(2, 3) },
    ];
    return [
      concat([writeHeader(header, parts), writeAlpha(noise(12, 4)), segments]),
      concat([writeHeader({ ...header, channels: 2, width: 20 }), writeAlpha(Uint8Array.of(1, 255)), segments]),
      concat([writeHeader({ ...header, channels: 3, depth: 16 }), segments]),
      concat([writeHeader({ ...header, channels: 1, depth: 2 }, parts.slice(1)), writeSegments([first])]),
      writeHeader({ ...header, channels: 1, width: 1, height: 1 }),
    ];
  },
  run(bytes) {
    for (const file of [bytes, sealedFile(bytes)]) {
      const found = read(() => readContainer(file));
      const info = read(() => fileInfo(file));
      assert.equal(info === undefined, found === undefined);
      for (const { payloadOffset, payloadLength } of [
        ...(found?.parts ?? []),
        ...(found?.alpha === undefined ? [] : [found.alpha]),
        ...(found?.segments ?? []),
      ]) {
        assert.ok(payloadLength >= 0 && payloadOffset + payloadLength <= file.length, 'an extent outside the file');
      }
      const { bytes: mended, repairs } = repairFile(file);
      const undone = Uint8Array.from(mended);
      for (const { offset, found: was } of repairs) undone[offset] = was;
      assert.ok(equal(undone, file), 'repair changed other bytes than it says');
      if (repairs.length > 0) {
        assert.notEqual(
          read(() => readContainer(mended)),
          undefined,
          'repair made a file that is refused',
        );
        assert.deepEqual(repairFile(mended).repairs, [], 'repair left something to repair');
      }
    }
  },
};

const evaluator = tinyEvaluator();
/** Larger pictures are refused, so that the network takes little time. */
const FUZZ_PIXELS = 400;

const decoder: Target = {
  name: 'decoder',
  share: 0.25,
  async seeds() {
    const pictures = [
      ['rgba-balls', 12, 9, 70],
      ['grey-scene', 20, 3, 100],
      ['scene', 16, 16, 90],
      ['grey-alpha-disc', 5, 7, 40],
      ['glyphs', 19, 18, 60],
    ] as const;
    const files: Uint8Array[] = [];
    for (const [name, width, height, quality] of pictures) {
      files.push(
        (await encodePicture(corpusPicture(name, { width, height }), evaluator, { effort: 1, target: { quality } }))
          .bytes,
      );
    }
    return files;
  },
  async run(bytes) {
    // The model's id is not what is fuzzed.
    const sealed = sealedFile(withModelId(bytes, evaluator.model.id));
    for (const allowDamaged of [false, true]) {
      try {
        const picture = await decodePicture(sealed, evaluator, { maxPixels: FUZZ_PIXELS, allowDamaged });
        checkPicture(picture);
        assert.ok(picture.width * picture.height <= FUZZ_PIXELS);
        const crop = { x: picture.width - 1, y: picture.height - 1, width: 1, height: 1 };
        const { data } = await decodePicture(sealed, evaluator, { maxPixels: FUZZ_PIXELS, allowDamaged, crop });
        assert.deepEqual(data, picture.data.slice(-picture.channels), 'a crop has other pixels');
        break;
      } catch (error) {
        refused(error);
      }
    }
  },
};

/** Width and height in the first two bytes. */
const plane: Target = {
  name: 'plane',
  share: 4,
  seeds() {
    const of = (width: number, height: number, data: Uint8Array): Uint8Array =>
      concat([Uint8Array.of(width, height), encodePlane(data, width, height)]);
    return [
      of(7, 5, noise(35, 1)),
      of(30, 20, noise(600, 1).fill(255)),
      of(
        40,
        30,
        Uint8Array.from({ length: 1200 }, (_, i) => (i % 40) * 6),
      ),
      of(
        9,
        60,
        noise(540, 2).map((v) => (v & 1) * 255),
      ),
    ];
  },
  run(bytes) {
    const [width = 0, height = 0] = bytes;
    if (width === 0 || height === 0) return;
    const data = read(() => decodePlane(bytes.subarray(2), width, height));
    if (data === undefined) return;
    assert.equal(data.length, width * height);
    assert.ok(
      equal(decodePlane(encodePlane(data, width, height), width, height), data),
      'what was read is not read again',
    );
  },
};

/** Number of blocks, then a context each, then the gains. */
const gains: Target = {
  name: 'gains',
  share: 4,
  seeds() {
    return [0, 1, 16, 100].map((n) => {
      const contexts = noise(n, 1).map((v) => v % GAIN_CONTEXTS);
      return concat([
        Uint8Array.of(n),
        contexts,
        encodeGains(
          Int8Array.from(noise(n, 2), (v) => (v % 6) - 2),
          contexts,
        ),
      ]);
    });
  },
  run(bytes) {
    const n = Math.min(bytes[0] ?? 0, bytes.length - 1);
    if (n < 0) return;
    const contexts = bytes.subarray(1, 1 + n).map((v) => v % GAIN_CONTEXTS);
    const data = bytes.subarray(1 + n);
    const found = read(() => decodeGains(data, 0, n, contexts));
    if (found === undefined) return;
    assert.ok(found.end <= data.length && found.gains.every((gain) => gain >= -2 && gain <= 3));
    assert.ok(equal(encodeGains(found.gains, contexts), data.subarray(0, found.end)), 'gains have one encoding');
  },
};

/** log2 of the number of coefficients, then the corrections. */
const corrections: Target = {
  name: 'corrections',
  share: 4,
  seeds() {
    const lists: Corrections[] = [
      { indices: Uint32Array.of(), steps: Int32Array.of() },
      { indices: Uint32Array.of(0, 1, 2, 1000, 65000), steps: Int32Array.of(1, -1, 5, -3000, 16383) },
      {
        indices: Uint32Array.from({ length: 90 }, (_, i) => i * 7),
        steps: Int32Array.from({ length: 90 }, (_, i) => (i % 2 === 0 ? 1 : -2)),
      },
    ];
    return lists.map((list) => concat([Uint8Array.of(16), encodeCorrections(list)]));
  },
  run(bytes) {
    const n = 2 ** ((bytes[0] ?? 0) % 30);
    const data = bytes.subarray(1);
    const found = read(() => decodeCorrections(data, 0, n));
    if (found === undefined) return;
    assert.ok(found.end <= data.length && found.steps.every((step) => step !== 0));
    assert.ok(found.indices.every((index, k) => index < n && (k === 0 || index > found.indices[k - 1]!)));
    assert.ok(equal(encodeCorrections(found), data.subarray(0, found.end)), 'corrections have one encoding');
  },
};

const model: Target = {
  name: 'model',
  share: 2,
  seeds: () => [writeModelFile(randomModel(uNet([2], 2, 1), 1)), writeModelFile(randomModel(uNet([2, 2], 1, 2), 2))],
  run(bytes) {
    read(() => readModelFile(bytes));
    const found = read(() => readModelFile(sealedModel(bytes)));
    if (found !== undefined) assert.deepEqual(readModelFile(writeModelFile(found)).architecture, found.architecture);
  },
};

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

const png: Target = {
  name: 'png',
  share: 4,
  seeds: () =>
    ['scene', 'grey-scene', 'rgba-balls', 'grey-alpha-disc'].map((name) =>
      writePng(corpusPicture(name, { width: 11, height: 7 })),
    ),
  run(bytes) {
    checkPng(bytes);
    checkPng(sealedPng(bytes));
  },
};

const pngRows: Target = {
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
  run(bytes) {
    if (bytes.length >= 13) checkPng(composedPng(bytes));
  },
};

export const TARGETS: readonly Target[] = [
  container,
  decoder,
  plane,
  gains,
  corrections,
  model,
  png,
  pngRows,
  pictureFiles,
];
