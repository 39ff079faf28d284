import { test } from 'node:test';
import assert from 'node:assert/strict';
import { PointEncoder } from '../src/entropy/tcq-encoder.js';
import { finish } from '../src/turns.js';
import { errorOf, gaussianPoints, signal } from '../corpus/trellis-signal.js';

const encoder = new PointEncoder();
const SPREADS = [8, 16, 32, 64];
const COUNT = 60_000;
const x = signal(COUNT, 11);
// The sample's variance is that of the distribution, so that what it costs does not scatter with it.
const scale = Math.sqrt(COUNT / x.reduce((sum, value) => sum + value * value, 0));
for (let i = 0; i < COUNT; i++) x[i]! *= scale;

// By nu: bits a coefficient above its information at the spreads. Part of it is that the frequencies are not of a normal distribution.
for (const [nu, ...expected] of [
  [8, 0.04, 0.048, 0.056, 0.061],
  [9, 0.033, 0.038, 0.048, 0.056],
  [10, 0.032, 0.036, 0.047, 0.053],
  [11, 0.027, 0.033, 0.041, 0.049],
  [12, 0.022, 0.03, 0.041, 0.046],
  [13, 0.029, 0.027, 0.039, 0.045],
  [14, 0.021, 0.026, 0.038, 0.043],
] as const) {
  test(`points of ideal Gaussian data at nu ${nu}: an error as in the table, of no correlation, for a cost pinned within 0.01 bit`, () => {
    for (const [i, spread] of SPREADS.entries()) {
      const { run, residual, information } = gaussianPoints(x, spread, nu);
      const { count, places } = finish(encoder.encodeInPieces(run, residual, nu));
      const { mean, correlation, square } = errorOf(residual, places, nu);
      const overhead = count / COUNT - information;
      assert.ok(Math.abs(overhead - expected[i]!) < 0.01, `spread ${spread}: ${overhead} bits more`);
      assert.ok(Math.abs(square - 1) < 0.005, `spread ${spread}: mean square ${square}`);
      assert.ok(Math.abs(mean) < 0.01, `spread ${spread}: mean ${mean}`);
      assert.ok(Math.abs(correlation) < 0.02, `spread ${spread}: correlation ${correlation}`);
    }
  });
}

test('the error does not depend on what is to be told, even where that is the same all along', () => {
  const n = 30_000;
  for (const nu of [8, 12]) {
    for (const value of [0, 0.1, 0.25, 0.5, 0.77, 1.3, 2.5]) {
      const residual = new Float64Array(n).fill(value);
      const { places } = finish(encoder.encodeInPieces({ spreads: new Uint16Array(n).fill(16), key: 3 }, residual, nu));
      const { mean, square } = errorOf(residual, places, nu);
      assert.ok(Math.abs(mean) < 0.015 && Math.abs(square - 1) < 0.015, `nu ${nu}, ${value}: ${mean}, ${square}`);
    }
  }
});
