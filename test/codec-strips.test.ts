/** A picture coded with the network evaluated in strips is the picture coded with whole evaluations, byte for byte. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { corpusPicture } from '../corpus/pictures.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import type { CoefficientRows } from '../src/pixels/pyramid.js';
import { Session } from '../src/codec/session.js';
import { DEFAULT_SCHEDULE } from '../src/diffusion/schedule.js';
import { createEngine } from '../src/model/wasm/engine.js';
import { rowsOfWhole, type Evaluator } from '../src/model/evaluator.js';
import type { Picture } from '../src/picture.js';
import { inKind } from './helpers/arbitrary.js';
import { CountingChannel } from './helpers/channels.js';
import { tinyModel } from '../corpus/tiny-model.js';
import { assertLimited } from './helpers/limited.js';

const model = tinyModel();
const inWhole = await createEngine(model);

/** The whole grid at once, however large. */
const whole: Evaluator = {
  model,
  threads: 1,
  evaluate: (z, codes, width, height, condition) =>
    inWhole.evaluateRows(z, codes, width, height, condition, height, height).next(height),
  evaluateRows: rowsOfWhole((...request) => whole.evaluate(...request)),
  close: async () => {},
};

/** In strips of that many rows, also where memory would allow all. */
async function inStrips(strip: number): Promise<Evaluator> {
  const engine = await createEngine(model);
  return {
    model,
    threads: 1,
    evaluate: (...request) => engine.evaluate(...request),
    evaluateRows: (...request) => engine.evaluateRows(...request, strip),
    close: async () => {},
  };
}

async function assertSame(picture: Picture, strip: number, quality: number): Promise<void> {
  const options = { plain: false, effort: 1, target: { quality } };
  const { bytes } = await encodePicture(picture, whole, options);
  const strips = await inStrips(strip);
  assert.deepEqual((await encodePicture(picture, strips, options)).bytes, bytes, 'the file');
  for (const maxBytes of [bytes.length, Math.min(bytes.length, Math.max(40, Math.floor(bytes.length / 2)))]) {
    const expected = await decodePicture(bytes, whole, { maxBytes });
    assert.deepEqual(
      (await decodePicture(bytes, strips, { maxBytes })).data,
      expected.data,
      `the pixels of ${maxBytes} bytes`,
    );
  }
}

describe('evaluation in strips', () => {
  it('makes no difference: pictures of one group', async () => {
    const settings = fc.record({
      width: fc.integer({ min: 1, max: 40 }),
      height: fc.integer({ min: 1, max: 300 }),
      channels: fc.constantFrom(1 as const, 3 as const),
      strip: fc.integer({ min: 1, max: 40 }),
      quality: fc.constantFrom(10, 25, 45),
    });
    await assertLimited(
      fc.asyncProperty(settings, async ({ width, height, channels, strip, quality }) => {
        await assertSame(inKind(corpusPicture('scene', { width, height }), channels), strip, quality);
      }),
      { numRuns: 12 },
    );
  });

  it('makes no difference: groups beside and below each other', async () => {
    for (const [width, height, strip, quality] of [
      [1601, 9, 8, 40],
      [9, 1540, 16, 40],
      [780, 790, 24, 15],
    ] as const) {
      await assertSame(corpusPicture('scene', { width, height }), strip, quality);
    }
  });
});

describe('a session', () => {
  it('shows a picture in strips as it does in one piece, and says which unit comes next', async () => {
    const picture = corpusPicture('scene', { width: 10, height: 1600 });
    const session = new Session(picture.width, picture.height, false, DEFAULT_SCHEDULE, await inStrips(8));
    const zeros: CoefficientRows = function* (first, end) {
      return new Float32Array((end - first) * 12 * ((session.sizes[session.next!.step.level]!.width + 1) >> 1));
    };
    const channel = new CountingChannel(8);
    const seen: string[] = [];
    for (
      let unit = session.next;
      unit !== undefined && !(unit.step.level === 0 && unit.step.kind === 'refine' && unit.groupIndex > 0);
      unit = session.next
    ) {
      seen.push(`${unit.step.index}.${unit.groupIndex}/${unit.groups}`);
      await session.runUnit(channel, zeros);
    }
    const { steps } = session;
    const enter = steps.find(({ level, kind }) => level === 0 && kind === 'enter')!;
    const at = seen.indexOf(`${enter.index}.0/3`);
    assert.deepEqual(seen.slice(at, at + 4), [
      `${enter.index}.0/3`,
      `${enter.index}.1/3`,
      `${enter.index}.2/3`,
      `${enter.index + 1}.0/3`,
    ]);
    const plane = await session.reconstruct();
    let rows = 0;
    await session.show((strip, y) => {
      assert.equal(y, rows);
      assert.deepEqual(strip.data, plane.data.subarray(y * 30, (y + strip.height) * 30));
      rows += strip.height;
    });
    assert.equal(rows, 1600);
  });
});
