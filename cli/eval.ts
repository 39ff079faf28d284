/** `dcomp eval DIR|FILES…`: rate and quality of dcomp and other codecs on a folder of pictures, as a report. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Argv } from 'yargs';
import type { OwnChoices } from '../eval/measurement.js';
import { codecNames, DEFAULT_CODECS } from '../eval/codecs/table.js';
import { exactCodecNames } from '../eval/exact/codecs.js';
import { checkInstalled, METRICS, OWN_METRICS, type MetricName } from '../eval/metrics/metrics.js';
import { checkReportFolder, writeReport } from '../eval/report/write.js';
import { wholeJson } from '../eval/report/data.js';
import { summaryText } from '../eval/report/text.js';
import { evaluate } from '../eval/run.js';
import { summarise } from '../eval/summary.js';
import { DEFAULT_EFFORT } from '../src/node.js';
import { TUNES } from '../src/codec/encoder-options.js';
import { DEFAULT_MODEL, MODELS } from '../src/models/registry.js';
import { display } from './evaluation/display.js';
import { exactError, runExact } from './evaluation/exact.js';
import { numberList, ownModel, untilStopped, version, wordList } from './evaluation/settings.js';
import { fileArguments, flag, numberOption, outputFlags, textOption, type RawArgs } from './options.js';
import { note, print } from './report.js';
import { tuneOption } from './ways.js';
import { defined } from '../src/options.js';

const RATES = [0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 0.75, 1, 1.5];
const DEFAULT_OUTPUT = 'dcomp-eval';
const DEFAULT_SAMPLES = 6;

const OPTIONS: Record<string, string> = {
  output: `Folder for the report  [default: ${DEFAULT_OUTPUT}]`,
  codecs: `Of ${codecNames().join(', ')}  [default: ${DEFAULT_CODECS.join(',')}]; without loss of ${exactCodecNames().join(', ')}`,
  metrics: `Of ${METRICS.map(({ name }) => name).join(', ')}  [default: ${OWN_METRICS.map(({ name }) => name).join(',')}]`,
  rates: `Bits per pixel of the tables; the last is the highest measured  [default: ${RATES.join(',')}]`,
  qualities: 'Settings of all codecs that have a quality from 1 to 100, dcomp too, in place of their own',
  limit: 'Only so many pictures, spread over the list',
  samples: `Of so many pictures decoded ones are shown  [default: ${DEFAULT_SAMPLES}]`,
  effort: `Of dcomp’s encoder, 1 to 9  [default: ${DEFAULT_EFFORT}]`,
  tune: `Of dcomp’s encoder: ${TUNES.join(' or ')}, what errors are spread for  [default: ${TUNES[0]}]`,
  model: `Model: ${Object.keys(MODELS).join(', ')} or a model file (.dcm)  [default: ${DEFAULT_MODEL}]`,
  threads: 'Processes that measure side by side, each codec on one thread  [default: all cores]',
  cache: 'Folder for results that later runs take up  [default: cache in the report’s folder]',
};

export function builder(yargs: Argv): void {
  yargs.positional('inputs', { type: 'string', array: true, describe: 'Folders of PNGs, and PNG files' });
  for (const [name, describe] of Object.entries(OPTIONS))
    yargs.option(name, { type: 'string', requiresArg: true, describe, ...(name === 'output' ? { alias: 'o' } : {}) });
  yargs
    .option('lossless', { type: 'boolean', describe: 'Compare without loss: bits per sample and times' })
    .option('max-error', {
      type: 'string',
      requiresArg: true,
      describe: 'Compare the smallest files with every sample within so much, 1 to 255',
    })
    .option('fresh', { type: 'boolean', describe: 'Measure anew what the cache has' })
    .option('json', { type: 'boolean', describe: 'Print all figures as JSON, not the tables' })
    .example('$0 eval photos -o report', 'report/report.html')
    .example('$0 eval photos --codecs dcomp,avif --rates 0.1,0.5 --limit 5', 'Two codecs, two rates, five pictures')
    .example('$0 eval photos --lossless', 'Beside PNG, WebP, AVIF and JPEG XL, without loss');
}

/** How dcomp codes. @throws DcompError E_USAGE */
function ownChoices(args: RawArgs): OwnChoices {
  const tune = tuneOption(args);
  const effort = numberOption(args, 'effort', { min: 1, max: 9, whole: true });
  return defined({ effort, tune });
}

export async function run(args: RawArgs): Promise<number> {
  const maxError = exactError(args);
  if (maxError !== undefined) return runExact(args, maxError);
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
    own: { ...ownModel(args), choices: ownChoices(args) },
    cache: textOption(args, 'cache') ?? join(output, 'cache'),
    fresh: flag(args, 'fresh'),
    dcompVersion: version(),
  };
  checkInstalled(settings.metrics);
  for (const folder of [output, settings.cache]) checkReportFolder(folder);

  const show = display(quiet);
  const measure = async (signal: AbortSignal): Promise<number> => {
    const { evaluation, samples } = await evaluate({
      ...settings,
      onProgress: show.update,
      onNotice: show.notice,
      signal,
    });
    show.stop();
    const summary = summarise(evaluation);
    const written = await writeReport(output, evaluation, summary, samples);
    print(flag(args, 'json') ? wholeJson(evaluation, summary) : `${summaryText(evaluation, summary)}\n`);
    for (const line of written.notices) note(line);
    if (!quiet) note(written.path);
    return evaluation.failed > 0 ? 1 : 0;
  };
  return untilStopped(settings.cache, measure, show.stop);
}
