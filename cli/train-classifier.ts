/** `dcomp train classifier`: classes of pictures, and a classifier of them for a model (.dcc), for `dcomp sample --classifier`. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import type { Argv } from 'yargs';
import { readModelFile } from '../src/model/integer/model-file.js';
import { loadModel } from '../src/models/read-node.js';
import { CLASS_MODEL } from '../src/models/registry.js';
import type { Clusters } from '../src/train/clusters.js';
import { numberOption, outputFlags, textOption, type RawArgs } from './options.js';
import { progressDisplay } from './progress.js';
import { COUNT, forceOption, required, SEED, stringOption, writeTrained } from './train-options.js';

const DEFAULTS = { classes: 32, steps: 1200, rate: 2e-3, seed: 1 };

export function classifierOptions(yargs: Argv): void {
  stringOption(yargs, 'data', 'Folder of PNG photographs, of at least 256 pixels a side');
  stringOption(yargs, 'model', `Model that it is for: a name or a model file (.dcm)  [default: ${CLASS_MODEL}]`);
  stringOption(yargs, 'clusters', 'Table of the classes (CSV); found in the photographs and written, unless it exists');
  stringOption(yargs, 'classes', `Classes that are found  [default: ${DEFAULTS.classes}]`);
  stringOption(
    yargs,
    'table',
    'Class file of the model: what it tells the network is kept  [default: nothing is told]',
  );
  stringOption(yargs, 'output', 'Class file (.dcc) to write', 'o');
  stringOption(yargs, 'steps', `Steps of training  [default: ${DEFAULTS.steps}]`);
  stringOption(yargs, 'rate', `Peak learning rate  [default: ${DEFAULTS.rate}]`);
  stringOption(yargs, 'seed', `Of the first weights and all examples  [default: ${DEFAULTS.seed}]`);
  forceOption(yargs);
  yargs.example(
    '$0 train classifier --data photos --clusters own.csv -o own.dcc',
    'Then: dcomp sample sky.png --classes own.dcc --class 3 --classifier',
  );
}

/** The classes of a table that exists. @throws DcompError E_TRAINING_DATA */
async function clustersOption(file: string): Promise<Clusters | undefined> {
  if (!existsSync(file)) return undefined;
  const { clustersFrom } = await import('../src/train/clusters.js');
  return clustersFrom(await readFile(file, 'utf8'), file);
}

export async function runClassifier(args: RawArgs): Promise<void> {
  const { quiet } = outputFlags(args);
  const [data, output, table] = [required(args, 'data'), required(args, 'output'), required(args, 'clusters')];
  const { classes: count, ...defaults } = DEFAULTS;
  const settings = {
    steps: numberOption(args, 'steps', COUNT) ?? defaults.steps,
    rate: numberOption(args, 'rate', { min: 1e-7, max: 1, whole: false }) ?? defaults.rate,
    seed: numberOption(args, 'seed', SEED) ?? defaults.seed,
  };
  const wanted = numberOption(args, 'classes', { min: 2, max: 1000, whole: true }) ?? count;
  const kept = textOption(args, 'table');
  const given = await clustersOption(table);
  const model = readModelFile(await loadModel(textOption(args, 'model') ?? CLASS_MODEL));
  const { loadDataset } = await import('../src/train/dataset.js');
  const { makeClassFile } = await import('../src/train/class-file-of.js');
  const { clustersText } = await import('../src/train/clusters.js');
  const bar = progressDisplay('train', quiet);
  const show = (step: number, right: number): void =>
    bar.update?.({
      fraction: step / settings.steps,
      stage: `step ${step} of ${settings.steps}, right ${right.toFixed(3)}`,
    });
  let said = '';
  const produce = async (signal: AbortSignal): Promise<Uint8Array> => {
    const dataset = await loadDataset(data, {
      onProgress: (done, total) => bar.update?.({ fraction: 0, stage: `reading photograph ${done + 1} of ${total}` }),
    });
    const made = await makeClassFile(dataset, {
      ...settings,
      model,
      classes: given ?? wanted,
      ...(kept === undefined ? {} : { table: await readFile(kept) }),
      signal,
      onProgress: show,
    });
    if (given === undefined) await writeFile(table, clustersText(made.clusters, made.classes), { flag: 'wx' });
    said = made.found
      .map(({ level, sigma, right }) => `level ${level}, sigma ${sigma.toFixed(1)}: right ${right.toFixed(3)}\n`)
      .join('');
    return made.bytes;
  };
  await writeTrained(undefined, output, produce, { args, bar, said: () => said });
}
