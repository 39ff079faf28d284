/** What a quality means: the noise level at which a stream ends. */
import { NOT_SETTLED, type Schedule, type Settled, type Views } from '../diffusion/schedule.js';
import { CODES_LEVEL_SPAN, LAST_CODE } from '../format.js';
import type { QualityTable } from '../model/integer/integer-model.js';
import { TOP_CODE } from '../model/sigma.js';
import { SETTLED_MASKING } from './masking.js';

/** A step of a level and sigma code: where a stream ends by itself. */
export interface Stop {
  level: number;
  code: number;
}

/** Where nothing else ends a stream. */
export const FINEST: Stop = { level: 0, code: LAST_CODE };

/**
 * Where refined files end that tell nothing of level 0, and of level 1: so noisy a level is only entered where files are
 * larger than the coarser one makes them when it is refined further than usual. Codes of tables go on behind TOP_CODE with
 * theirs, from the least to the most noise.
 */
const COARSER_STOPS: readonly Stop[] = [
  { level: 1, least: 144, most: 161 },
  { level: 2, least: 134, most: TOP_CODE },
].flatMap(({ level, least, most }) =>
  Array.from({ length: most - least + 1 }, (_, more) => ({ level, code: least + more })),
);
/** The highest code that a table of refined files may have. */
export const HIGHEST_REFINED = TOP_CODE + COARSER_STOPS.length;

/** Where a refined file of such a code ends. */
export function refinedStop(code: number): Stop {
  return code <= TOP_CODE ? { level: 0, code } : COARSER_STOPS[Math.min(code, HIGHEST_REFINED) - TOP_CODE - 1]!;
}

/**
 * What qualities mean where a model has no table of its own. Of pictures that end there, the mean SSIMULACRA 2 score is about the quality, up to 91;
 * from there on to sigma ½, which scores 96. Codes above TOP_CODE are those of `refinedStop`.
 */
export const DEFAULT_QUALITY_TABLE: QualityTable = [
  [1, 202],
  [8.5, 197],
  [15.5, 192],
  [21, 187],
  [26, 186],
  [33, 181],
  [39.5, 175],
  [45.5, TOP_CODE + 1],
  [46.5, TOP_CODE],
  [55.5, 160],
  [64.5, 152],
  [68.5, 150],
  [74.2, 144],
  [80, 136],
  [84, 128],
  [87, 120],
  [89.3, 112],
  [91.3, 104],
  [93, 96],
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
  return { level: 0, code: Math.floor(from + share * (to - from) + 0.5) };
}

/** What a schedule says about how coarse levels of refined files are settled. */
export type Settling = Required<Pick<Schedule, 'settled' | 'masking'>>;

/**
 * Steps of refined files for the eye: 4 an octave, 2 at level 0. Twice as many have up to 0.2 dB more at equal bytes, but
 * score no more, and decode in up to one and a half times the time.
 */
export const EYE_STEPS = { coarseWidth: 4, fineWidth: 8 } satisfies Partial<Schedule>;

/** How strongly coarse levels of refined files can be settled. Level 1 only where bits are plenty. */
const STRENGTHS: readonly Settled[] = [
  ...[0, 8, 12, 16, 20, 24].map((ahead): Settled => [NOT_SETTLED, ahead, ahead + 8, Math.min(36, ahead + 16)]),
  [8, 24, 32, 36],
];
/** The strongest of them, if what is settled may take the bits. */
export const MOST_STRENGTH = STRENGTHS.length - 1;
/** By the last level: as strongly as files of a quality are settled. */
const QUALITY_STRENGTHS = [MOST_STRENGTH, 3, 1, 1];
/** The strongest above sigma 20 and where level 0 tells nothing. */
const USUAL_STRENGTH = MOST_STRENGTH - 1;
const PLENTY = 150;

/** How strongly files that end there can be settled. */
export function mostStrengthAt({ level, code }: Stop): number {
  return level > 0 || code > PLENTY ? USUAL_STRENGTH : MOST_STRENGTH;
}

/**
 * How coarse levels of refined files are settled for the eye: SSIMULACRA 2 gains some 15 points at equal bytes below half
 * a bit per pixel, for 0.5 dB of PSNR. How strongly goes by what it takes (`SizeEnds`).
 * @param strength at most, 0..MOST_STRENGTH; default: as files of a quality have it
 */
export function settlingAt(stop: Stop, strength = QUALITY_STRENGTHS[stop.level]!): Settling {
  return { settled: STRENGTHS[Math.min(strength, mostStrengthAt(stop))]!, masking: SETTLED_MASKING };
}

/** What the schedule of a settled file says about its end. @param strength as of `settlingAt` */
export type SettledEnding = (stop: Stop, strength?: number) => Partial<Schedule>;

/**
 * The ending of files for the eye. A second view of what is shown is worth 0.2 points; of files that end above level 0 it is up
 * to 0.7 times the rest of the arithmetic, so that these have one.
 * @param views that are asked for
 */
export function settledEnding(views: Views | undefined): SettledEnding {
  return (stop, strength) => ({
    lastLevel: stop.level,
    lastCode: stop.code,
    ...settlingAt(stop, strength),
    ...(views === undefined && stop.level > 0 ? { views: 1 } : {}),
  });
}
