/** What the encoder can be asked for, what it gives, and what is wrong with what it is asked. */
import { DcompError } from '../errors.js';
import {
  checkObject,
  checkValues,
  isBoolean,
  isFunction,
  isNumber,
  isOneOf,
  isSignal,
  isWhole,
  type Check,
  type Checks,
} from '../options.js';
import { DEFAULT_MAX_PIXELS, pictureOf, type Picture } from '../picture.js';
import { MAX_MAX_ERROR } from '../container/exact-part.js';
import type { Form } from '../container/container.js';
import { VIEWS, type Schedule, type Views } from '../diffusion/schedule.js';
import { withoutTurns, type Pause } from '../turns.js';
import { DECODER_CHECKS, type Progress } from './decoder-options.js';
import { checkImportance, importanceOf, type Importance } from './region.js';

export type { Progress };

/** What the encoder aims at: exactly one of these. */
export type Target =
  /**
   * 1 (smallest) to 100 (best): about the SSIMULACRA 2 score that photographs come out with, up to 90. It is foreseen from the
   * picture, and says at which noise level the file ends.
   */
  | { quality: number }
  /** Bits per pixel, above 0 and up to 1000; the file is at most width · height · bitsPerPixel / 8 bytes. */
  | { bitsPerPixel: number }
  /** Bytes of the file, at most; a whole number, at least 1. */
  | { size: number }
  /**
   * PSNR in dB, above 0 and up to 100, over all colour samples of the decoded picture, at least; colours under alpha 0 count as what
   * replaces them, unless they are kept (`exact`).
   */
  | { psnr: number }
  /** Every sample within that of the original, also colours under alpha 0; a whole number, 0 to 255. Alpha is kept as it is. */
  | { maxError: number }
  /** Every sample as it is, also colours under alpha 0. */
  | 'lossless';

/** Those that end with the samples themselves, or with what is next to them. */
export type ExactTarget = Extract<Target, 'lossless' | { maxError: number }>;

/** Those whose error is not bounded. */
export type LossyTarget = Exclude<Target, ExactTarget>;

/** Largest error of a sample that a target allows; undefined where it is not bounded. */
export function maxErrorOfTarget(target: Target | undefined): number | undefined {
  if (target === 'lossless') return 0;
  return target !== undefined && 'maxError' in target ? target.maxError : undefined;
}

/** What the errors of a picture are spread for. */
export type Tune = 'eye' | 'psnr';
/** What `tune` may be. */
export const TUNES = ['eye', 'psnr'] as const;

