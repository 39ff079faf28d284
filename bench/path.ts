/**
 * What the order costs in which coefficients are measured: paths to the same final noise, on the ideal channel, with real network
 * evaluations. A path lists for each level the stages of measuring: which coefficients, and to which sigma.
 *
 * Usage: node dist/bench/path.js [FOLDER or PNG…] [--model FILE] [--side 256] [--paths WORD…] [--codes 144,128,112] [--limit N]
 *
 * By path and final sigma code of level 0: KL in bits per pixel, PSNR and SSIMULACRA 2 of the posterior mean, evaluations in multiples
 * of one at level 0; means over the middles of the pictures.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { findPictures, loadPicture, toRgb } from '../eval/pictures.js';
import { psnrRgb } from '../eval/metrics/psnr.js';
import { ssimulacra2 } from '../eval/metrics/ssimulacra2.js';
import { blankObservation, finerObservation, type Observation } from '../src/diffusion/observation.js';
import { PosteriorMean } from '../src/diffusion/posterior.js';
import { pyramidSizes } from '../src/diffusion/schedule.js';
import { gridOf } from '../src/math/rectangle.js';
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../src/model/architecture.js';
import type { Evaluator } from '../src/model/evaluator.js';
import { wienerGains } from '../src/model/inputs.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { EXACT, TOP_CODE, UNKNOWN, sigmaOf } from '../src/model/sigma.js';
import { createThreadedEvaluator } from '../src/model/wasm/threads-node.js';
import { priorOf } from '../src/model/weights.js';
import { DEFAULT_MODEL } from '../src/node.js';
import type { Picture } from '../src/picture.js';
import { COLOURS } from '../src/pixels/colour.js';
import { PictureCoefficients } from '../src/pixels/picture-coefficients.js';
import { finish } from "../src/turns.js";
import { join } from '../src/pixels/picture-planes.js';
import { inverseHaar } from '../src/pixels/pyramid.js';
import { Random, fillNormal } from '../src/train/random.js';
import { mean, middle } from './middle.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' },
    side: { type: 'string', default: '256' },
    paths: { type: 'string', default: '' },
    codes: { type: 'string', default: '144,128,112' },
    offsets: { type: 'string', default: '' },
    limit: { type: 'string', default: '6' },
  },
});

/** Stage of a level: the coefficients that `has` names are measured until they have sigma `code`. */
interface Stage {
  has: (x: number, y: number, c: number) => boolean;
  code: number;
}
/** Stages of a level, given its final code and how many levels there are. */
type Path = (level: number, final: number, levels: number) => { stages: Stage[]; left: number };

const all = (): boolean => true;
const parity = (x: number, y: number, c: number): number => (x + y + c) & 1;
/** Which of four parts: the parity of the checkerboard first, then rows. */
const quarter = (x: number, y: number, c: number): number => parity(x, y, c) * 2 + ((y + Math.floor(c / COLOURS)) & 1);

/** From one code down to another in steps. */
function down(from: number, to: number, width: number): Stage[] {
  const stages: Stage[] = [];
  for (let code = from; code > to;) stages.push({ has: all, code: (code = Math.max(to, code - width)) });
  return stages;
}

function inParts(code: number, parts: number): Stage[] {
  if (parts === 1) return [{ has: all, code }];
  const part = parts === 2 ? parity : quarter;
  return Array.from({ length: parts }, (_, k) => ({
    has: (x: number, y: number, c: number) => part(x, y, c) >= parts - 1 - k && part(x, y, c) < parts - k,
    code,
  }));
}

/** Today's: levels are entered at sigma_top, levels ≥ 1 are left an octave below. */
const today =
  (coarse: number, fine: number): Path =>
  (level, final, levels) => {
    const end = level === 0 ? final : TOP_CODE - 16;
    const enter = level >= levels - 2 ? inParts(TOP_CODE, 1) : inParts(TOP_CODE, 2);
    return { stages: [...enter, ...down(TOP_CODE, end, level === 0 ? fine : coarse)], left: end };
  };

/** Each level is finished before the next is entered, in steps from sigma_top on. */
const coarseFirst =
  (width: number): Path =>
  (level, final, levels) => {
    const enter = level >= levels - 2 ? inParts(Math.max(TOP_CODE, final), 1) : inParts(Math.max(TOP_CODE, final), 2);
    return { stages: [...enter, ...down(TOP_CODE, final, width)], left: final };
  };

/** Each level's details are measured straight at their final sigma, in parts. */
const straight =
  (parts: number): Path =>
  (_, final) => ({ stages: inParts(final, parts), left: final });

/** In two octave-wide stages and parts: first parts at a coarser sigma, then all at the final one. */
const twoSigmas =
  (parts: number, above: number): Path =>
  (_, final) => ({ stages: [...inParts(final + above, parts), { has: all, code: final }], left: final });

const PATHS: Record<string, Path> = {
  today: today(2, 4),
  'today-4-4': today(4, 4),
  'coarse-first-4': coarseFirst(4),
  'coarse-first-8': coarseFirst(8),
  'coarse-first-16': coarseFirst(16),
  'straight-1': straight(1),
  'straight-2': straight(2),
  'straight-4': straight(4),
  'two-1-16': twoSigmas(1, 16),
  'two-2-16': twoSigmas(2, 16),
  'two-2-32': twoSigmas(2, 32),
};

interface Result {
  bits: number;
  work: number;
  byLevel: number[];
  shown: Picture;
}

const model = readModelFile(readFileSync(values.model ?? DEFAULT_MODEL));
const evaluator: Evaluator = createThreadedEvaluator(model, { threads: 2 });

