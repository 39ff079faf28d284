/**
 * Convolutions in bfloat16 on the native backend. TensorFlow's CPU kernels multiply bfloat16 about twice as fast as
 * float32 where the processor has AVX512-BF16 or AMX, sums stay in float32. tfjs has no such type, so the operations
 * are issued to the native binding directly: cast, convolve, cast back. On other backends, float32.
 */
import * as tf from '@tensorflow/tfjs-core';

const DT_FLOAT = 1;
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
  deleteTensor(id: number): void;
}
interface NativeBackend {
  binding: Binding;
  getInputTensorIds(tensors: tf.Tensor[]): number[];
  createOutputTensor(metadata: Metadata): tf.Tensor;
}

function nativeBackend(): NativeBackend | undefined {
  return tf.getBackend() === 'tensorflow' ? (tf.backend() as unknown as NativeBackend) : undefined;
}

function attributes(b: Binding, stride: number): Attribute[] {
  return [
    { name: 'T', type: b.TF_ATTR_TYPE, value: DT_BFLOAT16 },
    { name: 'strides', type: b.TF_ATTR_INT, value: [1, stride, stride, 1] },
    { name: 'padding', type: b.TF_ATTR_STRING, value: 'SAME' },
    { name: 'data_format', type: b.TF_ATTR_STRING, value: 'NHWC' },
    { name: 'use_cudnn_on_gpu', type: b.TF_ATTR_BOOL, value: true },
    { name: 'dilations', type: b.TF_ATTR_INT, value: [1, 1, 1, 1] },
  ];
}

function cast(b: Binding, id: number, from: number, to: number): Metadata {
  return b.executeOp(
    'Cast',
    [
      { name: 'SrcT', type: b.TF_ATTR_TYPE, value: from },
      { name: 'DstT', type: b.TF_ATTR_TYPE, value: to },
      { name: 'Truncate', type: b.TF_ATTR_BOOL, value: false },
    ],
    [id],
    1,
  )[0]!;
}

/** Handles of temporary tensors of the binding, freed together. */
class Scope {
  private readonly handles: number[] = [];

  constructor(private readonly native: NativeBackend) {}

  round(tensor: tf.Tensor): number {
    return this.keep(cast(this.native.binding, this.native.getInputTensorIds([tensor])[0]!, DT_FLOAT, DT_BFLOAT16).id);
  }

  /** Runs one convolution operation on rounded operands; a shape among them is passed as an int32 vector. */
  convolve(op: string, stride: number, operands: (number | readonly number[])[]): tf.Tensor {
    const { native } = this;
    const b = native.binding;
    const shapes: tf.Tensor[] = [];
    const ids = operands.map((operand) => {
      if (typeof operand === 'number') return operand;
      const shape = tf.tensor1d([...operand], 'int32');
      shapes.push(shape);
      return native.getInputTensorIds([shape])[0]!;
    });
    const id = this.keep(b.executeOp(op, attributes(b, stride), ids, 1)[0]!.id);
    const result = native.createOutputTensor(cast(b, id, DT_BFLOAT16, DT_FLOAT));
    tf.dispose(shapes);
    return result;
  }

  free(): void {
    for (const handle of this.handles) this.native.binding.deleteTensor(handle);
  }

  private keep(handle: number): number {
    this.handles.push(handle);
    return handle;
  }
}

function scoped<T>(native: NativeBackend, f: (scope: Scope) => T): T {
  const scope = new Scope(native);
  try {
    return f(scope);
  } finally {
    scope.free();
  }
}

/** conv2d with 'same' padding in bfloat16 where that is available. Weights [row, column, in, out]. */
export function conv2dBf16(x: tf.Tensor4D, w: tf.Tensor4D, stride: number): tf.Tensor4D {
  const native = nativeBackend();
  if (native === undefined) return tf.conv2d(x, w, stride, 'same');
  const op = tf.customGrad((...args: unknown[]) => {
    const [input, filter, save] = args as [tf.Tensor4D, tf.Tensor4D, tf.GradSaveFunc];
    save([input, filter]);
    const value = scoped(native, (s) => s.convolve('Conv2D', stride, [s.round(input), s.round(filter)]));
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] =>
      scoped(native, (s) => {
        const d = s.round(dy);
        return [
          s.convolve('Conv2DBackpropInput', stride, [saved[0]!.shape, s.round(saved[1]!), d]),
          s.convolve('Conv2DBackpropFilter', stride, [s.round(saved[0]!), saved[1]!.shape, d]),
        ];
      });
    return { value, gradFunc };
  });
  return op(x, w) as tf.Tensor4D;
}

/** The transpose of `conv2dBf16`: doubles the grid for stride 2. Weights [row, column, out, in], as conv2d's of the reverse. */
export function conv2dTransposeBf16(x: tf.Tensor4D, w: tf.Tensor4D, outputShape: [number, number, number, number], stride: number): tf.Tensor4D {
  const native = nativeBackend();
  if (native === undefined) return tf.conv2dTranspose(x, w, outputShape, stride, 'same');
  const op = tf.customGrad((...args: unknown[]) => {
    const [input, filter, save] = args as [tf.Tensor4D, tf.Tensor4D, tf.GradSaveFunc];
    save([input, filter]);
    const value = scoped(native, (s) => s.convolve('Conv2DBackpropInput', stride, [outputShape, s.round(filter), s.round(input)]));
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] =>
      scoped(native, (s) => {
        const d = s.round(dy);
        return [
          s.convolve('Conv2D', stride, [d, s.round(saved[1]!)]),
          s.convolve('Conv2DBackpropFilter', stride, [d, saved[1]!.shape, s.round(saved[0]!)]),
        ];
      });
    return { value, gradFunc };
  });
  return op(x, w) as tf.Tensor4D;
}

/** ReLU whose gradient is one native operation; the library's own takes four. */
export function relu(x: tf.Tensor4D): tf.Tensor4D {
  const native = nativeBackend();
  if (native === undefined) return tf.relu(x);
  const op = tf.customGrad((...args: unknown[]) => {
    const [input, save] = args as [tf.Tensor4D, tf.GradSaveFunc];
    const value = tf.relu(input);
    save([value]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor => {
      const b = native.binding;
      const type = { name: 'T', type: b.TF_ATTR_TYPE, value: DT_FLOAT };
      return native.createOutputTensor(b.executeOp('ReluGrad', [type], native.getInputTensorIds([dy, saved[0]!]), 1)[0]!);
    };
    return { value, gradFunc };
  });
  return op(x) as tf.Tensor4D;
}
