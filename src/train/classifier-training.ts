/**
 * Trains the classifier of noisy coefficients (src/restore/classifier.ts) by AdamW (Loshchilov and Hutter, 2019), in plain
 * doubles: it is small, and the same photographs and seed give the same numbers on every machine. What it draws is as in
 * src/train/pytorch/classifier.py.
 */
import { COEFFICIENTS } from '../model/architecture.js';
import { OWN_FEATURES, type DenseLayer } from '../model/class-file.js';
import { CODES_PER_OCTAVE, sigmaOf, TOP_CODE } from '../model/sigma.js';
import { COLOURS } from '../pixels/colour.js';
import { haar, halve, type Plane } from '../pixels/pyramid.js';
import { Classifier, normalised, type Answer, type Grid, type Noisy, type Slopes } from '../restore/classifier.js';
import { finish, type Pieces } from '../turns.js';
import { planeOfRegion, type Region } from './class-regions.js';
import { fillNormal, Random } from './random.js';

/** Channels behind the first and the second layer of 2×2 positions, and of the hidden layer. */
const [FIRST, SECOND, HIDDEN] = [32, 48, 96];
/** Levels from full size to 2×2 positions of a region; those beyond the model's are told as its last. */
const COARSEST = 6;
/** By level, the last for all beyond: examples of a batch, and its share of the batches. */
const BATCH = [12, 24, 48, 64, 64];
const SHARE = [0.3, 0.2, 0.2, 0.15, 0.15];
/** Codes that are trained on: as samplers go, and somewhat beyond. */
const ENTRY = TOP_CODE + CODES_PER_OCTAVE / 2;
const lowestOf = (level: number): number =>
  (level === 0 ? TOP_CODE - 6 * CODES_PER_OCTAVE : ENTRY - CODES_PER_OCTAVE) - CODES_PER_OCTAVE / 2;
const BEYOND = 5;
/** Share of the examples of which no details are known. */
const BLANK = 0.15;
const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, decay: 0.01 };
/** What streams of random numbers are for. */
const STREAM = { weights: 0x77, batches: 0x62, validation: 0x76 };

type Layers = [DenseLayer, DenseLayer, DenseLayer, DenseLayer];

/** A region of a class. */
export interface Labelled {
  region: Region;
  class: number;
}

export interface ClassifierOptions {
  /** The model's. */
  inputScale: Float32Array;
  levels: number;
  classes: number;
  steps: number;
  /** Peak of the learning rate, which falls to 0 by a cosine. */
  rate: number;
  seed: number;
  /** @param right share of the last examples of which the class was found */
  onProgress?: (step: number, right: number) => void;
  signal?: AbortSignal;
}

/** Uniform within ±1/√inputs. */
function firstLayers({ classes, levels, seed }: ClassifierOptions): Layers {
  const random = new Random(seed, STREAM.weights);
  const shapes = [
    [4 * COEFFICIENTS, FIRST],
    [4 * FIRST, SECOND],
    [OWN_FEATURES + FIRST + SECOND + levels, HIDDEN],
    [HIDDEN, classes],
  ] as const;
  return shapes.map(([inputs, outputs]) => {
    const draw = (): number => (2 * random.uniform() - 1) / Math.sqrt(inputs);
    const weights = Float64Array.from({ length: inputs * outputs }, draw);
    return { inputs, outputs, weights, bias: Float64Array.from({ length: outputs }, draw) };
  }) as Layers;
}

/** An example's coefficients at a level, mirrored at random, under noise of a sigma at random. */
function exampleOf(region: Region, level: number, { levels }: ClassifierOptions, random: Random): Noisy {
  const depth = level < levels - 1 ? level : levels - 1 + random.below(Math.max(1, COARSEST - levels + 2));
  const code = lowestOf(level) + random.below(ENTRY + BEYOND - lowestOf(level));
  const { width, height, data } = haar(halvedTo(mirrored(planeOfRegion(region), random.chance(0.5)), depth));
  const z = underNoise(data, sigmaOf(code), random);
  if (random.chance(BLANK)) for (let i = 0; i < z.length; i++) if (i % COEFFICIENTS >= COLOURS) z[i] = 0;
  return { z, width, height, sigma: sigmaOf(code), level };
}

