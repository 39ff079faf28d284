/** Training on the pure JavaScript backend with tiny networks. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { haar } from '../src/pixels/pyramid.js';
import { DcompError } from '../src/errors.js';
import { FIRST_INFORMATION } from '../src/format.js';
import { uNet } from '../src/model/architecture.js';
import { floatForward, type Request } from '../src/model/float-forward.js';
import { EXACT, TOP_CODE, UNKNOWN, codeOf, sigmaOf } from '../src/model/sigma.js';
import { wienerGains } from '../src/model/inputs.js';
import { DEFAULT_INPUT_SCALE } from '../src/model/weights.js';
import { startBackend } from '../src/train/backend.js';
import {
  checkpointBytes,
  floatModelOf,
  readCheckpoint,
  writeCheckpoint,
  type CheckpointState,
} from '../src/train/checkpoint.js';
import { cut, loadDataset, measurePrior, type Dataset } from '../src/train/dataset.js';
import { codeExample, isCoded, makeCodedBatch, type Predict } from '../src/train/coded-examples.js';
import { drawExample, makeBatch, planAt, type Batch, type ModelShape } from '../src/train/examples.js';
import type { Network } from '../src/train/export.js';
import { drawCodes, drawCondition, plainCondition } from '../src/train/observations.js';
import { graphNetwork } from '../src/train/graph-network.js';
import { exampleLosses, lossInputs } from '../src/train/loss.js';
import { Random } from '../src/train/random.js';
import { learningRate, train, type TrainOptions } from '../src/train/trainer.js';
import { gaussian, randomFloatModel } from '../corpus/random-model.js';
import { TINY_PLAN, trainingFolder } from './train-data.js';

const ARCHITECTURE = uNet([8, 16], 8, 3);
const KINDS = planAt(1).kinds;
const ARRAYS = ['parameters', 'average', 'firstMoment', 'secondMoment'] as const;

const data = trainingFolder();
let dataset: Dataset;
let model: ModelShape;
before(async () => {
  await startBackend('javascript');
  dataset = await loadDataset(data.folder);
  model = {
    architecture: ARCHITECTURE,
    statistics: { prior: measurePrior(dataset.training, 3), inputScale: DEFAULT_INPUT_SCALE },
  };
});
after(data.remove);

function code(expected: string): (error: unknown) => boolean {
  return (error) => error instanceof DcompError && error.code === expected;
}

describe('graph', () => {
  it('computes what float-forward computes, to 1e-5 of the outputs', async () => {
    const float = randomFloatModel(ARCHITECTURE, 7);
    const network = graphNetwork(float);
    const next = gaussian(3);
    for (const [level, sigma, mode] of [
      [0, 168, 'enter'],
      [1, 130, 'refine'],
      [4, 60, 'refine'],
    ] as const) {
      const z = new Float32Array(8 * 6 * 12).map(() => 60 * next());
      const codes = new Uint8Array(z.length).fill(sigma);
      codes.forEach((_, i) => (codes[i] = i % 12 >= 3 && mode === 'enter' ? UNKNOWN : i % 31 === 0 ? EXACT : sigma));
      const request: Request = { z, codes, width: 8, height: 6, condition: { level, sigma, mode } };
      const expected = floatForward(float, request);
      const result = await network(request);
      assert.equal(result.length, expected.length);
      const size = Math.max(...expected.map(Math.abs));
      expected.forEach((value, i) =>
        assert.ok(Math.abs(value - result[i]!) < 1e-5 * size, `${i}: ${value}, ${result[i]}`),
      );
    }
  });
});

describe('examples', () => {
  it('a batch is a function of seed and step alone', () => {
    for (let step = 0; step < 12; step++) {
      const a = makeBatch(dataset, model, TINY_PLAN, 5, step);
      makeBatch(dataset, model, TINY_PLAN, 6, step);
      assert.deepEqual(makeBatch(dataset, model, TINY_PLAN, 5, step), a);
    }
    assert.notDeepEqual(
      makeBatch(dataset, model, TINY_PLAN, 5, 1).input,
      makeBatch(dataset, model, TINY_PLAN, 5, 2).input,
    );
  });

  it('are of the kinds, and of the states of entering, that the recipe says', () => {
    const count = 3000;
    const kinds = { plain: 0, path: 0, mixed: 0 };
    const entered = { none: 0, half: 0 };
    const { x } = drawExample(dataset.training, 1, 16, new Random(3, 0), KINDS);
    for (let seed = 0; seed < count; seed++) {
      const random = new Random(3, seed);
      const condition = drawCondition(1, random, KINDS);
      kinds[condition.kind]++;
      if (condition.kind !== 'plain' || condition.mode === 'refine') continue;
      const codes = drawCodes(x, condition, 8, random);
      const known = [0, 0];
      codes.forEach((code, i) => {
        const [column, row, channel] = [Math.floor(i / 12) % 8, Math.floor(i / 96), i % 12];
        if (channel >= 3 && code === condition.sigma) known[(column + row + channel) % 2]!++;
      });
      if (Math.max(...known) === 0) entered.none++;
      if (Math.min(...known) === 0 && Math.max(...known) > 0.7 * 32 * 9) entered.half++;
    }
    for (const [kind, share] of Object.entries(KINDS))
      assert.ok(
        Math.abs(kinds[kind as keyof typeof kinds] / count - share) < 0.04,
        `${kind}: ${JSON.stringify(kinds)}`,
      );
    // 0.3 of the plain ones enter, 0.4 of those know a half, 0.75 of both are not of a step that is cut besides.
    const enter = 0.3 * kinds.plain * 0.75;
    assert.ok(Math.abs(entered.half / enter - 0.4) < 0.12, `${entered.half} of ${enter}`);
    assert.ok(Math.abs(entered.none / enter - 0.6) < 0.12, `${entered.none} of ${enter}`);
  });

  it('of a path know LL at least as well as the details, of a mixture coefficients of many precisions', () => {
    const { x } = drawExample(dataset.training, 0, 32, new Random(4, 0), KINDS);
    let spread = 0;
    for (let seed = 0; seed < 1200; seed++) {
      const random = new Random(4, seed);
      const condition = drawCondition(0, random, KINDS);
      const codes = drawCodes(x, condition, 16, random);
      for (const code of codes) assert.ok(code === EXACT || code === UNKNOWN || (code >= 48 && code <= 192));
      if (condition.kind === 'path') assert.ok(condition.lowest <= condition.sigma && condition.lowest >= 48);
      if (condition.kind === 'mixed' && new Set(codes).size > 6) spread++;
    }
    assert.ok(spread > 20, `${spread}`);
  });

  it('hold finite numbers, every level, both modes, and nothing to predict where all is known', () => {
    const seen = new Set<string>();
    for (let step = 0; step < 80; step++) {
      const batch = makeBatch(dataset, model, TINY_PLAN, 1, step);
      for (const { level, mode } of batch.conditions) seen.add(`${level} ${mode}`);
      for (const array of [
        batch.input,
        batch.features,
        batch.target,
        batch.information,
        batch.weight,
        batch.squareWeight,
      ]) {
        assert.ok(array.every(Number.isFinite));
      }
      batch.weight.forEach((weight, i) =>
        assert.ok(weight > 0 || (batch.target[i] === 0 && batch.information[i] === 0 && batch.squareWeight[i] === 0)),
      );
    }
    assert.equal(seen.size, 6);
  });

  /** Losses of a network that answers with these corrections and log2 variances. */
  function lossesOf(
    batch: Batch,
    correction: (i: number) => number,
    logVariance: number,
  ): { kl: number; square: number } {
    return tf.tidy(() => {
      const output = new Float32Array(2 * batch.target.length);
      batch.target.forEach((_, i) => {
        output[2 * (i - (i % 12)) + (i % 12)] = correction(i);
        output[2 * (i - (i % 12)) + (i % 12) + 12] = logVariance;
      });
      const { kl, square } = exampleLosses(
        tf.tensor4d(output, [batch.size, batch.grid, batch.grid, 24]),
        lossInputs(batch),
      );
      return { kl: tf.mean(kl).dataSync()[0]!, square: tf.mean(square).dataSync()[0]! };
    });
  }

  it('an oracle has no squared error and pays only for the variance it claims', () => {
    const batch = makeBatch(dataset, model, TINY_PLAN, 1, 3);
    const sure = lossesOf(batch, (i) => batch.target[i]!, -13);
    assert.equal(sure.square, 0);
    assert.ok(sure.kl < 1e-4);
    const unsure = lossesOf(batch, (i) => batch.target[i]!, 0);
    let expected = 0;
    batch.information.forEach(
      (v, i) => (expected += (0.5 * batch.weight[i]! * (Math.log(1 + v) + 1 / (1 + v) - 1)) / batch.target.length),
    );
    assert.ok(Math.abs(unsure.kl - expected) < 1e-5 * expected);
  });

  it('the best constant variance of the linear estimate is that of its error: the prior fits the data', () => {
    // With correction 0 the network is the Wiener filter, whose error is co² in the mean, log2 variance 0.
    const mean = (logVariance: number): number => {
      let sum = 0;
      for (let step = 0; step < 30; step++)
        sum += lossesOf(makeBatch(dataset, model, TINY_PLAN, 2, step), () => 0, logVariance).kl;
      return sum;
    };
    assert.ok(mean(0) < mean(1.5) && mean(0) < mean(-1.5));
  });
});

