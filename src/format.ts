/**
 * The numbers that define format version 1. Changing one changes what is written or read: a new format version.
 */
import { MAX_NU } from './entropy/trellis.js';
import type { Size } from './math/rectangle.js';
import { COEFFICIENTS } from './model/architecture.js';

/** Version of the format that this release writes; it reads no other. */
export const FORMAT_VERSION = 1;

/** First bytes of a file: a byte above 127 (a 7-bit channel clears it) and the name. A small picture has few bytes to spare. */
export const MAGIC = Uint8Array.from([0x8d, 0x44, 0x43, 0x5a]);

/** The pyramid ends with the first level whose longer side is at most this. */
export const ROOT_SIDE = 8;

/** A level is entered at sigma_top = 2^5.5 and, at levels ≥ 1, left one octave below: the next level's sigma_top. */
export const CODES_LEVEL_SPAN = 16;

/**
 * From this sigma code on a level that the file ends in is shown by handing its observation to the next finer level as it is,
 * before it by its posterior mean: the first is better from about sigma 35 on, at the level's end by 0.8 dB.
 */
export const HANDED_ON_CODE = 162;

/**
 * Where a level that the file ends in is shown by its posterior mean, that is known to the next finer level with so many codes less than
 * its variance says, and no less than the second: the error of a mean is not noise, and a network that takes it for noise smooths
 * once more. Worth 0.1 dB and more, on straight paths always; of a network that was taught the refined path alone with most pictures.
 */
export const MEAN_AHEAD = 24;
export const LEAST_MEAN_CODE = 128;

/** Sigma code at which level 0 ends: sigma ½, beyond which 8-bit samples hold nothing more. */
export const LAST_CODE = 64;
/** The noise of a picture of which level 0 has nothing to tell: no level is measured with more. */
export const MAX_FIRST_CODE = 240;

/** How near to white or black what is taken for it can be at most, in units of 8 bits. */
export const MAX_NEAR = 15;

/** Side, in coefficient positions, that a group of coefficients (coded together, in one shuffled order) may have. */
export const GROUP_SIDE = 384;

/** log2 of the variance is used in steps of 1/32 octave; an error of half a step costs less than 1e-4 of the bits. */
export const VARIANCE_STEPS = 32;
/** Range of log2 of the variance, in steps. */
export const VARIANCE_MIN = -16 * VARIANCE_STEPS;
const VARIANCE_MAX = 24 * VARIANCE_STEPS;
export const VARIANCE_COUNT = VARIANCE_MAX - VARIANCE_MIN + 1;

/** The scale of a step's variances is a power of 2^(1/8). */
export const SCALE_STEPS = VARIANCE_STEPS / 8;

/** Blocks of a gain are 8×8 positions (16×16 pixels of the level). */
export const GAIN_BLOCK = 8;
/** Gains are sent when a level ≤ 2 is entered, if the group has at least so many blocks. */
export const GAIN_LEVELS = 2;
export const GAIN_MIN_BLOCKS = 16;

/** What a coefficient must have to tell, in bits, to be among the first where a level is entered in two steps. */
export const FIRST_INFORMATION = 1 / 8;
/**
 * What a coefficient of level 0 that is not known at all must have to tell, in bits, to be measured on a straight path. The
 * last bits of a file bring most where there is most to tell; at coarser levels, whose noise is handed on, all are measured.
 */
export const LEAST_INFORMATION = 1 / 10;

/** Of stages (src/codec/stages.ts): a correlation is counted in so many units of 1, up to seven eighths, a share of a variance in 1/32. */
export const CORRELATION_UNITS = 64;
export const MAX_CORRELATION = 56;
export const SHARE_UNITS = 32;

/** Corrections move a coefficient by whole multiples of this many sigma: what remains is of the size of the noise itself. */
export const CORRECTION_STEP = 3;

/** log2 of the states of the trellis of signs at level 0, in the header, is at most this. */
export const MAX_FINE_NU = 16;

/**
 * log2 of the states of the trellis of signs at a level: more where there are few sections, which is at all levels ≥ 1 but on a straight path,
 * where those near level 0 have about as many as that.
 * @param nu that of level 0
 */
export function nuAt(level: number, nu: number, straight: boolean): number {
  if (straight) return level < 3 ? nu : Math.min(MAX_NU, nu + 2);
  return level === 0 ? nu : Math.max(16, Math.min(MAX_NU, nu + 3));
}

