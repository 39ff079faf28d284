/**
 * Classes of pictures: clusters by statistics (Lloyd's k-means, begun as k-means++: Arthur and Vassilvitskii, 2007), and
 * the table that they are kept in, which src/train/pytorch/clusters.py reads and writes too.
 */
import { DcompError } from '../errors.js';
import { STATISTICS } from './class-regions.js';
import type { Random } from './random.js';

/** Weights of the standardised statistics: what colour a picture has is what people see first. */
const WEIGHTS = STATISTICS.map((_, k) => (k < 3 ? 1.5 : 1));
const ROUNDS = 100;
/** Digits of a table's numbers. */
const DIGITS = 4;

/** What a class is: the nearest centre, by weighted statistics whose mean is 0 and standard deviation 1. */
export interface Clusters {
  mean: readonly number[];
  deviation: readonly number[];
  /** By class, in the statistics' own units. */
  centres: readonly (readonly number[])[];
}

type Scale = Pick<Clusters, 'mean' | 'deviation'>;

const placeOf = ({ mean, deviation }: Scale, values: readonly number[]): number[] =>
  values.map((value, k) => ((value - mean[k]!) / deviation[k]!) * WEIGHTS[k]!);

const distance = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, k) => sum + (value - b[k]!) ** 2, 0);

function nearest(point: readonly number[], centres: readonly (readonly number[])[]): number {
  let found = 0;
  centres.forEach((centre, c) => {
    if (distance(point, centre) < distance(point, centres[found]!)) found = c;
  });
  return found;
}

/** The class of every row of statistics. */
export function classesOf(clusters: Clusters, rows: readonly (readonly number[])[]): number[] {
  const centres = clusters.centres.map((centre) => placeOf(clusters, centre));
  return rows.map((row) => nearest(placeOf(clusters, row), centres));
}

const meanOf = (rows: readonly (readonly number[])[]): number[] =>
  rows[0]!.map((_, k) => rows.reduce((sum, row) => sum + row[k]!, 0) / rows.length);

/**
 * So many clusters of rows of statistics, numbered by how bright they are.
 * @throws DcompError E_TRAINING_DATA where there are fewer different rows
 */
export function clustersOf(rows: readonly (readonly number[])[], count: number, random: Random): Clusters {
  const mean = meanOf(rows);
  const squares = meanOf(rows.map((row) => row.map((value, k) => (value - mean[k]!) ** 2)));
  const scale = { mean, deviation: squares.map((value) => Math.max(1e-6, Math.sqrt(value))) };
  const points = rows.map((row) => placeOf(scale, row));
  let centres = [points[random.below(points.length)]!];
  while (centres.length < count) {
    const far = points.map((point) => distance(point, centres[nearest(point, centres)]!));
    if (far.every((value) => value === 0))
      throw new DcompError(
        'E_TRAINING_DATA',
        `the photographs have ${centres.length} different regions of 256×256 pixels, too few for ${count} classes; give more, or ask for fewer`,
      );
    centres.push(points[random.weighted(far)]!);
  }
  for (let round = 0; round < ROUNDS; round++) {
    const own = points.map((point) => nearest(point, centres));
    const moved = centres.map((centre, c) => {
      const mine = points.filter((_, i) => own[i] === c);
      return mine.length === 0 ? centre : meanOf(mine);
    });
    const still = moved.every((centre, c) => distance(centre, centres[c]!) === 0);
    centres = moved;
    if (still) break;
  }
  const natural = centres.map((centre) =>
    centre.map((value, k) => (value / WEIGHTS[k]!) * scale.deviation[k]! + mean[k]!),
  );
  return { ...scale, centres: natural.sort((a, b) => a[0]! - b[0]!) };
}

/** The table (CSV): by class its share of the regions and its centre. @param classes of the regions that it was made of */
export function clustersText({ mean, deviation, centres }: Clusters, classes: readonly number[]): string {
  const shareOf = (c: number): string => (classes.filter((own) => own === c).length / classes.length).toFixed(DIGITS);
  const row = (name: string, share: string, values: readonly number[]): string =>
    `${[name, share, ...values.map((value) => value.toFixed(DIGITS))].join(',')}\n`;
  return [
    `${['class', 'share', ...STATISTICS].join(',')}\n`,
    ...centres.map((centre, c) => row(String(c), shareOf(c), centre)),
    row('mean', '', mean),
    row('deviation', '', deviation),
  ].join('');
}

/** @param name of the table, for errors. @throws DcompError E_TRAINING_DATA */
export function clustersFrom(text: string, name: string): Clusters {
  const [head = '', ...lines] = text.trim().split(/\r?\n/);
  const rows = lines.map((line) => line.split(',').slice(2).map(Number));
  const isRight =
    head === ['class', 'share', ...STATISTICS].join(',') &&
    rows.length > 2 &&
    rows.every((row) => row.length === STATISTICS.length && row.every(Number.isFinite)) &&
    rows[rows.length - 1]!.every((value) => value > 0);
  if (!isRight)
    throw new DcompError(
      'E_TRAINING_DATA',
      `${name} is no table of classes; give one that 'dcomp train classifier' has made, or a name that does not exist yet`,
    );
  const [mean, deviation] = rows.slice(-2) as [number[], number[]];
  return { mean, deviation, centres: rows.slice(0, -2) };
}
