/**
 * `npm run protocol`: how good a model is, in minutes, without coding anything.
 *
 * 1. Denoising as papers measure it (published-noise.ts), with so many views: PSNR over all samples, means over the pictures, at
 *    full size; those of McMaster (names that begin with mcm) apart as well, since published denoisers state them.
 * 2. The ideal channel along the schedule: bits per pixel so far and PSNR (RGB) after each step of levels 1 and 0, and the bits of
 *    each step, means over the middles of the pictures.
 *
 * Usage: node dist/bench/protocol.js [FOLDER or PNG…] [--model small|large|FILE] [--side 256] [--rate 1] [--threads N]
 *          [--views 1|2|4] [--only-noise]
 *        (default: ../shared/data/dev, the default model)
 */
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { idealPictures } from '../eval/codecs/dcomp.js';
import { findPictures, loadPicture, toRgb } from '../eval/pictures.js';
import type { StepBits } from '../eval/measurement.js';
import { psnrRgb } from '../eval/metrics/psnr.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { createThreadedEvaluator } from '../src/model/wasm/threads-node.js';
import { loadModel } from '../src/models/read-node.js';
import type { Views } from '../src/diffusion/schedule.js';
import { mean, middle } from './middle.js';
import { denoisedAsPublished } from './published-noise.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' },
    side: { type: 'string', default: '256' },
    rate: { type: 'string', default: '1' },
    threads: { type: 'string' },
    views: { type: 'string', default: '1' },
    'only-noise': { type: 'boolean', default: false },
  },
});

const SIGMAS = [15, 25, 50];

const model = readModelFile(await loadModel(values.model));
const evaluator = await createThreadedEvaluator(
  model,
  values.threads === undefined ? {} : { threads: Number(values.threads) },
);

const paths = findPictures(positionals.length === 0 ? ['../shared/data/dev'] : positionals);
const pictures = paths.map((path) => toRgb(loadPicture(path)));
const isMcMaster = paths.map((path) => basename(path).startsWith('mcm'));
console.log(`model ${model.id}, ${pictures.length} pictures`);
for (const sigma of SIGMAS) {
  const scores: number[] = [];
  for (const picture of pictures)
    scores.push(psnrRgb(picture, await denoisedAsPublished(evaluator, picture, sigma, Number(values.views) as Views)));
  const theirs = scores.filter((_, i) => isMcMaster[i]);
  const apart = theirs.length === 0 ? '' : `, McMaster (${theirs.length}) ${mean(theirs).toFixed(3)} dB`;
  console.log(`denoising at sigma ${sigma}: ${mean(scores).toFixed(3)} dB${apart}`);
}

if (values['only-noise']) {
  await evaluator.close();
  process.exit();
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
