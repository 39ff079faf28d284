/**
 * Training examples. With an ideal channel the state of a coefficient with precision 1/sigma² is x + N(0, sigma²),
 * however many measurements it was put together from, so an example needs no history: a batch is a pure function of
 * (dataset, seed, step), and a resumed run is exact without storing running chains. See coded-examples.ts for the coder's own channel.
 *
 * What is drawn is said by the recipe (recipe.json); observations.ts has how a picture is observed.
 */
import { haar, type Coefficients } from '../pixels/pyramid.js';
import { COEFFICIENTS, INPUT_CHANNELS, conditioningFeatures } from '../model/architecture.js';
import { conditioningInput, inputGain, logSigmaFeature, wienerGains, type Condition } from '../model/inputs.js';
import { EXACT, UNKNOWN, sigmaOf } from '../model/sigma.js';
import { priorOf, type FloatModel } from '../model/weights.js';
import { augment, cut, DATA_LEVELS, levelSize, type Dataset, type Photograph } from './dataset.js';
import { colourNoise, drawCodes, drawCondition, type DrawnCondition, type KindOdds } from './observations.js';
import { fillNormal, Random } from './random.js';
import { RECIPE } from './recipe.js';

/**
 * What the loss needs of a batch, position by position. With o the network's correction and l its log2 variance:
 *   x − mu = co · (target − o),   v · delta = information · 2^l.
 */
export interface Batch {
  level: number;
  size: number;
  grid: number;
  conditions: Condition[];
  /** [size, grid, grid, 24] */
  input: Float32Array;
  /** [size, features] */
  features: Float32Array;
  /** (x − cs · z) / co, [size, grid, grid, 12] as all below. */
  target: Float32Array;
  /** co² · delta, delta being the precision that the next step would add. */
  information: Float32Array;
  /** Weight in the KL; 0 where there is nothing to predict. */
  weight: Float32Array;
  /** Weight in the squared error: co² or 0. */
  squareWeight: Float32Array;
}

/** Share of the training steps, crop side in pixels of the level and batch size, by level. */
export interface ExamplePlan {
  share: readonly number[];
  crop: readonly number[];
  batch: readonly number[];
  kinds: KindOdds;
  /** Share of the batches whose examples are coded. */
  coded: number;
}

/**
 * The plan of the recipe when a share of the training is over. Plain examples come first: they are what most files are
 * made of, and coded ones presuppose a network that foresees something.
 */
export function planAt(done: number): ExamplePlan {
  const { share, stages } = RECIPE;
  return { share, ...(stages.find(({ until }) => done <= until) ?? stages[stages.length - 1]!) };
}

/** Precision that a refining step adds, relative to what is there. */
const STEP_GAIN = 2 ** (2 * RECIPE.loss.stepOctaves) - 1;

export type ModelShape = Pick<FloatModel, 'architecture' | 'statistics'>;

/** The batch of a training step. */
export function makeBatch(dataset: Dataset, model: ModelShape, plan: ExamplePlan, seed: number, step: number): Batch {
  const random = new Random(seed, step);
  const level = random.weighted(plan.share);
  const size = plan.batch[level]!;
  const batch = emptyBatch(level, size, plan.crop[level]! / 2, model);
  for (let b = 0; b < size; b++) {
    const { x, condition, codes } = drawExample(dataset.training, level, plan.crop[level]!, random, plan.kinds);
    putExample(batch, b, model, x, codes, condition, random);
  }
  return batch;
}

/** A crop of a photograph and how it is observed: sigma codes on a grid of half the crop's side. */
export interface Example {
  x: Coefficients;
  condition: DrawnCondition;
  codes: Uint8Array;
}

/** @param chosen the condition, or odds to draw one; where it is given, details that are being entered are unknown */
export function drawExample(
  photographs: readonly Photograph[],
  level: number,
  side: number,
  random: Random,
  chosen: DrawnCondition | KindOdds,
): Example {
  const x = drawCrop(photographs, level, side, random);
  const given = 'kind' in chosen;
  const condition = given ? chosen : drawCondition(level, random, chosen);
  return { x, condition, codes: drawCodes(x, condition, side / 2, random, !given) };
}

export function emptyBatch(level: number, size: number, grid: number, model: ModelShape): Batch {
  const n = size * grid * grid;
  return {
    level,
    size,
    grid,
    conditions: [],
    input: new Float32Array(n * INPUT_CHANNELS),
    features: new Float32Array(size * conditioningFeatures(model.architecture.conditioning)),
    target: new Float32Array(n * COEFFICIENTS),
    information: new Float32Array(n * COEFFICIENTS),
    weight: new Float32Array(n * COEFFICIENTS),
    squareWeight: new Float32Array(n * COEFFICIENTS),
  };
}

function drawCrop(photographs: readonly Photograph[], level: number, side: number, random: Random): Coefficients {
  const p = photographs[random.below(photographs.length)]!;
  // A picture of the next finer scale is an example too: some photographs are twice as large as others.
  let from = level > 0 && random.chance(RECIPE.finerScale) ? level - 1 : level;
  from = Math.min(from, DATA_LEVELS - 1);
  const size = levelSize(p, from);
  const overhang = random.chance(RECIPE.overhang) ? side - 2 : 0;
  const x0 = place(size.width, side, overhang, random);
  const y0 = place(size.height, side, overhang, random);
  return haar(augment(cut(p, from, x0, y0, side, side), random));
}

