/**
 * The operations that the network is trained with, in float32 on any backend and in bfloat16 on the native one.
 *
 * TensorFlow's CPU kernels multiply bfloat16 about twice as fast as float32 where the processor has AVX512-BF16 or AMX
 * (sums stay in float32), and elementwise operations move half the bytes. tfjs has no such type, so its tensors here say
 * float32 while what the native binding keeps under their handle is bfloat16: memory is managed as for all others, but only
 * the operations below may touch them.
 */
import * as tf from '@tensorflow/tfjs-core';

export type Shape4 = [number, number, number, number];

/** All pictures are [batch, h, w, channels], weights [row, column, in, out]. */
export interface Arithmetic {
  /** From and to float32. The result is a new tensor even where nothing changes. */
  from(x: tf.Tensor): tf.Tensor;
  to(x: tf.Tensor): tf.Tensor;
  /** Convolution with 'same' padding. */
  convolve(x: tf.Tensor, w: tf.Tensor, stride: number): tf.Tensor;
  /** Gradient of `convolve` by its input, which is the transposed convolution. */
  convolveInput(dy: tf.Tensor, w: tf.Tensor, shape: Shape4, stride: number): tf.Tensor;
  /** Gradient by the weights, in float32. */
  convolveFilter(x: tf.Tensor, dy: tf.Tensor, shape: Shape4, stride: number): tf.Tensor;
  /** a + b and a · b; b may be [channels] or [batch, 1, 1, channels]. */
  add(a: tf.Tensor, b: tf.Tensor): tf.Tensor;
  multiply(a: tf.Tensor, b: tf.Tensor): tf.Tensor;
  relu(x: tf.Tensor): tf.Tensor;
  /** dy where y > 0. */
  reluGradient(dy: tf.Tensor, y: tf.Tensor): tf.Tensor;
  /** Sum over the grid, [batch, channels] in float32. */
  sumGrid(x: tf.Tensor): tf.Tensor2D;
}

const strided = (stride: number): { strides: number; pad: 'same'; dataFormat: 'NHWC'; dimRoundingMode: undefined } => ({
  strides: stride,
  pad: 'same',
  dataFormat: 'NHWC',
  dimRoundingMode: undefined,
});

export const float32: Arithmetic = {
  from: (x) => tf.clone(x),
  to: (x) => tf.clone(x),
  convolve: (x, w, stride) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, 'same'),
  convolveInput: (dy, w, shape, stride) =>
    tf.conv2dTranspose(dy as tf.Tensor4D, w as tf.Tensor4D, shape, stride, 'same'),
  convolveFilter: (x, dy, shape, stride) =>
    tf.engine().runKernel<tf.Tensor>(tf.Conv2DBackpropFilter, { x, dy }, {
      ...strided(stride),
      filterShape: shape,
    } as unknown as tf.NamedAttrMap),
  add: (a, b) => tf.add(a, b),
  multiply: (a, b) => tf.mul(a, b),
  relu: (x) => tf.relu(x),
  reluGradient: (dy, y) => tf.tidy(() => tf.mul(dy, tf.cast(tf.greater(y, 0), 'float32'))),
  sumGrid: (x) => tf.sum(x, [1, 2]),
};

const DT_FLOAT = 1;
const DT_INT32 = 3;
const DT_BFLOAT16 = 14;

interface Attribute {
  name: string;
  type: number;
  value: unknown;
}
interface Metadata {
  id: number;
  shape: number[];
  dtype: number;
}
interface Binding {
  TF_ATTR_TYPE: number;
  TF_ATTR_BOOL: number;
  TF_ATTR_INT: number;
  TF_ATTR_STRING: number;
  executeOp(name: string, attributes: Attribute[], inputs: number[], outputs: number): Metadata[];
}
interface NativeBackend {
  binding: Binding;
  tensorMap: { set(dataId: object, info: object): void };
  getInputTensorIds(tensors: tf.Tensor[]): number[];
}

/** bfloat16 on the native backend, else undefined. */
export function bfloat16(): Arithmetic | undefined {
  if (tf.getBackend() !== 'tensorflow') return undefined;
  const native = tf.backend() as unknown as NativeBackend;
  const b = native.binding;
  const type = (name: string, value: number): Attribute => ({ name, type: b.TF_ATTR_TYPE, value });
  const half = type('T', DT_BFLOAT16);

  const run = (op: string, attributes: Attribute[], inputs: tf.Tensor[]): tf.Tensor => {
    const { id, shape, dtype } = b.executeOp(op, attributes, native.getInputTensorIds(inputs), 1)[0]!;
    const dataId = {};
    native.tensorMap.set(dataId, { shape, dtype, id, values: null, refCount: 1 });
    return tf.engine().makeTensorFromDataId(dataId, shape, 'float32');
  };
  const cast = (x: tf.Tensor, from: number, to: number): tf.Tensor =>
    run('Cast', [type('SrcT', from), type('DstT', to), { name: 'Truncate', type: b.TF_ATTR_BOOL, value: false }], [x]);
  const convolution = (op: string, stride: number, inputs: tf.Tensor[]): tf.Tensor =>
    run(
      op,
      [
        half,
        { name: 'strides', type: b.TF_ATTR_INT, value: [1, stride, stride, 1] },
        { name: 'padding', type: b.TF_ATTR_STRING, value: 'SAME' },
        { name: 'data_format', type: b.TF_ATTR_STRING, value: 'NHWC' },
        { name: 'use_cudnn_on_gpu', type: b.TF_ATTR_BOOL, value: true },
        { name: 'dilations', type: b.TF_ATTR_INT, value: [1, 1, 1, 1] },
      ],
      inputs,
    );
  const sizes = (shape: Shape4): tf.Tensor1D => tf.tensor1d(shape, 'int32');
  const toFloat = (x: tf.Tensor): tf.Tensor => cast(x, DT_BFLOAT16, DT_FLOAT);

  return {
    from: (x) => cast(x, DT_FLOAT, DT_BFLOAT16),
    to: toFloat,
    convolve: (x, w, stride) => convolution('Conv2D', stride, [x, w]),
    convolveInput: (dy, w, shape, stride) =>
      tf.tidy(() => convolution('Conv2DBackpropInput', stride, [sizes(shape), w, dy])),
    convolveFilter: (x, dy, shape, stride) =>
      tf.tidy(() => toFloat(convolution('Conv2DBackpropFilter', stride, [x, sizes(shape), dy]))),
    add: (x, y) => run('AddV2', [half], [x, y]),
    multiply: (x, y) => run('Mul', [half], [x, y]),
    relu: (x) => run('Relu', [half], [x]),
    reluGradient: (dy, y) => run('ReluGrad', [half], [dy, y]),
    sumGrid: (x) =>
      tf.tidy(() => {
        // Sum adds up in float32; BiasAddGrad, which does the same over the batch too, in bfloat16: useless.
        const attributes = [{ name: 'keep_dims', type: b.TF_ATTR_BOOL, value: false }, half, type('Tidx', DT_INT32)];
        return toFloat(run('Sum', attributes, [x, tf.tensor1d([1, 2], 'int32')])) as tf.Tensor2D;
      }),
  };
}
