/** `dcomp repair IN OUT`: the file with what its checksums tell of single wrong bytes; no model is needed. */
import type { Argv } from 'yargs';
import { DcompError } from '../src/errors.js';
import { repair, repairText, verify } from '../src/node.js';
import { inputName, outputName, readSource } from '../formats/files.js';
import { writeOutput } from '../formats/output.js';
import { about } from './errors.js';
import { refusePicture } from './not-coded.js';
import { fileArgument, flag, outputFlags, type RawArgs } from './options.js';
import { note } from './report.js';

export function builder(yargs: Argv): void {
  yargs
    .positional('input', { type: 'string', describe: '.dcz file, or - for stdin' })
    .positional('output', { type: 'string', describe: 'The file as it was, or - for stdout' })
    .option('force', { alias: 'f', type: 'boolean', describe: 'Replace an output that exists' })
    .example('$0 repair photo.dcz whole.dcz', 'One wrong byte in each part of the file is found and put right');
}

/** @throws DcompError where nothing is written: E_DAMAGED_SEGMENT, more than single bytes are wrong; E_TRUNCATED, the file ends early */
export async function run(args: RawArgs): Promise<void> {
  const [input, output] = [fileArgument(args, 'input')!, fileArgument(args, 'output')!];
  const { quiet } = outputFlags(args);
  const repaired = await repairedFile(input);
  await writeOutput(input, output, () => Promise.resolve(repaired.bytes), { replace: flag(args, 'force') });
  if (quiet) return;
  const texts = repaired.repairs.map((each) => `repaired ${repairText(each)}`);
  for (const text of texts.length > 0 ? texts : ['nothing to repair, a copy']) note(`${outputName(output)}: ${text}`);
}

async function repairedFile(input: string): ReturnType<typeof repair> {
  const bytes = await readSource(input);
  try {
    refusePicture(bytes);
    await verify(bytes); // says what is no .dcz file
    const repaired = await repair(bytes);
    const lost = repaired.lost[0];
    if (lost !== undefined)
      throw new DcompError(
        'E_DAMAGED_SEGMENT',
        `${lost.part} (byte offset ${lost.offset}) has more than one wrong byte and cannot be repaired; get the file again, or decode what can be saved with --allow-damaged`,
      );
    if ((await verify(repaired.bytes)).state === 'cut')
      throw new DcompError(
        'E_TRUNCATED',
        `the file ends early, after ${bytes.length} bytes, and what is missing cannot be repaired; get the file again, or decode what is there with --allow-partial`,
      );
    return repaired;
  } catch (error) {
    throw about(inputName(input), error);
  }
}
