/** A network put into a larger one computes the same, and only what fits is taken. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { DcompError } from '../src/errors.js';
import { uNet, type Architecture } from '../src/model/architecture.js';
import { floatForward } from '../src/model/float-forward.js';
import { parameterSpecs } from '../src/model/weights.js';
import { checkpointBytes, floatModelOf, readCheckpoint, type CheckpointState } from '../src/train/checkpoint.js';
import { grow } from '../src/train/grow.js';
import { createCli } from './helpers/cli.js';
import { gaussian, randomFloatModel } from '../corpus/random-model.js';
import { assertLimited } from './helpers/limited.js';

/** A checkpoint with other numbers in each of its arrays. */
function checkpointOf(architecture: Architecture, seed: number): CheckpointState {
  const arrays = [0, 1, 2, 3].map((i) => {
    const { parameters } = randomFloatModel(architecture, seed + i);
    return Float32Array.from(parameterSpecs(architecture).flatMap(({ name }) => [...parameters.get(name)!]));
  });
  const { statistics } = randomFloatModel(architecture, seed);
  const [parameters, average, firstMoment, secondMoment] = arrays as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  return {
    architecture,
    statistics,
    step: 7,
    moments: 7,
    seed,
    seconds: 9,
    balance: {},
    parameters,
    average,
    firstMoment,
    secondMoment,
  };
}

function outputs(state: CheckpointState): Float32Array {
  const next = gaussian(state.seed);
  const z = new Float32Array(8 * 8 * 12).map(() => 60 * next());
  return floatForward(floatModelOf(state), {
    z,
    codes: new Uint8Array(z.length).fill(130),
    width: 8,
    height: 8,
    condition: { level: 1, sigma: 130, mode: 'refine' },
  });
}

test('the larger network computes what the smaller one does', () => {
  const sides = fc.array(
    fc.record({
      channels: fc.integer({ min: 2, max: 6 }),
      more: fc.integer({ min: 0, max: 4 }),
      blocks: fc.integer({ min: 1, max: 2 }),
      moreBlocks: fc.integer({ min: 0, max: 2 }),
    }),
    { minLength: 1, maxLength: 3 },
  );
  assertLimited(
    fc.property(sides, fc.nat(1000), (scales, seed) => {
      const small = uNet(
        scales.map((s) => s.channels),
        4,
        2,
        scales.map((s) => s.blocks),
      );
      const large = uNet(
        scales.map((s) => s.channels + s.more),
        4,
        2,
        scales.map((s) => s.blocks + s.moreBlocks),
      );
      const state = checkpointOf(small, seed);
      const grown = grow(state, large);
      const [expected, result] = [outputs(state), outputs(grown)];
      const size = Math.max(...expected.map(Math.abs));
      expected.forEach((value, i) =>
        assert.ok(Math.abs(value - result[i]!) < 1e-5 * size, `output ${i}: ${value}, ${result[i]}`),
      );
    }),
    { numRuns: 40 },
  );
});

test('what is new takes part: its weights are not all nought, its moments are', () => {
  const state = checkpointOf(uNet([4, 4], 4, 2), 1);
  const grown = grow(state, uNet([4, 6], 4, 2, [2, 3]));
  const count = (values: Float32Array): number => values.filter((v) => v !== 0).length;
  assert.ok(count(grown.parameters) > count(state.parameters) + 300); // of 4·6·4 + 4·6·9 + 6·4·9 … new ones, those that read old channels
  assert.equal(count(grown.firstMoment), count(state.firstMoment));
  assert.equal(count(grown.secondMoment), count(state.secondMoment));
  assert.deepEqual([grown.step, grown.seconds, grown.seed], [7, 9, 1]);
});

test('the same architecture gives the same checkpoint', () => {
  const state = checkpointOf(uNet([4, 6, 4], 4, 2), 5);
  assert.deepEqual(grow(state, uNet([4, 6, 4], 4, 2)), state);
});

test('a network that the old one is no part of is refused', () => {
  const state = checkpointOf(uNet([4, 6], 4, 2), 1);
  for (const architecture of [
    uNet([4, 4], 4, 2),
    uNet([4], 4, 2),
    uNet([4, 6, 6], 4, 2),
    uNet([4, 6], 5, 2),
    uNet([4, 6], 4, 3),
    uNet([4, 6], 4, 2, [1, 1]),
  ]) {
    assert.throws(
      () => grow(state, architecture),
      (error) => error instanceof DcompError && error.code === 'E_USAGE',
      architecture.name,
    );
  }
});

test('dcomp train grow writes it; what it cannot do it says, and leaves no file', async () => {
  const cli = createCli();
  try {
    const state = checkpointOf(uNet([8, 16]), 3);
    writeFileSync(cli.file('a.ckpt'), checkpointBytes(state, false));
    const grow = (...options: string[]): string[] => [
      'train',
      'grow',
      '--checkpoint',
      'a.ckpt',
      '-o',
      'b.ckpt',
      ...options,
    ];
    cli.fails(2, /cannot grow unet-8-16 to unet-8-8/, ...grow('--channels', '8,8'));
    cli.fails(2, /--blocks is 1; it must be 2 numbers/, ...grow('--channels', '8,16', '--blocks', '1'));
    cli.fails(2, /--blocks is 0,2/, ...grow('--channels', '8,16', '--blocks', '0,2'));
    cli.fails(2, /--channels is 8,17/, ...grow('--channels', '8,17'));
    await assert.rejects(
      readCheckpoint(cli.file('b.ckpt')),
      (error) => error instanceof DcompError && error.code === 'E_IO',
    );
    const { stderr } = cli.works(...grow('--channels', '8,24', '--blocks', '2,2'));
    assert.match(stderr, /unet-8-24-blocks-2-2, \d+ parameters/);
    const grown = await readCheckpoint(cli.file('b.ckpt'));
    const [expected, result] = [outputs(state), outputs(grown)];
    const size = Math.max(...expected.map(Math.abs));
    expected.forEach((value, i) => assert.ok(Math.abs(value - result[i]!) < 1e-5 * size, `output ${i}`));
  } finally {
    cli.remove();
  }
});
