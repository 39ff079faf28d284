/**
 * Muon (Jordan et al. 2024): the momentum of a weight matrix with all its singular values made about 1, by Newton-Schulz
 * iterations with the published coefficients. Scaled so that an update's root mean square is that of Adam's at the same
 * learning rate (Liu et al. 2025, "Muon is scalable for LLM training", section 2.2).
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Architecture } from '../model/architecture.js';
import { parameterPlaces } from '../model/weights.js';
import { RECIPE } from './recipe.js';

const { iterations: ITERATIONS, coefficients: COEFFICIENTS, rms: UPDATE_RMS } = RECIPE.optimiser.muon;
const [A, B, C] = COEFFICIENTS as [number, number, number];

/** A weight array of the flat parameters that is updated as a matrix. */
interface MatrixPart {
  offset: number;
  length: number;
  shape: number[];
  /** Of a transposed convolution, whose rows are its inputs. */
  transposed: boolean;
}

/** Which parts of the flat parameters are matrices: the convolutions but the first and last, whose channels have units of their own. */
export function matrixParts(architecture: Architecture): MatrixPart[] {
  const parts: MatrixPart[] = [];
  const last = architecture.layers.length - 1;
  for (const { name, shape, offset, length } of parameterPlaces(architecture)) {
    const index = architecture.layers.findIndex((layer) => `${layer.name}.w` === name);
    if (index > 0 && index < last)
      parts.push({ offset, length, shape, transposed: architecture.layers[index]!.kind === 'up2x2' });
  }
  return parts;
}

/** [n, rows, columns], rows ≤ columns: singular values brought to about 1 (0.7 to 1.2). */
export function orthogonalise(matrices: tf.Tensor3D): tf.Tensor3D {
  return tf.tidy(() => {
    const norm = tf.sqrt(tf.sum(tf.square(matrices), [1, 2], true));
    let x = tf.div(matrices, tf.add(norm, 1e-12)) as tf.Tensor3D;
    for (let i = 0; i < ITERATIONS; i++) {
      x = tf.tidy(() => {
        const gram = tf.matMul(x, x, false, true);
        const polynomial = tf.add(tf.mul(gram, B), tf.mul(tf.matMul(gram, gram), C)) as tf.Tensor3D;
        return tf.add(tf.mul(x, A), tf.matMul(polynomial, x)) as tf.Tensor3D;
      });
    }
    return x;
  });
}

/**
 * The directions of all matrix parts, in their own shapes, flat.
 * @param momentum the flat momentum of all parameters
 * @returns by part
 */
export function muonDirections(momentum: tf.Tensor1D, parts: readonly MatrixPart[]): tf.Tensor1D[] {
  return tf.tidy(() => {
    const directions = new Array<tf.Tensor1D>(parts.length);
    const byShape = new Map<string, number[]>();
    for (const [i, { shape, transposed }] of parts.entries()) {
      const key = `${shape.join()}${transposed}`;
      byShape.set(key, [...(byShape.get(key) ?? []), i]);
    }
    for (const indices of byShape.values()) {
      const { shape, transposed } = parts[indices[0]!]!;
      const [r, c, cin, cout] = shape as [number, number, number, number];
      // A matrix has a column for each value that a sum is made of: cout × r·c·cin; cin × r·c·cout for the transposed convolution.
      const columns = transposed ? cout : cin;
      const rows = transposed ? cin : cout;
      const stack = tf.stack(
        indices.map((i) => tf.reshape(tf.slice1d(momentum, parts[i]!.offset, parts[i]!.length), [r * c, cin, cout])),
      );
      const matrices = tf.reshape(tf.transpose(stack, transposed ? [0, 2, 1, 3] : [0, 3, 1, 2]), [
        indices.length,
        rows,
        r * c * columns,
      ]) as tf.Tensor3D;
      const scale = UPDATE_RMS * Math.sqrt(Math.max(rows, r * c * columns));
      const wide = rows <= r * c * columns;
      const straight = wide
        ? orthogonalise(matrices)
        : tf.transpose(orthogonalise(tf.transpose(matrices, [0, 2, 1]) as tf.Tensor3D), [0, 2, 1]);
      const back = tf.transpose(
        tf.reshape(tf.mul(straight, scale), [indices.length, rows, r * c, columns]),
        transposed ? [0, 2, 1, 3] : [0, 2, 3, 1],
      );
      const flat = tf.reshape(back, [indices.length, -1]);
      for (const [n, i] of indices.entries())
        directions[i] = tf.reshape(tf.slice(flat, [n, 0], [1, parts[i]!.length]), [-1]);
    }
    return directions;
  });
}
