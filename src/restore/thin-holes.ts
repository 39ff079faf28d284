/**
 * The best guess in thin holes, such as writing and scratches: filled smoothly, and then denoised as if under noise that grows
 * weaker, what is known being put back each time. Nothing is drawn. It is the probability flow without noise of its own
 * (Kadkhodaie and Simoncelli, "Stochastic solutions for linear inverse problems using the prior implicit in a denoiser",
 * 2021, algorithm 2 with beta = 1), begun at the full size: so near to what is known nothing coarser has to be found first.
 */
import type { Imposing } from '../diffusion/denoiser.js';
import type { Size } from '../math/rectangle.js';
import { COLOURS } from '../pixels/colour.js';
import { haarInPieces, type Plane } from '../pixels/pyramid.js';
import { inTurns, rowsOfPiece, type Pause, type Pieces } from '../turns.js';
import type { Level } from './level.js';
import { codedSigmas, type WalkState } from './walk.js';

/** What is known of a level: a mean of the known pixels below each, and how much of it is known, 0 to 1. */
export interface Known {
  plane: Plane;
  share: Float32Array;
}

/** Pixels that a hole may reach from what is known, to be thin: strokes of four; and how much of it may reach farther, where they cross. */
const REACH = 2;
const DEEPER = 0.05;
/** Sigmas that the network is told, from first to last; and the steps in between, unless said otherwise. */
const FIRST_TOLD = 45;
const LAST_TOLD = 4;
export const THIN_STEPS = 12;
/** Times that what is not known is made the mean of its neighbours before, and pixels that are gone over in a piece. */
const SMOOTHINGS = 40;
const PIECE = 2 ** 16;

/** Whether nearly every pixel that is not known, wholly, is near to one that is. */
export function* isThin({ plane: { width, height }, share }: Known): Pieces<boolean> {
  let hole = new Uint8Array(share.length);
  for (let i = 0; i < hole.length; i++) hole[i] = share[i]! < 1 ? 1 : 0;
  const count = yield* counted(hole);
  for (let n = 0; n < REACH; n++) {
    yield;
    hole = yield* eroded(hole, { width, height });
  }
  return (yield* counted(hole)) <= DEEPER * count;
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

/** What is not known, from the finest level that knows something there. @param known full size first */
function* filledFromCoarser(known: readonly Known[]): Pieces<Plane> {
  const [{ plane, share }] = known as [Known];
  const { width, height } = plane;
  const data = Float32Array.from(plane.data);
  for (let y = 0, i = 0; y < height; y++) {
    if (y % rowsOfPiece(width) === 0) yield;
    for (let x = 0; x < width; x++, i++) {
      const part = share[i]!;
      if (part === 1) continue;
      const placeAt = (k: number): number => (y >> k) * known[k]!.plane.width + (x >> k);
      let k = 1;
      while (k < known.length - 1 && known[k]!.share[placeAt(k)] === 0) k++;
      for (let c = 0; c < COLOURS; c++) {
        const o = i * COLOURS + c;
        data[o] = part * data[o]! + (1 - part) * known[k]!.plane.data[placeAt(k) * COLOURS + c]!;
      }
    }
  }
  const filled = { width, height, data };
  yield* smoothed(filled, known[0]!);
  return filled;
}

/** States of the level of full size. @param known full size first, two levels at least */
export async function* filledThinly(
  level: Level,
  known: readonly Known[],
  impose: Imposing,
  steps: number,
  pause: Pause,
): AsyncGenerator<WalkState, void, void> {
  const filled = await inTurns(filledFromCoarser(known), pause);
  let z = (await inTurns(haarInPieces(filled), pause)).data;
  const sigmas = codedSigmas(Math.max(1, steps - 1), FIRST_TOLD, LAST_TOLD);
  for (const [step, told] of sigmas.entries()) {
    const denoised = await level.refine(z, told, pause);
    await impose(denoised);
    z = await level.clear(denoised.mean, pause);
    const last = step === sigmas.length - 1;
    const sigma = last ? 0 : sigmas[step + 1]!;
    yield { fraction: (step + 1) / sigmas.length, level: 0, size: level.size, sigma, mean: z };
  }
}
