/**
 * The network on TensorFlow, built from the same description as the integer engine, with its gradients by hand: tfjs's own
 * differentiation would return to float32 after every operation, keep what is not needed, and on the pure JavaScript
 * backend it misses the gradients of single operations, which the core package does not hold.
 */
import * as tf from '@tensorflow/tfjs-core';
import { INPUT_TENSOR, OUTPUT_TENSOR } from '../model/integer/arithmetic.js';
import { tensorOf, type Architecture, type Layer } from '../model/architecture.js';
import { bfloat16, float32, type Arithmetic, type Shape4 } from './tensor-arithmetic.js';

export type Parameters = ReadonlyMap<string, tf.Tensor>;

/** What the backward pass needs of the forward pass. */
interface Pass {
  architecture: Architecture;
  parameters: Parameters;
  features: tf.Tensor2D;
  /** Of the conditioning, after its ReLU. */
  hidden: tf.Tensor2D;
  /** By layer: 1 + gamma, [batch, channels]. */
  gains: Map<string, tf.Tensor2D>;
  /** By layer, before gain and bias; of conditioned layers only. */
  raw: Map<string, tf.Tensor>;
  /** By name, all but the input in the arithmetic below. */
  tensors: Map<string, tf.Tensor>;
  weights: Map<string, tf.Tensor>;
  arithmetic: Arithmetic;
}

/**
 * @param input [batch, h, w, 24], sides multiples of the architecture's grid multiple.
 * @param features [batch, features] of the conditioning.
 * @param mixed everything after the first layer in bfloat16, where the backend has it. The first sees the picture itself
 *   and stays in float32: bfloat16 would add noise of 2^-9 of the picture's amplitude.
 * @returns [batch, h, w, 24]: corrections, then unclamped log2 variances.
 */
export function forward(
  architecture: Architecture,
  parameters: Parameters,
  input: tf.Tensor4D,
  features: tf.Tensor2D,
  mixed: boolean,
): tf.Tensor4D {
  return tf.tidy(() => run(architecture, parameters, input, features, mixed).output);
}

/**
 * The network's output and the gradients of all parameters, in float32.
 * @param lossGradient gives the loss's gradient by the output; what else it makes is its own to keep
 */
export function forwardBackward(
  architecture: Architecture,
  parameters: Parameters,
  input: tf.Tensor4D,
  features: tf.Tensor2D,
  mixed: boolean,
  lossGradient: (output: tf.Tensor4D) => tf.Tensor4D,
): Map<string, tf.Tensor> {
  const gradients = new Map<string, tf.Tensor>();
  tf.tidy(() => {
    const { output, pass } = run(architecture, parameters, input, features, mixed);
    const gradient = lossGradient(output);
    output.dispose();
    backward(pass, gradient, gradients);
    return [...gradients.values()];
  });
  return gradients;
}

function parameter(parameters: Parameters, name: string): tf.Tensor {
  const p = parameters.get(name);
  if (p === undefined) throw new Error(`no parameter '${name}'`);
  return p;
}

