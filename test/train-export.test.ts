/** Export of a tiny network; on native TensorFlow where that is set up, else in plain TypeScript. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { DcompError } from '../src/errors.js';
import { uNet, weightShape } from '../src/model/architecture.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { EXACT, UNKNOWN } from '../src/model/sigma.js';
import { DEFAULT_INPUT_SCALE, parameterSpecs } from '../src/model/weights.js';
import { startBackend } from '../src/train/backend.js';
import { floatModelOf, type CheckpointState } from '../src/train/checkpoint.js';
import { loadDataset, measurePrior } from '../src/train/dataset.js';
import { calibrationRequests, coarseRequests, exportModel, reportText } from '../src/train/export.js';
import { Validation } from '../src/train/validation.js';
import { randomFloatModel } from '../corpus/random-model.js';
import { trainingFolder } from './train-data.js';

const data = trainingFolder();
after(data.remove);

/** An untrained network: random inside, small corrections and variances on top. */
async function state(): Promise<CheckpointState> {
  const architecture = uNet([8, 16], 8, 3);
  const { parameters } = randomFloatModel(architecture, 4);
  const flat = Float32Array.from(
    [...parameters].flatMap(([name, values]) => [...(name === 'out.w' ? values.map((x) => 0.1 * x) : values)]),
  );
  const dataset = await loadDataset(data.folder);
  const statistics = { prior: measurePrior(dataset.training, 3), inputScale: DEFAULT_INPUT_SCALE };
  return {
    architecture,
    statistics,
    step: 5,
    moments: 5,
    seed: 1,
    seconds: 9,
    balance: {},
    parameters: flat,
    average: flat,
    firstMoment: flat,
    secondMoment: flat,
  };
}

test('an exported model costs less than half a percent, and the report agrees with the validation of the training', async () => {
  const checkpoint = await state();
  const dataset = await loadDataset(data.folder);
  const { bytes, report } = await exportModel(checkpoint, dataset, { threads: 1, pictures: 1, side: 64 });
  assert.equal(readModelFile(bytes).id, report.model);
  assert.equal(report.step, 5);
  assert.ok(Math.abs(report.bitsPercent) < 0.5 && Math.abs(report.decibels.psnr16) < 0.02, JSON.stringify(report));
  await startBackend();
  const float = floatModelOf(checkpoint);
  const parameters = new Map(
    parameterSpecs(float.architecture).map(({ name, shape }) => [name, tf.tensor(float.parameters.get(name)!, shape)]),
  );
  const validated = new Validation(dataset.validation, float, 1).run(parameters, false);
  for (const [name, value] of Object.entries(validated)) {
    const reported = report.float[name as keyof typeof report.float];
    assert.ok(
      Math.abs(reported - (value as number)) < 1e-4 * (value as number),
      `${name}: ${reported}, ${value as number}`,
    );
  }
});

test('coarser weights make a smaller file', async () => {
  const checkpoint = await state();
  const dataset = await loadDataset(data.folder);
  const lengths: number[] = [];
  for (const coarseness of [16, 64, undefined, 256]) {
    const how = { threads: 1, pictures: 1, side: 64, ...(coarseness === undefined ? {} : { coarseness }) };
    lengths.push((await exportModel(checkpoint, dataset, how)).bytes.length);
  }
  const weights = checkpoint.architecture.layers
    .filter(({ name }) => name !== 'in' && name !== 'out')
    .reduce((sum, layer) => sum + weightShape(checkpoint.architecture, layer).reduce((a, b) => a * b, 1), 0);
  const bits = lengths.slice(1).map((length, i) => (8 * (lengths[i]! - length)) / weights);
  for (const [i, saved] of [2, 1, 1].entries()) assert.ok(Math.abs(bits[i]! - saved) < 0.2, `${bits.join()}`);
});

test('the calibration shows the network everything that it will meet', async () => {
  const dataset = await loadDataset(data.folder, { trainingLimit: 5 });
  assert.equal(dataset.training.length, 5);
  const requests = calibrationRequests(dataset.training, 40);
  assert.deepEqual(new Set(requests.map(({ condition }) => condition.level)), new Set([0, 1, 2, 3, 4]));
  assert.deepEqual(new Set(requests.map(({ condition }) => condition.mode)), new Set(['enter', 'refine']));
  const level0 = requests.filter(({ condition }) => condition.level === 0).map(({ condition }) => condition.sigma);
  assert.ok(Math.max(...level0) === 168 && Math.min(...level0) < 90);
  const codes = new Set(requests.flatMap((request) => [...request.codes]));
  assert.ok(codes.has(UNKNOWN));
  assert.ok(codes.has(EXACT) && codes.size > 12, [...codes].join());
});

test('a network that measures levels ≥ 1 alone is calibrated and measured there', async () => {
  const dataset = await loadDataset(data.folder);
  const requests = coarseRequests(dataset.training, 40);
  assert.deepEqual(new Set(requests.map(({ condition }) => condition.level)), new Set([1, 2, 3, 4]));
  assert.deepEqual(new Set(requests.map(({ condition }) => condition.mode)), new Set(['enter']));
  const known = requests.map(({ codes }) => codes.filter((code, i) => i % 12 >= 3 && code !== UNKNOWN).length);
  for (const [i, { z, codes, condition, width, height }] of requests.entries()) {
    assert.deepEqual([z.length, codes.length], Array(2).fill(12 * width * height));
    // None of the details, or a half of those inside of the photograph.
    const inside = codes.filter((code, k) => k % 12 === 0 && code !== UNKNOWN).length;
    assert.ok(inside > 0 && (known[i] === 0 || Math.abs(known[i]! - 4.5 * inside) <= 4.5), `${known[i]}, ${inside}`);
    assert.ok(codes[0]! <= condition.sigma);
  }
  assert.ok(known.some((count) => count > 0) && known.includes(0));

  const checkpoint = await state();
  const how = { threads: 1, pictures: 1, side: 64 };
  const { bytes, report } = await exportModel(checkpoint, dataset, { ...how, coarse: true });
  const whole = await exportModel(checkpoint, dataset, how);
  assert.equal(readModelFile(bytes).id, report.model);
  assert.notDeepEqual(bytes, whole.bytes);
  assert.ok(Math.abs(report.bitsPercent) < 0.5, `${report.bitsPercent}`);
  const { straight8, total } = report.float;
  assert.ok(total === 0 && straight8 > 0 && straight8 < whole.report.float.straight8);
  assert.match(reportText(report), /straight/);
  assert.doesNotMatch(reportText(report), /refined|dB/);
});

test('weights that are no numbers are refused', async () => {
  const checkpoint = await state();
  checkpoint.average = checkpoint.average.map((x, i) => (i === 3 ? NaN : x));
  const dataset = await loadDataset(data.folder, { trainingLimit: 5 });
  await assert.rejects(
    exportModel(checkpoint, dataset),
    (error: unknown) => error instanceof DcompError && error.code === 'E_DAMAGED_MODEL',
  );
});
