/** Options that `denoise`, `upscale`, `inpaint` and `sample` share. */
import { CLASS_MODEL, THOROUGH_MODEL } from '../../src/models/registry.js';
import type { Argv } from 'yargs';
import { SAMPLERS, type Manner, type ModelOptions, type RestoreOptions } from '../../src/diffusion-node.js';
import { DEFAULT_STEPS, MAX_GUIDANCE, MAX_STEPS, MAX_TEMPERATURE } from '../../src/restore/restore-options.js';
import { DcompError } from '../../src/errors.js';
import { VIEWS } from '../../src/diffusion/schedule.js';
import { readInput } from '../../formats/files.js';
import {
  commonOptions,
  engineOptions,
  flag,
  maxPixelsOption,
  numberOption,
  sizeOption,
  textOption,
  type RawArgs,
} from '../options.js';

/** Most answers of one call. */
const MAX_SAMPLES = 1000;

/** Declares them. @param byDefault what is made without --sampler and --mean */
export function restoreOptions(yargs: Argv, byDefault: Manner, many: 'samples' | 'count'): void {
  const value = { type: 'string', requiresArg: true } as const;
  yargs
    .option('sampler', {
      ...value,
      describe: `${SAMPLERS.join(', ')}, or mean  [default: ${byDefault === 'mean' ? 'mean; ancestral with --samples' : byDefault}]`,
    })
    .option('mean', { type: 'boolean', describe: 'The best guess, as --sampler mean' })
    .option('steps', { ...value, describe: `Steps of the sampler at the full size  [default: ${DEFAULT_STEPS}]` })
    .option('seed', { ...value, describe: 'What noise is drawn from; the same gives the same  [default: 0]' })
    .option(many, {
      ...value,
      describe: 'Several answers, from this seed on and the next ones: OUT-1.png, OUT-2.png, …  [default: 1]',
    })
    .option('temperature', { ...value, describe: `Scale of all noise, 0 to ${MAX_TEMPERATURE}  [default: 1]` })
    .option('class', {
      ...value,
      describe: 'Class of pictures that is wanted: 0 to 31 of the model small, which is then the default',
    })
    .option('classes', { ...value, describe: 'Class file (.dcc) of a --model that is not of the package' })
    .option('guidance-scale', { ...value, describe: 'How much the class counts; 0 not at all  [default: 1]' })
    .option('classifier', { type: 'boolean', describe: 'Guide to the class by a classifier' })
    .option('views', {
      ...value,
      describe: 'Evaluations that a guess is the mean of: 1, 2 or 4  [default: 2 for mean]',
    })
    .option('film', {
      ...value,
      describe: 'How it came about: an animated .webp, or a .png with all states side by side',
    })
    .option('force', { alias: 'f', type: 'boolean', describe: 'Replace outputs that exist' })
    .option('format', {
      ...value,
      describe: "Of the output: png, jpeg, webp, avif, tiff  [default: by the output's name]",
    });
  sizeOption(yargs);
  engineOptions(yargs, `${THOROUGH_MODEL}; ${CLASS_MODEL} with --class`);
}

/** What they say. */
export interface RestoreArgs {
  options: RestoreOptions & ModelOptions;
  /** How many answers. */
  count: number;
  film: string | undefined;
  force: boolean;
  quiet: boolean;
  verbose: boolean;
}

/** @throws DcompError E_USAGE, E_IO */
export function restoreArgs(args: RawArgs, byDefault: Manner, many: 'samples' | 'count'): RestoreArgs {
  const { threads, engine, model, quiet, verbose } = commonOptions(args);
  const whole = (name: string, min: number, max: number): number | undefined =>
    numberOption(args, name, { min, max, whole: true });
  const count = whole(many, 1, MAX_SAMPLES);
  const sampler = mannerOf(args, count === undefined || byDefault !== 'mean' ? byDefault : 'ancestral');
  if (sampler === 'mean' && (count ?? 1) > 1)
    throw new DcompError('E_USAGE', `there is only one best guess: leave out --${many}, or choose a sampler`);
  const views = VIEWS.find((each) => each === whole('views', 1, 4));
  if (args['views'] !== undefined && views === undefined)
    throw new DcompError('E_USAGE', `--views is ${textOption(args, 'views')}; it must be 1, 2 or 4`);
  const classes = textOption(args, 'classes');
  const given = {
    steps: whole('steps', 1, MAX_STEPS),
    seed: whole('seed', 0, 2 ** 32 - 1),
    temperature: numberOption(args, 'temperature', { min: 0, max: MAX_TEMPERATURE, whole: false }),
    class: whole('class', 0, 65535),
    classes: classes === undefined ? undefined : readInput(classes),
    classifier: flag(args, 'classifier') ? true : undefined,
    guidanceScale: numberOption(args, 'guidance-scale', { min: 0, max: MAX_GUIDANCE, whole: false }),
    views,
    model,
  };
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return {
    options: { sampler, threads, engine, maxPixels: maxPixelsOption(args), ...(said as RestoreOptions & ModelOptions) },
    count: count ?? 1,
    film: textOption(args, 'film'),
    force: flag(args, 'force'),
    quiet,
    verbose,
  };
}

/** @throws DcompError E_USAGE */
function mannerOf(args: RawArgs, byDefault: Manner): Manner {
  const text = textOption(args, 'sampler');
  const mean = flag(args, 'mean');
  if (text === undefined) return mean ? 'mean' : byDefault;
  const manner = (['mean', ...SAMPLERS] as const).find((each) => each === text);
  if (manner === undefined)
    throw new DcompError('E_USAGE', `--sampler is ${text}; it must be one of ${SAMPLERS.join(', ')}, mean`);
  if (mean && manner !== 'mean')
    throw new DcompError('E_USAGE', `--mean and --sampler ${text} contradict each other; give one of them`);
  return manner;
}
