/**
 * The state of encoder and decoder: all that the decoder knows. For one pyramid level, per coefficient a noisy value z
 * and a sigma code (src/model/sigma.ts).
 */
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
import { CODES_PER_OCTAVE, EXACT, UNKNOWN } from '../model/sigma.js';
import { checkObject, isWhole } from '../options.js';
import { finish, rowsOfPiece, type Pieces } from '../turns.js';
import { COLOURS } from '../pixels/colour.js';
import { cutOut, gridOf, wholeOf, type Rectangle, type Size } from '../math/rectangle.js';

/** Of a rectangle of the grid of the coefficients; of all of it, unless only a part of the picture is decoded. */
export interface Observation extends Rectangle {
  /** Size of the level's picture u_k. */
  size: Size;
  /** width · height · 12, positions row by row, channels interleaved. */
  z: Float32Array;
  codes: Uint8Array;
}

/**
 * An observation of which only what needs no telling is known: chroma of a grey picture, and the differences across
 * the edge of an odd side, where the last row or column is repeated.
 * @throws DcompError E_USAGE
 */
export function blankObservation(size: Size, grey: boolean): Observation {
  checkObject(size, 'the size', 'an object such as { width: 64, height: 48 }');
  const side = isWhole(1);
  side(size.width, 'width');
  side(size.height, 'height');
  return finish(blankObservationInPieces(size, grey));
}

/** As `blankObservation`, of a part. */
export function* blankObservationInPieces(
  size: Size,
  grey: boolean,
  window: Rectangle = wholeOf(gridOf(size)),
): Pieces<Observation> {
  const { width, height } = window;
  const piece = rowsOfPiece(width);
  const codes = new Uint8Array(width * height * COEFFICIENTS).fill(UNKNOWN);
  for (let y = 0; y < height; y++) {
    if (y % piece === piece - 1) yield;
    const oddRow = 2 * (window.y + y) + 1 === size.height;
    for (let x = 0; x < width; x++) {
      const oddColumn = 2 * (window.x + x) + 1 === size.width;
      if (!grey && !oddRow && !oddColumn) continue;
      const i = (y * width + x) * COEFFICIENTS;
      for (let c = 0; c < COEFFICIENTS; c++) {
        const band = Math.floor(c / COLOURS); // bit 0: horizontal difference, bit 1: vertical
        if ((oddColumn && (band & 1) !== 0) || (oddRow && (band & 2) !== 0) || (grey && c % COLOURS !== 0))
          codes[i + c] = EXACT;
      }
    }
  }
  return { ...window, size, z: new Float32Array(codes.length), codes };
}

/**
 * Which half of the details a coefficient belongs to, where a level is entered in two: a checkerboard, channels taking turns.
 * @param index in z @param width of the grid
 */
export function halfOf(index: number, width: number): number {
  const position = Math.floor(index / COEFFICIENTS);
  return ((position % width) + Math.floor(position / width) + (index % COEFFICIENTS)) & 1;
}

/** The part of an observation that a window has. */
export function observationWithin(observation: Observation, window: Rectangle): Observation {
  const { size, z, codes } = observation;
  return {
    ...window,
    size,
    z: cutOut(z, observation, window, COEFFICIENTS),
    codes: cutOut(codes, observation, window, COEFFICIENTS),
  };
}

/**
 * An observation of the mirrored picture. It is its own inverse.
 * @param view bit 0: left and right change places, bit 1: top and bottom
 */
export function mirrored(observation: Observation, view: number): Observation {
  return finish(mirroredInPieces(observation, view));
}

/** As `mirrored`. */
export function* mirroredInPieces(observation: Observation, view: number): Pieces<Observation> {
  if (view === 0) return observation;
  const { width, height, z, codes } = observation;
  const mirror = { ...observation, z: new Float32Array(z.length), codes: new Uint8Array(codes.length) };
  const signs = mirrorSigns(view);
  const piece = rowsOfPiece(width);
  for (let y = 0, i = 0; y < height; y++) {
    if (y % piece === piece - 1) yield;
    for (let x = 0; x < width; x++) {
      const o = mirrorPosition(x, y, { width, height }, view) * COEFFICIENTS;
      for (let c = 0; c < COEFFICIENTS; c++, i++) {
        mirror.z[o + c] = signs[c]! * z[i]!;
        mirror.codes[o + c] = codes[i]!;
      }
    }
  }
  return mirror;
}

/**
 * Adds rows of the network's output for a mirrored observation to what they are in the picture as it is.
 * @param sum of the whole grid
 * @param first, rows counted within the mirrored grid
 */
export function* addMirroredOutput(
  sum: Float32Array,
  output: Float32Array,
  grid: Size,
  first: number,
  rows: number,
  view: number,
): Pieces<void> {
  const signs = mirrorSigns(view);
  const piece = rowsOfPiece(grid.width);
  for (let y = first, i = 0; y < first + rows; y++) {
    if (y % piece === piece - 1) yield;
    for (let x = 0; x < grid.width; x++) {
      const o = mirrorPosition(x, y, grid, view) * OUTPUT_CHANNELS;
      for (let c = 0; c < OUTPUT_CHANNELS; c++, i++) sum[o + c] = sum[o + c]! + signs[c]! * output[i]!;
    }
  }
}

