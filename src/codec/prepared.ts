/** A picture as it is coded: without hidden colours, with alpha apart, and what is white or black in it. */
import { encodeAlphaInPieces, alphaValues, quantiseAlphaInPieces } from '../container/alpha.js';
import { writeAlpha } from '../container/container.js';
import { partsOfInPieces } from '../container/metadata.js';
import type { Part } from '../container/parts.js';
import { EMPTY_HASH } from '../container/pixel-hash.js';
import { MAX_NEAR } from '../format.js';
import { sigmaOf } from '../model/sigma.js';
import { depthOf, rangeOf, type Picture, type Samples } from '../picture.js';
import type { Ends } from '../pixels/colour.js';
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
    : yield* quantiseAlphaInPieces(alpha, depthOf(picture), alphaValues(quality));
}

/** What share of the samples must be at an end of the range, and how many times those that would be taken for it. */
const MANY_AT_END = 1 / 256;
const MORE_THAN_NEAR = 4;
/** What is further away than this is seen where it disappears, so there may be little of it. */
const HARDLY_SEEN = 2;
const MUCH_MORE_THAN_NEAR = 50;
/** Samples that are looked at in a piece. */
const PIECE = 2 ** 18;

/**
 * White and black areas: how near to them what is decoded may be taken for them, as the picture has many samples at that
 * end of the range, and few that are only near it, which would be changed.
 */
export function* nearEndsOf({ data, channels, ...picture }: Picture): Pieces<Ends> {
  const range = rangeOf(depthOf({ data, channels, ...picture }));
  const counts = { white: new Uint32Array(MAX_NEAR + 2), black: new Uint32Array(MAX_NEAR + 2) };
  const alpha = hasAlpha(channels) ? channels - 1 : channels;
  for (let i = 0; i < data.length; i++) {
    if (i % PIECE === 0) yield;
    if (i % channels === alpha) continue;
    const v = (data[i]! * 255) / range;
    if (v >= 255 - MAX_NEAR) counts.white[Math.ceil(255 - v)]!++;
    if (v <= MAX_NEAR) counts.black[Math.ceil(v)]!++;
  }
  const nearOf = ([at, ...beside]: readonly number[]): number => {
    if (at! < data.length * MANY_AT_END) return 0;
    let [near, sum] = [0, 0];
    while (near < MAX_NEAR) {
      sum += beside[near]!;
      if (at! < (near < HARDLY_SEEN ? MORE_THAN_NEAR : MUCH_MORE_THAN_NEAR) * sum) break;
      near++;
    }
    return near < HARDLY_SEEN ? 0 : near;
  };
  return { white: nearOf([...counts.white]), black: nearOf([...counts.black]) };
}

/**
 * How near to white and black what is decoded is taken for it: as far as what is left of the noise leads away, so that at
 * least 95 % of a white area are white.
 * @param allowed by the picture @param code sigma code at which a file ends
 */
export function endsAtCode(allowed: Ends, code: number): Ends {
  const needed = 2 + Math.round(sigmaOf(code) / 4);
  return { white: Math.min(allowed.white, needed), black: Math.min(allowed.black, needed) };
}
