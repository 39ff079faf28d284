/** Both trainers find the same loss, gradients and step of a batch (src/train/pytorch/fixture.py has its formulas). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, it } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { COEFFICIENTS, uNet } from '../src/model/architecture.js';
import { EXACT, UNKNOWN, sigmaOf } from '../src/model/sigma.js';
import { DEFAULT_INPUT_SCALE, parameterPlaces } from '../src/model/weights.js';
import { startBackend } from '../src/train/backend.js';
import { parameterCount, type CheckpointState } from '../src/train/checkpoint.js';
import { emptyBatch, putObservation, type Batch } from '../src/train/examples.js';
import { TrainedNetwork } from '../src/train/trainer.js';

interface Outcome {
  kl: number[];
  square: number[];
  loss: number;
  gradients: Record<string, number>;
  changes: Record<string, number>;
  averageChanges: Record<string, number>;
}

const stored = JSON.parse(readFileSync('test/train-fixture.json', 'utf8')) as Outcome;

const [GRID, LEVEL, RATE] = [8, 1, 1e-3];
const CONDITIONS = [
  { level: LEVEL, sigma: 150, mode: 'enter' },
  { level: LEVEL, sigma: 120, mode: 'refine' },
  { level: LEVEL, sigma: 60, mode: 'refine' },
] as const;
const OVERHANG = [0, 2, 0];
const ARCHITECTURE = uNet([8, 16], 8, 5, [1, 2], { sigma: false, classes: 2 });

function spread(count: number, first: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => (Math.imul(first + i, 2654435761) >>> 0) / 2 ** 32 - 0.5);
}

function state(): CheckpointState {
  const n = parameterCount(ARCHITECTURE);
  const prior = Float32Array.from({ length: 5 * COEFFICIENTS }, (_, i) => {
    const c = i % COEFFICIENTS;
    return ((c < 3 ? 200 : 12) / (1 + (c % 3))) * 0.8 ** Math.floor(i / COEFFICIENTS);
  });
  const parameters = Float32Array.from(spread(n, 1), (u) => 0.3 * u);
  return {
    architecture: ARCHITECTURE,
    statistics: { prior, inputScale: DEFAULT_INPUT_SCALE },
    step: 0,
    moments: 0,
    seed: 1,
    seconds: 0,
    balance: { '1/enter/19': [0.2, 40], '1/refine/15': [0.1, 9] },
    parameters,
    average: parameters.slice(),
    firstMoment: new Float32Array(n),
    secondMoment: new Float32Array(n),
  };
}

function batchOf(model: CheckpointState): Batch {
  const size = CONDITIONS.length;
  const n = GRID * GRID * COEFFICIENTS;
  const [pictures, draws, noises] = [1e6, 2e6, 3e6].map((first) => spread(size * n, first)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const batch = emptyBatch(LEVEL, size, GRID, model);
  for (const [b, condition] of CONDITIONS.entries()) {
    const width = GRID - OVERHANG[b]!;
    const x = { width, height: GRID, data: new Float32Array(width * GRID * COEFFICIENTS) };
    const codes = new Uint8Array(n).fill(UNKNOWN);
    const z = new Float32Array(n);
    for (let i = 0; i < n; i++) {
      const [c, column, row] = [
        i % COEFFICIENTS,
        Math.floor(i / COEFFICIENTS) % GRID,
        Math.floor(i / COEFFICIENTS / GRID),
      ];
      if (column >= width) continue;
      const value = Math.fround(80 * pictures[b * n + i]!);
      x.data[(row * width + column) * COEFFICIENTS + c] = value;
      const draw = 100 * (draws[b * n + i]! + 0.5);
      const code = condition.mode === 'enter' && c >= 3 ? UNKNOWN : condition.sigma + Math.floor(draw / 10);
      codes[i] = draw < 5 ? UNKNOWN : draw > 97 ? EXACT : code;
      if (codes[i] !== UNKNOWN && codes[i] !== EXACT) z[i] = value + sigmaOf(codes[i]) * 3 * noises[b * n + i]!;
    }
    putObservation(batch, b, model, x, codes, z, condition);
  }
  return batch;
}

/** Euclidean norms of a flat array's parts, by name. */
function norms(values: ArrayLike<number>): Record<string, number> {
  return Object.fromEntries(
    parameterPlaces(ARCHITECTURE).map(({ name, offset, length }) => {
      let sum = 0;
      for (let i = offset; i < offset + length; i++) sum += values[i]! ** 2;
      return [name, Math.sqrt(sum)];
    }),
  );
}

function assertClose(name: string, value: number, expected: number): void {
  const error = Math.abs(value - expected);
  assert.ok(error <= 1e-3 * Math.abs(expected) + 1e-8, `${name}: ${value}, the other trainer has ${expected}`);
}

before(async () => {
  await startBackend('javascript');
});

it('loss, gradients and a step of the optimiser are those of the PyTorch trainer, within 1e-3', () => {
  const model = state();
  const first = model.parameters.slice();
  const batch = batchOf(model);
  const network = new TrainedNetwork(model);
  const { kls, squares, loss, gradient } = network.gradient(batch, false);
  kls.forEach((kl, i) => assertClose(`KL of example ${i}`, kl, stored.kl[i]!));
  squares.forEach((square, i) => assertClose(`squared error of example ${i}`, square, stored.square[i]!));
  assertClose('loss', loss, stored.loss);
  const byName = norms(gradient.dataSync());
  for (const [name, expected] of Object.entries(stored.gradients))
    assertClose(`gradient of ${name}`, byName[name]!, expected);
  gradient.dispose();
  network.step(batch, RATE, false);
  network.store();
  for (const [array, expected] of [
    ['parameters', stored.changes],
    ['average', stored.averageChanges],
  ] as const) {
    const changes = norms(model[array].map((value, i) => value - first[i]!));
    for (const [name, change] of Object.entries(expected))
      assertClose(`change of ${array}, ${name}`, changes[name]!, change);
  }
  network.dispose();
  assert.equal(tf.memory().numTensors, 0);
});