/**
 * Adds means and variances of rows of a mirrored observation to those of the picture as it is.
 * @param sum of the whole grid
 * @param part of the rows from `first` on, counted within the mirrored grid
 */
export function addMirrored(
  sum: { mean: Float32Array; variance: Float32Array },
  part: { mean: Float32Array; variance: Float32Array },
  grid: Size,
  first: number,
  view: number,
): void {
  const signs = mirrorSigns(view);
  for (let i = 0, y = first; i < part.mean.length; y++) {
    for (let x = 0; x < grid.width; x++) {
      const o = mirrorPosition(x, y, grid, view) * COEFFICIENTS;
      for (let c = 0; c < COEFFICIENTS; c++, i++) {
        sum.mean[o + c] = sum.mean[o + c]! + signs[c]! * part.mean[i]!;
        sum.variance[o + c] = sum.variance[o + c]! + part.variance[i]!;
      }
    }
  }
}

function mirrorPosition(x: number, y: number, { width, height }: Size, view: number): number {
  return ((view & 2) !== 0 ? height - 1 - y : y) * width + ((view & 1) !== 0 ? width - 1 - x : x);
}

/** Of coefficients, or of their corrections and log variances: differences across a mirror's axis change their sign, variances do not. */
function mirrorSigns(view: number): Float64Array {
  return Float64Array.from({ length: OUTPUT_CHANNELS }, (_, c) => {
    const crossed = Math.floor(c / COLOURS) & view; // bit 0: horizontal difference, bit 1: vertical
    return c < COEFFICIENTS && (crossed === 1 || crossed === 2) ? -1 : 1;
  });
}

/** Rows of an observation, as views. @param first counted within it */
export function rowsOfObservation(
  { size, x, y, width, z, codes }: Observation,
  first: number,
  rows: number,
): Observation {
  const [from, to] = [first * width * COEFFICIENTS, (first + rows) * width * COEFFICIENTS];
  return { size, x, y: y + first, width, height: rows, z: z.subarray(from, to), codes: codes.subarray(from, to) };
}

/**
 * The next finer level: LL is twice this level's picture, so its noise is twice as large; details are unknown.
 * @param coarse an observation whose LL is known. Where details are still unknown, so little was to be told that it was
 *   not sent; z then holds their posterior mean, which is closer than a measurement would be.
 */
export function finerObservation(coarse: Observation, size: Size, grey: boolean): Observation {
  return finish(finerObservationInPieces(coarse, size, grey));
}

/** As `finerObservation`, of a part. */
export function* finerObservationInPieces(
  coarse: Observation,
  size: Size,
  grey: boolean,
  window?: Rectangle,
): Pieces<Observation> {
  const fine = yield* blankObservationInPieces(size, grey, window);
  // Of the coarser level, whose picture is made as far as that.
  const passed = rowsOfPiece(coarse.width, 2 ** 14);
  for (let row = 0; row < coarse.height; row += passed) {
    yield;
    putFiner(fine, rowsOfObservation(coarse, row, Math.min(passed, coarse.height - row)));
  }
  return fine;
}

/** LL of the positions that some rows of the coarser level tell of: the inverse Haar step (`inverseHaar`), twice. */
function putFiner(fine: Observation, { z, codes, x: left, y: top, width, height, size }: Observation): void {
  const end = Math.min(fine.y + fine.height, 2 * (top + height), size.height);
  for (let y = Math.max(fine.y, 2 * top); y < end; y++) {
    const vertical = (y & 1) === 0 ? 0.5 : -0.5;
    const first = ((y >> 1) - top) * width - left;
    let i = (y - fine.y) * fine.width * COEFFICIENTS;
    for (let x = fine.x; x < fine.x + fine.width; x++, i += COEFFICIENTS) {
      const from = (first + (x >> 1)) * COEFFICIENTS;
      const horizontal = (x & 1) === 0 ? 1 : -1;
      for (let c = 0; c < COLOURS; c++) {
        if (fine.codes[i + c] === EXACT) continue;
        const upper = z[from + c]! + z[from + 3 + c]! * horizontal;
        const lower = z[from + 6 + c]! + z[from + 9 + c]! * horizontal;
        fine.z[i + c] = 2 * Math.fround(upper * 0.5 + lower * vertical);
        fine.codes[i + c] = pixelCode(codes, from + c);
      }
    }
  }
}

/**
 * Sigma code of LL made from four subbands of equal noise. A subband that is exact adds no noise: with two of the four
 * exact the noise is √½ as large (half an octave), with three ½.
 */
function pixelCode(codes: Uint8Array, first: number): number {
  const code = codes[first]!;
  const equal =
    code === codes[first + COLOURS] && code === codes[first + 2 * COLOURS] && code === codes[first + 3 * COLOURS];
  if (equal && code !== EXACT && code !== UNKNOWN) return Math.min(254, code + CODES_PER_OCTAVE);
  let worst = 1;
  let exact = 0;
  for (let band = 0; band < 4; band++) {
    const code = codes[first + band * COLOURS]!;
    if (code === EXACT) exact++;
    else if (code !== UNKNOWN) worst = Math.max(worst, code);
  }
  const reduction = exact >= 3 ? CODES_PER_OCTAVE : exact === 2 ? CODES_PER_OCTAVE / 2 : 0;
  return Math.min(254, Math.max(1, worst + CODES_PER_OCTAVE - reduction));
}