/** What a picture is coded to, and how. */
export interface EncoderOptions {
  target?: Target;
  /** 1..9: how long the searches are; log2 of the states of that for signs at level 0 is 7 + effort. More is slower and smaller. Default: 8. */
  effort?: number;
  /**
   * Evaluations that each picture shown is the mean of: 1, 2 or 4; fewer decode sooner, 4 are up to 0.14 dB
   * better. With 1, steps of levels ≥ 1 have one, too. Default: 1; files that measure
   * levels by and by have 2 where they hold the finest one or are for PSNR.
   */
  views?: Views;
  /**
   * What errors are spread for, by models that measure levels straight: the eye, to which coarse structure matters more, or plain squared
   * error. Default: psnr for a target of PSNR, else eye.
   */
  tune?: Tune;
  /** Where squared errors count more: regions or a mask. Default: everywhere alike, as of a target without loss or of an error always. */
  importance?: Importance;
  /** Stores the hash of the decoded samples, which `verify` compares; costs a decoding. */
  pixelHash?: boolean;
  /** Refuse pictures of more pixels; default 2^25. */
  maxPixels?: number;
  /**
   * Refuse pictures of which the file may take more work to decode, in megapixels through the network (`work` of `info`); encoding takes
   * up to some three times that. Default: as `decode` has it, so that what is made is decoded.
   */
  maxWork?: number;
  /** 0 to 100: how many different values alpha keeps, from 2 up; 100, the default, is lossless, as that of exact targets always is. */
  alphaQuality?: number;
  /** Keeps the colour of pixels whose alpha is 0, which is otherwise replaced by what costs least. Default false. */
  exact?: boolean;
  /**
   * Whether the samples may be coded plainly, without loss, where that takes no more bytes: the rule for drawings, screenshots and
   * tiny pictures. Default true. Of a target without loss or of an error: true for the plain form, without the network and the
   * previews that it gives, false for the network; by default, the network is for photographs.
   */
  plain?: boolean;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

/** What benches and tests may choose besides; not every schedule is worth having. */
export interface EncodingOptions extends EncoderOptions {
  /** Default: as the model has it, and `tune`. `views` goes before its own, and the target before its last code. */
  schedule?: Schedule;
  /** Where turns are given; default: nowhere. */
  pause?: Pause;
}

/** A coded file with its figures. */
export interface EncodeResult {
  bytes: Uint8Array;
  /** plain: without loss, and without the network. */
  form: Form;
  width: number;
  height: number;
  bitsPerPixel: number;
  /** Bits of the model's KL with an ideal Gaussian channel for the units in the file, and bits spent on them. */
  idealBits: number;
  realBits: number;
  /** Network evaluations of the encoder; `work` counts them in evaluations of the full resolution. */
  evaluations: number;
  work: number;
  /** What the network was computed on: `WebAssembly` or `WebGPU` and the GPU's name; left out where no network was needed. */
  engine?: string;
}

/** Target of an encoding that names none. */
export const DEFAULT_QUALITY = 50;
/** Effort of an encoding that names none. */
export const DEFAULT_EFFORT = 8;

const TARGETS: Checks<{ quality: number; bitsPerPixel: number; size: number; psnr: number; maxError: number }> = {
  quality: isNumber('a number from 1 to 100', (value) => value >= 1 && value <= 100),
  bitsPerPixel: isNumber('a number above 0 and up to 1000', (value) => value > 0 && value <= 1000),
  size: isWhole(1, Infinity, ' of bytes'),
  psnr: isNumber('a number of decibels above 0 and up to 100', (value) => value > 0 && value <= 100),
  maxError: isWhole(0, MAX_MAX_ERROR),
};

/** @throws DcompError E_USAGE unless it is a target */
export const checkTarget: Check<Target> = (target, name) => {
  if (target === 'lossless') return target;
  checkObject(target, name, 'an object such as { quality: 50 }, or "lossless"');
  const given = Object.keys(target).filter((key) => target[key as keyof typeof target] !== undefined);
  const known = given.filter((key) => Object.hasOwn(TARGETS, key));
  if (given.length !== 1 || known.length !== 1)
    throw new DcompError(
      'E_USAGE',
      `the target needs exactly one of quality, bitsPerPixel, size, psnr and maxError; it has ${given.length === 0 ? 'none' : given.join(' and ')}`,
    );
  return checkValues(target as Record<string, unknown>, TARGETS) as Target;
};

/** What each of the encoder's options can be. */
export const ENCODER_CHECKS: Checks<EncoderOptions> = {
  target: checkTarget,
  effort: isWhole(1, 9),
  views: isOneOf(VIEWS),
  tune: isOneOf(TUNES),
  importance: importanceOf,
  pixelHash: isBoolean,
  maxPixels: DECODER_CHECKS.maxPixels,
  maxWork: DECODER_CHECKS.maxWork,
  alphaQuality: isNumber('a number from 0 to 100', (value) => value >= 0 && value <= 100),
  exact: isBoolean,
  plain: isBoolean,
  onProgress: isFunction,
  signal: isSignal,
};

/**
 * What can be said against an encoding before a model is at hand.
 * @returns the picture as the codec takes it
 * @throws DcompError E_PICTURE, E_TOO_LARGE, E_USAGE
 */
export function checkEncoding(source: unknown, options: EncoderOptions): Picture {
  const picture = pictureOf(source);
  const { importance, maxPixels = DEFAULT_MAX_PIXELS } = checkValues<EncoderOptions>({ ...options }, ENCODER_CHECKS);
  const { width, height } = picture;
  if (width * height > maxPixels)
    throw new DcompError(
      'E_TOO_LARGE',
      `the picture has ${width}×${height} pixels, more than the limit of ${maxPixels}; raise the limit (maxPixels) to encode it`,
    );
  if (importance !== undefined) checkImportance(importance, picture);
  return picture;
}

/** log2 of the states of the search for signs at level 0. */
export function nuOf({ effort = DEFAULT_EFFORT }: EncodingOptions): number {
  return 7 + effort;
}

/** Where turns are given. */
export function pauseOf({ pause, signal }: EncodingOptions): Pause {
  return pause ?? withoutTurns(signal);
}

/** Bytes that a target allows. */
export function sizeOf(target: { size: number } | { bitsPerPixel: number }, { width, height }: Picture): number {
  return 'size' in target ? target.size : Math.floor((width * height * target.bitsPerPixel) / 8);
}
