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
type Mark = ReturnType<PlotModule['text']>;

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

/** What the figures of a report have in common. */
interface Canvas {
  Plot: PlotModule;
  evaluation: Evaluation;
  codecs: string[];
  /** Lowest and highest rate. */
  range: [number, number];
  rateAxis: {
    type: 'log';
    domain: [number, number];
    label: string;
    labelAnchor: 'center';
    ticks: number[];
    tickFormat: (rate: number) => string;
  };
  /** @returns SVG */
  render(options: PlotOptions): string;
}

/** A point of a codec's line. */
interface Dot {
  codec: string;
  rate: number;
  quality: number;
}

/** @throws DcompError E_MISSING_DEPENDENCY */
export async function loadPlotter(evaluation: Evaluation, summary: Summary): Promise<Plotter> {
  const Plot = await optional('@observablehq/plot', 'the report', () => import('@observablehq/plot'));
  const { parseHTML } = await optional('linkedom', 'the report', () => import('linkedom'));
  const { document } = parseHTML('<!doctype html><html><head></head><body></body></html>');
  const range = rangeOf(evaluation.rates);
  const canvas: Canvas = {
    Plot,
    evaluation,
    codecs: evaluation.codecs.map(({ name }) => name),
    range,
    rateAxis: {
      type: 'log',
      domain: range,
      label: 'bits per pixel',
      labelAnchor: 'center',
      ticks: ticksOf(evaluation.rates),
      tickFormat: (rate) => String(rate),
    },
    render(options) {
      const svg = Plot.plot({ style: STYLE, ...options, document: document as unknown as Document });
      svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
      return svg.outerHTML;
    },
  };
  return {
    quality: (metric) => drawQuality(canvas, metric, summary.quality[metric] ?? {}),
    picture: (picture) => drawPicture(canvas, picture),
    lead: (codec, rate) => drawLead(canvas, codec, rate),
    steps: () => drawSteps(canvas),
  };
}

/** Mean quality over rate: lines between the rates that were asked for, and dots at them. */
function drawQuality(
  canvas: Canvas,
  metric: MetricName,
  table: Partial<Record<string, (number | undefined)[]>>,
): string {
  const { Plot, codecs, evaluation, range, rateAxis } = canvas;
  const { label, unit, digits } = metricOf(metric);
  const lines = meanLines(
    canvas,
    metric,
    codecs.filter((codec) => table[codec] !== undefined),
  );
  const dots = codecs
    .filter((codec) => codec !== 'ideal')
    .flatMap((codec) =>
      evaluation.rates.flatMap((rate, i): Dot[] => {
        const quality = table[codec]?.[i];
        return quality === undefined ? [] : [{ codec, rate, quality }];
      }),
    );
  const [width, height, top, bottom] = [560, 400, 28, 42];
  const domain = niceDomain([...lines, ...dots].map(({ quality }) => quality));
  return canvas.render({
    ...{ width, height, marginTop: top, marginBottom: bottom, marginLeft: 48, marginRight: 130 },
    x: rateAxis,
    y: {
      domain,
      label: null,
      grid: true,
      ticks: 8,
      tickFormat: (value: number) => value.toFixed(domain[1] - domain[0] < 5 ? Math.min(1, digits) : 0),
    },
    marks: [
      Plot.ruleX(rateAxis.ticks, { stroke: '#ddd', strokeWidth: 0.5 }),
      lineOf(Plot, lines, isRival, { strokeWidth: 1.6 }),
      lineOf(Plot, lines, isIdeal, { strokeWidth: 1.4, strokeDasharray: '4 3' }),
      lineOf(Plot, lines, isOwn, { strokeWidth: 2.6 }),
      Plot.dot(dots, { x: 'rate', y: 'quality', fill: colourOf, r: (dot: Dot) => (isOwn(dot) ? 3.4 : 2.4) }),
      Plot.text(endLabels(lines, domain, height - top - bottom), {
        x: () => range[1],
        y: 'at',
        text: 'label',
        fill: colourOf,
        fontWeight: 600,
        textAnchor: 'start',
        dx: 8,
      }),
      titleOf(Plot, `${label}${unit === '' ? '' : `, ${unit}`}`, { dx: -40, dy: -20 }),
    ],
  });
}

