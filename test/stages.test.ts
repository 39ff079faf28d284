/** Stages of straight steps: what colours of a place have to do with each other, and what it is worth. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { colourCorrelationInPieces, correlationAt } from '../src/codec/colour-correlation.js';
import { MAX_CORRELATION } from '../src/format.js';
import type { Observation } from '../src/diffusion/observation.js';
import { finish } from '../src/turns.js';
import { gaussian } from '../corpus/random-model.js';
import { assertLimited } from './helpers/limited.js';

/** @param colours of a position */
function observationOf(
  { x, y, width, height }: { x: number; y: number; width: number; height: number },
  colours: (x: number, y: number) => readonly [number, number, number],
): Observation {
  const z = new Float32Array(12 * width * height);
  for (let v = 0; v < height; v++) for (let u = 0; u < width; u++) z.set(colours(x + u, y + v), 12 * (v * width + u));
  return { x, y, width, height, size: { width: 2 * width, height: 2 * height }, z, codes: new Uint8Array(z.length) };
}

describe('the correlation of colours', () => {
  it('of a part of a level is that of the whole, three positions from its border', () => {
    assertLimited(
      fc.property(
        fc.integer(),
        fc.integer({ min: 8, max: 24 }),
        fc.integer({ min: 8, max: 24 }),
        fc.integer({ min: 0, max: 9 }),
        fc.integer({ min: 0, max: 9 }),
        (seed, width, height, left, top) => {
          const normal = gaussian(seed);
          const [columns, rows] = [width + left + 5, height + top + 5];
          const all = Array.from({ length: 3 * columns * rows }, () => 40 * normal());
          const colours = (x: number, y: number): [number, number, number] => {
            const i = 3 * (y * columns + x);
            return [all[i]!, all[i]! + all[i + 1]!, all[i + 2]! - all[i]!];
          };
          const whole = finish(
            colourCorrelationInPieces(observationOf({ x: 0, y: 0, width: columns, height: rows }, colours)),
          );
          const part = finish(colourCorrelationInPieces(observationOf({ x: left, y: top, width, height }, colours)));
          for (let y = top + 3; y < top + height - 3; y++) {
            for (let x = left + 3; x < left + width - 3; x++) {
              const [i, j] = [correlationAt(part, x, y), correlationAt(whole, x, y)];
              assert.deepEqual(part.units.subarray(i, i + 3), whole.units.subarray(j, j + 3), `${x}, ${y}`);
            }
          }
        },
      ),
    );
  });

  it('follows the picture: colours that rise with brightness, that fall, and none', () => {
    const area = { x: 0, y: 0, width: 16, height: 16 };
    const wave = (x: number, y: number): number => 50 * Math.sin(x / 2) + 30 * Math.cos(y / 3);
    const of = (share: number): number[] => {
      const colours = (x: number, y: number): [number, number, number] => [wave(x, y), 0, share * wave(x, y)];
      const { units } = finish(colourCorrelationInPieces(observationOf(area, colours)));
      return Array.from({ length: units.length / 3 }, (_, i) => units[3 * i + 1]!);
    };
    assert.ok(of(0.5).every((units) => units > 40 && units <= MAX_CORRELATION));
    assert.ok(of(-0.5).every((units) => units < -20 && units >= -MAX_CORRELATION));
    assert.ok(of(0).every((units) => units === 10));
  });

  it('of numbers that no picture has is a number', () => {
    for (const value of [1e30, -1e30, Infinity, NaN]) {
      const { units } = finish(
        colourCorrelationInPieces(
          observationOf({ x: 1, y: 0, width: 5, height: 3 }, (x, y) => [value, x === 3 ? 0 : value, y]),
        ),
      );
      assert.ok(units.every((each) => Math.abs(each) <= MAX_CORRELATION));
    }
  });
});