function place(length: number, side: number, overhang: number, random: Random): number {
  return random.below(Math.max(1, Math.min(length - 2, length - side + overhang) + 1));
}

/** By code and channel: what an observation is turned into. Cached, since there are few codes and levels. */
interface Gains {
  input: Float32Array;
  feature: Float32Array;
  mean: Float32Array;
  correction: Float32Array;
}
const gainCache = new WeakMap<object, Map<number, Gains>>();

export function gainsOf(model: ModelShape, level: number): Gains {
  let byLevel = gainCache.get(model.statistics);
  if (byLevel === undefined) gainCache.set(model.statistics, (byLevel = new Map<number, Gains>()));
  let gains = byLevel.get(level);
  if (gains === undefined) {
    const make = (f: (code: number, c: number) => number): Float32Array =>
      Float32Array.from({ length: 256 * COEFFICIENTS }, (_, i) => f(Math.floor(i / COEFFICIENTS), i % COEFFICIENTS));
    const prior = priorOf(model.architecture, model.statistics, level);
    gains = {
      input: make((code, c) => inputGain(code, model.statistics.inputScale[c]!)),
      feature: make((code) => logSigmaFeature(code)),
      mean: make((code, c) => wienerGains(code, prior[c]!).mean),
      correction: make((code, c) => wienerGains(code, prior[c]!).correction),
    };
    byLevel.set(level, gains);
  }
  return gains;
}

const noise = { buffer: new Float32Array(0) };

/** Writes example `b` of a batch, observed through an ideal channel: every known coefficient is x + N(0, sigma²). */
export function putExample(
  batch: Batch,
  b: number,
  model: ModelShape,
  x: Coefficients,
  codes: Uint8Array,
  condition: Condition,
  random: Random,
): void {
  putObservation(batch, b, model, x, codes, observe(x, codes, batch.grid, random, condition), condition);
}

/**
 * z of an ideal channel, on a grid of `grid` × `grid` positions; 0 where nothing is known, and where the code is EXACT: what is known
 * exactly in training is the chroma of a grey picture.
 */
export function observe(
  x: Coefficients,
  codes: Uint8Array,
  grid: number,
  random: Random,
  condition?: Condition | DrawnCondition,
): Float32Array {
  if (noise.buffer.length !== codes.length) noise.buffer = new Float32Array(codes.length);
  fillNormal(noise.buffer, random);
  if (condition !== undefined && 'kind' in condition) colourNoise(noise.buffer, condition, grid, random);
  const z = new Float32Array(codes.length);
  const row = x.width * COEFFICIENTS;
  for (let y = 0; y < x.height; y++) {
    for (let j = 0, i = y * grid * COEFFICIENTS; j < row; j++, i++) {
      if (codes[i] !== UNKNOWN && codes[i] !== EXACT)
        z[i] = x.data[y * row + j]! + sigmaOf(codes[i]!) * noise.buffer[i]!;
    }
  }
  return z;
}

/** Fills every array of example `b` of a batch from an observation of x. */
export function putObservation(
  batch: Batch,
  b: number,
  model: ModelShape,
  x: Coefficients,
  codes: Uint8Array,
  z: Float32Array,
  condition: Condition,
): void {
  const { grid } = batch;
  const n = grid * grid * COEFFICIENTS;
  const gains = gainsOf(model, batch.level);
  const features = conditioningInput(model.architecture.conditioning, condition);
  batch.conditions[b] = condition;
  batch.features.set(features, b * features.length);
  const sigma = sigmaOf(condition.sigma);
  const enter = 1 / (sigma * sigma);
  for (let y = 0; y < grid; y++) {
    for (let px = 0; px < grid; px++) {
      const position = (y * grid + px) * COEFFICIENTS;
      const o = b * n + position;
      const i = (b * grid * grid + y * grid + px) * INPUT_CHANNELS;
      const inside = y < x.height && px < x.width;
      for (let c = 0; c < COEFFICIENTS; c++) {
        const code = codes[position + c]!;
        const g = code * COEFFICIENTS + c;
        batch.input[i + COEFFICIENTS + c] = gains.feature[g]!;
        if (!inside || code === EXACT) continue;
        const s = sigmaOf(code);
        const co = gains.correction[g]!;
        batch.input[i + c] = z[position + c]! * gains.input[g]!;
        batch.target[o + c] = (x.data[(y * x.width + px) * COEFFICIENTS + c]! - gains.mean[g]! * z[position + c]!) / co;
        const delta = code === UNKNOWN ? enter : STEP_GAIN / (s * s);
        batch.information[o + c] = co * co * delta;
        batch.weight[o + c] = condition.mode === 'enter' && c < 3 ? RECIPE.loss.enteredLowest : 1;
        batch.squareWeight[o + c] = co * co;
      }
    }
  }
}
