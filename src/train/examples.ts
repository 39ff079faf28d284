/**
 * Training examples. With an ideal channel the state of a coefficient with precision 1/sigma² is x + N(0, sigma²),
 * however many measurements it was put together from, so an example needs no history: a batch is a pure function of
 * (dataset, seed, step), and a resumed run is exact without storing running chains. See coded-examples.ts for the coder's own channel.
 *
 * The observations are as varied as those in use: any sigma, details missing (entering a level) or half of them, a step cut in the
 * middle (some coefficients refined, some not), the picture's edge inside the grid, holes, chroma known exactly.
 */
import { haar, type Coefficients } from '../pixels/pyramid.js';
import { COEFFICIENTS, INPUT_CHANNELS } from '../model/architecture.js';
import { conditioningInput, inputGain, logSigmaFeature, wienerGains, type Condition } from '../model/inputs.js';
import { CODES_PER_OCTAVE, EXACT, TOP_CODE, UNKNOWN, sigmaOf } from '../model/sigma.js';
import { priorOf, type FloatModel } from '../model/weights.js';
import { augment, cut, DATA_LEVELS, levelSize, type Dataset, type Photograph } from './dataset.js';
import { fillNormal, Random } from './random.js';

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
}

export const DEFAULT_PLAN: ExamplePlan = {
  share: [0.52, 0.26, 0.13, 0.06, 0.03],
  crop: [128, 128, 64, 32, 16],
  batch: [16, 16, 32, 64, 96],
};

/** Share of the examples of entering in which half of the details is known. */
const HALF_KNOWN = 0.4;

/** Precision that a refining step adds, relative to what is there: a quarter octave of sigma. */
const STEP_GAIN = 2 ** 0.5 - 1;

export type ModelShape = Pick<FloatModel, 'architecture' | 'statistics'>;

/** The batch of a training step. */
export function makeBatch(dataset: Dataset, model: ModelShape, plan: ExamplePlan, seed: number, step: number): Batch {
  const random = new Random(seed, step);
  const level = random.weighted(plan.share);
  const size = plan.batch[level]!;
  const batch = emptyBatch(level, size, plan.crop[level]! / 2, model);
  for (let b = 0; b < size; b++) {
    const { x, condition, codes } = drawExample(dataset.training, level, plan.crop[level]!, random);
    putExample(batch, b, model, x, codes, condition, random);
  }
  return batch;
}

/** A crop of a photograph and how it is observed: sigma codes on a grid of half the crop's side. */
export interface Example {
  x: Coefficients;
  condition: Condition;
  codes: Uint8Array;
}

/** @param condition drawn when it is not given */
export function drawExample(
  photographs: readonly Photograph[],
  level: number,
  side: number,
  random: Random,
  condition?: Condition,
): Example {
  const x = drawCrop(photographs, level, side, random);
  const chosen = condition ?? drawCondition(level, random);
  // The second step that enters a level, see `Step`; the first half is the even one or, in mirrored views, the odd one.
  const half =
    condition === undefined && chosen.mode === 'enter' && random.chance(HALF_KNOWN) ? random.below(2) : undefined;
  return { x, condition: chosen, codes: drawCodes(x, chosen, half, side / 2, random) };
}

export function emptyBatch(level: number, size: number, grid: number, model: ModelShape): Batch {
  const n = size * grid * grid;
  return {
    level,
    size,
    grid,
    conditions: [],
    input: new Float32Array(n * INPUT_CHANNELS),
    features: new Float32Array(size * (3 + model.architecture.conditioning.levels)),
    target: new Float32Array(n * COEFFICIENTS),
    information: new Float32Array(n * COEFFICIENTS),
    weight: new Float32Array(n * COEFFICIENTS),
    squareWeight: new Float32Array(n * COEFFICIENTS),
  };
}

function drawCrop(photographs: readonly Photograph[], level: number, side: number, random: Random): Coefficients {
  const p = photographs[random.below(photographs.length)]!;
  // A picture of the next finer scale is an example too: some photographs are twice as large as others.
  let from = level > 0 && random.chance(0.25) ? level - 1 : level;
  from = Math.min(from, DATA_LEVELS - 1);
  const size = levelSize(p, from);
  const overhang = random.chance(0.12) ? side - 2 : 0;
  const x0 = place(size.width, side, overhang, random);
  const y0 = place(size.height, side, overhang, random);
  return haar(augment(cut(p, from, x0, y0, side, side), random));
}

