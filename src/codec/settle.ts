/**
 * The last step of a refined file: brightness of what will be shown is measured once more at coarse levels, with less noise
 * than level 0 has. Errors of coarse scales are what the eye minds most, and coarse coefficients are few. By then the
 * network has said all that it has to say: what it expects of coarse coefficients follows from what it expects of fine ones.
 */
import { blankObservationInPieces, type Observation } from '../diffusion/observation.js';
import { PosteriorMean } from '../diffusion/posterior.js';
import { settledCode, SETTLED_LEVELS, type Schedule } from '../diffusion/schedule.js';
import type { Group } from '../format.js';
import { log2 } from '../math/exact.js';
import { cutOut, wholeOf, type Rectangle, type Size } from '../math/rectangle.js';
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
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

/** A group of level 0 that is settled. */
export interface SettleOptions extends GroupStepOptions {
  /** The network's output for the observation. */
  output: Float32Array;
  schedule: Schedule;
  /** Sizes of u₀, u₁, … of the whole picture. */
  sizes: readonly Size[];
}

/** What is known of the pixels of a u_k before it is settled, and the truth. */
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

/** What the last step has come to, by positions of level 0. */
export class SettledLevel {
  /** What brightness of LL is moved by. */
  private readonly moves: Float32Array;
  /** The posterior mean of all coefficients, moved, where it is kept. */
  private readonly mean: Float32Array | undefined;
  /** Whether all groups that are wanted have been settled. */
  done = false;

  constructor(private readonly window: Rectangle) {
    this.moves = new Float32Array(window.width * window.height);
    if (isKept(window)) this.mean = new Float32Array(this.moves.length * COEFFICIENTS);
  }

  /** @param group within the level */
  put({ x, y, width, height }: Group, { moves, mean }: SettledGroup): void {
    for (let row = 0; row < height; row++) {
      const at = (y - this.window.y + row) * this.window.width + x - this.window.x;
      this.moves.set(moves.subarray(row * width, (row + 1) * width), at);
      if (this.mean === undefined) continue;
      this.mean.set(mean.subarray(row * width * COEFFICIENTS, (row + 1) * width * COEFFICIENTS), at * COEFFICIENTS);
      move(this.mean, this.moves, at, at + width);
    }
  }

  /** Within a part of the window. */
  movesWithin(part: Rectangle): Float32Array {
    return cutOut(this.moves, this.window, part, 1);
  }

  /** Within a part of the window; undefined where it is not kept. */
  meanWithin(part: Rectangle): Float32Array | undefined {
    return this.done && this.mean !== undefined ? cutOut(this.mean, this.window, part, COEFFICIENTS) : undefined;
  }
}

/** Moves LL of positions from `first` to before `end`. @param begin the position that the mean begins with */
export function move(mean: Float32Array, moves: Float32Array, first: number, end: number, begin = 0): void {
  for (let p = first; p < end; p++) {
    const i = (p - begin) * COEFFICIENTS;
    mean[i] = mean[i]! + moves[p]!;
  }
}

/** What the step brought a group. */
export interface SettledGroup {
  ideal: number;
  /** Posterior mean of its coefficients before the step. */
  mean: Float32Array;
  /** By position: what brightness of LL is moved by. */
  moves: Float32Array;
}

