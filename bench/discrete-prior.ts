/**
 * `npm run discrete-prior -- FOLDER…`: whether the discrete model would save bits at the codec's coarsest levels.
 *
 * By picture, tokens of level 3: their bits by the discrete model, sent in the order in which the sampler reveals them, and the
 * squared error of u₃ that they leave; beside them the bits with which the path of a codec's network comes to the same error
 * (bench/ideal-walk.ts), coarser levels included. Both are ideal. A token is the nearest one, or the one of least squared error
 * plus so many times its bits. Then, as files go on: down to some sigmas by `small` alone, and by tokens first, in the first of
 * the ways, and `small` from them on.
 *
 * Usage: node dist/bench/discrete-prior.js FOLDER or PNG… [--model FILE.dcd] [--ways STEPS:PRICE,…] [--sigmas 8,2]
 */
import { parseArgs } from 'node:util';
import { findPictures, loadPicture } from '../eval/pictures.js';
import { bitsOfToken, MASKED, revealedInSteps } from '../src/diffusion/absorbing.js';
import { pyramidSizes } from '../src/diffusion/schedule.js';
import { nearestToken, observedTokens, tokenDenoiser } from '../src/diffusion/token-network.js';
import { COEFFICIENTS } from '../src/model/architecture.js';
import { readDiscreteFile } from '../src/model/discrete-file.js';
import type { Evaluator } from '../src/model/evaluator.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { codeOf, sigmaOf, TOP_CODE, UNKNOWN } from '../src/model/sigma.js';
import { createEvaluator } from '../src/model/wasm/engine.js';
import { loadDiscrete, loadModel } from '../src/models/read-node.js';
import { priorOf } from '../src/model/weights.js';
import { gridOf, type Size } from '../src/math/rectangle.js';
import type { Picture } from '../src/picture.js';
import { PictureCoefficients } from '../src/pixels/picture-coefficients.js';
import { finish, withoutTurns } from '../src/turns.js';
import { IdealLevel, pathOf, squareOf, type Point, type Way } from './ideal-walk.js';
import { mean } from './middle.js';
import { table } from './tables.js';

const LEVEL = 3;
/** Codes of level 3 between which the path is interpolated: sigma 45 to 8. */
const CODES = Array.from({ length: 11 }, (_, i) => TOP_CODE - 4 * i);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string' },
    ways: { type: 'string', default: '1048576:0,72:0,12:0,72:300,72:900' },
    sigmas: { type: 'string', default: '8,2' },
  },
});
/** Steps that tokens are sent in, and squared error that a bit is worth. */
const ways = values.ways.split(',').map((way) => way.split(':').map(Number) as [steps: number, price: number]);
const sigmas = values.sigmas.split(',').map(Number);
const file = readDiscreteFile(values.model === undefined ? await loadDiscrete() : await loadModel(values.model));
const open = async (name: 'small' | 'large'): Promise<Evaluator> => {
  const model = readModelFile(await loadModel(name));
  return createEvaluator(model);
};
const [small, large, network] = [await open('small'), await open('large'), await createEvaluator(file.model)];

/** What is measured of a picture; bits are of all of it. */
interface Measured {
  pixels: number;
  positions: number;
  /** By way: tokens, and both networks at their squared error. */
  sent: { tokens: Point; small: number; large: number; seen: number }[];
  /** By sigma: of `small` alone, and behind tokens. */
  alone: number[];
  behind: number[];
}

/** Bits for a squared error: between two points by its logarithm, beyond them as between the last two. */
function bitsAt(points: readonly Point[], square: number): number {
  const found = points.findIndex((point) => point.square <= square);
  const k = Math.max(1, found < 0 ? points.length - 1 : found);
  const [a, b] = [points[k - 1]!, points[k]!];
  return a.bits + ((b.bits - a.bits) * Math.log(square / a.square)) / Math.log(b.square / a.square);
}

/** Tokens as they are sent, and their bits. */
async function sentTokens(
  x: Float32Array,
  grid: Size,
  steps: number,
  price: number,
): Promise<{ tokens: Uint16Array; bits: number }> {
  const denoiser = tokenDenoiser(network, file, grid);
  const tokens = new Uint16Array(x.length / COEFFICIENTS).fill(MASKED);
  let bits = 0;
  for (const { places } of revealedInSteps(tokens.length, steps, 1)) {
    const logits = await denoiser(tokens.slice(), withoutTurns());
    for (const place of places) {
      const found = logits(place);
      tokens[place] = price === 0 ? nearestToken(file, x, place * COEFFICIENTS) : cheapestToken(found, x, place, price);
      bits += bitsOfToken(found, tokens[place]);
    }
  }
  return { tokens, bits };
}

/** Of least squared error plus price for each bit. */
function cheapestToken(logits: Float64Array, x: Float32Array, place: number, price: number): number {
  let [best, least] = [0, Infinity];
  for (let k = 0; k < file.tokens; k++) {
    let sum = -price * logits[k]!;
    for (let c = 0; c < COEFFICIENTS; c++)
      sum += (x[place * COEFFICIENTS + c]! - file.centres[k * COEFFICIENTS + c]!) ** 2;
    if (sum < least) [best, least] = [k, sum];
  }
  return best;
}

