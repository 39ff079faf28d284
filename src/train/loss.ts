/**
 * The loss: expected bits of the step that is to be sent,
 *   KL( N(x, 1/delta) ‖ N(mu, v + 1/delta) ) = ½ ( ln(1 + v·delta) + (delta·(x − mu)² + 1) / (1 + v·delta) − 1 ) nats,
 * the diffusion ELBO with learned variance (Ho et al. 2020, eq. 5; Nichol & Dhariwal 2021), plus a small share of squared
 * error, which the posterior mean is judged by.
 */
import * as tf from '@tensorflow/tfjs-core';
import { COEFFICIENTS, INPUT_CHANNELS } from '../model/architecture.js';
import { LOG_VARIANCE_MAX, LOG_VARIANCE_MIN } from '../model/inputs.js';
import type { Batch } from './examples.js';

/** What the network sees of a batch, and its conditioning, as tensors. */
export function batchInput(batch: Batch): [input: tf.Tensor4D, features: tf.Tensor2D] {
  return [
    tf.tensor4d(batch.input, [batch.size, batch.grid, batch.grid, INPUT_CHANNELS]),
    tf.tensor2d(batch.features, [batch.size, batch.features.length / batch.size]),
  ];
}

/** The arrays of a batch that the loss needs, as tensors. */
export interface LossInputs {
  target: tf.Tensor4D;
  information: tf.Tensor4D;
  weight: tf.Tensor4D;
  squareWeight: tf.Tensor4D;
}

export function lossInputs(batch: Batch): LossInputs {
  const shape: [number, number, number, number] = [batch.size, batch.grid, batch.grid, COEFFICIENTS];
  return {
    target: tf.tensor4d(batch.target, shape),
    information: tf.tensor4d(batch.information, shape),
    weight: tf.tensor4d(batch.weight, shape),
    squareWeight: tf.tensor4d(batch.squareWeight, shape),
  };
}

/** Per example: KL in nats and squared error, both averaged over the grid. @param output the network's, [batch, h, w, 24] */
export function exampleLosses(output: tf.Tensor4D, inputs: LossInputs): { kl: tf.Tensor1D; square: tf.Tensor1D } {
  const [batch, h, w] = output.shape;
  const correction = tf.slice4d(output, [0, 0, 0, 0], [batch, h, w, COEFFICIENTS]);
  const logVariance = tf.clipByValue(
    tf.slice4d(output, [0, 0, 0, COEFFICIENTS], [batch, h, w, COEFFICIENTS]),
    LOG_VARIANCE_MIN,
    LOG_VARIANCE_MAX,
  );
  const error2 = tf.square(tf.sub(inputs.target, correction));
  const expected = tf.add(tf.mul(inputs.information, tf.exp(tf.mul(logVariance, Math.LN2))), 1);
  const actual = tf.add(tf.mul(inputs.information, error2), 1);
  const kl = tf.mul(tf.sub(tf.add(tf.log(expected), tf.div(actual, expected)), 1), tf.mul(inputs.weight, 0.5));
  const square = tf.mul(error2, inputs.squareWeight);
  return { kl: tf.mean(kl, [1, 2, 3]) as tf.Tensor1D, square: tf.mean(square, [1, 2, 3]) as tf.Tensor1D };
}

/**
 * Gradient of mean over the examples of (klWeight · kl + squareWeight · square) by the network's output.
 * @param klWeight, squareWeight by example
 */
export function lossGradient(
  output: tf.Tensor4D,
  inputs: LossInputs,
  klWeight: readonly number[],
  squareWeight: readonly number[],
): tf.Tensor4D {
  return tf.tidy(() => {
    const [batch, h, w] = output.shape;
    const byExample = (weights: readonly number[]): tf.Tensor4D =>
      tf.tensor4d(
        weights.map((x) => x / (batch * h * w * COEFFICIENTS)),
        [batch, 1, 1, 1],
      );
    const correction = tf.slice4d(output, [0, 0, 0, 0], [batch, h, w, COEFFICIENTS]);
    const raw = tf.slice4d(output, [0, 0, 0, COEFFICIENTS], [batch, h, w, COEFFICIENTS]);
    const logVariance = tf.clipByValue(raw, LOG_VARIANCE_MIN, LOG_VARIANCE_MAX);
    const error = tf.sub(inputs.target, correction);
    const claimed = tf.mul(inputs.information, tf.exp(tf.mul(logVariance, Math.LN2)));
    const expected = tf.add(claimed, 1);
    const ratio = tf.div(tf.add(tf.mul(inputs.information, tf.square(error)), 1), expected); // actual / expected
    const weight = tf.div(tf.mul(inputs.weight, byExample(klWeight)), expected);
    const byCorrection = tf.neg(
      tf.mul(
        error,
        tf.add(
          tf.mul(weight, inputs.information),
          tf.mul(inputs.squareWeight, byExample(squareWeight.map((x) => 2 * x))),
        ),
      ),
    );
    const inside = tf.cast(tf.equal(raw, logVariance), 'float32');
    const byVariance = tf.mul(tf.mul(tf.mul(weight, claimed), tf.sub(1, ratio)), tf.mul(inside, Math.LN2 / 2));
    return tf.concat([byCorrection, byVariance], 3) as tf.Tensor4D;
  });
}
