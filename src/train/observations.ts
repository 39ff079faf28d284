/**
 * How examples are observed, as the recipe says: one sigma (`plain`), a lowest subband more precise than the details are
 * or shall be (`path`: coarse levels finished first), or any mixture of precisions by colour, subband, tile, border and
 * coefficient (`mixed`); on top of all a step cut in its middle, grey pictures, holes.
 * src/train/pytorch/observations.py draws the same from another generator.
 */
import { COEFFICIENTS } from '../model/architecture.js';
import type { Condition } from '../model/inputs.js';
import { CODES_PER_OCTAVE, EXACT, TOP_CODE, UNKNOWN, codeOf, sigmaOf } from '../model/sigma.js';
import type { Coefficients } from '../pixels/pyramid.js';
import type { Random } from './random.js';
import { RECIPE } from './recipe.js';

/** LL: the first three channels. */
const DETAILS = 3;

export interface DrawnCondition extends Condition {
  kind: 'plain' | 'path' | 'mixed';
  /** Sigma code of LL. */
  lowest: number;
}

const CODE_OF_ONE = codeOf(1);
const octaves = (n: number): number => CODE_OF_ONE + Math.round(CODES_PER_OCTAVE * n);
const LOWEST = octaves(RECIPE.sigma.lowest);
const HIGHEST = octaves(RECIPE.sigma.highest);
const clamped = (code: number): number => Math.min(HIGHEST, Math.max(LOWEST, code));

/** Of one sigma. */
export function plainCondition(condition: Condition): DrawnCondition {
  return { ...condition, kind: 'plain', lowest: condition.sigma };
}

/** Odds of the kinds. */
export type KindOdds = Readonly<Record<DrawnCondition['kind'], number>>;

/** On a path that finishes coarse levels first: LL is as precise as the details are, or shall be, or more. */
export function drawPathCondition(level: number, random: Random, entering: boolean): DrawnCondition {
  const { details, ahead } = RECIPE.path;
  const sigma = clamped(octaves(between([details.lowest[level]!, details.highest[level]!], random)));
  const more = random.chance(ahead.chance) ? Math.round(random.uniform() * CODES_PER_OCTAVE * ahead.octaves) : 0;
  return { level, sigma, mode: entering ? 'enter' : 'refine', kind: 'path', lowest: Math.max(LOWEST, sigma - more) };
}

/** What an example is observed with. */
export function drawCondition(level: number, random: Random, kinds: KindOdds): DrawnCondition {
  const { plain, path, mixed, sigma } = RECIPE;
  const mode = (enter: boolean): 'enter' | 'refine' => (enter ? 'enter' : 'refine');
  switch (random.weighted([kinds.plain, kinds.path, kinds.mixed])) {
    case 0: {
      // Mostly the schedule's own top; others keep the network a function of sigma.
      const top = random.chance(plain.top.usual) ? TOP_CODE : octaves(between(plain.top.other, random));
      if (random.chance(plain.enter[level]!)) return plainCondition({ level, sigma: top, mode: 'enter' });
      const deepest = level === 0 ? plain.deepest : plain.deepestCoarse;
      const depth = deepest[random.weighted(deepest.map(([, chance]) => chance!))]![0]!;
      return plainCondition({
        level,
        sigma: clamped(top - random.below(depth * CODES_PER_OCTAVE + 1)),
        mode: 'refine',
      });
    }
    case 1: {
      return drawPathCondition(level, random, random.chance(path.unknown + path.parts));
    }
    default: {
      const code = octaves(between([sigma.lowest, sigma.highest], random));
      return { level, sigma: code, mode: mode(random.chance(mixed.unknownDetails)), kind: 'mixed', lowest: code };
    }
  }
}

/** Uniform in a range. */
function between([low, high]: readonly number[], random: Random): number {
  return low! + (high! - low!) * random.uniform();
}

/** Which of `count` interleaved parts a coefficient belongs to; two parts are a checkerboard. */
export function partOf(column: number, row: number, channel: number, count: number): number {
  if (count === 4) return 2 * (row % 2) + ((row + column + channel) % 2);
  return (row + column + channel) % count;
}

/** A function of position and channel. */
type Field<T> = (column: number, row: number, channel: number) => T;

/**
 * Sigma codes of one example on the full grid; positions outside the crop are UNKNOWN.
 * @param begun whether details that are being entered may be known in part
 */
export function drawCodes(
  x: Coefficients,
  condition: DrawnCondition,
  grid: number,
  random: Random,
  begun = true,
): Uint8Array {
  const { kind, sigma, lowest } = condition;
  const enter = condition.mode === 'enter';
  const known = begun ? knownParts(kind, random) : () => false;
  const offset = kind === 'mixed' ? drawOffsets(x, random) : () => 0;
  const cut = drawCut(x, sigma, random);
  const absent = drawAbsent(kind, random);
  const nothing = kind === 'mixed' && random.chance(RECIPE.mixed.nothing);
  const grey = random.chance(RECIPE.grey);
  const codes = new Uint8Array(grid * grid * COEFFICIENTS).fill(UNKNOWN);
  for (let row = 0; row < x.height; row++) {
    for (let column = 0; column < x.width; column++) {
      const o = (row * grid + column) * COEFFICIENTS;
      for (let c = 0; c < COEFFICIENTS; c++) {
        const detail = c >= DETAILS;
        let code = clamped((detail ? sigma : lowest) + offset(column, row, c));
        if (enter && detail && !known(column, row, c)) code = UNKNOWN;
        if (cut !== undefined && (detail || !enter) && (begun || !enter) && cut.first(column, row, c))
          code = code === UNKNOWN ? sigma : enter ? code : clamped(code - cut.width);
        if (nothing || absent(column, row, c)) code = UNKNOWN;
        if (grey && c % 3 !== 0) code = EXACT;
        codes[o + c] = code;
      }
    }
  }
  if (random.chance(RECIPE.hole)) cutHole(codes, x, grid, random);
  return codes;
}