function place(length: number, side: number, overhang: number, random: Random): number {
  return random.below(Math.max(1, Math.min(length - 2, length - side + overhang) + 1));
}

function drawCondition(level: number, random: Random): Condition {
  // Mostly the schedule's own sigma_top; its neighbours half an octave away keep the network a function of sigma.
  const top = TOP_CODE + (random.chance(0.8) ? 0 : random.chance(0.5) ? 8 : -8);
  if (random.chance(level === 0 ? 0.25 : 0.3)) return { level, sigma: top, mode: 'enter' };
  const deepest = level > 0 ? (random.chance(0.9) ? 1 : 3) : random.chance(0.72) ? 2.5 : random.chance(0.8) ? 5 : 7.5;
  return { level, sigma: top - random.below(Math.floor(deepest * CODES_PER_OCTAVE) + 1), mode: 'refine' };
}

/**
 * Sigma codes of one example on the full grid; positions outside the crop are UNKNOWN.
 * @param half (column + row + channel) mod 2 of details that are known while entering
 */
function drawCodes(
  x: Coefficients,
  condition: Condition,
  half: number | undefined,
  grid: number,
  random: Random,
): Uint8Array {
  const codes = new Uint8Array(grid * grid * COEFFICIENTS).fill(UNKNOWN);
  const { sigma, mode } = condition;
  const known = mode === 'enter' ? 3 : COEFFICIENTS;
  const grey = random.chance(0.04);
  const partial = random.chance(0.25);
  // A cut step has refined the coefficients of high variance first; the variance's stand-in is the local amplitude.
  const threshold = partial ? sigmaOf(sigma) * 2 ** (4 * random.uniform() - 2.5) : 0;
  const byAmplitude = partial && random.chance(0.6);
  const share = random.uniform();
  const refined = mode === 'enter' ? sigma : sigma - (random.chance(0.5) ? 4 : 2);
  for (let y = 0; y < x.height; y++) {
    for (let px = 0; px < x.width; px++) {
      const o = (y * grid + px) * COEFFICIENTS;
      for (let c = 0; c < COEFFICIENTS; c++) {
        let code = c < known || ((px + y + c) & 1) === half ? sigma : UNKNOWN;
        if (partial && (mode === 'refine' || c >= 3)) {
          const first = byAmplitude ? amplitude(x, px, y, c) > threshold : random.uniform() < share;
          if (first && random.chance(0.97)) code = refined;
        }
        if (grey && c % 3 !== 0) code = EXACT;
        codes[o + c] = code;
      }
    }
  }
  if (random.chance(0.03)) {
    const w = 1 + random.below(x.width);
    const h = 1 + random.below(x.height);
    const x0 = random.below(x.width - w + 1);
    const y0 = random.below(x.height - h + 1);
    for (let y = y0; y < y0 + h; y++)
      codes.fill(UNKNOWN, (y * grid + x0) * COEFFICIENTS, (y * grid + x0 + w) * COEFFICIENTS);
  }
  return codes;
}

/** Largest absolute value of a channel among a position and its four neighbours. */
function amplitude(x: Coefficients, px: number, y: number, c: number): number {
  const i = (y * x.width + px) * COEFFICIENTS + c;
  const row = x.width * COEFFICIENTS;
  let m = Math.abs(x.data[i]!);
  if (px > 0) m = Math.max(m, Math.abs(x.data[i - COEFFICIENTS]!));
  if (px < x.width - 1) m = Math.max(m, Math.abs(x.data[i + COEFFICIENTS]!));
  if (y > 0) m = Math.max(m, Math.abs(x.data[i - row]!));
  if (y < x.height - 1) m = Math.max(m, Math.abs(x.data[i + row]!));
  return m;
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
  putObservation(batch, b, model, x, codes, observe(x, codes, batch.grid, random), condition);
}

/**
 * z of an ideal channel, on a grid of `grid` × `grid` positions; 0 where nothing is known, and where the code is EXACT: what is known
 * exactly in training is the chroma of a grey picture.
 */
export function observe(x: Coefficients, codes: Uint8Array, grid: number, random: Random): Float32Array {
  if (noise.buffer.length !== codes.length) noise.buffer = new Float32Array(codes.length);
  fillNormal(noise.buffer, random);
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
        batch.weight[o + c] = condition.mode === 'enter' && c < 3 ? 0.5 : 1;
        batch.squareWeight[o + c] = co * co;
      }
    }
  }
}
