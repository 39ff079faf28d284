/** `dcomp upscale IN OUT --factor 2|4` */
import type { Argv } from 'yargs';
import { FACTORS, upscalePicture } from '../src/diffusion-node.js';
import { DcompError } from '../src/errors.js';
import { fileArgument, textOption, type RawArgs } from './options.js';
import { readGiven } from './restore/input.js';
import { restoreArgs, restoreOptions } from './restore/options.js';
import { outputFormat, writeAnswers } from './restore/run.js';

export function builder(yargs: Argv): void {
  yargs
    .positional('input', { type: 'string', describe: 'Picture, or - for stdin' })
    .positional('output', { type: 'string', describe: 'Larger picture, or - for stdout' })
    .option('factor', {
      type: 'string',
      requiresArg: true,
      describe: 'How many times as wide and high: 2 or 4  [default: 2]',
    });
  restoreOptions(yargs, 'mean', 'samples');
  yargs
    .example('$0 upscale small.png large.png', 'Twice as wide and high, the best guess')
    .example('$0 upscale small.png large.png --factor 4 --sampler heun', 'Four times, with details that are drawn');
}

export async function run(args: RawArgs): Promise<void> {
  const [input, output] = [fileArgument(args, 'input')!, fileArgument(args, 'output')!];
  const common = restoreArgs(args, 'mean', 'samples');
  const text = textOption(args, 'factor') ?? '2';
  const factor = FACTORS.find((each) => text === String(each));
  if (factor === undefined) throw new DcompError('E_USAGE', `--factor is ${text}; it must be 2 or 4`);
  const format = outputFormat(args, output);
  const picture = await readGiven(input, common.quiet, common.options.maxPixels);
  await writeAnswers('upscale', input, output, format, common, (options) =>
    upscalePicture(picture, { ...options, factor }),
  );
}