/** A plane halved so many times. */
export function halvedTo(plane: Plane, depth: number): Plane {
  return depth === 0 ? plane : halvedTo(halve(plane), depth - 1);
}

function mirrored(plane: Plane, really: boolean): Plane {
  if (!really) return plane;
  const { width, height, data } = plane;
  const out = new Float32Array(data.length);
  for (let i = 0; i < out.length; i++) {
    const [c, x, y] = [i % COLOURS, Math.floor(i / COLOURS) % width, Math.floor(i / COLOURS / width)];
    out[i] = data[(y * width + width - 1 - x) * COLOURS + c]!;
  }
  return { width, height, data: out };
}

function underNoise(data: Float32Array, sigma: number, random: Random): Float32Array {
  const noise = new Float32Array(data.length);
  fillNormal(noise, random);
  return data.map((value, i) => value + sigma * noise[i]!);
}

/** Of the loss, by the weights and biases of every layer. */
export type Gradients = { weights: Float64Array; bias: Float64Array }[];

export const noGradients = (layers: readonly DenseLayer[]): Gradients =>
  layers.map(({ weights, bias }) => ({
    weights: new Float64Array(weights.length),
    bias: new Float64Array(bias.length),
  }));

/**
 * Adds the gradient of −log p(class) by all weights and biases, times a factor.
 * @returns whether the class is the likeliest
 */
export function addGradients(
  classifier: Classifier,
  example: Noisy,
  wanted: number,
  factor: number,
  into: Gradients,
): boolean {
  const answer = finish(classifier.answer(example));
  const slopes = finish(classifier.slopes(answer, wanted));
  finish(layerGradients(answer, slopes, -factor, into));
  const likely = normalised(answer.logits);
  return likely[wanted] === likely.reduce((a, b) => Math.max(a, b));
}

function* layerGradients(answer: Answer, slopes: Slopes, factor: number, into: Gradients): Pieces<void> {
  const [first, second, third, last] = into as [Gradients[0], Gradients[0], Gradients[0], Gradients[0]];
  yield* addPatches(answer.x, slopes.first, factor, first);
  yield* addPatches(answer.first, slopes.second, factor, second);
  addDense(answer.features, 0, answer.features.length, 0, slopes.hidden, factor, third);
  addBias(slopes.hidden, factor, third);
  addDense(answer.hidden, 0, answer.hidden.length, 0, slopes.logits, factor, last);
  addBias(slopes.logits, factor, last);
}

function addBias(by: ArrayLike<number>, factor: number, { bias }: Gradients[0]): void {
  for (let o = 0; o < bias.length; o++) bias[o]! += factor * by[o]!;
}

/** Products of inputs from a place on and slopes of outputs, at rows of weights from another on. */
function addDense(
  inputs: ArrayLike<number>,
  from: number,
  count: number,
  row: number,
  by: ArrayLike<number>,
  factor: number,
  { weights, bias }: Gradients[0],
): void {
  const outputs = bias.length;
  for (let i = 0; i < count; i++) {
    const value = factor * inputs[from + i]!;
    if (value === 0) continue;
    const at = (row + i) * outputs;
    for (let o = 0; o < outputs; o++) weights[at + o]! += value * by[o]!;
  }
}

/** Of a layer of 2×2 positions. */
function* addPatches(from: Grid, by: Grid, factor: number, into: Gradients[0]): Pieces<void> {
  const { channels } = from;
  for (let y = 0; y < by.height; y++) {
    yield;
    for (let x = 0; x < by.width; x++) {
      const at = (y * by.width + x) * by.channels;
      const slopes = by.data.subarray(at, at + by.channels);
      if (slopes.every((value) => value === 0)) continue;
      addBias(slopes, factor, into);
      for (let k = 0; k < 4; k++) {
        const [px, py] = [2 * x + (k & 1), 2 * y + (k >> 1)];
        if (px >= from.width || py >= from.height) continue;
        addDense(from.data, (py * from.width + px) * channels, channels, k * channels, slopes, factor, into);
      }
    }
  }
}

