/** What a quality means: the noise level at which a stream ends. */
import { NOT_SETTLED, type Schedule, type Settled } from '../diffusion/schedule.js';
import { CODES_LEVEL_SPAN, LAST_CODE } from '../format.js';
import type { QualityTable } from '../model/integer/integer-model.js';
import { TOP_CODE } from '../model/sigma.js';
import { EYE_MASKING } from './masking.js';

/** A step of a level and sigma code: where a stream ends by itself. */
export interface Stop {
  level: number;
  code: number;
  /** Share of what a refined file is settled by for the eye. Default: 1, all of it. */
  settled?: number;
}

/** Where nothing else ends a stream. */
export const FINEST: Stop = { level: 0, code: LAST_CODE };

/**
 * What qualities mean where a model has no table of its own. Of pictures that end there, the mean SSIMULACRA 2 score is about the quality, up to 91;
 * from there on to sigma ½, which scores 96. At the first code two qualities are told apart by how much is settled.
 */
export const DEFAULT_QUALITY_TABLE: QualityTable = [
  [18, TOP_CODE],
  [45, TOP_CODE],
  [57, 160],
  [65.5, 152],
  [72.5, 144],
  [78.3, 136],
  [82.2, 128],
  [85.8, 120],
  [88.5, 112],
  [91, 104],
  [92.5, 96],
  [94.5, 88],
  [96.5, 80],
  [98.5, 72],
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
  const share = high === low ? 1 : (quality - low) / (high - low);
  // Where two qualities have one code, the higher one is settled and the lower one is not.
  const code = Math.floor(from + share * (to - from) + 0.5);
  if (i === 0) return table[1]?.[1] === to ? { level: 0, code, settled: 0 } : { level: 0, code };
  return from === to ? { level: 0, code, settled: share } : { level: 0, code };
}

/**
 * How coarse levels of refined files are settled for the eye, from not at all to where SSIMULACRA 2 gains most: some 15
 * points at equal bytes below half a bit per pixel, for 0.5 dB of PSNR. Level 1 costs more than it brings.
 */
const SETTLINGS: readonly (Settled | undefined)[] = [
  undefined,
  [NOT_SETTLED, NOT_SETTLED, 0, 4],
  [NOT_SETTLED, NOT_SETTLED, 12, 16],
  [NOT_SETTLED, 0, 8, 12],
  [NOT_SETTLED, 8, 16, 20],
  [NOT_SETTLED, 24, 32, 36],
];

/** What a schedule says about it. */
export type Settling = Required<Pick<Schedule, 'settled' | 'masking'>>;

/** @returns undefined where nothing is settled */
export function settlingOf({ settled: share = 1 }: Stop): Settling | undefined {
  const settled = SETTLINGS[Math.floor(share * (SETTLINGS.length - 1) + 0.5)];
  return settled === undefined ? undefined : { settled, masking: EYE_MASKING };
}
