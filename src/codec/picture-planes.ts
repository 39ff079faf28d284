/** Between the caller's picture and what is coded: rotated colours, and alpha apart. */
import { depthOf, newSamples, rangeOf, type Channels, type Depth, type Picture, type Samples } from '../picture.js';
import { restoreColours, restoreGrey, rotateColours, rotateGrey } from './colour.js';
import type { Plane } from './pyramid.js';

export function isGrey(channels: Channels): boolean {
  return channels <= 2;
}

export function hasAlpha(channels: Channels): boolean {
  return channels === 2 || channels === 4;
}

export function separate(picture: Picture): { grey: boolean; colour: Plane; alpha: Samples | undefined } {
  const { width, height, channels, data } = picture;
  const depth = depthOf(picture);
  const grey = isGrey(channels);
  const colours = grey ? 1 : 3;
  const n = width * height;
  let samples = data;
  let alpha: Samples | undefined;
  if (hasAlpha(channels)) {
    samples = newSamples(n * colours, depth);
    alpha = newSamples(n, depth);
    for (let i = 0; i < n; i++) {
      for (let c = 0; c < colours; c++) samples[i * colours + c] = data[i * channels + c]!;
      alpha[i] = data[i * channels + colours]!;
    }
  }
  return { grey, colour: { width, height, data: grey ? rotateGrey(samples, depth) : rotateColours(samples, depth) }, alpha };
}

/** @param alpha one sample a pixel; where it is undefined but the kind has alpha, opaque. */
export function join(colour: Plane, channels: Channels, alpha: Samples | undefined, depth: Depth = 8): Picture & { depth: Depth } {
  const { width, height } = colour;
  const grey = isGrey(channels);
  const samples = grey ? restoreGrey(colour.data, depth) : restoreColours(colour.data, depth);
  if (!hasAlpha(channels)) return { width, height, channels, depth, data: samples };
  const colours = grey ? 1 : 3;
  const n = width * height;
  const data = newSamples(n * channels, depth).fill(rangeOf(depth));
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < colours; c++) data[i * channels + c] = samples[i * colours + c]!;
    if (alpha !== undefined) data[i * channels + colours] = alpha[i]!;
  }
  return { width, height, channels, depth, data };
}
