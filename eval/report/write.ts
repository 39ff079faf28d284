/** Writes the report's folder. */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeOutput } from '../../formats/output.js';
import { DcompError } from '../../src/errors.js';
import { checkList, checkObject, mustBe } from '../../src/options.js';
import type { Evaluation } from '../evaluation.js';
import type { SampleSet } from '../run.js';
import type { Summary } from '../summary.js';
import { compressAiJson, csv, wholeJson } from './data.js';
import { flipHtml } from './flip.js';
import { reportHtml } from './html.js';
import { loadPlotter } from './plots.js';

/** Said before minutes of measuring. @throws DcompError E_IO */
export function checkReportFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason =
      code === 'EEXIST' || code === 'ENOTDIR'
        ? 'a file is in its place'
        : code === 'EACCES' || code === 'EPERM'
          ? 'permission denied'
          : message;
    throw new DcompError('E_IO', `cannot write the folder ${folder}: ${reason}`, { cause });
  }
}

/**
 * flip.html (to compare codecs by eye), report.html, report.json (all figures), pictures.csv (a line a file), CODEC.json (as CompressAI reads them), METRIC.svg.
 * Without the packages that draw, the data alone.
 * @returns the file to look at
 */
export async function writeReport(
  folder: string,
  evaluation: Evaluation,
  summary: Summary,
  samples: readonly SampleSet[],
): Promise<{ path: string; notices: string[] }> {
  if (typeof folder !== 'string') throw mustBe('the folder', folder, 'a path');
  checkObject(evaluation, 'the evaluation', 'what evaluate gives');
  checkObject(summary, 'the summary', 'what summarise gives');
  checkList(samples, 'the samples');
  const write = (name: string, text: string): Promise<number> =>
    writeOutput(undefined, join(folder, name), async () => new TextEncoder().encode(text), { replace: true });
  await write('report.json', wholeJson(evaluation, summary));
  await write('pictures.csv', csv(evaluation));
  for (const { name } of evaluation.codecs)
    await write(`${name}.json`, `${JSON.stringify(compressAiJson(evaluation, name), undefined, 2)}\n`);
  const flip = flipHtml(samples, `dcomp ${evaluation.dcompVersion}, ${evaluation.date}`);
  if (flip !== undefined) await write('flip.html', flip);
  try {
    const plotter = await loadPlotter(evaluation, summary);
    for (const metric of evaluation.metrics) await write(`${metric}.svg`, plotter.quality(metric));
    await write('report.html', reportHtml(evaluation, summary, samples, plotter));
    return { path: join(folder, 'report.html'), notices: [] };
  } catch (error) {
    if (!(error instanceof DcompError) || error.code !== 'E_MISSING_DEPENDENCY') throw error;
    return { path: join(folder, 'report.json'), notices: [`no plots and no report.html: ${error.message}`] };
  }
}
