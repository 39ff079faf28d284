/** `dcomp encode IN [OUT.dcz]`, `dcomp encode IN... -o FOLDER` */
import type { Argv } from 'yargs';
import { DEFAULT_EFFORT, DEFAULT_QUALITY, maxErrorOfTarget, type Target } from '../src/codec/encoder-options.js';
import { DEFAULT_WEIGHT, type Region } from '../src/codec/region.js';
import { DEFAULT_VIEWS, VIEWS, type Views } from '../src/diffusion/schedule.js';
import { DcompError } from '../src/errors.js';
import { DEFAULT_MODEL, THOROUGH_MODEL } from '../src/models/registry.js';
import { MAX_SIDE } from '../src/picture.js';
import { readInput } from '../formats/files.js';
import { PICTURE_EXTENSIONS } from '../formats/formats.js';
import { FITS, type Resizing } from '../formats/resize.js';
import { batchOf, batchOptions } from './batch/options.js';
import { runJobs } from './batch/run.js';
import type { EncodeSettings } from './encode-file.js';
import {
  bytesOption,
  engineOptions,
  flag,
  isMessage,
  maxPixelsOption,
  maxWorkOption,
  metadataOf,
  metadataOption,
  numberOption,
  parseRectangle,
  sizeOption,
  SIZE_UNITS,
  textOption,
  textOptions,
  workOption,
  type CommonOptions,
  type RawArgs,
} from './options.js';
import { tuneOption } from './ways.js';
import { defined } from '../src/options.js';

const MOST_PERCENT = 10000;

/** Extensions of pictures that are told of when they are left out of a folder, unless they are among those that are read. */
const OTHER_PICTURES = (
  'apng arw bmp cr2 cr3 dds dng exr gif hdr heic heics heif heifs hif ico j2k jfif jp2 jpe jpeg jpf jpg jxl jxr nef ' +
  'orf pam pbm pcx pgm png pnm ppm psd qoi raf rw2 svg tga tif tiff webp avif'
)
  .split(' ')
  .map((name) => `.${name}`);

/** The ways to say how much the picture may cost; exactly one of them counts. */
const TARGETS: { name: string; read: (args: RawArgs, name: string) => number | undefined; make: MakeTarget }[] = [
  { name: 'quality', read: inRange(1, 100), make: (quality) => ({ quality }) },
  { name: 'bpp', read: inRange(0.001, 24), make: (bitsPerPixel) => ({ bitsPerPixel }) },
  { name: 'size', read: bytesOption, make: (size) => ({ size }) },
  { name: 'psnr', read: inRange(5, 100), make: (psnr) => ({ psnr }) },
  {
    name: 'max-error',
    read: (args, name) => numberOption(args, name, { min: 0, max: 255, whole: true }),
    make: (maxError) => ({ maxError }),
  },
];

type MakeTarget = (value: number) => Target;

/** Units that belong to another of the four. */
const UNITS: Record<string, string> = {
  db: 'psnr',
  bpp: 'bpp',
  ...Object.fromEntries(['b', 'k', 'kb', 'kib', 'm', 'mb', 'mib', 'bytes'].map((unit) => [unit, 'size'])),
};

function inRange(min: number, max: number): (args: RawArgs, name: string) => number | undefined {
  return (args, name) => {
    const units = Object.fromEntries(Object.entries(UNITS).filter(([, option]) => option !== name));
    return numberOption(args, name, { min, max, whole: false, units });
  };
}

export function builder(yargs: Argv): void {
  batchOptions(yargs, 'Pictures (PNG, BMP, with sharp JPEG, WebP, AVIF, TIFF, GIF), folders of them');
  targetOptions(yargs);
  codingOptions(yargs);
  sourceOptions(yargs);
  messageOptions(yargs);
  yargs.option('pixel-hash', { type: 'boolean', describe: 'Store a hash of the decoded pixels, for verify' });
  sizeOption(yargs);
  workOption(yargs);
  metadataOption(yargs, 'default');
  engineOptions(yargs, `${DEFAULT_MODEL}; ${THOROUGH_MODEL} with --profile message`);
  yargs
    .example('$0 encode photo.png', 'photo.dcz, quality 50')
    .example('$0 encode photo.png small.dcz --size 20k', 'At most 20000 bytes')
    .example('$0 encode photo.png --resize 1600x1200', 'Smaller before coding, in its shape')
    .example('$0 encode photos -o coded', 'All pictures of a folder')
    .example("$0 encode 'shots/*.png' -o 'out/{name}-{bpp}.dcz' --bpp 0.5", 'Those of a pattern, named by another');
}

/** What an option with a value has in common with all others. */
const VALUE = { type: 'string', requiresArg: true } as const;

