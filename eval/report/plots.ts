/** The report's figures, drawn by Observable Plot into SVG without a browser. */
import { optional } from '../codecs/optional.js';
import { labelOf } from '../codecs/table.js';
import { qualityAt } from '../curve.js';
import { curvePoints, type Evaluation, type PictureResult } from '../evaluation.js';
import type { StepBits } from '../measurement.js';
import { metricOf, type MetricName } from '../metrics/metrics.js';
import { lead, mean, type Summary } from '../summary.js';

type PlotModule = typeof import('@observablehq/plot');
type PlotOptions = NonNullable<Parameters<PlotModule['plot']>[0]>;

export interface Plotter {
  /** Mean quality over rate, a line for each codec. */
  quality(metric: MetricName): string;
  /** PSNR of one picture, small. */
  picture(picture: PictureResult): string;
  /** dcomp minus a codec by picture, sorted. */
  lead(codec: string, rate: number): string;
  /** Bits of each step of the schedule; undefined where the ideal channel was not measured. */
  steps(): string | undefined;
}

/** Okabe and Ito's colours, which the colour-blind can tell apart. */
const COLOURS: Record<string, string> = {
  dcomp: '#d55e00',
  ideal: '#d55e00',
  avif: '#0072b2',
  jxl: '#009e73',
  webp: '#b8860b',
  jpeg: '#767676',
  avifenc: '#56b4e9',
  cjxl: '#3cb371',
  cwebp: '#daa520',
  jpeg2000: '#8b5a8c',
  bpgenc: '#cc79a7',
};
/** From the coarsest to the finest. */
const LEVEL_COLOURS = ['#93a8b8', '#5f9cc5', '#1f6fa5', '#d9901a', '#d55e00'];
const STYLE = {
  background: 'white',
  color: '#222',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif',
  fontSize: '12px',
  overflow: 'visible',
};
/** Points of a line, evenly in the logarithm of the rate. */
const GRID = 60;

