/** What every exact file has to show, and pictures of which none may grow. */
import assert from 'node:assert/strict';
import { PNG } from 'pngjs';
import { stripsOf } from '../../src/format.js';
import { hash32 } from '../../src/math/hash.js';
import { decode, encode, info, verify, type Picture } from '../../src/node.js';
import { depthOf, newSamples, type Samples } from '../../src/picture.js';
import { DECODING, ENCODING } from './tiny.js';

/** By the network, unless the picture is so thin that it cannot be. */
export async function codedBehindSteps(picture: Picture, maxError = 0): Promise<Uint8Array> {
  const plain = stripsOf(picture) > 1;
  const target = maxError === 0 ? ('lossless' as const) : { maxError };
  const { bytes } = await encode(picture, { ...ENCODING, target, plain });
  assert.equal(info(bytes).form, plain ? 'plain' : 'diffusion');
  return bytes;
}

/** Comes back within the error, whole, and with the hash of its pixels. */
export async function comesBack(picture: Picture, maxError = 0, name = ''): Promise<void> {
  const bytes = await codedBehindSteps(picture, maxError);
  const back = await decode(bytes, DECODING);
  assert.equal(back.truncated, false, name);
  assert.equal(depthOf(back), depthOf(picture), name);
  assert.equal(back.data.length, picture.data.length, name);
  let most = 0;
  for (const [i, v] of picture.data.entries()) most = Math.max(most, Math.abs(v - back.data[i]!));
  assert.ok(most <= maxError, `${name}: off by ${most}, not ${maxError}`);
  assert.equal((await verify(bytes)).state, 'intact', name);
}

/** Whatever is there of a file decodes, and says that it is not all. @param every bytes between prefixes */
export async function prefixesDecode(bytes: Uint8Array, every: number): Promise<void> {
  const first = info(bytes).segments[0]!.offset;
  for (let length = first; length < bytes.length; length += every) {
    const early = await decode(bytes.subarray(0, length), DECODING);
    assert.equal(early.truncated, true, `the first ${length} bytes of ${bytes.length}`);
    assert.equal(info(bytes.subarray(0, length)).truncated, true, `the first ${length} bytes of ${bytes.length}`);
  }
}

/** Bytes of pngjs' best, of colours or grey of 8 bits, and of the samples as they are. */
export function otherwise({ width, height, channels, data }: Picture, depth: number): { png: number; stored: number } {
  const colorType = ([0, 4, 2, 6] as const)[channels - 1]!;
  const options = { colorType, inputColorType: colorType, inputHasAlpha: channels % 2 === 0, deflateLevel: 9 };
  const png = PNG.sync.write({ width, height, data: Buffer.from(data) } as unknown as PNG, options).length;
  return { png, stored: Math.ceil((data.length * depth) / 8) };
}

/** Pictures that a model of photographs knows nothing of. */
export function drawings(): Record<string, Picture> {
  const [width, height] = [160, 112];
  const draw = (channels: 1 | 3, shade: (x: number, y: number) => number[]): Picture => {
    const data: Samples = newSamples(width * height * channels, 8);
    for (let y = 0, o = 0; y < height; y++) for (let x = 0; x < width; x++) for (const v of shade(x, y)) data[o++] = v;
    return { width, height, channels, data };
  };
  const window = (x: number, y: number): number[] => {
    if (y < 14) return [52 + (y >> 1), 84, 140];
    if (x < 40) return y % 12 < 2 ? [210, 210, 214] : [236, 236, 240];
    const inked = y % 11 > 2 && y % 11 < 8 && (hash32(7, (Math.floor(y / 11) << 8) | (x % 64)) & 3) === 0;
    return inked ? [30, 30, 34] : [255, 255, 255];
  };
  const line = (x: number, y: number): number[] => {
    const far = Math.hypot(x - 80, y - 56);
    return [Math.abs(far - 40) < 0.8 || Math.abs(x - 2 * y + 30) < 1 || (x % 40 === 0 && y > 60) ? 0 : 255];
  };
  const grey = (x: number, y: number): number => (x * 150) / width + 60 + 40 * Math.sin(y / 17);
  const BAYER = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5];
  return {
    window: draw(3, window),
    'line art': draw(1, line),
    'ordered dither': draw(1, (x, y) => [grey(x, y) > 16 * BAYER[(y % 4) * 4 + (x % 4)]! + 8 ? 255 : 0]),
    'random dither': draw(1, (x, y) => [grey(x, y) > (hash32(3, (y << 10) | x) & 255) ? 255 : 0]),
    noise: draw(3, (x, y) => [0, 1, 2].map((c) => hash32(11 + c, (y << 10) | x) & 255)),
  };
}
