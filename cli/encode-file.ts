/** What `dcomp encode` does with one file; apart, so that the command itself starts without the codec. */
import type { MetadataChoice } from '../formats/metadata.js';
import { readPicture } from '../formats/read.js';
import { resizePicture, type Resizing } from '../formats/resize.js';
import {
  DcompError,
  encode,
  withDepth,
  type EngineName,
  type GivenModel,
  type Importance,
  type Picture,
  type Region,
  type Target,
  type Tune,
  type Views,
} from '../src/node.js';
import type { Coded, Hooks } from './batch/coder.js';
import { wrongTool } from './worth.js';
import { defined } from '../src/options.js';

export interface EncodeSettings {
  target: Target;
  effort: number | undefined;
  views: Views | undefined;
  tune: Tune | undefined;
  alphaQuality: number | undefined;
  metadata: MetadataChoice;
  resize: Resizing | undefined;
  pixelHash: boolean;
  exact: boolean;
  plain: boolean | undefined;
  allowDamaged: boolean;
  regions: Region[];
  mask: Uint8Array | undefined;
  maxPixels: number;
  maxWork: number | undefined;
  threads: number;
  engine: EngineName;
  model: GivenModel | undefined;
}

/** The most of a mask's colours decides. @throws DcompError E_USAGE if it has another size */
async function importanceOf(
  { regions, mask: file }: EncodeSettings,
  { width, height }: Picture,
): Promise<Importance | undefined> {
  if (file === undefined) return regions.length === 0 ? undefined : { regions };
  const picture = withDepth((await readPicture(file, 'none')).picture, 8);
  if (picture.width !== width || picture.height !== height) {
    throw new DcompError(
      'E_USAGE',
      `the mask has ${picture.width}×${picture.height} pixels, the picture ${width}×${height}; they must be of one size`,
    );
  }
  const { data, channels } = picture;
  const mask = new Uint8Array(width * height);
  for (let i = 0, at = 0; i < mask.length; i++, at += channels)
    mask[i] = channels <= 2 ? data[at]! : Math.max(data[at]!, data[at + 1]!, data[at + 2]!);
  return { mask };
}

/** A picture file to a .dcz file. @throws DcompError as `readPicture` and `encode` */
export async function code(input: Uint8Array, settings: EncodeSettings, { onProgress }: Hooks): Promise<Coded> {
  const {
    target,
    effort,
    views,
    tune,
    alphaQuality,
    metadata,
    resize,
    pixelHash,
    exact,
    plain,
    maxPixels,
    maxWork,
    threads,
    engine,
    model,
  } = settings;
  const started = performance.now();
  const { picture: read, notices, damage } = await readPicture(input, metadata, maxPixels, settings.allowDamaged);
  const picture = resize === undefined ? read : await resizePicture(read, resize, maxPixels);
  const importance = await importanceOf(settings, picture);
  const ready = performance.now();
  const { bytes, ...figures } = await encode(picture, {
    target,
    pixelHash,
    exact,
    maxPixels,
    threads,
    engine,
    ...defined({ importance, maxWork, plain, effort, views, tune, alphaQuality, model, onProgress }),
  });
  const bitsPerPixel = figures.realBits / (picture.width * picture.height);
  const sizes = { inputBytes: input.length, outputBytes: bytes.length, bitsPerPixel };
  return {
    bytes,
    figures: { channels: picture.channels, ...figures },
    seconds: { read: (ready - started) / 1000, code: (performance.now() - ready) / 1000, write: 0 },
    summary: `${bytes.length} bytes, ${figures.bitsPerPixel.toFixed(3)} bits per pixel${figures.form === 'plain' ? ', without loss' : ''}`,
    notices: [...notices, ...wrongTool(sizes, target, figures.form === 'plain')],
    damage,
  };
}