/** How much the picture may cost, or how good it is to be. */
function targetOptions(yargs: Argv): void {
  yargs
    .option('quality', { alias: 'q', ...VALUE, describe: `Quality 1 to 100  [default: ${DEFAULT_QUALITY}]` })
    .option('bpp', { ...VALUE, describe: 'Or: bits per pixel, not to be exceeded' })
    .option('size', { ...VALUE, describe: `Or: bytes, not to be exceeded; ${SIZE_UNITS}` })
    .option('psnr', { ...VALUE, describe: 'Or: PSNR in dB, to be reached' })
    .option('lossless', { type: 'boolean', describe: 'Or: every sample as it is; by default with --model small' })
    .option('max-error', { ...VALUE, describe: 'Or: every sample within that of the original, 1 to 255' });
}

/** By what means it is coded. */
function codingOptions(yargs: Argv): void {
  yargs
    .option('plain', {
      type: 'boolean',
      describe:
        'Code without loss where that takes no more bytes; --no-plain: never  [default: true]; ' +
        'with --lossless or --max-error: --plain without the network and its previews, --no-plain always with it',
    })
    .option('alpha-quality', { ...VALUE, describe: 'Alpha: 0 (two values) to 100 (lossless)  [default: 100]' })
    .option('effort', {
      ...VALUE,
      describe: `Encoder's search, 1 (quick) to 9 (small file)  [default: ${DEFAULT_EFFORT}; 9 of a message]`,
    })
    .option('views', {
      ...VALUE,
      describe: `Evaluations that the picture shown is the mean of: 1, 2 or 4; fewer decode sooner  [default: 1; ${DEFAULT_VIEWS} with large, where a file holds the finest level]`,
    })
    .option('tune', {
      ...VALUE,
      describe: 'eye or psnr: what errors are spread for, by models that can  [default: psnr with --psnr, else eye]',
    });
}

/** What of the picture that is read is coded, and what of it counts most. */
function sourceOptions(yargs: Argv): void {
  yargs
    .option('resize', { ...VALUE, describe: 'Before coding: WxH, W or xH pixels as the picture is seen, or 50%' })
    .option('fit', { ...VALUE, describe: `With --resize WxH: ${FITS.join(', ')}  [default: inside]` })
    .option('roi', {
      ...VALUE,
      describe: `Where errors count more: x,y,width,height[:weight], weight 1/256 to 256  [default weight: ${DEFAULT_WEIGHT}]`,
    })
    .option('roi-mask', {
      ...VALUE,
      describe: 'Or: picture of the same size, white where errors count most, black where 1/16 of that',
    })
    .option('exact', { type: 'boolean', describe: 'Keep the colour of wholly transparent pixels' })
    .option('allow-damaged', {
      type: 'boolean',
      describe: 'Read what is there of a damaged picture and say so, in place of failing',
    });
}

function messageOptions(yargs: Argv): void {
  yargs
    .option('profile', {
      ...VALUE,
      describe: 'message: at most --size bytes of a picture alone, without anything else  [default: file]',
    })
    .option('crc', { ...VALUE, describe: 'Of a message: checksum of 0, 8, 16 or 32 bits  [default: 0]' })
    .option('size-is-told', { type: 'boolean', describe: 'Of a message: who decodes it knows width and height' });
}

/** @throws DcompError E_USAGE if more than one target is given */
export function chooseTarget(args: RawArgs): Target {
  const given = TARGETS.flatMap(({ name, read, make }) => {
    const value = read(args, name);
    return value === undefined ? [] : [{ name, target: make(value) }];
  });
  if (flag(args, 'lossless')) given.push({ name: 'lossless', target: 'lossless' });
  if (given.length > 1) {
    throw new DcompError(
      'E_USAGE',
      `${given.map(({ name }) => `--${name}`).join(' and ')} contradict each other; give one of them`,
    );
  }
  return given[0]?.target ?? { quality: DEFAULT_QUALITY };
}

/** For the names of outputs: the value of the target that counts. */
function targetFields(target: Target): Record<string, string | undefined> {
  const values: Record<string, number | undefined> = target === 'lossless' ? {} : { ...target };
  values.bpp = values.bitsPerPixel;
  values['max-error'] = values['maxError'];
  return Object.fromEntries(TARGETS.map(({ name }) => [name, values[name]?.toString()]));
}

/** @throws DcompError E_USAGE */
function viewsOf(args: RawArgs): Views | undefined {
  const given = numberOption(args, 'views', { min: 1, max: 4, whole: true });
  const views = VIEWS.find((views) => views === given);
  if (given !== undefined && views === undefined)
    throw new DcompError('E_USAGE', `--views is ${given}; it must be 1, 2 or 4`);
  return views;
}

