/** `dcomp encode IN.png [OUT.dcz]` */
import type { Argv } from 'yargs';
import { DcompError } from '../src/errors.js';
import { DEFAULT_EFFORT, DEFAULT_QUALITY, encode, type EncodeResult, type Target } from '../src/node.js';
import { about } from './errors.js';
import { defaultOutput, readInput, writeOutput } from './files.js';
import { commonOptions, engineOptions, fileArgument, maxPixelsOption, numberOption, requiredFile, sizeOption, type NumberRule, type RawArgs } from './options.js';
import { readPng } from './png.js';
import { progressDisplay } from './progress.js';
import { note, reportFigures } from './report.js';

/** The four ways to say how much the picture may cost; exactly one of them counts. */
const TARGETS: { name: string; rule: NumberRule; make: (value: number) => Target }[] = [
  { name: 'quality', rule: { min: 1, max: 100, whole: false }, make: (quality) => ({ quality }) },
  { name: 'bpp', rule: { min: 0.001, max: 24, whole: false }, make: (bitsPerPixel) => ({ bitsPerPixel }) },
  { name: 'size', rule: { min: 1, max: Number.MAX_SAFE_INTEGER, whole: true }, make: (size) => ({ size }) },
  { name: 'psnr', rule: { min: 5, max: 100, whole: false }, make: (psnr) => ({ psnr }) },
];

export function builder(yargs: Argv): void {
  yargs
    .positional('input', { type: 'string', describe: 'PNG picture' })
    .positional('output', { type: 'string', describe: 'File to write  [default: the input with .dcz]' })
    .option('quality', { alias: 'q', type: 'string', requiresArg: true, describe: `Quality 1 to 100  [default: ${DEFAULT_QUALITY}]` })
    .option('bpp', { type: 'string', requiresArg: true, describe: 'Or: bits per pixel, not to be exceeded' })
    .option('size', { type: 'string', requiresArg: true, describe: 'Or: bytes, not to be exceeded' })
    .option('psnr', { type: 'string', requiresArg: true, describe: 'Or: PSNR in dB, to be reached' })
    .option('effort', { type: 'string', requiresArg: true, describe: `Encoder's search, 1 (quick) to 9 (small file)  [default: ${DEFAULT_EFFORT}]` });
  sizeOption(yargs);
  engineOptions(yargs);
}

/** @throws DcompError E_USAGE if more than one target is given */
export function chooseTarget(args: RawArgs): Target {
  const given = TARGETS.flatMap(({ name, rule, make }) => {
    const value = numberOption(args, name, rule);
    return value === undefined ? [] : [{ name, target: make(value) }];
  });
  if (given.length > 1) {
    throw new DcompError('E_USAGE', `${given.map(({ name }) => `--${name}`).join(' and ')} contradict each other; give one of them`);
  }
  return given[0]?.target ?? { quality: DEFAULT_QUALITY };
}

export async function run(args: RawArgs): Promise<void> {
  const input = requiredFile(args, 'input');
  const output = fileArgument(args, 'output') ?? defaultOutput(input, '.dcz');
  const target = chooseTarget(args);
  const effort = numberOption(args, 'effort', { min: 1, max: 9, whole: true });
  const maxPixels = maxPixelsOption(args);
  const { threads, model, verbose, quiet } = commonOptions(args);

  const bytes = readInput(input);
  const progress = progressDisplay('encode', quiet);
  try {
    const started = performance.now();
    let figures: Omit<EncodeResult, 'bytes'> | undefined;
    const size = await writeOutput(input, output, async (signal) => {
      try {
        const { picture, notices } = readPng(bytes, maxPixels);
        if (!quiet) for (const notice of notices) note(`${input}: ${notice}`);
        const result = await encode(picture, {
          target,
          threads,
          signal,
          ...(effort === undefined ? {} : { effort }),
          ...(model === undefined ? {} : { model }),
          ...(progress.update === undefined ? {} : { onProgress: progress.update }),
        });
        const { bytes: coded, ...rest } = result;
        figures = rest;
        return coded;
      } catch (error) {
        throw about(input, error);
      }
    });
    progress.stop();
    if (!quiet && figures !== undefined) note(`${output}: ${size} bytes, ${figures.bitsPerPixel.toFixed(3)} bits per pixel`);
    if (verbose) reportFigures({ ...figures, seconds: (performance.now() - started) / 1000 });
  } finally {
    progress.stop();
  }
}
