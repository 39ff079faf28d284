/**
 * What damage costs: PSNR loss of the whole picture when bits of its file are flipped, beside JPEG and AVIF under the same
 * flips. Files of about equal size, each decoded as tolerantly as its decoder can; where it gives nothing, mid-grey counts.
 *
 * Usage: npm run damage [-- --data FOLDER] [--pictures N] [--bpp R]
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import sharp, { type Sharp } from 'sharp';
import yargs from 'yargs';
import { readPng } from '../formats/png-reader.js';
import { readContainer } from '../src/container/container.js';
import { repairFile } from '../src/container/repair.js';
import { hash32 } from '../src/math/hash.js';
import { decode, encode, psnr, release } from '../src/node.js';
import type { Picture } from '../src/picture.js';
import { bestWithin } from './at-size.js';

const WIDTH = 256;
const HEIGHT = 192;
/** Damaged files of each kind. */
const TRIALS = 100;

interface Coded {
  name: string;
  file: Uint8Array;
  clean: number;
  /** PSNR of a damaged file's decoding; undefined where it gives nothing. */
  shown(damaged: Uint8Array): Promise<number | undefined>;
}

interface Tally {
  losses: number[];
  nothing: number;
}

const options = await yargs(argv.slice(2))
  .options({
    data: { type: 'string', default: '../shared/data/dev', describe: 'Folder of PNGs' },
    pictures: {
      type: 'number',
      default: 3,
      describe: `How many of them, spread over the list; ${WIDTH}×${HEIGHT} from the middle of each`,
    },
    bpp: { type: 'number', default: 0.75, describe: 'Bits per pixel' },
  })
  .strict()
  .version(false)
  .parse();

sharp.concurrency(1);
const tallies = new Map<string, Map<string, Tally>>();
const names = readdirSync(options.data)
  .filter((name) => name.endsWith('.png'))
  .sort();
for (let i = 0; i < options.pictures; i++) {
  const name = names[Math.floor(((i + 0.5) * names.length) / options.pictures)]!;
  const picture = middle(readPng(readFileSync(join(options.data, name))).picture);
  const codecs = await codedByAll(picture, Math.floor((options.bpp * WIDTH * HEIGHT) / 8));
  console.log(
    `${name}: ${codecs.map(({ name: codec, file, clean }) => `${codec} ${file.length} bytes ${clean.toFixed(2)} dB`).join(', ')}`,
  );
  for (const codec of codecs) await damageAll(codec, picture);
}
report();
await release();

/** The middle of a picture, RGB. */
function middle({ width, height, channels, data }: Picture): Picture {
  const [x0, y0] = [(width - WIDTH) >> 1, (height - HEIGHT) >> 1];
  const colour = channels >= 3 ? [0, 1, 2] : [0, 0, 0];
  const out = new Uint8Array(3 * WIDTH * HEIGHT);
  for (let y = 0, o = 0; y < HEIGHT; y++)
    for (let x = 0; x < WIDTH; x++)
      for (const c of colour) out[o++] = data[((y0 + y) * width + x0 + x) * channels + c]!;
  return { width: WIDTH, height: HEIGHT, channels: 3, data: out };
}

async function codedByAll(picture: Picture, size: number): Promise<Coded[]> {
  const { bytes } = await encode(picture, { target: { size } });
  /** Decoding of whole files; those that are cut at the same segment look the same, and are decoded once. */
  const known = new Map<string, Promise<number | undefined>>();
  const decoded = (file: Uint8Array, end: number): Promise<number | undefined> => {
    const key = Buffer.from(file.subarray(0, end)).toString('latin1');
    if (!known.has(key)) {
      const shown = decode(file.subarray(0, end), { allowDamaged: true }).then((back) => psnr(picture, back));
      known.set(
        key,
        shown.catch(() => undefined),
      );
    }
    return known.get(key)!;
  };
  const usable = (file: Uint8Array): number => {
    const lost = readContainer(file).segments.find(({ state }) => state === 'damaged');
    return lost?.offset ?? file.length;
  };
  const attempt = async (make: () => Promise<number | undefined>): Promise<number | undefined> =>
    make().catch(() => undefined);
  const clean = psnr(picture, await decode(bytes));
  const dcomp: Coded = {
    name: 'dcomp',
    file: bytes,
    clean,
    shown: (damaged) =>
      attempt(async () => {
        const { bytes: mended } = repairFile(damaged);
        return decoded(mended, usable(mended));
      }),
  };
  const bare: Coded = {
    name: 'dcomp without repair',
    file: bytes,
    clean,
    shown: (damaged) => attempt(async () => decoded(damaged, usable(damaged))),
  };
  return [dcomp, bare, await rival('JPEG', picture, size), await rival('AVIF', picture, size)];
}

