/**
 * A net under moves and splits of the code: encodings and decodings, with the tiny model, of what the golden files don't
 * cover (several groups, crops, scales, regions, views, sizes that end anywhere, 16 bits, alpha, progressive decoding).
 */
import { createHash } from 'node:crypto';
import { corpusPicture } from '../../corpus/pictures.js';
import {
  decode,
  encode,
  encodeToSizes,
  ProgressiveDecoder,
  release,
  withDepth,
  type DecodeOptions,
  type Depth,
  type EncodeOptions,
} from '../../src/node.js';
import { tinyModelFile } from '../../corpus/tiny-model.js';

interface Case {
  picture: [name: string, width: number, height: number, depth?: Depth];
  options: EncodeOptions;
  decodings?: DecodeOptions[];
  /** Whether by a model that is not told sigma, on a straight path. */
  straight?: boolean;
}

const CASES: Record<string, Case> = {
  'several groups': {
    picture: ['scene', 900, 130],
    options: { target: { quality: 30 }, plain: false, effort: 1 },
    decodings: [
      { crop: { x: 780, y: 10, width: 90, height: 70 } },
      { scale: 1 / 2 },
      { scale: 1 / 8 },
      { maxBytes: 900 },
    ],
  },
  'ends in a wide step': {
    picture: ['scene', 800, 60],
    options: { target: { bitsPerPixel: 0.21 }, plain: false, effort: 2 },
    decodings: [{ crop: { x: 3, y: 1, width: 20, height: 50 } }],
  },
  tail: {
    picture: ['scene', 150, 110],
    options: { target: { size: 1777 }, plain: false, effort: 2 },
    decodings: [{ maxBytes: 1000 }, { maxBytes: 333 }, { scale: 1 / 4 }, { realism: 0.5, seed: 3 }],
  },
  'few bytes': { picture: ['scene', 96, 64], options: { target: { size: 120 }, plain: false, effort: 5 } },
  psnr: { picture: ['grey-scene', 77, 65], options: { target: { psnr: 31 }, plain: false, effort: 1 } },
  'high quality': { picture: ['scene', 40, 30], options: { target: { quality: 97 }, plain: false, effort: 1 } },
  regions: {
    picture: ['scene', 120, 90],
    options: {
      target: { size: 2500 },
      plain: false,
      effort: 1,
      importance: { regions: [{ x: 20, y: 30, width: 40, height: 30, weight: 6 }] },
    },
    decodings: [{ maxBytes: 1500 }, { crop: { x: 20, y: 30, width: 40, height: 30 } }],
  },
  'one view': { picture: ['scene', 64, 48], options: { views: 1, target: { quality: 50 }, plain: false, effort: 1 } },
  'four views': {
    picture: ['scene', 64, 48],
    options: { views: 4, target: { quality: 50 }, plain: false, effort: 1 },
    decodings: [{ scale: 1 / 2 }],
  },
  'sixteen bits': { picture: ['scene', 50, 37, 16], options: { target: { quality: 85 }, plain: false, effort: 1 } },
  'grey of two bits': {
    picture: ['grey-scene', 31, 29, 2],
    options: { target: { quality: 60 }, plain: false, effort: 1 },
  },
  alpha: {
    picture: ['rgba-balls', 70, 50],
    options: { target: { quality: 45 }, plain: false, effort: 1 },
    decodings: [{ crop: { x: 11, y: 13, width: 30, height: 20 } }, { scale: 1 / 2 }],
  },
  'coarse alpha of sixteen bits': {
    picture: ['rgba-balls', 35, 25, 16],
    options: { target: { quality: 45 }, plain: false, effort: 1, alphaQuality: 50 },
  },
  'grey and alpha': {
    picture: ['grey-alpha-disc', 45, 61],
    options: { target: { quality: 66 }, plain: false, effort: 1 },
  },
  'plain, few colours': {
    picture: ['glyphs', 90, 50],
    options: { target: 'lossless', plain: true },
    decodings: [{ crop: { x: 11, y: 13, width: 30, height: 20 } }, { scale: 1 / 4 }, { maxBytes: 200 }],
  },
  'plain, many': { picture: ['scene', 60, 45], options: { target: 'lossless', plain: true } },
  'plain of sixteen bits': { picture: ['rgba-balls', 20, 15, 16], options: { target: 'lossless', plain: true } },
  straight: {
    picture: ['scene', 150, 110],
    options: { target: { quality: 45 }, plain: false, effort: 2 },
    decodings: [{ maxBytes: 1500 }, { crop: { x: 11, y: 13, width: 30, height: 20 } }, { scale: 1 / 4 }],
    straight: true,
  },
  'straight, several groups': {
    picture: ['scene', 820, 60],
    options: { target: { quality: 20 }, plain: false, effort: 1, tune: 'psnr' },
    straight: true,
  },
  'straight, of a given size': {
    picture: ['grey-scene', 77, 65],
    options: { target: { size: 700 }, plain: false, effort: 1 },
    straight: true,
  },
  'straight, level 0 at once': {
    picture: ['scene', 150, 110],
    options: { target: { size: 800 }, plain: false, effort: 1 },
    decodings: [{ maxBytes: 600 }, { crop: { x: 11, y: 13, width: 30, height: 20 } }],
    straight: true,
  },
  'straight, regions': {
    picture: ['scene', 150, 110],
    options: {
      target: { size: 1500 },
      plain: false,
      effort: 1,
      importance: {
        regions: [
          { x: 20, y: 30, width: 40, height: 30, weight: 50 },
          { x: 100, y: 0, width: 50, height: 110, weight: 1 / 4 },
        ],
      },
    },
    decodings: [{ maxBytes: 1000 }, { crop: { x: 20, y: 30, width: 40, height: 30 } }, { scale: 1 / 4 }],
    straight: true,
  },
  'straight, to the pixels': {
    picture: ['scene', 40, 30],
    options: { target: 'lossless', plain: false, effort: 1 },
    decodings: [{ maxBytes: 900 }],
    straight: true,
  },
  thin: { picture: ['scene', 1, 70], options: { target: { quality: 50 }, plain: false, effort: 1 } },
};