describe('coded examples', () => {
  // Nothing to add to the Wiener estimate, and variances of every size.
  const predict: Predict = ({ input }) => Float32Array.from(input, (_, i) => (i % 24 < 12 ? 0 : (i % 7) - 5));

  it('a batch is a function of seed, step and network', () => {
    const other: Predict = (batch) => predict(batch).map((value) => value + 1);
    for (let step = 0; step < 8; step++) {
      const batch = makeCodedBatch(dataset, model, TINY_PLAN, 5, step, predict);
      assert.deepEqual(makeCodedBatch(dataset, model, TINY_PLAN, 5, step, predict), batch);
      assert.notDeepEqual(makeCodedBatch(dataset, model, TINY_PLAN, 5, step, other).input, batch.input);
      for (const array of [
        batch.input,
        batch.features,
        batch.target,
        batch.information,
        batch.weight,
        batch.squareWeight,
      ])
        assert.ok(array.every(Number.isFinite));
    }
  });

  it('are 0.4 of the steps, whatever the level', () => {
    const levels = new Map<number, [coded: number, all: number]>();
    for (let step = 0; step < 2000; step++) {
      const level = new Random(1, step).weighted([1, 1]); // the step's first number, which decides about its level
      const counts = levels.get(level) ?? [0, 0];
      levels.set(level, [counts[0] + Number(isCoded(1, step, 0.4)), counts[1] + 1]);
    }
    for (const [coded, all] of levels.values()) assert.ok(Math.abs(coded / all - 0.4) < 0.05, `${coded} of ${all}`);
  });

  it('have the noise that the code claims, as little correlated with the picture as that of an ideal channel', () => {
    const grid = 24;
    const n = grid * grid * 12;
    const detail = (i: number): boolean => i % 12 >= 3;
    for (const from of [UNKNOWN, TOP_CODE]) {
      for (const deviation of [1, 10, 45, 100]) {
        const to = from === UNKNOWN ? TOP_CODE : TOP_CODE - 4;
        const next = gaussian(deviation);
        const x = { width: grid, height: grid, data: new Float32Array(n).map(() => deviation * next()) };
        const codes = new Uint8Array(n).map((_, i) => (from === UNKNOWN && detail(i) ? UNKNOWN : TOP_CODE));
        const z = x.data.map((value, i) => (codes[i] === UNKNOWN ? 0 : value + sigmaOf(TOP_CODE) * next()));
        const mean = new Float64Array(256 * 12).map((_, i) => wienerGains(Math.floor(i / 12), deviation).mean);
        const correction = mean.map((_, i) => wienerGains(Math.floor(i / 12), deviation).correction);
        const example = {
          x,
          codes,
          z,
          shift: 0,
          condition: plainCondition({ level: 0, sigma: TOP_CODE, mode: 'enter' }),
        };
        codeExample(
          example,
          { to, parts: 1, done: 1, least: 0, observed: true },
          { mean, correction },
          new Float32Array(2 * n),
          1 / 16,
          new Random(1, from + deviation),
        );
        const errors = z.map((value, i) => (value - x.data[i]!) / sigmaOf(to)).filter((_, i) => detail(i));
        const truth = x.data.filter((_, i) => detail(i));
        const product = errors.map((value, i) => (value * truth[i]!) / deviation);
        const average = (values: Float32Array): number => values.reduce((a, b) => a + b, 0) / values.length;
        assert.ok(codes.every((code, i) => !detail(i) || code === to));
        assert.ok(
          Math.abs(average(errors.map((value) => value * value)) - 1) < 0.07,
          `variance from ${from}, ${deviation}`,
        );
        assert.ok(Math.abs(average(product)) < 0.07, `correlation from ${from}, ${deviation}`);
      }
    }
  });

  it('of the first part are the details of one parity that have enough to tell, and of one magnitude about the mean', () => {
    const n = 8 * 8 * 12;
    const x = { width: 8, height: 8, data: new Float32Array(n).fill(3) };
    const codes = new Uint8Array(n).map((_, i) => (i % 12 < 3 ? TOP_CODE : UNKNOWN));
    const gains = { mean: new Float32Array(256 * 12), correction: new Float32Array(256 * 12).fill(sigmaOf(TOP_CODE)) };
    // 0.29 bits for the first column and the next, less than 1/8 bit for the others.
    const output = new Float32Array(2 * n).map((_, i) => (i % 24 < 12 ? 0 : Math.floor(i / 24) % 8 > 1 ? -4 : -1));
    const example = {
      x,
      codes,
      z: x.data.map((value, i) => (codes[i] === UNKNOWN ? 0 : value)),
      shift: 1,
      condition: plainCondition({ level: 0, sigma: TOP_CODE, mode: 'enter' }),
    };
    const first = { to: TOP_CODE, parts: 2, done: 1, least: FIRST_INFORMATION, observed: false };
    codeExample(example, first, gains, output, 1, new Random(1, 1));
    codes.forEach((code, i) => {
      const [column, row, channel] = [Math.floor(i / 12) % 8, Math.floor(i / 96), i % 12];
      assert.equal(code, channel < 3 || (column < 2 && (column + row + channel) % 2 === 1) ? TOP_CODE : UNKNOWN);
      // One pass: y = mu ± √(v + 1/delta) with 2 · v = 1/delta = sigma².
      if (channel >= 3 && code === TOP_CODE)
        assert.ok(Math.abs(Math.abs(example.z[i]!) / sigmaOf(TOP_CODE) - Math.sqrt(1.5)) < 1e-5);
    });
  });

  it('what is quantised has Gaussian noise of the step about what it is', () => {
    const n = 64 * 64 * 12;
    const x = { width: 64, height: 64, data: new Float32Array(n).fill(3) };
    const codes = new Uint8Array(n).map((_, i) => (i % 12 < 3 ? TOP_CODE : UNKNOWN));
    const gains = { mean: new Float32Array(256 * 12), correction: new Float32Array(256 * 12).fill(sigmaOf(TOP_CODE)) };
    const condition = plainCondition({ level: 0, sigma: TOP_CODE, mode: 'enter' });
    const example = { x, codes, z: x.data.slice(), shift: 0, condition };
    const step = { to: TOP_CODE, parts: 1, done: 1, least: 0, observed: true };
    codeExample(example, step, gains, new Float32Array(2 * n).fill(1), 1, new Random(1, 1));
    const errors = [...example.z].filter((_, i) => i % 12 >= 3).map((z) => (z - 3) / sigmaOf(TOP_CODE));
    const moment = (k: number): number => errors.reduce((sum, e) => sum + e ** k, 0) / errors.length;
    assert.ok(Math.abs(moment(1)) < 0.03 && Math.abs(moment(2) - 1) < 0.05 && Math.abs(moment(4) - 3) < 0.3);
  });
});

