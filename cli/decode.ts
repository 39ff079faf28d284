/** `dcomp decode IN.dcz [OUT]`, `dcomp decode IN... -o FOLDER` */
import type { Argv } from 'yargs';
import { DcompError } from '../src/errors.js';
import { SHOWS } from '../src/codec/decoder-options.js';
import { batchOf, batchOptions } from './batch/options.js';
import { runJobs } from './batch/run.js';
import type { DecodeSettings } from './decode-file.js';
import {
  bytesOption,
  cropOption,
  engineOptions,
  fileArguments,
  flag,
  isMessage,
  maxPixelsOption,
  MESSAGE_EXTENSION,
  maxWorkOption,
  metadataOf,
  metadataOption,
  numberOption,
  scaleOption,
  sizeOption,
  SIZE_UNITS,
  textOption,
  workOption,
  type RawArgs,
} from './options.js';
import { showOption } from './ways.js';
import {
  extensionOf,
  FORMAT_NAMES,
  formatOfName,
  formatOfOption,
  PICTURE_FORMATS,
  type PictureFormat,
} from '../formats/formats.js';

export function builder(yargs: Argv): void {
  batchOptions(yargs, '.dcz files, folders of them');
  yargs
    .option('bytes', {
      type: 'string',
      requiresArg: true,
      describe: `Use only this many bytes of the file: a coarser picture; ${SIZE_UNITS}`,
    })
    .option('scale', { type: 'string', requiresArg: true, describe: 'Smaller: 1/2 or 0.5, 1/4, …, in less time' })
    .option('crop', {
      type: 'string',
      requiresArg: true,
      describe: 'Only the rectangle x,y,width,height of the output, in less time',
    })
    .option('realism', {
      type: 'string',
      requiresArg: true,
      describe: '0 to 1: draw what the file does not tell, in place of the mean of all that it may be  [default: 0]',
    })
    .option('show', {
      type: 'string',
      requiresArg: true,
      describe: `For the ${SHOWS.join(' or the ')}, with the network of medium, which files of small take, too  [default: as the file was made]`,
    })
    .option('seed', { type: 'string', requiresArg: true, describe: 'Which picture is drawn  [default: 0]' })
    .option('format', {
      type: 'string',
      requiresArg: true,
      describe: `${PICTURE_FORMATS.join(', ')}  [default: by the output's name, else png]`,
    })
    .option('output-quality', {
      type: 'string',
      requiresArg: true,
      describe: 'Quality 1 to 100 of JPEG, WebP and AVIF  [default: 95, AVIF 85]',
    })
    .option('profile', {
      type: 'string',
      requiresArg: true,
      describe: 'message: the inputs are messages  [default: file]',
    })
    .option('size', { type: 'string', requiresArg: true, describe: 'WxH of a message that does not say it' })
    .option('allow-partial', {
      type: 'boolean',
      describe: 'Of a file that ends early make the coarser picture that is there, in place of failing',
    })
    .option('allow-damaged', {
      type: 'boolean',
      describe: 'Repair what can be, decode around the rest and say so, in place of failing',
    });
  sizeOption(yargs);
  workOption(yargs);
  metadataOption(yargs, 'all');
  engineOptions(yargs, 'the one that the file names');
  yargs
    .example('$0 decode photo.dcz', 'photo.png')
    .example('$0 decode photo.dcz photo.jpg --output-quality 80', 'A JPEG of another quality')
    .example('$0 decode photo.dcz small.png --scale 1/4', 'A quarter of the width and height')
    .example('$0 decode tiny.dcz --realism 0.7', 'With texture where the file tells little')
    .example('$0 decode coded -o back --jobs 4', 'All .dcz files of a folder, four at a time');
}

export async function run(args: RawArgs): Promise<number> {
  const maxBytes = bytesOption(args, 'bytes');
  const allowDamaged = flag(args, 'allow-damaged');
  const format = chosenFormat(args);
  const metadata = metadataOf(args, 'all');
  const outputQuality = outputQualityOf(args, format);
  if (isMessage(args)) return (await import('./message-decode.js')).runMessages(args, { format, outputQuality });
  if (args['size'] !== undefined)
    throw new DcompError('E_USAGE', '--size is for messages; a .dcz file says how large its picture is');
  const { plan, common, options } = await batchOf(args, {
    accepts: ['.dcz'],
    others: [MESSAGE_EXTENSION],
    extension: extensionOf(format),
    fields: { bytes: maxBytes?.toString() },
  });
  const { threads, engine, model } = common;
  return runJobs<DecodeSettings>(
    {
      name: 'decode',
      url: new URL('./decode-file.js', import.meta.url).href,
      settings: {
        maxBytes,
        allowDamaged,
        allowPartial: allowDamaged || maxBytes !== undefined || flag(args, 'allow-partial'),
        maxPixels: maxPixelsOption(args),
        maxWork: maxWorkOption(args),
        scale: scaleOption(args),
        crop: cropOption(args),
        realism: numberOption(args, 'realism', { min: 0, max: 1, whole: false }),
        show: showOption(args),
        seed: numberOption(args, 'seed', { min: 0, max: 2 ** 32 - 1, whole: true }),
        format,
        outputQuality,
        metadata,
        threads,
        engine,
        model,
      },
    },
    plan,
    options,
  );
}

/** @throws DcompError E_USAGE for formats without loss */
function outputQualityOf(args: RawArgs, format: PictureFormat): number | undefined {
  const quality = numberOption(args, 'output-quality', { min: 1, max: 100, whole: true });
  if (quality !== undefined && (format === 'png' || format === 'tiff'))
    throw new DcompError(
      'E_USAGE',
      `--output-quality is for JPEG, WebP and AVIF; ${FORMAT_NAMES[format]} is written without loss`,
    );
  return quality;
}

/** By --format, or else by the output's name: that after -o, or a second one. @throws DcompError E_USAGE */
function chosenFormat(args: RawArgs): PictureFormat {
  const asked = textOption(args, 'format');
  if (asked !== undefined) return formatOfOption(asked);
  const names = fileArguments(args, 'files');
  const output = textOption(args, 'output') ?? (names.length === 2 ? names[1] : undefined);
  return (output === undefined ? undefined : formatOfName(output)) ?? 'png';
}