/** Sigma of a level for noise that is white at level 0, with the offset of the level. */
function finalOf(level: number, code: number, offsets: readonly number[]): number {
  return Math.max(1, code - 16 * level + (offsets[Math.min(level, offsets.length - 1)] ?? 0));
}

async function run(picture: Picture, path: Path, code: number, offsets: readonly number[]): Promise<Result> {
  const { width, height } = picture;
  const sizes = pyramidSizes(width, height);
  const levels = sizes.length - 1;
  const truth = finish(PictureCoefficients.of(picture, levels));
  const random = new Random(code, 7);
  let observation: Observation = blankObservation(sizes[levels - 1]!, false);
  let work = 0;
  let bits = 0;
  const byLevel: number[] = [];
  const evaluate = async (level: number): Promise<Float32Array> => {
    const { z, codes, width: w, height: h } = observation;
    let known = UNKNOWN;
    let details = false;
    for (let i = 0; i < codes.length; i++) {
      const c = codes[i]!;
      if (c === UNKNOWN || c === EXACT) continue;
      if (i % COEFFICIENTS >= COLOURS) details = true;
      known = Math.min(known, c);
    }
    for (let i = 0; i < codes.length && details; i++) if (codes[i] === UNKNOWN) details = false;
    work += 4 ** -level;
    return evaluator.evaluate(z, codes, w, h, { level, sigma: known, mode: details ? 'refine' : 'enter' });
  };
  const measure = (level: number, x: Float32Array, output: Float32Array | undefined, { has, code: to }: Stage): void => {
    const { z, codes, width: w } = observation;
    const prior = priorOf(model.architecture, model.statistics, level);
    const noise = new Float32Array(z.length);
    fillNormal(noise, random);
    for (let i = 0; i < z.length; i++) {
      const from = codes[i]!;
      const c = i % COEFFICIENTS;
      if (from === EXACT || (from !== UNKNOWN && from <= to)) continue;
      if (output === undefined && c >= COLOURS) continue;
      const at = Math.floor(i / COEFFICIENTS);
      if (!has(at % w, Math.floor(at / w), c)) continue;
      const { mean: cs, correction: co } = wienerGains(from, prior[c]!);
      const q = at * OUTPUT_CHANNELS + c;
      const mu = (from === UNKNOWN ? 0 : cs * z[i]!) + (output === undefined ? 0 : co * output[q]!);
      const v = co * co * 2 ** (output === undefined ? 0 : output[q + COEFFICIENTS]!);
      const p = from === UNKNOWN ? 0 : 1 / sigmaOf(from) ** 2;
      const goal = 1 / sigmaOf(to) ** 2;
      const delta = goal - p;
      const total = v + 1 / delta;
      bits += 0.5 * Math.log2(total * delta) + ((x[i]! - mu) ** 2 + 1 / delta - total) / (2 * Math.LN2 * total);
      const y = x[i]! + noise[i]! / Math.sqrt(delta);
      z[i] = (p * (from === UNKNOWN ? 0 : z[i]!) + delta * y) / goal;
      codes[i] = to;
    }
  };
  for (let level = levels - 1; level >= 0; level--) {
    const before = bits;
    const grid = gridOf(sizes[level]!);
    const x = finish(truth.rowsOf(level)(0, grid.height));
    const { stages } = path(level, finalOf(level, code, offsets), levels);
    if (level === levels - 1) {
      const left = path(level, finalOf(level, code, offsets), levels).stages[0]!.code;
      measure(level, x, undefined, { has: all, code: left });
    } else observation = finerObservation(observation, sizes[level]!, false);
    for (const stage of stages) measure(level, x, await evaluate(level), stage);
    byLevel[level] = (bits - before) / (width * height);
  }
  const output = await evaluate(0);
  const posterior = new PosteriorMean(priorOf(model.architecture, model.statistics, 0));
  const shown = posterior.of(observation.z, observation.codes, output, 0);
  const { width: w, height: h } = observation;
  const plane = inverseHaar({ width: w, height: h, data: shown }, width, height);
  return { bits: bits / (width * height), work, byLevel, shown: join(plane, 3, undefined, 8) };
}

const pictures = findPictures(positionals.length === 0 ? ['../shared/data/dev2'] : positionals)
  .slice(0, Number(values.limit))
  .map((path) => middle(toRgb(loadPicture(path)), Number(values.side)));
const names = Object.keys(PATHS).filter((name) => values.paths === '' || values.paths.split(',').includes(name));
const offsetSets = values.offsets === '' ? [[0]] : values.offsets.split('/').map((set) => set.split(',').map(Number));
console.log(`model ${model.id}, ${pictures.length} pictures of ${values.side}\npath offsets code  bpp  dB  ssimulacra2 evaluations  bits by level`);
for (const code of values.codes.split(',').map(Number))
  for (const offsets of offsetSets)
    for (const name of names) {
      const results: (Result & { psnr: number; eye: number })[] = [];
      for (const picture of pictures) {
        const result = await run(picture, PATHS[name]!, code, offsets);
        results.push({ ...result, psnr: psnrRgb(picture, result.shown), eye: ssimulacra2(picture)(result.shown) ?? NaN });
      }
      const of = (f: (result: (typeof results)[number]) => number): number => mean(results.map(f));
      console.log(
        [
          name.padEnd(16),
          offsets.join(',').padEnd(12),
          code,
          of((r) => r.bits).toFixed(4),
          of((r) => r.psnr).toFixed(2),
          of((r) => r.eye).toFixed(1),
          of((r) => r.work).toFixed(1),
          results[0]!.byLevel.map((_, k) => of((r) => r.byLevel[k] ?? 0).toFixed(4)).join(' '),
        ].join('  '),
      );
    }
await evaluator.close();