describe('loss', () => {
  it('is the KL divergence, integrated numerically', () => {
    for (const [x, logVariance, delta] of [
      [0.3, 0, 1],
      [2, -3, 4],
      [-1, 2, 0.1],
      [0, -13, 0.5],
    ] as const) {
      const variance = 2 ** logVariance;
      const p = { mean: x as number, variance: 1 / delta };
      const q = { mean: 0, variance: variance + 1 / delta };
      const log = (y: number, g: typeof p): number =>
        -0.5 * Math.log(2 * Math.PI * g.variance) - (y - g.mean) ** 2 / (2 * g.variance);
      let expected = 0;
      const h = Math.sqrt(p.variance) / 200;
      for (let i = -2000; i <= 2000; i++)
        expected += h * Math.exp(log(x + i * h, p)) * (log(x + i * h, p) - log(x + i * h, q));
      const filled = (value: number): tf.Tensor4D => tf.fill([1, 1, 1, 12], value);
      const kl = tf.tidy(() => {
        const output = tf.concat([filled(0), filled(logVariance)], 3) as tf.Tensor4D;
        return exampleLosses(output, {
          target: filled(x),
          information: filled(delta),
          weight: filled(1),
          squareWeight: filled(1),
        }).kl.dataSync()[0]!;
      });
      assert.ok(Math.abs(kl - expected) < 1e-5 * (1 + expected), `${kl}, ${expected}`);
    }
  });
});

