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
  const { width, height, channels, data } = picture;
  const grey = isGrey(channels);
  const colours = grey ? 1 : 3;
  const n = width * height;
  let samples = data;
  let alpha: Uint8Array | undefined;
  if (hasAlpha(channels)) {
    samples = new Uint8Array(n * colours);
    alpha = new Uint8Array(n);
    for (let i = 0; i < n; i++) {
      for (let c = 0; c < colours; c++) samples[i * colours + c] = data[i * channels + c]!;
      alpha[i] = data[i * channels + colours]!;
    }
  }
  return { grey, colour: { width, height, data: grey ? rotateGrey(samples) : rotateColours(samples) }, alpha };
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
