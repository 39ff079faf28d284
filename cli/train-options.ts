/** What the commands of `dcomp train` share. */
import type { Argv } from 'yargs';
import { DcompError } from '../src/errors.js';
import { qualityTableFrom } from '../src/model/integer/check-model.js';
import type { QualityTable } from '../src/model/integer/integer-model.js';
import { writeOutput } from '../formats/output.js';
import { flag, outputFlags, textOption, type NumberRule, type RawArgs } from './options.js';
import { note, print } from './report.js';
import { defined } from '../src/options.js';

export const COUNT: NumberRule = { min: 1, max: Number.MAX_SAFE_INTEGER, whole: true };
export const SEED: NumberRule = { min: 0, max: 2 ** 32 - 1, whole: true };

export function stringOption(yargs: Argv, name: string, describe: string, alias?: string): void {
  yargs.option(name, {
    type: 'string',
    requiresArg: true,
    global: false,
    describe,
    ...defined({ alias }),
  });
}

export function forceOption(yargs: Argv): void {
  yargs.option('force', { alias: 'f', type: 'boolean', global: false, describe: 'Replace outputs that exist' });
}

export function required(args: RawArgs, name: string): string {
  const value = textOption(args, name);
  if (value === undefined) throw new DcompError('E_USAGE', `--${name} is missing`);
  return value;
}

/** `10:168,50:150,100:64` @throws DcompError E_USAGE */
export function qualityOption(args: RawArgs): QualityTable | undefined {
  const text = textOption(args, 'quality');
  if (text === undefined) return undefined;
  try {
    return qualityTableFrom(text.split(',').map((pair) => pair.split(':').map(Number)));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new DcompError('E_USAGE', `--quality is ${text}: ${message}`, { cause: error });
  }
}

/**
 * Writes what a training has made, and says what it found.
 * @param input file that the output must not replace @param said what there is to say, once it has been made
 * @throws DcompError E_EXISTS, E_IO and what is thrown on the way
 */
export async function writeTrained(
  input: string | undefined,
  output: string,
  produce: (signal: AbortSignal) => Promise<Uint8Array>,
  { args, bar, said }: { args: RawArgs; bar: { stop(): void }; said: () => string },
): Promise<void> {
  try {
    const size = await writeOutput(input, output, produce, { replace: flag(args, 'force') });
    bar.stop();
    if (outputFlags(args).quiet) return;
    print(said());
    note(`${output}: ${size} bytes`);
  } finally {
    bar.stop();
  }
}
