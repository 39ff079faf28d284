/**
 * `npm run report:tiny`: pictures of 160×120 and 320×240 in 50 to 2000 bytes, dcomp beside JPEG, WebP, AVIF and JPEG XL, and what packets
 * deliver where some are lost. Writes out/tiny.json, and with --publish a table into docs/results.md.
 *
 * Usage: node dist/bench/tiny.js [FOLDER] [--every N] [--effort 9] [--shapes 160x120,320x240] [--sizes 50,…] [--no-others] [--loss] [--publish]
 *        (default: ../shared/data/dev2, every picture; upright ones in the shape turned)
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import type sharpModule from 'sharp';
import { JPEG_XL } from '../eval/codecs/jpeg-xl.js';
import { ssimulacra2 } from '../src/metrics/ssimulacra2.js';
import { psnrRgb } from '../eval/metrics/psnr.js';
import { findPictures, loadPicture } from '../eval/pictures.js';
import { resizePicture } from '../formats/resize.js';
import { hash32 } from '../src/math/hash.js';
import { decode, decodeMessage, encodeMessages, encodeToSizes } from '../src/node.js';
import { joinPackets, makePackets, planPackets, type PacketOptions } from '../src/packets/index.js';
import type { Picture } from '../src/picture.js';
import { mean } from './middle.js';
import { publish, table } from './tables.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    every: { type: 'string', default: '1' },
    effort: { type: 'string', default: '9' },
    shapes: { type: 'string', default: '160x120,320x240' },
    sizes: { type: 'string', default: '50,100,222,340,1000,2000' },
    'no-others': { type: 'boolean', default: false },
    loss: { type: 'boolean', default: false },
    publish: { type: 'boolean', default: false },
  },
});
const SIZES = values.sizes.split(',').map(Number);
const EFFORT = Number(values.effort);

const LOSSES = [0, 0.1, 0.2, 0.3, 0.4, 0.5];
/** Patterns of loss at each rate and picture. */
const PATTERNS = 200;
const SCHEMES: Record<string, PacketOptions> = {
  '6 packets, all needed': { bytes: 222, count: 6 },
  '30 %: any 4 of 6': { bytes: 222, count: 6, redundancy: 0.3 },
  '100 %: any 3 of 6': { bytes: 222, count: 6, redundancy: 1 },
  '30 %, and 60 bytes in each': { bytes: 222, count: 6, redundancy: 0.3, preview: { bytes: 60, need: 1 } },
};

/** Bytes of the messages that are sent so. */
const ROOMS = Object.values(SCHEMES).map((options) => planPackets(options).room);
/** Whether a picture is sent in packets, too. */
const isSpread = ({ width, height }: Picture): boolean => values.loss && Math.max(width, height) <= 200;

/** Of each size the largest file that fits, decoded; undefined where there is none. */
type Coder = (picture: Picture, sizes: readonly number[]) => Promise<(Picture | undefined)[]>;

/** By picture and size, as several are made at little more than the cost of one. */
const messages = new WeakMap<Picture, Map<number, Uint8Array>>();

async function messagesOf(picture: Picture): Promise<Map<number, Uint8Array>> {
  let made = messages.get(picture);
  if (made === undefined) {
    const sizes = [...new Set([...SIZES, ...(isSpread(picture) ? ROOMS : [])])];
    const results = await encodeMessages(picture, sizes, { effort: EFFORT });
    messages.set(picture, (made = new Map(sizes.map((size, i) => [size, results[i]!.bytes]))));
  }
  return made;
}

const dcompMessage: Coder = async (picture, sizes) => {
  const made = await messagesOf(picture);
  const shown: Picture[] = [];
  for (const size of sizes) shown.push(await decodeMessage(made.get(size)!));
  return shown;
};

const dcompFile: Coder = async (picture, sizes) => {
  const files = await encodeToSizes(picture, sizes);
  return Promise.all(files.map(async ({ bytes }) => decode(bytes)));
};

