/** What is measured, and what a measurement depends on. */
import type { Tune } from '../src/codec/encoder-options.js';
import type { ExactJob, ExactLoadJob } from './exact/measurement.js';
import type { MetricName, Scores } from './metrics/metrics.js';

/** One file of one picture. */
export interface Point {
  /** The codec's setting; for dcomp the rate or quality that was asked for. */
  setting: number;
  /** Of the whole file. */
  bytes: number;
  bitsPerPixel: number;
  /** Of the processor, in all threads and programs that it takes. 0 for the ideal channel, which is no program. */
  encodeSeconds: number;
  decodeSeconds: number;
  /** Bytes, see MEMORY_METHOD. undefined where they cannot be known. */
  encodeMemory?: number | undefined;
  decodeMemory?: number | undefined;
  scores: Scores;
  /** Of dcomp alone: the model's KL for what the file holds, the decoder's network evaluations and their arithmetic. */
  idealBits?: number;
  evaluations?: number;
  kiloFlopPerPixel?: number;
}

/** Ideal bits of one step of dcomp's schedule. */
export interface StepBits {
  level: number;
  kind: string;
  /** Noise level behind the step, in 8-bit sample units. */
  sigma: number;
  bits: number;
}

/** All files of one picture and one codec. */
export interface Curve {
  points: Point[];
  /** Of the ideal channel alone. */
  steps?: StepBits[];
}

/** How dcomp codes. */
export interface OwnChoices {
  /** Default: the model's. */
  effort?: number;
  tune?: Tune;
}

/** An effort in words. @param effort left out where it is the model's own */
export function effortOf({ effort }: Pick<OwnChoices, 'effort'>): string {
  return effort === undefined ? 'default effort' : `effort ${effort}`;
}

/** How dcomp is run. */
export interface OwnSettings {
  /** Name of a model of the package, or path of a model file. */
  model: string;
  modelId: string;
  choices: OwnChoices;
}

/** A curve to be measured, as it is sent to a process. */
export interface CurveJob {
  kind: 'curve';
  path: string;
  hash: string;
  codec: string;
  /** The codec's versions and settings, known before; a part of the cache's key. */
  about: string;
  /** Settings by rising rate, the codec's own or the user's; for dcomp bits per pixel, or qualities. */
  settings: number[];
  /** Settings beyond the first that exceeds this are not measured. */
  maxRate: number;
  metrics: MetricName[];
  own: OwnSettings | undefined;
  /** dcomp's settings are its qualities, not rates. */
  byQuality: boolean;
  cache: string;
}

/** A decoded picture of a given size in bytes, for looking at. */
export interface SampleJob {
  kind: 'sample';
  path: string;
  hash: string;
  codec: string;
  about: string;
  bytes: number;
  /** Settings of the codec with the bytes that they gave, by rising size: where to begin. */
  known: { setting: number; bytes: number }[];
  own: OwnSettings | undefined;
  crop: Crop;
  cache: string;
}

export interface Crop {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Sample {
  bytes: number;
  psnr: number;
  /** A file of the crop, and its media type. */
  image: string;
  type: string;
}

/** Asks what a codec is: whether it can be loaded, its version and settings. */
export interface LoadJob {
  kind: 'load';
  codec: string;
}

export interface Loaded {
  about: string;
  parameter: string;
  settings: number[];
}

export type Job = CurveJob | SampleJob | LoadJob | ExactJob | ExactLoadJob;
