/**
 * The state of encoder and decoder: all that the decoder knows. For one pyramid level, per coefficient a noisy value z
 * and a sigma code (src/model/sigma.ts).
 */
import { COEFFICIENTS } from '../model/architecture.js';
import { CODES_PER_OCTAVE, EXACT, UNKNOWN } from '../model/sigma.js';
import { COLOURS } from './colour.js';
import { inverseHaar } from './pyramid.js';
import type { Size } from './schedule.js';

export interface Observation {
  /** Size of the level's picture u_k. */
  size: Size;
  /** Grid of the coefficients: the size's half, rounded up. */
  width: number;
  height: number;
  /** width · height · 12, positions row by row, channels interleaved. */
  z: Float32Array;
  codes: Uint8Array;
}

/**
 * An observation of which only what needs no telling is known: chroma of a grey picture, and the differences across
 * the edge of an odd side, where the last row or column is repeated.
 */
export function blankObservation(size: Size, grey: boolean): Observation {
  const width = (size.width + 1) >> 1;
  const height = (size.height + 1) >> 1;
  const codes = new Uint8Array(width * height * COEFFICIENTS).fill(UNKNOWN);
  for (let y = 0; y < height; y++) {
    const oddRow = 2 * y + 1 === size.height;
    for (let x = 0; x < width; x++) {
      const oddColumn = 2 * x + 1 === size.width;
      if (!grey && !oddRow && !oddColumn) continue;
      const i = (y * width + x) * COEFFICIENTS;
      for (let c = 0; c < COEFFICIENTS; c++) {
        const band = Math.floor(c / COLOURS); // bit 0: horizontal difference, bit 1: vertical
        if ((oddColumn && (band & 1) !== 0) || (oddRow && (band & 2) !== 0) || (grey && c % COLOURS !== 0)) codes[i + c] = EXACT;
      }
    }
  }
  return { size, width, height, z: new Float32Array(codes.length), codes };
}

/** Rows of an observation, as views. */
export function rowsOfObservation({ size, width, z, codes }: Observation, first: number, rows: number): Observation {
  const [from, to] = [first * width * COEFFICIENTS, (first + rows) * width * COEFFICIENTS];
  return { size, width, height: rows, z: z.subarray(from, to), codes: codes.subarray(from, to) };
}

/** Rows of the coarser level whose picture is made at a time. */
const PASSED_ROWS = 64;

/**
 * The next finer level: LL is twice this level's picture, so its noise is twice as large; details are unknown.
 * @param coarse an observation whose LL is known. Where details are still unknown, so little was to be told that it was
 *   not sent; z then holds their posterior mean, which is closer than a measurement would be.
 */
export function finerObservation(coarse: Observation, size: Size, grey: boolean): Observation {
  const fine = blankObservation(size, grey);
  for (let row = 0; row < coarse.height; row += PASSED_ROWS) {
    const { z, height } = rowsOfObservation(coarse, row, Math.min(PASSED_ROWS, coarse.height - row));
    const u = inverseHaar({ width: coarse.width, height, data: z }, coarse.size.width, Math.min(2 * height, coarse.size.height - 2 * row));
    for (let y = 0; y < u.height; y++) {
      for (let x = 0; x < fine.width; x++) {
        const i = ((2 * row + y) * fine.width + x) * COEFFICIENTS;
        const o = (y * fine.width + x) * COLOURS;
        const from = ((row + (y >> 1)) * coarse.width + (x >> 1)) * COEFFICIENTS;
        for (let c = 0; c < COLOURS; c++) {
          if (fine.codes[i + c] === EXACT) continue;
          fine.z[i + c] = 2 * u.data[o + c]!;
          fine.codes[i + c] = pixelCode(coarse.codes, from + c);
        }
      }
    }
  }
  return fine;
}

/**
 * Sigma code of LL made from four subbands of equal noise. A subband that is exact adds no noise: with two of the four
 * exact the noise is √½ as large (half an octave), with three ½.
 */
function pixelCode(codes: Uint8Array, first: number): number {
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
