/** `dcomp train`: trains the network; `dcomp train export`: turns a checkpoint into the integer model that ships. */
import path from 'node:path';
import type { CommandModule } from 'yargs';
import { DcompError } from '../src/errors.js';
import { uNet } from '../src/model/architecture.js';

interface TrainArguments {
  data: string;
  checkpoint: string;
  log: string | undefined;
  steps: number;
  start: number;
  rate: number;
  seed: number;
  channels: string;
  validateEvery: number;
  saveEvery: number;
  mixed: boolean;
  backend: 'native' | 'javascript' | undefined;
}

export const trainCommand: CommandModule<object, TrainArguments> = {
  command: 'train',
  describe: 'Train the network on a folder of PNG photographs',
  builder: (y) =>
    y
      .option('data', { type: 'string', demandOption: true, describe: 'folder of PNG photographs' })
      .option('checkpoint', { type: 'string', demandOption: true, describe: 'checkpoint file; resumed when it exists' })
      .option('log', { type: 'string', describe: 'CSV log (default: beside the checkpoint)' })
      .option('steps', { type: 'number', default: 40000, describe: 'step at which training ends' })
      .option('start', { type: 'number', default: 0, describe: 'step at which the learning-rate cosine begins (a restart)' })
      .option('rate', { type: 'number', default: 1e-3, describe: 'peak learning rate' })
      .option('seed', { type: 'number', default: 1 })
      .option('channels', { type: 'string', default: '64,96,128,128', describe: 'channels of the U-Net by scale' })
      .option('validate-every', { type: 'number', default: 1000, describe: 'steps between validations' })
      .option('save-every', { type: 'number', default: 240, describe: 'seconds between checkpoints' })
      .option('mixed', { type: 'boolean', default: true, describe: 'bfloat16 convolutions on the native backend' })
      .option('backend', { choices: ['native', 'javascript'] as const, describe: 'default: native where it is set up' }) as never,
  handler: async (args) => {
    const channels = args.channels.split(',').map(Number);
    if (channels.some((c) => !Number.isInteger(c) || c < 8 || c % 8 !== 0)) {
      throw new DcompError('E_USAGE', `--channels ${args.channels}: give multiples of 8, separated by commas, such as 64,96,128,128`);
    }
    const { startBackend } = await import('../src/train/backend.js');
    const { train } = await import('../src/train/trainer.js');
    const backend = await startBackend(args.backend);
    if (backend.notice !== undefined) process.stderr.write(`dcomp: ${backend.notice}\n`);
    const abort = new AbortController();
    process.once('SIGINT', () => abort.abort());
    process.once('SIGTERM', () => abort.abort());
    const started = Date.now();
    await train({
      data: args.data,
      checkpoint: args.checkpoint,
      log: args.log ?? path.join(path.dirname(args.checkpoint), 'train-log.csv'),
      architecture: uNet(channels),
      steps: args.steps,
      startStep: args.start,
      rate: args.rate,
      seed: args.seed,
      validateEvery: args.validateEvery,
      saveEvery: args.saveEvery,
      mixed: args.mixed,
      signal: abort.signal,
      onProgress: ({ step, steps, speed, loss, validation }) => {
        const left = (steps - step) / speed / 60;
        const line = `step ${step}/${steps}  ${speed.toFixed(2)}/s  ${left.toFixed(0)} min left  loss ${loss.toFixed(4)}`;
        if (validation !== undefined) {
          const v = validation;
          const bits = `${v.total.toFixed(4)} bpp (coarse ${v.coarse.toFixed(4)}, enter ${v.enter.toFixed(4)}, refine ${v.refine.toFixed(4)})`;
          process.stdout.write(`${line}  validation ${bits}, PSNR at 45/16/8: ${v.psnr45.toFixed(2)} ${v.psnr16.toFixed(2)} ${v.psnr8.toFixed(2)}\n`);
        } else if (process.stderr.isTTY) process.stderr.write(`\r${line}  `);
        else if (step % 200 === 0) process.stderr.write(`${line} at ${((Date.now() - started) / 1000).toFixed(0)} s\n`);
      },
    });
  },
};
