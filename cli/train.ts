/**
 * `dcomp train`: trains the network; `dcomp train export`: turns a checkpoint into the integer model that ships;
 * `dcomp train compact`: the averaged weights of a checkpoint, for keeping and sharing; `dcomp train grow`: puts it into
 * a larger network; `dcomp train pair`, `dcomp train classifier` and `dcomp train discrete`: see train-pair.ts,
 * train-classifier.ts and train-discrete.ts.
 */
import path from 'node:path';
import type { Argv, CommandModule } from 'yargs';
import { DcompError } from '../src/errors.js';
import {
  DEFAULT_ARCHITECTURE,
  SMALL_ARCHITECTURE,
  flopsPerPixel,
  uNet,
  type Architecture,
  type ConditioningSpec,
} from '../src/model/architecture.js';
import type { TrainProgress } from '../src/train/trainer.js';
import { writeOutput } from '../formats/output.js';
import { flag, numberOption, outputFlags, textOption, type RawArgs } from './options.js';
import { progressDisplay } from './progress.js';
import { note, print } from './report.js';
import { classifierOptions, runClassifier } from './train-classifier.js';
import { discreteOptions, runDiscrete } from './train-discrete.js';
import { pairOptions, runPair } from './train-pair.js';
import { COUNT, forceOption, qualityOption, required, SEED, stringOption } from './train-options.js';
import { defined } from '../src/options.js';

/** Options of training alone: `global: false` keeps them from the subcommands. */
const OPTIONS: Record<string, { describe: string; boolean?: boolean }> = {
  data: { describe: 'Folder of PNG photographs' },
  checkpoint: { describe: 'Checkpoint file; goes on from there if it exists' },
  log: { describe: 'CSV log, a line a validation  [default: train-log.csv beside the checkpoint]' },
  steps: { describe: 'Step at which training ends  [default: 40000]' },
  start: { describe: 'Step at which the learning rate begins anew: a restart  [default: 0]' },
  rate: { describe: 'Peak learning rate  [default: 0.001]' },
  seed: { describe: 'Of the first weights and all examples  [default: 1]' },
  architecture: { describe: 'small or large  [default: small]' },
  channels: { describe: 'Channels of the U-Net by scale, such as 32,64,56,48, in place of --architecture' },
  blocks: { describe: 'Residual blocks by scale, each way, at the last in all  [default: 1,…,1,2]' },
  'validate-every': { describe: 'Steps between validations  [default: 1000]' },
  'save-every': { describe: 'Seconds between checkpoints  [default: 240]' },
  float32: { describe: 'Never compute in bfloat16', boolean: true },
  backend: { describe: 'native or javascript  [default: native where it is set up]' },
};

export const trainCommand: CommandModule<object, RawArgs> = {
  command: 'train',
  describe: 'Train the network on a folder of PNG photographs',
  builder: (yargs) => {
    for (const [name, { describe, boolean }] of Object.entries(OPTIONS)) {
      if (boolean === true) yargs.option(name, { type: 'boolean', describe, global: false });
      else stringOption(yargs, name, describe);
    }
    return yargs
      .example('$0 train --data photos --checkpoint run.ckpt', 'Begins, or goes on where it was')
      .example('$0 train export --checkpoint run.ckpt --data photos -o own.dcm', 'The model that it has come to')
      .command(
        'export',
        'Make the model file (.dcm) of a checkpoint and measure what quantisation costs',
        exportOptions,
        runExport,
      )
      .command(
        'compact',
        'Write the averaged weights of a checkpoint with 16 bits a number, for keeping and sharing',
        compactOptions,
        runCompact,
      )
      .command(
        'grow',
        'Put a trained network into a larger one that computes the same, to train that on',
        growOptions,
        runGrow,
      )
      .command(
        'pair',
        'Put model files together: another network shows, or measures coarse levels',
        pairOptions,
        runPair,
      )
      .command(
        'classifier',
        'Train a classifier of pictures for a model: a class file (.dcc) for sample --classifier',
        classifierOptions,
        runClassifier,
      )
      .command(
        'discrete',
        'Make the file (.dcd) of a discrete model, for sample --discrete',
        discreteOptions,
        runDiscrete,
      );
  },
  handler: runTraining,
};