/** Which details that are being entered are known already: one half, or some of several parts. */
function knownParts(kind: DrawnCondition['kind'], random: Random): Field<boolean> {
  const { plain, path } = RECIPE;
  if (kind === 'plain') {
    const half = random.chance(plain.half) ? random.below(2) : -1;
    return (column, row, c) => partOf(column, row, c, 2) === half;
  }
  if (!random.chance(path.parts / (path.parts + path.unknown))) return () => false;
  const count = path.partCounts[random.below(path.partCounts.length)]!;
  const shift = random.below(count);
  const last = random.below(count - 1);
  return (column, row, c) => (partOf(column, row, c, count) + shift) % count <= last;
}

/** The offsets of a mixture, in sigma codes. */
function drawOffsets({ width, height }: Coefficients, random: Random): Field<number> {
  const { colour, subband, tile, border, scattered } = RECIPE.mixed;
  const some = ({ chance, offset }: { chance: number; offset: number[] }, n: number): number[] => {
    const drawn = random.chance(chance);
    return Array.from({ length: n }, () => (drawn ? between(offset, random) : 0));
  };
  const colours = [0, ...some(colour, 2)];
  const subbands = some(subband, 4);
  const [tileOffset] = some(tile, 1);
  const side = tile.sides[random.below(tile.sides.length)]!;
  const share = between(tile.share, random);
  const columns = Math.ceil(width / side);
  const tiles = Array.from({ length: columns * Math.ceil(height / side) }, () => random.chance(share));
  const [borderOffset] = some(border, 1);
  const vertical = random.chance(0.5);
  const at = random.uniform();
  const rough = random.chance(scattered.chance);
  return (column, row, c) => {
    let n = colours[c % 3]! + subbands[Math.floor(c / 3)]!;
    if (tiles[Math.floor(row / side) * columns + Math.floor(column / side)]!) n += tileOffset!;
    if (vertical ? column >= at * width : row >= at * height) n += borderOffset!;
    if (rough) n += between(scattered.offset, random);
    return Math.round(CODES_PER_OCTAVE * n);
  };
}

/** A step that was cut has refined the coefficients of high variance first, whose stand-in is the local amplitude. */
function drawCut(x: Coefficients, sigma: number, random: Random): { first: Field<boolean>; width: number } | undefined {
  const { cut } = RECIPE;
  if (!random.chance(cut.chance)) return undefined;
  const threshold = sigmaOf(sigma) * 2 ** between(cut.threshold, random);
  const byAmplitude = random.chance(cut.byAmplitude);
  const share = random.uniform();
  const first: Field<boolean> = (column, row, c) =>
    (byAmplitude ? amplitude(x, column, row, c) > threshold : random.uniform() < share) && random.chance(cut.kept);
  return { first, width: random.chance(0.5) ? 4 : 2 };
}

/** Channels of which nothing is known. */
function drawAbsent(kind: DrawnCondition['kind'], random: Random): Field<boolean> {
  if (kind !== 'mixed' || !random.chance(RECIPE.mixed.absent)) return () => false;
  const absent = Array.from({ length: COEFFICIENTS }, () => random.chance(0.25));
  return (_column, _row, c) => absent[c]!;
}

/** A rectangle of which nothing is known, within the crop. */
function cutHole(codes: Uint8Array, x: Coefficients, grid: number, random: Random): void {
  const w = 1 + random.below(x.width);
  const h = 1 + random.below(x.height);
  const x0 = random.below(x.width - w + 1);
  const y0 = random.below(x.height - h + 1);
  for (let y = y0; y < y0 + h; y++)
    codes.fill(UNKNOWN, (y * grid + x0) * COEFFICIENTS, (y * grid + x0 + w) * COEFFICIENTS);
}

/** Largest absolute value of a channel among a position and its four neighbours. */
function amplitude(x: Coefficients, px: number, y: number, c: number): number {
  const i = (y * x.width + px) * COEFFICIENTS + c;
  const row = x.width * COEFFICIENTS;
  let m = Math.abs(x.data[i]!);
  if (px > 0) m = Math.max(m, Math.abs(x.data[i - COEFFICIENTS]!));
  if (px < x.width - 1) m = Math.max(m, Math.abs(x.data[i + COEFFICIENTS]!));
  if (y > 0) m = Math.max(m, Math.abs(x.data[i - row]!));
  if (y < x.height - 1) m = Math.max(m, Math.abs(x.data[i + row]!));
  return m;
}

/**
 * Takes some of the lowest frequencies from the noise of LL, in place: on a path that finishes coarse levels first, the
 * level above knew its own LL better than its details.
 * @param noise white, grid × grid × 12, grid even
 */
export function colourNoise(noise: Float32Array, condition: DrawnCondition, grid: number, random: Random): void {
  if (condition.kind !== 'path' || !random.chance(RECIPE.path.coloured)) return;
  const taken = 1 - 2 ** -(random.uniform() * RECIPE.path.ahead.octaves);
  for (let row = 0; row < grid; row += 2) {
    for (let column = 0; column < grid; column += 2) {
      const corners = [0, 1, grid, grid + 1].map((d) => (row * grid + column + d) * COEFFICIENTS);
      for (let c = 0; c < DETAILS; c++) {
        const mean = corners.reduce((sum, o) => sum + noise[o + c]!, 0) / 4;
        for (const o of corners) noise[o + c]! -= taken * mean;
      }
    }
  }
}
