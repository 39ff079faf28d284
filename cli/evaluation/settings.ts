/** What the ways of `dcomp eval` have in common: options, and how they are stopped. */
import { readFileSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { DcompError } from '../../src/errors.js';
import { readModelFile } from '../../src/model/integer/model-file.js';
import { DEFAULT_MODEL, MODELS } from '../../src/models/registry.js';
import { about } from '../errors.js';
import { namedModel, numberOption, textOption, type RawArgs } from '../options.js';
import { note } from '../report.js';

/**
 * Which model is measured.
 * @throws DcompError E_IO, E_NOT_MODEL, …
 */
export function ownModel(args: RawArgs): { model: string; modelId: string } {
  const model = textOption(args, 'model') ?? DEFAULT_MODEL;
  try {
    const given = namedModel(model);
    return { model, modelId: typeof given === 'string' ? MODELS[given].id : readModelFile(given).id };
  } catch (error) {
    throw about(model, error);
  }
}

/** Numbers with commas between, rising. @throws DcompError E_USAGE */
export function numberList(
  args: RawArgs,
  name: string,
  { min, max }: { min: number; max: number },
): number[] | undefined {
  const text = textOption(args, name);
  if (text === undefined) return undefined;
  const values = text
    .split(',')
    .map((word) => numberOption({ [name]: word.trim() }, name, { min, max, whole: false })!);
  return [...new Set(values)].sort((a, b) => a - b);
}

/** Words with commas between. @throws DcompError E_USAGE */
export function wordList(args: RawArgs, name: string, allowed: readonly string[]): string[] | undefined {
  const text = textOption(args, name);
  if (text === undefined) return undefined;
  const words = [...new Set(text.split(',').map((word) => word.trim()))];
  const unknown = words.filter((word) => !allowed.includes(word));
  if (unknown.length > 0)
    throw new DcompError('E_USAGE', `--${name}: there is no ${unknown.join(', ')}; there are ${allowed.join(', ')}`);
  return words;
}

/** Of the package. */
export function version(): string {
  return (JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string })
    .version;
}

/**
 * Runs something that signals stop.
 * @param f may be called once; what it throws once it is aborted is told as a stop
 * @returns the exit code
 */
export async function untilStopped(
  cache: string,
  f: (signal: AbortSignal) => Promise<number>,
  end: () => void,
): Promise<number> {
  const abort = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    abort.abort();
    process.exitCode = 128 + osConstants.signals[signal];
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.once(signal, onSignal);
  try {
    return await f(abort.signal);
  } catch (error) {
    end();
    if (!abort.signal.aborted) throw error;
    note(`stopped; what was measured is kept in ${cache}, the same command goes on`);
    return typeof process.exitCode === 'number' ? process.exitCode : 1;
  } finally {
    end();
    for (const signal of signals) process.off(signal, onSignal);
  }
}
