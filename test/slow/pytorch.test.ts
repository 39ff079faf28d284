/** The PyTorch trainer, where Python has torch. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readCheckpoint } from '../../src/train/checkpoint.js';
import { SMALL_ARCHITECTURE, uNet } from '../../src/model/architecture.js';
import { trainingFolder } from '../train-data.js';

const TRAINER = 'src/train/pytorch';

function python(...args: string[]): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync('python3', args, {
    encoding: 'utf8',
    env: { ...process.env, OMP_NUM_THREADS: '1' },
  });
  return { status, text: `${stdout ?? ''}${stderr ?? ''}` };
}

const has = python('-c', 'import torch, numpy, PIL').status === 0;

describe('PyTorch trainer', { skip: has ? false : 'python3 has no torch, numpy and Pillow' }, () => {
  const data = trainingFolder(60, 256);
  after(data.remove);

  it('finds the stored loss, gradients and step of the batch that both trainers share', () => {
    const { status, text } = python(TRAINER, 'fixture', '--check', 'test/train-fixture.json');
    assert.equal(status, 0, text);
  });

  it('begins the very architecture of the small model', async () => {
    const file = join(data.folder, 'small.ckpt');
    const shape = ['--channels', '32,64,56,48', '--blocks', '1,2,1,1', '--hidden', '12'];
    const { status, text } = python(
      TRAINER,
      'begin',
      ...shape,
      '--statistics',
      'models/checkpoint.bf16',
      '--checkpoint',
      file,
    );
    assert.equal(status, 0, text);
    assert.deepEqual((await readCheckpoint(file)).architecture, SMALL_ARCHITECTURE);
  });

  it('trains a checkpoint that dcomp train reads, and goes on with it', async () => {
    const file = join(data.folder, 'tiny.ckpt');
    const shape = ['--channels', '8,16', '--blocks', '1,2', '--hidden', '8', '--classes', '0'];
    python(TRAINER, 'begin', ...shape, '--statistics', 'models/checkpoint.bf16', '--checkpoint', file);
    const run = ['--checkpoint', file, '--log', `${file}.csv`, '--data', data.folder, '--device', 'cpu'];
    const short = ['--minutes', '60', '--steps', '5', '--batch-scale', '0.05', '--workers', '2', '--validation', '2'];
    for (const steps of [5, 10]) {
      const { status, text } = python(TRAINER, 'train', ...run, ...short);
      assert.equal(status, 0, text);
      const state = await readCheckpoint(file);
      assert.equal(state.step, steps);
      assert.ok(state.parameters.every(Number.isFinite) && state.firstMoment.some((value) => value !== 0));
      assert.deepEqual(state.architecture, uNet([8, 16], 8, 5, [1, 2], { sigma: false, classes: 0 }));
    }
  });
});
