/**
 * The alpha channel: lossless, or with fewer different values. Samples of 16 bits are two planes, the high bytes, and the
 * low bytes less the high ones: zeros where 8 bits were scaled to 16.
 */
import { decodePlaneInPieces, encodePlaneInPieces } from '../entropy/plane.js';
import { DcompError } from '../errors.js';
import { finish, type Pieces } from '../turns.js';
import { newSamples, rangeOf, type Depth, type Samples } from '../picture.js';
import { concat, readVarint, varint } from './container.js';

/** @throws DcompError E_USAGE if the number of samples doesn't fit */
export function encodeAlpha(alpha: Samples, width: number, height: number): Uint8Array {
  return finish(encodeAlphaInPieces(alpha, width, height));
}

/** As `encodeAlpha`. */
export function* encodeAlphaInPieces(alpha: Samples, width: number, height: number): Pieces<Uint8Array> {
  if (alpha instanceof Uint8Array) return yield* encodePlaneInPieces(alpha, width, height);
  const high = new Uint8Array(alpha.length);
  const low = new Uint8Array(alpha.length);
  for (let i = 0; i < alpha.length; i++) {
    high[i] = alpha[i]! >> 8;
    low[i] = alpha[i]! - high[i]!; // modulo 256
    if (i % PIECE === 0) yield;
  }
  const first = yield* encodePlaneInPieces(high, width, height);
  const second = yield* encodePlaneInPieces(low, width, height);
  return concat([Uint8Array.from(varint(first.length)), first, second]);
}

/** @throws DcompError E_TRUNCATED if the data ends early, E_DAMAGED_SEGMENT if it isn't what the encoder wrote */
export function decodeAlpha(bytes: Uint8Array, width: number, height: number, depth: Depth): Samples {
  return finish(decodeAlphaInPieces(bytes, width, height, depth));
}

/** As `decodeAlpha`. */
export function* decodeAlphaInPieces(bytes: Uint8Array, width: number, height: number, depth: Depth): Pieces<Samples> {
  if (depth !== 16) return yield* decodePlaneInPieces(bytes, width, height);
  const length = readVarint(bytes, 0);
  if (length === undefined)
    throw new DcompError('E_DAMAGED_SEGMENT', 'the alpha channel of 16 bits does not begin with a length');
  const high = yield* decodePlaneInPieces(bytes.subarray(length.end, length.end + length.value), width, height);
  const low = yield* decodePlaneInPieces(bytes.subarray(length.end + length.value), width, height);
  const samples = new Uint16Array(high.length);
  for (let i = 0; i < samples.length; i++) {
    samples[i] = (high[i]! << 8) | ((low[i]! + high[i]!) & 255);
    if (i % PIECE === 0) yield;
  }
  return samples;
}

/** Samples that are gone over in a piece, where there is little to do with each. */
const PIECE = 2 ** 20;

/** Lloyd's iterations, at most; they end when nothing moves. */
const ITERATIONS = 10;

/** Different values that a quality below 100 leaves, those of libwebp (`VP8EncEncodeAlpha`): 2 at 0, 16 at 70, 248 at 99. */
export function alphaValues(quality: number): number {
  return quality <= 70 ? 2 + Math.floor(quality / 5) : 16 + Math.floor((quality - 70) * 8);
}

/**
 * Alpha with at most so many values, of 8 bits (× 257 at 16 bits), that have about the least squared error: a Lloyd-Max
 * quantiser (Lloyd 1982) on the histogram. The least and the largest value stay, so that what is transparent or opaque
 * remains so.
 * @param most values, at least 2
 */
export function* quantiseAlphaInPieces(alpha: Samples, depth: Depth, most: number): Pieces<Samples> {
  const scale = rangeOf(depth) / 255; // alpha has 8 or 16 bits
  const histogram = new Float64Array(256);
  for (let i = 0; i < alpha.length; i++) {
    histogram[Math.floor(alpha[i]! / scale + 0.5)]!++;
    if (i % PIECE === 0) yield;
  }
  const used = Array.from(histogram.keys()).filter((value) => histogram[value]! > 0);
  if (used.length <= most) return yield* mapped((value) => value);

  const low = used[0]!;
  const high = used[used.length - 1]!;
  const centres = Array.from({ length: most }, (_, i) => low + ((high - low) * i) / (most - 1));
  const nearest = new Uint8Array(256);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const sums = new Float64Array(most);
    const counts = new Float64Array(most);
    let k = 0;
    for (const value of used) {
      while (k + 1 < most && 2 * value > centres[k]! + centres[k + 1]!) k++;
      nearest[value] = k;
      sums[k]! += value * histogram[value]!;
      counts[k]! += histogram[value]!;
    }
    let moved = false;
    for (let i = 1; i < most - 1; i++) {
      if (counts[i] === 0) continue;
      const mean = sums[i]! / counts[i]!;
      moved ||= mean !== centres[i];
      centres[i] = mean;
    }
    if (!moved) break;
  }
  return yield* mapped((value) => Math.floor(centres[nearest[value]!]! + 0.5));

  function* mapped(to: (value: number) => number): Pieces<Samples> {
    const table = Array.from({ length: 256 }, (_, value) => to(value) * scale);
    const out = newSamples(alpha.length, depth);
    for (let i = 0; i < alpha.length; i++) {
      out[i] = table[Math.floor(alpha[i]! / scale + 0.5)]!;
      if (i % PIECE === 0) yield;
    }
    return out;
  }
}
