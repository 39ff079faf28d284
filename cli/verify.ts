/** `dcomp verify FILE…`: checks every checksum; no model is needed for that, but for a stored pixel hash. */
import type { Argv } from 'yargs';
import { decode, repair, repairText, verify, type Verification } from '../src/node.js';
import { DcompError } from '../src/errors.js';
import { leftOutText, sourcesOf } from './batch/sources.js';
import { about, EXIT_DATA, reportError } from './errors.js';
import { inputName, readSource } from '../formats/files.js';
import { note, print } from './report.js';
import {
  commonOptions,
  engineOptions,
  fileArguments,
  flag,
  maxPixelsOption,
  maxWorkOption,
  sizeOption,
  workOption,
  type RawArgs,
} from './options.js';
import { orMessage, refusePicture } from './not-coded.js';
import { defined } from '../src/options.js';

export function builder(yargs: Argv): void {
  yargs
    .positional('files', { type: 'string', array: true, describe: '.dcz files, folders of them, or - for stdin' })
    .option('pixels', {
      type: 'boolean',
      default: true,
      describe: 'Decode and compare, where a file holds a hash of its pixels; --no-pixels leaves that out',
    })
    .option('json', { type: 'boolean', describe: 'A line of JSON a file, for programs' })
    .example('$0 verify photo.dcz', 'Intact, cut, repairable or damaged; exit code 1 unless intact')
    .example('$0 verify coded --quiet', 'Of all .dcz files of a folder those that are not intact');
  sizeOption(yargs);
  workOption(yargs);
  engineOptions(yargs, 'the one that the file names');
}

/** match and mismatch: decoded and compared; skipped: not asked for, or the file is not whole; none: the file holds no hash. */
type Pixels = 'match' | 'mismatch' | 'skipped' | 'none';

/** @returns 1 if any file is damaged, cut, or cannot be read */
export async function run(args: RawArgs): Promise<number> {
  const json = flag(args, 'json');
  const withPixels = flag(args, 'pixels');
  const { threads, engine, model, verbose, quiet } = commonOptions(args);
  const maxWork = maxWorkOption(args);
  const limits = { maxPixels: maxPixelsOption(args), ...defined({ maxWork }) };
  let bad = 0;
  const leftOut: string[] = [];
  const files: string[] = [];
  for (const name of fileArguments(args, 'files')) {
    try {
      files.push(...(await sourcesOf(name, { accepts: ['.dcz'] }, leftOut)).map(({ path }) => path));
    } catch (error) {
      bad++;
      reportError(error, verbose);
    }
  }
  for (const file of files) {
    try {
      const bytes = await readSource(file);
      refusePicture(bytes);
      const found = await verify(bytes).catch((error: unknown) => {
        throw orMessage(error, bytes);
      });
      const pixels = await comparePixels(
        found,
        async () =>
          decode((await repair(bytes)).bytes, {
            threads,
            engine,
            ...limits,
            ...defined({ model }),
          }),
        withPixels,
      );
      if (found.state !== 'intact' || pixels === 'mismatch') bad++;
      if (json) print(`${JSON.stringify({ file, ...found, pixels })}\n`);
      else if (!quiet || found.state !== 'intact' || pixels === 'mismatch') print(asText(file, found, pixels, verbose));
    } catch (error) {
      bad++;
      const code = error instanceof DcompError ? error.code : 'E_INTERNAL';
      const message = error instanceof Error ? error.message : String(error);
      if (json) print(`${JSON.stringify({ file, state: 'damaged', error: code, message })}\n`);
      else reportError(code === 'E_IO' ? error : about(inputName(file), error), verbose); // the former names it already
    }
  }
  if ((files.length > 1 || leftOut.length > 0) && !quiet && !json) {
    const found = bad === 0 ? 'all intact' : `${bad} not intact`;
    note(`${files.length} files, ${found}${leftOutText(leftOut, '; left out: ')}`);
  }
  return bad > 0 ? EXIT_DATA : 0;
}

async function comparePixels(found: Verification, decodeIt: () => Promise<unknown>, wanted: boolean): Promise<Pixels> {
  if (found.pixelHash === null) return 'none';
  if (!wanted || found.state === 'cut' || found.state === 'damaged') return 'skipped';
  try {
    await decodeIt();
    return 'match';
  } catch (error) {
    if (error instanceof DcompError && error.code === 'E_DAMAGED_PIXELS') return 'mismatch';
    throw error;
  }
}

const PIXELS: Record<Pixels, string> = {
  match: ', pixels as their hash says',
  mismatch: ', but the decoded pixels are not those of its hash',
  skipped: ', pixels not compared',
  none: '',
};

/** A line for the file, one for each part that is not intact (or, with --verbose, for all), one for each repair. */
function asText(file: string, found: Verification, pixels: Pixels, verbose: boolean): string {
  const { state, parts, repairs, trailing } = found;
  const damaged = parts.filter((part) => part.state !== 'intact');
  const lines = (verbose ? parts : damaged).map(
    (part) => `  ${part.part} (byte offset ${part.offset}, ${part.byteLength} bytes): ${part.state}`,
  );
  const advice = {
    intact: '',
    cut: ': it ends early',
    repairable: '; dcomp repair puts it right, decode --allow-damaged does so on the way',
    damaged: '; decode --allow-damaged shows what can be saved',
  }[state];
  return [
    `${inputName(file)}: ${state}${advice}${PIXELS[pixels]}`,
    ...lines,
    ...repairs.map((each) => `  ${repairText(each)}`),
    ...(trailing === 0 ? [] : [`  ${trailing} bytes behind its end, which mean nothing`]),
    '',
  ].join('\n');
}
