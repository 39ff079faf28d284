/**
 * `npm run bench:large`: peak memory and time of the program on large pictures, each run a process of its own under
 * `/usr/bin/time -v` (GNU time). Memory beside its target, time per megapixel as a table with the exponent of its growth.
 *
 * Usage: node dist/bench/large.js [--megapixels 0.4,1.5,6,24] [--bpp 0.25] [--effort 1] [--threads N] [--model small|large|FILE]
 *        [--picture PNG]   (repeated to the size wanted, each time shifted; default: the project's own test picture)
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import { corpusPicture } from '../corpus/pictures.js';
import type { Picture } from '../src/picture.js';

const { values } = parseArgs({
  options: {
    megapixels: { type: 'string', default: '0.4,1.5,6,24' },
    bpp: { type: 'string', default: '0.25' },
    quality: { type: 'string' },
    effort: { type: 'string', default: '1' },
    threads: { type: 'string' },
    model: { type: 'string' },
    picture: { type: 'string' },
  },
});

/** Peak memory that is promised, in MiB: up to so many megapixels. */
const TARGETS = [
  { megapixels: 24, mebibytes: 1536 },
  { megapixels: 100, mebibytes: 4096 },
];

/** A picture of 3:2 of so many megapixels. No row repeats the one a tile above: each tile is turned by another offset. */
function enlarged(tile: Picture, megapixels: number): Picture {
  const width = Math.round(Math.sqrt(1.5e6 * megapixels));
  const height = Math.round((1e6 * megapixels) / width);
  const { channels } = tile;
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(y / tile.height);
    const shift = (row * 7919) % tile.width;
    const from = (y % tile.height) * tile.width * channels;
    const line = tile.data.subarray(from, from + tile.width * channels);
    for (let x = -shift; x < width; x += tile.width) {
      const skip = Math.max(0, -x);
      data.set(
        line.subarray(skip * channels, Math.min(tile.width, width - x) * channels),
        (y * width + x + skip) * channels,
      );
    }
  }
  return { width, height, channels, data };
}

interface Run {
  seconds: number;
  mebibytes: number;
}

/** Runs the program. @throws Error if it fails */
function measured(args: string[]): Run {
  const program = fileURLToPath(new URL('../bin/main.js', import.meta.url));
  const common = [
    ...(values.threads === undefined ? [] : ['--threads', values.threads]),
    ...(values.model === undefined ? [] : ['--model', values.model]),
  ];
  const { stderr, status, error } = spawnSync('/usr/bin/time', ['-v', execPath, program, ...args, ...common], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (error !== undefined) throw new Error('/usr/bin/time is missing: install GNU time', { cause: error });
  if (status !== 0) throw new Error(stderr);
  const found = (pattern: RegExp): string => pattern.exec(stderr)?.[1] ?? '';
  const kibibytes = Number(found(/Maximum resident set size \(kbytes\): (\d+)/));
  const seconds = found(/Elapsed \(wall clock\) time[^\n]*: ([\d:.]+)\n/)
    .split(':')
    .reduce((sum, part) => 60 * sum + Number(part), 0);
  return { seconds, mebibytes: kibibytes / 1024 };
}

/** Least-squares slope of log(seconds) over log(megapixels): 1 is linear. */
function exponent(points: { megapixels: number; seconds: number }[]): number {
  const xs = points.map(({ megapixels }) => Math.log(megapixels));
  const ys = points.map(({ seconds }) => Math.log(seconds));
  const mean = (list: number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
  const [mx, my] = [mean(xs), mean(ys)];
  return xs.reduce((sum, x, i) => sum + (x - mx) * (ys[i]! - my), 0) / xs.reduce((sum, x) => sum + (x - mx) ** 2, 0);
}

const tile =
  values.picture === undefined
    ? corpusPicture('scene', { width: 768, height: 512 })
    : readPng(readFileSync(values.picture)).picture;
const folder = mkdtempSync(join(tmpdir(), 'dcomp-large-'));
const [png, dcz, back] = ['picture.png', 'picture.dcz', 'back.png'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
const target = values.quality === undefined ? ['--bpp', values.bpp] : ['--quality', values.quality];
console.log(`${target.join(' ')} --effort ${values.effort}`);
console.log('megapixels     bytes   encode s  s/MP    MiB   decode s  s/MP    MiB   target MiB');
const rows: { megapixels: number; encode: Run; decode: Run }[] = [];
try {
  for (const wanted of values.megapixels.split(',').map(Number)) {
    let picture: Picture | undefined = enlarged(tile, wanted);
    const megapixels = (picture.width * picture.height) / 1e6;
    writeFileSync(png, writePng(picture));
    picture = undefined;
    const encode = measured(['encode', '--force', png, dcz, ...target, '--effort', values.effort]);
    const decode = measured(['decode', '--force', dcz, back]);
    rows.push({ megapixels, encode, decode });
    const limit = TARGETS.find((each) => wanted <= each.megapixels)?.mebibytes ?? '-';
    const show = ({ seconds, mebibytes }: Run): string =>
      `${seconds.toFixed(1).padStart(8)} ${(seconds / megapixels).toFixed(2).padStart(6)} ${mebibytes.toFixed(0).padStart(6)}`;
    console.log(
      `${megapixels.toFixed(2).padStart(10)} ${String(statSync(dcz).size).padStart(9)}   ${show(encode)}   ${show(decode)}   ${limit}`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (rows.length > 1) {
  const growth = (run: 'encode' | 'decode'): string =>
    exponent(rows.map((row) => ({ megapixels: row.megapixels, seconds: row[run].seconds }))).toFixed(3);
  console.log(
    `growth of time: megapixels^${growth('encode')} encoding, ^${growth('decode')} decoding (target: at most 1.05)`,
  );
}
