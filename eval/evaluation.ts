/** All that an evaluation found, and what it was found with. */
import type { Tune } from '../src/codec/encoder-options.js';
import type { CurvePoint } from './curve.js';
import type { Curve } from './measurement.js';
import { metricOf, type MetricName } from './metrics/metrics.js';

/** A codec of an evaluation. */
export interface CodecInfo {
  name: string;
  label: string;
  /** Versions and settings. */
  about: string;
  parameter: string;
}

/** The curves of a picture. */
export interface PictureResult {
  name: string;
  width: number;
  height: number;
  /** By codec. */
  curves: Record<string, Curve>;
}

/** All figures of an evaluation. */
export interface Evaluation {
  /** ISO date. */
  date: string;
  dcompVersion: string;
  /** Undefined where dcomp itself was not measured. */
  model: { id: string; formatVersion: number; effort?: number; tune?: Tune } | undefined;
  machine: string;
  processes: number;
  metrics: MetricName[];
  /** Bits per pixel of the tables. */
  rates: number[];
  codecs: CodecInfo[];
  pictures: PictureResult[];
  /** Curves that came from the cache of earlier runs. */
  kept: number;
  /** Pictures, and measurements of them, that failed. */
  failed: number;
  /** What is missing, a line each. */
  notices: string[];
}

/** A picture's curve in a metric, on the scale on which it is averaged. */
export function curvePoints({ curves }: PictureResult, codec: string, metric: MetricName): CurvePoint[] {
  const { scale } = metricOf(metric);
  return (curves[codec]?.points ?? []).flatMap(({ bitsPerPixel, scores }) => {
    const value = scores[metric];
    return value === undefined || value === null
      ? []
      : [{ rate: bitsPerPixel, quality: scale === undefined ? value : scale(value) }];
  });
}