/** By trying all qualities: more of it is not always more bytes. */
function byQuality(
  encode: (picture: Picture, quality: number) => Promise<Uint8Array>,
  decodeFile: (file: Uint8Array) => Promise<Picture>,
  lengthOf: (file: Uint8Array) => number = ({ length }) => length,
): Coder {
  return async (picture, sizes) => {
    const files: Uint8Array[] = [];
    for (let quality = 0; quality <= 96; quality += quality < 30 ? 1 : 4) {
      const file = await encode(picture, quality);
      files.push(file);
      if (lengthOf(file) > 2 * Math.max(...sizes)) break;
    }
    return Promise.all(
      sizes.map(async (size) => {
        const fits = files.filter((file) => lengthOf(file) <= size).sort((a, b) => lengthOf(b) - lengthOf(a))[0];
        return fits === undefined ? undefined : decodeFile(fits);
      }),
    );
  };
}

/**
 * What SSDV sends of a JPEG: the bits of its scan, as tables and size are known at both ends. Its packets have 15 bytes of their own at
 * least, which are not counted.
 */
function scanLength(file: Uint8Array): number {
  let at = 2;
  for (; file[at + 1] !== 0xda; at += 2 + 256 * file[at + 2]! + file[at + 3]!);
  return file.length - (at + 2 + 256 * file[at + 2]! + file[at + 3]!) - 2;
}

type Sharp = ReturnType<typeof sharpModule>;

/** By sharp, of a quality from 1 to 96, and what of the file counts. */
const BY_SHARP: [string, (image: Sharp, quality: number) => Sharp, ((file: Uint8Array) => number)?][] = [
  ['JPEG (mozjpeg, 4:2:0)', (image, quality) => image.jpeg({ quality, mozjpeg: true, chromaSubsampling: '4:2:0' })],
  [
    'JPEG as SSDV has it',
    (image, quality) => image.jpeg({ quality, optimiseCoding: false, chromaSubsampling: '4:2:0' }),
    scanLength,
  ],
  ['WebP', (image, quality) => image.webp({ quality, effort: 6 })],
  ['AVIF (4:2:0)', (image, quality) => image.avif({ quality, effort: 6, chromaSubsampling: '4:2:0' })],
];

async function others(): Promise<[string, Coder][]> {
  const sharp = ((await import('sharp')) as { default: typeof sharpModule }).default;
  const decodeFile = async (file: Uint8Array): Promise<Picture> => {
    const { data, info } = await sharp(file)
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, channels: 3, data: new Uint8Array(data) };
  };
  const image = ({ width, height, data }: Picture): Sharp => sharp(data, { raw: { width, height, channels: 3 } });
  const jxl = await JPEG_XL.load();
  return [
    ...BY_SHARP.map(([name, encode, lengthOf]): [string, Coder] => [
      name,
      byQuality(async (p, q) => encode(image(p), Math.max(1, q)).toBuffer(), decodeFile, lengthOf),
    ]),
    [
      'JPEG XL',
      byQuality(
        async (p, q) => jxl.encode(p, q),
        async (file) => jxl.decode(file),
      ),
    ],
  ];
}

interface Cell {
  psnr: number | null;
  ssimulacra2: number | null;
  /** Share of the pictures of which there is a file that small. */
  share: number;
}

async function cells(coder: Coder, pictures: readonly Picture[]): Promise<Cell[]> {
  const shown: (Picture | undefined)[][] = [];
  for (const picture of pictures) shown.push(await coder(picture, SIZES));
  return SIZES.map((_, k) => {
    const pairs = pictures.flatMap((picture, i) =>
      shown[i]![k] === undefined ? [] : [[picture, shown[i]![k]] as const],
    );
    if (pairs.length === 0) return { psnr: null, ssimulacra2: null, share: 0 };
    return {
      psnr: mean(pairs.map(([a, b]) => psnrRgb(a, b))),
      ssimulacra2: mean(pairs.map(([a, b]) => ssimulacra2(a)(b)!)),
      share: pairs.length / pictures.length,
    };
  });
}

