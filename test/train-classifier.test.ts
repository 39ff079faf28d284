/** A classifier of pictures: its gradients, classes and their table, the file, and the command. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { writePng } from '../formats/png-writer.js';
import { tinyClassFile } from '../corpus/tiny-classes.js';
import { tinyModel, tinyModelFile } from '../corpus/tiny-model.js';
import { release, resultOf, samplePicture } from '../src/diffusion-node.js';
import { hash32 } from '../src/math/hash.js';
import { normalAt } from '../src/math/normal.js';
import { COEFFICIENTS } from '../src/model/architecture.js';
import { checkClassFile, readClassFile, type DenseLayer } from '../src/model/class-file.js';
import { writeClassFile } from '../src/model/write-class-file.js';
import { Classifier, type Noisy } from '../src/restore/classifier.js';
import { classesOf, clustersFrom, clustersOf, clustersText } from '../src/train/clusters.js';
import { REGION, regionsOf, STATISTICS, statisticsOf } from '../src/train/class-regions.js';
import { addGradients, noGradients } from '../src/train/classifier-training.js';
import { Random } from '../src/train/random.js';
import { finish } from '../src/turns.js';
import { createCli } from './helpers/cli.js';
import { DECODING } from './helpers/tiny.js';

after(() => release());
const model = tinyModel();
const file = readClassFile(tinyClassFile(model));

describe('class files', () => {
  it('are written as they are read', () => {
    const table = Array.from({ length: file.levels * file.classes }, (_, place) =>
      file.shift(Math.floor(place / file.classes), place % file.classes),
    );
    const roots = Array.from({ length: file.classes }, (_, c) => file.root(c));
    const back = readClassFile(writeClassFile({ ...file, roots, table, layers: file.layers }));
    checkClassFile(model, back);
    for (let c = 0; c < file.classes; c++) assert.deepEqual(back.root(c), file.root(c));
    const near = (a: Float64Array, b: Float64Array, most: number): void =>
      a.forEach((value, i) => assert.ok(Math.abs(value - b[i]!) <= most, `${value} ${b[i]} at ${i}`));
    table.forEach((row, place) => near(back.shift(Math.floor(place / 3), place % 3), row, 2 ** -9));
    back.layers.forEach((layer, k) => near(layer.weights, file.layers[k]!.weights, 2 ** -15));
    back.layers.forEach((layer, k) => assert.deepEqual(layer.bias, file.layers[k]!.bias));
  });
});

describe('the gradients of a classifier', () => {
  it('are what small changes of every kind of weight do to the loss', () => {
    const [width, height] = [5, 3];
    const z = Float32Array.from({ length: width * height * COEFFICIENTS }, (_, i) => 40 * normalAt(8, i));
    const example: Noisy = { z, width, height, sigma: 20, level: 1 };
    const layers = file.layers.map((layer) => ({
      ...layer,
      weights: layer.weights.slice(),
      bias: layer.bias.slice(),
    })) as [DenseLayer, DenseLayer, DenseLayer, DenseLayer];
    const classifier = new Classifier({ layers, levels: file.levels }, model.statistics.inputScale);
    const loss = (): number => -finish(classifier.logProbabilities(example))[2]! * Math.LN2;
    const gradients = noGradients(layers);
    addGradients(classifier, example, 2, 1, gradients);
    let moved = 0;
    for (const [k, layer] of layers.entries())
      for (const name of ['weights', 'bias'] as const)
        for (let n = 0; n < 12; n++) {
          const [values, i] = [layer[name], hash32(k, n) % layer[name].length];
          const kept = values[i]!;
          const step = 1e-4;
          values[i] = kept + step;
          const above = loss();
          values[i] = kept - step;
          const measured = (above - loss()) / (2 * step);
          values[i] = kept;
          const said = gradients[k]![name][i]!;
          assert.ok(
            Math.abs(measured - said) < 0.02 * Math.abs(said) + 1e-4,
            `layer ${k} ${name} ${i}: ${measured} ${said}`,
          );
          if (said !== 0) moved++;
        }
    assert.ok(moved > 40, `${moved} of 96`);
  });
});

/** Pictures of three kinds: dark and red, grey stripes, bright blue noise. */
function pictureOf(kind: number, n: number): Uint8Array {
  const data = new Uint8Array(REGION * REGION * 3);
  for (let i = 0; i < data.length; i++) {
    const [c, x] = [i % 3, Math.floor(i / 3) % REGION];
    const own =
      kind === 0 ? [90, 20, 20][c]! : kind === 1 ? 128 + 60 * Math.sin(x / (2 + n / 30)) : [150, 170, 240][c]!;
    data[i] = Math.min(255, Math.max(0, own + n + (kind === 2 ? 25 : 4) * normalAt(n, i)));
  }
  return data;
}

const KINDS = 3;
const PICTURES = 30;

