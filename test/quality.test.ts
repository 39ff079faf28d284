/** Qualities: what a file will score is foreseen from the picture, and decides its noise. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { corpusPicture } from '../corpus/pictures.js';
import { QualitySearch } from '../src/codec/quality-search.js';
import { stopOfQuality } from '../src/codec/quality.js';
import { ScoreForecast, usualScore } from '../src/codec/score-forecast.js';
import { aheadAt } from '../src/codec/straight.js';
import type { Straight } from '../src/diffusion/schedule.js';
import { ssimulacra2 } from '../src/metrics/ssimulacra2.js';
import type { QualityTable } from '../src/model/integer/integer-model.js';
import { decode, encode, release, withDepth, type Picture } from '../src/node.js';
import { finish, type Pieces } from '../src/turns.js';
import { inKind, pictures } from './helpers/arbitrary.js';

const TABLE: QualityTable = [[1, 195], [8, 192], [27, 184], [52, 168], [68.5, 152], [79.5, 136], [87, 120], [91.3, 104], [100, 64]]; // prettier-ignore
const straightAt = (code: number): Straight => ({ firstCode: code, ahead: aheadAt('eye', code) });

/** A forecast that says whatever a function does. */
function saying(score: (code: number) => number): ScoreForecast {
  const forecast = {
    *score({ firstCode }: Straight): Pieces<number> {
      return score(firstCode);
    },
  };
  return forecast as unknown as ScoreForecast;
}

function codeOf(quality: number, forecast: ScoreForecast): number {
  return finish(new QualitySearch(TABLE, forecast, straightAt).codeOf(quality, stopOfQuality(quality, TABLE).code));
}

describe('qualities', () => {
  after(() => release());

  it('scores are foreseen: of a picture like a photograph, within 8 points of its files', async () => {
    const picture = corpusPicture('hills', { width: 384, height: 256 });
    const score = ssimulacra2(picture);
    for (const quality of [50, 65, 80]) {
      const { bytes } = await encode(picture, { target: { quality }, effort: 1 });
      const found = score(await decode(bytes))!;
      assert.ok(Math.abs(found - quality) < 8, `quality ${quality}: ${found.toFixed(1)}`);
    }
  });

  it('with less noise a picture is foreseen to score more, up to what is nearly itself', () => {
    const forecast = finish(ScoreForecast.of(corpusPicture('scene', { width: 300, height: 270 })))!;
    const scores = [192, 168, 144, 120, 96].map((code) => finish(forecast.score(straightAt(code))));
    for (let i = 1; i < scores.length; i++) assert.ok(scores[i]! > scores[i - 1]!, scores.join(' '));
    assert.ok(scores[scores.length - 1]! > 88, scores.join(' '));
  });

  it('of samples of 16 bits, grey, with alpha as of those of 8, RGB; very small pictures are not foreseen', () => {
    const scoreOf = (picture: Picture): number => finish(finish(ScoreForecast.of(picture))!.score(straightAt(160)));
    const rgb = corpusPicture('scene', { width: 90, height: 70 });
    const same = scoreOf(rgb);
    assert.equal(scoreOf(withDepth(rgb, 16)), same);
    assert.equal(scoreOf(inKind(rgb, 4)), same);
    const grey = corpusPicture('grey-scene', { width: 90, height: 70 });
    assert.equal(scoreOf(grey), scoreOf(inKind(grey, 3)));
    assert.equal(finish(ScoreForecast.of(corpusPicture('scene', { width: 63, height: 200 }))), undefined);
  });

  it('a better quality never takes more noise, and the code stays near the usual one, whatever is foreseen', () => {
    const falling = fc.record({
      at: fc.double({ min: 100, max: 220, noNaN: true }),
      slope: fc.double({ min: 0.05, max: 3, noNaN: true }),
    });
    fc.assert(
      fc.property(falling, ({ at, slope }) => {
        const forecast = saying((code) => 50 - slope * (code - at));
        let before = Infinity;
        for (let quality = 1; quality <= 100; quality++) {
          const code = codeOf(quality, forecast);
          const usual = stopOfQuality(quality, TABLE).code;
          assert.ok(code <= before, `quality ${quality}: ${code}, before ${before}`);
          assert.ok(
            Math.abs(code - usual) <= Math.max(0, usual - 112) / 6,
            `quality ${quality}: ${code}, usual ${usual}`,
          );
          before = code;
        }
      }),
    );
  });

  it('of a picture that is as usual, the code is that of the table, whatever the model', () => {
    for (let quality = 9; quality <= 100; quality++)
      assert.equal(codeOf(quality, saying(usualScore)), stopOfQuality(quality, TABLE).code, `quality ${quality}`);
    const better = TABLE.map(([quality, code]) => [Math.min(100, quality + 8), code] as const);
    const search = new QualitySearch(better, saying(usualScore), straightAt);
    for (let quality = 17; quality <= 95; quality++) {
      const usual = stopOfQuality(quality, better).code;
      assert.equal(finish(search.codeOf(quality, usual)), usual, `quality ${quality}`);
    }
  });

  it('any picture has a code for any quality', () => {
    fc.assert(
      fc.property(pictures(40), fc.integer({ min: 1, max: 100 }), (picture, quality) => {
        const forecast = finish(ScoreForecast.of(picture));
        if (forecast !== undefined) assert.ok(Number.isInteger(codeOf(quality, forecast)));
      }),
      { numRuns: 40 },
    );
  });
});
