/** What the curves of many pictures say together, and how it is printed. */
import { bdRate, between, psnrAt, rateAt, type CurvePoint } from './bd-rate.js';
import type { RivalName } from './rivals.js';

export interface PictureResult {
  name: string;
  width: number;
  height: number;
  /** One point for each of the protocol's rates. */
  real?: CurvePoint[];
  ideal?: CurvePoint[];
  rivals: Partial<Record<RivalName, CurvePoint[]>>;
}

/** Figures by rate; undefined where some picture has none: the mean of others would be that of another set. */
export interface Summary {
  pictures: number;
  rates: readonly number[];
  /** Mean PSNR in dB by codec. */
  psnr: Record<string, (number | undefined)[]>;
  /** dcomp minus AVIF in dB, and the share of pictures on which dcomp is better. */
  overAvif?: { mean: (number | undefined)[]; wins: (number | undefined)[] };
  /** Real rate over the ideal rate at the PSNR of the real file, minus 1: mean, highest, and of how many pictures. */
  overhead?: { mean: (number | undefined)[]; most: (number | undefined)[]; counted: number[] };
  /** dcomp against each rival, percent: mean of the pictures' BD-rates, and BD-rate of the mean curves. */
  bdRate: Partial<Record<RivalName | 'ideal', { pictures: number | undefined; counted: number; meanCurve: number | undefined }>>;
}

export function summarise(results: readonly PictureResult[], rates: readonly number[], rivals: readonly RivalName[]): Summary {
  const summary: Summary = { pictures: results.length, rates, psnr: {}, bdRate: {} };
  const real = results.every((r) => r.real !== undefined);
  const ideal = results.every((r) => r.ideal !== undefined);
  const at = (of: (r: PictureResult, rate: number, i: number) => number | undefined): (number | undefined)[] =>
    rates.map((rate, i) => mean(results.map((r) => of(r, rate, i))));
  if (real) summary.psnr.dcomp = at((r, _rate, i) => r.real![i]!.psnr);
  if (ideal) summary.psnr.ideal = at((r, rate) => psnrAt(r.ideal!, rate));
  for (const rival of rivals) summary.psnr[rival] = at((r, rate) => psnrAt(r.rivals[rival]!, rate));
  if (!real) return summary;
  if (rivals.includes('avif')) {
    summary.overAvif = {
      mean: at((r, _rate, i) => overAvif(r, rates, i)),
      wins: at((r, _rate, i) => {
        const difference = overAvif(r, rates, i);
        return difference === undefined ? undefined : Number(difference > 0);
      }),
    };
  }
  if (ideal) {
    const overheads = rates.map((_, i) => results.map((r) => overhead(r, i)).filter((o) => o !== undefined));
    summary.overhead = {
      mean: overheads.map((o) => mean(o)),
      most: overheads.map((o) => (o.length === 0 ? undefined : Math.max(...o))),
      counted: overheads.map((o) => o.length),
    };
  }
  for (const rival of [...rivals, ...(ideal ? (['ideal'] as const) : [])]) {
    const curveOf = (r: PictureResult): CurvePoint[] => between(rival === 'ideal' ? r.ideal! : r.rivals[rival]!, rates[0]!, rates[rates.length - 1]!);
    const each = results.map((r) => bdRate(curveOf(r), r.real!)?.percent).filter((p) => p !== undefined);
    const meanCurve = bdRate(curve(rates, summary.psnr[rival]!), curve(rates, summary.psnr.dcomp!))?.percent;
    summary.bdRate[rival] = { pictures: mean(each), counted: each.length, meanCurve };
  }
  return summary;
}

/** dcomp minus AVIF in dB at the i-th rate. */
export function overAvif(result: PictureResult, rates: readonly number[], i: number): number | undefined {
  const avif = result.rivals.avif && psnrAt(result.rivals.avif, rates[i]!);
  return avif === undefined || result.real === undefined ? undefined : result.real[i]!.psnr - avif;
}

/** Real over ideal rate at equal PSNR, minus 1, at the i-th rate. */
export function overhead(result: PictureResult, i: number): number | undefined {
  const point = result.real?.[i];
  const rate = point && result.ideal && rateAt(result.ideal, point.psnr);
  return rate === undefined ? undefined : point!.rate / rate - 1;
}

export function formatSummary(summary: Summary): string {
  const { rates } = summary;
  const lines = [row('bits per pixel', rates.map((rate) => String(rate)))];
  for (const [name, values] of Object.entries(summary.psnr)) lines.push(row(`${name}, dB`, cells(values, 2)));
  if (summary.overAvif !== undefined) {
    lines.push(row('dcomp − avif, dB', cells(summary.overAvif.mean, 2, true)));
    lines.push(row('  better on, %', cells(summary.overAvif.wins.map(percent), 0)));
  }
  if (summary.overhead !== undefined) {
    const { mean: means, most, counted } = summary.overhead;
    lines.push(row('over ideal rate, %', cells(means.map(percent), 1, true)));
    lines.push(row('  highest, %', cells(most.map(percent), 1, true)));
    if (counted.some((n) => n < summary.pictures)) lines.push(row('  of pictures', counted.map((n) => String(n))));
  }
  const bd = Object.entries(summary.bdRate);
  if (bd.length > 0) lines.push('', `BD-rate of dcomp, %, ${rates[0]} to ${rates[rates.length - 1]} bits per pixel (PCHIP; negative: dcomp needs less)`);
  for (const [name, { pictures, counted, meanCurve }] of bd) {
    const some = counted < summary.pictures ? ` (${counted} of ${summary.pictures} pictures; the others' curves do not overlap)` : '';
    lines.push(`  against ${name.padEnd(6)} mean of pictures ${cells([pictures], 1, true)[0]}, of the mean curve ${cells([meanCurve], 1, true)[0]}${some}`);
  }
  return lines.join('\n');
}

/** One line of a picture: PSNR at each rate, difference to AVIF, overhead. */
export function formatPicture(result: PictureResult, rates: readonly number[], i: number): string {
  const size = `${result.width}×${result.height}`;
  const psnrs = cells(result.real?.map((p) => p.psnr) ?? rates.map((rate) => result.ideal && psnrAt(result.ideal, rate)), 2);
  const difference = cells([overAvif(result, rates, i)], 2, true)[0]!;
  const over = cells([percent(overhead(result, i))], 1, true)[0]!;
  return `${result.name.padEnd(22)} ${size.padEnd(10)} ${psnrs.map((c) => c.padStart(6)).join('')}  to avif ${difference.padStart(6)} dB, to ideal ${over.padStart(5)} % at ${rates[i]}`;
}

function row(label: string, values: readonly string[]): string {
  return label.padEnd(20) + values.map((value) => value.padStart(8)).join('');
}

function cells(values: readonly (number | undefined)[], digits: number, sign = false): string[] {
  return values.map((value) => (value === undefined ? '-' : `${sign && value > 0 ? '+' : ''}${value.toFixed(digits)}`));
}

function percent(share: number | undefined): number | undefined {
  return share === undefined ? undefined : 100 * share;
}

function mean(values: readonly (number | undefined)[]): number | undefined {
  let sum = 0;
  for (const value of values) {
    if (value === undefined) return undefined;
    sum += value;
  }
  return values.length === 0 ? undefined : sum / values.length;
}

function curve(rates: readonly number[], psnrs: readonly (number | undefined)[]): CurvePoint[] {
  return rates.flatMap((rate, i) => (psnrs[i] === undefined ? [] : [{ rate, psnr: psnrs[i] }]));
}
