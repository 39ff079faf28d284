/** What a quality means: the noise level at which a stream ends. */
import { CODES_LEVEL_SPAN, LAST_CODE } from '../format.js';
import { TOP_CODE } from '../model/sigma.js';

/** A step of a level and sigma code: where a stream ends by itself. */
export interface Stop {
  level: number;
  code: number;
}

/** Where nothing else ends a stream. */
export const FINEST: Stop = { level: 0, code: LAST_CODE };

/**
 * Sigma codes of level 0 by quality: of pictures that end there, the mean SSIMULACRA 2 score is about the quality, up to 90;
 * from there on to sigma ½, which scores 96.
 */
const CODES_OF_QUALITY: readonly (readonly [quality: number, code: number])[] = [
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

/** Where the stream ends for a quality. Below 10 that is at coarser levels. */
export function stopOfQuality(quality: number): Stop {
  const [lowest] = CODES_OF_QUALITY[0]!;
  if (quality < lowest) {
    const steps = lowest - 1 - Math.floor(quality);
    return { level: 1 + Math.floor(steps / 5), code: TOP_CODE - CODES_LEVEL_SPAN + 4 * (steps % 5) };
  }
  const i = CODES_OF_QUALITY.findIndex(([q]) => q >= quality);
  const [high, to] = CODES_OF_QUALITY[i]!;
  const [low, from] = CODES_OF_QUALITY[Math.max(0, i - 1)]!;
  return { level: 0, code: i === 0 ? to : Math.floor(from + ((quality - low) * (to - from)) / (high - low) + 0.5) };
}
