/**
 * The float network in plain TypeScript: used to calibrate the quantisation and to compare with. Not exact across
 * machines and not part of the format.
 */
import {
  COEFFICIENTS,
  INPUT_CHANNELS,
  OUTPUT_CHANNELS,
  gridMultiple,
  tensorOf,
  weightShape,
  type Architecture,
  type Layer,
} from './architecture.js';
import { INPUT_TENSOR, OUTPUT_TENSOR, conditioningOutput, paddedSize } from './integer/arithmetic.js';
import { LOG_VARIANCE_MAX, LOG_VARIANCE_MIN, inputGain, logSigmaFeature, type Condition } from './inputs.js';
import { UNKNOWN } from './sigma.js';
import type { FloatModel } from './weights.js';

/** Arguments of one evaluation, as in `Evaluator.evaluate`. */
export interface Request {
  z: Float32Array;
  codes: Uint8Array;
  width: number;
  height: number;
  condition: Condition;
}

/**
 * Evaluates the float network.
 * @param observe is told every tensor after it was computed (the whole padded grid, `out` before its clamp).
 * @returns width · height · 24 floats, as `Evaluator.evaluate`.
 */
export function floatForward(
  model: FloatModel,
  request: Request,
  observe?: (tensor: string, values: Float32Array) => void,
): Float32Array {
  const { architecture } = model;
  const { width, height } = request;
  const multiple = gridMultiple(architecture);
  const grid = { width: paddedSize(width, multiple), height: paddedSize(height, multiple) };
  const modulation = floatModulation(model, request.condition);
  const tensors = new Map([[INPUT_TENSOR, inputOf(model, request, grid.width, grid.height)]]);
  observe?.(INPUT_TENSOR, tensors.get(INPUT_TENSOR)!);
  let at = 0;
  for (const layer of architecture.layers) {
    const { channels } = tensorOf(architecture, layer.to);
    const values = convolve(model, layer, tensors.get(layer.from)!, grid.width, grid.height);
    const bias = model.parameters.get(`${layer.name}.b`)!;
    const skip = layer.add === undefined ? undefined : tensors.get(layer.add)!;
    for (let i = 0, o = 0; i < values.length; i++, o = o + 1 === channels ? 0 : o + 1) {
      let y = values[i]! + bias[o]!;
      if (layer.conditioned) y = y * (1 + modulation[at + o]!) + modulation[at + channels + o]!;
      if (skip !== undefined) y += skip[i]!;
      values[i] = layer.relu ? Math.max(0, y) : y;
    }
    if (layer.conditioned) at += 2 * channels;
    tensors.set(layer.to, values);
    observe?.(layer.to, values);
  }
  return cropOutput(tensors.get(OUTPUT_TENSOR)!, grid.width, width, height);
}

/** gamma and beta of a float model; see `conditioningOutput`. */
function floatModulation({ architecture, parameters }: FloatModel, condition: Condition): Float64Array {
  const [w1, b1, w2, b2] = ['w1', 'b1', 'w2', 'b2'].map((name) =>
    parameters.get(`cond.${name}`)!,
  ) as ConditioningArrays;
  return conditioningOutput({ architecture, conditioning: { w1, b1, w2, b2 } }, condition);
}

type ConditioningArrays = [Float32Array, Float32Array, Float32Array, Float32Array];

function inputOf(model: FloatModel, request: Request, gridWidth: number, gridHeight: number): Float32Array {
  const { z, codes, width, height } = request;
  const values = new Float32Array(gridWidth * gridHeight * INPUT_CHANNELS);
  const gains: number[] = [];
  const features: number[] = [];
  for (let code = 0; code < 256; code++) {
    for (let c = 0; c < COEFFICIENTS; c++) gains.push(inputGain(code, model.statistics.inputScale[c]!));
    features.push(logSigmaFeature(code));
  }
  for (let y = 0; y < gridHeight; y++) {
    for (let x = 0; x < gridWidth; x++) {
      const to = (y * gridWidth + x) * INPUT_CHANNELS;
      const inside = x < width && y < height;
      for (let c = 0; c < COEFFICIENTS; c++) {
        const from = (y * width + x) * COEFFICIENTS + c;
        const code = inside ? codes[from]! : UNKNOWN;
        values[to + c] = inside ? z[from]! * gains[code * COEFFICIENTS + c]! : 0;
        values[to + COEFFICIENTS + c] = features[code]!;
      }
    }
  }
  return values;
}

/** Size of the padded grid of a tensor. */
function sizeAt(
  architecture: Architecture,
  tensor: string,
  width: number,
  height: number,
): { width: number; height: number } {
  const { scale } = tensorOf(architecture, tensor);
  return { width: width >> scale, height: height >> scale };
}

/** The bare convolution of a layer, without bias. @param gridWidth, gridHeight padded grid at scale 0 */
function convolve(
  model: FloatModel,
  layer: Layer,
  from: Float32Array,
  gridWidth: number,
  gridHeight: number,
): Float32Array {
  const { architecture } = model;
  const [side, , cin, cout] = weightShape(architecture, layer);
  const weights = model.parameters.get(`${layer.name}.w`)!;
  const input = sizeAt(architecture, layer.from, gridWidth, gridHeight);
  const output = sizeAt(architecture, layer.to, gridWidth, gridHeight);
  const result = new Float32Array(output.width * output.height * cout);
  const sums = new Float64Array(cout);
  const add = (ix: number, iy: number, row: number, column: number): void => {
    if (ix < 0 || iy < 0 || ix >= input.width || iy >= input.height) return;
    const base = (iy * input.width + ix) * cin;
    let w = (row * side + column) * cin * cout;
    for (let i = 0; i < cin; i++, w += cout) {
      const value = from[base + i]!;
      if (value === 0) continue;
      for (let o = 0; o < cout; o++) sums[o]! += value * weights[w + o]!;
    }
  };
  for (let y = 0; y < output.height; y++) {
    for (let x = 0; x < output.width; x++) {
      sums.fill(0);
      if (layer.kind === 'up2x2') add(x >> 1, y >> 1, y & 1, x & 1);
      else {
        const left = layer.kind === 'conv3x3' ? x - 1 : 2 * x;
        const top = layer.kind === 'conv3x3' ? y - 1 : 2 * y;
        for (let row = 0; row < side; row++)
          for (let column = 0; column < side; column++) add(left + column, top + row, row, column);
      }
      result.set(sums, (y * output.width + x) * cout);
    }
  }
  return result;
}

function cropOutput(values: Float32Array, gridWidth: number, width: number, height: number): Float32Array {
  const result = new Float32Array(width * height * OUTPUT_CHANNELS);
  for (let y = 0; y < height; y++) {
    const row = y * gridWidth * OUTPUT_CHANNELS;
    result.set(values.subarray(row, row + width * OUTPUT_CHANNELS), y * width * OUTPUT_CHANNELS);
  }
  for (let i = 0; i < result.length; i++) {
    if (i % OUTPUT_CHANNELS >= COEFFICIENTS)
      result[i] = Math.min(LOG_VARIANCE_MAX, Math.max(LOG_VARIANCE_MIN, result[i]!));
  }
  return result;
}
