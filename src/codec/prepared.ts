/** A picture as it is coded: without hidden colours, with alpha apart, and what is white or black in it. */
import { encodeAlphaInPieces, alphaLevels, quantiseAlphaInPieces } from '../container/alpha.js';
import { writeAlpha, type Header } from '../container/container.js';
import { partsOfInPieces } from '../container/metadata.js';
import type { Part } from '../container/parts.js';
import { EMPTY_HASH } from '../container/pixel-hash.js';
import { depthOf, rangeOf, type Picture, type Samples } from '../picture.js';
import { withoutHiddenColourInPieces } from '../pixels/hidden-colour.js';
import { alphaOfInPieces, hasAlpha } from '../pixels/picture-planes.js';
import type { Pieces } from '../turns.js';
import type { EncodingOptions } from './encoder-options.js';

/** What of a picture is coded, and what of a file is known before its colours are. */
export interface Prepared {
  /** Without hidden colours, unless they are to be kept. */
  picture: Picture;
  alpha: Samples | undefined;
  /** The bytes of alpha, with their length and checksum; empty where there is none. */
  alphaSection: Uint8Array;
  parts: Part[];
}

/** What is coded of a picture. */
export function* preparedOf(picture: Picture, options: EncodingOptions): Pieces<Prepared> {
  const { width, height, metadata } = picture;
  const parts = yield* partsOfInPieces(metadata);
  if (options.pixelHash === true) parts.push(EMPTY_HASH);
  const alpha = yield* keptAlpha(picture, options.alphaQuality ?? 100);
  return {
    picture: options.exact === true ? picture : yield* withoutHiddenColourInPieces(picture, alpha),
    alpha,
    alphaSection:
      alpha === undefined ? new Uint8Array(0) : writeAlpha(yield* encodeAlphaInPieces(alpha, width, height)),
    parts,
  };
}

/** The alpha that the file holds. */
function* keptAlpha(picture: Picture, quality: number): Pieces<Samples | undefined> {
  const alpha = yield* alphaOfInPieces(picture);
  return alpha === undefined || quality === 100
    ? alpha
    : yield* quantiseAlphaInPieces(alpha, depthOf(picture), alphaLevels(quality));
}

/** What share of the samples must be at an end of the range, and how many times those that are near it. */
const MANY_AT_END = 1 / 256;
const MORE_THAN_NEAR = 4;
/** Samples that are looked at in a piece. */
const PIECE = 2 ** 18;

/**
 * Whether a picture has white or black areas: samples at that end of the range, and few that are only near it, which would be
 * changed by taking them for it.
 */
export function* nearEndsOf({ data, channels, ...picture }: Picture): Pieces<Pick<Header, 'nearWhite' | 'nearBlack'>> {
  const range = rangeOf(depthOf({ data, channels, ...picture }));
  const near = (2.5 * range) / 255;
  const counts = { white: 0, nearWhite: 0, black: 0, nearBlack: 0 };
  const alpha = hasAlpha(channels) ? channels - 1 : channels;
  for (let i = 0; i < data.length; i++) {
    if (i % PIECE === 0) yield;
    const v = data[i]!;
    if (i % channels === alpha) continue;
    if (v === range) counts.white++;
    else if (v > range - near) counts.nearWhite++;
    if (v === 0) counts.black++;
    else if (v < near) counts.nearBlack++;
  }
  const many = (at: number, beside: number): boolean =>
    at >= data.length * MANY_AT_END && at >= MORE_THAN_NEAR * beside;
  return {
    nearWhite: many(counts.white, counts.nearWhite),
    nearBlack: many(counts.black, counts.nearBlack),
  };
}
