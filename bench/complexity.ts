/**
 * `npm run complexity`: what bits cost in time. Real files of the middles of some pictures under other schedules, views and
 * efforts than the default ones: the rate that each saves at equal PSNR, beside the arithmetic of decoding and the time of
 * encoding and decoding, as ratios to the default's in the same run.
 *
 * Usage: node dist/bench/complexity.js [FOLDER or PNG…] [--side 256] [--limit 8] [--rates 0.15,0.25,0.5] [--only PATTERN] [--threads N]
 *        [--model small|medium|large|FILE]
 *        (default: ../shared/data/dev, all threads)
 */
import { parseArgs } from 'node:util';
import { findPictures, loadPicture, spread } from '../eval/pictures.js';
import { psnrRgb } from '../eval/metrics/psnr.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePictureToSizes } from '../src/codec/encoder.js';
import type { EncodingOptions } from '../src/codec/encoder-options.js';
import { DEFAULT_SCHEDULE, type Schedule } from '../src/diffusion/schedule.js';
import { DEFAULT_MODEL } from '../src/models/registry.js';
import { DEFAULT_EFFORT } from '../src/node.js';
import type { Picture } from '../src/picture.js';
import { countedEvaluator } from './counted.js';
import { mean, middle } from './middle.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    side: { type: 'string', default: '256' },
    limit: { type: 'string', default: '8' },
    rates: { type: 'string', default: '0.15,0.25,0.5' },
    only: { type: 'string', default: '' },
    threads: { type: 'string' },
    model: { type: 'string', default: DEFAULT_MODEL },
  },
});

const schedule = (change: Partial<Schedule>): Omit<EncodingOptions, 'target'> => ({
  schedule: { ...DEFAULT_SCHEDULE, ...change },
});
const DEFAULT = 'default';
const VARIANTS: Record<string, Omit<EncodingOptions, 'target'>> = {
  [DEFAULT]: {},
  'views 1': { views: 1 },
  'views 4, levels ≥ 1: 2 views': { views: 4 },
  'views 4': schedule({ views: 4 }),
  'levels ≥ 1: 2 views': schedule({ coarseViews: 2 }),
  'level 0: 2 steps an octave': schedule({ fineWidth: 8 }),
  'level 0: 2⅔ steps an octave': schedule({ fineWidth: 6 }),
  'level 0: 5⅓ steps an octave': schedule({ fineWidth: 3 }),
  'level 0: 8 steps an octave': schedule({ fineWidth: 2 }),
  'levels ≥ 1: 4 steps an octave': schedule({ coarseWidth: 4 }),
  'levels ≥ 1: 16 steps an octave': schedule({ coarseWidth: 1 }),
  ...Object.fromEntries([1, 5, 7, 9].map((effort) => [`effort ${effort}`, { effort }])),
};

interface Outcome {
  psnr: number[];
  kiloFlop: number[];
  encodeSeconds: number;
  decodeSeconds: number;
}

const rates = values.rates.split(',').map(Number);
const { evaluator, flops, close } = await countedEvaluator(
  values.model,
  values.threads === undefined ? undefined : Number(values.threads),
);
const pictures = spread(
  findPictures(positionals.length === 0 ? ['../shared/data/dev'] : positionals),
  Number(values.limit),
).map((path) => middle(loadPicture(path), Number(values.side)));

async function measure(picture: Picture, options: Omit<EncodingOptions, 'target'>): Promise<Outcome> {
  const sizes = rates.map((rate) => Math.floor((rate * picture.width * picture.height) / 8));
  const start = performance.now();
  const files = await encodePictureToSizes(picture, evaluator, sizes, options);
  const between = performance.now();
  const outcome: Outcome = { psnr: [], kiloFlop: [], encodeSeconds: (between - start) / 1000, decodeSeconds: 0 };
  for (const { bytes } of files) {
    const before = flops();
    outcome.psnr.push(psnrRgb(picture, await decodePicture(bytes, evaluator)));
    outcome.kiloFlop.push((flops() - before) / 1000 / (picture.width * picture.height));
  }
  outcome.decodeSeconds = (performance.now() - between) / 1000;
  return outcome;
}

const reference: Outcome[] = [];
for (const picture of pictures) reference.push(await measure(picture, {}));
/** Decibels that a doubling of the rate brings around the i-th rate, mean of the pictures. */
const slopes = rates.map((_, i) => {
  const [a, b] = [Math.max(0, i - 1), Math.min(rates.length - 1, i + 1)];
  return mean(reference.map(({ psnr }) => psnr[b]! - psnr[a]!)) / Math.log2(rates[b]! / rates[a]!);
});
const percent = (ratio: number): string => `${(100 * (ratio - 1)).toFixed(1)} %`;

console.log(
  `model ${evaluator.model.id}, effort ${DEFAULT_EFFORT} unless stated, middles of ${values.side} pixels a side of ${pictures.length} pictures, rates ${rates.join(', ')}`,
);
console.log('| | bits at equal PSNR | kFLOP per pixel | encoding | decoding |\n|---|---|---|---|---|');
const wanted = new RegExp(values.only);
for (const [name, options] of Object.entries(VARIANTS)) {
  if (!wanted.test(name)) continue;
  const outcomes: Outcome[] = [];
  for (const picture of pictures)
    outcomes.push(name === DEFAULT ? reference[outcomes.length]! : await measure(picture, options));
  const bits = rates.map((_, i) =>
    percent(2 ** (-mean(outcomes.map(({ psnr }, k) => psnr[i]! - reference[k]!.psnr[i]!)) / slopes[i]!)),
  );
  const work = rates.map((_, i) => mean(outcomes.map(({ kiloFlop }) => kiloFlop[i]!)).toFixed(0));
  const time = (of: (outcome: Outcome) => number): string =>
    (mean(outcomes.map(of)) / mean(reference.map(of))).toFixed(2);
  console.log(
    `| ${name} | ${bits.join(', ')} | ${work.join(', ')} | ${time(({ encodeSeconds }) => encodeSeconds)} | ${time(({ decodeSeconds }) => decodeSeconds)} |`,
  );
}
await close();
