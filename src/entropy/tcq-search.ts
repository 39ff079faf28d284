/**
 * The encoder's search in plain TypeScript: the definition of what kernels/tcq.ts computes, against which tests hold it bit
 * for bit. Any other search would give a valid file too; this one gives the same file on every machine.
 */
import { bestPath } from './best-path.js';
import { pointLabels } from './tcq.js';

/** Squared gaps are counted in units of 2^-9: between two renormalisations the best path loses at most 8 · 512, others 8 · 2048 more. */
const DISTANCE_SCALE = 512;

/**
 * Coefficients whose decisions are held at once, and how many of them a full window keeps back. Paths meet later than those of
 * signs: where what is decided and what follows are not of one path, the register is wrong for nu coefficients. With 64·nu of
 * 2048 the mean squared error is 0.55 % larger at nu 12 and 0.9 % at nu 14, with 1536 of 2048 0.3 and 0.5 %; with these it is
 * within 0.05 % of what it is without a window.
 */
export const POINT_WINDOW = 4096;
export const KEPT_POINTS = 2048;

/**
 * By how much a place is off the nearest point of each label, squared.
 * @param target in gaps, from the point of number 0
 */
export function distances(target: number, out: Int16Array, at: number): void {
  for (let label = 0; label < 4; label++) {
    const t = (target - label) / 4;
    const off = 4 * (t - Math.floor(t + 0.5));
    out[at + label] = Math.floor(DISTANCE_SCALE * off * off + 0.5);
  }
}

/** The number of the nearest point of a label. */
export function nearest(target: number, label: number): number {
  return label + 4 * Math.floor((target - label) / 4 + 0.5);
}

/** @param distances four a coefficient @returns a bit per coefficient, one a byte */
export function searchPoints(distances: Int16Array, nu: number): Uint8Array {
  const labels = pointLabels(nu);
  const putGains = (k: number, gains: Int16Array): void => {
    for (const [q, label] of labels.entries()) {
      gains[2 * q] = -distances[4 * k + label]!;
      gains[2 * q + 1] = -distances[4 * k + (label ^ 2)]!;
    }
  };
  return bestPath({ nu, steps: distances.length / 4, window: POINT_WINDOW, kept: KEPT_POINTS, putGains });
}
