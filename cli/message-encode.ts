/** `dcomp encode --profile message`: pictures to messages. */
import { DcompError } from '../src/errors.js';
import { encodeMessages, MESSAGE_CHECKS, type EngineName, type GivenModel, type MessageCheck } from '../src/node.js';
import { PICTURE_EXTENSIONS } from '../formats/formats.js';
import { readPicture } from '../formats/read.js';
import { resizePicture, type Resizing } from '../formats/resize.js';
import { barePicture } from '../formats/upright.js';
import type { Coded, Hooks } from './batch/coder.js';
import { batchOf } from './batch/options.js';
import { runJobs } from './batch/run.js';
import { resizeOf } from './encode.js';
import { bytesOption, flag, maxPixelsOption, MESSAGE_EXTENSION, numberOption, type RawArgs } from './options.js';
import { defined } from '../src/options.js';

/** Options of `encode` that mean nothing for a message. */
const FILE_ONLY =
  'quality bpp psnr lossless max-error plain tune alpha-quality views roi roi-mask exact pixel-hash max-work'.split(
    ' ',
  );

/** What a picture's message is to be like. */
export interface MessageSettings {
  size: number;
  check: MessageCheck;
  sizeIsTold: boolean;
  effort: number | undefined;
  resize: Resizing | undefined;
  allowDamaged: boolean;
  maxPixels: number;
  threads: number;
  engine: EngineName;
  model: GivenModel | undefined;
}

/** @throws DcompError E_USAGE */
function checkOption(args: RawArgs): MessageCheck {
  const given = numberOption(args, 'crc', { min: 0, max: 32, whole: true }) ?? 0;
  const check = MESSAGE_CHECKS.find((bits) => bits === given);
  if (check === undefined) throw new DcompError('E_USAGE', `--crc is ${given}; it must be 0, 8, 16 or 32 bits`);
  return check;
}

/** @returns the exit code @throws DcompError E_USAGE, E_IO */
export async function runMessages(args: RawArgs): Promise<number> {
  const wrong = FILE_ONLY.find((name) => args[name] !== undefined && args[name] !== false);
  if (wrong !== undefined)
    throw new DcompError(
      'E_USAGE',
      `--${wrong} is not for messages, which have a size in bytes and the best picture of it`,
    );
  const size = bytesOption(args, 'size');
  if (size === undefined) throw new DcompError('E_USAGE', 'say how long a message may be: --size');
  const { plan, common, options } = await batchOf(args, {
    accepts: PICTURE_EXTENSIONS,
    extension: MESSAGE_EXTENSION,
    fields: { size: size.toString() },
  });
  const settings: MessageSettings = {
    size,
    check: checkOption(args),
    sizeIsTold: flag(args, 'size-is-told'),
    effort: numberOption(args, 'effort', { min: 1, max: 9, whole: true }),
    resize: resizeOf(args),
    allowDamaged: flag(args, 'allow-damaged'),
    maxPixels: maxPixelsOption(args),
    threads: common.threads,
    engine: common.engine,
    model: common.model,
  };
  return runJobs({ name: 'encode', url: import.meta.url, settings }, plan, options);
}

/** A picture file to a message. @throws DcompError as `readPicture` and `encodeMessages` */
export async function code(input: Uint8Array, settings: MessageSettings, { onProgress }: Hooks): Promise<Coded> {
  const { size, check, sizeIsTold, effort, resize, maxPixels, threads, engine, model } = settings;
  const started = performance.now();
  const { picture: read, damage } = await readPicture(input, 'default', maxPixels, settings.allowDamaged);
  const resized = resize === undefined ? read : await resizePicture(read, resize, maxPixels);
  const { picture, notices } = await barePicture(resized);
  const ready = performance.now();
  const [message] = await encodeMessages(picture, [size], {
    check,
    sizeIsTold,
    threads,
    engine,
    ...defined({ effort, model, onProgress }),
  });
  const { bytes, psnr } = message!;
  const { width, height } = picture;
  return {
    bytes,
    figures: { width, height, psnr, bitsPerPixel: (8 * bytes.length) / (width * height) },
    seconds: { read: (ready - started) / 1000, code: (performance.now() - ready) / 1000, write: 0 },
    summary: `${width}×${height} pixels in ${bytes.length} bytes, ${psnr.toFixed(2)} dB${sizeIsTold ? `; tell decode its size: --size ${width}x${height}` : ''}`,
    notices,
    damage,
  };
}