function run(
  architecture: Architecture,
  parameters: Parameters,
  input: tf.Tensor4D,
  features: tf.Tensor2D,
  mixed: boolean,
): { output: tf.Tensor4D; pass: Pass } {
  const get = (name: string): tf.Tensor => parameter(parameters, name);
  const hidden = tf.tidy(() =>
    tf.relu(tf.add(tf.matMul(features, get('cond.w1') as tf.Tensor2D), get('cond.b1'))),
  ) as tf.Tensor2D;
  const modulation = tf.add(tf.matMul(hidden, get('cond.w2') as tf.Tensor2D), get('cond.b2')) as tf.Tensor2D;
  const arithmetic = (mixed ? bfloat16() : undefined) ?? float32;
  const pass: Pass = {
    architecture,
    parameters,
    features,
    hidden,
    gains: new Map(),
    raw: new Map(),
    tensors: new Map(),
    weights: new Map(),
    arithmetic,
  };
  const { tensors } = pass;
  tensors.set(INPUT_TENSOR, input);
  const batch = input.shape[0];
  let offset = 0;
  for (const layer of architecture.layers) {
    const { channels } = tensorOf(architecture, layer.to);
    const w = weightsOf(pass, layer);
    const a = arithmeticOf(pass, layer);
    let y = convolve(a, layer, tensors.get(layer.from)!, w, channels);
    let bias: tf.Tensor = get(`${layer.name}.b`);
    if (layer.conditioned) {
      const gain = tf.add(tf.slice2d(modulation, [0, offset], [batch, channels]), 1) as tf.Tensor2D;
      const shift = tf.slice2d(modulation, [0, offset + channels], [batch, channels]);
      offset += 2 * channels;
      pass.gains.set(layer.name, gain);
      pass.raw.set(layer.name, y);
      y = a.multiply(y, a.from(tf.reshape(gain, [batch, 1, 1, channels])));
      bias = tf.reshape(tf.add(tf.mul(bias, gain), shift), [batch, 1, 1, channels]);
    }
    y = replace(a.add(y, a.from(bias)), y);
    if (layer.add !== undefined) y = replace(a.add(y, tensors.get(layer.add)!), y);
    if (layer.relu) y = replace(a.relu(y), y);
    if (layer.from === INPUT_TENSOR) y = replace(arithmetic.from(y), y);
    tensors.set(layer.to, y);
  }
  return { output: arithmetic.to(tensors.get(OUTPUT_TENSOR)!) as tf.Tensor4D, pass };
}

/** The first layer is computed in float32. */
function arithmeticOf({ arithmetic }: Pass, layer: Layer): Arithmetic {
  return layer.from === INPUT_TENSOR ? float32 : arithmetic;
}

/** Weights in the layer's arithmetic; for up2x2 as the convolution has them of which it is the transpose. */
function weightsOf(pass: Pass, layer: Layer): tf.Tensor {
  const w = parameter(pass.parameters, `${layer.name}.w`);
  const own = tf.tidy(() => arithmeticOf(pass, layer).from(layer.kind === 'up2x2' ? tf.transpose(w, [0, 1, 3, 2]) : w));
  pass.weights.set(layer.name, own);
  return own;
}

function strideOf(layer: Layer): number {
  return layer.kind === 'conv3x3' ? 1 : 2;
}

function convolve(a: Arithmetic, layer: Layer, x: tf.Tensor, w: tf.Tensor, channels: number): tf.Tensor {
  if (layer.kind !== 'up2x2') return a.convolve(x, w, strideOf(layer));
  const [batch, h, width] = x.shape as Shape4;
  return a.convolveInput(x, w, [batch, 2 * h, 2 * width, channels], 2);
}

/** Frees large tensors as soon as they are used up: memory that is used again at once is quick. */
function replace(now: tf.Tensor, before: tf.Tensor): tf.Tensor {
  before.dispose();
  return now;
}

/** Fills `gradients` from the gradient by the output. */
function backward(pass: Pass, outputGradient: tf.Tensor4D, gradients: Map<string, tf.Tensor>): void {
  const { architecture, arithmetic, tensors } = pass;
  /** Gradients by tensor, of all layers behind it that are done. */
  const open = new Map<string, tf.Tensor>([[OUTPUT_TENSOR, arithmetic.from(outputGradient)]]);
  const accumulate = (tensor: string, gradient: tf.Tensor): void => {
    const before = open.get(tensor);
    open.set(tensor, before === undefined ? gradient : replace(arithmetic.add(before, gradient), before));
    if (before !== undefined) gradient.dispose();
  };
  const modulation: tf.Tensor2D[] = [];
  for (const layer of [...architecture.layers].reverse()) {
    const a = arithmeticOf(pass, layer);
    let dy = open.get(layer.to)!;
    open.delete(layer.to);
    if (layer.from === INPUT_TENSOR) dy = replace(arithmetic.to(dy), dy);
    if (layer.relu) dy = replace(a.reluGradient(dy, tensors.get(layer.to)!), dy);
    tensors.get(layer.to)!.dispose();
    if (layer.conditioned) {
      const { gain, shift, scaled } = conditionedBackward(pass, layer, dy, gradients);
      modulation.unshift(gain, shift);
      if (layer.add !== undefined) accumulate(layer.add, dy);
      else dy.dispose();
      dy = scaled;
    } else {
      gradients.set(
        `${layer.name}.b`,
        tf.tidy(() => tf.sum(a.sumGrid(dy), 0)),
      );
      if (layer.add !== undefined) accumulate(layer.add, tf.clone(dy));
    }
    const from = convolutionBackward(pass, layer, dy, gradients);
    dy.dispose();
    if (from !== undefined) accumulate(layer.from, from);
  }
  conditioningBackward(pass, modulation, gradients);
}

