/** `dcomp inpaint IN OUT --mask MASK` */
import type { Argv } from 'yargs';
import { inpaintPicture } from '../src/diffusion-node.js';
import { DcompError } from '../src/errors.js';
import { withDepth, type Picture } from '../src/picture.js';
import { fileArgument, textOption, type RawArgs } from './options.js';
import { note } from './report.js';
import { readGiven } from './restore/input.js';
import { restoreArgs, restoreOptions } from './restore/options.js';
import { outputFormat, writeAnswers } from './restore/run.js';

export function builder(yargs: Argv): void {
  yargs
    .positional('input', { type: 'string', describe: 'Picture, or - for stdin' })
    .positional('output', { type: 'string', describe: 'Picture with a part painted anew, or - for stdout' })
    .option('mask', {
      type: 'string',
      requiresArg: true,
      describe: 'Picture of the same size: white is painted anew, black is kept, grey a blend',
    });
  restoreOptions(yargs, 'ancestral', 'samples');
  yargs
    .example('$0 inpaint photo.png whole.png --mask scratches.png', 'Something that may have been there')
    .example('$0 inpaint photo.png whole.png --mask scratches.png --mean', 'The best guess, which is smoother')
    .example('$0 inpaint photo.png whole.png --mask hole.png --samples 4', 'Four proposals');
}

export async function run(args: RawArgs): Promise<void> {
  const [input, output] = [fileArgument(args, 'input')!, fileArgument(args, 'output')!];
  const common = restoreArgs(args, 'ancestral', 'samples');
  const path = textOption(args, 'mask');
  if (path === undefined)
    throw new DcompError(
      'E_USAGE',
      'inpaint needs --mask, a picture of the same size that is white where it shall paint',
    );
  const format = outputFormat(args, output);
  const picture = await readGiven(input, common.quiet, common.options.maxPixels);
  const mask = maskOf(await readGiven(path, true, undefined, 'none'), picture);
  if (!common.quiet) {
    if (!mask.some((value) => value > 0)) note('the mask is black: there is nothing to paint');
    else if (mask.every((value) => value === 255)) note('the mask is white: nothing of the picture is kept');
  }
  await writeAnswers('inpaint', input, output, format, common, (options) => inpaintPicture(picture, mask, options));
}

/** The brightest colour of each pixel; what is transparent is black. @throws DcompError E_USAGE */
function maskOf(source: Picture, { width, height }: Picture): Uint8Array {
  if (source.width !== width || source.height !== height)
    throw new DcompError(
      'E_USAGE',
      `the mask has ${source.width}×${source.height} pixels, the picture ${width}×${height}; they must be of one size`,
    );
  const { channels, data } = withDepth(source, 8);
  const colours = channels > 2 ? 3 : 1;
  const mask = new Uint8Array(width * height);
  for (let i = 0; i < mask.length; i++) {
    let most = 0;
    for (let c = 0; c < colours; c++) most = Math.max(most, data[i * channels + c]!);
    mask[i] = colours === channels ? most : Math.round((most * data[(i + 1) * channels - 1]!) / 255);
  }
  return mask;
}
