/** The figures of codecs without loss, or within an error: a table, a line for each file, and all of it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { number } from '../report/text.js';
import type { ExactEvaluation } from './run.js';

/** Of a codec over all pictures. */
export interface ExactSummary {
  codec: string;
  label: string;
  /** Mean over the pictures. */
  bitsPerSample: number;
  /** Of all pictures. */
  largestError: number;
  /** Of one core, for a megapixel. */
  encodeSeconds: number;
  decodeSeconds: number;
}

/** The smallest first. */
export function summariseExact({ codecs, pictures }: ExactEvaluation): ExactSummary[] {
  const megapixels = pictures.reduce((sum, { width, height }) => sum + (width * height) / 1e6, 0);
  const rows = codecs.map(({ name, label }): ExactSummary => {
    const points = pictures.map(({ points }) => points[name]!);
    const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
    return {
      codec: name,
      label,
      bitsPerSample: sum(points.map((point) => point.bitsPerSample)) / points.length,
      largestError: Math.max(...points.map((point) => point.largestError)),
      encodeSeconds: sum(points.map((point) => point.encodeSeconds)) / megapixels,
      decodeSeconds: sum(points.map((point) => point.decodeSeconds)) / megapixels,
    };
  });
  return rows.sort((a, b) => a.bitsPerSample - b.bitsPerSample);
}

/** As a table of Markdown. */
export function exactText(evaluation: ExactEvaluation): string {
  const { maxError, pictures } = evaluation;
  const what = maxError === 0 ? 'Without loss' : `Every sample within ${maxError}`;
  const lines = [
    `${what}, means of ${pictures.length} pictures; seconds of one core per megapixel`,
    '',
    '| codec | bits per sample | largest error | encoding, s | decoding, s |',
    '| --- | --- | --- | --- | --- |',
    ...summariseExact(evaluation).map((row) => {
      const seconds = [row.encodeSeconds, row.decodeSeconds].map((value) => number(value, 1));
      return `| ${[row.label, number(row.bitsPerSample, 3), row.largestError, ...seconds].join(' | ')} |`;
    }),
  ];
  return `${lines.join('\n')}\n`;
}

/** A line for each file. */
function exactCsv({ pictures }: ExactEvaluation): string {
  const head = 'picture,width,height,codec,setting,bytes,bits_per_sample,largest_error,encode_seconds,decode_seconds';
  const lines = pictures.flatMap(({ name, width, height, points }) =>
    Object.entries(points).map(([codec, point]) =>
      [
        `"${name.replaceAll('"', '""')}"`,
        width,
        height,
        codec,
        point.setting,
        point.bytes,
        point.bitsPerSample,
        point.largestError,
        point.encodeSeconds,
        point.decodeSeconds,
      ].join(','),
    ),
  );
  return `${[head, ...lines].join('\n')}\n`;
}

export function exactJson(evaluation: ExactEvaluation): string {
  return `${JSON.stringify({ ...evaluation, summary: summariseExact(evaluation) }, null, 2)}\n`;
}

/** @returns path of the figures */
export function writeExactReport(folder: string, evaluation: ExactEvaluation): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'exact.json');
  writeFileSync(path, exactJson(evaluation));
  writeFileSync(join(folder, 'exact.csv'), exactCsv(evaluation));
  writeFileSync(join(folder, 'exact.md'), exactText(evaluation));
  return path;
}