/** By scheme and loss, mean PSNR of what arrives of a picture; where nothing can be shown that of a mean grey. */
async function delivered(pictures: readonly Picture[]): Promise<number[][]> {
  const schemes = Object.values(SCHEMES);
  const found = schemes.map(() => LOSSES.map((): number[] => []));
  for (const picture of pictures) {
    const made = await messagesOf(picture);
    for (const [s, options] of schemes.entries()) {
      const packets = makePackets(made.get(ROOMS[s]!)!, options);
      const grey = psnrRgb(picture, { ...picture, data: new Uint8Array(picture.data.length).fill(128) });
      const known = new Map<number, number>([[0, grey]]);
      for (const [l, loss] of LOSSES.entries()) {
        for (let pattern = 0; pattern < PATTERNS; pattern++) {
          const got = packets.filter((_, i) => hash32(7919 * pattern + l, i) / 2 ** 32 >= loss);
          const bytes = joinPackets(got)[0]?.bytes ?? new Uint8Array(0);
          // Beginnings of one message: the length says all.
          if (!known.has(bytes.length)) known.set(bytes.length, psnrRgb(picture, await decodeMessage(bytes)));
          found[s]![l]!.push(known.get(bytes.length)!);
        }
      }
    }
  }
  return found.map((byLoss) => byLoss.map(mean));
}

const shownCell = ({ psnr, ssimulacra2: score, share }: Cell): string =>
  psnr === null ? '-' : `${psnr.toFixed(2)}, ${score!.toFixed(0)}${share < 1 ? ` (${Math.round(100 * share)} %)` : ''}`;

const folder = positionals[0] ?? '../shared/data/dev2';
const paths = findPictures([folder]).filter((_, i) => i % Number(values.every) === 0);
const sections: string[] = [];
const figures: Record<string, unknown> = { effort: EFFORT, pictures: paths.map((path) => basename(path)) };
for (const shape of values.shapes.split(',')) {
  const [long, short] = shape.split('x').map(Number) as [number, number];
  const pictures: Picture[] = [];
  for (const path of paths) {
    const picture = loadPicture(path);
    const [width, height] = picture.width >= picture.height ? [long, short] : [short, long];
    pictures.push(await resizePicture(picture, { width, height, fit: 'cover' }));
  }
  const coders: [string, Coder][] = [
    ['dcomp, message', dcompMessage],
    ['dcomp, .dcz', dcompFile],
    ...(values['no-others'] ? [] : await others()),
  ];
  const rows: string[][] = [];
  for (const [name, coder] of coders) {
    const found = await cells(coder, pictures);
    figures[`${shape} ${name}`] = found;
    rows.push([name, ...found.map(shownCell)]);
    console.log(rows.at(-1)!.join('  '));
  }
  sections.push(table([`${shape}, bytes`, ...SIZES.map(String)], rows));
  if (!isSpread(pictures[0]!)) continue;
  const arrived = await delivered(pictures);
  const lost = Object.keys(SCHEMES).map((name, s) => [name, ...arrived[s]!.map((value) => value.toFixed(2))]);
  figures[`${shape}, packets lost`] = lost;
  console.log(lost.map((row) => row.join('  ')).join('\n'));
  sections.push(table([`${shape}, 6 × 222 bytes, packets lost`, ...LOSSES.map((loss) => `${100 * loss} %`)], lost));
}

/** What was given beside what the command itself gives. */
const given = process.argv.slice(2).filter((argument) => argument !== '--loss' && argument !== '--publish');
const date = new Date().toISOString().slice(0, 10);
const text = `PSNR (RGB) in dB and SSIMULACRA 2, mean of ${paths.length} pictures; in brackets, of how many there is a file that small.
SSDV: neither npm nor Debian has it; its row is the scan of a baseline JPEG by the standard's tables, without the heads of packets.
Lost packets: mean PSNR of what can be shown, ${PATTERNS} random losses a picture, a mean grey where that is nothing.
\`npm run report:tiny${given.length > 0 ? ` -- ${given.join(' ')}` : ''}\`, ${date}; messages at effort ${EFFORT}, .dcz files as \`encode\` makes them by default.`;
mkdirSync('out', { recursive: true });
writeFileSync('out/tiny.json', JSON.stringify(figures, null, 2));
if (values.publish) publish('tiny', [...sections, text].join('\n\n'));
