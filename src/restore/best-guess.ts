/**
 * The best guess of what is hidden: a beginning, denoised as if under noise that grows weaker, what is known being put back
 * each time. Nothing is drawn. It is the probability flow without noise of its own (Kadkhodaie and Simoncelli, "Stochastic
 * solutions for linear inverse problems using the prior implicit in a denoiser", 2021, algorithm 2 with beta = 1). In thin
 * holes, such as writing and scratches, the beginning is a smooth filling: so near to what is known nothing coarser has to be
 * found first.
 */
import type { Imposing } from '../diffusion/denoiser.js';
import type { Size } from '../math/rectangle.js';
import { COLOURS } from '../pixels/colour.js';
import { haarInPieces, type Plane } from '../pixels/pyramid.js';
import { rowsOfPiece, type Pause, type Pieces } from '../turns.js';
import type { Level } from './level.js';
import { planeOf } from './states.js';
import { codedSigmas, type WalkState } from './walk.js';

/** What is known of a level: a mean of the known pixels below each, and how much of it is known, 0 to 1. */
export interface Known {
  plane: Plane;
  share: Float32Array;
}

/** Pixels that a hole may reach from what is known, to be thin: strokes of four; and how much of it may reach farther, where they cross. */
const REACH = 2;
const DEEPER = 0.05;
/** Sigma that the network is told first in thin holes, and last in all. */
export const THIN_TOLD = 45;
const LAST_TOLD = 4;
/** Times that what is not known is made the mean of its neighbours before, and pixels that are gone over in a piece. */
const SMOOTHINGS = 40;
const PIECE = 2 ** 16;

/** Whether nearly every pixel that is not known, wholly, is near to one that is. */
export function* isThin({ plane: { width, height }, share }: Known): Pieces<boolean> {
  let hole = holeOf(share);
  const count = yield* counted(hole);
  for (let n = 0; n < REACH; n++) {
    yield;
    hole = yield* eroded(hole, { width, height });
  }
  return (yield* counted(hole)) <= DEEPER * count;
}

/** 1 where a pixel is not known wholly. */
function holeOf(share: Float32Array): Uint8Array<ArrayBuffer> {
  const hole = new Uint8Array(share.length);
  for (let i = 0; i < hole.length; i++) hole[i] = share[i]! < 1 ? 1 : 0;
  return hole;
}

function* counted(hole: Uint8Array): Pieces<number> {
  let sum = 0;
  for (let i = 0; i < hole.length; i++) {
    if (i % PIECE === 0) yield;
    sum += hole[i]!;
  }
  return sum;
}

/** Pixels whose four neighbours are all in the hole; beyond the edge nothing is known. */
function* eroded(hole: Uint8Array<ArrayBuffer>, { width, height }: Size): Pieces<Uint8Array<ArrayBuffer>> {
  const left = new Uint8Array(hole.length);
  for (let y = 0, i = 0; y < height; y++) {
    if (y % rowsOfPiece(width) === 0) yield;
    for (let x = 0; x < width; x++, i++) {
      const beside =
        (x === 0 || hole[i - 1] === 1) &&
        (x === width - 1 || hole[i + 1] === 1) &&
        (y === 0 || hole[i - width] === 1) &&
        (y === height - 1 || hole[i + width] === 1);
      if (hole[i] === 1 && beside) left[i] = 1;
    }
  }
  return left;
}

/**
 * Makes pixels the mean of their neighbours, one after the other, many times: what is far off in the beginning stays so for
 * long, as the network takes it for the picture. In place.
 * @param share how much of a pixel is known; that part stays
 */
function* smoothed({ width, height, data }: Plane, { plane, share }: Known): Pieces<void> {
  const open: number[] = [];
  for (let i = 0; i < share.length; i++) {
    if (i % PIECE === 0) yield;
    if (share[i]! < 1) open.push(i);
  }
  for (let n = 0, done = 0; n < SMOOTHINGS; n++) {
    for (const i of open) {
      if (done++ % PIECE === 0) yield;
      const [x, y] = [i % width, Math.floor(i / width)];
      const left = x > 0 ? i - 1 : i;
      const right = x < width - 1 ? i + 1 : i;
      const above = y > 0 ? i - width : i;
      const below = y < height - 1 ? i + width : i;
      for (let c = 0; c < COLOURS; c++) {
        const sum =
          data[left * COLOURS + c]! +
          data[right * COLOURS + c]! +
          data[above * COLOURS + c]! +
          data[below * COLOURS + c]!;
        const o = i * COLOURS + c;
        data[o] = sum / 4 + share[i]! * (plane.data[o]! - sum / 4);
      }
    }
  }
}

