/** The PyTorch trainer, where Python has torch. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { corpusPicture } from '../../corpus/pictures.js';
import { gaussian } from '../../corpus/random-model.js';
import { EYE_MASKING, maskingInPieces, offsetAt } from '../../src/codec/masking.js';
import { wholeOf } from '../../src/math/rectangle.js';
import { haar, halve } from '../../src/pixels/pyramid.js';
import { finish } from '../../src/turns.js';
import { ssimulacra2 } from '../../src/metrics/ssimulacra2.js';
import { readDiscreteFile } from '../../src/model/discrete-file.js';
import { loadDataset } from '../../src/train/dataset.js';
import { exportDiscrete } from '../../src/train/export-discrete.js';
import { floatModelOf, readCheckpoint } from '../../src/train/checkpoint.js';
import { COEFFICIENTS, SMALL_ARCHITECTURE, uNet } from '../../src/model/architecture.js';
import { floatForward, type Request } from '../../src/model/float-forward.js';
import { trainingFolder } from '../train-data.js';

const TRAINER = 'src/train/pytorch';

function python(...args: string[]): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync('python3', args, {
    encoding: 'utf8',
    env: { ...process.env, OMP_NUM_THREADS: '1' },
  });
  return { status, text: `${stdout ?? ''}${stderr ?? ''}` };
}

type TrainingState = Awaited<ReturnType<typeof readCheckpoint>>;

const lastLine = (file: string): string => readFileSync(file, 'utf8').trim().split('\n').at(-1)!;

function distance(a: Float32Array, b: Float32Array): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0));
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

  it('begins with what a network computes that is told sigma, at sigma 8', async () => {
    const file = join(data.folder, 'untold.ckpt');
    const shape = ['--channels', '64,96,160,160', '--blocks', '2,2,2,2', '--hidden', '64'];
    const from = ['--told', 'models/checkpoint.bf16', '--checkpoint', file];
    const { status, text } = python(TRAINER, 'begin', ...shape, ...from);
    assert.equal(status, 0, text);
    const request = (sigma: number, level: number): Request => ({
      z: Float32Array.from({ length: 16 * 16 * COEFFICIENTS }, (_, i) => 60 * Math.sin(i * i)),
      codes: new Uint8Array(16 * 16 * COEFFICIENTS).fill(128),
      ...{ width: 16, height: 16 },
      condition: { level, sigma, mode: 'refine' },
    });
    const told = floatModelOf(await readCheckpoint('models/checkpoint.bf16'));
    const untold = floatModelOf(await readCheckpoint(file));
    for (const level of [0, 3]) {
      const expected = floatForward(told, request(128, level));
      const other = floatForward(told, request(144, level));
      const found = floatForward(untold, request(128, level));
      assert.ok(distance(found, expected) < 1e-4 * distance(found, other), `level ${level}`);
    }
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

  it('trains what shows the files of another model, and says how far it is', async () => {
    const file = join(data.folder, 'shown.ckpt');
    copyFileSync('models/checkpoint.bf16', file);
    const run = ['--checkpoint', file, '--log', `${file}.csv`, '--data', data.folder, '--device', 'cpu'];
    const short = ['--minutes', '60', '--steps', '2', '--batch-scale', '0.1', '--validation', '1', '--restart'];
    const { step } = await readCheckpoint(file);
    const { status, text } = python(TRAINER, 'train', '--path', 'models/dcomp-small.bf16', ...run, ...short);
    assert.equal(status, 0, text);
    const state = await readCheckpoint(file);
    assert.equal(state.step, step + 2);
    assert.ok(state.parameters.every(Number.isFinite));
    const [names, last] = [readFileSync(`${file}.csv`, 'utf8').split('\n')[0]!, lastLine(`${file}.csv`)];
    const figures = new Map(names.split(',').map((name, i) => [name, Number(last.split(',')[i])]));
    for (const code of [176, 160, 144, 128, 112])
      assert.ok(figures.get(`mean${code}`)! > 20 && figures.get(`score${code}`)! < 100, last);
  });

  it('trains what measures levels ≥ 1, from a network that codes all, and says how many bits they take', async () => {
    const file = join(data.folder, 'coarse.ckpt');
    const shape = ['--channels', '64,96,160,160', '--blocks', '2,2,2,2', '--hidden', '64', '--classes', '0'];
    const begun = python(TRAINER, 'begin', ...shape, '--told', 'models/checkpoint.bf16', '--checkpoint', file);
    assert.equal(begun.status, 0, begun.text);
    const run = ['--checkpoint', file, '--log', `${file}.csv`, '--data', data.folder, '--device', 'cpu', '--full'];
    // So many that each level, and batches that are gone on with, have their turn.
    const short = ['--minutes', '60', '--steps', '12', '--batch-scale', '0.25', '--validation', '1', '--restart'];
    const { status, text } = python(TRAINER, 'train', '--coarse', ...run, ...short);
    assert.equal(status, 0, text);
    const state = await readCheckpoint(file);
    assert.equal(state.step, 12);
    assert.ok(state.parameters.every(Number.isFinite));
    assert.match(readFileSync(`${file}.csv`, 'utf8'), /coarse184_bpp,coarse160_bpp,coarse128_bpp\n/);
    const [most, middle, least] = lastLine(`${file}.csv`).split(',').slice(-3).reverse().map(Number);
    assert.ok(0 < least! && least! < middle! && middle! < most! && most! < 3, lastLine(`${file}.csv`));
    const refused = python(TRAINER, 'train', '--coarse', '--path', 'models/dcomp-small.bf16', ...run);
    assert.match(refused.text, /not allowed with argument/);
  });

  it('scores a picture for the eye about as the metric does', async () => {
    const source = corpusPicture('scene', { width: 256, height: 192 });
    const noise = gaussian(3);
    for (const strength of [3, 12]) {
      const decoded = { ...source, data: source.data.map((v) => Math.max(0, Math.min(255, v + strength * noise()))) };
      const files = [join(data.folder, 'a.bin'), join(data.folder, 'b.bin')];
      [source, decoded].forEach((picture, i) => writeFileSync(files[i]!, Uint8Array.from(picture.data)));
      const { status, text } = python(
        '-c',
        `import sys, numpy, torch; sys.path.insert(0, '${TRAINER}')
from eye import scores
from photographs import haar, rotate_colours
read = lambda name: torch.from_numpy(haar(rotate_colours(numpy.fromfile(name, numpy.uint8).reshape(192, 256, 3))))[None]
print(scores(read(sys.argv[1]), read(sys.argv[2])).item())`,
        ...files,
      );
      assert.equal(status, 0, text);
      const expected = ssimulacra2(source)({ ...decoded, data: Uint8Array.from(decoded.data) })!;
      assert.ok(Math.abs(Number(text) - expected) < 3, `${text.trim()}, ${expected}`);
    }
  });

  it('masks details as files do', () => {
    const name = join(data.folder, 'levels.bin');
    const normal = gaussian(5);
    const u = {
      width: 96,
      height: 64,
      data: Float32Array.from({ length: 96 * 64 * 3 }, (_, i) => 2 ** (((i / 3) % 96) / 12) * normal()),
    };
    writeFileSync(name, new Uint8Array(u.data.buffer));
    const { status, text } = python(
      '-c',
      `import sys, json, numpy, torch; sys.path.insert(0, '${TRAINER}')
from photographs import haar
from shown import masking
fine, coarse = masking(haar(torch.from_numpy(numpy.fromfile('${name}', numpy.float32).reshape(1, 64, 96, 3))), ${EYE_MASKING / 2}, 6)
print(json.dumps([a[..., 3 * b + c].flatten().tolist() for c in (0, 1) for a, b in ((fine, 1), (coarse, 0))]))`,
    );
    assert.equal(status, 0, text);
    const found = JSON.parse(text) as number[][];
    const levels = [u, halve(u), halve(halve(u))];
    for (const level of [0, 1]) {
      const { width, height, data: z } = haar(levels[level + 1]!);
      const known = { ...wholeOf({ width, height }), z };
      const masking = finish(maskingInPieces(known, level, levels[level]!, EYE_MASKING))!;
      const expected = found[level]!.map((_, i) => offsetAt(masking, (i % 48) >> level, Math.floor(i / 48) >> level));
      assert.deepEqual(found[level], expected);
      assert.deepEqual(
        found[level + 2],
        expected.map(() => 6),
      );
      assert.ok(new Set(expected).size > 2);
    }
  });

  it('two processes take the steps of one with two streams', { timeout: 1_800_000 }, async () => {
    const shape = ['--channels', '8,16', '--blocks', '1,2', '--hidden', '8', '--classes', '0'];
    const short = ['--minutes', '600', '--steps', '4', '--batch-scale', '0.05', '--validation', '1', '--threads', '1'];
    const trained = async (name: string, launch: string[], workers: string): Promise<TrainingState> => {
      const file = join(data.folder, `${name}.ckpt`);
      python(TRAINER, 'begin', ...shape, '--statistics', 'models/checkpoint.bf16', '--checkpoint', file);
      const run = ['--checkpoint', file, '--log', `${file}.csv`, '--data', data.folder, '--device', 'cpu', '--full'];
      const { status, text } = python(...launch, TRAINER, 'train', ...run, ...short, '--workers', workers);
      assert.equal(status, 0, text);
      return readCheckpoint(file);
    };
    const one = await trained('one', [], '2');
    const launch = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', '2', '--'];
    const two = await trained('two', launch, '1');
    const loss = (name: string): number => Number(lastLine(join(data.folder, `${name}.ckpt.csv`)).split(',')[3]);
    assert.ok(loss('one') > 0 && Math.abs(loss('two') / loss('one') - 1) < 1e-3, `${loss('one')}, ${loss('two')}`);
    assert.equal(two.step, 4);
    const norm = distance(one.parameters, new Float32Array(one.parameters.length));
    assert.ok(distance(one.parameters, two.parameters) < 1e-6 * norm);
  });

  it('trains a discrete model that can be made a file, and goes on with it', async () => {
    const file = join(data.folder, 'tokens.ckpt');
    const shape = ['--channels', '8,16', '--blocks', '1,1', '--hidden', '8', '--tokens', '16'];
    const run = [
      '--data',
      data.folder,
      '--clusters',
      'models/small-classes.csv',
      '--checkpoint',
      file,
      '--threads',
      '1',
    ];
    let before = 0;
    for (const minutes of ['0.05', '0.1']) {
      const length = ['--log', `${file}.csv`, '--minutes', minutes];
      const { status, text } = python(TRAINER, 'discrete', ...run, ...shape, ...length);
      assert.equal(status, 0, text);
      const state = await readCheckpoint(file);
      assert.ok(state.step > before && state.parameters.every(Number.isFinite));
      before = state.step;
      const { bytes, report } = await exportDiscrete(state, await loadDataset(data.folder));
      assert.equal(readDiscreteFile(bytes).tokens, 16);
      assert.ok(report.float > 0 && Math.abs(report.integer / report.float - 1) < 0.02, JSON.stringify(report));
    }
    assert.match(lastLine(`${file}.csv`), /^\d+,\d+,\S+,[\d.]+,[\d.]+/);
  });
});