function exportOptions(yargs: Argv): void {
  stringOption(yargs, 'checkpoint', 'Checkpoint file');
  stringOption(yargs, 'data', 'Folder of PNG photographs that it was trained on');
  stringOption(yargs, 'output', 'Model file to write', 'o');
  stringOption(yargs, 'report', 'JSON file for the figures');
  stringOption(
    yargs,
    'quality',
    'Pairs quality:code, as 10:168,50:150,100:64: where files of a quality end  [default: table of the codec]',
  );
  yargs.option('straight', {
    type: 'boolean',
    describe: 'Its files measure every level straight  [default: where the network is not told sigma]',
  });
  stringOption(yargs, 'path', 'Id of the model whose files it shows  [default: it codes its own]');
  yargs.option('coarse', {
    type: 'boolean',
    describe: "It measures levels ≥ 1 of another model's files alone",
    conflicts: 'path',
  });
  stringOption(yargs, 'coarseness', 'Of the weights, 16 to 256; twice as coarse saves a bit each  [default: 128]');
  stringOption(yargs, 'threads', 'Threads of the integer network  [default: all cores]');
  forceOption(yargs);
}

function compactOptions(yargs: Argv): void {
  stringOption(yargs, 'checkpoint', 'Checkpoint file');
  stringOption(yargs, 'output', 'Checkpoint to write', 'o');
  forceOption(yargs);
}

function growOptions(yargs: Argv): void {
  compactOptions(yargs);
  for (const name of ['channels', 'blocks']) stringOption(yargs, name, OPTIONS[name]!.describe);
}

/**
 * @param conditioning of a U-Net with --channels
 * @throws DcompError E_USAGE
 */
function architectureOption(args: RawArgs, conditioning: ConditioningSpec): Architecture {
  const text = textOption(args, 'channels');
  if (text === undefined) return namedArchitecture(textOption(args, 'architecture') ?? 'small');
  const channels = wholeNumbers(text);
  if (channels.length > 8 || channels.some((c) => !Number.isInteger(c) || c < 8 || c > 1024 || c % 8 !== 0)) {
    throw new DcompError(
      'E_USAGE',
      `--channels is ${text}; it must be up to 8 multiples of 8 up to 1024, separated by commas, such as 64,96,128,128`,
    );
  }
  const { hidden, levels, ...told } = conditioning;
  const blocksText = textOption(args, 'blocks');
  if (blocksText === undefined) return uNet(channels, hidden, levels, undefined, told);
  const blocks = wholeNumbers(blocksText);
  if (blocks.length !== channels.length || blocks.some((n) => !Number.isInteger(n) || n < 1 || n > 16)) {
    throw new DcompError(
      'E_USAGE',
      `--blocks is ${blocksText}; it must be ${channels.length} numbers from 1 to 16, one for each of --channels, separated by commas`,
    );
  }
  return uNet(channels, hidden, levels, blocks, told);
}

/** @throws DcompError E_USAGE */
function namedArchitecture(name: string): Architecture {
  if (name === 'small') return SMALL_ARCHITECTURE;
  if (name === 'large') return DEFAULT_ARCHITECTURE;
  throw new DcompError('E_USAGE', `--architecture is ${name}; it must be small or large, or else give --channels`);
}

/** NaN for what is none. */
function wholeNumbers(text: string): number[] {
  return text.split(',').map((word) => (/^\d{1,4}$/.test(word) ? Number(word) : NaN));
}

function backendOption(args: RawArgs): 'native' | 'javascript' | undefined {
  const backend = textOption(args, 'backend');
  if (backend === undefined || backend === 'native' || backend === 'javascript') return backend;
  throw new DcompError('E_USAGE', `--backend is ${backend}; it must be native or javascript`);
}

