/**
 * The last step of a refined file: brightness of coarse levels is measured once more, with less noise than the last level
 * has. Errors of coarse scales are what the eye minds most, and coarse coefficients are few. By then the network has said
 * all that it has to say: what it expects of coarse coefficients follows from what it expects of those of the last level.
 */
import { blankObservationInPieces, type Observation } from '../diffusion/observation.js';
import { PosteriorMean } from '../diffusion/posterior.js';
import { settledCode, SETTLED_LEVELS, type Schedule } from '../diffusion/schedule.js';
import type { Group } from '../format.js';
import { log2 } from '../math/exact.js';
import { cutOut, wholeOf, type Rectangle, type Size } from '../math/rectangle.js';
import { BANDS, COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
import { EXACT, UNKNOWN } from '../model/sigma.js';
import { COLOURS } from '../pixels/colour.js';
import {
  haarInPieces,
  inverseHaarInPieces,
  planeOfLLInPieces,
  type Coefficients,
  type Plane,
} from '../pixels/pyramid.js';
import type { Pieces } from '../turns.js';
import { codeGroupStep } from './group-step.js';
import type { GroupStepOptions } from './group-work.js';
import { maskingInPieces, type Masking } from './masking.js';
import type { Workspace } from './workspace.js';
import { defined } from '../options.js';

/** A group of the last level that is settled. */
export interface SettleOptions extends GroupStepOptions {
  /** The network's output for the observation. */
  output: Float32Array;
  schedule: Schedule;
  /** Of the group: of its part of u_k, k being the last level. */
  pixels: Size;
  /** Sizes of u₀, u₁, … of the whole picture. */
  sizes: readonly Size[];
}

/** What is known of the pixels or coefficients of a u_k before it is settled, and the truth. */
interface Foreseen<T> {
  mean: T;
  variance: T;
  truth?: T;
}

/** Pictures of fewer positions keep the mean that was settled; of larger ones the network is asked again when they are shown. */
const MAX_KEPT_POSITIONS = 2 ** 20;

/** Whether what is shown of so many positions needs no further evaluation when they have been settled. */
export function isKept({ width, height }: Size): boolean {
  return width * height <= MAX_KEPT_POSITIONS;
}

/** What the last step has come to, by positions of the last level. */
export class SettledLevel {
  /** What brightness is moved by, four bands a position. */
  private readonly moves: Float32Array;
  /** The posterior mean of all coefficients, moved, where it is kept. */
  private readonly mean: Float32Array | undefined;
  /** Whether all groups that are wanted have been settled. */
  done = false;

  /** @param window of the last level's positions */
  constructor(private readonly window: Rectangle) {
    const positions = window.width * window.height;
    this.moves = new Float32Array(positions * BANDS);
    if (isKept(window)) this.mean = new Float32Array(positions * COEFFICIENTS);
  }

  /** @param group within the level */
  put({ x, y, width, height }: Group, { moves, mean }: SettledGroup): void {
    for (let row = 0; row < height; row++) {
      const at = (y - this.window.y + row) * this.window.width + x - this.window.x;
      this.moves.set(moves.subarray(row * width * BANDS, (row + 1) * width * BANDS), at * BANDS);
      if (this.mean === undefined) continue;
      this.mean.set(mean.subarray(row * width * COEFFICIENTS, (row + 1) * width * COEFFICIENTS), at * COEFFICIENTS);
      move(this.mean, this.moves, at, at + width);
    }
  }

  /** Within a part of the window. */
  movesWithin(part: Rectangle): Float32Array {
    return cutOut(this.moves, this.window, part, BANDS);
  }

  /** Within a part of the window; undefined where it is not kept. */
  meanWithin(part: Rectangle): Float32Array | undefined {
    return this.done && this.mean !== undefined ? cutOut(this.mean, this.window, part, COEFFICIENTS) : undefined;
  }
}

/** Moves brightness of positions from `first` to before `end`. @param begin the position that the mean begins with */
export function move(mean: Float32Array, moves: Float32Array, first: number, end: number, begin = 0): void {
  let i = (first - begin) * COEFFICIENTS;
  for (let m = first * BANDS; m < end * BANDS; m++, i += COLOURS) mean[i] = mean[i]! + moves[m]!;
}

/** What the step brought a group. */
export interface SettledGroup {
  ideal: number;
  /** Posterior mean of its coefficients before the step. */
  mean: Float32Array;
  /** By position: what brightness of four bands is moved by. */
  moves: Float32Array;
}

/** Measures the coarse levels of a group, coarsest first, down to the last level; nothing else is changed. */
export function* settleGroup(options: SettleOptions, workspace: Workspace): Pieces<SettledGroup> {
  const last = options.step.level;
  const own = yield* foreseenOf(options);
  const count = Math.min(SETTLED_LEVELS, options.sizes.length - 2);
  const levels: Foreseen<Coefficients>[] = [own];
  const pixels: Size[] = [options.pixels];
  for (let k = last + 1; k <= count; k++) {
    const u = yield* coarserOf(levels[k - last - 1]!);
    pixels.push({ width: u.mean.width, height: u.mean.height });
    levels.push(yield* coefficientsOf(u));
  }
  const moved = levels.map(({ mean }) => ({ ...mean, data: new Float32Array(mean.data.length) }));
  let ideal = 0;
  for (let k = count; k >= last; k--) {
    const at = k - last;
    const to = k === 0 ? undefined : settledCode(options.schedule, k);
    if (to !== undefined) {
      const step = { ...options.step, level: k, to };
      const masking = yield* maskingOf(options.schedule, k, pixels[at]!, levels[at + 1]?.mean);
      const given = { ...options, step, ...defined({ masking }) };
      ideal += yield* measure(given, levels[at]!, pixels[at]!, k === count, workspace, moved[at]!.data);
    }
    if (k === count) continue;
    const { width, height } = pixels[at + 1]!;
    putLL(moved[at]!.data, (yield* inverseHaarInPieces(moved[at + 1]!, width, height)).data);
    if (to === undefined) slope(moved[at]!, pixels[at]!);
  }
  const { data } = moved[0]!;
  return {
    ideal,
    mean: own.mean.data,
    moves: Float32Array.from({ length: data.length / COLOURS }, (_, i) => data[i * COLOURS]!),
  };
}

/**
 * Details of brightness of a level that is not settled itself: blocks would be seen where neighbours are moved by
 * different amounts, so they slope as between these.
 * @param size of the level's picture
 */
function slope({ width, height, data }: Coefficients, size: Size): void {
  const rows = width * COEFFICIENTS;
  for (let y = 0, i = 0; y < height; y++) {
    const up = y > 0 ? rows : 0;
    const down = y + 1 < height ? rows : 0;
    for (let x = 0; x < width; x++, i += COEFFICIENTS) {
      const left = x > 0 ? COEFFICIENTS : 0;
      const right = x + 1 < width ? COEFFICIENTS : 0;
      // An odd side is continued by what it ends with.
      if (2 * x + 1 < size.width) data[i + COLOURS] = (data[i - left]! - data[i + right]!) / 8;
      if (2 * y + 1 < size.height) data[i + 2 * COLOURS] = (data[i - up]! - data[i + down]!) / 8;
    }
  }
}

/** @param coarser level, as it is expected */
function* maskingOf(
  { masking = 0 }: Schedule,
  level: number,
  size: Size,
  coarser: Coefficients | undefined,
): Pieces<Masking | undefined> {
  if (coarser === undefined) return undefined;
  return yield* maskingInPieces({ ...wholeOf(coarser), z: coarser.data }, level, size, masking);
}

const ONES = new Float32Array(COEFFICIENTS).fill(1);

/** Measures brightness of one level. @param withLL whether it is the coarsest @param moved is told what means are moved by @returns ideal bits */
function* measure(
  options: SettleOptions,
  { mean, variance, truth }: Foreseen<Coefficients>,
  size: Size,
  withLL: boolean,
  workspace: Workspace,
  moved: Float32Array,
): Pieces<number> {
  const observation: Observation = yield* blankObservationInPieces(size, true);
  const { codes } = observation;
  if (!withLL) for (let i = 0; i < codes.length; i += COEFFICIENTS) codes[i] = EXACT;
  const ideal = yield* codeGroupStep(
    {
      step: options.step,
      observation,
      group: wholeOf(mean),
      output: outputOf(mean.data, variance.data),
      // So what the output says is mean and variance themselves.
      prior: ONES,
      groupIndex: 0,
      channel: options.channel,
      nu: options.channel.nu,
      scales: new Int8Array(1),
      ...defined({ masking: options.masking }),
      ...(truth === undefined ? {} : { truth: { x: truth.data } }),
    },
    workspace,
  );
  for (let i = 0; i < codes.length; i++) if (codes[i] !== UNKNOWN && codes[i] !== EXACT) moved[i] = workspace.moved[i]!;
  return ideal;
}

/** What a network would say of these coefficients. */
function outputOf(mean: Float32Array, variance: Float32Array): Float32Array {
  const output = new Float32Array(2 * mean.length);
  for (let i = 0, q = 0; i < mean.length; i += COEFFICIENTS, q += OUTPUT_CHANNELS) {
    for (let c = 0; c < COEFFICIENTS; c += COLOURS) {
      output[q + c] = mean[i + c]!;
      output[q + COEFFICIENTS + c] = log2(Math.max(LEAST_VARIANCE, variance[i + c]!));
    }
  }
  return output;
}

const LEAST_VARIANCE = 2 ** -20;

/** LL of a level where the next coarser one has moved. */
function putLL(moved: Float32Array, coarser: Float32Array): void {
  for (let i = 0, o = 0; i < moved.length; i += COEFFICIENTS, o += COLOURS) moved[i] = 2 * coarser[o]!;
}

/** The mean variance of its pixels is that of each coefficient. */
function* coefficientsOf({ mean, variance, truth }: Foreseen<Plane>): Pieces<Foreseen<Coefficients>> {
  const spread = yield* haarInPieces(variance);
  for (let i = 0; i < spread.data.length; i += COEFFICIENTS)
    spread.data.fill(0.5 * spread.data[i]!, i, i + COEFFICIENTS);
  return {
    mean: yield* haarInPieces(mean),
    variance: spread,
    ...(truth === undefined ? {} : { truth: yield* haarInPieces(truth) }),
  };
}

/** The mean of four has a quarter of their mean variance, as if their errors were independent; how far that is off, the scale of the step says. */
function* coarserOf({ mean, variance, truth }: Foreseen<Coefficients>): Pieces<Foreseen<Plane>> {
  return {
    mean: yield* planeOfLLInPieces(mean, 0.5),
    variance: yield* planeOfLLInPieces(variance, 0.25),
    ...(truth === undefined ? {} : { truth: yield* planeOfLLInPieces(truth, 0.5) }),
  };
}

/** What the network says of all coefficients of the group. */
function* foreseenOf({ observation, group, output, prior, truth }: SettleOptions): Pieces<Foreseen<Coefficients>> {
  const posterior = new PosteriorMean(prior);
  const { width, height } = group;
  const cut = <T extends Float32Array | Uint8Array>(data: T, channels = COEFFICIENTS): T =>
    cutOut(data, wholeOf(observation), group, channels) as T;
  const [z, codes, said] = [cut(observation.z), cut(observation.codes), cut(output, OUTPUT_CHANNELS)];
  yield;
  const mean = posterior.of(z, codes, said, 0);
  yield;
  const variance = posterior.variances(codes, said);
  yield;
  return {
    mean: { width, height, data: mean },
    variance: { width, height, data: variance },
    ...(truth === undefined ? {} : { truth: { width, height, data: cut(truth.x) } }),
  };
}