/**
 * Most information a coefficient gets in one pass, in bits: the finest of these of which a step holds enough for runs
 * of RUN_BITS bits on average. A trellis is worse at the beginning of a run, and at large information a coefficient.
 */
export const PASS_INFORMATION: readonly number[] = [1 / 16, 1 / 8, 1 / 4];
export const RUN_BITS = 300;
/** A round of passes must hold so many bits, as a run costs some 4 besides; what has more passes to come than that takes larger ones. */
export const ROUND_BITS = 16;
/** Passes of what is not quantised, at most: QUANTISED_INFORMATION in passes of the finest. */
export const MAX_PASSES = 7;
/**
 * What has so much to tell in a step, in bits, is quantised (src/entropy/tcq.ts): it takes some 0.02 bits more than it tells. What
 * has less is told in passes, by signs: they take some 4 % more and, of each run, some 4 bits, which is less there.
 */
export const QUANTISED_INFORMATION = 7 / 16;
/** What is quantised is told in the order of its whole bits, of so many and more at once. */
export const QUANTISED_RANKS = 16;
/** Coefficients with less than this share of a pass come last in the last round. */
export const LATE_SHARE = 0.25;

/**
 * A segment is closed at the end of the unit in which it reaches max(SEGMENT_BYTES, SEGMENT_GROWTH · bytes before it). Where a
 * step has several groups, each of them has a segment of its own: a decoder that needs only some of them reads no others.
 */
export const SEGMENT_BYTES = 3072;
export const SEGMENT_GROWTH = 0.25;

/**
 * The shuffled order of n coefficients: a permutation of 0 .. 2^b − 1, b being the fewest bits that hold 0 .. n − 1, of
 * which what is not below n is left out. Exclusive ors with a right shift and odd multipliers (those of lowbias32) each
 * are bijections of the bits kept. A regular order (a stride) does as well in squared error, but where a file is cut,
 * its lattice shows as hatching.
 * @param n 2..2^31
 */
export function shuffledOrder(n: number): Uint32Array {
  const order = new Uint32Array(n);
  const bits = 32 - Math.clz32(n - 1);
  const mask = 2 ** bits - 1;
  const shift = bits >>> 1;
  for (let j = 0, k = 0; j <= mask; j++) {
    let x = j ^ (j >>> shift);
    x = Math.imul(x, 0x7feb352d) & mask;
    x ^= x >>> shift;
    x = Math.imul(x, 0x846ca68b) & mask;
    x ^= x >>> shift;
    if (x < n) order[k++] = x;
  }
  return order;
}

/** Pictures whose shorter side is no longer are folded, */
const THIN_SIDE = 8;
/** if that makes at least so many strips of them: grids are padded to 8 positions, and the network knows no such thin ones. */
const LEAST_STRIPS = 3;

/** How many strips of a thin picture lie side by side in what is coded; 1 where it is coded as it is. */
export function stripsOf({ width, height }: Size): number {
  const short = Math.min(width, height);
  const strips = Math.floor(Math.sqrt(Math.max(width, height) / short) + 0.5);
  return short <= THIN_SIDE && strips >= LEAST_STRIPS ? strips : 1;
}

/** The size in which the colours of a picture are coded: a thin one is folded, so that it is about as wide as high. */
export function codedSize(size: Size): Size {
  const { width, height } = size;
  const strips = stripsOf(size);
  if (strips === 1) return { width, height };
  const length = Math.ceil(Math.max(width, height) / strips);
  return width > height ? { width: length, height: strips * height } : { width: strips * width, height: length };
}

/** A rectangle of positions whose coefficients are coded together. */
export interface Group {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The groups of a grid, row by row: as few as possible, of nearly equal size. */
export function groupsOf(width: number, height: number): Group[] {
  const groups: Group[] = [];
  const columns = Math.ceil(width / GROUP_SIDE);
  const rows = Math.ceil(height / GROUP_SIDE);
  for (let r = 0; r < rows; r++) {
    const y = Math.floor((r * height) / rows);
    const y1 = Math.floor(((r + 1) * height) / rows);
    for (let c = 0; c < columns; c++) {
      const x = Math.floor((c * width) / columns);
      const x1 = Math.floor(((c + 1) * width) / columns);
      groups.push({ x, y, width: x1 - x, height: y1 - y });
    }
  }
  return groups;
}

export function groupCoefficients(group: Group): number {
  return group.width * group.height * COEFFICIENTS;
}
