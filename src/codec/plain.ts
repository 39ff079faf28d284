/** The plain form of a file: the samples without loss, where the network would take more for less. */
import {
  concat,
  NO_CODING,
  segmentOverhead,
  writeHeader,
  writeSegment,
  type Container,
} from '../container/container.js';
import { maxErrorOf } from '../container/exact-part.js';
import type { Part } from '../container/parts.js';
import { BandReader, encodeBandsInPieces, type Colours } from '../container/plain-samples.js';
import { DcompError } from '../errors.js';
import { cutOut, wholeOf, type Rectangle } from '../math/rectangle.js';
import { depthOf, newSamples, rangeOf, type Channels, type Depth, type Picture, type Samples } from '../picture.js';
import { COLOURS } from '../pixels/colour.js';
import { PictureCoefficients } from '../pixels/picture-coefficients.js';
import { hasAlpha, isGrey, PictureRows, withAlpha } from '../pixels/picture-planes.js';
import { rowsOfPiece, type Pieces } from '../turns.js';

/** Bytes that a segment has besides a band, at least. */
const OVERHEAD = segmentOverhead(0);
/** Pixels that are copied in a piece. */
const PIECE = 2 ** 18;

/**
 * @param alpha that the file holds; undefined where it has none
 * @param alphaSection its bytes in the file
 * @param exact whether colours under alpha 0 are kept
 * @param limit bytes that the file may take
 * @returns undefined where it would take more
 */
export function* plainFileInPieces(
  picture: Picture,
  alpha: Samples | undefined,
  alphaSection: Uint8Array,
  parts: readonly Part[],
  exact: boolean,
  limit: number,
): Pieces<Uint8Array | undefined> {
  const start = plainStart(picture, alphaSection, parts);
  if (start.length > limit) return undefined;
  const colours = yield* coloursOf(picture, exact ? undefined : alpha);
  const bands = yield* encodeBandsInPieces(colours, limit - start.length, OVERHEAD);
  if (bands === undefined) return undefined;
  const bytes = concat([start, ...(yield* bandSegments(bands, 0))]);
  return bytes.length > limit ? undefined : bytes;
}

/** What a plain file begins with. */
export function plainStart(picture: Picture, alphaSection: Uint8Array, parts: readonly Part[]): Uint8Array {
  const { width, height, channels } = picture;
  const head = writeHeader({ form: 'plain', width, height, channels, depth: depthOf(picture), ...NO_CODING }, parts);
  return concat([head, alphaSection]);
}

/** Bands as the last segments of a file. @param before units of the segments before them @param idealRatio as a segment states it */
export function* bandSegments(bands: readonly Uint8Array[], before: number, idealRatio = 0): Pieces<Uint8Array[]> {
  const segments: Uint8Array[] = [];
  for (const [i, payload] of bands.entries()) {
    const place = { first: before + i, last: i + 1 === bands.length };
    segments.push(writeSegment({ payload, units: 1, idealRatio }, place));
    yield;
  }
  return segments;
}

/** Colour samples; those under alpha 0 are copies of what is left of them, which costs next to nothing. */
export function* coloursOf(picture: Picture, alpha: Samples | undefined): Pieces<Colours> {
  const { width, height, channels, data } = picture;
  const colours = isGrey(channels) ? 1 : 3;
  const depth = depthOf(picture);
  if (!hasAlpha(channels)) return { width, height, colours, depth, samples: data };
  const samples = newSamples(width * height * colours, depth);
  for (let p = 0; p < width * height; p++) {
    if (p % PIECE === 0) yield;
    const hidden = alpha?.[p] === 0;
    for (let c = 0; c < colours; c++) {
      const copied = p % width > 0 ? samples[(p - 1) * colours + c]! : (samples[(p - width) * colours + c] ?? 0);
      samples[p * colours + c] = hidden ? copied : data[p * channels + c]!;
    }
  }
  return { width, height, colours, depth, samples };
}

/**
 * Decodes the bands of a plain file as far as they go; what is missing is mid-grey.
 * @param rows wanted, from the top
 * @param damage told of bands that are damaged; throws, or what comes before is shown
 * @param tell told of the fraction of the rows that is there
 */
export function* readBandsInPieces(
  bytes: Uint8Array,
  container: Container,
  rows: number,
  damage: (message: string) => void,
  tell: (fraction: number) => void,
): Pieces<{ picture: Picture & { depth: Depth }; complete: boolean }> {
  const { header, segments } = container;
  const { width, height, channels, depth } = header;
  const colours = isGrey(channels) ? 1 : 3;
  const samples = newSamples(width * height * colours, depth).fill((rangeOf(depth) + 1) >> 1);
  const reader = new BandReader({ width, height, colours, depth, samples }, maxErrorOf(bytes, container));
  for (const [i, { state, fault, offset, payloadOffset, payloadLength }] of segments.entries()) {
    if (state === 'cut' || (reader.rows >= rows && rows < height)) break;
    const what = `segment ${i + 1} of ${segments.length} (byte offset ${offset})`;
    try {
      if (state === 'damaged') throw new DcompError('E_DAMAGED_SEGMENT', fault!);
      yield* reader.takeInPieces(bytes.subarray(payloadOffset, payloadOffset + payloadLength));
    } catch (error) {
      if (!(error instanceof DcompError)) throw error;
      damage(`${what} is damaged beyond repair: ${error.message}`);
      break;
    }
    tell(reader.rows / rows);
  }
  return { picture: { width, height, channels: colours, depth, data: samples }, complete: reader.rows >= rows };
}

/** Pixels of u_level of a picture without alpha, with alpha of that size. */
export function* pixelsAtInPieces(
  picture: Picture & { depth: Depth },
  channels: Channels,
  alpha: Samples | undefined,
  level: number,
  pixels: Rectangle,
): Pieces<Picture & { depth: Depth }> {
  const { depth, channels: colours } = picture;
  const { x, y, width, height } = pixels;
  const shown = new PictureRows(pixels, channels, alpha, depth);
  const plane = level === 0 ? undefined : (yield* PictureCoefficients.of(picture, level + 1)).plane(level);
  const strip = rowsOfPiece(width);
  for (let top = 0; top < height; top += strip) {
    const part = { x, y: y + top, width, height: Math.min(strip, height - top) };
    if (plane !== undefined) {
      shown.take({ ...part, data: cutOut(plane.data, wholeOf(plane), part, COLOURS) }, top);
    } else {
      const data = cutOut(picture.data, wholeOf(picture), part, colours);
      const rows = alpha?.subarray(top * width, (top + part.height) * width);
      shown.picture.data.set(
        withAlpha({ width, height: part.height, channels: colours, depth, data }, channels, rows).data,
        top * width * channels,
      );
    }
    yield;
  }
  return shown.picture;
}
