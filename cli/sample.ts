/** `dcomp sample OUT` */
import type { Argv } from 'yargs';
import { resultOf, samplePicture, type ModelOptions, type SampleOptions } from '../src/diffusion-node.js';
import { DcompError } from '../src/errors.js';
import type { Picture } from '../src/picture.js';
import { outputName, readInput } from '../formats/files.js';
import { writeOutput } from '../formats/output.js';
import { writePicture } from '../formats/write.js';
import { DEFAULT_SIDE, LEAST_SIDE } from '../src/restore/sample-picture.js';
import { fileArgument, flag, textOption, type RawArgs } from './options.js';
import { progressDisplay } from './progress.js';
import { note } from './report.js';
import { restoreArgs, restoreOptions, type RestoreArgs } from './restore/options.js';
import { outputFormat, writeAnswers } from './restore/run.js';

export function builder(yargs: Argv): void {
  yargs
    .positional('output', { type: 'string', describe: 'Picture, or - for stdout' })
    .option('size', { type: 'string', requiresArg: true, describe: `WxH pixels, or W  [default: ${DEFAULT_SIDE}]` })
    .option('grid', { type: 'boolean', describe: 'All --count pictures in one, side by side' })
    .option('grey', { type: 'boolean', describe: 'Without colour' })
    .option('discrete', { type: 'boolean', describe: 'The coarse part in tokens, by a discrete model' })
    .option('discrete-model', { type: 'string', requiresArg: true, describe: 'File (.dcd) of another one' });
  restoreOptions(yargs, 'ancestral', 'count');
  yargs
    .example('$0 sample picture.png', 'A picture that the model makes up')
    .example('$0 sample sheet.png --count 16 --grid --size 128', 'Sixteen of them on a sheet')
    .example('$0 sample sky.png --discrete --class 18', 'The coarse part drawn in tokens')
    .example('$0 sample picture.png --seed 7 --film film.webp', 'How it comes about');
}

export async function run(args: RawArgs): Promise<void> {
  const output = fileArgument(args, 'output')!;
  const common = restoreArgs(args, 'ancestral', 'count');
  const own: SampleOptions = {
    ...{ ...sizeOf(args), ...discreteOf(args) },
    ...(flag(args, 'grey') ? { channels: 1 } : {}),
  };
  const format = outputFormat(args, output);
  if (!flag(args, 'grid'))
    return writeAnswers('sample', undefined, output, format, common, (options) =>
      samplePicture({ ...options, ...own }),
    );
  if (common.film !== undefined) throw new DcompError('E_USAGE', '--film is of one picture; leave out --grid');
  const produce = async (signal: AbortSignal): Promise<Uint8Array> =>
    (await writePicture(await sheetOf(common, { ...common.options, ...own, signal }), format)).bytes;
  await writeOutput(undefined, output, produce, { replace: common.force });
  if (!common.quiet) note(`${outputName(output)}: ${common.count === 1 ? '1 picture' : `${common.count} pictures`}`);
}

/** @throws DcompError E_USAGE */
function sizeOf(args: RawArgs): { width?: number; height?: number } {
  const text = textOption(args, 'size');
  if (text === undefined) return {};
  const [, width, height = width] = /^(\d{1,5})(?:x(\d{1,5}))?$/i.exec(text) ?? [];
  if (width === undefined || Math.min(Number(width), Number(height)) < LEAST_SIDE)
    throw new DcompError('E_USAGE', `--size is ${text}; it must be WxH or W, in pixels from ${LEAST_SIDE} on`);
  return { width: Number(width), height: Number(height) };
}

/** @throws DcompError E_USAGE, E_IO */
function discreteOf(args: RawArgs): Pick<SampleOptions, 'discrete'> {
  const file = textOption(args, 'discrete-model');
  if (file !== undefined && args['discrete'] === false)
    throw new DcompError('E_USAGE', '--discrete-model and --no-discrete contradict each other; give one of them');
  if (file !== undefined) return { discrete: readInput(file) };
  return flag(args, 'discrete') ? { discrete: true } : {};
}

/** Pixels between the pictures of a sheet. */
const GAP = 2;

/** The pictures of seeds that follow one another, in rows. */
async function sheetOf({ count, quiet }: RestoreArgs, options: SampleOptions & ModelOptions): Promise<Picture> {
  const columns = Math.ceil(Math.sqrt(count));
  const rows = Math.ceil(count / columns);
  const display = progressDisplay('sample', quiet);
  let sheet: Picture | undefined;
  try {
    for (let k = 0; k < count; k++) {
      const picture = await resultOf(samplePicture({ ...options, seed: ((options.seed ?? 0) + k) % 2 ** 32 }));
      const { width, height, channels } = picture;
      const across = columns * (width + GAP) - GAP;
      const down = rows * (height + GAP) - GAP;
      sheet ??= { width: across, height: down, channels, data: new Uint8Array(across * down * channels).fill(255) };
      const [x, y] = [(k % columns) * (width + GAP), Math.floor(k / columns) * (height + GAP)];
      for (let row = 0; row < height; row++)
        sheet.data.set(
          picture.data.subarray(row * width * channels, (row + 1) * width * channels),
          ((y + row) * across + x) * channels,
        );
      display.update?.({ fraction: (k + 1) / count, stage: `${k + 1} of ${count}` });
    }
  } finally {
    display.stop();
  }
  return sheet!;
}
