import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { shuffledOrder } from '../src/format.js';
import { assertLimited } from './helpers/limited.js';

test('the shuffled order visits every coefficient of a group once', () => {
  assertLimited(
    fc.property(fc.integer({ min: 2, max: 20000 }), (n) => {
      const order = shuffledOrder(n);
      assert.equal(order.length, n);
      const visits = new Uint8Array(n);
      for (const p of order) visits[p]!++;
      assert.ok(visits.every((v) => v === 1));
    }),
    { numRuns: 50, seed: 1 },
  );
});

test('an early part of the shuffled order is spread like chance over rows, columns and channels', () => {
  const n = 96 * 64 * 12;
  const part = shuffledOrder(n).subarray(0, n / 8);
  for (const [name, key, classes] of [
    ['channel', (p: number) => p % 12, 12],
    ['column', (p: number) => Math.floor(p / 12) % 96, 96],
    ['row', (p: number) => Math.floor(p / 12 / 96), 64],
    ['diagonal', (p: number) => (Math.floor(p / 12) + Math.floor(p / 12 / 96)) % 97, 97],
  ] as const) {
    const counts = new Float64Array(classes);
    for (const p of part) counts[key(p)]!++;
    const expected = part.length / classes;
    const chi2 = counts.reduce((sum, c) => sum + (c - expected) ** 2 / expected, 0);
    // Chi-squared has mean and half its variance classes − 1; five standard deviations.
    assert.ok(chi2 < classes + 5 * Math.sqrt(2 * classes), `${name}: ${chi2} for ${classes} classes`);
  }
});
