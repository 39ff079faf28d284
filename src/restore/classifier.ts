/**
 * Which class a level's coefficients are of, under noise of any sigma, and the gradient of its log-probability by them:
 * guidance by a classifier (Dhariwal and Nichol, "Diffusion models beat GANs on image synthesis", 2021, section 4). Doubles
 * in a fixed order, so the answer is the same on every machine; src/train/pytorch/classifier.py trains it.
 *
 * Coefficients, divided by √(sigma² + scale²), go through two layers of 2×2 positions without overlap, each with ReLU. What
 * is foreseen of the whole: means over the grid of the coefficients, their roots of mean squares, means behind both layers,
 * log2(sigma) / 2.5 and the level; through one hidden layer.
 */
import { exp2, log2, LOG2_E } from '../math/exact.js';
import type { Size } from '../math/rectangle.js';
import { COEFFICIENTS } from '../model/architecture.js';
import type { ClassFile, DenseLayer } from '../model/class-file.js';
import { rowsOfPiece, type Pieces } from '../turns.js';

const EPSILON = 1e-6;

/** Feature vectors on a grid. */
export interface Grid extends Size {
  channels: number;
  data: Float32Array;
}

/** What is asked about: coefficients of a level under noise of one sigma. */
export interface Noisy extends Size {
  /** width · height · 12. */
  z: Float32Array;
  sigma: number;
  level: number;
}

/** All that an answer was made of. */
export interface Answer {
  x: Grid;
  first: Grid;
  second: Grid;
  features: Float64Array;
  hidden: Float64Array;
  logits: Float64Array;
}

/** How much the logarithm of a class's probability changes with what the layers give, before their ReLU. */
export interface Slopes {
  first: Grid;
  second: Grid;
  features: Float64Array;
  hidden: Float64Array;
  logits: Float64Array;
}

/** @param inputScale of the model that the classes are of */
export class Classifier {
  constructor(
    private readonly file: Pick<ClassFile, 'layers' | 'levels'>,
    private readonly inputScale: Float32Array,
  ) {}

  /** Log2 of the probability of every class. */
  *logProbabilities(noisy: Noisy): Pieces<Float64Array> {
    return normalised((yield* this.answer(noisy)).logits);
  }

  /** The gradient of the natural logarithm of a class's probability by z; of its length. */
  *gradient(noisy: Noisy, wanted: number): Pieces<Float32Array> {
    const answer = yield* this.answer(noisy);
    const { x, features } = answer;
    const { first: byFirst, features: byFeature } = yield* this.slopes(answer, wanted);
    const byX: Grid = { ...x, data: new Float32Array(x.data.length) };
    yield* patchesBackwards(this.file.layers[0], byFirst, byX, undefined);
    const count = x.width * x.height;
    const gains = this.gains(noisy.sigma);
    for (let i = 0; i < byX.data.length; i++) {
      const c = i % COEFFICIENTS;
      const own = (byFeature[c]! + (byFeature[COEFFICIENTS + c]! * x.data[i]!) / features[COEFFICIENTS + c]!) / count;
      byX.data[i] = gains[c]! * (byX.data[i]! + own);
    }
    return byX.data;
  }

  /** How much the natural logarithm of a class's probability changes with what the layers give. */
  *slopes({ first, second, hidden, logits }: Answer, wanted: number): Pieces<Slopes> {
    const [, secondLayer, third, last] = this.file.layers;
    const byLogit = normalised(logits).map((value, j) => (j === wanted ? 1 : 0) - exp2(value));
    const byHidden = backwards(last, byLogit).map((value, j) => (hidden[j]! > 0 ? value : 0));
    const byFeature = backwards(third, byHidden);
    const at = { first: 2 * COEFFICIENTS, second: 2 * COEFFICIENTS + first.channels };
    const bySecond = spread(second, byFeature.subarray(at.second));
    const byFirst = spread(first, byFeature.subarray(at.first));
    yield* patchesBackwards(secondLayer, bySecond, byFirst, first);
    return { first: byFirst, second: bySecond, features: byFeature, hidden: byHidden, logits: byLogit };
  }

  private gains(sigma: number): Float64Array {
    return new Float64Array(this.inputScale).map((scale) => 1 / Math.sqrt(sigma * sigma + scale * scale));
  }