/** PSNR of one picture, small. */
function drawPicture({ Plot, codecs, range: [low, high], rateAxis, render }: Canvas, picture: PictureResult): string {
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
      lineOf(Plot, lines, isIdeal, { strokeWidth: 1.2, strokeDasharray: '3 2' }),
      lineOf(Plot, lines, isRival, { strokeWidth: 1.2 }),
      lineOf(Plot, lines, isOwn, { strokeWidth: 2 }),
      titleOf(Plot, picture.name, { dx: -28, dy: -16, fontSize: 11 }),
    ],
  });
}

/** dcomp minus a codec by picture, sorted. */
function drawLead({ Plot, evaluation, render }: Canvas, codec: string, rate: number): string {
  const rows = evaluation.pictures
    .flatMap((picture) => {
      const value = lead(picture, codec, rate);
      return value === undefined ? [] : [{ name: picture.name, value }];
    })
    .sort((a, b) => b.value - a.value);
  const values = rows.map(({ value }) => value);
  const colour = ({ value }: { value: number }): string => colourOf({ codec: value > 0 ? 'dcomp' : codec });
  return render({
    ...{ width: 560, height: 60 + 15 * rows.length, marginTop: 34, marginBottom: 30, marginLeft: 110, marginRight: 16 },
    x: { label: null, grid: true, domain: [Math.min(0, ...values) - 0.1, Math.max(0, ...values) + 0.1] },
    y: { label: null, domain: rows.map(({ name }) => name), type: 'point', padding: 0.6, tickSize: 0 },
    marks: [
      Plot.ruleX([0], { stroke: '#444' }),
      Plot.ruleX([mean(values) ?? 0], { stroke: COLOURS.dcomp!, strokeDasharray: '4 3' }),
      Plot.ruleY(rows, { y: 'name', x1: 0, x2: 'value', stroke: colour, strokeWidth: 1.5 }),
      Plot.dot(rows, { y: 'name', x: 'value', fill: colour, r: 3.5 }),
      titleOf(Plot, `dcomp − ${labelOf(codec)} at ${rate} bits per pixel, dB of PSNR (dashed: mean)`, {
        dx: -104,
        dy: -26,
      }),
    ],
  });
}

/** Bits of each step of the schedule; undefined where the ideal channel was not measured. */
function drawSteps({ Plot, evaluation, render }: Canvas): string | undefined {
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
      titleOf(Plot, 'Ideal bits per pixel of each step', { dx: -40, dy: -22 }),
    ],
  });
}

const isOwn = ({ codec }: { codec: string }): boolean => codec === 'dcomp';
const isIdeal = ({ codec }: { codec: string }): boolean => codec === 'ideal';
const isRival = (of: { codec: string }): boolean => !isOwn(of) && !isIdeal(of);
const colourOf = ({ codec }: { codec: string }): string => COLOURS[codec] ?? '#333';

/** The lines of some of the codecs. */
function lineOf(
  Plot: PlotModule,
  lines: readonly Dot[],
  filter: (of: Dot) => boolean,
  look: { strokeWidth: number; strokeDasharray?: string },
): Mark {
  return Plot.lineY(lines, { x: 'rate', y: 'quality', z: 'codec', stroke: colourOf, filter, ...look });
}

/** Above the figure, from its left edge on. */
function titleOf(Plot: PlotModule, text: string, look: { dx: number; dy: number; fontSize?: number }): Mark {
  return Plot.text([text], { frameAnchor: 'top-left', fontSize: 13, fontWeight: 600, ...look });
}

/** Mean quality of codecs over rates that lie close enough for a line; where some picture has none, there is no point. */
function meanLines({ evaluation, range: [low, high] }: Canvas, metric: MetricName, codecs: readonly string[]): Dot[] {
  const grid = Array.from({ length: GRID + 1 }, (_, i) => low * (high / low) ** (i / GRID));
  return codecs.flatMap((codec) =>
    grid.flatMap((rate) => {
      const quality = mean(evaluation.pictures.map((picture) => qualityAt(curvePoints(picture, codec, metric), rate)));
      return quality === undefined ? [] : [{ codec, rate, quality }];
    }),
  );
}

/** From the first to the last; a single rate has no range to draw, and is given one. */
function rangeOf(rates: readonly number[]): [number, number] {
  const [first, last] = [rates[0]!, rates[rates.length - 1]!];
  return first < last ? [first, last] : [0.8 * first, 1.25 * first];
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
