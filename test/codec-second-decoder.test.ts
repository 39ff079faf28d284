/** docs/format.md is enough to decode: a second decoder, written from it, gives the same pixels for files and prefixes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { corpusPicture } from '../corpus/pictures.js';
import { readContainer } from '../src/codec/container.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { pictures, qualities, schedules } from './helpers/arbitrary.js';
import { secondDecode } from './helpers/second-decoder.js';
import { tinyEvaluator } from './helpers/tiny-model.js';

const evaluator = tinyEvaluator();

async function assertSame(bytes: Uint8Array): Promise<void> {
  for (const length of [bytes.length, Math.floor(0.9 * bytes.length), Math.floor(0.4 * bytes.length), 60]) {
    if (length < 40 || length > bytes.length) continue;
    const { data } = await decodePicture(bytes, evaluator, { maxBytes: length });
    assert.ok(Buffer.compare(data, await secondDecode(bytes.subarray(0, length), evaluator)) === 0, `other pixels from ${length} of ${bytes.length} bytes`);
  }
}

describe('a second decoder, written from the description of the format,', () => {
  it('gives the same pixels', async () => {
    await fc.assert(
      fc.asyncProperty(pictures(30), qualities, schedules, fc.integer({ min: 1, max: 3 }), async (picture, quality, schedule, effort) => {
        const { bytes } = await encodePicture(picture, evaluator, { effort, schedule, target: { quality } });
        await assertSame(bytes);
      }),
      { numRuns: 6 },
    );
  });

  it('also where gains and corrections are sent', async () => {
    for (const [name, quality] of [['scene', 45], ['glyphs', 55]] as const) {
      const { bytes } = await encodePicture(corpusPicture(name, { width: 70, height: 66 }), evaluator, { effort: 1, target: { quality } });
      await assertSame(bytes);
    }
  });

  it('also for several groups, whole, at the end of units and within them', async () => {
    for (const [name, width, height, quality] of [['scene', 1540, 2, 21], ['edges', 2, 800, 25]] as const) {
      const { bytes } = await encodePicture(corpusPicture(name, { width, height }), evaluator, { effort: 1, target: { quality } });
      const { segments } = readContainer(bytes);
      const ends = segments.slice(-5).map(({ payloadOffset, payloadLength }) => payloadOffset + payloadLength);
      for (const length of [ends[4]!, ends[3]!, ends[4]! - 1, ends[3]! - 1]) {
        const { data } = await decodePicture(bytes, evaluator, { maxBytes: length });
        assert.ok(Buffer.compare(data, await secondDecode(bytes.subarray(0, length), evaluator)) === 0, `${name}: other pixels from ${length} of ${bytes.length} bytes`);
      }
    }
  });
});
