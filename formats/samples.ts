/** Samples as other libraries hand them over made those of a picture. */
import { DcompError } from '../src/errors.js';
import type { Pieces } from '../src/turns.js';
import { depthOf, rangeOf, type Channels, type Depth, type Picture, type Samples } from '../src/picture.js';

/** Samples that are gone over in a piece. */
const PIECE = 2 ** 19;

/** The first colour of RGB, or of RGB + alpha with its alpha: of a picture whose colours are the same. */
export function* firstColour(samples: Samples, channels: number): Pieces<Samples> {
  const kept = channels - 2;
  return yield* map(samples, (samples.length / channels) * kept, (i) => {
    const pixel = Math.floor(i / kept) * channels;
    return samples[i % kept === 0 ? pixel : pixel + 3];
  });
}

/** The picture without its alpha channel where that hides nothing; else itself. */
export function* withoutOpaque(picture: Picture): Pieces<Picture> {
  const { channels, data } = picture;
  if (channels % 2 === 1) return picture;
  const most = rangeOf(depthOf(picture));
  for (let i = channels - 1; i < data.length; i += channels) {
    if (data[i] !== most) return picture;
    if (i % PIECE === channels - 1) yield;
  }
  return { ...picture, channels: (channels - 1) as Channels, data: yield* firstChannels(data, channels, channels - 1) };
}

/** So many channels of each pixel, the first ones. */
export function* firstChannels(samples: Samples, channels: number, kept: number): Pieces<Samples> {
  return yield* map(
    samples,
    (samples.length / channels) * kept,
    (i) => samples[Math.floor(i / kept) * channels + (i % kept)],
  );
}

/** Grey + alpha of RGB + alpha. */
export function greyOfRgba(samples: Samples): Pieces<Samples> {
  return firstColour(samples, 4);
}

function* map(like: Samples, length: number, value: (i: number) => number): Pieces<Samples> {
  const out = like instanceof Uint16Array ? new Uint16Array(length) : new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    if (i % PIECE === 0) yield;
    out[i] = value(i);
  }
  return out;
}

/** Samples of fewer bits that were shifted up to 16, spread over all of 16: white becomes white. */
export function* overAll(samples: Uint16Array, bits: number): Pieces<Samples> {
  if (bits >= 16) return samples;
  const most = 2 ** bits - 1;
  return yield* map(samples, samples.length, (i) => Math.round(((samples[i] >> (16 - bits)) * 65535) / most));
}

/** Colours that were multiplied by alpha, divided by it, in place; black where nothing is to be seen. */
export function* divideByAlpha(samples: Samples, channels: number): Pieces<void> {
  const most = samples instanceof Uint16Array ? 65535 : 255;
  for (let pixel = 0, i = 0; i < samples.length; pixel++, i += channels) {
    if (pixel % (PIECE / 4) === 0) yield;
    const alpha = samples[i + channels - 1];
    for (let c = i; c < i + channels - 1; c++)
      samples[c] = alpha === 0 ? 0 : Math.min(most, Math.round((samples[c] * most) / alpha));
  }
}

/** Bytes that are copied in a piece. */
const COPIED = 2 ** 24;

/** A copy in memory of its own, so that it begins where samples of any kind may begin. */
export function* copied(bytes: Uint8Array): Pieces<ArrayBuffer> {
  const out = new Uint8Array(bytes.length);
  for (let at = 0; at < bytes.length; at += COPIED) {
    yield;
    out.set(bytes.subarray(at, at + COPIED), at);
  }
  return out.buffer;
}

/** A picture of 8 bits that has no more different samples than one of fewer has, as one; else itself. */
export function* inFewerBitsInPieces(picture: Picture, depth: Depth): Pieces<Picture> {
  const step = 255 / rangeOf(depth);
  const data = new Uint8Array(picture.data.length);
  for (let i = 0; i < data.length; i++) {
    if (i % PIECE === 0) yield;
    if (picture.data[i] % step !== 0) return picture;
    data[i] = picture.data[i] / step;
  }
  return { ...picture, depth, data };
}

/** What rounding may add to a float that is meant to be in range. */
const SLACK = 1e-3;

/** 0 to 1 as 16 bits. @throws DcompError E_NOT_PICTURE where a sample is outside, or no number */
export function* fromFloat(values: Float32Array): Pieces<Uint16Array> {
  let [least, most] = [0, 1];
  for (let i = 0; i < values.length; i++) {
    if (i % PIECE === 0) yield;
    const value = values[i];
    if (value < least || Number.isNaN(value)) least = value;
    if (value > most) most = value;
    if (Number.isNaN(least)) break;
  }
  if (!(least >= -SLACK && most <= 1 + SLACK))
    throw new DcompError(
      'E_NOT_PICTURE',
      `its samples are floats from ${least} to ${most}; dcomp reads those from 0 to 1: scale them, or convert the picture to 16 bits`,
    );
  const samples = new Uint16Array(values.length);
  for (let i = 0; i < samples.length; i++) {
    if (i % PIECE === 0) yield;
    samples[i] = Math.round(65535 * Math.min(1, Math.max(0, values[i])));
  }
  return samples;
}

/** A picture of 16 bits whose samples are the nearest that so many of their upper bits can say: an encoder cuts off the rest. */
export function* roundedTo(picture: Picture, bits: number): Pieces<Picture> {
  if (bits >= 16) return picture;
  const most = 2 ** bits - 1;
  const { data } = picture;
  const rounded = yield* map(data, data.length, (i) => Math.round((data[i] * most) / 65535) << (16 - bits));
  return { ...picture, data: rounded };
}
