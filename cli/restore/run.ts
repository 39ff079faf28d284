/** From arguments to files: what `denoise`, `upscale`, `inpaint` and `sample` have in common. */
import { extname } from 'node:path';
import type { Picture, RestoreOptions, ModelOptions, States } from '../../src/diffusion-node.js';
import { DcompError } from '../../src/errors.js';
import { outputName, STANDARD } from '../../formats/files.js';
import { formatOfName, formatOfOption, type PictureFormat } from '../../formats/formats.js';
import { writeOutput } from '../../formats/output.js';
import { writePicture } from '../../formats/write.js';
import { textOption, type RawArgs } from '../options.js';
import { progressDisplay } from '../progress.js';
import { note } from '../report.js';
import { checkFilm, Film } from './film.js';
import type { RestoreArgs } from './options.js';

/** What is made, by a seed. */
export type Make = (options: RestoreOptions & ModelOptions) => States;

/** By --format, or the output's name; PNG for standard output. @throws DcompError E_USAGE */
export function outputFormat(args: RawArgs, output: string): PictureFormat {
  const asked = textOption(args, 'format');
  if (asked !== undefined) return formatOfOption(asked);
  return formatOfName(output) ?? 'png';
}

/** The name of one of several outputs: a number before its extension. */
function numbered(output: string, k: number, count: number): string {
  if (count === 1 || output === STANDARD) return output;
  const extension = extname(output);
  return `${output.slice(0, output.length - extension.length)}-${k + 1}${extension}`;
}

/**
 * Makes and writes the answers, one after the other.
 * @param input file that the outputs must not replace
 * @throws DcompError E_USAGE, E_EXISTS, E_IO and what is thrown on the way
 */
export async function writeAnswers(
  name: string,
  input: string | undefined,
  output: string,
  format: PictureFormat,
  { options, count, film: filmPath, force, quiet }: RestoreArgs,
  make: Make,
): Promise<void> {
  if (output === STANDARD && count > 1)
    throw new DcompError('E_USAGE', 'several pictures cannot go to stdout; name an output');
  const paths = Array.from({ length: count }, (_, k) => numbered(output, k, count));
  if (filmPath !== undefined) checkFilm(filmPath, paths);
  const film = filmPath === undefined ? undefined : new Film();
  const display = progressDisplay(name, quiet);
  try {
    for (let k = 0; k < count; k++) {
      const path = paths[k]!;
      const seed = ((options.seed ?? 0) + k) % 2 ** 32;
      let said = '';
      const produce = async (signal: AbortSignal): Promise<Uint8Array> => {
        const picture = await lastOf(make({ ...options, seed, signal }), async (fraction, state) => {
          display.update?.({ fraction: (k + fraction) / count, stage: count === 1 ? '' : `${k + 1} of ${count}` });
          if (k === 0) await film?.take(fraction, state);
        });
        const { bytes, notices } = await writePicture(picture, format);
        said = `${picture.width}×${picture.height} pixels`;
        if (!quiet) for (const notice of notices) note(`${outputName(path)}: ${notice}`);
        return bytes;
      };
      await writeOutput(input, path, produce, { replace: force });
      if (!quiet) note(`${outputName(path)}: ${said}`);
    }
    if (film !== undefined && filmPath !== undefined) {
      await writeOutput(input, filmPath, () => film.bytes(filmPath), { replace: force });
      if (!quiet) note(`${outputName(filmPath)}: the film of it`);
    }
  } finally {
    display.stop();
  }
}

/** The picture of the last state. @param told of every state */
async function lastOf(
  states: States,
  told: (fraction: number, picture: () => Promise<Picture>) => Promise<void>,
): Promise<Picture> {
  let last: (() => Promise<Picture>) | undefined;
  for await (const { fraction, picture } of states) {
    await told(fraction, picture);
    last = picture;
  }
  return last!();
}