  *answer({ z, width, height, sigma, level }: Noisy): Pieces<Answer> {
    const [firstLayer, secondLayer, third, last] = this.file.layers;
    const gains = this.gains(sigma);
    const x: Grid = { width, height, channels: COEFFICIENTS, data: new Float32Array(z.length) };
    for (let i = 0; i < z.length; i++) x.data[i] = gains[i % COEFFICIENTS]! * z[i]!;
    yield;
    const first = yield* patches(firstLayer, x);
    const second = yield* patches(secondLayer, first);
    const squares = { ...x, data: x.data.map((value) => value * value) };
    const roots = meansOf(squares).map((value) => Math.sqrt(value + EPSILON));
    const features = new Float64Array(third.inputs);
    [...meansOf(x), ...roots, ...meansOf(first), ...meansOf(second), log2(sigma) / 2.5].forEach(
      (value, i) => (features[i] = value),
    );
    const { levels } = this.file;
    features[third.inputs - levels + Math.min(level, levels - 1)] = 1;
    const hidden = forwards(third, features).map((value) => Math.max(0, value));
    return { x, first, second, features, hidden, logits: forwards(last, hidden) };
  }
}

/** Log2 of probabilities. */
export function normalised(logits: Float64Array): Float64Array {
  const most = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = logits.reduce((total, value) => total + exp2((value - most) * LOG2_E), 0);
  return logits.map((value) => (value - most) * LOG2_E - log2(sum));
}

function forwards({ outputs, weights, bias }: DenseLayer, input: Float64Array): Float64Array {
  const result = bias.slice();
  input.forEach((value, i) => {
    if (value !== 0) for (let o = 0; o < outputs; o++) result[o]! += value * weights[i * outputs + o]!;
  });
  return result;
}

/** The gradient by a layer's inputs, of that by its outputs. */
function backwards({ inputs, outputs, weights }: DenseLayer, by: Float64Array): Float64Array {
  return Float64Array.from({ length: inputs }, (_, i) => {
    let sum = 0;
    for (let o = 0; o < outputs; o++) sum += weights[i * outputs + o]! * by[o]!;
    return sum;
  });
}

function meansOf({ width, height, channels, data }: Grid): Float64Array {
  const sums = new Float64Array(channels);
  for (let i = 0; i < data.length; i++) sums[i % channels]! += data[i]!;
  return sums.map((sum) => sum / (width * height));
}

/** The gradient of means, at every place where something came through. */
function spread(grid: Grid, byMean: Float64Array): Grid {
  const { width, height, channels, data } = grid;
  return { ...grid, data: data.map((value, i) => (value > 0 ? byMean[i % channels]! / (width * height) : 0)) };
}

/** 2×2 positions through a layer with ReLU; what lies beyond the grid is 0. */
function* patches({ outputs, weights, bias }: DenseLayer, from: Grid): Pieces<Grid> {
  const { channels } = from;
  const [width, height] = [(from.width + 1) >> 1, (from.height + 1) >> 1];
  const data = new Float32Array(width * height * outputs);
  const sums = new Float64Array(outputs);
  for (let y = 0; y < height; y++) {
    if (y % rowsOfPiece(width * outputs) === 0) yield;
    for (let x = 0; x < width; x++) {
      sums.set(bias);
      for (let k = 0; k < 4; k++) {
        const [px, py] = [2 * x + (k & 1), 2 * y + (k >> 1)];
        if (px >= from.width || py >= from.height) continue;
        const at = (py * from.width + px) * channels;
        for (let c = 0; c < channels; c++) {
          const value = from.data[at + c]!;
          const w = (k * channels + c) * outputs;
          if (value !== 0) for (let o = 0; o < outputs; o++) sums[o]! += value * weights[w + o]!;
        }
      }
      for (let o = 0; o < outputs; o++) data[(y * width + x) * outputs + o] = Math.max(0, sums[o]!);
    }
  }
  return { width, height, channels: outputs, data };
}

/**
 * Adds the gradient by a layer's inputs, of that by its outputs.
 * @param through what the inputs were: where they are 0, ReLU let nothing through; undefined: all goes through
 */
function* patchesBackwards(
  { outputs, weights }: DenseLayer,
  by: Grid,
  into: Grid,
  through: Grid | undefined,
): Pieces<void> {
  const { channels } = into;
  for (let y = 0; y < into.height; y++) {
    if (y % rowsOfPiece(into.width * channels) === 0) yield;
    for (let x = 0; x < into.width; x++) {
      const k = 2 * (y & 1) + (x & 1);
      const from = ((y >> 1) * by.width + (x >> 1)) * outputs;
      const at = (y * into.width + x) * channels;
      for (let c = 0; c < channels; c++) {
        if (through !== undefined && !(through.data[at + c]! > 0)) continue;
        const w = (k * channels + c) * outputs;
        let sum = 0;
        for (let o = 0; o < outputs; o++) sum += by.data[from + o]! * weights[w + o]!;
        into.data[at + c]! += sum;
      }
    }
  }
}
