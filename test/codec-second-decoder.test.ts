/** docs/format.md is enough to decode: a second decoder, written from it, gives the same pixels for files and prefixes. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { corpusPicture } from '../corpus/pictures.js';
import { concat, readContainer, writeHeader, writeSegments, type Segment } from '../src/container/container.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { STRAIGHT_SCHEDULE, DEFAULT_SCHEDULE, NOT_SETTLED } from '../src/diffusion/schedule.js';
import { HANDED_ON_CODE } from '../src/format.js';
import { PARTS } from '../src/container/parts.js';
import { pictures, picturesOfAnyDepth, qualities, schedules } from './helpers/arbitrary.js';
import { secondDecode } from './helpers/second-decoder.js';
import { tinyEvaluator } from '../corpus/tiny-model.js';
import { assertLimited } from './helpers/limited.js';

const evaluator = tinyEvaluator();

async function assertSame(bytes: Uint8Array): Promise<void> {
  for (const length of [bytes.length, Math.floor(0.9 * bytes.length), Math.floor(0.4 * bytes.length), 60]) {
    if (length < 40 || length > bytes.length) continue;
    const { data } = await decodePicture(bytes, evaluator, { maxBytes: length });
    const second = await secondDecode(bytes.subarray(0, length), evaluator);
    assert.ok(
      data.length === second.length && second.every((sample, i) => sample === data[i]),
      `other pixels from ${length} of ${bytes.length} bytes`,
    );
  }
}

describe('a second decoder, written from the description of the format,', () => {
  it('gives the same pixels', async () => {
    await assertLimited(
      fc.asyncProperty(
        pictures(30),
        qualities,
        schedules,
        fc.integer({ min: 1, max: 3 }),
        async (picture, quality, schedule, effort) => {
          const { bytes } = await encodePicture(picture, evaluator, {
            plain: false,
            effort,
            schedule,
            target: { quality },
          });
          await assertSame(bytes);
        },
      ),
      { numRuns: 6 },
    );
  });

  it('of straight files in colour, cut anywhere', async () => {
    const { data } = corpusPicture('scene', { width: 22, height: 14 });
    const picture = { width: 22, height: 14, channels: 3 as const, data };
    for (const atOnce of [false, true]) {
      const straight = { firstCode: 120, ahead: [8, 8, 8, 8] as const, ...(atOnce ? { atOnce } : {}) };
      const schedule = { ...STRAIGHT_SCHEDULE, straight, lastCode: 116, masking: 4 };
      const options = { plain: false, effort: 1, schedule, target: { quality: 70 } };
      const { bytes } = await encodePicture(picture, evaluator, options);
      for (let length = 60; length < bytes.length; length++) {
        const { data: whole } = await decodePicture(bytes, evaluator, { maxBytes: length });
        const second = await secondDecode(bytes.subarray(0, length), evaluator);
        assert.ok(
          second.every((sample, i) => sample === whole[i]),
          `other pixels from ${length} of ${bytes.length} bytes, ${atOnce ? 'at once' : 'in parts'}`,
        );
      }
    }
  });

  it('of settled files, whole and cut within the last step', async () => {
    let noisy = 0;
    for (const [width, height, channels] of [
      [50, 44, 3],
      [21, 60, 1],
      [16, 5, 3],
    ] as const) {
      const { data } = corpusPicture('scene', { width, height });
      const samples = new Uint8Array(width * height * channels).map((_, i) => data[i]!);
      const picture = { width, height, channels, data: samples };
      for (const [lastLevel, quality] of [
        [0, 60],
        [1, 60],
        [1, 51],
        [2, 60],
        [3, 51],
      ] as const) {
        // Of the largest one takes too long.
        if (lastLevel > 0 && width === 50) continue;
        const schedule = { ...DEFAULT_SCHEDULE, settled: [8, NOT_SETTLED, 16, 0] as const, masking: 5, lastLevel };
        const options = { plain: false, effort: 1, schedule, target: { quality } };
        const { bytes } = await encodePicture(picture, evaluator, options);
        const { schedule: own } = readContainer(bytes).header;
        assert.equal(own.lastLevel ?? 0, lastLevel);
        if (lastLevel > 0 && own.lastCode > HANDED_ON_CODE) noisy++;
        await assertSame(bytes);
        const step = lastLevel === 0 ? 6 : 24;
        for (let cut = 1; cut < 50; cut += step) await assertSame(bytes.subarray(0, bytes.length - cut));
      }
    }
    assert.ok(noisy > 0, 'no file is handed on that would be shown by its mean');
  });

  it('in the plain form, whole and cut', async () => {
    await fc.assert(
      fc.asyncProperty(picturesOfAnyDepth(24), async (picture) => {
        for (const target of ['lossless', { maxError: 2 }] as const)
          await assertSame((await encodePicture(picture, evaluator, { target, plain: true })).bytes);
        const { bytes } = await encodePicture(picture, evaluator, { target: 'lossless', plain: true });
        await assertSame(bytes.subarray(0, bytes.length - 1));
      }),
      { numRuns: 10 },
    );
  });

  it('without loss or within an error, behind the steps of the network, whole and cut', async () => {
    await assertLimited(
      fc.asyncProperty(
        picturesOfAnyDepth(20).filter(({ width, height }) => Math.min(width, height) > 8),
        fc.constantFrom(0, 0, 1, 5),
        async (picture, maxError) => {
          const target = maxError === 0 ? ('lossless' as const) : { maxError };
          const { bytes } = await encodePicture(picture, evaluator, { target, plain: false, effort: 1 });
          await assertSame(bytes);
          for (const cut of [1, 20, 40, 60]) await assertSame(bytes.subarray(0, bytes.length - cut));
        },
      ),
      { numRuns: 4 },
    );
  });

  it('in the plain form, with palettes, copies and values of all sizes: the golden files', async () => {
    const folder = new URL('../../test/golden/', import.meta.url);
    for (const name of readdirSync(folder).filter((each) => each.startsWith('plain-') || each.startsWith('near-')))
      await assertSame(readFileSync(new URL(name, folder)));
  });

  it('of thin pictures, which are folded, whole and cut, with regions', async () => {
    for (const [width, height, channels] of [
      [1, 150, 3],
      [311, 2, 4],
      [8, 77, 1],
      [97, 5, 3],
    ] as const) {
      const { data } = corpusPicture('scene', { width, height });
      const samples = new Uint8Array(width * height * channels).map((_, i) => data[(i * 3) % data.length]!);
      const { bytes } = await encodePicture({ width, height, channels, data: samples }, evaluator, {
        plain: false,
        effort: 1,
        target: { quality: 45 },
        importance: { regions: [{ x: 0, y: 0, width: (width + 2) >> 1, height: (height + 2) >> 1 }] },
      });
      await assertSame(bytes);
    }
  });

  it('at every depth', async () => {
    await assertLimited(
      fc.asyncProperty(picturesOfAnyDepth(24), fc.integer({ min: 20, max: 100 }), async (picture, quality) => {
        const { bytes } = await encodePicture(picture, evaluator, { plain: false, effort: 1, target: { quality } });
        await assertSame(bytes);
      }),
      { numRuns: 8 },
    );
  });

  it('also where gains and corrections are sent', async () => {
    for (const [name, quality] of [
      ['scene', 45],
      ['glyphs', 55],
    ] as const) {
      const { bytes } = await encodePicture(corpusPicture(name, { width: 70, height: 66 }), evaluator, {
        plain: false,
        effort: 1,
        target: { quality },
      });
      await assertSame(bytes);
    }
  });

  it('also where parts stand before the picture, known and unknown ones, or what is left of them', async () => {
    const { bytes } = await encodePicture(corpusPicture('rgba-balls', { width: 21, height: 17 }), evaluator, {
      plain: false,
      effort: 1,
      target: { quality: 60 },
    });
    const { header } = readContainer(bytes);
    const parts = [
      { type: 98, payload: new Uint8Array(200).fill(7) },
      { type: 99, payload: new Uint8Array(0) },
      { type: PARTS.orientation, payload: Uint8Array.of(3) },
    ];
    const file = concat([writeHeader(header, parts), bytes.subarray(writeHeader(header).length)]);
    await assertSame(file);
    assert.deepEqual((await decodePicture(file, evaluator)).data, (await decodePicture(bytes, evaluator)).data);
    const { parts: found } = readContainer(file);
    for (const cut of [found[0]!.offset, found[0]!.offset + 1, found[2]!.offset, found[2]!.payloadOffset + 1]) {
      const { data } = await decodePicture(file, evaluator, { maxBytes: cut });
      assert.deepEqual(Array.from(data), await secondDecode(file.subarray(0, cut), evaluator), `cut at ${cut}`);
    }
  });

  it('a damaged part is refused, or told of and passed over', async () => {
    const { bytes } = await encodePicture(corpusPicture('scene', { width: 21, height: 17 }), evaluator, {
      plain: false,
      effort: 1,
      target: { quality: 60 },
    });
    const { header } = readContainer(bytes);
    const file = concat([
      writeHeader(header, [{ type: PARTS.xmp, payload: new Uint8Array(20) }]),
      bytes.subarray(writeHeader(header).length),
    ]);
    const { payloadOffset } = readContainer(file).parts[0]!;
    file[payloadOffset]! ^= 4;
    file[payloadOffset + 9]! ^= 4; // one byte would be repaired
    await assert.rejects(decodePicture(file, evaluator), { code: 'E_DAMAGED_SEGMENT' });
    const told: string[] = [];
    const { data } = await decodePicture(file, evaluator, {
      allowDamaged: true,
      onDamage: (message) => told.push(message),
    });
    assert.match(told.join(), /part "xmp"/);
    assert.deepEqual(data, (await decodePicture(bytes, evaluator)).data);
  });

  it('of what no encoder writes: a scale beyond what it can be ends the data', async () => {
    const picture = corpusPicture('scene', { width: 21, height: 17 });
    const { bytes } = await encodePicture(picture, evaluator, { plain: false, effort: 1, target: { quality: 60 } });
    const { header, segments } = readContainer(bytes);
    const [{ payloadOffset, payloadLength, units, idealRatio }] = segments as [Segment];
    assert.equal(segments.length, 1);
    for (const ones of [1, 24, 25, 30, 48, 49, 70]) {
      const told = bytes.slice(payloadOffset, payloadOffset + payloadLength);
      for (let i = 0; i < ones + 2; i++) {
        const bit = 128 >> (i & 7);
        told[i >> 3] = i < ones ? told[i >> 3]! | bit : told[i >> 3]! & ~bit;
      }
      await assertSame(concat([writeHeader(header), writeSegments([{ payload: told, units, idealRatio }])]));
    }
  });

  it('also for several groups, whole, at the end of units and within them', async () => {
    const settled = { ...DEFAULT_SCHEDULE, settled: [8, 8, 16, 0] as const, masking: 5, lastLevel: 1 };
    for (const [name, width, height, quality, how] of [
      ['scene', 1540, 9, 51, {}],
      ['edges', 9, 800, 51, {}],
      ['scene', 1540, 9, 60, { schedule: settled }],
    ] as const) {
      const { bytes } = await encodePicture(corpusPicture(name, { width, height }), evaluator, {
        plain: false,
        effort: 1,
        target: { quality },
        ...how,
      });
      const { segments } = readContainer(bytes);
      const ends = segments.slice(-5).map(({ payloadOffset, payloadLength }) => payloadOffset + payloadLength);
      for (const length of [ends[4]!, ends[3]!, ends[4]! - 1, ends[3]! - 1]) {
        const { data } = await decodePicture(bytes, evaluator, { maxBytes: length });
        assert.deepEqual(
          Array.from(data),
          await secondDecode(bytes.subarray(0, length), evaluator),
          `${name}: other pixels from ${length} of ${bytes.length} bytes`,
        );
      }
    }
  });
});
