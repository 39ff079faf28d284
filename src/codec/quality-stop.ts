/** Where the file of a picture ends for a quality: where files usually do, or as is foreseen of that picture. */
import { chromaAt, settledCode, straightCode, type Schedule } from '../diffusion/schedule.js';
import { CODES_LEVEL_SPAN, MAX_FIRST_CODE } from '../format.js';
import type { QualityTable } from '../model/integer/integer-model.js';
import { TOP_CODE } from '../model/sigma.js';
import type { Picture } from '../picture.js';
import type { Pieces } from '../turns.js';
import type { Tune } from './encoder-options.js';
import { EYE_SPREAD, maskedCode } from './masking.js';
import { DEFAULT_QUALITY_TABLE, settlingOf, stopOfQuality, type Stop } from './quality.js';
import { QualitySearch, type Family } from './quality-search.js';
import { ScoreForecast } from './score-forecast.js';
import { straightAt } from './straight.js';

/**
 * So many codes of the family of refined files stand for how much they are settled by: those above TOP_CODE, as level 0
 * has no more noise.
 */
const SETTLING_CODES = 16;

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
  [112, 86.3],
  [120, 83.7],
  [128, 80.4],
  [136, 76],
  [144, 70.5],
  [152, 63.6],
  [160, 55.1],
  [168, 44.7],
  [184, 26.4],
];

/** @param table of the model @param schedule of the file @param tune undefined where the schedule says how errors are spread */
export function* stopFor(
  quality: number,
  picture: Picture,
  table: QualityTable = DEFAULT_QUALITY_TABLE,
  schedule: Schedule,
  tune: Tune | undefined,
): Pieces<Stop> {
  const usual = stopOfQuality(quality, table);
  if (usual.level > 0) return usual;
  const forecast = yield* ScoreForecast.of(picture);
  if (forecast === undefined) return usual;
  const family = schedule.straight !== undefined ? straightFamily(schedule, tune) : refinedFamily(tune);
  const search = new QualitySearch(family.tableOf(table), forecast, family);
  return family.stopOf(yield* search.codeOf(quality, family.codeOf(usual)));
}

/** Which code stands for a stop at level 0. */
interface Path extends Family {
  codeOf(stop: Stop): number;
  stopOf(code: number): Stop;
  /** A model's table, with codes of the family. */
  tableOf(table: QualityTable): QualityTable;
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
    codeOf: ({ code }) => code,
    stopOf,
    tableOf: (table) => table,
  };
}

/** Files that are refined: the code is the last one, or says by how much those of the first one are settled. */
export function refinedFamily(tune: Tune | undefined): Path {
  const stopOf = (code: number): Stop =>
    code <= TOP_CODE
      ? { level: 0, code }
      : { level: 0, code: TOP_CODE, settled: 1 - (code - TOP_CODE) / SETTLING_CODES };
  return {
    highest: TOP_CODE + SETTLING_CODES,
    usual: REFINED_USUAL,
    known: (code) => {
      const stop = stopOf(code);
      const settling = tune === 'eye' ? settlingOf(stop) : undefined;
      const schedule = { lastCode: stop.code, ...settling };
      return {
        codeOf: (level, colour, offset) => {
          const measured = Math.max(1, stop.code - CODES_LEVEL_SPAN * level);
          const to = colour === 0 ? settledCode(schedule, level) : undefined;
          return to === undefined ? measured : Math.min(measured, maskedCode(to, offset));
        },
        masking: settling?.masking ?? 0,
      };
    },
    codeOf: ({ code, settled = 1 }) => code + Math.floor((1 - settled) * SETTLING_CODES + 0.5),
    stopOf,
    // Of two qualities with one code the lower one is not settled.
    tableOf: (table) =>
      table.map(([quality, code], i) => [quality, table[i + 1]?.[1] === code ? code + SETTLING_CODES : code]),
  };
}
