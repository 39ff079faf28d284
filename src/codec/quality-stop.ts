/** Where the file of a picture ends for a quality: where files usually do, or as is foreseen of that picture. */
import { chromaAt, settledCode, straightCode, whiteCode, type Schedule } from '../diffusion/schedule.js';
import { CODES_LEVEL_SPAN, MAX_FIRST_CODE } from '../format.js';
import type { QualityTable } from '../model/integer/integer-model.js';
import type { Picture } from '../picture.js';
import type { Pieces } from '../turns.js';
import type { Tune } from './encoder-options.js';
import { EYE_SPREAD, maskedCode } from './masking.js';
import {
  DEFAULT_QUALITY_TABLE,
  HIGHEST_REFINED,
  refinedStop,
  settlingAt,
  stopOfQuality,
  type Stop,
} from './quality.js';
import { QualitySearch, type Family } from './quality-search.js';
import { ScoreForecast } from './score-forecast.js';
import { straightAt } from './straight.js';

/** What is foreseen of photographs with `tune` eye, on the mean of 18 (dev2), as of `Family`. */
const STRAIGHT_USUAL: Family['usual'] = [
  [112, 87.2],
  [120, 85.5],
  [128, 83.2],
  [136, 80.4],
  [144, 76.7],
  [152, 72.2],
  [160, 66.5],
  [168, 59.8],
  [176, 51.8],
  [184, 42.2],
  [192, 30.2],
  [200, 15.2],
  [208, -3.3],
];
const REFINED_USUAL: Family['usual'] = [
  [112, 86.7],
  [120, 84.3],
  [128, 81.2],
  [136, 77.3],
  [144, 72.3],
  [150, 67.7],
  [152, 63.6],
  [160, 55.1],
  [168, 44.7],
  [169, 38.3],
  [175, 32.9],
  [181, 26.1],
  [186, 19],
  [187, 4.7],
  [191, 1.7],
  [197, -4.2],
  [203, -12.3],
  [209, -22.6],
  [215, -35.2],
];

/** @param table of the model @param schedule of the file @param tune undefined where the schedule says how errors are spread */
export function* stopFor(
  quality: number,
  picture: Picture,
  table: QualityTable = DEFAULT_QUALITY_TABLE,
  schedule: Schedule,
  tune: Tune | undefined,
): Pieces<Stop> {
  const family = schedule.straight !== undefined ? straightFamily(schedule, tune) : refinedFamily(tune);
  const usual = stopOfQuality(quality, table);
  if (usual.level > 0) return family.coarserStop(usual);
  const forecast = yield* ScoreForecast.of(picture);
  if (forecast === undefined) return family.stopOf(usual.code);
  const search = new QualitySearch(table, forecast, family);
  return family.stopOf(yield* search.codeOf(quality, usual.code));
}

/** What the codes of a table stand for. */
interface Path extends Family {
  stopOf(code: number): Stop;
  /** Where a file ends for a quality below the table. */
  coarserStop(stop: Stop): Stop;
}

/** Files that are measured straight: the code is that of level 0. */
export function straightFamily(schedule: Schedule, tune: Tune | undefined): Path {
  const stopOf = (code: number): Stop => ({ level: 0, code });
  return {
    highest: MAX_FIRST_CODE,
    usual: STRAIGHT_USUAL,
    known: (code) => {
      const straight = straightAt(schedule, stopOf(code), tune).straight!;
      const spread = { ...(tune === 'eye' ? EYE_SPREAD : schedule), straight };
      return {
        codeOf: (level, colour, offset) =>
          maskedCode(straightCode(straight, level), colour === 0 ? offset : chromaAt(spread, level)),
        masking: spread.masking ?? 0,
      };
    },
    stopOf,
    coarserStop: (stop) => stop,
  };
}

/** Files that are refined: the code is the last one, of level 0 or of coarser ones (`refinedStop`). */
export function refinedFamily(tune: Tune | undefined): Path {
  return {
    highest: HIGHEST_REFINED,
    usual: REFINED_USUAL,
    known: (code) => {
      const stop = refinedStop(code);
      const settling = tune === 'eye' ? settlingAt(stop) : undefined;
      const schedule = { lastLevel: stop.level, lastCode: stop.code, ...settling };
      return {
        codeOf: (level, colour, offset) => {
          // What is not measured has more noise than counts.
          const measured =
            level < stop.level ? MAX_FIRST_CODE : Math.max(1, whiteCode(schedule) - CODES_LEVEL_SPAN * level);
          const to = colour === 0 ? settledCode(schedule, level) : undefined;
          return to === undefined ? measured : Math.min(measured, maskedCode(to, offset));
        },
        masking: settling?.masking ?? 0,
      };
    },
    stopOf: refinedStop,
    coarserStop: ({ level, code }) => ({ level: level + 2, code }),
  };
}
