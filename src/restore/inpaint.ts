/** Inpainting: the reverse process of a picture of which some pixels are known. They end as they were. */
import { DcompError } from '../errors.js';
import type { Denoised } from '../diffusion/denoiser.js';
import { pyramidSizes } from '../diffusion/schedule.js';
import type { Evaluator } from '../model/evaluator.js';
import { COEFFICIENTS } from '../model/architecture.js';
import { cutOut, gridOf, wholeOf, type Rectangle, type Size } from '../math/rectangle.js';
import { COLOURS } from '../pixels/colour.js';
import { colourRowsInPieces, isGrey } from '../pixels/picture-planes.js';
import { haarInPieces, type Plane } from '../pixels/pyramid.js';
import { depthOf, type Picture } from '../picture.js';
import { inTurns, rowsOfPiece, type Pause, type Pieces } from '../turns.js';
import {
  checkClass,
  checkPixels,
  type RestoreOptions,
  type RestoreState,
  type SamplerName,
  type Told,
} from './restore-options.js';
import { Level } from './level.js';
import { denoisedOn, filledSmoothly, isThin, smoothDeepWithin, THIN_TOLD, type Known } from './best-guess.js';
import { pictureOfPlane, planeOf, samplingOf } from './states.js';
import { TOP, walk, type WalkState } from './walk.js';

/** Options of `inpaintPicture`. */
export type InpaintOptions = RestoreOptions;

/** Pixels that are gone over in a piece. */
const PIECE = 2 ** 18;

/** Steps of a best guess, of each of its parts; and the share of the path without noise in its work. */
const GUESS_STEPS = 12;
const PATH_SHARE = 0.4;

/** Pixels around what is painted that the network sees: about its receptive field. */
const MARGIN = 96;
/** Cuts lie on multiples of this, so that the levels of a part are those of the whole. */
const GRAIN = 64;

/**
 * Paints what a mask says anew, to fit to the rest. Known pixels, alpha and metadata are kept.
 * @param mask a number a pixel: 0 known, 255 to be painted, between a blend of both
 * @returns states; the picture of those of coarser levels is a smaller one
 * @throws DcompError E_USAGE, E_TOO_LARGE, E_ABORTED
 */
export async function* inpaintStates(
  picture: Picture,
  mask: Uint8Array,
  evaluator: Evaluator,
  options: InpaintOptions & Told,
  pause: Pause,
): AsyncGenerator<RestoreState, void, void> {
  const { width, height } = picture;
  checkPixels(width, height, options.maxPixels);
  checkClass(evaluator, options);
  if (mask.length !== width * height)
    throw new DcompError(
      'E_USAGE',
      `the mask has ${mask.length} pixels, the picture ${width}×${height} = ${width * height}; they must be of one size`,
    );
  const area = await inTurns(areaOf(mask, { width, height }), pause);
  if (area === undefined) {
    yield { fraction: 1, level: 0, sigma: 0, picture: async () => picture };
    return;
  }
  const { sampler = 'ancestral' } = options;
  const part = await inTurns(partOf(picture, area), pause);
  const known = await inTurns(knownPyramid(part, cutOut(mask, wholeOf(picture), area, 1)), pause);
  function* render(mean: Float32Array, size: Size, level: number): Pieces<Picture> {
    const plane = yield* planeOf(mean, size);
    return yield* level === 0 ? pasted(plane, picture, mask, area!) : pictureOfPlane(plane, picture);
  }
  const grey = isGrey(picture.channels);
  const painting = { known, grey, evaluator, options, pause };
  const states = sampler === 'mean' ? bestGuess(painting) : painted(painting, sampler, {});
  for await (const { mean, size, ...state } of states)
    yield { ...state, picture: () => inTurns(render(mean, size, state.level), pause) };
}

interface Painting {
  known: Known[];
  grey: boolean;
  evaluator: Evaluator;
  options: InpaintOptions & Told;
  pause: Pause;
}