/** The best quality that fits into the size. */
async function rival(name: 'JPEG' | 'AVIF', picture: Picture, size: number): Promise<Coded> {
  const image = (): Sharp => sharp(picture.data, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
  const code = (quality: number): Promise<Buffer> =>
    (name === 'JPEG'
      ? image().jpeg({ quality, progressive: false })
      : image().avif({ quality, effort: 6, chromaSubsampling: '4:4:4' })
    ).toBuffer();
  const file = (await bestWithin(size, code)) ?? (await code(1));
  const shown = async (bytes: Uint8Array): Promise<number | undefined> => {
    try {
      const { data, info } = await sharp(bytes, { failOn: 'none' })
        .removeAlpha()
        .toColourspace('srgb')
        .raw()
        .toBuffer({ resolveWithObject: true });
      if (info.width !== WIDTH || info.height !== HEIGHT || info.channels !== 3) return undefined;
      return psnr(picture, { ...picture, data });
    } catch {
      return undefined;
    }
  };
  return { name, file, clean: (await shown(file))!, shown };
}

async function damageAll(codec: Coded, picture: Picture): Promise<void> {
  const { file } = codec;
  const grey = psnr(picture, { ...picture, data: new Uint8Array(picture.data.length).fill(128) });
  const measure = async (kind: string, damaged: Uint8Array): Promise<void> => {
    const shown = await codec.shown(damaged);
    const tally = tallyOf(kind, codec.name);
    tally.losses.push(Math.max(0, codec.clean - (shown ?? grey)));
    if (shown === undefined) tally.nothing++;
  };
  for (let at = 0; at < file.length; at++) await measure('1 bit, at every byte in turn', flipped(file, [at], at));
  for (const count of [2, 4, 8, 16]) {
    for (let trial = 0; trial < TRIALS; trial++) {
      // The same places, as shares of the file, for every codec.
      const places = Array.from({ length: count }, (_, k) =>
        Math.floor((hash32(count, trial * 64 + k) / 2 ** 32) * file.length),
      );
      await measure(`${count} bits anywhere`, flipped(file, places, trial));
    }
  }
  for (let trial = 0; trial < TRIALS; trial++) {
    const start = Math.floor((hash32(99, trial) / 2 ** 32) * (file.length - 16));
    await measure(
      '16 bytes in a row',
      Uint8Array.from(file, (byte, i) => (i >= start && i < start + 16 ? hash32(trial, i) & 255 : byte)),
    );
  }
}

function flipped(file: Uint8Array, places: readonly number[], seed: number): Uint8Array {
  const damaged = Uint8Array.from(file);
  for (const at of places) damaged[at]! ^= 1 << (hash32(seed, at) & 7);
  return damaged;
}

function tallyOf(kind: string, codec: string): Tally {
  const kinds = tallies.get(kind) ?? new Map<string, Tally>();
  tallies.set(kind, kinds);
  const tally = kinds.get(codec) ?? { losses: [], nothing: 0 };
  kinds.set(codec, tally);
  return tally;
}

function report(): void {
  console.log(
    '\n| flipped | codec | mean loss, dB | worst, dB | loss above 1 dB, % | nothing shown, % |\n|---|---|---|---|---|---|',
  );
  for (const [kind, codecs] of tallies) {
    for (const [codec, { losses, nothing }] of codecs) {
      const n = losses.length;
      const mean = losses.reduce((sum, loss) => sum + loss, 0) / n;
      const share = (count: number): string => ((100 * count) / n).toFixed(1);
      console.log(
        `| ${kind} | ${codec} | ${mean.toFixed(2)} | ${Math.max(...losses).toFixed(1)} | ${share(losses.filter((loss) => loss > 1).length)} | ${share(nothing)} |`,
      );
    }
  }
}