/** Measures the coarse levels of a group, coarsest first; nothing else is changed. */
export function* settleGroup(options: SettleOptions, workspace: Workspace): Pieces<SettledGroup> {
  const { mean, finest } = yield* foreseenOf(options);
  const levels: Foreseen<Coefficients>[] = [];
  const count = Math.min(SETTLED_LEVELS, options.sizes.length - 2);
  const pixels: Size[] = [];
  for (let k = 0, u = finest; k < count; k++) {
    pixels.push({ width: u.mean.width, height: u.mean.height });
    const level = yield* coefficientsOf(u);
    levels.push(level);
    u = yield* coarserOf(level);
  }
  let ideal = 0;
  let moves: Plane | undefined;
  for (let k = count; k >= 1; k--) {
    const moved = { ...levels[k - 1]!.mean, data: new Float32Array(levels[k - 1]!.mean.data.length) };
    const to = settledCode(options.schedule, k);
    if (to !== undefined) {
      const step = { ...options.step, level: k, to };
      const masking = yield* maskingOf(options.schedule, k, pixels[k - 1]!, levels[k]?.mean);
      const given = { ...options, step, ...(masking === undefined ? {} : { masking }) };
      ideal += yield* measure(given, levels[k - 1]!, pixels[k - 1]!, k === count, workspace, moved.data);
    }
    if (moves !== undefined) putLL(moved.data, moves.data);
    moves = yield* inverseHaarInPieces(moved, pixels[k - 1]!.width, pixels[k - 1]!.height);
  }
  const { width, height } = options.group;
  // u₁ is half of LL.
  return {
    ideal,
    mean,
    moves: Float32Array.from({ length: width * height }, (_, p) => 2 * (moves?.data[COLOURS * p] ?? 0)),
  };
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
      ...(options.masking === undefined ? {} : { masking: options.masking }),
      ...(truth === undefined ? {} : { truth: { x: truth.data } }),
    },
    workspace,
  );
  for (let i = 0; i < codes.length; i++) if (codes[i] !== UNKNOWN && codes[i] !== EXACT) moved[i] = workspace.moved[i]!;
  return ideal;
}

/** What a network would say of these coefficients. @param variance LL of variances, which is twice their mean */
function outputOf(mean: Float32Array, variance: Float32Array): Float32Array {
  const output = new Float32Array(2 * mean.length);
  for (let i = 0, q = 0; i < mean.length; i += COEFFICIENTS, q += OUTPUT_CHANNELS) {
    const logVariance = log2(Math.max(LEAST_VARIANCE, 0.5 * variance[i]!));
    for (let c = 0; c < COEFFICIENTS; c += COLOURS) {
      output[q + c] = mean[i + c]!;
      output[q + COEFFICIENTS + c] = logVariance;
    }
  }
  return output;
}

const LEAST_VARIANCE = 2 ** -20;

/** LL of a level where the next coarser one has moved. */
function putLL(moved: Float32Array, coarser: Float32Array): void {
  for (let i = 0, o = 0; i < moved.length; i += COEFFICIENTS, o += COLOURS) moved[i] = 2 * coarser[o]!;
}

function* coefficientsOf({ mean, variance, truth }: Foreseen<Plane>): Pieces<Foreseen<Coefficients>> {
  return {
    mean: yield* haarInPieces(mean),
    variance: yield* haarInPieces(variance),
    ...(truth === undefined ? {} : { truth: yield* haarInPieces(truth) }),
  };
}

/** The mean of four has a quarter of their mean variance, as if their errors were independent; how far that is off, the scale of the step says. */
function* coarserOf({ mean, variance, truth }: Foreseen<Coefficients>): Pieces<Foreseen<Plane>> {
  return {
    mean: yield* planeOfLLInPieces(mean, 0.5),
    variance: yield* planeOfLLInPieces(variance, 0.125),
    ...(truth === undefined ? {} : { truth: yield* planeOfLLInPieces(truth, 0.5) }),
  };
}

/** The mean of all coefficients of the group, and what follows for u₁, which is half of LL. */
function* foreseenOf({
  observation,
  group,
  output,
  prior,
  truth,
}: SettleOptions): Pieces<{ mean: Float32Array; finest: Foreseen<Plane> }> {
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
  const plane = (data: Float32Array, factor: number): Pieces<Plane> =>
    planeOfLLInPieces({ width, height, data }, factor);
  return {
    mean,
    finest: {
      mean: yield* plane(mean, 0.5),
      variance: yield* plane(variance, 0.25),
      ...(truth === undefined ? {} : { truth: yield* plane(cut(truth.x), 0.5) }),
    },
  };
}
