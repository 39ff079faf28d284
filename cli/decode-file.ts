/** What `dcomp decode` does with one file; apart, so that the command itself starts without the codec. */
import {
  decode,
  DcompError,
  info,
  repair,
  verify,
  type DecodeResult,
  type EngineName,
  type GivenModel,
  type Rectangle,
  type Show,
} from '../src/node.js';
import type { PictureFormat } from '../formats/formats.js';
import type { MetadataChoice } from '../formats/metadata.js';
import { writePicture } from '../formats/write.js';
import type { Coded, Hooks } from './batch/coder.js';
import { orMessage, refusePicture } from './not-coded.js';
import { defined } from '../src/options.js';

export interface DecodeSettings {
  maxBytes: number | undefined;
  allowDamaged: boolean;
  allowPartial: boolean;
  maxPixels: number;
  maxWork: number | undefined;
  scale: number | undefined;
  crop: Rectangle | undefined;
  realism: number | undefined;
  show: Show | undefined;
  seed: number | undefined;
  format: PictureFormat;
  outputQuality: number | undefined;
  metadata: MetadataChoice;
  threads: number;
  engine: EngineName;
  model: GivenModel | undefined;
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

/** @throws DcompError as `decode`, with what to do */
async function decoded(
  input: Uint8Array,
  settings: DecodeSettings,
  hooks: Hooks & { onDamage: (message: string) => void },
): Promise<DecodeResult> {
  const { maxBytes, maxWork, scale, crop, realism, show, seed, model } = settings;
  const { allowDamaged, allowPartial, maxPixels, threads, engine } = settings;
  refusePicture(input);
  if (!allowPartial && (await isCut(input))) throw endsEarly(input);
  try {
    return await decode(input, {
      allowDamaged,
      maxPixels,
      threads,
      engine,
      onDamage: hooks.onDamage,
      ...defined({ maxWork, onProgress: hooks.onProgress, scale, crop, realism, show, seed, maxBytes, model }),
    });
  } catch (error) {
    throw orMessage(error, input);
  }
}

/** A .dcz file to a picture file. @throws DcompError as `decode` */
export async function code(input: Uint8Array, settings: DecodeSettings, hooks: Hooks): Promise<Coded> {
  const { maxBytes, format, outputQuality, metadata } = settings;
  const damage: string[] = [];
  const started = performance.now();
  const picture = await decoded(input, settings, { ...hooks, onDamage: (message) => damage.push(message) });
  const { truncated, trailing } = picture;
  const shown = performance.now();
  const { data: _data, metadata: _metadata, ...figures } = picture;
  const { width, height } = figures;
  // What is wrong in a header, `info` does not read over.
  const mended = damage.length === 0 ? input : (await repair(input)).bytes;
  const { segments, bitsPerPixel } = info(maxBytes === undefined ? mended : mended.subarray(0, maxBytes));
  const idealBits = segments.reduce((sum, segment) => sum + segment.idealBits, 0);
  const realBits = segments.reduce((sum, segment) => sum + segment.bits, 0);
  const { bytes, notices } = await writePicture(picture, format, metadata, outputQuality);
  return {
    bytes,
    figures: { ...figures, bitsPerPixel, idealBits, realBits },
    seconds: { read: 0, code: (shown - started) / 1000, write: (performance.now() - shown) / 1000 },
    summary: `${width}×${height} pixels`,
    notices: trailing === 0 ? notices : [...notices, `${trailing} bytes behind the end of the file are left out`],
    damage:
      truncated && maxBytes === undefined ? [...damage, 'the file ends early: the picture is a coarser one'] : damage,
  };
}
