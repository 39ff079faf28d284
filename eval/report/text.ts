/** Tables of the summary as rows of cells, and as plain text for a terminal. */
import { labelOf } from '../codecs/table.js';
import { curvePoints, type Evaluation, type PictureResult } from '../evaluation.js';
import { qualityAt } from '../curve.js';
import { metricOf, type MetricName } from '../metrics/metrics.js';
import { lead, MAIN_RATE, overhead, type BdEntry, type Summary } from '../summary.js';

export interface Table {
  head: string[];
  rows: string[][];
}

export const NONE = '-';

export function number(value: number | null | undefined, digits: number, sign = false): string {
  return value === undefined || value === null
    ? NONE
    : `${sign && value > 0 ? '+' : ''}${value.toFixed(digits)}`.replace(/^-/, '−');
}

/** Undefined becomes null in JSON. */
export function percent(share: number | null | undefined, digits: number, sign = false): string {
  return number(share === undefined || share === null ? undefined : 100 * share, digits, sign);
}

/** Quality at equal rate. */
export function qualityTable(summary: Summary, metric: MetricName): Table {
  const { digits } = metricOf(metric);
  const rows = Object.entries(summary.quality[metric] ?? {}).map(([codec, values]) => [
    labelOf(codec),
    ...values.map((value) => number(value, digits)),
  ]);
  return { head: ['bits per pixel', ...summary.rates.map(String)], rows };
}

/** dcomp against another codec at equal rate. */
export function leadTable(summary: Summary, codec: string): Table {
  const { mean, wins } = summary.lead[codec]!;
  return {
    head: ['bits per pixel', ...summary.rates.map(String)],
    rows: [
      [`dcomp − ${labelOf(codec)}, dB`, ...mean.map((value) => number(value, 2, true))],
      ['better on, % of the pictures', ...wins.map((value) => percent(value, 0))],
    ],
  };
}

/** Real against ideal rate. */
export function overheadTable({ rates, overhead, pictures, own }: Summary): Table {
  const rows: string[][] = [];
  if (overhead !== undefined) {
    rows.push(['over ideal rate at equal PSNR, %', ...overhead.mean.map((value) => percent(value, 1, true))]);
    rows.push(['highest of a picture, %', ...overhead.most.map((value) => percent(value, 1, true))]);
    if (overhead.counted.some((n) => n < pictures)) rows.push(['of pictures', ...overhead.counted.map(String)]);
  }
  if (own !== undefined) {
    rows.push(['bytes over the file’s own KL, %', ...own.statedOverhead.map((value) => percent(value, 1, true))]);
    rows.push(['network evaluations of the decoder', ...own.evaluations.map((value) => number(value, 1))]);
    rows.push(['kFLOP per pixel', ...own.kiloFlopPerPixel.map((value) => number(value, 0))]);
  }
  return { head: ['bits per pixel', ...rates.map(String)], rows };
}

export function bdTable({ bdRates, pictures }: Summary): Table {
  const row = ({ metric, reference, pictures: each, counted, meanCurve, from, to }: BdEntry): string[] => {
    const { label, unit, digits } = metricOf(metric);
    const overlap =
      from === undefined || to === undefined
        ? 'the curves do not overlap'
        : `${number(from, digits)} to ${number(to, digits)}${unit === '' ? '' : ` ${unit}`}`;
    return [
      label,
      labelOf(reference),
      number(each, 1, true),
      counted === pictures ? 'all' : String(counted),
      number(meanCurve, 1, true),
      overlap,
    ];
  };
  return {
    head: [
      'metric',
      'dcomp against',
      'BD-rate, %, mean of the pictures',
      'of pictures',
      'of the mean curve, %',
      'overlap of the mean curves',
    ],
    rows: bdRates.map(row),
  };
}

export function costTable({ costs }: Summary): Table {
  const base = costs.find(({ codec }) => codec === 'avif') ?? costs[0];
  const ratio = (value: number | undefined, of: number | undefined): string =>
    value === undefined || !of ? NONE : significant(value / of);
  const mebibytes = (value: number | undefined): string => number(value === undefined ? undefined : value / 2 ** 20, 0);
  return {
    head: [
      'codec',
      `encoding, times ${base === undefined ? '' : labelOf(base.codec)}’s`,
      `decoding, times ${base === undefined ? '' : labelOf(base.codec)}’s`,
      'encoder’s memory, MiB',
      'decoder’s memory, MiB',
    ],
    rows: costs.map(({ codec, encode, decode, encodeMemory, decodeMemory }) => [
      labelOf(codec),
      ratio(encode, base?.encode),
      ratio(decode, base?.decode),
      mebibytes(encodeMemory),
      mebibytes(decodeMemory),
    ]),
  };
}

/** Two significant digits, without an exponent. */
function significant(value: number): string {
  return value === 0 ? '0' : value.toFixed(Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(Math.abs(value))))));
}

/** A line for each picture: PSNR at each rate, and dcomp against AVIF (or the first other codec) and the ideal channel. */
export function pictureTable(evaluation: Evaluation): Table {
  const { rates, pictures, codecs } = evaluation;
  const first = codecs.find(({ name }) => name === 'dcomp')?.name ?? codecs[0]!.name;
  const others = codecs.map(({ name }) => name).filter((name) => name !== 'dcomp' && name !== 'ideal');
  const rival = others.includes('avif') ? 'avif' : others[0];
  const at = rates.includes(MAIN_RATE) ? MAIN_RATE : rates[0]!;
  const row = (picture: PictureResult): string[] => [
    picture.name,
    `${picture.width}×${picture.height}`,
    ...rates.map((rate) => number(qualityAt(curvePoints(picture, first, 'psnr'), rate), 2)),
    rival === undefined ? NONE : number(lead(picture, rival, at), 2, true),
    percent(overhead(picture, at), 1, true),
  ];
  return {
    head: [
      'picture',
      'size',
      ...rates.map(String),
      `− ${rival === undefined ? NONE : labelOf(rival)} at ${at}, dB`,
      `over ideal at ${at}, %`,
    ],
    rows: pictures.map(row),
  };
}

/** The summary for a terminal. */
export function summaryText(evaluation: Evaluation, summary: Summary): string {
  const parts = [
    [`${summary.pictures} pictures`, ...evaluation.codecs.map(({ label, about }) => `${label}: ${about}`)].join('\n'),
  ];
  for (const metric of evaluation.metrics)
    parts.push(
      `${metricOf(metric).label}${metricOf(metric).unit === '' ? '' : `, ${metricOf(metric).unit}`}\n${columns(qualityTable(summary, metric))}`,
    );
  if (summary.lead.avif !== undefined) parts.push(columns(leadTable(summary, 'avif')));
  const own = overheadTable(summary);
  if (own.rows.length > 0) parts.push(columns(own));
  if (summary.bdRates.length > 0)
    parts.push(
      `BD-rate, ${summary.bdRange[0]} to ${summary.bdRange[1]} bits per pixel, PCHIP; negative: dcomp needs less\n${columns(bdTable(summary))}`,
    );
  parts.push(columns(costTable(summary)));
  return parts.join('\n\n');
}

/** The first column to the left, the others to the right. */
export function columns({ head, rows }: Table): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
  return all
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function markdown({ head, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}