function randomState(): CheckpointState {
  const { parameters } = randomFloatModel(ARCHITECTURE, 4);
  const flat = Float32Array.from([...parameters.values()].flatMap((values) => [...values]));
  const arrays = {
    parameters: flat,
    average: flat.map((x) => 0.9 * x),
    firstMoment: flat.map((x) => 1e-3 * x),
    secondMoment: flat.map((x) => x * x),
  };
  return {
    architecture: ARCHITECTURE,
    statistics: model.statistics,
    step: 17,
    moments: 17,
    seed: 3,
    seconds: 1.5,
    balance: { '0/enter/21': [0.25, 3] },
    ...arrays,
  };
}

describe('checkpoint', () => {
  it('comes back as it was', async () => {
    const file = join(data.folder, 'whole.ckpt');
    const state = randomState();
    await writeCheckpoint(file, state);
    const { ...back } = await readCheckpoint(file);
    for (const [name, value] of Object.entries(state))
      assert.deepEqual(back[name as keyof CheckpointState], value, name);
  });

  it('for keeping it has the average alone, in an eighth of the size and within 2^-8, and no moments', async () => {
    const file = join(data.folder, 'compact.ckpt');
    const state = randomState();
    const bytes = checkpointBytes(state, true);
    writeFileSync(file, bytes);
    assert.ok(bytes.length < 0.15 * checkpointBytes(state, false).length);
    const back = await readCheckpoint(file);
    for (const name of ['parameters', 'average'] as const) {
      state.average.forEach((value, i) =>
        assert.ok(
          Math.abs(back[name][i]! - value) <= 2 ** -8 * Math.abs(value),
          `${name} ${i}: ${value}, ${back[name][i]}`,
        ),
      );
    }
    assert.ok(back.firstMoment.every((value) => value === 0) && back.secondMoment.every((value) => value === 0));
    assert.deepEqual([back.step, back.moments], [state.step, 0]);
    assert.deepEqual(back.statistics, state.statistics);
  });

  it('a damaged one is refused', async () => {
    const file = join(data.folder, 'damaged.ckpt');
    const whole = checkpointBytes(randomState(), false);
    for (const bytes of [
      new Uint8Array(0),
      whole.subarray(0, 30),
      whole.subarray(0, whole.length - 1),
      new Uint8Array(500),
    ]) {
      writeFileSync(file, bytes);
      await assert.rejects(readCheckpoint(file), code('E_DAMAGED_CHECKPOINT'));
    }
    await assert.rejects(readCheckpoint(join(data.folder, 'none.ckpt')), code('E_IO'));
  });
});