/** @param other in place of the options */
function painted(
  { known, grey, evaluator, options, pause }: Painting,
  sampler: SamplerName,
  other: Partial<RestoreOptions>,
): AsyncGenerator<WalkState, void, void> {
  const own = { ...options, ...other };
  return walk({
    ...own,
    ...samplingOf(own, sampler, pause),
    evaluator,
    sizes: known.map(({ plane: { width, height } }) => ({ width, height })),
    grey,
    views: options.views ?? 1,
    impose: (level) => (denoised) => inTurns(imposed(known[level]!, denoised), pause),
    root: filled(known[known.length - 1]!),
  });
}

/**
 * The best guess: in thin holes what is around them, continued smoothly, elsewhere where the path without noise ends; either
 * is then denoised on, and deep within made smoother. Nothing is drawn.
 */
async function* bestGuess(painting: Painting): AsyncGenerator<WalkState, void, void> {
  const { known, grey, evaluator, options, pause } = painting;
  const [finest] = known as [Known];
  const { width, height } = finest.plane;
  const { views = 2, steps = GUESS_STEPS } = options;
  const level = await Level.of(evaluator, { width, height }, 0, { ...options, grey, views }, pause);
  const impose = (denoised: Denoised): Promise<void> => inTurns(imposed(finest, denoised), pause);
  if (known.length > 1 && (await inTurns(isThin(finest), pause))) {
    const filled = await inTurns(filledSmoothly(known), pause);
    const z = (await inTurns(haarInPieces(filled), pause)).data;
    return yield* denoisedOn(level, z, THIN_TOLD, { impose, steps, pause });
  }
  let last: WalkState | undefined;
  for await (const state of painted(painting, 'euler', { steps, temperature: 0 })) {
    last = state;
    yield { ...state, fraction: PATH_SHARE * state.fraction };
  }
  for await (const state of denoisedOn(level, last!.mean, TOP, { impose, steps, pause }))
    yield {
      ...state,
      fraction: PATH_SHARE + (1 - PATH_SHARE) * state.fraction,
      mean: state.fraction < 1 ? state.mean : await inTurns(smoothDeepWithin(state.mean, known), pause),
    };
}

/** The part of a picture around what is painted; undefined where there is nothing to paint. */
function* areaOf(mask: Uint8Array, { width, height }: Size): Pieces<Rectangle | undefined> {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0, i = 0; y < height; y++) {
    if (y % rowsOfPiece(width, PIECE) === 0) yield;
    for (let x = 0; x < width; x++, i++) {
      if (mask[i] === 0) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = y + 1;
    }
  }
  if (right === 0) return undefined;
  const down = (at: number): number => Math.max(0, GRAIN * Math.floor((at - MARGIN) / GRAIN));
  const up = (at: number, most: number): number => Math.min(most, GRAIN * Math.ceil((at + MARGIN) / GRAIN));
  const [x, y] = [down(left), down(top)];
  return { x, y, width: up(right, width) - x, height: up(bottom, height) - y };
}

function* partOf(picture: Picture, area: Rectangle): Pieces<Plane> {
  const rows = yield* colourRowsInPieces(picture, area.y, area.y + area.height);
  const own = { x: area.x, y: 0, width: area.width, height: area.height };
  return { width: area.width, height: area.height, data: cutOut(rows.data, wholeOf(rows), own, COLOURS) };
}

/** Level by level, full size first. */
function* knownPyramid(plane: Plane, mask: Uint8Array): Pieces<Known[]> {
  const share = new Float32Array(mask.length);
  for (let i = 0; i < share.length; i++) {
    if (i % PIECE === 0) yield;
    share[i] = 1 - mask[i]! / 255;
  }
  const sizes = pyramidSizes(plane.width, plane.height).slice(0, -1);
  const levels: Known[] = [{ plane, share }];
  for (const { width, height } of sizes.slice(1))
    levels.push(yield* coarser(levels[levels.length - 1]!, width, height));
  return levels;
}