/** One step of AdamW, in place. @param step from 1 on */
function stepOf(
  layers: Layers,
  gradients: Gradients,
  moments: [Gradients, Gradients],
  rate: number,
  step: number,
): void {
  const { beta1, beta2, epsilon, decay } = ADAM;
  const [part1, part2] = [1 - beta1 ** step, 1 - beta2 ** step];
  for (const [k, layer] of layers.entries())
    for (const name of ['weights', 'bias'] as const) {
      const [values, gradient] = [layer[name], gradients[k]![name]];
      const [first, second] = moments.map((list) => list[k]![name]) as [Float64Array, Float64Array];
      for (let i = 0; i < values.length; i++) {
        first[i] = beta1 * first[i]! + (1 - beta1) * gradient[i]!;
        second[i] = beta2 * second[i]! + (1 - beta2) * gradient[i]! ** 2;
        const change = first[i]! / part1 / (Math.sqrt(second[i]! / part2) + epsilon);
        values[i] = values[i]! * (1 - rate * decay) - rate * change;
      }
    }
}

/** Steps that the share of right answers is told of. */
const TOLD = 50;

/**
 * The classifier of labelled regions.
 * @returns its layers, as a class file has them; those of the last step where the signal ends it
 */
export async function trainClassifier(examples: readonly Labelled[], options: ClassifierOptions): Promise<Layers> {
  const { inputScale, levels, steps, rate, seed } = options;
  const layers = firstLayers(options);
  const classifier = new Classifier({ layers, levels }, inputScale);
  const moments: [Gradients, Gradients] = [noGradients(layers), noGradients(layers)];
  const right: number[] = [];
  for (let step = 1; step <= steps && options.signal?.aborted !== true; step++) {
    const random = new Random(seed ^ STREAM.batches, step);
    const level = random.weighted(shareOf(levels));
    const count = BATCH[Math.min(level, BATCH.length - 1)]!;
    const gradients = noGradients(layers);
    for (let k = 0; k < count; k++) {
      const { region, class: wanted } = examples[random.below(examples.length)]!;
      const example = exampleOf(region, level, options, random);
      right.push(addGradients(classifier, example, wanted, 1 / count, gradients) ? 1 : 0);
    }
    const falling = 0.5 + 0.5 * Math.cos((Math.PI * (step - 1)) / steps);
    stepOf(layers, gradients, moments, rate * falling, step);
    const recent = right.slice(-TOLD * count);
    options.onProgress?.(step, recent.reduce((sum, value) => sum + value, 0) / recent.length);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return layers;
}

/** Of as many levels as the model has. */
const shareOf = (levels: number): number[] =>
  Array.from({ length: levels }, (_, k) => SHARE[k] ?? SHARE[SHARE.length - 1]!);

/** How often the class of regions is found. */
export interface Found {
  level: number;
  sigma: number;
  right: number;
}

/** How often the classes of regions that it has not seen are found, by level and sigma. */
export function validateClassifier(layers: Layers, examples: readonly Labelled[], options: ClassifierOptions): Found[] {
  const classifier = new Classifier({ layers, levels: options.levels }, options.inputScale);
  const found: Found[] = [];
  for (const level of shareOf(options.levels).keys())
    for (const code of [
      ENTRY,
      ENTRY - CODES_PER_OCTAVE,
      ...(level === 0 ? [ENTRY - 3 * CODES_PER_OCTAVE, TOP_CODE - 6 * CODES_PER_OCTAVE] : []),
    ]) {
      const random = new Random(options.seed ^ STREAM.validation, 256 * level + code);
      const right = examples.filter(({ region, class: wanted }) => {
        const { width, height, data } = haar(halvedTo(planeOfRegion(region), level));
        const z = underNoise(data, sigmaOf(code), random);
        const said = finish(classifier.logProbabilities({ z, width, height, sigma: sigmaOf(code), level }));
        return said[wanted] === said.reduce((a, b) => Math.max(a, b));
      });
      found.push({ level, sigma: sigmaOf(code), right: right.length / examples.length });
    }
  return found;
}