/** @throws DcompError E_USAGE */
export function resizeOf(args: RawArgs): Resizing | undefined {
  const text = textOption(args, 'resize');
  const given = textOption(args, 'fit');
  const fit = FITS.find((each) => each === (given ?? 'inside'));
  if (fit === undefined) throw new DcompError('E_USAGE', `--fit is ${given}; it must be one of ${FITS.join(', ')}`);
  const [, percent, width, by, height] = /^(?:(\d+\.?\d*|\.\d+)%|(\d+)?(x)?(\d+)?)$/i.exec(text ?? '') ?? [];
  if (given !== undefined && (width === undefined || height === undefined))
    throw new DcompError('E_USAGE', '--fit says how a picture comes into a width and a height: --resize WxH');
  if (text === undefined) return undefined;
  const sides = [width, height].map((side) => (side === undefined ? undefined : Number(side)));
  const right =
    percent !== undefined
      ? Number(percent) > 0 && Number(percent) <= MOST_PERCENT
      : sides.some((side) => side !== undefined) &&
        sides.every((side) => side === undefined || (side >= 1 && side <= MAX_SIDE));
  if (!right || (height !== undefined && by === undefined))
    throw new DcompError(
      'E_USAGE',
      `--resize is ${text}; it must be WxH, W or xH, in whole pixels from 1 to ${MAX_SIDE}, or a percentage such as 50%`,
    );
  if (percent !== undefined) return { scale: Number(percent) / 100, fit };
  return {
    ...defined({ width: sides[0], height: sides[1] }),
    fit,
  };
}

/** @throws DcompError E_USAGE, E_IO */
function regionsOf(args: RawArgs): Pick<EncodeSettings, 'regions' | 'mask'> {
  const regions = textOptions(args, 'roi').map(parseRegion);
  const mask = textOption(args, 'roi-mask');
  if (mask === undefined) return { regions, mask: undefined };
  if (regions.length > 0)
    throw new DcompError('E_USAGE', '--roi and --roi-mask contradict each other; give one of them');
  return { regions, mask: readInput(mask) };
}

/** `x,y,width,height[:weight]` @throws DcompError E_USAGE */
function parseRegion(text: string): Region {
  const match = /^([^:]*)(?::(\d+(?:\.\d+)?|1\/\d+))?$/.exec(text);
  const rectangle = parseRectangle(match?.[1] ?? '');
  if (match === null || rectangle === undefined)
    throw new DcompError('E_USAGE', `--roi is "${text}"; it must be x,y,width,height in pixels, and perhaps :weight`);
  const weight = match[2];
  if (weight === undefined) return rectangle;
  const value = weight.startsWith('1/') ? 1 / Number(weight.slice(2)) : Number(weight);
  if (value < 1 / 256 || value > 256)
    throw new DcompError('E_USAGE', `--roi is "${text}"; its weight must be from 1/256 to 256`);
  return { ...rectangle, weight: value };
}

/** What says where errors may be larger is refused with targets that hold for every sample. @throws DcompError E_USAGE */
function checkExact(args: RawArgs, target: Target): void {
  if (maxErrorOfTarget(target) === undefined) return;
  const stray = ['roi', 'roi-mask', 'alpha-quality'].find((name) => args[name] !== undefined);
  if (stray !== undefined)
    throw new DcompError(
      'E_USAGE',
      `--${stray} has no effect with --${target === 'lossless' ? target : 'max-error'}, which holds for all samples alike; leave it out`,
    );
}

/** What options say, whatever the files. @throws DcompError E_USAGE, E_IO */
export function settingsOf(
  args: RawArgs,
  { threads, engine, model }: Pick<CommonOptions, 'threads' | 'engine' | 'model'>,
): EncodeSettings {
  const target = chooseTarget(args);
  checkExact(args, target);
  return {
    target,
    effort: numberOption(args, 'effort', { min: 1, max: 9, whole: true }),
    views: viewsOf(args),
    tune: tuneOption(args),
    alphaQuality: numberOption(args, 'alpha-quality', { min: 0, max: 100, whole: false }),
    metadata: metadataOf(args, 'default'),
    resize: resizeOf(args),
    ...regionsOf(args),
    pixelHash: flag(args, 'pixel-hash'),
    exact: flag(args, 'exact'),
    plain: typeof args.plain === 'boolean' ? args.plain : undefined,
    allowDamaged: flag(args, 'allow-damaged'),
    maxPixels: maxPixelsOption(args),
    maxWork: maxWorkOption(args),
    threads,
    engine,
    model,
  };
}

export async function run(args: RawArgs): Promise<number> {
  if (isMessage(args)) return (await import('./message-encode.js')).runMessages(args);
  const effort = numberOption(args, 'effort', { min: 1, max: 9, whole: true }) ?? 'default';
  const { plan, common, options } = await batchOf(args, {
    accepts: PICTURE_EXTENSIONS,
    others: OTHER_PICTURES,
    extension: '.dcz',
    fields: { ...targetFields(chooseTarget(args)), effort: String(effort) },
  });
  const url = new URL('./encode-file.js', import.meta.url).href;
  return runJobs({ name: 'encode', url, settings: settingsOf(args, common) }, plan, options);
}
