/**
 * `npm run claims`: whether the network is as wrong as it says. While real files are made, each of its evaluations is
 * compared with the picture: squared error over foreseen variance, 1 where the claim holds, by the noise that it is asked
 * for and by what a coefficient has to tell under that noise.
 *
 * Usage: node dist/bench/claims.js [FOLDER or PNG…] [--side 256] [--limit 18] [--qualities 10,50,90] [--model small|large|FILE]
 *        (default: ../shared/data/dev2, qualities 5 to 100)
 */
import { parseArgs } from 'node:util';
import { findPictures, loadPicture, spread } from '../eval/pictures.js';
import { encodePicture } from '../src/codec/encoder.js';
import { PosteriorMean } from '../src/diffusion/posterior.js';
import { pyramidSizes } from '../src/diffusion/schedule.js';
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../src/model/architecture.js';
import { rowsOfWhole, type Evaluator } from '../src/model/evaluator.js';
import type { Condition } from '../src/model/inputs.js';
import { log2SigmaOf, sigmaOf, UNKNOWN } from '../src/model/sigma.js';
import { priorOf } from '../src/model/weights.js';
import { DEFAULT_MODEL } from '../src/models/registry.js';
import { PictureCoefficients } from '../src/pixels/picture-coefficients.js';
import type { Picture } from '../src/picture.js';
import { finish } from '../src/turns.js';
import { countedEvaluator } from './counted.js';
import { middle } from './middle.js';
import { table } from './tables.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    side: { type: 'string', default: '256' },
    limit: { type: 'string', default: '18' },
    qualities: { type: 'string', default: '5,20,35,50,65,80,90,100' },
    model: { type: 'string', default: DEFAULT_MODEL },
  },
});

/** Upper ends of the classes, in bits that a coefficient has to tell. */
const CLASSES = [1 / 64, 1 / 16, 1 / 4, 1 / 2, 1, 2, Infinity];

/** Sums of a class: squared errors, foreseen variances, and how many. */
interface Sums {
  square: number;
  variance: number;
  count: number;
}

/** By what is asked (levels, whether details are known, noise), the sums of all classes. */
const sums = new Map<string, Sums[]>();

function add(key: string, bits: number, square: number, variance: number): void {
  let classes = sums.get(key);
  if (classes === undefined) sums.set(key, (classes = CLASSES.map(() => ({ square: 0, variance: 0, count: 0 }))));
  const own = classes[CLASSES.findIndex((end) => bits < end)]!;
  own.square += square;
  own.variance += variance;
  own.count++;
}

/** What was claimed of an observation's coefficients. @param truth of the level */
function compare(
  { model: { architecture, statistics } }: Evaluator,
  z: Float32Array,
  codes: Uint8Array,
  output: Float32Array,
  { level, sigma, mode }: Condition,
  truth: Float32Array,
): void {
  const posterior = new PosteriorMean(priorOf(architecture, statistics, level));
  const variances = posterior.variances(codes, output);
  const means = posterior.of(z, codes, output, 0);
  const noise = sigmaOf(sigma) ** 2;
  const key = `${level === 0 ? '0' : '1 and above'}|${mode}|${Math.floor(log2SigmaOf(sigma) + 0.5)}`;
  for (let i = 0; i < z.length; i++) {
    // Of what is being entered, what is not known yet.
    if (mode === 'enter' && codes[i] !== UNKNOWN) continue;
    add(key, 0.5 * Math.log2(1 + variances[i]! / noise), (truth[i]! - means[i]!) ** 2, variances[i]!);
  }
}

/** Evaluates as another does, and looks at what comes. */
function watched(evaluator: Evaluator, coefficients: PictureCoefficients): Evaluator {
  const evaluate: Evaluator['evaluate'] = async (z, codes, width, height, condition, pause) => {
    const output = await evaluator.evaluate(z, codes, width, height, condition, pause);
    const truth = finish(coefficients.rowsOf(condition.level)(0, height));
    if (truth.length === z.length && output.length === (z.length / COEFFICIENTS) * OUTPUT_CHANNELS)
      compare(evaluator, z, codes, output, condition, truth);
    return output;
  };
  const { model, threads } = evaluator;
  return { model, threads, evaluate, evaluateRows: rowsOfWhole(evaluate), close: () => evaluator.close() };
}

async function watch(picture: Picture, own: Evaluator, quality: number): Promise<void> {
  const levels = pyramidSizes(picture.width, picture.height).length;
  const coefficients = finish(PictureCoefficients.of(picture, levels));
  await encodePicture(picture, watched(own, coefficients), { plain: false, effort: 5, target: { quality } });
}

const side = Number(values.side);
const found = positionals.length === 0 ? ['../shared/data/dev2'] : positionals;
const paths = spread(findPictures(found), Number(values.limit));
const { evaluator: own, close } = await countedEvaluator(values.model);
for (const path of paths) {
  const picture = middle(loadPicture(path), side);
  for (const quality of values.qualities.split(',').map(Number)) await watch(picture, own, quality);
}
await close();

const said = ({ square, variance, count }: Sums): string => (count < 1000 ? '-' : (square / variance).toFixed(3));
const names = CLASSES.map((end, i) => (i === CLASSES.length - 1 ? `≥ ${CLASSES[i - 1]}` : `< ${end}`));
const rows = [...sums].map(([key, classes]) => {
  const [levels, mode, octave] = key.split('|') as [string, string, string];
  const all = classes.reduce((a, b) => ({
    square: a.square + b.square,
    variance: a.variance + b.variance,
    count: a.count + b.count,
  }));
  return { levels, mode, octave: Number(octave), cells: [...classes, all].map(said) };
});
rows.sort(
  (a, b) => a.levels.localeCompare(b.levels, 'en') || a.mode.localeCompare(b.mode, 'en') || b.octave - a.octave,
);
console.log(
  table(
    ['level', 'details', 'log2 sigma', ...names.map((name) => `${name} bit`), 'all'],
    rows.map(({ levels, mode, octave, cells }) => [
      levels,
      mode === 'enter' ? 'unknown' : 'known',
      String(octave),
      ...cells,
    ]),
  ),
);
