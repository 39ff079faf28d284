/**
 * The integer network in plain TypeScript: slow, without blocking, packing or threads, to be read as the definition of
 * what every engine must compute. The tests hold the WebAssembly engine to it bit for bit.
 */
import {
  COEFFICIENTS,
  INPUT_CHANNELS,
  OUTPUT_CHANNELS,
  gridMultiple,
  tensorOf,
  weightShape,
  type Layer,
} from '../architecture.js';
import {
  INPUT_FRACTION,
  INPUT_TENSOR,
  INPUT_VALUE_LIMIT,
  OUTPUT_TENSOR,
  OUTPUT_UNIT,
  inputTables,
  layerConstants,
  paddedSize,
  roundToEven,
  scaledProduct,
  type LayerConstants,
} from './arithmetic.js';
import { DcompError } from '../../errors.js';
import { checkArguments, rowsOfWhole, type Evaluator } from '../evaluator.js';
import { LOG_VARIANCE_MAX, LOG_VARIANCE_MIN, type Condition } from '../inputs.js';
import { checkModel } from './check-model.js';
import type { IntegerModel } from './integer-model.js';
import { UNKNOWN } from '../sigma.js';

/** A picture of vectors: position (x, y), channel c at (y · width + x) · channels + c. */
interface Grid<T> {
  width: number;
  height: number;
  channels: number;
  data: T;
}

/** Network input [padded height][padded width][24]: observations by gain, then codes by feature; padding is UNKNOWN. */
function referenceInput(
  model: IntegerModel,
  z: Float32Array,
  codes: Uint8Array,
  width: number,
  height: number,
): Grid<Int16Array> {
  const tables = inputTables(model);
  const multiple = gridMultiple(model.architecture);
  const padded = { width: paddedSize(width, multiple), height: paddedSize(height, multiple) };
  const data = new Int16Array(padded.width * padded.height * INPUT_CHANNELS);
  for (let y = 0; y < padded.height; y++) {
    for (let x = 0; x < padded.width; x++) {
      for (let c = 0; c < COEFFICIENTS; c++) {
        const inside = x < width && y < height;
        const value = inside ? z[(y * width + x) * COEFFICIENTS + c]! : 0;
        const code = inside ? codes[(y * width + x) * COEFFICIENTS + c]! : UNKNOWN;
        const product = scaledProduct(inputValue(value), tables.gain[code * COEFFICIENTS + c]!);
        const at = (y * padded.width + x) * INPUT_CHANNELS + c;
        data[at] = clamped((product + tables.half) >> tables.shift, -tables.limit, tables.limit);
        data[at + COEFFICIENTS] = tables.feature[code]!;
      }
    }
  }
  return { ...padded, channels: INPUT_CHANNELS, data };
}

/** An observed value as an integer; NaN, which no file leads to, counts as 0. */
function inputValue(z: number): number {
  const value = roundToEven(clamped(z * 2 ** INPUT_FRACTION, -INPUT_VALUE_LIMIT, INPUT_VALUE_LIMIT));
  return Number.isNaN(value) ? 0 : value;
}

function clamped(x: number, lowest: number, highest: number): number {
  return Math.min(highest, Math.max(lowest, x));
}

/** Exact sums of a layer over its receptive fields, at every output position and channel. */
function referenceSums(model: IntegerModel, layer: Layer, from: Grid<Int16Array>): Grid<Int32Array> {
  const [, side, cin, cout] = weightShape(model.architecture, layer);
  const { weights } = model.layers.get(layer.name)!;
  const width = layer.kind === 'conv3x3' ? from.width : layer.kind === 'down2x2' ? from.width / 2 : from.width * 2;
  const height = layer.kind === 'conv3x3' ? from.height : layer.kind === 'down2x2' ? from.height / 2 : from.height * 2;
  const data = new Int32Array(width * height * cout);
  /** Adds weights [row][column] times input (ix, iy) to output (x, y). */
  const add = (x: number, y: number, ix: number, iy: number, row: number, column: number): void => {
    if (ix < 0 || iy < 0 || ix >= from.width || iy >= from.height) return;
    for (let i = 0; i < cin; i++) {
      const value = from.data[(iy * from.width + ix) * cin + i]!;
      const w = ((row * side + column) * cin + i) * cout;
      for (let o = 0; o < cout; o++) data[(y * width + x) * cout + o]! += value * weights[w + o]!;
    }
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (layer.kind === 'up2x2') {
        add(x, y, x >> 1, y >> 1, y & 1, x & 1);
        continue;
      }
      for (let row = 0; row < side; row++) {
        for (let column = 0; column < side; column++) {
          if (layer.kind === 'conv3x3') add(x, y, x + column - 1, y + row - 1, row, column);
          else add(x, y, 2 * x + column, 2 * y + row, row, column);
        }
      }
    }
  }
  return { width, height, channels: cout, data };
}

/** The rest of a layer: sums to integers of its output tensor. */
function referenceActivations(
  sums: Grid<Int32Array>,
  { m, b, skip: factor, skipShift, shift, lowest, limit }: LayerConstants,
  skip?: Grid<Int16Array>,
): Grid<Int16Array> {
  const data = new Int16Array(sums.data.length);
  for (let i = 0; i < data.length; i++) {
    const c = i % sums.channels;
    const added = skip === undefined ? 0 : (skip.data[i]! * factor) >> skipShift;
    data[i] = clamped((scaledProduct(sums.data[i]!, m[c]!) + b[c]! + added) >> shift, lowest, limit);
  }
  return { ...sums, data };
}

/** The network. Arguments and result as in `Evaluator.evaluate`. */
export function referenceEvaluate(
  model: IntegerModel,
  z: Float32Array,
  codes: Uint8Array,
  width: number,
  height: number,
  condition: Condition,
): Float32Array {
  const { architecture } = model;
  const constants = layerConstants(model, condition);
  const tensors = new Map([[INPUT_TENSOR, referenceInput(model, z, codes, width, height)]]);
  const result = new Float32Array(width * height * OUTPUT_CHANNELS);
  architecture.layers.forEach((layer, index) => {
    const sums = referenceSums(model, layer, tensors.get(layer.from)!);
    const skip = layer.add === undefined ? undefined : tensors.get(layer.add)!;
    tensors.set(layer.to, referenceActivations(sums, constants[index]!, skip));
    if (layer.to !== OUTPUT_TENSOR) return;
    const output = tensors.get(OUTPUT_TENSOR)!;
    const channels = tensorOf(architecture, OUTPUT_TENSOR).channels;
    for (let i = 0; i < result.length; i++) {
      const c = i % channels;
      const x = Math.floor(i / channels) % width;
      const y = Math.floor(i / channels / width);
      const value = output.data[(y * output.width + x) * channels + c]! * OUTPUT_UNIT;
      result[i] = c < COEFFICIENTS ? value : clamped(value, LOG_VARIANCE_MIN, LOG_VARIANCE_MAX);
    }
  });
  return result;
}

/** The reference as an `Evaluator`. @throws DcompError E_DAMAGED_MODEL */
export async function createReferenceEvaluator(model: IntegerModel): Promise<Evaluator> {
  checkModel(model);
  let closed = false;
  const evaluate: Evaluator['evaluate'] = async (z, codes, width, height, condition) => {
    if (closed) throw new DcompError('E_USAGE', 'evaluate: the evaluator is closed');
    checkArguments(z, codes, width, height, condition);
    return referenceEvaluate(model, z, codes, width, height, condition);
  };
  return {
    model,
    threads: 1,
    evaluate,
    evaluateRows: rowsOfWhole(evaluate),
    close: async () => {
      closed = true;
    },
  };
}
