/**
 * The gradients by hand: against differences of the loss on the pure JavaScript backend, and in bfloat16 against float32
 * where native TensorFlow is set up.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { uNet, type Architecture } from '../src/model/architecture.js';
import { DEFAULT_INPUT_SCALE, parameterSpecs } from '../src/model/weights.js';
import { bfloat16, float32 } from '../src/train/tensor-arithmetic.js';
import { startBackend } from '../src/train/backend.js';
import { loadDataset, measurePrior, type Dataset } from '../src/train/dataset.js';
import { makeBatch, planAt, type Batch } from '../src/train/examples.js';
import { forward, forwardBackward } from '../src/train/graph.js';
import { batchInput, exampleLosses, lossGradient, lossInputs } from '../src/train/loss.js';
import { gaussian, randomFloatModel } from '../corpus/random-model.js';
import { trainingFolder } from './train-data.js';

const data = trainingFolder();
let dataset: Dataset;
before(async () => {
  dataset = await loadDataset(data.folder);
});
after(data.remove);

/** A network and a batch that it is to be trained on. */
class Problem {
  readonly batch: Batch;
  private readonly parameters = new Map<string, Float32Array>();
  private readonly klWeight: number[];
  private readonly squareWeight: number[];

  constructor(
    readonly architecture: Architecture,
    crop: number,
    size: number,
  ) {
    const { levels } = architecture.conditioning;
    const statistics = { prior: measurePrior(dataset.training, levels), inputScale: DEFAULT_INPUT_SCALE };
    this.batch = makeBatch(
      dataset,
      { architecture, statistics },
      { ...planAt(1), share: [1], crop: [crop], batch: [size] },
      3,
      1,
    );
    for (const [name, values] of randomFloatModel(architecture, 5).parameters)
      this.parameters.set(name, name === 'out.w' ? values.map((x) => 0.3 * x) : values);
    this.klWeight = Array.from({ length: size }, (_, i) => 1 + i);
    this.squareWeight = Array.from({ length: size }, (_, i) => 0.02 * (1 + i));
  }

  private tensors(shift?: (name: string, i: number) => number): {
    input: tf.Tensor4D;
    features: tf.Tensor2D;
    parameters: Map<string, tf.Tensor>;
  } {
    const { batch } = this;
    const parameters = new Map(
      parameterSpecs(this.architecture).map(({ name, shape }) => [
        name,
        tf.tensor(
          this.parameters.get(name)!.map((x, i) => x + (shift?.(name, i) ?? 0)),
          shape,
        ),
      ]),
    );
    const [input, features] = batchInput(batch);
    return { input, features, parameters };
  }

  loss(shift?: (name: string, i: number) => number): number {
    return tf.tidy(() => {
      const { input, features, parameters } = this.tensors(shift);
      const losses = exampleLosses(
        forward(this.architecture, parameters, input, features, false),
        lossInputs(this.batch),
      );
      const [kl, square] = [losses.kl.dataSync(), losses.square.dataSync()];
      return (
        this.klWeight.reduce((sum, weight, i) => sum + weight * kl[i]! + this.squareWeight[i]! * square[i]!, 0) /
        this.batch.size
      );
    });
  }

  gradients(mixed: boolean): Map<string, Float32Array> {
    const { input, features, parameters } = this.tensors();
    const gradients = forwardBackward(this.architecture, parameters, input, features, mixed, (output) =>
      lossGradient(output, lossInputs(this.batch), this.klWeight, this.squareWeight),
    );
    const result = new Map([...gradients].map(([name, gradient]) => [name, gradient.dataSync<'float32'>().slice()]));
    tf.dispose([input, features, [...parameters.values()], [...gradients.values()]]);
    return result;
  }
}

function norm(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}

describe('on the pure JavaScript backend', () => {
  before(() => startBackend('javascript'));

  it('the gradient of every parameter is what differences of the loss say, to 2 %', () => {
    const problem = new Problem(uNet([8, 16], 8, 3), 16, 2);
    const gradients = problem.gradients(false);
    assert.deepEqual(
      [...gradients.keys()].sort(),
      parameterSpecs(problem.architecture)
        .map(({ name }) => name)
        .sort(),
    );
    const next = gaussian(8);
    for (const [name, gradient] of gradients) {
      // Along the gradient with some noise, so far that the loss changes by much more than float32 rounds.
      const direction = gradient.map((g) => g + 0.5 * (norm(gradient) / Math.sqrt(gradient.length)) * next());
      const length = norm(direction);
      assert.ok(length > 0, name);
      const expected = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0) / length;
      const h = 3e-3;
      const along = (t: number): number =>
        problem.loss((other, i) => (other === name ? (t * direction[i]!) / length : 0));
      const difference = (along(h) - along(-h)) / (2 * h);
      assert.ok(
        Math.abs(difference - expected) < 0.02 * Math.abs(expected) + 2e-4,
        `${name}: ${expected}, by differences ${difference}`,
      );
    }
  });

  it('leaves nothing behind but the gradients', () => {
    const problem = new Problem(uNet([8, 16], 8, 3), 16, 2);
    problem.gradients(false);
    const { numTensors } = tf.memory();
    problem.gradients(false);
    assert.equal(tf.memory().numTensors, numTensors);
  });

  it('there is no bfloat16: mixed is the same as not', () => {
    assert.equal(bfloat16(), undefined);
    const problem = new Problem(uNet([8], 8, 3), 16, 1);
    assert.deepEqual(problem.gradients(true), problem.gradients(false));
  });
});

