/** `dcomp decode IN.dcz [OUT.png]` */
import type { Argv } from 'yargs';
import { decode, type DecodeResult } from '../src/node.js';
import { about } from './errors.js';
import { defaultOutput, readInput, writeOutput } from './files.js';
import { commonOptions, engineOptions, fileArgument, flag, maxPixelsOption, numberOption, requiredFile, sizeOption, type RawArgs } from './options.js';
import { writePng } from './png.js';
import { progressDisplay } from './progress.js';
import { note, reportFigures } from './report.js';

export function builder(yargs: Argv): void {
  yargs
    .positional('input', { type: 'string', describe: '.dcz file' })
    .positional('output', { type: 'string', describe: 'PNG to write  [default: the input with .png]' })
    .option('bytes', { type: 'string', requiresArg: true, describe: 'Use only this many bytes of the file: a coarser picture' })
    .option('allow-damaged', { type: 'boolean', describe: 'Decode around damaged segments and say so, in place of failing' });
  sizeOption(yargs);
  engineOptions(yargs);
}

export async function run(args: RawArgs): Promise<void> {
  const input = requiredFile(args, 'input');
  const output = fileArgument(args, 'output') ?? defaultOutput(input, '.png');
  const maxBytes = numberOption(args, 'bytes', { min: 1, max: Number.MAX_SAFE_INTEGER, whole: true });
  const allowDamaged = flag(args, 'allow-damaged');
  const maxPixels = maxPixelsOption(args);
  const { threads, model, verbose, quiet } = commonOptions(args);

  const bytes = readInput(input);
  const progress = progressDisplay('decode', quiet);
  const damages: string[] = [];
  try {
    const started = performance.now();
    let figures: Omit<DecodeResult, 'data'> | undefined;
    await writeOutput(input, output, async (signal) => {
      try {
        const picture = await decode(bytes, {
          allowDamaged,
          maxPixels,
          threads,
          signal,
          onDamage: (message) => damages.push(message),
          ...(maxBytes === undefined ? {} : { maxBytes }),
          ...(model === undefined ? {} : { model }),
          ...(progress.update === undefined ? {} : { onProgress: progress.update }),
        });
        const { data: _data, ...rest } = picture;
        figures = rest;
        return writePng(picture);
      } catch (error) {
        throw about(input, error);
      }
    });
    progress.stop();
    // Damage is told even with --quiet: the picture is not what was encoded.
    for (const message of damages) note(`${input}: ${message}`);
    if (!quiet && figures !== undefined) note(`${output}: ${figures.width}×${figures.height} pixels`);
    if (verbose) reportFigures({ ...figures, seconds: (performance.now() - started) / 1000 });
  } finally {
    progress.stop();
  }
}