describe('dcomp train classifier', () => {
  const cli = createCli();
  const folder = mkdtempSync(join(tmpdir(), 'dcomp-classes-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  for (let n = 0; n < PICTURES; n++)
    writeFileSync(
      join(folder, `${String(n).padStart(2, '0')}.png`),
      writePng({ width: REGION, height: REGION, channels: 3, data: pictureOf(n % KINDS, n) }),
    );
  writeFileSync(cli.file('tiny.dcm'), tinyModelFile());
  const train = [
    'train',
    'classifier',
    '--data',
    folder,
    '--model',
    'tiny.dcm',
    '--clusters',
    'own.csv',
    '--seed',
    '3',
  ];

  it('finds classes, tells them under noise, and leads a drawing to them', { timeout: 300_000 }, async () => {
    const { stdout } = cli.works(...train, '-o', 'own.dcc', '--classes', '3', '--steps', '12', '--rate', '0.01');
    const right = [...stdout.matchAll(/right (\d\.\d+)/g)].map(([, value]) => Number(value));
    assert.ok(right.length >= 10);
    assert.ok(right.reduce((a, b) => a + b) / right.length > 0.6, stdout);
    const clusters = clustersFrom(readFileSync(cli.file('own.csv'), 'utf8'), 'own.csv');
    assert.equal(clusters.centres.length, KINDS);
    const bytes = readFileSync(cli.file('own.dcc'));
    const made = readClassFile(bytes);
    checkClassFile(model, made);
    assert.ok(made.shift(0, 0).every((value) => value === 0));
    assert.ok(made.root(2).mean[0]! > made.root(0).mean[0]! + 300);
    const drawn = { ...DECODING, classes: bytes, steps: 2, width: 16, classifier: true, class: 0, guidanceScale: 20 };
    assert.notDeepEqual(
      (await resultOf(samplePicture(drawn))).data,
      (await resultOf(samplePicture({ ...drawn, class: 2 }))).data,
    );
    // The same classes and seed, the same file.
    cli.works(...train, '-o', 'again.dcc', '--steps', '12', '--rate', '0.01');
    assert.deepEqual(readFileSync(cli.file('again.dcc')), bytes);
  });

  it('says what is wrong, and writes nothing', () => {
    writeFileSync(cli.file('bad.csv'), 'class,share\n0,1\n');
    const bad = train.map((word) => (word === 'own.csv' ? 'bad.csv' : word));
    cli.fails(1, /bad\.csv is no table of classes/, ...bad, '-o', 'x.dcc');
    cli.fails(2, /--clusters is missing/, 'train', 'classifier', '--data', folder, '-o', 'x.dcc');
    writeFileSync(cli.file('table.dcc'), tinyClassFile(model, { classes: 4 }));
    cli.fails(
      2,
      /the class file has 4 classes, and 3 are/,
      ...train,
      '-o',
      'x.dcc',
      '--table',
      'table.dcc',
      '--steps',
      '1',
    );
    assert.equal(existsSync(cli.file('x.dcc')), false);
  });
});

describe('classes of pictures', () => {
  const rows = Array.from({ length: 12 }, (_, n) =>
    statisticsOf({
      width: REGION,
      height: REGION,
      data: Float32Array.from(pictureOf(n % KINDS, n), (value) => value - 127.5),
    }),
  );

  it('are of what is alike, and a table of them is read as it was written', () => {
    const clusters = clustersOf(rows, KINDS, new Random(1, 1));
    const found = classesOf(clusters, rows);
    for (const [n, own] of found.entries()) assert.equal(own, found[n % KINDS], `picture ${n}`);
    assert.equal(new Set(found).size, KINDS);
    const text = clustersText(clusters, found);
    assert.match(text, /^class,share,luma.*\n0,0\.3333,/);
    assert.deepEqual(classesOf(clustersFrom(text, 'x'), rows), found);
    assert.throws(() => clustersOf(rows.slice(0, 2), 3, new Random(1, 1)), { code: 'E_TRAINING_DATA' });
    // Those of the package have the same columns.
    const own = clustersFrom(readFileSync(new URL('../../models/small-classes.csv', import.meta.url), 'utf8'), 'small');
    assert.deepEqual([own.centres.length, own.mean.length], [32, STATISTICS.length]);
  });

  it('are of regions that lie within their pictures', () => {
    const plane = { width: 320, height: 300, data: new Float32Array(320 * 300 * 3) };
    const photograph = { name: 'x', width: 640, height: 600, rgb: new Uint8Array(640 * 600 * 3), coarser: [plane] };
    const regions = regionsOf([photograph]);
    assert.deepEqual(
      regions.map(({ level, x, y }) => [level, x, y]),
      [...[76, 268].flatMap((y) => [0, 192, 384].map((x) => [0, x, y])), [1, 32, 22]],
    );
  });
});
