/** What the tools share: between coefficients and pictures, and from options to a sampling. */
import { COEFFICIENTS } from '../model/architecture.js';
import { mix32 } from '../math/hash.js';
import type { Size } from '../math/rectangle.js';
import { depthOf, type Picture } from '../picture.js';
import { COLOURS } from '../pixels/colour.js';
import { alphaOfInPieces, joinInPieces } from '../pixels/picture-planes.js';
import { inverseHaarInPieces, type Plane } from '../pixels/pyramid.js';
import type { Pause, Pieces } from '../turns.js';
import { DEFAULT_STEPS, type RestoreOptions, type SamplerName } from './restore-options.js';
import type { Sampling } from './walk.js';

/** Samples that are gone over in a piece. */
const PIECE = COLOURS * 2 ** 18;

/** The pixels of a level's coefficients. */
export function planeOf(mean: Float32Array, { width, height }: Size): Pieces<Plane> {
  return inverseHaarInPieces({ width: (width + 1) >> 1, height: (height + 1) >> 1, data: mean }, width, height);
}

/** A picture of a level's coefficients that is else as another one; with its alpha if it has the same size. */
export function* pictureFrom(mean: Float32Array, size: Size, like: Picture): Pieces<Picture> {
  return yield* pictureOfPlane(yield* planeOf(mean, size), like);
}

/** The same of pixels. */
export function* pictureOfPlane(plane: Plane, like: Picture): Pieces<Picture> {
  const same = plane.width === like.width && plane.height === like.height;
  const alpha = same ? yield* alphaOfInPieces(like) : undefined;
  const picture = yield* joinInPieces(plane, like.channels, alpha, depthOf(like));
  return like.metadata === undefined ? picture : { ...picture, metadata: like.metadata };
}

/** What a sampler is run with. */
export function samplingOf(options: RestoreOptions, sampler: SamplerName, pause: Pause): Sampling {
  const { steps = DEFAULT_STEPS, seed = 0, temperature = 1 } = options;
  return { sampler, steps, key: mix32(seed), temperature, pause };
}

/** Coefficients of which LL is twice a plane, and details are 0. */
export function* withLowest({ width, height, data }: Plane): Pieces<Float32Array> {
  const z = new Float32Array(width * height * COEFFICIENTS);
  for (let i = 0, o = 0; i < z.length; i += COEFFICIENTS, o += COLOURS) {
    if (o % PIECE === 0) yield;
    for (let c = 0; c < COLOURS; c++) z[i + c] = 2 * data[o + c]!;
  }
  return z;
}