/** What is not known, continued smoothly: level by level from the coarsest, each begun with the one before. @param known full size first */
export function* filledSmoothly(known: readonly Known[]): Pieces<Plane> {
  let coarser: Plane | undefined;
  for (const level of [...known].reverse()) {
    const filled = yield* filledFrom(coarser, level);
    yield* smoothed(filled, level);
    coarser = filled;
  }
  return coarser!;
}

/** A level with the coarser one where it is not known; mid-grey where there is none. */
function* filledFrom(coarser: Plane | undefined, { plane, share }: Known): Pieces<Plane> {
  const { width, height } = plane;
  const data = Float32Array.from(plane.data);
  for (let y = 0, i = 0; y < height; y++) {
    if (y % rowsOfPiece(width) === 0) yield;
    for (let x = 0; x < width; x++, i++) {
      const part = share[i]!;
      if (part === 1) continue;
      const at = coarser === undefined ? 0 : (y >> 1) * coarser.width + (x >> 1);
      for (let c = 0; c < COLOURS; c++) {
        const o = i * COLOURS + c;
        data[o] = part * data[o]! + (1 - part) * (coarser?.data[at * COLOURS + c] ?? 0);
      }
    }
  }
  return { width, height, data };
}

/** Pixels from what is known at which a best guess would be the smooth filling alone, and the most that it is of it. */
const SMOOTH_DEPTH = 24;
const MOST_SMOOTH = 0.75;

/**
 * A guess with ever more of the smooth filling in it, the farther a pixel is from what is known: there the mean of all that
 * may be hidden is nearly that.
 * @param mean coefficients of the level of full size
 * @returns the same, changed
 */
export function* smoothDeepWithin(mean: Float32Array, known: readonly Known[]): Pieces<Float32Array> {
  const [{ plane, share }] = known as [Known];
  const guess = yield* planeOf(mean, plane);
  const smooth = yield* filledSmoothly(known);
  let hole = holeOf(share);
  const weight = 1 / SMOOTH_DEPTH;
  const weights = new Float32Array(share.length);
  for (let depth = 1; depth <= SMOOTH_DEPTH * MOST_SMOOTH; depth++) {
    for (let i = 0; i < hole.length; i++) {
      if (i % PIECE === 0) yield;
      weights[i] = weights[i]! + weight * hole[i]!;
    }
    hole = yield* eroded(hole, plane);
  }
  for (let i = 0; i < guess.data.length; i++) {
    if (i % PIECE === 0) yield;
    guess.data[i] = guess.data[i]! + weights[Math.floor(i / COLOURS)]! * (smooth.data[i]! - guess.data[i]!);
  }
  return (yield* haarInPieces(guess)).data;
}

/** How a guess is denoised on. */
export interface DenoisingOn {
  impose: Imposing;
  steps: number;
  pause: Pause;
}

/** States of a level that begins as z. @param first sigma that the network is told */
export async function* denoisedOn(
  level: Level,
  begun: Float32Array,
  first: number,
  { impose, steps, pause }: DenoisingOn,
): AsyncGenerator<WalkState, void, void> {
  let z = begun;
  const sigmas = codedSigmas(Math.max(1, steps - 1), first, LAST_TOLD);
  for (const [step, told] of sigmas.entries()) {
    const denoised = await level.refine(z, told, pause);
    await impose(denoised);
    z = await level.clear(denoised.mean, pause);
    const last = step === sigmas.length - 1;
    const sigma = last ? 0 : sigmas[step + 1]!;
    yield { fraction: (step + 1) / sigmas.length, level: level.level, size: level.size, sigma, mean: z };
  }
}