describe('on native TensorFlow', () => {
  let missing: string | false = false;
  before(async () => {
    try {
      await startBackend('native');
    } catch (error) {
      missing = `${(error as Error).message}`;
    }
  });
  const skipped = (t: TestContext): boolean => {
    if (missing !== false) t.skip(missing);
    return missing !== false;
  };

  it('operations in bfloat16 agree with those in float32 to 1 %', (t) => {
    if (skipped(t)) return;
    const half = bfloat16()!;
    const [x, y] = [
      tf.randomNormal([2, 8, 8, 16], 0.5, 1, 'float32', 1),
      tf.randomNormal([2, 8, 8, 16], 0, 1, 'float32', 2),
    ];
    const w = tf.randomNormal([3, 3, 16, 16], 0, 1, 'float32', 3);
    const v = tf.randomNormal([2, 2, 16, 16], 0, 1, 'float32', 4);
    const row = tf.randomNormal([2, 1, 1, 16], 0, 1, 'float32', 5);
    const small = tf.randomNormal([2, 4, 4, 16], 0, 1, 'float32', 6);
    const agree = (name: string, expected: tf.Tensor, result: tf.Tensor): void => {
      assert.deepEqual(result.shape, expected.shape);
      const error = norm(tf.sub(result, expected).dataSync()) / norm(expected.dataSync());
      assert.ok(error < 0.01, `${name}: relative error ${error}`);
    };
    const h = new Map([x, y, w, v, row, small].map((tensor) => [tensor, half.from(tensor)]));
    const of = (tensor: tf.Tensor): tf.Tensor => h.get(tensor)!;
    agree('from, to', x, half.to(of(x)));
    agree('convolve', float32.convolve(x, w, 1), half.to(half.convolve(of(x), of(w), 1)));
    agree('convolve, stride 2', float32.convolve(x, v, 2), half.to(half.convolve(of(x), of(v), 2)));
    agree(
      'convolveInput',
      float32.convolveInput(y, w, [2, 8, 8, 16], 1),
      half.to(half.convolveInput(of(y), of(w), [2, 8, 8, 16], 1)),
    );
    agree(
      'convolveInput, stride 2',
      float32.convolveInput(small, v, [2, 8, 8, 16], 2),
      half.to(half.convolveInput(of(small), of(v), [2, 8, 8, 16], 2)),
    );
    agree(
      'convolveFilter',
      float32.convolveFilter(x, y, [3, 3, 16, 16], 1),
      half.convolveFilter(of(x), of(y), [3, 3, 16, 16], 1),
    );
    agree(
      'convolveFilter, stride 2',
      float32.convolveFilter(x, small, [2, 2, 16, 16], 2),
      half.convolveFilter(of(x), of(small), [2, 2, 16, 16], 2),
    );
    agree('add', float32.add(x, row), half.to(half.add(of(x), of(row))));
    agree('multiply', float32.multiply(x, row), half.to(half.multiply(of(x), of(row))));
    agree('relu', float32.relu(x), half.to(half.relu(of(x))));
    agree(
      'reluGradient',
      float32.reluGradient(y, float32.relu(x)),
      half.to(half.reluGradient(of(y), half.relu(of(x)))),
    );
    agree('sumGrid', float32.sumGrid(x), half.sumGrid(of(x)));
    const large = tf.add(tf.randomUniform([1, 128, 128, 8], 0, 1, 'float32', 7), 1);
    agree('sumGrid of many of one sign', float32.sumGrid(large), half.sumGrid(half.from(large)));
  });

  it('gradients in bfloat16 point where those in float32 do', (t) => {
    if (skipped(t)) return;
    const problem = new Problem(uNet([16, 24], 16, 3), 32, 4);
    const exact = problem.gradients(false);
    for (const [name, gradient] of problem.gradients(true)) {
      const error = norm(gradient.map((g, i) => g - exact.get(name)![i]!)) / norm(exact.get(name)!);
      // 2^-9 an operation, some 30 operations deep.
      assert.ok(error < 0.04, `${name}: relative error ${error}`);
    }
    const { numTensors } = tf.memory();
    problem.gradients(true);
    assert.equal(tf.memory().numTensors, numTensors);
  });
});
