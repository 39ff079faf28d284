/** Factors of the variances that the encoder sends: one for a step (scale), one for each block of a level that is entered (gain). */
import { DcompError } from '../errors.js';
import { AdaptiveDecoder, AdaptiveEncoder, AdaptiveModel, OBSERVATION } from './adaptive.js';
import type { BitReader } from './bits.js';

/** A gain g says that the variances of a block are to be multiplied by 2^g. */
export const MIN_GAIN = -2;
export const MAX_GAIN = 3;
/** Contexts 0..6: classes of the information that the block is expected to hold. */
export const GAIN_CONTEXTS = 7;

/** 0.7 for g = 0, the rest in equal parts, as sure as 4 observations. */
const INITIAL = [-2, -1, 0, 1, 2, 3].map((g) => Math.round(4 * OBSERVATION * (g === 0 ? 0.7 : 0.06)));
const MEMORY = 512;

/**
 * @param gains per block, −2..3
 * @param contexts per block, 0..6
 * @returns bytes that know their own end; none if there are no blocks
 * @throws DcompError E_USAGE if a gain or context is out of range
 */
export function encodeGains(gains: Int8Array, contexts: Uint8Array): Uint8Array {
  if (gains.length === 0) return new Uint8Array(0);
  const model = new AdaptiveModel(GAIN_CONTEXTS, INITIAL, MEMORY);
  const encoder = new AdaptiveEncoder();
  for (let i = 0; i < gains.length; i++) {
    const gain = gains[i]!;
    const context = contexts[i]!;
    if (gain < MIN_GAIN || gain > MAX_GAIN || !(context < GAIN_CONTEXTS)) {
      throw new DcompError(
        'E_USAGE',
        `block ${i} has gain ${gain} in context ${context}; ${MIN_GAIN}..${MAX_GAIN} and 0..6 can be coded`,
      );
    }
    encoder.encode(model, context, gain - MIN_GAIN);
  }
  return encoder.finish();
}

/**
 * Reads what `encodeGains` wrote.
 * @param n number of blocks
 * @param contexts as for the encoder
 * @returns the gains, and the index behind their last byte
 * @throws DcompError E_TRUNCATED if the data ends, E_DAMAGED_SEGMENT if it isn't what an encoder wrote
 */
export function decodeGains(
  bytes: Uint8Array,
  offset: number,
  n: number,
  contexts: Uint8Array,
): { gains: Int8Array; end: number } {
  const gains = new Int8Array(n);
  if (n === 0) return { gains, end: offset };
  const model = new AdaptiveModel(GAIN_CONTEXTS, INITIAL, MEMORY);
  const decoder = new AdaptiveDecoder(bytes, offset);
  for (let i = 0; i < n; i++) gains[i] = decoder.decode(model, contexts[i]!) + MIN_GAIN;
  return { gains, end: decoder.finish() };
}

/** A scale lies in −MAX_SCALE..MAX_SCALE. */
export const MAX_SCALE = 24;

/** Bits of a difference of scales: as many ones as it is large, a zero, its sign unless it is 0. */
export function scaleBits(difference: number): number[] {
  const size = Math.abs(difference);
  return [...new Array<number>(size).fill(1), 0, ...(size === 0 ? [] : [difference < 0 ? 1 : 0])];
}

/** Reads what `scaleBits` made of the difference from the scale before. undefined if the bits end, or say what no encoder wrote. */
export function readScale(reader: BitReader, before: number): number | undefined {
  let size = 0;
  for (;;) {
    if (reader.remaining === 0) return undefined;
    if (reader.read() === 0) break;
    if (++size > 2 * MAX_SCALE) return undefined;
  }
  if (size === 0) return before;
  if (reader.remaining === 0) return undefined;
  const scale = before + (reader.read() === 1 ? -size : size);
  return Math.abs(scale) <= MAX_SCALE ? scale : undefined;
}