/**
 * Centres are means of what tokens stand for, and not that plus noise: c is what would be expected by z = c · P² / (P² − d²)
 * under noise of 1 / (1/d² − 1/P²), d being what they leave out and P the prior.
 */
async function observed(tokens: Uint16Array, size: Size): Promise<IdealLevel['observation']> {
  const { z, codes } = await observedTokens(file, tokens, withoutTurns());
  const prior = priorOf(small.model.architecture, small.model.statistics, LEVEL);
  for (let i = 0; i < z.length; i++) {
    const [total, left] = [prior[i % COEFFICIENTS]! ** 2, sigmaOf(codes[i]!) ** 2];
    const isKnown = left < 0.9 * total;
    z[i] = isKnown ? (z[i]! * total) / (total - left) : 0;
    codes[i] = isKnown ? codeOf(Math.sqrt(1 / (1 / left - 1 / total))) : UNKNOWN;
  }
  return { x: 0, y: 0, ...gridOf(size), size, z, codes };
}

async function measured(picture: Picture): Promise<Measured> {
  const { width, height } = picture;
  const sizes = pyramidSizes(width, height);
  const coefficients = finish(PictureCoefficients.of(picture, sizes.length - 1));
  const whole = sizes.map((size, k) =>
    k === 0 || k > sizes.length - 2 ? undefined : finish(coefficients.rowsOf(k)(0, gridOf(size).height)).slice(),
  );
  const truth = (level: number): Float32Array => whole[level]!;
  const [size, x] = [sizes[LEVEL]!, truth(LEVEL)];
  const [bySmall, byLarge] = [small, large].map((evaluator): Way => ({ evaluator, sizes, truth })) as [Way, Way];
  const [path, thorough] = [await pathOf(bySmall, LEVEL, CODES), await pathOf(byLarge, LEVEL, CODES)];
  const behind: number[] = [];
  const sent: Measured['sent'] = [];
  for (const [steps, price] of ways) {
    const { tokens, bits } = await sentTokens(x, gridOf(size), steps, price);
    const square = squareOf((await observedTokens(file, tokens, withoutTurns())).z, x);
    const level = new IdealLevel(small, LEVEL, await observed(tokens, size), x);
    const seen = await level.square(TOP_CODE);
    sent.push({ tokens: { bits, square }, small: bitsAt(path, square), large: bitsAt(thorough, square), seen });
    if (sent.length > 1) continue;
    // Sigmas fall, so each goes on from the one before.
    for (const sigma of sigmas) {
      await level.refine(TOP_CODE, codeOf(sigma));
      behind.push(level.bits);
    }
  }
  const alone = (await pathOf(bySmall, LEVEL, sigmas.map(codeOf))).map(({ bits }) => bits);
  return { pixels: width * height, positions: x.length / COEFFICIENTS, sent, alone, behind };
}

const all: Measured[] = [];
for (const path of findPictures(positionals.length === 0 ? ['../shared/data/dev2'] : positionals))
  all.push(await measured(loadPicture(path)));
for (const evaluator of [small, large, network]) await evaluator.close();

/** Means over the pictures, of a position. */
const of = (what: (each: Measured) => number): number => mean(all.map((each) => what(each) / each.positions));
const density = mean(all.map(({ positions, pixels }) => positions / pixels));
const shares = (bits: number): string[] => [0.25, 1].map((rate) => `${((100 * bits * density) / rate).toFixed(2)} %`);
const more = (bits: number, beside: number): string => `${(100 * (bits / beside - 1)).toFixed(1)} %`;
const sentBy = (k: number): number => of(({ sent }) => sent[k]!.tokens.bits);
console.log(`${all.length} pictures; bits a position of level 3; shares of a file of 0.25 and 1 bit per pixel\n`);
const rows = ways.map(([steps, price], k) => {
  const [tokens, small, large] = [sentBy(k), of(({ sent }) => sent[k]!.small), of(({ sent }) => sent[k]!.large)];
  const squares = [mean(all.map(({ sent }) => sent[k]!.tokens.square)), mean(all.map(({ sent }) => sent[k]!.seen))];
  const bits = [tokens, small, large].map((value) => value.toFixed(3));
  return [
    steps,
    price,
    ...squares.map((value) => value.toFixed(1)),
    ...bits,
    more(tokens, small),
    ...shares(tokens - small),
  ].map(String);
});
const heads = [
  'steps',
  'price',
  'squared error',
  'seen by small',
  'tokens',
  'small',
  'large',
  'beside small',
  'of 0.25',
  'of 1',
];
console.log(table(heads, rows));
const onwards = sigmas.map((sigma, k) => {
  const [alone, both] = [of((each) => each.alone[k]!), sentBy(0) + of((each) => each.behind[k]!)];
  return [String(sigma), alone.toFixed(3), both.toFixed(3), more(both, alone), ...shares(both - alone)];
});
console.log(`\n${table(['down to sigma', 'small', 'tokens, then small', 'beside', 'of 0.25', 'of 1'], onwards)}`);
