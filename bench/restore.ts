/**
 * `npm run bench:restore`: what the reverse process is worth beside coding, by files as a user has them.
 *
 * denoise   white Gaussian noise of sigma 15, 25, 50 on RGB, rounded and cut off to 8 bits; the best guess with sigma given,
 *           sharp's median of 3×3, and the estimated sigma. Names that begin with mcm (McMaster) apart.
 * upscale   means of 2×2 and 4×4 pixels, rounded; the best guess, bicubic and Lanczos (a = 3).
 * inpaint   text, scratches, blocks of 16, 32, 64 pixels; PSNR of the best guess within the hole, and how steep the border is.
 *
 * estimate  the same noise; the estimated sigma alone, beside sigma, and beside sigma and what is found in the clean picture.
 *
 * Usage: node dist/bench/restore.js denoise|upscale|inpaint|estimate [FOLDER or PNG…] [--side 256] [--limit N] [--out FOLDER]
 * With --out the pictures are written; bench/restore-opencv.py then says what OpenCV makes of the same.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { psnrRgb } from '../eval/metrics/psnr.js';
import { findPictures, loadPicture, spread } from '../eval/pictures.js';
import { writePng } from '../formats/png-writer.js';
import {
  denoisePicture,
  estimateSigma,
  inpaintPicture,
  release,
  resultOf,
  upscalePicture,
} from '../src/diffusion-node.js';
import { hash32 } from '../src/math/hash.js';
import { normalAt } from '../src/math/normal.js';
import type { Picture } from '../src/picture.js';
import { mean, middle } from './middle.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    side: { type: 'string', default: '256' },
    limit: { type: 'string', default: '1000' },
    out: { type: 'string' },
    threads: { type: 'string', default: '2' },
    factors: { type: 'string', default: '2,4' },
    sigmas: { type: 'string', default: '15,25,50' },
    kinds: { type: 'string', default: 'text,scratches,block16,block32,block64' },
  },
});
const [task = '', ...folders] = positionals;
const paths = spread(findPictures(folders.length === 0 ? ['../shared/data/dev'] : folders), Number(values.limit));
const pictures = paths.map((path) => ({
  name: basename(path, '.png'),
  picture: middle(loadPicture(path), Number(values.side)),
}));
const threads = Number(values.threads);

function write(name: string, picture: Picture): void {
  if (values.out === undefined) return;
  mkdirSync(values.out, { recursive: true });
  writeFileSync(join(values.out, `${name}.png`), writePng(picture));
}

const noisy = ({ data, ...rest }: Picture, sigma: number): Picture => {
  const out = new Uint8Array(data.length);
  for (let i = 0; i < out.length; i++)
    out[i] = Math.min(255, Math.max(0, Math.round(data[i]! + sigma * normalAt(sigma, i))));
  return { ...rest, data: out };
};

async function denoising(): Promise<void> {
  for (const sigma of values.sigmas.split(',').map(Number)) {
    const rows: { name: string; ours: number; median: number; found: number }[] = [];
    for (const { name, picture } of pictures) {
      const given = noisy(picture, sigma);
      const made = await resultOf(denoisePicture(given, { sigma, threads }));
      const { width, height } = picture;
      const data = await sharp(given.data, { raw: { width, height, channels: 3 } })
        .median(3)
        .raw()
        .toBuffer();
      const median = { width, height, channels: 3 as const, data: new Uint8Array(data) };
      rows.push({
        name,
        ours: psnrRgb(picture, made),
        median: psnrRgb(picture, median),
        found: await estimateSigma(given),
      });
      write(`${name}-noise${sigma}`, given);
      write(`${name}-denoised${sigma}`, made);
      write(`${name}-clean`, picture);
    }
    for (const [what, some] of [
      ['all', rows],
      ['McMaster', rows.filter(({ name }) => name.startsWith('mcm'))],
    ] as const) {
      if (some.length === 0) continue;
      const right = some.filter(({ found }) => Math.abs(found / sigma - 1) <= 0.1).length;
      console.log(
        `sigma ${sigma}, ${what} (${some.length}): dcomp ${mean(some.map(({ ours }) => ours)).toFixed(2)} dB, median ${mean(some.map(({ median }) => median)).toFixed(2)} dB; sigma estimated within a tenth: ${right}`,
      );
    }
  }
}

async function estimating(): Promise<void> {
  const own: number[] = [];
  for (const { picture } of pictures) own.push(await estimateSigma(picture));
  for (const sigma of values.sigmas.split(',').map(Number)) {
    const found: { name: string; sigma: number; own: number }[] = [];
    for (const [k, { name, picture }] of pictures.entries())
      found.push({ name, sigma: await estimateSigma(noisy(picture, sigma)), own: own[k]! });
    const isNear = (said: number, truth: number): boolean => Math.abs(said / truth - 1) <= 0.1;
    const wrong = found.filter((each) => !isNear(each.sigma, sigma));
    const withOwn = found.filter((each) => isNear(each.sigma, Math.hypot(sigma, each.own))).length;
    const said = wrong.map((each) => `${each.name} ${each.sigma.toFixed(2)} (${each.own.toFixed(2)})`).join(', ');
    console.log(
      `sigma ${sigma}: within a tenth ${found.length - wrong.length} of ${found.length}, of what it is with their own noise ${withOwn}; else, own noise in brackets: ${said || 'none'}`,
    );
  }
}

/** Means of blocks, rounded. */
function reduced({ width, height, data }: Picture, factor: number): Picture {
  const [w, h] = [Math.floor(width / factor), Math.floor(height / factor)];
  const out = new Uint8Array(w * h * 3);
  for (let i = 0; i < out.length; i++) {
    const [c, p] = [i % 3, Math.floor(i / 3)];
    let sum = 0;
    for (let k = 0; k < factor * factor; k++)
      sum +=
        data[
          ((Math.floor(p / w) * factor + Math.floor(k / factor)) * width + (p % w) * factor + (k % factor)) * 3 + c
        ]!;
    out[i] = Math.round(sum / factor ** 2);
  }
  return { width: w, height: h, channels: 3, data: out };
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const KERNELS: Record<string, { reach: number; weight: (x: number) => number }> = {
  bicubic: {
    reach: 2,
    // Keys, 1981, with a = −½.
    weight: (x) =>
      Math.abs(x) < 1
        ? 1.5 * Math.abs(x) ** 3 - 2.5 * x * x + 1
        : -0.5 * Math.abs(x) ** 3 + 2.5 * x * x - 4 * Math.abs(x) + 2,
  },
  Lanczos: { reach: 3, weight: (x) => sinc(x) * sinc(x / 3) },
};

/** Rows and columns interpolated by a kernel, centres on centres, the edge repeated. */
function enlarged(source: Picture, factor: number, kernel: string): Picture {
  const { reach, weight } = KERNELS[kernel]!;
  const along = (input: Float64Array, length: number, count: number, step: number, other: number): Float64Array => {
    const out = new Float64Array(count * factor);
    for (let i = 0; i < length * factor; i++) {
      const at = (i + 0.5) / factor - 0.5;
      const taps = Array.from({ length: 2 * reach }, (_, k) => Math.floor(at) - reach + 1 + k);
      const weights = taps.map((tap) => weight(at - tap));
      const sum = weights.reduce((a, b) => a + b, 0);
      for (let j = 0; j < count / length; j++) {
        // `step` apart along the side that grows; lines are `other` apart, in which three colours lie.
        const line = step === 3 ? Math.floor(j / 3) * other + (j % 3) : j;
        const target = step === 3 ? Math.floor(j / 3) * other * factor + (j % 3) : j;
        let value = 0;
        taps.forEach((tap, k) => {
          value += (weights[k]! / sum) * input[line + Math.min(length - 1, Math.max(0, tap)) * step]!;
        });
        out[target + i * step] = value;
      }
    }
    return out;
  };
  const { width, height, data } = source;
  const wide = along(Float64Array.from(data), width, data.length, 3, 3 * width);
  const tall = along(wide, height, wide.length, 3 * width * factor, 0);
  const out = new Uint8Array(tall.length);
  for (let i = 0; i < out.length; i++) out[i] = Math.min(255, Math.max(0, Math.round(tall[i]!)));
  return { width: width * factor, height: height * factor, channels: 3, data: out };
}

async function upscaling(): Promise<void> {
  for (const factor of values.factors.split(',').map(Number) as (2 | 4)[]) {
    const scores: Record<string, number[]> = { dcomp: [], bicubic: [], Lanczos: [] };
    for (const { name, picture } of pictures) {
      const given = reduced(picture, factor);
      const made = await resultOf(upscalePicture(given, { factor, threads }));
      scores['dcomp']!.push(psnrRgb(picture, made));
      for (const kernel of ['bicubic', 'Lanczos'])
        scores[kernel]!.push(psnrRgb(picture, enlarged(given, factor, kernel)));
      write(`${name}-small${factor}`, given);
      write(`${name}-large${factor}`, made);
      const again = reduced(made, factor);
      if (again.data.some((value, i) => value !== given.data[i])) console.log(`${name}: not the same when reduced`);
    }
    const said = Object.entries(scores).map(([name, list]) => `${name} ${mean(list).toFixed(2)} dB`);
    console.log(`×${factor}, ${pictures.length} pictures: ${said.join(', ')}`);
  }
}

/** Letters of 5×7 points, as rows of bits. */
const LETTERS = [
  '01110100011111110001100011000110001',
  '11110100011111010001100011000111110',
  '11111100001111010000100001000011111',
];

function maskOf(kind: string, { width, height }: Picture): Uint8Array {
  const mask = new Uint8Array(width * height);
  const put = (x: number, y: number): void => {
    if (x >= 0 && y >= 0 && x < width && y < height) mask[y * width + x] = 255;
  };
  if (kind === 'text') {
    const dot = 2;
    for (let row = 0; row * 24 + 20 < height; row++)
      for (let column = 0; column * 14 + 12 < width; column++) {
        const letter = LETTERS[(row + column) % LETTERS.length]!;
        for (let k = 0; k < 35 * dot * dot; k++) {
          const [px, py] = [k % (5 * dot), Math.floor(k / (5 * dot))];
          if (letter[Math.floor(py / dot) * 5 + Math.floor(px / dot)] === '1')
            put(column * 14 + 2 + px, row * 24 + 4 + py);
        }
      }
  } else if (kind === 'scratches') {
    for (let k = 0; k < 8; k++) {
      const [x0, y0, x1, y1] = [0, 1, 2, 3].map((j) => (hash32(k, j) / 2 ** 32) * (j % 2 === 0 ? width : height)) as [
        number,
        number,
        number,
        number,
      ];
      for (let t = 0; t <= 1; t += 1 / (2 * Math.max(width, height)))
        for (const d of [0, 1]) put(Math.floor(x0 + t * (x1 - x0)) + d, Math.floor(y0 + t * (y1 - y0)));
    }
  } else {
    const side = Number(kind.slice('block'.length));
    const [x0, y0] = [(width - side) >> 1, (height - side) >> 1];
    for (let y = y0; y < y0 + side; y++) for (let x = x0; x < x0 + side; x++) put(x, y);
  }
  return mask;
}

/** Mean difference between neighbours in a row or column, across the border of the hole, and of the same places in the original. */
function steepness(mask: Uint8Array, picture: Picture): number {
  const { width, height, data } = picture;
  let [sum, count] = [0, 0];
  for (let y = 0; y < height - 1; y++)
    for (let x = 0; x < width - 1; x++)
      for (const d of [1, width]) {
        const i = y * width + x;
        if ((mask[i] === 0) === (mask[i + d] === 0)) continue;
        for (let c = 0; c < 3; c++) sum += Math.abs(data[3 * i + c]! - data[3 * (i + d) + c]!);
        count += 3;
      }
  return sum / count;
}

async function inpainting(): Promise<void> {
  for (const kind of values.kinds.split(',')) {
    const scores: number[] = [];
    const steep: number[] = [];
    for (const { name, picture } of pictures) {
      const mask = maskOf(kind, picture);
      const given = { ...picture, data: picture.data.map((value, i) => (mask[Math.floor(i / 3)] === 0 ? value : 0)) };
      const made = await resultOf(inpaintPicture(given as Picture, mask, { sampler: 'mean', threads }));
      let [error, count] = [0, 0];
      made.data.forEach((value, i) => {
        if (mask[Math.floor(i / 3)] === 0) return;
        error += (value - picture.data[i]!) ** 2;
        count++;
      });
      scores.push(10 * Math.log10((255 * 255 * count) / error));
      steep.push(steepness(mask, made) / steepness(mask, picture));
      write(`${name}-clean`, picture);
      write(`${name}-mask-${kind}`, { width: picture.width, height: picture.height, channels: 1, data: mask });
      write(`${name}-painted-${kind}`, made);
    }
    console.log(
      `${kind}, ${pictures.length} pictures: dcomp ${mean(scores).toFixed(2)} dB in the hole; gradient across its border ${mean(steep).toFixed(2)} times that of the original`,
    );
  }
}

const tasks: Record<string, () => Promise<void>> = {
  denoise: denoising,
  upscale: upscaling,
  inpaint: inpainting,
  estimate: estimating,
};
if (tasks[task] === undefined) throw new Error(`${task}: one of ${Object.keys(tasks).join(', ')}`);
await tasks[task]();
await release();
