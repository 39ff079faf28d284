/** `dcomp eval DIR|FILES…`: rate and quality of dcomp and other codecs on a folder of pictures, as a report. */
import { readFileSync } from 'node:fs';
import { availableParallelism, constants as osConstants } from 'node:os';
import { join } from 'node:path';
import type { Argv } from 'yargs';
import { codecNames, DEFAULT_CODECS } from '../eval/codecs/table.js';
import { checkInstalled, METRICS, OWN_METRICS, type MetricName } from '../eval/metrics/metrics.js';
import { checkReportFolder, writeReport } from '../eval/report/write.js';
import { wholeJson } from '../eval/report/data.js';
import { summaryText } from '../eval/report/text.js';
import { evaluate } from '../eval/run.js';
import { summarise } from '../eval/summary.js';
import { DcompError } from '../src/errors.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { DEFAULT_EFFORT } from '../src/node.js';
import { DEFAULT_MODEL, MODELS } from '../src/models/registry.js';
import { about } from './errors.js';
import { fileArguments, flag, namedModel, numberOption, outputFlags, textOption, type RawArgs } from './options.js';
import { progressDisplay } from './progress.js';
import { note, print } from './report.js';

const RATES = [0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 0.75, 1, 1.5];
const DEFAULT_OUTPUT = 'dcomp-eval';
const DEFAULT_SAMPLES = 6;

const OPTIONS: Record<string, string> = {
  output: `Folder for the report  [default: ${DEFAULT_OUTPUT}]`,
  codecs: `Of ${codecNames().join(', ')}  [default: ${DEFAULT_CODECS.join(',')}]`,
  metrics: `Of ${METRICS.map(({ name }) => name).join(', ')}  [default: ${OWN_METRICS.map(({ name }) => name).join(',')}]`,
  rates: `Bits per pixel of the tables; the last is the highest measured  [default: ${RATES.join(',')}]`,
  qualities: 'Settings of all codecs that have a quality from 1 to 100, dcomp too, in place of their own',
  limit: 'Only so many pictures, spread over the list',
  samples: `Of so many pictures decoded ones are shown  [default: ${DEFAULT_SAMPLES}]`,
  effort: `Of dcomp’s encoder, 1 to 9  [default: ${DEFAULT_EFFORT}]`,
  model: `Model: ${Object.keys(MODELS).join(', ')} or a model file (.dcm)  [default: ${DEFAULT_MODEL}]`,
  threads: 'Processes that measure side by side, each codec on one thread  [default: all cores]',
  cache: 'Folder for results that later runs take up  [default: cache in the report’s folder]',
};

export function builder(yargs: Argv): void {
  yargs.positional('inputs', { type: 'string', array: true, describe: 'Folders of PNGs, and PNG files' });
  for (const [name, describe] of Object.entries(OPTIONS))
    yargs.option(name, { type: 'string', requiresArg: true, describe, ...(name === 'output' ? { alias: 'o' } : {}) });
  yargs
    .option('fresh', { type: 'boolean', describe: 'Measure anew what the cache has' })
    .option('json', { type: 'boolean', describe: 'Print all figures as JSON, not the tables' })
    .example('$0 eval photos -o report', 'report/report.html')
    .example('$0 eval photos --codecs dcomp,avif --rates 0.1,0.5 --limit 5', 'Two codecs, two rates, five pictures');
}

