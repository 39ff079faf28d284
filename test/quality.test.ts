/** Qualities: what a file will score is foreseen from the picture, and decides its noise. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { corpusPicture } from '../corpus/pictures.js';
import { QualitySearch, usualScore } from '../src/codec/quality-search.js';
import { refinedFamily, straightFamily } from '../src/codec/quality-stop.js';
import { DEFAULT_QUALITY_TABLE, stopOfQuality } from '../src/codec/quality.js';
import { ScoreForecast, type Known } from '../src/codec/score-forecast.js';
import { STRAIGHT_SCHEDULE } from '../src/diffusion/schedule.js';
import { ssimulacra2 } from '../src/metrics/ssimulacra2.js';
import type { QualityTable } from '../src/model/integer/integer-model.js';
import { decode, encode, release, withDepth, type Picture } from '../src/node.js';
import { finish, type Pieces } from '../src/turns.js';
import { inKind, pictures } from './helpers/arbitrary.js';

const TABLE: QualityTable = [[1, 195], [8, 192], [27, 184], [52, 168], [68.5, 152], [79.5, 136], [87, 120], [91.3, 104], [100, 64]]; // prettier-ignore
const FAMILY = straightFamily(STRAIGHT_SCHEDULE, 'eye');
const PATHS = {
  straight: { family: FAMILY, table: TABLE, lowest: 1 },
  refined: { family: refinedFamily('eye'), table: DEFAULT_QUALITY_TABLE, lowest: 12 },
};
type Path = Pick<(typeof PATHS)['straight'], 'family' | 'table'>;

/** A forecast that says whatever a function does, of how precisely levels 0 and 3 are known. */
function saying(score: (code: number) => number): ScoreForecast {
  const forecast = {
    *score({ codeOf }: Known): Pieces<number> {
      return score((codeOf(0, 0, 0) + codeOf(3, 0, 0) + 48) / 2);
    },
  };
  return forecast as unknown as ScoreForecast;
}

/** The codes for qualities, and the usual ones. */
function codesOf({ family, table }: Path, forecast: ScoreForecast, qualities: number[]): [number, number][] {
  const search = new QualitySearch(table, forecast, family);
  return qualities.map((quality) => {
    const usual = stopOfQuality(quality, table).code;
    return [finish(search.codeOf(quality, usual)), usual];
  });
}

describe('qualities', () => {
  after(() => release());

  it('scores are foreseen: of a picture like a photograph, within 9 points of its files', async () => {
    for (const size of [
      { width: 384, height: 256 },
      { width: 300, height: 200 },
    ]) {
      const picture = corpusPicture('hills', size);
      const score = ssimulacra2(picture);
      for (const quality of [50, 65, 80]) {
        const { bytes } = await encode(picture, { target: { quality } });
        const found = score(await decode(bytes))!;
        assert.ok(Math.abs(found - quality) < 9, `${size.height} rows, quality ${quality}: ${found.toFixed(1)}`);
      }
    }
  });

  it('with less noise a picture is foreseen to score more, up to what is nearly itself', () => {
    const forecast = finish(ScoreForecast.of(corpusPicture('scene', { width: 300, height: 270 })))!;
    const scores = [192, 168, 144, 120, 96].map((code) => finish(forecast.score(FAMILY.known(code))));
    for (let i = 1; i < scores.length; i++) assert.ok(scores[i]! > scores[i - 1]!, scores.join(' '));
    assert.ok(scores[scores.length - 1]! > 88, scores.join(' '));
  });

  it('of samples of 16 bits, grey, with alpha as of those of 8, RGB; very small pictures are not foreseen', () => {
    const scoreOf = (picture: Picture): number => finish(finish(ScoreForecast.of(picture))!.score(FAMILY.known(160)));
    const rgb = corpusPicture('scene', { width: 90, height: 70 });
    const same = scoreOf(rgb);
    assert.equal(scoreOf(withDepth(rgb, 16)), same);
    assert.equal(scoreOf(inKind(rgb, 4)), same);
    const grey = corpusPicture('grey-scene', { width: 90, height: 70 });
    assert.equal(scoreOf(grey), scoreOf(inKind(grey, 3)));
    assert.equal(finish(ScoreForecast.of(corpusPicture('scene', { width: 63, height: 200 }))), undefined);
  });

  for (const [name, path] of Object.entries(PATHS)) {
    const qualities = Array.from({ length: 101 - path.lowest }, (_, i) => path.lowest + i);

    it(`${name} files: a better quality never takes more noise, and the code stays near the usual one`, () => {
      const falling = fc.record({
        at: fc.double({ min: 100, max: 220, noNaN: true }),
        slope: fc.double({ min: 0.05, max: 3, noNaN: true }),
      });
      fc.assert(
        fc.property(falling, ({ at, slope }) => {
          let before = Infinity;
          for (const [code, usual] of codesOf(
            path,
            saying((each) => 50 - slope * (each - at)),
            qualities,
          )) {
            assert.ok(code <= before, `${code}, before ${before}`);
            assert.ok(Math.abs(code - usual) <= Math.max(0, usual - 112) / 6, `${code}, usual ${usual}`);
            before = code;
          }
        }),
      );
    });

    it(`${name} files: of a picture that is as usual the code is that of the table, whatever the model`, () => {
      const { family, table } = path;
      const forecast = {
        *score({ codeOf }: Known): Pieces<number> {
          const same = (code: number): boolean =>
            [0, 1, 2, 4].every((k) => family.known(code).codeOf(k, 0, 0) === codeOf(k, 0, 0));
          return usualScore(family, Array.from({ length: 256 }, (_, code) => code).find(same)!);
        },
      } as unknown as ScoreForecast;
      const better = table.map(([quality, code]) => [Math.min(100, quality + 6), code] as const);
      for (const each of [table, better])
        for (const [code, usual] of codesOf({ family, table: each }, forecast, qualities.slice(8, 85)))
          assert.ok(Math.abs(code - usual) <= 1, `${code}, usual ${usual}`);
    });
  }

  it('any picture has a code for any quality', () => {
    fc.assert(
      fc.property(pictures(40), fc.integer({ min: 1, max: 100 }), (picture, quality) => {
        const forecast = finish(ScoreForecast.of(picture));
        if (forecast !== undefined)
          for (const path of Object.values(PATHS))
            assert.ok(Number.isInteger(codesOf(path, forecast, [Math.max(path.lowest, quality)])[0]![0]));
      }),
      { numRuns: 40 },
    );
  });
});
