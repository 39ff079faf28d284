/**
 * `npm run protocol`: how good a model is, in minutes, without coding anything.
 *
 * 1. Denoising as the field measures it: white Gaussian noise on RGB, not clipped; PSNR over all samples of the clipped posterior
 *    mean, means over the pictures, at full size; those of McMaster (names that begin with mcm) apart as well, since published
 *    denoisers state them.
 * 2. The ideal channel along the schedule: bits per pixel so far and PSNR (RGB) after each step of levels 1 and 0, and the bits of
 *    each step, means over the middles of the pictures.
 *
 * Usage: node dist/bench/protocol.js [FOLDER or PNG…] [--model small|large|FILE] [--side 256] [--rate 1] [--threads N]
 *        (default: ../shared/data/dev, the default model)
 */
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { idealPictures } from '../eval/codecs/dcomp.js';
import { findPictures, loadPicture, toRgb } from '../eval/pictures.js';
import type { StepBits } from '../eval/measurement.js';
import { psnrRgb } from '../eval/metrics/psnr.js';
import { COLOURS, rotateColours } from '../src/pixels/colour.js';
import { blankObservation } from '../src/diffusion/observation.js';
import { PosteriorMean } from '../src/diffusion/posterior.js';
import { haar, inverseHaar } from '../src/pixels/pyramid.js';
import { EXACT, codeOf } from '../src/model/sigma.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { createThreadedEvaluator } from '../src/model/wasm/threads-node.js';
import { priorOf } from '../src/model/weights.js';
import { loadModel } from '../src/models/read-node.js';
import type { Picture } from '../src/picture.js';
import { fillNormal, Random } from '../src/train/random.js';
import { mean, middle } from './middle.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' },
    side: { type: 'string', default: '256' },
    rate: { type: 'string', default: '1' },
    threads: { type: 'string' },
  },
});

const SIGMAS = [15, 25, 50];

const model = readModelFile(await loadModel(values.model));
const evaluator = await createThreadedEvaluator(
  model,
  values.threads === undefined ? {} : { threads: Number(values.threads) },
);

/** PSNR of one picture with noise of this sigma, removed by one evaluation. */
async function denoised({ width, height, data }: Picture, sigma: number): Promise<number> {
  // The rotation of colours and the Haar step are orthonormal: noise that is white on RGB is white in them.
  const clean = rotateColours(data);
  const noise = new Float32Array(clean.length);
  fillNormal(noise, new Random(sigma, 0));
  const noisy = haar({ width, height, data: clean.map((value, i) => value + sigma * noise[i]!) });
  const { codes, ...grid } = blankObservation({ width, height }, false);
  for (let i = 0; i < codes.length; i++) if (codes[i] !== EXACT) codes[i] = codeOf(sigma);
  const z = noisy.data.map((value, i) => (codes[i] === EXACT ? 0 : value));
  const condition = { level: 0, sigma: codeOf(sigma), mode: 'refine' } as const;
  const output = await evaluator.evaluate(z, codes, grid.width, grid.height, condition);
  const mean = new PosteriorMean(priorOf(model.architecture, model.statistics, 0)).of(z, codes, output, 0);
  const shown = inverseHaar({ width: grid.width, height: grid.height, data: mean }, width, height).data;
  // Clipped in RGB; the rotation back is that of `restoreColours`, without rounding.
  let sum = 0;
  for (let i = 0; i < shown.length; i += COLOURS) {
    const l = shown[i]! / Math.sqrt(3) + 127.5;
    const p = shown[i + 1]! / Math.SQRT2;
    const q = shown[i + 2]! / Math.sqrt(6);
    for (const [c, value] of [l + p + q, l - p + q, l - 2 * q].entries())
      sum += (Math.min(255, Math.max(0, value)) - data[i + c]!) ** 2;
  }
  return 10 * Math.log10((255 * 255 * shown.length) / sum);
}

const paths = findPictures(positionals.length === 0 ? ['../shared/data/dev'] : positionals);
const pictures = paths.map((path) => toRgb(loadPicture(path)));
const isMcMaster = paths.map((path) => basename(path).startsWith('mcm'));
console.log(`model ${model.id}, ${pictures.length} pictures`);
for (const sigma of SIGMAS) {
  const scores: number[] = [];
  for (const picture of pictures) scores.push(await denoised(picture, sigma));
  const theirs = scores.filter((_, i) => isMcMaster[i]);
  const apart = theirs.length === 0 ? '' : `, McMaster (${theirs.length}) ${mean(theirs).toFixed(3)} dB`;
  console.log(`denoising at sigma ${sigma}: ${mean(scores).toFixed(3)} dB${apart}`);
}

/** By step, of all pictures that have it. */
const table: { step: StepBits; bits: number[]; rates: number[]; scores: number[] }[] = [];
for (const picture of pictures) {
  const part = middle(picture, Number(values.side));
  const pixels = part.width * part.height;
  const steps: StepBits[] = [];
  // Pictures are given from level 1 on, so the rows agree, however many levels there are.
  let shown = 0;
  for await (const { rate, decoded } of idealPictures(part, evaluator, Number(values.rate), steps)) {
    const step = steps[steps.length - 1]!;
    const row = (table[shown++] ??= { step, bits: [], rates: [], scores: [] });
    row.bits.push(step.bits / pixels);
    row.rates.push(rate);
    row.scores.push(psnrRgb(part, decoded));
  }
}
console.log(
  `ideal channel, middles of ${values.side} pixels a side; means over the pictures that get there\nlevel kind    sigma  pictures  bits/pixel of the step   so far   dB`,
);
for (const { step, bits, rates, scores } of table) {
  console.log(
    `${String(step.level).padStart(5)} ${step.kind.padEnd(7)} ${step.sigma.toFixed(1).padStart(5)} ${String(bits.length).padStart(9)} ${mean(bits).toFixed(5).padStart(23)} ${mean(rates).toFixed(5).padStart(8)} ${mean(scores).toFixed(2).padStart(6)}`,
  );
}
await evaluator.close();