/** @throws DcompError E_MISSING_DEPENDENCY */
export async function loadPlotter(evaluation: Evaluation, summary: Summary): Promise<Plotter> {
  const Plot = await optional('@observablehq/plot', 'the report', () => import('@observablehq/plot'));
  const { parseHTML } = await optional('linkedom', 'the report', () => import('linkedom'));
  const { document } = parseHTML('<!doctype html><html><head></head><body></body></html>');
  const render = (options: PlotOptions): string => {
    const svg = Plot.plot({ style: STYLE, ...options, document: document as unknown as Document });
    svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
    return svg.outerHTML;
  };
  const codecs = evaluation.codecs.map(({ name }) => name);
  const ends = [evaluation.rates[0]!, evaluation.rates[evaluation.rates.length - 1]!] as const;
  // A single rate has no range to draw.
  const [low, high] = ends[0] < ends[1] ? ends : [0.8 * ends[0], 1.25 * ends[0]];
  const grid = Array.from({ length: GRID + 1 }, (_, i) => low * (high / low) ** (i / GRID));
  const rateAxis = {
    type: 'log',
    domain: [low, high],
    label: 'bits per pixel',
    ticks: ticksOf(evaluation.rates),
    tickFormat: (rate: number) => String(rate),
    labelAnchor: 'center',
  } as const;

  return {
    quality(metric) {
      const { label, unit, digits } = metricOf(metric);
      const table = summary.quality[metric] ?? {};
      const lines = codecs.flatMap((codec) =>
        table[codec] === undefined
          ? []
          : grid.flatMap((rate) => {
              const quality = mean(
                evaluation.pictures.map((picture) => qualityAt(curvePoints(picture, codec, metric), rate)),
              );
              return quality === undefined ? [] : [{ codec, rate, quality }];
            }),
      );
      const dots = codecs.flatMap((codec) =>
        codec === 'ideal'
          ? []
          : evaluation.rates.flatMap((rate, i) =>
              table[codec]?.[i] === undefined ? [] : [{ codec, rate, quality: table[codec][i] }],
            ),
      );
      const [width, height, top, bottom] = [560, 400, 28, 42];
      const values = [...lines, ...dots].map(({ quality }) => quality!);
      const domain = niceDomain(values);
      return render({
        ...{ width, height, marginTop: top, marginBottom: bottom, marginLeft: 48, marginRight: 130 },
        x: rateAxis,
        y: {
          domain,
          label: null,
          grid: true,
          ticks: 8,
          tickFormat: (value: number) => value.toFixed(domain[1]! - domain[0]! < 5 ? Math.min(1, digits) : 0),
        },
        marks: [
          Plot.ruleX(rateAxis.ticks, { stroke: '#ddd', strokeWidth: 0.5 }),
          Plot.lineY(lines, {
            x: 'rate',
            y: 'quality',
            z: 'codec',
            stroke: (d: { codec: string }) => COLOURS[d.codec] ?? '#333',
            strokeWidth: 1.6,
            filter: (d: { codec: string }) => d.codec !== 'dcomp' && d.codec !== 'ideal',
          }),
          Plot.lineY(lines, {
            x: 'rate',
            y: 'quality',
            stroke: COLOURS.ideal!,
            strokeWidth: 1.4,
            strokeDasharray: '4 3',
            filter: (d: { codec: string }) => d.codec === 'ideal',
          }),
          Plot.lineY(lines, {
            x: 'rate',
            y: 'quality',
            stroke: COLOURS.dcomp!,
            strokeWidth: 2.6,
            filter: (d: { codec: string }) => d.codec === 'dcomp',
          }),
          Plot.dot(dots, {
            x: 'rate',
            y: 'quality',
            fill: (d: { codec: string }) => COLOURS[d.codec] ?? '#333',
            r: (d: { codec: string }) => (d.codec === 'dcomp' ? 3.4 : 2.4),
          }),
          Plot.text(endLabels(lines, domain, height - top - bottom), {
            x: () => high,
            y: 'at',
            text: 'label',
            fill: (d: { codec: string }) => COLOURS[d.codec] ?? '#333',
            fontWeight: 600,
            textAnchor: 'start',
            dx: 8,
          }),
          Plot.text([`${label}${unit === '' ? '' : `, ${unit}`}`], {
            frameAnchor: 'top-left',
            dy: -20,
            dx: -40,
            fontSize: 13,
            fontWeight: 600,
          }),
        ],
      });
    },

    picture(picture) {
      const lines = codecs.flatMap((codec) =>
        curvePoints(picture, codec, 'psnr')
          .filter(({ rate }) => rate >= low * 0.9 && rate <= high * 1.1)
          .map((point) => ({ codec, ...point })),
      );
      return render({
        ...{ width: 260, height: 190, marginTop: 22, marginBottom: 26, marginLeft: 34, marginRight: 8 },
        style: { ...STYLE, fontSize: '10px' },
        x: {
          ...rateAxis,
          label: null,
          ticks: [0.1, 0.25, 0.5, 1].filter((rate) => rate >= low && rate <= high),
          domain: [low * 0.9, high * 1.1],
        },
        y: { label: null, grid: true, ticks: 5, domain: niceDomain(lines.map(({ quality }) => quality)) },
        marks: [
          Plot.lineY(lines, {
            x: 'rate',
            y: 'quality',
            z: 'codec',
            stroke: (d: { codec: string }) => COLOURS[d.codec] ?? '#333',
            strokeWidth: 1.2,
            strokeDasharray: '3 2',
            filter: (d: { codec: string }) => d.codec === 'ideal',
          }),
          Plot.lineY(lines, {
            x: 'rate',
            y: 'quality',
            z: 'codec',
            stroke: (d: { codec: string }) => COLOURS[d.codec] ?? '#333',
            strokeWidth: 1.2,
            filter: (d: { codec: string }) => d.codec !== 'ideal' && d.codec !== 'dcomp',
          }),
          Plot.lineY(lines, {
            x: 'rate',
            y: 'quality',
            stroke: COLOURS.dcomp!,
            strokeWidth: 2,
            filter: (d: { codec: string }) => d.codec === 'dcomp',
          }),
          Plot.text([picture.name], { frameAnchor: 'top-left', dy: -16, dx: -28, fontSize: 11, fontWeight: 600 }),
        ],
      });
    },

    lead(codec, rate) {
      const rows = evaluation.pictures
        .flatMap((picture) => {
          const value = lead(picture, codec, rate);
          return value === undefined ? [] : [{ name: picture.name, value }];
        })
        .sort((a, b) => b.value - a.value);
      const average = mean(rows.map(({ value }) => value)) ?? 0;
      return render({
        ...{
          width: 560,
          height: 60 + 15 * rows.length,
          marginTop: 34,
          marginBottom: 30,
          marginLeft: 110,
          marginRight: 16,
        },
        x: {
          label: null,
          grid: true,
          domain: [
            Math.min(0, ...rows.map(({ value }) => value)) - 0.1,
            Math.max(0, ...rows.map(({ value }) => value)) + 0.1,
          ],
        },
        y: { label: null, domain: rows.map(({ name }) => name), type: 'point', padding: 0.6, tickSize: 0 },
        marks: [
          Plot.ruleX([0], { stroke: '#444' }),
          Plot.ruleX([average], { stroke: COLOURS.dcomp!, strokeDasharray: '4 3' }),
          Plot.ruleY(rows, {
            y: 'name',
            x1: 0,
            x2: 'value',
            stroke: (d: { value: number }) => (d.value > 0 ? COLOURS.dcomp! : (COLOURS[codec] ?? '#333')),
            strokeWidth: 1.5,
          }),
          Plot.dot(rows, {
            y: 'name',
            x: 'value',
            fill: (d: { value: number }) => (d.value > 0 ? COLOURS.dcomp! : (COLOURS[codec] ?? '#333')),
            r: 3.5,
          }),
          Plot.text([`dcomp − ${labelOf(codec)} at ${rate} bits per pixel, dB of PSNR (dashed: mean)`], {
            frameAnchor: 'top-left',
            dy: -26,
            dx: -104,
            fontSize: 13,
            fontWeight: 600,
          }),
        ],
      });
    },

    steps() {
      const steps = meanSteps(evaluation.pictures);
      if (steps.length === 0) return undefined;
      const names = ['coarser levels', 'level 2', 'level 1', 'entering level 0', 'refining level 0'];
      const rows = steps.map(({ level, kind, sigma, bits }, i) => ({
        i,
        bits,
        part: names[level > 2 ? 0 : level > 0 ? 3 - level : kind === 'enter' ? 3 : 4]!,
        sigma,
      }));
      const shown = names.filter((name) => rows.some(({ part }) => part === name));
      const fine = rows.filter(({ part }) => part === names[3] || part === names[4]);
      return render({
        ...{ width: 1150, height: 260, marginTop: 30, marginBottom: 40, marginLeft: 48, marginRight: 130 },
        x: {
          type: 'band',
          label: 'steps in the order in which they are sent; at level 0 the noise level behind the step (8-bit units)',
          labelAnchor: 'center',
          padding: 0.12,
          tickSize: 0,
          tickFormat: (i: number) => (fine.some((row) => row.i === i) ? rows[i]!.sigma.toPrecision(2) : ''),
          tickRotate: 0,
        },
        y: { label: null, grid: true, ticks: 6 },
        marks: [
          Plot.barY(rows, { x: 'i', y: 'bits', fill: (d: { part: string }) => LEVEL_COLOURS[names.indexOf(d.part)]! }),
          Plot.ruleY([0]),
          ...shown.map((name, k) =>
            Plot.text([name], {
              frameAnchor: 'top-right',
              dx: 12,
              dy: 17 * k,
              textAnchor: 'start',
              fontWeight: 600,
              fill: LEVEL_COLOURS[names.indexOf(name)]!,
            }),
          ),
          Plot.text(['Ideal bits per pixel of each step'], {
            frameAnchor: 'top-left',
            dy: -22,
            dx: -40,
            fontSize: 13,
            fontWeight: 600,
          }),
        ],
      });
    },
  };
}