/** Through y = raw · gain + (bias · gain + shift): gradients by gain, shift and raw. */
function conditionedBackward(
  pass: Pass,
  layer: Layer,
  dy: tf.Tensor,
  gradients: Map<string, tf.Tensor>,
): { gain: tf.Tensor2D; shift: tf.Tensor2D; scaled: tf.Tensor } {
  const a = arithmeticOf(pass, layer);
  const gains = pass.gains.get(layer.name)!;
  const raw = pass.raw.get(layer.name)!;
  const bias = parameter(pass.parameters, `${layer.name}.b`);
  const shift = a.sumGrid(dy);
  const gain = tf.tidy(() => tf.add(a.sumGrid(a.multiply(dy, raw)), tf.mul(shift, bias))) as tf.Tensor2D;
  raw.dispose();
  gradients.set(
    `${layer.name}.b`,
    tf.tidy(() => tf.sum(tf.mul(shift, gains), 0)),
  );
  const [batch, channels] = gains.shape;
  const scaled = tf.tidy(() => a.multiply(dy, a.from(tf.reshape(gains, [batch, 1, 1, channels]))));
  return { gain, shift, scaled };
}

/** Sets the gradient by the weights. @returns that by the layer's input, unless it is the network's */
function convolutionBackward(
  pass: Pass,
  layer: Layer,
  dy: tf.Tensor,
  gradients: Map<string, tf.Tensor>,
): tf.Tensor | undefined {
  const a = arithmeticOf(pass, layer);
  const x = pass.tensors.get(layer.from)!;
  const w = pass.weights.get(layer.name)!;
  const stride = strideOf(layer);
  const transposed = layer.kind === 'up2x2';
  const byWeights = tf.tidy(() => {
    if (transposed) return tf.transpose(a.convolveFilter(dy, x, w.shape as Shape4, stride), [0, 1, 3, 2]);
    return a.convolveFilter(x, dy, w.shape as Shape4, stride);
  });
  gradients.set(`${layer.name}.w`, byWeights);
  if (layer.from === INPUT_TENSOR) return undefined;
  return transposed ? a.convolve(dy, w, stride) : a.convolveInput(dy, w, x.shape as Shape4, stride);
}

/** @param modulation gradients by the parts of the conditioning's output, in their order */
function conditioningBackward(
  { parameters, features, hidden }: Pass,
  modulation: tf.Tensor2D[],
  gradients: Map<string, tf.Tensor>,
): void {
  const dm = tf.concat2d(modulation, 1);
  gradients.set('cond.w2', tf.matMul(hidden, dm, true, false));
  gradients.set('cond.b2', tf.sum(dm, 0));
  const dh = float32.reluGradient(
    tf.matMul(dm, parameter(parameters, 'cond.w2') as tf.Tensor2D, false, true),
    hidden,
  ) as tf.Tensor2D;
  gradients.set('cond.w1', tf.matMul(features, dh, true, false));
  gradients.set('cond.b1', tf.sum(dh, 0));
}
