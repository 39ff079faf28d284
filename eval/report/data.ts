/** The figures as files for other programs: CompressAI's JSON, CSV, and all of it. */
import type { Evaluation } from '../evaluation.js';
import type { Point } from '../measurement.js';
import { METRICS, metricOf } from '../metrics/metrics.js';
import { mean, type Summary } from '../summary.js';

/**
 * One codec as CompressAI's `python -m compressai.utils.plot` reads it: by setting, the means over the pictures. Only
 * settings that all pictures have been coded with.
 */
export function compressAiJson(evaluation: Evaluation, codec: string): object {
  const { pictures, codecs, metrics } = evaluation;
  const { label, about } = codecs.find(({ name }) => name === codec)!;
  const settings = [
    ...new Set(pictures.flatMap(({ curves }) => curves[codec]?.points.map(({ setting }) => setting) ?? [])),
  ];
  const results: Record<string, number[]> = { bpp: [] };
  const names = METRICS.filter(({ name, compressAi }) => compressAi !== undefined && metrics.includes(name));
  for (const { compressAi } of names) results[compressAi!] = [];
  Object.assign(results, { encoding_time: [], decoding_time: [] });
  const rows = settings
    .map((setting) => pictures.map(({ curves }) => curves[codec]?.points.find((point) => point.setting === setting)))
    .filter((row): row is Point[] => row.every((point) => point !== undefined))
    .sort((a, b) => mean(a.map((p) => p.bitsPerPixel))! - mean(b.map((p) => p.bitsPerPixel))!);
  for (const row of rows) {
    results.bpp!.push(mean(row.map((point) => point.bitsPerPixel))!);
    results.encoding_time!.push(mean(row.map((point) => point.encodeSeconds))!);
    results.decoding_time!.push(mean(row.map((point) => point.decodeSeconds))!);
    for (const { name, compressAi } of names) {
      const value = mean(row.map(({ scores }) => scores[name] ?? undefined));
      if (value !== undefined) results[compressAi!]!.push(value);
    }
  }
  for (const [name, values] of Object.entries(results)) if (values.length < rows.length) delete results[name];
  return { name: label, description: `${about}; mean of ${pictures.length} pictures`, results };
}

/** A line for each file. */
export function csv(evaluation: Evaluation): string {
  const { pictures, metrics } = evaluation;
  const head = [
    'picture',
    'width',
    'height',
    'codec',
    'setting',
    'bytes',
    'bits_per_pixel',
    ...metrics,
    'encode_seconds',
    'decode_seconds',
    'encode_memory',
    'decode_memory',
    'ideal_bits',
    'network_evaluations',
    'kflop_per_pixel',
  ];
  const lines = [head];
  for (const { name, width, height, curves } of pictures) {
    for (const [codec, { points }] of Object.entries(curves)) {
      for (const p of points) {
        const values = [
          p.setting,
          p.bytes,
          p.bitsPerPixel,
          ...metrics.map((metric) => p.scores[metric]),
          p.encodeSeconds,
          p.decodeSeconds,
          p.encodeMemory,
          p.decodeMemory,
          p.idealBits,
          p.evaluations,
          p.kiloFlopPerPixel,
        ];
        lines.push([
          name,
          String(width),
          String(height),
          codec,
          ...values.map((value) => (value === undefined || value === null ? '' : String(Number(value.toPrecision(9))))),
        ]);
      }
    }
  }
  return `${lines.map((cells) => cells.map(quoted).join(',')).join('\n')}\n`;
}

/** RFC 4180. */
function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replace(/"/g, '""')}"` : cell;
}

export function wholeJson(evaluation: Evaluation, summary: Summary): string {
  const metrics = evaluation.metrics.map((name) => ({ name, label: metricOf(name).label, unit: metricOf(name).unit }));
  return `${JSON.stringify({ ...evaluation, metricInfo: metrics, summary }, null, 1)}\n`;
}
