/** What the curves of many pictures say together. */
import { checkObject, mustBe } from '../src/options.js';
import { bdRate } from './bd-rate.js';
import { between, qualityAt, rateAt, type CurvePoint } from './curve.js';
import { curvePoints, type Evaluation, type PictureResult } from './evaluation.js';
import type { Point } from './measurement.js';
import type { MetricName } from './metrics/metrics.js';

type Values = (number | undefined)[];

/** Figures by rate; undefined where some picture has none: the mean of others would be that of another set. */
export interface Summary {
  pictures: number;
  rates: number[];
  /** Mean over the pictures at equal rate, by metric and codec. MS-SSIM in dB. */
  quality: Partial<Record<MetricName, Record<string, Values>>>;
  /** dcomp minus each other codec in PSNR, dB, and the share of pictures on which dcomp is better. */
  lead: Record<string, { mean: Values; wins: Values }>;
  /** Real rate over the ideal rate at the PSNR of the real file, minus 1: mean, highest, and of how many pictures. */
  overhead?: { mean: Values; most: Values; counted: number[] };
  bdRates: BdEntry[];
  /** Range of rates of the BD-rates. */
  bdRange: [number, number];
  costs: Cost[];
  /** By rate, means over the pictures. */
  own?: { evaluations: Values; kiloFlopPerPixel: Values; statedOverhead: Values };
}

/** dcomp against a reference in one metric. */
export interface BdEntry {
  metric: MetricName;
  reference: string;
  /** Percent: mean of the pictures' BD-rates, and of how many pictures. */
  pictures: number | undefined;
  counted: number;
  /** BD-rate of the mean curves, and the quality over which both have one. */
  meanCurve: number | undefined;
  from: number | undefined;
  to: number | undefined;
}

export interface Cost {
  codec: string;
  /** Seconds of processor per megapixel, mean over the pictures at COST_RATE. */
  encode: number | undefined;
  decode: number | undefined;
  /** Bytes, highest of all files. */
  encodeMemory: number | undefined;
  decodeMemory: number | undefined;
}

/** BD-rates are over at most this range, so that they can be compared from report to report. */
const BD_RANGE = [0.1, 1] as const;
/** Where times are compared. */
export const COST_RATE = 0.5;
/** The rate of single figures. */
export const MAIN_RATE = 0.25;

/** Means, differences and costs over all pictures of an evaluation. */
export function summarise(evaluation: Evaluation): Summary {
  checkObject(evaluation, 'the evaluation', 'what evaluate gives');
  const { pictures, rates, metrics, codecs } = evaluation;
  for (const list of [pictures, rates, metrics, codecs])
    if (!Array.isArray(list)) throw mustBe('the evaluation', evaluation, 'what evaluate gives');
  const names = codecs.map(({ name }) => name);
  const summary: Summary = {
    pictures: pictures.length,
    rates,
    quality: Object.fromEntries(metrics.map((metric) => [metric, qualityOf(evaluation, metric)])),
    lead: {},
    bdRates: [],
    bdRange: bdRangeOf(rates),
    costs: names.filter((name) => name !== 'ideal').map((name) => costOf(name, pictures)),
  };
  if (!names.includes('dcomp')) return summary;
  for (const name of names) if (name !== 'dcomp' && name !== 'ideal') summary.lead[name] = leadOf(evaluation, name);
  if (names.includes('ideal')) summary.overhead = overheadOf(evaluation);
  for (const metric of metrics)
    for (const name of names)
      if (name !== 'dcomp' && summary.quality[metric]![name] !== undefined)
        summary.bdRates.push(bdEntry(summary, pictures, metric, name));
  summary.own = ownOf(evaluation);
  return summary;
}

/** Mean quality by codec and rate; the ideal channel only where it was measured. */
function qualityOf({ codecs, pictures, rates }: Evaluation, metric: MetricName): Record<string, Values> {
  const table: Record<string, Values> = {};
  for (const { name } of codecs) {
    const values = rates.map((rate) =>
      mean(pictures.map((picture) => qualityAt(curvePoints(picture, name, metric), rate))),
    );
    if (name !== 'ideal' || values.some((value) => value !== undefined)) table[name] = values;
  }
  return table;
}

function leadOf({ pictures, rates }: Evaluation, codec: string): Summary['lead'][string] {
  const leads = rates.map((rate) => pictures.map((picture) => lead(picture, codec, rate)));
  return {
    mean: leads.map(mean),
    wins: leads.map((values) => mean(values.map((value) => (value === undefined ? undefined : Number(value > 0))))),
  };
}

function overheadOf({ pictures, rates }: Evaluation): NonNullable<Summary['overhead']> {
  const overheads = rates.map((rate) =>
    pictures.map((picture) => overhead(picture, rate)).filter((value) => value !== undefined),
  );
  return {
    mean: overheads.map(mean),
    most: overheads.map((values) => (values.length === 0 ? undefined : Math.max(...values))),
    counted: overheads.map((values) => values.length),
  };
}

