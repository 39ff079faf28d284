/** `dcomp decode --profile message`: messages to pictures. */
import { DcompError } from '../src/errors.js';
import { decodeMessage, type EngineName, type GivenModel } from '../src/node.js';
import type { PictureFormat } from '../formats/formats.js';
import { extensionOf } from '../formats/formats.js';
import { writePicture } from '../formats/write.js';
import type { Coded, Hooks } from './batch/coder.js';
import { batchOf } from './batch/options.js';
import { runJobs } from './batch/run.js';
import { bytesOption, flag, maxPixelsOption, MESSAGE_EXTENSION, textOption, type RawArgs } from './options.js';
import { defined } from '../src/options.js';

/** Options of `decode` that mean nothing for a message. */
const FILE_ONLY = ['scale', 'crop', 'realism', 'show', 'seed', 'max-work'];

/** What the reader knows of a message, and what it becomes. */
export interface MessageReading {
  size: { width: number; height: number } | undefined;
  maxBytes: number | undefined;
  allowDamaged: boolean;
  maxPixels: number;
  format: PictureFormat;
  outputQuality: number | undefined;
  threads: number;
  engine: EngineName;
  model: GivenModel | undefined;
}

/** `WxH`; undefined if it was not given. @throws DcompError E_USAGE */
function sizeOption(args: RawArgs): MessageReading['size'] {
  const text = textOption(args, 'size');
  if (text === undefined) return undefined;
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/i.exec(text) ?? [];
  if (height === undefined) throw new DcompError('E_USAGE', `--size is ${text}; it must be WxH, such as 160x120`);
  return { width: Number(width), height: Number(height) };
}

/** @returns the exit code @throws DcompError E_USAGE, E_IO */
export async function runMessages(
  args: RawArgs,
  { format, outputQuality }: Pick<MessageReading, 'format' | 'outputQuality'>,
): Promise<number> {
  const wrong = FILE_ONLY.find((name) => args[name] !== undefined);
  if (wrong !== undefined) throw new DcompError('E_USAGE', `--${wrong} is not for messages; decode the whole picture`);
  const maxBytes = bytesOption(args, 'bytes');
  const size = sizeOption(args);
  const { plan, common, options } = await batchOf(args, {
    accepts: [MESSAGE_EXTENSION],
    extension: extensionOf(format),
    fields: { bytes: maxBytes?.toString() },
  });
  const { threads, engine, model } = common;
  const allowDamaged = flag(args, 'allow-damaged') || flag(args, 'allow-partial') || maxBytes !== undefined;
  const maxPixels = maxPixelsOption(args);
  const settings: MessageReading = {
    size,
    maxBytes,
    allowDamaged,
    maxPixels,
    format,
    outputQuality,
    threads,
    engine,
    model,
  };
  return runJobs({ name: 'decode', url: import.meta.url, settings }, plan, options);
}

/** A message to a picture file. @throws DcompError as `decodeMessage` */
export async function code(input: Uint8Array, settings: MessageReading, _hooks: Hooks): Promise<Coded> {
  const { size, maxBytes, allowDamaged, maxPixels, format, outputQuality, threads, engine, model } = settings;
  const started = performance.now();
  const used = input.subarray(0, maxBytes);
  const { data, evaluations, work, ...shape } = await decodeMessage(used, {
    allowDamaged,
    maxPixels,
    threads,
    engine,
    ...defined({ size, model }),
  });
  const decoded = performance.now();
  const { bytes, notices } = await writePicture({ ...shape, data }, format, 'none', outputQuality);
  const { width, height } = shape;
  return {
    bytes,
    figures: { width, height, evaluations, work, bitsPerPixel: (8 * used.length) / (width * height) },
    seconds: { read: 0, code: (decoded - started) / 1000, write: (performance.now() - decoded) / 1000 },
    summary: `${width}×${height} pixels`,
    notices,
    damage: [],
  };
}
