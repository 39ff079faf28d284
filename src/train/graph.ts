/** The network as a differentiable TensorFlow graph, built from the same description as the integer engine. */
import * as tf from '@tensorflow/tfjs-core';
import { tensorOf, type Architecture, type Layer } from '../model/architecture.js';
import { conv2dBf16, conv2dTransposeBf16, relu } from './native-ops.js';

export type Parameters = ReadonlyMap<string, tf.Tensor>;

/**
 * @param input [batch, h, w, 24], sides multiples of the architecture's grid multiple.
 * @param features [batch, features] of the conditioning.
 * @param mixed convolutions between hidden tensors in bfloat16 (the first and the last layer, which see the picture
 *   itself, stay in float32: bfloat16 would add noise of 2^-9 of the picture's amplitude).
 * @returns [batch, h, w, 24]: corrections, then unclamped log2 variances.
 */
export function forward(architecture: Architecture, parameters: Parameters, input: tf.Tensor4D, features: tf.Tensor2D, mixed: boolean): tf.Tensor4D {
  const get = (name: string): tf.Tensor => {
    const p = parameters.get(name);
    if (p === undefined) throw new Error(`no parameter '${name}'`);
    return p;
  };
  const hidden = tf.relu(tf.add(tf.matMul(features, get('cond.w1') as tf.Tensor2D), get('cond.b1')));
  const modulation = tf.add(tf.matMul(hidden as tf.Tensor2D, get('cond.w2') as tf.Tensor2D), get('cond.b2')) as tf.Tensor2D;
  const batch = input.shape[0];
  const tensors = new Map<string, tf.Tensor4D>([['input', input]]);
  let offset = 0;
  for (const layer of architecture.layers) {
    const from = tensors.get(layer.from)!;
    const channels = tensorOf(architecture, layer.to).channels;
    let bias = get(`${layer.name}.b`);
    let y = convolve(layer, from, get(`${layer.name}.w`) as tf.Tensor4D, channels, mixed && layer.from !== 'input' && layer.to !== 'out');
    if (layer.conditioned) {
      const gamma = tf.add(tf.slice2d(modulation, [0, offset], [batch, channels]), 1);
      const beta = tf.slice2d(modulation, [0, offset + channels], [batch, channels]);
      offset += 2 * channels;
      y = tf.mul(y, tf.reshape(gamma, [batch, 1, 1, channels]));
      bias = tf.reshape(tf.add(tf.mul(bias, gamma), beta), [batch, 1, 1, channels]);
    }
    y = tf.add(y, bias);
    if (layer.add !== undefined) y = tf.add(y, tensors.get(layer.add)!);
    if (layer.relu) y = relu(y);
    tensors.set(layer.to, y);
  }
  return tensors.get('out')!;
}

function convolve(layer: Layer, x: tf.Tensor4D, w: tf.Tensor4D, channels: number, mixed: boolean): tf.Tensor4D {
  if (layer.kind === 'up2x2') {
    const [batch, h, width] = x.shape;
    const shape: [number, number, number, number] = [batch, 2 * h, 2 * width, channels];
    const transposed = tf.transpose(w, [0, 1, 3, 2]);
    return mixed ? conv2dTransposeBf16(x, transposed, shape, 2) : tf.conv2dTranspose(x, transposed, shape, 2, 'same');
  }
  const stride = layer.kind === 'down2x2' ? 2 : 1;
  return mixed ? conv2dBf16(x, w, stride) : tf.conv2d(x, w, stride, 'same');
}
