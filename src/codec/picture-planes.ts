/** Between the caller's picture and what is coded: rotated colours, and alpha apart. */
import type { Channels, Picture } from '../picture.js';
import { restoreColours, restoreGrey, rotateColours, rotateGrey } from './colour.js';
import type { Plane } from './pyramid.js';

export function isGrey(channels: Channels): boolean {
  return channels <= 2;
}

export function hasAlpha(channels: Channels): boolean {
  return channels === 2 || channels === 4;
}

export function separate(picture: Picture): { grey: boolean; colour: Plane; alpha: Uint8Array | undefined } {
  return { grey: isGrey(picture.channels), colour: colourRows(picture, 0, picture.height), alpha: alphaOf(picture) };
}

/** The rotated colours of the rows from `first` to before `end`. */
export function colourRows({ width, channels, data }: Picture, first: number, end: number): Plane {
  const grey = isGrey(channels);
  let samples = data.subarray(first * width * channels, end * width * channels);
  if (hasAlpha(channels)) samples = withoutAlpha(samples, channels);
  return { width, height: end - first, data: grey ? rotateGrey(samples) : rotateColours(samples) };
}

function withoutAlpha(samples: Uint8Array, channels: Channels): Uint8Array {
  const colours = channels - 1;
  const out = new Uint8Array((samples.length / channels) * colours);
  for (let i = 0, o = 0; i < samples.length; i += channels) for (let c = 0; c < colours; c++) out[o++] = samples[i + c]!;
  return out;
}

/** The alpha channel; undefined where there is none. */
export function alphaOf({ width, height, channels, data }: Picture): Uint8Array | undefined {
  if (!hasAlpha(channels)) return undefined;
  const alpha = new Uint8Array(width * height);
  for (let i = 0; i < alpha.length; i++) alpha[i] = data[(i + 1) * channels - 1]!;
  return alpha;
}

/** @param alpha one sample a pixel; where it is undefined but the kind has alpha, opaque. */
export function join(colour: Plane, channels: Channels, alpha: Uint8Array | undefined): Picture {
  const { width, height } = colour;
  const grey = isGrey(channels);
  const samples = grey ? restoreGrey(colour.data) : restoreColours(colour.data);
  if (!hasAlpha(channels)) return { width, height, channels, data: samples };
  const colours = grey ? 1 : 3;
  const n = width * height;
  const data = new Uint8Array(n * channels).fill(255);
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < colours; c++) data[i * channels + c] = samples[i * colours + c]!;
    if (alpha !== undefined) data[i * channels + colours] = alpha[i]!;
  }
  return { width, height, channels, data };
}

/** A picture that is put together from rows. */
export class PictureRows {
  readonly picture: Picture;

  /** @param alpha of the whole picture, as for `join` */
  constructor(
    { width, height }: { width: number; height: number },
    channels: Channels,
    private readonly alpha: Uint8Array | undefined,
  ) {
    this.picture = { width, height, channels, data: new Uint8Array(width * height * channels) };
  }

  /** Takes rows from row y on, as `Session.show` gives them. */
  readonly take = (rows: Plane, y: number): void => {
    const { width, channels, data } = this.picture;
    data.set(join(rows, channels, this.alpha?.subarray(y * width, (y + rows.height) * width)).data, y * width * channels);
  };
}
