/** `dcomp decode IN.dcz [OUT]`, `dcomp decode IN... -o FOLDER` */
import type { Argv } from 'yargs';
import { decode, DcompError, info, verify, type EngineName, type GivenModel, type Rectangle } from '../src/node.js';
import type { Coded, Hooks } from './batch/coder.js';
import { batchOf, batchOptions } from './batch/options.js';
import { runJobs } from './batch/run.js';
import {
  bytesOption,
  cropOption,
  engineOptions,
  fileArguments,
  flag,
  isMessage,
  maxPixelsOption,
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
import {
  extensionOf,
  FORMAT_NAMES,
  formatOfName,
  formatOfOption,
  PICTURE_FORMATS,
  type PictureFormat,
} from '../formats/formats.js';
import type { MetadataChoice } from '../formats/metadata.js';
import { writePicture } from '../formats/write.js';
import { refusePicture } from './not-coded.js';

export function builder(yargs: Argv): void {
  batchOptions(yargs, '.dcz files, folders of them');
  yargs
    .option('bytes', {
      type: 'string',
      requiresArg: true,
      describe: `Use only this many bytes of the file: a coarser picture; ${SIZE_UNITS}`,
    })
    .option('scale', { type: 'string', requiresArg: true, describe: 'Smaller: 1/2, 1/4, …, in less time' })
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
  engineOptions(yargs);
  yargs
    .example('$0 decode photo.dcz', 'photo.png')
    .example('$0 decode photo.dcz photo.jpg --output-quality 80', 'A JPEG of another quality')
    .example('$0 decode photo.dcz small.png --scale 1/4', 'A quarter of the width and height')
    .example('$0 decode tiny.dcz --realism 0.7', 'With texture where the file tells little')
    .example('$0 decode coded -o back --jobs 4', 'All .dcz files of a folder, four at a time');
}

export interface DecodeSettings {
  maxBytes: number | undefined;
  allowDamaged: boolean;
  allowPartial: boolean;
  maxPixels: number;
  maxWork: number | undefined;
  scale: number | undefined;
  crop: Rectangle | undefined;
  realism: number | undefined;
  seed: number | undefined;
  format: PictureFormat;
  outputQuality: number | undefined;
  metadata: MetadataChoice;
  threads: number;
  engine: EngineName;
  model: GivenModel | undefined;
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
    extension: extensionOf(format),
    fields: { bytes: maxBytes?.toString() },
  });
  const { threads, engine, model } = common;
  return runJobs(
    {
      name: 'decode',
      url: import.meta.url,
      settings: {
        maxBytes,
        allowDamaged,
        allowPartial: allowDamaged || maxBytes !== undefined || flag(args, 'allow-partial'),
        maxPixels: maxPixelsOption(args),
        maxWork: maxWorkOption(args),
        scale: scaleOption(args),
        crop: cropOption(args),
        realism: numberOption(args, 'realism', { min: 0, max: 1, whole: false }),
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

function endsEarly({ length }: Uint8Array): DcompError {
  return new DcompError(
    'E_TRUNCATED',
    `the file ends early, after ${length} bytes; get the whole file, or use --allow-partial for the coarser picture that is there`,
  );
}

/** Whether a file ends early and nothing else is wrong with it: what else is, `decode` says. */
async function isCut(input: Uint8Array): Promise<boolean> {
  try {
    return info(input).truncated && (await verify(input)).state === 'cut';
  } catch {
    return false;
  }
}

/** A .dcz file to a picture file. @throws DcompError as `decode` */
export async function code(input: Uint8Array, settings: DecodeSettings, { onProgress }: Hooks): Promise<Coded> {
  const {
    maxBytes,
    allowDamaged,
    allowPartial,
    maxPixels,
    maxWork,
    scale,
    crop,
    realism,
    seed,
    format,
    outputQuality,
    metadata,
    threads,
    engine,
    model,
  } = settings;
  const damage: string[] = [];
  const started = performance.now();
  refusePicture(input);
  if (!allowPartial && (await isCut(input))) throw endsEarly(input);
  const picture = await decode(input, {
    allowDamaged,
    maxPixels,
    ...(maxWork === undefined ? {} : { maxWork }),
    threads,
    engine,
    onDamage: (message) => damage.push(message),
    ...(scale === undefined ? {} : { scale }),
    ...(crop === undefined ? {} : { crop }),
    ...(realism === undefined ? {} : { realism }),
    ...(seed === undefined ? {} : { seed }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(model === undefined ? {} : { model }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  const { truncated, trailing } = picture;
  const decoded = performance.now();
  const { data: _data, metadata: _metadata, ...figures } = picture;
  const { width, height } = figures;
  const used = maxBytes === undefined ? input : input.subarray(0, maxBytes);
  const { segments, bitsPerPixel } = info(used);
  const idealBits = segments.reduce((sum, segment) => sum + segment.idealBits, 0);
  const realBits = segments.reduce((sum, segment) => sum + segment.bits, 0);
  const { bytes, notices } = await writePicture(picture, format, metadata, outputQuality);
  return {
    bytes,
    figures: { ...figures, bitsPerPixel, idealBits, realBits },
    seconds: { read: 0, code: (decoded - started) / 1000, write: (performance.now() - decoded) / 1000 },
    summary: `${width}×${height} pixels`,
    notices: trailing === 0 ? notices : [...notices, `${trailing} bytes behind the end of the file are left out`],
    damage:
      truncated && maxBytes === undefined ? [...damage, 'the file ends early: the picture is a coarser one'] : damage,
  };
}