const hash = (data: Uint8Array | Uint16Array): string =>
  createHash('sha256')
    .update(
      data instanceof Uint8Array
        ? data
        : Uint8Array.from({ length: 2 * data.length }, (_, i) => (i & 1 ? data[i >> 1]! : data[i >> 1]! >> 8)),
    )
    .digest('hex')
    .slice(0, 16);

export async function netHashes(): Promise<Record<string, string>> {
  const [told, untold] = [tinyModelFile(), tinyModelFile({ sigma: false })];
  const hashes: Record<string, string> = {};
  for (const [
    name,
    {
      picture: [kind, width, height, depth = 8],
      options,
      decodings = [],
      straight = false,
    },
  ] of Object.entries(CASES)) {
    const model = straight ? untold : told;
    const picture = withDepth(corpusPicture(kind, { width, height }), depth);
    const { bytes } = await encode(picture, { ...options, model, threads: 1 });
    hashes[name] = hash(bytes);
    for (const how of [{}, ...decodings])
      hashes[`${name} ${JSON.stringify(how)}`] = hash((await decode(bytes, { ...how, model, threads: 1 })).data);
  }
  const picture = corpusPicture('scene', { width: 130, height: 100 });
  const files = await encodeToSizes(picture, [300, 1200, 2500], { model: told, threads: 1, plain: false, effort: 1 });
  files.forEach(({ bytes }, i) => (hashes[`sizes ${i}`] = hash(bytes)));
  const decoder = new ProgressiveDecoder({ model: told, threads: 1 });
  for (const end of [400, 1100, 2000]) {
    decoder.push(files[2]!.bytes.subarray(decoder.byteLength, end));
    hashes[`progressive ${end}`] = hash((await decoder.picture({ latest: true }))!.data);
  }
  await release();
  return hashes;
}