/** Bits per pixel of the steps that all pictures have, mean over the pictures. Small pictures have fewer levels. */
export function meanSteps(pictures: readonly PictureResult[]): StepBits[] {
  const all = pictures.map(({ curves }) => curves.ideal?.steps ?? []);
  const key = ({ level, kind, sigma }: StepBits): string => `${level} ${kind} ${sigma}`;
  return (all[0] ?? []).flatMap((step) => {
    const bits = mean(
      pictures.map(({ width, height }, i) => {
        const same = all[i]!.find((other) => key(other) === key(step));
        return same === undefined ? undefined : same.bits / (width * height);
      }),
    );
    return bits === undefined ? [] : [{ ...step, bits }];
  });
}

function ticksOf(rates: readonly number[]): number[] {
  return rates.filter((rate, i) => i === 0 || rate / rates[i - 1]! > 1.15);
}

function niceDomain(values: readonly number[]): [number, number] {
  if (values.length === 0) return [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const margin = 0.03 * (high - low || 1);
  return [low - margin, high + margin];
}

/** Names at the ends of the lines, moved apart where they would lie on each other. */
function endLabels(
  lines: readonly { codec: string; quality: number }[],
  [low, high]: [number, number],
  height: number,
): { codec: string; label: string; at: number }[] {
  const codecs = [...new Set(lines.map(({ codec }) => codec))];
  const distance = (15 * (high - low)) / height;
  const labels = codecs
    .map((codec) => ({ codec, label: labelOf(codec), at: lines.filter((line) => line.codec === codec).pop()!.quality }))
    .sort((a, b) => a.at - b.at);
  for (let i = 1; i < labels.length; i++) labels[i]!.at = Math.max(labels[i]!.at, labels[i - 1]!.at + distance);
  for (let i = labels.length - 1, limit = high; i >= 0; i--, limit -= distance)
    labels[i]!.at = Math.min(labels[i]!.at, limit);
  return labels;
}
