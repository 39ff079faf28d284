/** Crops against whole decodings, for quick and for slow tests. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { corpusPicture } from '../../corpus/pictures.js';
import { decodePicture, type DecodeResult } from '../../src/codec/decoder.js';
import { type DecoderOptions } from '../../src/codec/decoder-options.js';
import { encodePicture } from '../../src/codec/encoder.js';
import type { EncoderOptions } from '../../src/codec/encoder-options.js';
import type { Rectangle } from '../../src/math/rectangle.js';
import { withDepth, type Picture } from '../../src/picture.js';
import { inKind } from './arbitrary.js';
import { tinyEvaluator } from '../../corpus/tiny-model.js';
import { assertLimited } from './limited.js';

const evaluator = tinyEvaluator();

/** The samples of a rectangle. */
export function rectangleOf({ width, channels, data }: Picture, crop: Rectangle): number[] {
  const rows = Array.from({ length: crop.height }, (_, y) =>
    data.subarray(((crop.y + y) * width + crop.x) * channels, ((crop.y + y) * width + crop.x + crop.width) * channels),
  );
  return rows.flatMap((row) => Array.from(row));
}

/** A rectangle by shares of the sides. */
function rectangleIn({ width, height }: Picture, [a, b, c, d]: readonly number[]): Rectangle {
  const x = Math.min(width - 1, Math.floor(a! * width));
  const y = Math.min(height - 1, Math.floor(b! * height));
  return { x, y, width: 1 + Math.floor(c! ** 3 * (width - x - 1)), height: 1 + Math.floor(d! * (height - y - 1)) };
}

/** Decodes a rectangle alone and the whole, which must agree in it. */
export async function assertSame(
  bytes: Uint8Array,
  options: DecoderOptions,
  shares: readonly number[],
): Promise<{ whole: DecodeResult; part: DecodeResult }> {
  const whole = await decodePicture(bytes, evaluator, options);
  const crop = rectangleIn(whole, shares);
  const part = await decodePicture(bytes, evaluator, { ...options, crop });
  const said = JSON.stringify({ ...options, crop });
  assert.deepEqual(
    [part.width, part.height, part.channels, part.depth, part.truncated],
    [crop.width, crop.height, whole.channels, whole.depth, whole.truncated],
    said,
  );
  assert.deepEqual(Array.from(part.data), rectangleOf(whole, crop), said);
  assert.ok(part.work <= whole.work, said);
  return { whole, part };
}

/** Long and thin: several groups at little cost. Channels; 16 for three of 16 bits. */
const files = (
  [
    [3100, 9, 3, { quality: 60 }, {}],
    [9, 3100, 16, { quality: 40 }, {}],
    [10, 2500, 1, { quality: 50 }, { importance: { regions: [{ x: 0, y: 700, width: 8, height: 30, weight: 16 }] } }],
    [
      2401,
      21,
      4,
      { bitsPerPixel: 0.9 },
      {
        importance: {
          regions: [
            { x: 100, y: 3, width: 300, height: 9 },
            { x: 2000, y: 3, width: 80, height: 9, weight: 64 },
          ],
        },
      },
    ],
    [790, 801, 3, { quality: 12 }, {}],
    [43, 57, 2, { size: 900 }, {}],
  ] as const
).map(([width, height, channels, target, others]) => ({
  width,
  height,
  channels,
  options: { plain: false, effort: 1, target, ...others } as EncoderOptions,
}));

/** Coded when first asked for. */
const coded = new Map<number, Promise<Uint8Array>>();
export function fileOf(i: number): Promise<Uint8Array> {
  const { width, height, channels, options } = files[i]!;
  const scene = corpusPicture('scene', { width, height });
  const picture = channels === 16 ? withDepth(scene, 16) : inKind(scene, channels);
  if (!coded.has(i))
    coded.set(
      i,
      encodePicture(picture, evaluator, options).then(({ bytes }) => bytes),
    );
  return coded.get(i)!;
}

const share = fc.double({ min: 0, max: 1, noNaN: true });
const shares = fc.array(share, { minLength: 4, maxLength: 4 });

/** Any place, any end of the file, any scale. */
export async function assertCrops(numRuns: number): Promise<void> {
  const settings = fc.record({
    file: fc.integer({ min: 0, max: files.length - 1 }),
    shares,
    cut: fc.oneof(fc.constant(1), share),
    level: fc.constantFrom(0, 0, 1, 2),
  });
  await assertLimited(
    fc.asyncProperty(settings, async ({ file, shares: place, cut, level }) => {
      const bytes = await fileOf(file);
      await assertSame(bytes, { maxBytes: Math.max(60, Math.floor(cut * bytes.length)), scale: 0.5 ** level }, place);
    }),
    { numRuns },
  );
}
