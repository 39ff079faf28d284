/** The work of a file is known before it is done, is what decoding it then takes, and is bounded. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { assertLimited } from './helpers/limited.js';
import { corpusPicture } from '../corpus/pictures.js';
import { tinyEvaluator } from '../corpus/tiny-model.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { Progression } from '../src/codec/progressive.js';
import { lagsOfInPieces } from '../src/codec/region.js';
import { defaultMaxWork, honestWork, workOf } from '../src/codec/work.js';
import { inspectFile } from '../src/codec/inspect.js';
import type { StepInfo } from '../src/container/info.js';
import { DEFAULT_SCHEDULE, isHandedOn } from '../src/diffusion/schedule.js';
import { unitCount } from '../src/diffusion/units.js';
import { codeOf } from '../src/model/sigma.js';
import { finish } from '../src/turns.js';
import { DEFAULT_MAX_PIXELS } from '../src/picture.js';
import { options, pictures } from './helpers/arbitrary.js';
import { codeOfError, outcome } from './helpers/outcome.js';

const evaluator = tinyEvaluator();

/** A last step that is handed on where all of it is there, and not where a part is: the dearer of both is counted. */
function endsByHandingOn({ level, kind, sigmaBefore, sigma }: StepInfo): boolean {
  return level > 0 && isHandedOn(kind, codeOf(sigmaBefore)) !== isHandedOn(kind, codeOf(sigma));
}

describe('work', () => {
  it('is what decoding takes: never more, and no less where the file does not end within a step', async () => {
    await assertLimited(
      fc.asyncProperty(
        pictures(60),
        options,
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (picture, how, share) => {
          const coded = await outcome(() => encodePicture(picture, evaluator, how));
          fc.pre(typeof coded !== 'string');
          const { bytes } = coded as Exclude<typeof coded, string>;
          for (const length of [bytes.length, Math.floor(share * bytes.length)]) {
            const part = bytes.subarray(0, length);
            const found = await outcome(() => decodePicture(bytes, evaluator, { maxBytes: length, maxWork: 1e9 }));
            if (typeof found === 'string') continue;
            const { work, segments } = inspectFile(part);
            assert.ok(found.evaluations <= work!.evaluations, `${found.evaluations} instead of ${work!.evaluations}`);
            assert.ok(found.work <= work!.fullSize + 1e-9, `${found.work} instead of ${work!.fullSize}`);
            if (
              length === bytes.length &&
              how.target !== undefined &&
              'quality' in how.target &&
              how.target.quality >= 10 &&
              // Where nothing is left to settle, the file ends before that step.
              how.schedule?.settled === undefined &&
              !endsByHandingOn(segments.flatMap(({ steps }) => steps).at(-1)!)
            )
              assert.deepEqual(
                [found.evaluations, found.work.toFixed(9)],
                [work!.evaluations, work!.fullSize.toFixed(9)],
              );
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('of regions, several groups, parts and smaller sizes too', async () => {
    const picture = corpusPicture('rgba-balls', { width: 800, height: 40 });
    const regions = [
      { x: 0, y: 0, width: 300, height: 40, weight: 8 },
      { x: 500, y: 0, width: 80, height: 20, weight: 2 },
    ];
    for (const importance of [{}, { importance: { regions } }]) {
      const { bytes } = await encodePicture(picture, evaluator, {
        plain: false,
        effort: 1,
        target: { quality: 60 },
        ...importance,
      });
      const { work } = inspectFile(bytes);
      const whole = await decodePicture(bytes, evaluator);
      assert.deepEqual([whole.evaluations, whole.work.toFixed(9)], [work!.evaluations, work!.fullSize.toFixed(9)]);
      // A limit below it refuses, before anything is done; one at it does not.
      assert.equal(
        await codeOfError(() => decodePicture(bytes, evaluator, { maxWork: 0.999 * work!.megapixels })),
        'E_TOO_LARGE',
      );
      await decodePicture(bytes, evaluator, { maxWork: work!.megapixels });
      const crop = { x: 790, y: 0, width: 10, height: 10 };
      const some = await decodePicture(bytes, evaluator, { scale: 1 / 2, maxWork: 0.7 * work!.megapixels });
      assert.ok(some.work < 0.7 * whole.work);
      assert.equal(await codeOfError(() => decodePicture(bytes, evaluator, { crop, maxWork: 0.001 })), 'E_TOO_LARGE');
    }
  });

  it('limits every call that does it, and a limit that is none is misuse', async () => {
    const picture = corpusPicture('scene', { width: 40, height: 30 });
    const { bytes } = await encodePicture(picture, evaluator, { plain: false, effort: 1 });
    const small = { maxWork: 0.001 };
    assert.equal(await codeOfError(() => encodePicture(picture, evaluator, { effort: 1, ...small })), 'E_TOO_LARGE');
    assert.equal(await codeOfError(() => encodePicture(picture, evaluator, { maxPixels: 1199 })), 'E_TOO_LARGE');
    const progression = new Progression(small);
    progression.push(bytes);
    assert.equal(await codeOfError(() => progression.picture(evaluator)), 'E_TOO_LARGE');
    for (const maxWork of [NaN, 0, -1, '9' as never, {} as never])
      assert.equal(await codeOfError(() => decodePicture(bytes, evaluator, { maxWork })), 'E_USAGE');
  });

  it('is by default allowed to every file that the encoder makes, and to none that takes much more', () => {
    const size = { width: 1600, height: 1200 };
    const header = { ...size, channels: 3, depth: 8, schedule: DEFAULT_SCHEDULE } as const;
    const limit = defaultMaxWork(header);
    const mask = new Uint8Array(size.width * size.height);
    for (let i = 0; i < mask.length; i++) mask[i] = i & 255;
    const lags = finish(lagsOfInPieces({ mask }, size));
    const units = unitCount(DEFAULT_SCHEDULE, size);
    assert.ok(workOf({ header, lags, units }).megapixels < limit, 'regions');
    const views = { ...DEFAULT_SCHEDULE, views: 4, coarseViews: 2 } as const;
    assert.ok(workOf({ header: { ...header, schedule: views }, units }).megapixels < limit, 'views');
    const narrow = { ...DEFAULT_SCHEDULE, fineWidth: 1 };
    const bomb = { header: { ...header, schedule: narrow }, lags, units: unitCount(narrow, size) };
    assert.ok(workOf(bomb).megapixels > 2 * limit, 'lags at each of 104 steps');
    // However large the picture, it is not more than the best of the largest that is decoded by default.
    const most = honestWork({ width: 5792, height: 5792 }, 4, 16).megapixels;
    for (const [width, height] of [
      [5792, 5792],
      [65535, 1],
      [65535, 500],
      [1, 1],
    ] as const) {
      assert.ok(width * height <= DEFAULT_MAX_PIXELS);
      assert.ok(defaultMaxWork({ ...header, width, height }) <= 1.02 * most, `${width}×${height}`);
    }
  });
});
