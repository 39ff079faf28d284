/** Between the caller's picture and what is coded: rotated colours, and alpha apart. */
import { depthOf, newSamples, rangeOf, type Channels, type Depth, type Picture, type Samples } from '../picture.js';
import { COLOURS, restoreColours, restoreGrey, rotateColours, rotateGrey, type Ends } from './colour.js';
import { rowsOfPiece, type Pieces } from '../turns.js';
import type { Plane } from './pyramid.js';

export function isGrey(channels: Channels): boolean {
  return channels <= 2;
}

export function hasAlpha(channels: Channels): boolean {
  return channels === 2 || channels === 4;
}

/** The rotated colours of the rows from `first` to before `end`. */
export function colourRows(picture: Picture, first: number, end: number): Plane {
  const { width, channels, data } = picture;
  const depth = depthOf(picture);
  const grey = isGrey(channels);
  let samples = data.subarray(first * width * channels, end * width * channels);
  if (hasAlpha(channels)) samples = withoutAlpha(samples, channels, depth);
  return { width, height: end - first, data: grey ? rotateGrey(samples, depth) : rotateColours(samples, depth) };
}

/** As `colourRows`. */
export function* colourRowsInPieces(picture: Picture, first: number, end: number): Pieces<Plane> {
  const { width } = picture;
  const data = new Float32Array(width * (end - first) * COLOURS);
  for (const [from, to] of strips(first, end, width)) {
    yield;
    data.set(colourRows(picture, from, to).data, (from - first) * width * COLOURS);
  }
  return { width, height: end - first, data };
}

/** Rows from `first` to before `end`, of some thousand samples each. */
function* strips(first: number, end: number, width: number): Generator<[from: number, to: number]> {
  const rows = rowsOfPiece(width, PIECE / COLOURS);
  for (let from = first; from < end; from += rows) yield [from, Math.min(end, from + rows)];
}

function withoutAlpha(samples: Samples, channels: Channels, depth: Depth): Samples {
  const colours = channels - 1;
  const out = newSamples((samples.length / channels) * colours, depth);
  for (let i = 0, o = 0; i < samples.length; i += channels)
    for (let c = 0; c < colours; c++) out[o++] = samples[i + c]!;
  return out;
}

/** Samples that are copied in a piece. */
const PIECE = 2 ** 20;

/** The alpha channel; undefined where there is none. */
export function* alphaOfInPieces(picture: Picture): Pieces<Samples | undefined> {
  const { width, height, channels, data } = picture;
  if (!hasAlpha(channels)) return undefined;
  const alpha = newSamples(width * height, depthOf(picture));
  for (let i = 0; i < alpha.length; i++) {
    alpha[i] = data[(i + 1) * channels - 1]!;
    if (i % PIECE === 0) yield;
  }
  return alpha;
}

/** @param alpha one sample a pixel; where it is undefined but the kind has alpha, opaque. */
export function join(
  colour: Plane,
  channels: Channels,
  alpha: Samples | undefined,
  depth: Depth = 8,
  ends?: Ends,
): Picture & { depth: Depth } {
  const { width, height } = colour;
  const grey = isGrey(channels);
  const data = grey ? restoreGrey(colour.data, depth, ends) : restoreColours(colour.data, depth, ends);
  return withAlpha({ width, height, channels: grey ? 1 : 3, depth, data }, channels, alpha);
}

/** As `join`. */
export function* joinInPieces(
  colour: Plane,
  channels: Channels,
  alpha: Samples | undefined,
  depth: Depth,
): Pieces<Picture & { depth: Depth }> {
  const { width, height, data } = colour;
  const rows = new PictureRows(colour, channels, alpha, depth);
  for (const [from, to] of strips(0, height, width)) {
    yield;
    rows.take({ width, height: to - from, data: data.subarray(from * width * COLOURS, to * width * COLOURS) }, from);
  }
  return rows.picture;
}

/** A picture without alpha with it, if the kind wants it. @param alpha as for `join` */
export function withAlpha(
  picture: Picture & { depth: Depth },
  channels: Channels,
  alpha: Samples | undefined,
): Picture & { depth: Depth } {
  if (!hasAlpha(channels)) return picture;
  const { width, height, channels: colours, depth, data: samples } = picture;
  const n = width * height;
  const data = newSamples(n * channels, depth).fill(rangeOf(depth));
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < colours; c++) data[i * channels + c] = samples[i * colours + c]!;
    if (alpha !== undefined) data[i * channels + colours] = alpha[i]!;
  }
  return { width, height, channels, depth, data };
}

/** A picture that is put together from rows. */
export class PictureRows {
  readonly picture: Picture & { depth: Depth };

  /** @param alpha of the whole picture, as for `join` */
  constructor(
    { width, height }: { width: number; height: number },
    channels: Channels,
    private readonly alpha: Samples | undefined,
    private readonly depth: Depth = 8,
    private readonly ends?: Ends,
  ) {
    this.picture = { width, height, channels, depth, data: newSamples(width * height * channels, depth) };
  }

  /** Takes rows from row y on, as `Session.show` gives them. */
  readonly take = (rows: Plane, y: number): void => {
    const { width, channels, data } = this.picture;
    data.set(
      join(rows, channels, this.alpha?.subarray(y * width, (y + rows.height) * width), this.depth, this.ends).data,
      y * width * channels,
    );
  };
}
