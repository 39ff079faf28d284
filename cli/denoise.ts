/** `dcomp denoise IN OUT` */
import type { Argv } from 'yargs';
import { denoisePicture, estimateSigma } from '../src/diffusion-node.js';
import { SIGMA_RANGE } from '../src/restore/denoise-picture.js';
import { fileArgument, numberOption, type RawArgs } from './options.js';
import { note } from './report.js';
import { readGiven } from './restore/input.js';
import { restoreArgs, restoreOptions } from './restore/options.js';
import { outputFormat, writeAnswers } from './restore/run.js';

const [LEAST, MOST] = SIGMA_RANGE;

export function builder(yargs: Argv): void {
  yargs
    .positional('input', { type: 'string', describe: 'Picture, or - for stdin' })
    .positional('output', { type: 'string', describe: 'Picture without the noise, or - for stdout' })
    .option('sigma', {
      type: 'string',
      requiresArg: true,
      describe: `Noise of a sample, in units of 8 bits, ${LEAST} to ${MOST}  [default: estimated]`,
    });
  restoreOptions(yargs, 'mean', 'samples');
  yargs
    .example('$0 denoise night.png clean.png', 'The best guess; how much noise there is, is estimated')
    .example('$0 denoise night.png clean.png --sigma 25', 'Noise of 25 steps of 256')
    .example('$0 denoise night.png clean.png --samples 4', 'Four of the pictures that it may have been');
}

export async function run(args: RawArgs): Promise<void> {
  const [input, output] = [fileArgument(args, 'input')!, fileArgument(args, 'output')!];
  const common = restoreArgs(args, 'mean', 'samples');
  const given = numberOption(args, 'sigma', { min: LEAST, max: MOST, whole: false });
  const format = outputFormat(args, output);
  const picture = await readGiven(input, common.quiet, common.options.maxPixels);
  const sigma = given ?? (await estimateSigma(picture));
  if (given === undefined && !common.quiet)
    note(
      sigma < LEAST
        ? 'no noise is found; the picture is left as it is (--sigma says that there is some)'
        : `noise estimated at sigma ${sigma.toFixed(1)} (--sigma to say it)`,
    );
  await writeAnswers('denoise', input, output, format, common, (options) =>
    denoisePicture(picture, { ...options, ...(sigma < LEAST ? {} : { sigma: Math.min(MOST, sigma) }) }),
  );
}