describe('training', () => {
  const options = (name: string, more: Partial<TrainOptions> = {}): TrainOptions => ({
    data: data.folder,
    checkpoint: join(data.folder, `${name}.ckpt`),
    log: join(data.folder, `${name}.csv`),
    architecture: ARCHITECTURE,
    steps: 8,
    rate: 1e-3,
    seed: 9,
    validateEvery: 1000,
    saveEvery: 1000,
    mixed: true,
    plan: TINY_PLAN,
    ...more,
  });

  it('resumed it ends with the very parameters of an uninterrupted run', async () => {
    await train(options('through'));
    for (const stopAt of [3, 6]) {
      const abort = new AbortController();
      await train(
        options('halting', { signal: abort.signal, onProgress: ({ step }) => step === stopAt && abort.abort() }),
      );
      assert.equal((await readCheckpoint(join(data.folder, 'halting.ckpt'))).step, stopAt);
    }
    await train(options('halting'));
    const through = await readCheckpoint(join(data.folder, 'through.ckpt'));
    const halting = await readCheckpoint(join(data.folder, 'halting.ckpt'));
    for (const name of ARRAYS) assert.deepEqual(halting[name], through[name], name);
    assert.deepEqual(halting.balance, through.balance);
    // Everything but seconds, rate and the recent loss, which is a running mean of each run.
    const figures = (name: string): string =>
      readFileSync(join(data.folder, `${name}.csv`), 'utf8')
        .trim()
        .split('\n')
        .at(-1)!
        .split(',')
        .slice(4)
        .join();
    assert.equal(figures('halting'), figures('through'));
    assert.match(figures('through'), /^[\d.]+(,[\d.]+){8}$/);
  });

  it('goes on from a compact checkpoint', async () => {
    const state = await readCheckpoint(join(data.folder, 'through.ckpt'));
    writeFileSync(join(data.folder, 'short.ckpt'), checkpointBytes(state, true));
    await train(options('short', { steps: 10 }));
    assert.equal((await readCheckpoint(join(data.folder, 'short.ckpt'))).step, 10);
  });

  it('makes the network better than the linear estimate that it begins with', async () => {
    const losses: number[] = [];
    await train(
      options('down', {
        steps: 60,
        rate: 3e-3,
        plan: { ...planAt(1), share: [1], crop: [16], batch: [2] },
        onProgress: (p) => void (p.validation ?? losses.push(p.loss)),
      }),
    );
    assert.equal(losses.length, 60);
    const trained = floatModelOf(await readCheckpoint(join(data.folder, 'down.ckpt')));
    const linear = {
      ...trained,
      parameters: new Map(
        [...trained.parameters].map(([name, values]) => [name, values.map((x) => (name.startsWith('out') ? 0 : x))]),
      ),
    };
    const [after, before] = [await squaredError(graphNetwork(trained)), await squaredError(graphNetwork(linear))];
    assert.ok(after < before, `squared error ${after}, of the linear estimate ${before}`);
  });

  /** Of the posterior mean at sigma 20 on some of the pictures. */
  async function squaredError(network: Network): Promise<number> {
    const next = gaussian(1);
    const sigma = codeOf(20);
    let sum = 0;
    for (const photograph of dataset.training.slice(0, 4)) {
      const x = haar(cut(photograph, 0, 0, 0, 64, 64));
      const z = x.data.map((value) => value + sigmaOf(sigma) * next());
      const codes = new Uint8Array(z.length).fill(sigma);
      const output = await network({
        z,
        codes,
        width: x.width,
        height: x.height,
        condition: { level: 0, sigma, mode: 'refine' },
      });
      x.data.forEach((value, i) => {
        const { mean, correction } = wienerGains(sigma, model.statistics.prior[i % 12]!);
        sum += (value - mean * z[i]! - correction * output[2 * (i - (i % 12)) + (i % 12)]!) ** 2;
      });
    }
    return sum;
  }

  it('the learning rate warms up, stays, and falls to half a percent', () => {
    const rate = (step: number): number => learningRate(step, 1000, 11000, 2);
    assert.ok(rate(1000) > 0 && rate(1000) < 0.02);
    for (let step = 1000; step < 1149; step++) assert.ok(rate(step + 1) > rate(step));
    assert.equal(rate(1150), 2);
    assert.equal(rate(3999), 2);
    for (let step = 4000; step < 11000; step++) assert.ok(rate(step + 1) < rate(step) * 1.01 && rate(step) <= 2.02);
    assert.ok(Math.abs(rate(11000) - 0.01) < 1e-9);
  });

  it('a folder that is missing, empty or too small is refused', async () => {
    const empty = trainingFolder(0);
    const few = trainingFolder(3);
    await assert.rejects(loadDataset(join(data.folder, 'none')), code('E_TRAINING_DATA'));
    await assert.rejects(loadDataset(empty.folder), code('E_TRAINING_DATA'));
    await assert.rejects(loadDataset(few.folder), code('E_TRAINING_DATA'));
    empty.remove();
    few.remove();
  });
});