export async function run(args: RawArgs): Promise<number> {
  const { quiet } = outputFlags(args);
  const output = textOption(args, 'output') ?? DEFAULT_OUTPUT;
  const rates = numberList(args, 'rates', { min: 0.001, max: 24 }) ?? RATES;
  const qualities = numberList(args, 'qualities', { min: 1, max: 100 });
  const whole = (name: string, min: number, max: number): number | undefined =>
    numberOption(args, name, { min, max, whole: true });
  const settings = {
    inputs: fileArguments(args, 'inputs'),
    codecs: wordList(args, 'codecs', codecNames()) ?? DEFAULT_CODECS,
    metrics: (wordList(
      args,
      'metrics',
      METRICS.map(({ name }) => name),
    ) ?? OWN_METRICS.map(({ name }) => name)) as MetricName[],
    rates,
    qualities,
    limit: whole('limit', 1, Number.MAX_SAFE_INTEGER) ?? Infinity,
    samples: whole('samples', 0, 1000) ?? DEFAULT_SAMPLES,
    processes: whole('threads', 1, 256) ?? availableParallelism(),
    own: ownSettings(args, whole('effort', 1, 9) ?? DEFAULT_EFFORT),
    cache: textOption(args, 'cache') ?? join(output, 'cache'),
    fresh: flag(args, 'fresh'),
    dcompVersion: version(),
  };
  checkInstalled(settings.metrics);
  checkReportFolder(output);

  const abort = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    abort.abort();
    process.exitCode = 128 + osConstants.signals[signal];
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.once(signal, onSignal);
  const show = display(quiet);
  try {
    const { evaluation, samples } = await evaluate({
      ...settings,
      onProgress: show.update,
      onNotice: show.notice,
      signal: abort.signal,
    });
    show.stop();
    const summary = summarise(evaluation);
    const written = await writeReport(output, evaluation, summary, samples);
    print(flag(args, 'json') ? wholeJson(evaluation, summary) : `${summaryText(evaluation, summary)}\n`);
    for (const line of written.notices) note(line);
    if (!quiet) note(written.path);
    return evaluation.failed > 0 ? 1 : 0;
  } catch (error) {
    show.stop();
    if (!abort.signal.aborted) throw error;
    note(`stopped; what was measured is kept in ${settings.cache}, the same command goes on`);
    return typeof process.exitCode === 'number' ? process.exitCode : 1;
  } finally {
    show.stop();
    for (const signal of signals) process.off(signal, onSignal);
  }
}

/** @throws DcompError E_IO, E_NOT_MODEL, … */
function ownSettings(args: RawArgs, effort: number): { model: string; modelId: string; effort: number } {
  const model = textOption(args, 'model') ?? DEFAULT_MODEL;
  try {
    const given = namedModel(model);
    return { model, modelId: typeof given === 'string' ? MODELS[given].id : readModelFile(given).id, effort };
  } catch (error) {
    throw about(model, error);
  }
}

/** Numbers with commas between, rising. @throws DcompError E_USAGE */
function numberList(args: RawArgs, name: string, { min, max }: { min: number; max: number }): number[] | undefined {
  const text = textOption(args, name);
  if (text === undefined) return undefined;
  const values = text
    .split(',')
    .map((word) => numberOption({ [name]: word.trim() }, name, { min, max, whole: false })!);
  return [...new Set(values)].sort((a, b) => a - b);
}

function wordList(args: RawArgs, name: string, allowed: readonly string[]): string[] | undefined {
  const text = textOption(args, name);
  if (text === undefined) return undefined;
  const words = [...new Set(text.split(',').map((word) => word.trim()))];
  const unknown = words.filter((word) => !allowed.includes(word));
  if (unknown.length > 0)
    throw new DcompError('E_USAGE', `--${name}: there is no ${unknown.join(', ')}; there are ${allowed.join(', ')}`);
  return words;
}

function version(): string {
  return (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string })
    .version;
}

/** Seconds between the lines that stand for the bar where there is no terminal. */
const LINE_EVERY = 15;

/** A bar on a terminal, a line now and then elsewhere. */
function display(quiet: boolean): {
  update: (fraction: number, stage: string, left: number | undefined) => void;
  notice: (line: string) => void;
  stop: () => void;
} {
  let bar = progressDisplay('eval', quiet);
  let last = { fraction: 0, stage: '' };
  let lastLine = performance.now();
  return {
    update(fraction, stage, left) {
      const text = left === undefined ? stage : `${stage}, ${duration(left)} left`;
      last = { fraction, stage: text };
      if (bar.update !== undefined) bar.update(last);
      else if (!quiet && performance.now() - lastLine > 1000 * LINE_EVERY) {
        lastLine = performance.now();
        note(`${Math.round(100 * fraction)} %, ${text}`);
      }
    },
    notice(line) {
      // Told even with --quiet: the figures are of less than was asked for.
      bar.stop();
      note(line);
      bar = progressDisplay('eval', quiet);
      bar.update?.(last);
    },
    stop: () => bar.stop(),
  };
}

function duration(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
