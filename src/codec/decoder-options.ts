/** What a decoder can be asked for. */
import { rectangleOf, type Rectangle } from '../math/rectangle.js';
import { isBoolean, isFunction, isNumber, isOneOf, isSignal, isWhole, type Checks } from '../options.js';

/** How far an encoding or decoding has come. */
export interface Progress {
  /** 0..1 */
  fraction: number;
  stage: string;
}

/** What a picture is shown for. */
export const SHOWS = ['eye', 'mean'] as const;
/** One of SHOWS. */
export type Show = (typeof SHOWS)[number];

/** What of a file is decoded, and how. */
export interface DecoderOptions {
  /** Decode only the first so many bytes. */
  maxBytes?: number;
  /** Repair what can be repaired (single wrong bytes), and decode what comes before the first damage that cannot. */
  allowDamaged?: boolean;
  /**
   * 1, or 1/2, 1/4, …: the picture in a smaller size, at the cost of the levels that it takes. Sides are rounded up. It is the
   * posterior mean at that size of what the file tells up to there, so softer than a large picture made small.
   */
  scale?: number;
  /**
   * Decode only this rectangle of the picture, in pixels of the size that `scale` makes it, before any turning that the metadata
   * asks for. They are those of the whole picture, bit for bit, at the cost of the groups of coefficients that they depend on; what
   * else the file holds may be damaged.
   */
  crop?: Rectangle;
  /** Refuse pictures of more pixels; default 2^25. */
  maxPixels?: number;
  /**
   * Refuse what takes more work, in megapixels through the network (`work` of `info`), before any of it is done. Default: four
   * times what an honest file of that size takes, and at most what one of 2^25 pixels does.
   */
  maxWork?: number;
  /** Told of each repair and damage when `allowDamaged` is set. */
  onDamage?: (message: string) => void;
  /**
   * 0 to 1, default 0: the share of a drawn picture in what is shown. At 0 that is the mean of all pictures that the file
   * may be of, nearest in squared error and smooth where little is told; at 1 it is one of them, with texture of its own.
   * The same on every machine. It takes the whole picture in full size, and some six to nine evaluations more.
   */
  realism?: number;
  /**
   * For the `eye`, or the `mean`, which is nearest in squared error: files of `medium`, and those of `small` as if they were
   * such. The hash of the pixels, where the file has one, is not compared. Default: as the file was made. Files of other
   * models show the mean alone.
   */
  show?: Show;
  /** Which picture is drawn: a whole number below 2^32, default 0. */
  seed?: number;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

/** What each of the decoder's options can be. */
export const DECODER_CHECKS: Checks<DecoderOptions> = {
  maxBytes: isWhole(0, Infinity, ' of bytes'),
  allowDamaged: isBoolean,
  scale: isNumber('1, 1/2, 1/4, …', (value) => value > 0 && value <= 1),
  crop: rectangleOf,
  maxPixels: isNumber('a number of pixels, at least 0', (value) => value >= 0),
  maxWork: isNumber('a number of megapixels above 0', (value) => value > 0),
  onDamage: isFunction,
  realism: isNumber('a number from 0 to 1', (value) => value >= 0 && value <= 1),
  show: isOneOf(SHOWS),
  seed: isWhole(0, 2 ** 32 - 1),
  onProgress: isFunction,
  signal: isSignal,
};

/** Those of them that hold for a file that arrives. */
export type ProgressiveOptions = Pick<
  DecoderOptions,
  'allowDamaged' | 'maxPixels' | 'maxWork' | 'onDamage' | 'onProgress' | 'signal'
>;

const { allowDamaged, maxPixels, maxWork, onDamage, onProgress, signal } = DECODER_CHECKS;
/** What each of them can be. */
export const PROGRESSION_CHECKS: Checks<ProgressiveOptions> = {
  allowDamaged,
  maxPixels,
  maxWork,
  onDamage,
  onProgress,
  signal,
};