function ownOf({ pictures, rates }: Evaluation): NonNullable<Summary['own']> {
  const at = (of: (point: Point) => number | undefined): Values =>
    rates.map((rate) => mean(pictures.map((picture) => ownAt(picture, rate, of))));
  return {
    evaluations: at((point) => point.evaluations),
    kiloFlopPerPixel: at((point) => point.kiloFlopPerPixel),
    statedOverhead: at(({ bytes, idealBits }) =>
      idealBits === undefined || idealBits === 0 ? undefined : (8 * bytes) / idealBits - 1,
    ),
  };
}

/** Where the rates have no part in the usual range, all of theirs. */
function bdRangeOf(rates: readonly number[]): [number, number] {
  const [first, last] = [rates[0]!, rates[rates.length - 1]!];
  const [low, high] = [Math.max(BD_RANGE[0], first), Math.min(BD_RANGE[1], last)];
  return low < high ? [low, high] : [first, last];
}

/** dcomp minus a codec in dB of PSNR at a rate. */
export function lead(picture: PictureResult, codec: string, rate: number): number | undefined {
  const [own, other] = [
    qualityAt(curvePoints(picture, 'dcomp', 'psnr'), rate),
    qualityAt(curvePoints(picture, codec, 'psnr'), rate),
  ];
  return own === undefined || other === undefined ? undefined : own - other;
}

/** Real over ideal rate at equal PSNR, minus 1, of the file that is meant for a rate. */
export function overhead(picture: PictureResult, rate: number): number | undefined {
  const point = curvePoints(picture, 'dcomp', 'psnr').find((p) => near(p.rate, rate));
  const ideal = point && rateAt(curvePoints(picture, 'ideal', 'psnr'), point.quality);
  return ideal === undefined ? undefined : point!.rate / ideal - 1;
}

/** A value of dcomp's file that is meant for a rate, or of one between two. */
function ownAt(picture: PictureResult, rate: number, of: (point: Point) => number | undefined): number | undefined {
  const point = picture.curves.dcomp?.points.find(({ bitsPerPixel }) => near(bitsPerPixel, rate));
  return point && of(point);
}

/** Files are a little smaller than asked for, small ones by a few percent. */
function near(real: number, wanted: number): boolean {
  return real <= wanted * 1.0001 && real >= wanted * 0.95;
}

function bdEntry(summary: Summary, pictures: readonly PictureResult[], metric: MetricName, reference: string): BdEntry {
  const [low, high] = summary.bdRange;
  const part = (picture: PictureResult, codec: string): CurvePoint[] =>
    between(curvePoints(picture, codec, metric), low, high);
  const each = pictures
    .map((picture) => bdRate(part(picture, reference), part(picture, 'dcomp'))?.percent)
    .filter((percent) => percent !== undefined);
  const meanOf = (codec: string): CurvePoint[] =>
    summary.rates.flatMap((rate, i) => {
      const quality = summary.quality[metric]![codec]![i];
      return quality === undefined || rate < low || rate > high ? [] : [{ rate, quality }];
    });
  const whole = summary.quality[metric]!.dcomp === undefined ? undefined : bdRate(meanOf(reference), meanOf('dcomp'));
  return {
    metric,
    reference,
    pictures: mean(each),
    counted: each.length,
    meanCurve: whole?.percent,
    from: whole?.from,
    to: whole?.to,
  };
}

function costOf(codec: string, pictures: readonly PictureResult[]): Cost {
  const all = pictures.flatMap((picture) => picture.curves[codec]?.points ?? []);
  const perMegapixel = (of: (point: Point) => number): number | undefined =>
    mean(
      pictures.map((picture) => {
        const points = picture.curves[codec]?.points ?? [];
        if (points.length === 0) return undefined;
        const nearest = points.reduce((best, point) =>
          Math.abs(Math.log(point.bitsPerPixel / COST_RATE)) < Math.abs(Math.log(best.bitsPerPixel / COST_RATE))
            ? point
            : best,
        );
        return (1e6 * of(nearest)) / (picture.width * picture.height);
      }),
    );
  const most = (of: (point: Point) => number | null | undefined): number | undefined => {
    const values = all.map(of).filter((value) => typeof value === 'number');
    return values.length === 0 ? undefined : Math.max(...values);
  };
  return {
    codec,
    encode: perMegapixel((point) => point.encodeSeconds),
    decode: perMegapixel((point) => point.decodeSeconds),
    encodeMemory: most((point) => point.encodeMemory),
    decodeMemory: most((point) => point.decodeMemory),
  };
}

export function mean(values: readonly (number | undefined)[]): number | undefined {
  let sum = 0;
  for (const value of values) {
    if (value === undefined) return undefined;
    sum += value;
  }
  return values.length === 0 ? undefined : sum / values.length;
}
