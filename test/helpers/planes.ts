/** Pictures and coefficients at a stretch, as the codec takes them in pieces. */
import { COEFFICIENTS } from '../../src/model/architecture.js';
import type { Picture, Samples } from '../../src/picture.js';
import { alphaOfInPieces, colourRows, isGrey } from '../../src/pixels/picture-planes.js';
import type { CoefficientRows, Coefficients, Plane } from '../../src/pixels/pyramid.js';
import { finish } from '../../src/turns.js';

/** The alpha channel; undefined where there is none. */
export function alphaOf(picture: Picture): Samples | undefined {
  return finish(alphaOfInPieces(picture));
}

/** Rotated colours, and alpha apart. */
export function separate(picture: Picture): { grey: boolean; colour: Plane; alpha: Samples | undefined } {
  return { grey: isGrey(picture.channels), colour: colourRows(picture, 0, picture.height), alpha: alphaOf(picture) };
}

/** Rows of coefficients that are there as a whole. */
export function rowsOfCoefficients({ width, data }: Coefficients): CoefficientRows {
  return function* (first, end) {
    return data.subarray(first * width * COEFFICIENTS, end * width * COEFFICIENTS);
  };
}
