/** `dcomp train pair`: a model of several networks. */
import type { Argv } from 'yargs';
import { readInput } from '../formats/files.js';
import { writeOutput } from '../formats/output.js';
import type { IntegerModel, QualityTable } from '../src/model/integer/integer-model.js';
import { readModelFile, writeModelFile } from '../src/model/integer/model-file.js';
import { flag, textOption, type RawArgs } from './options.js';
import { print } from './report.js';
import { forceOption, qualityOption, required, stringOption } from './train-options.js';
import { defined } from '../src/options.js';

export function pairOptions(yargs: Argv): void {
  stringOption(yargs, 'model', 'Model file whose network codes, or shows what that of its path codes');
  stringOption(yargs, 'shows', 'Model file whose network is to show, and whose table of qualities counts');
  stringOption(yargs, 'coarse', 'Model file whose network is to measure levels ≥ 1');
  stringOption(yargs, 'quality', 'Another table, pairs quality:code');
  stringOption(yargs, 'output', 'Model file to write', 'o');
  forceOption(yargs);
}

export async function runPair(args: RawArgs): Promise<void> {
  const [model, output] = [required(args, 'model'), required(args, 'output')];
  const given = readModelFile(readInput(model));
  const coarse = networkOf(textOption(args, 'coarse'));
  const shows = networkOf(coarse === undefined ? required(args, 'shows') : textOption(args, 'shows'));
  const quality = qualityOption(args) ?? shows?.quality;
  const bytes = writeModelFile({
    ...given,
    ...defined({ quality, shows: shows?.network, coarse: coarse?.network }),
  });
  const length = await writeOutput(model, output, () => Promise.resolve(bytes), { replace: flag(args, 'force') });
  print(`${output}: ${length} bytes`);
}

/** The one network of a model file, and its table of qualities. */
function networkOf(file: string | undefined): { network: IntegerModel; quality: QualityTable | undefined } | undefined {
  if (file === undefined) return undefined;
  const { path: _, straight: __, shows: ___, coarse: ____, quality, ...network } = readModelFile(readInput(file));
  return { network, quality };
}
