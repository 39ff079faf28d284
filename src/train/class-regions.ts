/** Regions of photographs, of the size of what is drawn, and statistics of each that its class is told by. */
import { log2 } from '../math/exact.js';
import { COLOURS } from '../pixels/colour.js';
import { haar, halve, type Plane } from '../pixels/pyramid.js';
import { cut, levelSize, type Photograph } from './dataset.js';

/** Side of a region in pixels, and how far the next one is. */
export const REGION = 256;
const STRIDE = 192;
/** Levels of photographs that regions are taken of: as they are, and at half their size. */
const LEVELS_OF_REGIONS = 2;

/** A square of a photograph's level. */
export interface Region {
  photograph: Photograph;
  level: number;
  x: number;
  y: number;
}

/** Regions of all photographs, in their order. */
export function regionsOf(photographs: readonly Photograph[]): Region[] {
  const found: Region[] = [];
  for (const photograph of photographs)
    for (let level = 0; level < LEVELS_OF_REGIONS; level++) {
      const { width, height } = levelSize(photograph, level);
      for (const y of places(height)) for (const x of places(width)) found.push({ photograph, level, x, y });
    }
  return found;
}

/** Where regions begin along a side: none where it is too short. */
function places(length: number): number[] {
  const free = length - REGION;
  return Array.from(
    { length: free < 0 ? 0 : Math.floor(free / STRIDE) + 1 },
    (_, k) => ((free % STRIDE) >> 1) + k * STRIDE,
  );
}

/** The pixels of a region. */
export function planeOfRegion({ photograph, level, x, y }: Region): Plane {
  return cut(photograph, level, x, y, REGION, REGION);
}

/** Octaves of detail that are looked at, and the level whose pixels tell how much colours vary. */
const SPECTRUM = 5;
const VARYING = 3;

/** Names of a region's statistics, as tables of classes have them. */
export const STATISTICS = [
  'luma',
  'redGreen',
  'blueYellow',
  'lumaSpread',
  'chromaSpread',
  ...Array.from({ length: SPECTRUM }, (_, k) => `detail${k}`),
  'upright1',
  'upright3',
  'diagonal1',
];

/** Mean and standard deviation of every colour. */
function moments({ data }: Plane): { mean: number[]; deviation: number[] } {
  const sums = Array.from({ length: COLOURS }, () => [0, 0]);
  for (let i = 0; i < data.length; i++) {
    const own = sums[i % COLOURS]!;
    own[0]! += data[i]!;
    own[1]! += data[i]! ** 2;
  }
  const count = data.length / COLOURS;
  const mean = sums.map(([sum]) => sum! / count);
  return { mean, deviation: sums.map(([, squares], c) => Math.sqrt(Math.max(0, squares! / count - mean[c]! ** 2))) };
}

/** Means of squares of luma's three details. */
function energiesOf(plane: Plane): number[] {
  const { width, height, data } = haar(plane);
  const energies = [0, 0, 0];
  for (let i = 0; i < data.length; i += 4 * COLOURS)
    for (let k = 0; k < 3; k++) energies[k]! += data[i + COLOURS * (k + 1)]! ** 2 / (width * height);
  return energies;
}

/** Those of STATISTICS. @param plane of a region's size */
export function statisticsOf(plane: Plane): number[] {
  const energies: number[][] = [];
  let spread: number[] = [];
  let u = plane;
  for (let level = 0; level < SPECTRUM; level++) {
    if (level === VARYING) spread = moments(u).deviation.map((value) => log2(value + 1));
    energies.push(energiesOf(u));
    u = halve(u);
  }
  const total = (level: number): number => energies[level]!.reduce((sum, value) => sum + value, 0);
  const upright = (level: number): number => {
    const [across = 0, along = 0] = energies[level]!;
    return (across - along) / (across + along + 1);
  };
  return [
    ...moments(plane).mean,
    spread[0]!,
    (spread[1]! + spread[2]!) / 2,
    ...energies.map((_, level) => log2(total(level) + 1) / 2),
    upright(1),
    upright(3),
    energies[1]![2]! / (total(1) + 1),
  ];
}
