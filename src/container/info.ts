/** What a file says about itself; needs no model. */
import { DcompError } from '../errors.js';
import { TOP_CODE, sigmaOf } from '../model/sigma.js';
import { bytesOf } from '../options.js';
import type { Channels, Depth } from '../picture.js';
import { readContainer, type Container, type Extent, type Form } from './container.js';
import { FORMAT_VERSION, groupsOf } from '../format.js';
import { maxErrorOf } from './exact-part.js';
import { partName, type PartName } from './parts.js';
import { codedSizes, stepsOf, type Schedule, type Step, type StepKind } from '../diffusion/schedule.js';

/** A step of the schedule, as a segment holds it. */
export interface StepInfo {
  level: number;
  kind: StepKind;
  /** Noise level in 8-bit sample units before and after the step. */
  sigmaBefore: number;
  sigma: number;
}

/** A segment: bytes with a checksum of their own, and the steps that they belong to. */
export interface SegmentInfo {
  offset: number;
  byteLength: number;
  /** The steps that it belongs to, and the units in it: one for each group that it holds of a step. */
  steps: StepInfo[];
  units: number;
  /** Level and noise level reached at the segment's end (if its last step is whole). */
  level: number;
  sigma: number;
  /** Bits of the payload, and the model's KL for them with an ideal channel. */
  bits: number;
  idealBits: number;
  state: Extent['state'];
}

/** A part behind the header: metadata, regions, the hash of the pixels. */
export interface PartInfo {
  type: number;
  name: PartName | 'unknown';
  /** Byte offset in the file of its type, bytes of its payload. */
  offset: number;
  byteLength: number;
  state: Extent['state'];
}

/** What the header says of the schedule. */
export interface ScheduleInfo {
  /** Of refining at levels ≥ 1, and at level 0. */
  coarseStepsPerOctave: number;
  fineStepsPerOctave: number;
  /** The finest level that is measured, and the noise level at which it ends, in 8-bit sample units. */
  lastLevel: number;
  lastSigma: number;
  /** Evaluations that what is shown is the mean of, and those of a step at levels ≥ 1. */
  views: number;
  coarseViews: number;
  /** Whether the model, if it has two ways to show the picture, does so for the eye. */
  forEye: boolean;
}

/** What a file says about itself, without a model. */
export interface FileStructure {
  width: number;
  height: number;
  channels: Channels;
  /** Bits of a sample. */
  depth: Depth;
  kind: 'grey' | 'grey+alpha' | 'RGB' | 'RGBA';
  formatVersion: number;
  /** Coded against what the network expects, or plainly, without loss. */
  form: Form;
  /**
   * Most that a sample of the whole file is off the original; 0 is without loss. null where nothing is promised, or the part that says so
   * is damaged.
   */
  maxError: number | null;
  /** null in the plain form, as are `trellisBits` and `schedule`. */
  modelId: string | null;
  byteLength: number;
  bitsPerPixel: number;
  /** log2 of the states that the encoder searched for signs, at level 0. */
  trellisBits: number | null;
  schedule: ScheduleInfo | null;
  parts: PartInfo[];
  alpha: { byteLength: number; state: Extent['state'] } | null;
  segments: SegmentInfo[];
  /** True where the file ends before its last segment does. */
  truncated: boolean;
  /** Bytes behind the end of the file, which mean nothing. */
  trailing: number;
}

const KINDS = { 1: 'grey', 2: 'grey+alpha', 3: 'RGB', 4: 'RGBA' } as const;

/**
 * Reads what a file says about itself: size, model, parts, segments; needs no model.
 * @throws DcompError as `readContainer`
 */
export function fileInfo(file: Uint8Array): FileStructure {
  const bytes = bytesOf(file, 'the file');
  return infoOf(bytes, readContainer(bytes));
}

/** The same of a structure that is known. @param byteLength with what is behind the end */
export function infoOf(bytes: Uint8Array, container: Container, byteLength = bytes.length): FileStructure {
  const { header, parts, alpha, truncated, trailing } = container;
  const { width, height, channels, depth, form = 'diffusion' } = header;
  const plain = form === 'plain';
  return {
    width,
    height,
    channels,
    depth,
    kind: KINDS[channels],
    formatVersion: FORMAT_VERSION,
    form,
    maxError: statedMaxError(bytes, container),
    modelId: plain ? null : header.modelId,
    byteLength,
    bitsPerPixel: (8 * byteLength) / (width * height),
    trellisBits: plain ? null : header.nu,
    schedule: plain ? null : scheduleInfo(header.schedule),
    parts: parts.map(({ type, offset, payloadLength, state }) => ({
      type,
      name: partName(type),
      offset,
      byteLength: payloadLength,
      state,
    })),
    alpha: alpha === undefined ? null : { byteLength: alpha.payloadLength, state: alpha.state },
    segments: segmentInfos(container),
    truncated,
    trailing,
  };
}

function scheduleInfo(schedule: Schedule): ScheduleInfo {
  const { coarseWidth, fineWidth, lastCode, lastLevel = 0, views, coarseViews, forEye = false } = schedule;
  return {
    coarseStepsPerOctave: 16 / coarseWidth,
    fineStepsPerOctave: 16 / fineWidth,
    lastLevel,
    lastSigma: round(sigmaOf(lastCode)),
    views,
    coarseViews,
    forEye,
  };
}

/** The segments, with the steps of the schedule that their units belong to; in the plain form they belong to none. */
function segmentInfos({ header, segments }: Container): SegmentInfo[] {
  const plain = header.form === 'plain';
  const sizes = codedSizes(header);
  const steps = plain ? [] : stepsOf(header.schedule, sizes.length - 1);
  const groups = steps.map(
    ({ level }) => groupsOf((sizes[level]!.width + 1) >> 1, (sizes[level]!.height + 1) >> 1).length,
  );
  // The step of the next unit, and how many of its groups came before.
  let step = 0;
  let before = 0;
  return segments.map((segment): SegmentInfo => {
    const mine: Step[] = [];
    let units = 0;
    for (; units < segment.units && step < steps.length; units++) {
      if (mine.at(-1) !== steps[step]) mine.push(steps[step]!);
      if (++before < groups[step]!) continue;
      before = 0;
      step++;
    }
    const last = mine.at(-1);
    const bits = 8 * segment.payloadLength;
    return {
      offset: segment.offset,
      byteLength: segment.payloadOffset + segment.payloadLength - segment.offset,
      steps: mine.map(stepInfo),
      units: plain || mine.length === 0 ? segment.units : units,
      level: last?.level ?? 0,
      sigma: plain || (step === steps.length && last === undefined) ? 0 : round(sigmaOf(last?.to ?? TOP_CODE)),
      bits,
      idealBits: plain ? bits : Math.round((bits * segment.idealRatio) / 128),
      state: segment.state,
    };
  });
}

function stepInfo({ level, kind, from, to }: Step): StepInfo {
  return { level, kind, sigmaBefore: round(sigmaOf(from)), sigma: round(sigmaOf(to)) };
}

function statedMaxError(bytes: Uint8Array, container: Container): number | null {
  try {
    return maxErrorOf(bytes, container) ?? null;
  } catch (error) {
    if (error instanceof DcompError) return null;
    throw error;
  }
}

function round(sigma: number): number {
  return Math.round(sigma * 1000) / 1000;
}
