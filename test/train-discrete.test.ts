/** From a checkpoint of a discrete model to its file, by the command. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { randomFloatModel } from '../corpus/random-model.js';
import { tinyTables } from '../corpus/tiny-discrete.js';
import { uNet } from '../src/model/architecture.js';
import { readDiscreteFile } from '../src/model/discrete-file.js';
import { checkpointBytes, type CheckpointState } from '../src/train/checkpoint.js';
import { createCli } from './helpers/cli.js';
import { trainingFolder } from './train-data.js';

const cli = createCli();
const data = trainingFolder(30, 128);
after(() => {
  cli.remove();
  data.remove();
});

const tables = tinyTables();
const rows = (values: Float64Array | Uint8Array, length: number): number[][] =>
  Array.from({ length: values.length / length }, (_, i) => [...values.subarray(i * length, (i + 1) * length)]);

/** An untrained network, and the tables of a tiny discrete model. */
function state(): CheckpointState {
  const architecture = uNet([8, 8], 8, 1, undefined, { sigma: false, classes: 3 });
  const { parameters, statistics } = randomFloatModel(architecture, 4);
  const flat = Float32Array.from([...parameters.values()].flatMap((values) => [...values]));
  const { tokens, centres, codes, layer } = tables;
  return {
    ...{ architecture, statistics, step: 5, moments: 5, seed: 1, seconds: 90, balance: {} },
    ...{ parameters: flat, average: flat, firstMoment: flat, secondMoment: flat },
    discrete: {
      centres: rows(centres, 12),
      codes: rows(codes, 12),
      average: [rows(layer.weights, tokens), [...layer.bias]],
    },
  };
}

describe('dcomp train discrete', () => {
  const command = ['train', 'discrete', '--data', data.folder];

  it('makes the file of a checkpoint, compact or not, and says what it foresees', { timeout: 300_000 }, () => {
    writeFileSync(cli.file('whole.ckpt'), checkpointBytes(state(), false));
    writeFileSync(cli.file('compact.bf16'), checkpointBytes(state(), true));
    for (const name of ['whole.ckpt', 'compact.bf16']) {
      const { stdout } = cli.works(...command, '--checkpoint', name, '-o', `${name}.dcd`);
      const [, float, integer] = /step 5, 2 min: (\S+) bits a masked token of 1 photographs in floats, (\S+) in/.exec(
        stdout,
      )!;
      assert.ok(Number(float) > 0 && Math.abs(Number(integer) / Number(float) - 1) < 0.02, stdout);
      const file = readDiscreteFile(readFileSync(cli.file(`${name}.dcd`)));
      assert.equal(file.model.architecture.conditioning.classes, 3);
      assert.deepEqual(file.codes, tables.codes);
      const near = (found: Float64Array, wanted: Float64Array, scale: number): void =>
        wanted.forEach((value, i) => assert.ok(Math.abs(found[i]! - value * scale) < 1e-3 * Math.abs(value) + 0.01));
      near(file.centres, tables.centres, 1);
      near(file.layer.weights, tables.layer.weights, Math.LOG2E);
      near(file.layer.bias, tables.layer.bias, Math.LOG2E);
    }
    cli.works(
      'sample',
      'a.png',
      '--discrete-model',
      'whole.ckpt.dcd',
      '--size',
      '16',
      '--steps',
      '2',
      '--model',
      cli.model,
    );
  });

  it('refuses checkpoints of other models', () => {
    const { discrete: _, ...other } = state();
    writeFileSync(cli.file('other.ckpt'), checkpointBytes(other, false));
    cli.fails(1, /of no discrete model/, ...command, '--checkpoint', 'other.ckpt', '-o', 'x.dcd');
    cli.fails(1, /there is no such file/, ...command, '--checkpoint', 'none.ckpt', '-o', 'x.dcd');
    cli.fails(2, /--checkpoint is missing/, ...command, '-o', 'x.dcd');
  });
});
