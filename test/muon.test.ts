import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { uNet } from '../src/model/architecture.js';
import { startBackend } from '../src/train/backend.js';
import { parameterCount } from '../src/train/checkpoint.js';
import { matrixParts, muonDirections, orthogonalise } from '../src/train/muon.js';
import { fillNormal, Random } from '../src/train/random.js';

before(() => startBackend('javascript'));

function normal(n: number, seed: number): Float32Array {
  const values = new Float32Array(n);
  fillNormal(values, new Random(seed, 0));
  return values;
}

test('orthogonalising keeps singular vectors and brings singular values to 0.6..1.3', () => {
  // Diagonal matrices: their singular values can be read off.
  const values = [1, 0.5, 0.1, 0.03];
  const matrix = Float32Array.from({ length: 2 * 4 * 6 }, (_, i) =>
    Math.floor((i % 24) / 6) === i % 6 ? values[i % 6]! * (i < 24 ? 7 : 1e-3) : 0,
  );
  const out = orthogonalise(tf.tensor3d(matrix, [2, 4, 6])).dataSync();
  for (const [i, value] of out.entries()) {
    if (matrix[i] === 0) assert.ok(Math.abs(value) < 1e-6, `${value} beside the diagonal`);
    else assert.ok(value > 0.6 && value < 1.3, `singular value ${value}`);
  }
});

test('directions have the size of an update of Adam, and point along the momentum, in every layer', () => {
  const architecture = uNet([8, 16], 8, 2);
  const momentum = normal(parameterCount(architecture), 3);
  const parts = matrixParts(architecture);
  assert.equal(parts.length, architecture.layers.length - 2);
  const directions = muonDirections(tf.tensor1d(momentum), parts);
  for (const [n, { offset, length, shape }] of parts.entries()) {
    const direction = directions[n]!.dataSync();
    assert.equal(direction.length, length);
    const part = momentum.subarray(offset, offset + length);
    const dot = (a: Float32Array, b: ArrayLike<number>): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
    const size = Math.sqrt(dot(direction as Float32Array, direction));
    const rms = size / Math.sqrt(length);
    assert.ok(rms > 0.13 && rms < 0.26, `${shape.join('×')}: root mean square ${rms}`);
    // Of a normal matrix about 0.85 and more; a wrong order of the axes leaves next to nothing.
    assert.ok(dot(part, direction) / (size * Math.sqrt(dot(part, part))) > 0.75, shape.join('×'));
  }
});
