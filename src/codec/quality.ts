/** What a quality means: the noise level at which a stream ends. */
import { CODES_LEVEL_SPAN, LAST_CODE } from '../format.js';
import type { QualityTable } from '../model/integer/integer-model.js';
import { TOP_CODE } from '../model/sigma.js';

/** A step of a level and sigma code: where a stream ends by itself. */
export interface Stop {
  level: number;
  code: number;
}

/** Where nothing else ends a stream. */
export const FINEST: Stop = { level: 0, code: LAST_CODE };

/**
 * What qualities mean where a model has no table of its own. Of pictures that end there, the mean SSIMULACRA 2 score is about the quality, up to 90;
 * from there on to sigma ½, which scores 96.
 */
export const DEFAULT_QUALITY_TABLE: QualityTable = [
  [10, 168],
  [26, 160],
  [42, 152],
  [56, 144],
  [66, 136],
  [74, 128],
  [80, 120],
  [84, 112],
  [88, 104],
  [90.5, 96],
  [93, 88],
  [95.5, 80],
  [98, 72],
  [100, LAST_CODE],
];

/**
 * Where the stream ends for a quality. Below the first of the table that is at coarser levels.
 * @param quality from 1 to 100 @param table of the model
 */
export function stopOfQuality(quality: number, table: QualityTable = DEFAULT_QUALITY_TABLE): Stop {
  const [lowest] = table[0]!;
  if (quality < lowest) {
    const steps = lowest - 1 - Math.floor(quality);
    return { level: 1 + Math.floor(steps / 5), code: TOP_CODE - CODES_LEVEL_SPAN + 4 * (steps % 5) };
  }
  const i = table.findIndex(([q]) => q >= quality);
  const [high, to] = table[i]!;
  const [low, from] = table[Math.max(0, i - 1)]!;
  return { level: 0, code: i === 0 ? to : Math.floor(from + ((quality - low) * (to - from)) / (high - low) + 0.5) };
}