/** Means of 2×2 pixels, weighted by how much of each is known. An odd side is continued by its last row or column. */
function* coarser({ plane, share }: Known, width: number, height: number): Pieces<Known> {
  const data = new Float32Array(width * height * COLOURS);
  const known = new Float32Array(width * height);
  for (let y = 0, o = 0; y < height; y++) {
    if (y % rowsOfPiece(width) === 0) yield;
    for (let x = 0; x < width; x++, o++) {
      let weight = 0;
      for (let k = 0; k < 4; k++) {
        const i =
          Math.min(plane.height - 1, 2 * y + (k >> 1)) * plane.width + Math.min(plane.width - 1, 2 * x + (k & 1));
        const part = share[i]!;
        weight += part;
        for (let c = 0; c < COLOURS; c++) data[o * COLOURS + c]! += part * plane.data[i * COLOURS + c]!;
      }
      if (weight > 0) for (let c = 0; c < COLOURS; c++) data[o * COLOURS + c]! /= weight;
      known[o] = weight / 4;
    }
  }
  return { plane: { width, height, data }, share: known };
}

/** Times that unknown pixels of the coarsest level, of at most 16 a side, are made the mean of their neighbours. */
const SMOOTHINGS = 100;

/** A picture that continues what is known smoothly; mid-grey where nothing is. */
function filled({ plane, share }: Known): Plane {
  const { width, height, data } = plane;
  let u = data;
  for (let n = 0; n < SMOOTHINGS; n++) {
    const next = new Float32Array(data.length);
    for (let i = 0; i < share.length; i++) {
      const [x, y] = [i % width, Math.floor(i / width)];
      const beside = [
        y * width + Math.max(0, x - 1),
        y * width + Math.min(width - 1, x + 1),
        Math.max(0, y - 1) * width + x,
        Math.min(height - 1, y + 1) * width + x,
      ];
      for (let c = 0; c < COLOURS; c++) {
        const mean = beside.reduce((sum, j) => sum + u[j * COLOURS + c]!, 0) / 4;
        next[i * COLOURS + c] = mean + share[i]! * (data[i * COLOURS + c]! - mean);
      }
    }
    u = next;
  }
  return { width, height, data: u };
}

/**
 * What is known of a pixel replaces as much of what is foreseen; of one that is known in part, what is foreseen of the
 * whole stands for the rest.
 */
function* imposed({ plane, share }: Known, { mean, variance }: Denoised): Pieces<void> {
  const { width, height } = gridOf(plane);
  const u = yield* planeOf(mean, plane);
  for (let i = 0; i < share.length; i++) {
    if (i % PIECE === 0) yield;
    const part = share[i]!;
    if (part === 0) continue;
    for (let c = 0; c < COLOURS; c++) {
      const o = i * COLOURS + c;
      u.data[o] = u.data[o]! + part * (plane.data[o]! - u.data[o]!);
    }
  }
  mean.set((yield* haarInPieces(u)).data);
  for (let y = 0, p = 0; y < height; y++) {
    if (y % rowsOfPiece(width) === 0) yield;
    for (let x = 0; x < width; x++) {
      const left = leftOpen(share, plane, x, y);
      for (let c = 0; c < COEFFICIENTS; c++, p++) variance[p] = left * variance[p]!;
    }
  }
}

/** Share of a position's variance that stays where its pixels are known in part. */
function leftOpen(share: Float32Array, { width, height }: Size, x: number, y: number): number {
  let sum = 0;
  for (let k = 0; k < 4; k++) {
    const part = share[Math.min(height - 1, 2 * y + (k >> 1)) * width + Math.min(width - 1, 2 * x + (k & 1))]!;
    sum += (1 - part) * (1 - part);
  }
  return sum / 4;
}

/** The picture with its part painted; samples of known pixels are those that were given. */
function* pasted(plane: Plane, picture: Picture, mask: Uint8Array, area: Rectangle): Pieces<Picture> {
  const { width, channels } = picture;
  const { metadata: _, ...like } = picture;
  const { data: painted } = yield* pictureOfPlane(plane, { ...like, width: 0, height: 0 });
  const data = picture.data.slice();
  const colours = channels > 2 ? 3 : 1;
  for (let y = 0; y < area.height; y++) {
    if (y % rowsOfPiece(area.width) === 0) yield;
    for (let x = 0; x < area.width; x++) {
      const at = (area.y + y) * width + area.x + x;
      if (mask[at] === 0) continue;
      for (let c = 0; c < colours; c++) data[at * channels + c] = painted[(y * area.width + x) * channels + c]!;
    }
  }
  return { ...picture, depth: depthOf(picture), data };
}
