/** What is fuzzed of model files and of discrete models. */
import assert from 'node:assert/strict';
import { randomModel } from '../../corpus/random-model.js';
import { tinyDiscreteFile, tinyTables } from '../../corpus/tiny-discrete.js';
import { uNet } from '../../src/model/architecture.js';
import { readDiscreteFile } from '../../src/model/discrete-file.js';
import { readModelFile, writeModelFile } from '../../src/model/integer/model-file.js';
import { writeDiscreteFile } from '../../src/model/write-discrete-file.js';
import { sealedModel } from '../seal.js';
import { errorOf, read, type Target } from '../target.js';

export const model: Target = {
  name: 'model',
  share: 2,
  seeds: () => {
    const [one, two] = [randomModel(uNet([2], 2, 1), 1), randomModel(uNet([2, 2], 1, 2), 2)];
    return [one, two, { ...one, shows: one }, { ...one, shows: two }].map(writeModelFile);
  },
  passes: (bytes) =>
    !['E_NOT_MODEL', 'E_VERSION'].includes(errorOf(() => readModelFile(sealedModel(bytes)))?.code ?? ''),
  run(bytes) {
    read(() => readModelFile(bytes));
    const found = read(() => readModelFile(sealedModel(bytes)));
    if (found !== undefined) assert.deepEqual(readModelFile(writeModelFile(found)).architecture, found.architecture);
  },
};

export const discrete: Target = {
  name: 'discrete',
  share: 1,
  seeds: () => [tinyDiscreteFile(tinyTables(2)), tinyDiscreteFile()],
  passes: (bytes) =>
    !['E_NOT_MODEL', 'E_VERSION'].includes(errorOf(() => readDiscreteFile(sealedModel(bytes)))?.code ?? ''),
  run(bytes) {
    read(() => readDiscreteFile(bytes));
    const found = read(() => readDiscreteFile(sealedModel(bytes)));
    if (found !== undefined) assert.deepEqual(readDiscreteFile(writeDiscreteFile(found, found.network)), found);
  },
};
