/** `dcomp train pair`: a model that codes with one network and shows with another. */
import type { Argv } from 'yargs';
import { readInput } from '../formats/files.js';
import { writeOutput } from '../formats/output.js';
import { readModelFile, writeModelFile } from '../src/model/integer/model-file.js';
import { flag, type RawArgs } from './options.js';
import { print } from './report.js';
import { forceOption, qualityOption, required, stringOption } from './train-options.js';
import { defined } from '../src/options.js';

export function pairOptions(yargs: Argv): void {
  stringOption(yargs, 'model', 'Model file whose network codes; one that shows for it is left out');
  stringOption(yargs, 'shows', 'Model file whose network shows, and whose table of qualities counts');
  stringOption(yargs, 'quality', 'Another table, pairs quality:code');
  stringOption(yargs, 'output', 'Model file to write', 'o');
  forceOption(yargs);
}

export async function runPair(args: RawArgs): Promise<void> {
  const [model, shows, output] = [required(args, 'model'), required(args, 'shows'), required(args, 'output')];
  const { shows: _, quality: before, ...network } = readModelFile(readInput(model));
  const { path: __, straight: ___, quality: own = before, ...shower } = readModelFile(readInput(shows));
  const quality = qualityOption(args) ?? own;
  const bytes = writeModelFile({ ...network, ...defined({ quality }), shows: shower });
  const length = await writeOutput(model, output, () => Promise.resolve(bytes), { replace: flag(args, 'force') });
  print(`${output}: ${length} bytes`);
}
