/** `dcomp eval --lossless` and `--max-error N`: codecs without loss, or within an error. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defaultExactCodecs, exactCodecNames } from '../../eval/exact/codecs.js';
import { exactJson, exactText, writeExactReport } from '../../eval/exact/report.js';
import { evaluateExact } from '../../eval/exact/run.js';
import { checkReportFolder } from '../../eval/report/write.js';
import { DcompError } from '../../src/errors.js';
import { fileArguments, flag, numberOption, outputFlags, textOption, type RawArgs } from '../options.js';
import { note, print } from '../report.js';
import { display } from './display.js';
import { ownModel, untilStopped, version, wordList } from './settings.js';
import { defined } from '../../src/options.js';

const DEFAULT_OUTPUT = 'dcomp-eval';
/** Of the options of `dcomp eval`, those that have no meaning here. */
const OTHERS = ['metrics', 'rates', 'qualities', 'samples'];

/** The error that is asked for, 0 for lossless; undefined: none is. @throws DcompError E_USAGE */
export function exactError(args: RawArgs): number | undefined {
  const maxError = numberOption(args, 'max-error', { min: 1, max: 255, whole: true });
  if (!flag(args, 'lossless')) return maxError;
  if (maxError !== undefined) throw new DcompError('E_USAGE', 'either --lossless or --max-error');
  return 0;
}

/** @param maxError 0 for lossless */
export async function runExact(args: RawArgs, maxError: number): Promise<number> {
  const { quiet } = outputFlags(args);
  for (const name of OTHERS)
    if (textOption(args, name) !== undefined)
      throw new DcompError(
        'E_USAGE',
        `--${name} is for lossy codecs; without loss bits, errors and times are compared`,
      );
  const output = textOption(args, 'output') ?? DEFAULT_OUTPUT;
  const whole = (name: string, min: number, max: number): number | undefined =>
    numberOption(args, name, { min, max, whole: true });
  const effort = whole('effort', 1, 9);
  const given = textOption(args, 'model') === undefined ? undefined : ownModel(args);
  const codecs = wordList(args, 'codecs', exactCodecNames()) ?? defaultExactCodecs(given !== undefined, maxError);
  if (codecs.includes('dcomp') && given === undefined)
    throw new DcompError('E_USAGE', 'the codec dcomp is dcomp with a model of your own: name it with --model');
  const settings = {
    inputs: fileArguments(args, 'inputs'),
    codecs,
    maxError,
    limit: whole('limit', 1, Number.MAX_SAFE_INTEGER) ?? Infinity,
    processes: whole('threads', 1, 256) ?? availableParallelism(),
    ...defined({ effort }),
    given,
    cache: textOption(args, 'cache') ?? join(output, 'cache'),
    fresh: flag(args, 'fresh'),
    dcompVersion: version(),
  };
  for (const folder of [output, settings.cache]) checkReportFolder(folder);
  const show = display(quiet);
  const measure = async (signal: AbortSignal): Promise<number> => {
    const evaluation = await evaluateExact({ ...settings, onProgress: show.update, onNotice: show.notice, signal });
    show.stop();
    const path = writeExactReport(output, evaluation);
    print(flag(args, 'json') ? exactJson(evaluation) : exactText(evaluation));
    if (!quiet) note(path);
    return evaluation.failed > 0 ? 1 : 0;
  };
  return untilStopped(settings.cache, measure, show.stop);
}