/** TensorFlow is optional, so what needs it is loaded late. */
async function loadTraining(): Promise<
  Pick<typeof import('../src/train/backend.js'), 'startBackend'> &
    Pick<typeof import('../src/train/trainer.js'), 'train'>
> {
  try {
    const { startBackend } = await import('../src/train/backend.js');
    const { train } = await import('../src/train/trainer.js');
    return { startBackend, train };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new DcompError(
      'E_MISSING_DEPENDENCY',
      'training needs TensorFlow: run `npm install @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-backend-cpu@4.22.0`',
      { cause },
    );
  }
}

async function runTraining(args: RawArgs): Promise<void> {
  const { quiet } = outputFlags(args);
  const checkpoint = required(args, 'checkpoint');
  const settings = {
    data: required(args, 'data'),
    checkpoint,
    log: textOption(args, 'log') ?? path.join(path.dirname(checkpoint), 'train-log.csv'),
    architecture: architectureOption(args, SMALL_ARCHITECTURE.conditioning),
    steps: numberOption(args, 'steps', COUNT) ?? 40000,
    startStep: numberOption(args, 'start', { ...COUNT, min: 0 }) ?? 0,
    rate: numberOption(args, 'rate', { min: 1e-7, max: 1, whole: false }) ?? 1e-3,
    seed: numberOption(args, 'seed', SEED) ?? 1,
    validateEvery: numberOption(args, 'validate-every', COUNT) ?? 1000,
    saveEvery: numberOption(args, 'save-every', { min: 1, max: 1e6, whole: false }) ?? 240,
    mixed: !flag(args, 'float32'),
  };
  if (settings.startStep >= settings.steps) {
    throw new DcompError(
      'E_USAGE',
      `--start is ${settings.startStep}; it must be less than --steps, ${settings.steps}`,
    );
  }
  const backendName = backendOption(args);
  const { startBackend, train } = await loadTraining();
  const backend = await startBackend(backendName);
  if (backend.notice !== undefined && !quiet) note(backend.notice);
  const abort = new AbortController();
  const stop = (): void => abort.abort(); // the loop saves and ends after its step
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const show = trainDisplay(quiet);
  try {
    await train({ ...settings, signal: abort.signal, onLoad: show.loading, onProgress: show.update });
  } finally {
    show.stop();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
  if (!quiet)
    note(
      abort.signal.aborted
        ? `stopped; ${checkpoint} holds the last step, the same command goes on`
        : `${checkpoint}: trained`,
    );
}

/** Seconds between the lines that stand for the bar where there is no terminal. */
const LINE_EVERY = 60;

/** A bar on a terminal, a line now and then elsewhere; validations are lines on stdout in either case. */
function trainDisplay(quiet: boolean): {
  loading: (done: number, total: number) => void;
  update: (progress: TrainProgress) => void;
  stop: () => void;
} {
  const bar = progressDisplay('train', quiet);
  let lastLine = -Infinity;
  const update = (progress: TrainProgress): void => {
    const { step, steps, speed, loss, validation: v } = progress;
    const left = speed > 0 ? `, ${Math.ceil((steps - step) / speed / 60)} min left` : '';
    const stage = `step ${step} of ${steps}, ${speed.toFixed(2)} steps/s${left}, loss ${loss.toFixed(4)}`;
    if (v !== undefined) {
      if (quiet) return;
      const bits = `${v.total.toFixed(4)} bits per pixel (coarse ${v.coarse.toFixed(4)}, enter ${v.enter.toFixed(4)}, refine ${v.refine.toFixed(4)}), straight ${v.straight8.toFixed(4)}`;
      print(
        `step ${step}: ${bits}, PSNR at sigma 45, 16, 8: ${v.psnr45.toFixed(2)}, ${v.psnr16.toFixed(2)}, ${v.psnr8.toFixed(2)} dB\n`,
      );
    } else if (bar.update !== undefined) bar.update({ fraction: step / steps, stage });
    else if (!quiet && performance.now() - lastLine > 1000 * LINE_EVERY) {
      lastLine = performance.now();
      note(stage);
    }
  };
  const loading = (done: number, total: number): void =>
    bar.update?.({ fraction: 0, stage: `reading photograph ${done + 1} of ${total}` });
  return { loading, update, stop: bar.stop };
}

/** Photographs that are read for the calibration; those of the validation part come on top. */
const EXPORT_PHOTOGRAPHS = 60;

async function runExport(args: RawArgs): Promise<void> {
  const { quiet } = outputFlags(args);
  const checkpoint = required(args, 'checkpoint');
  const data = required(args, 'data');
  const output = required(args, 'output');
  const reportFile = textOption(args, 'report');
  const threads = numberOption(args, 'threads', { min: 1, max: 256, whole: true });
  const { LEAST_COARSENESS: min, MOST_COARSENESS: max } = await import('../src/model/integer/quantise.js');
  const coarseness = numberOption(args, 'coarseness', { min, max, whole: false });
  const quality = qualityOption(args);
  const path = textOption(args, 'path');
  const replace = flag(args, 'force');
  const { readCheckpoint } = await import('../src/train/checkpoint.js');
  const { loadDataset } = await import('../src/train/dataset.js');
  const { exportModel, reportText } = await import('../src/train/export.js');
  const bar = progressDisplay('export', quiet);
  try {
    const state = await readCheckpoint(checkpoint);
    const dataset = await loadDataset(data, {
      trainingLimit: EXPORT_PHOTOGRAPHS,
      onProgress: (done, total) => bar.update?.({ fraction: (0.1 * done) / total, stage: 'reading photographs' }),
    });
    let text = '';
    let json = '';
    const produce = async (): Promise<Uint8Array> => {
      const { bytes, report } = await exportModel(state, dataset, {
        ...defined({ threads, quality, coarseness }),
        ...(typeof args.straight === 'boolean' ? { straight: args.straight } : {}),
        ...defined({ path, coarse: flag(args, 'coarse') || undefined }),
        onProgress: (fraction, stage) => bar.update?.({ fraction: 0.1 + 0.9 * fraction, stage }),
      });
      json = JSON.stringify(report, undefined, 2) + '\n';
      text = reportText(report);
      return bytes;
    };
    const make = (): Promise<number> => writeOutput(checkpoint, output, produce, { replace });
    const makeReport = async (): Promise<Uint8Array> => {
      await make();
      return new TextEncoder().encode(json);
    };
    await (reportFile === undefined ? make() : writeOutput(checkpoint, reportFile, makeReport, { replace }));
    bar.stop();
    if (!quiet) print(`${text}\n`);
  } finally {
    bar.stop();
  }
}

async function runCompact(args: RawArgs): Promise<void> {
  const { quiet } = outputFlags(args);
  const checkpoint = required(args, 'checkpoint');
  const output = required(args, 'output');
  const { checkpointBytes, readCheckpoint } = await import('../src/train/checkpoint.js');
  const produce = async (): Promise<Uint8Array> => checkpointBytes(await readCheckpoint(checkpoint), true);
  const size = await writeOutput(checkpoint, output, produce, { replace: flag(args, 'force') });
  if (!quiet) note(`${output}: ${size} bytes`);
}

async function runGrow(args: RawArgs): Promise<void> {
  const { quiet } = outputFlags(args);
  const checkpoint = required(args, 'checkpoint');
  const output = required(args, 'output');
  required(args, 'channels');
  const { checkpointBytes, parameterCount, readCheckpoint } = await import('../src/train/checkpoint.js');
  const { grow } = await import('../src/train/grow.js');
  const state = await readCheckpoint(checkpoint);
  const architecture = architectureOption(args, state.architecture.conditioning);
  const produce = async (): Promise<Uint8Array> => checkpointBytes(grow(state, architecture), false);
  await writeOutput(checkpoint, output, produce, { replace: flag(args, 'force') });
  if (!quiet)
    note(
      `${output}: ${architecture.name}, ${parameterCount(architecture)} parameters, ${Math.round(flopsPerPixel(architecture) / 1000)} kFLOP per pixel and evaluation`,
    );
}
