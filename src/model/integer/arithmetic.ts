/**
 * The integer arithmetic of the network: everything here defines the format, since encoder and decoder must find the
 * same numbers to the last bit. A change is a new format version.
 *
 *   sum   Σ weight · input over the receptive field, exact in int32 (`sumLimit` guarantees that it fits)
 *   y     fround(fround(sum) · m), then fround(y + b), then with a skip connection fround(y + fround(fround(skip) · ms))
 *   out   y clamped to lowest..limit (lowest = 0 with ReLU, else −limit), rounded to nearest, ties to even
 *
 * Multiply and add are rounded apart (no fused multiply-add), in IEEE float32: SIMD units and Math.fround agree.
 */
import { COEFFICIENTS, conditioningFeatures, conditioningLength, tensorOf, type Layer } from '../architecture.js';
import { conditioningInput, inputGain, logSigmaFeature, type Condition } from '../inputs.js';
import type { IntegerModel } from './integer-model.js';

/** Bits of an activation. 12 keep the loss by quantisation at 0.01 dB and let weights have 20 bits of sum. */
export const ACTIVATION_BITS = 12;

/** Bits of the network's input, which feeds few products and carries the picture itself: finer for hardly any cost. */
export const INPUT_BITS = 14;

/** A tensor may have 2 to 16 bits: it is stored in int16. */
export const MIN_BITS = 2;
export const MAX_BITS = 16;

/** Largest magnitude of a weight: int16 without −32768, so that a pair of products never overflows. */
export const WEIGHT_LIMIT = 32767;

/** Constants m, b and ms are clamped to ±2^60: sums stay finite floats, so no NaN can arise, whatever a model holds. */
export const FACTOR_LIMIT = 2 ** 60;

/** Name of the one tensor that isn't quantised: the network's result, read as floats. */
export const OUTPUT_TENSOR = 'out';
export const INPUT_TENSOR = 'input';

/** Largest magnitude of an integer activation of that many bits. */
export function clampLimit(bits: number): number {
  return 2 ** (bits - 1) - 1;
}

/** Largest permitted sum of |weight| over the receptive field of an output: times the inputs' limit it stays below 2^31. */
export function sumLimit(inputBits: number): number {
  return Math.floor((2 ** 31 - 1) / clampLimit(inputBits));
}

/** Nearest integer, ties to even; also the rounding of f32x4.nearest. @param x any number below 2^52 in magnitude */
export function roundToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest < 0.5) return floor;
  if (rest > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** What one evaluation needs of a layer besides its weights, all in float32. */
export interface LayerConstants {
  /** Factor of the sum, by output channel. */
  m: Float32Array;
  /** Summand, by output channel. */
  b: Float32Array;
  /** Factor of the skip connection; 0 without one. */
  skip: number;
  /** Lower and upper clamp. */
  lowest: number;
  limit: number;
}

/**
 * Scale and shift of every conditioned layer for a condition, in the order of `conditioningLength`: gamma and beta of
 * the first conditioned layer, then of the second, and so on. Doubles, sums in ascending order starting from the bias.
 */
export function conditioningOutput(
  model: Pick<IntegerModel, 'architecture' | 'conditioning'>,
  condition: Condition,
): Float64Array {
  const { architecture, conditioning } = model;
  const { hidden } = architecture.conditioning;
  const features = conditioningInput(architecture.conditioning, condition);
  const count = conditioningLength(architecture);
  const inner = Float64Array.from(conditioning.b1);
  for (let i = 0; i < conditioningFeatures(architecture.conditioning); i++) {
    for (let j = 0; j < hidden; j++) inner[j]! += features[i]! * conditioning.w1[i * hidden + j]!;
  }
  const result = Float64Array.from(conditioning.b2);
  for (let j = 0; j < hidden; j++) {
    const value = Math.max(0, inner[j]!);
    for (let k = 0; k < count; k++) result[k]! += value * conditioning.w2[j * count + k]!;
  }
  return result;
}

/** Constants of every layer for a condition, in the order of the layers. */
export function layerConstants(model: IntegerModel, condition: Condition): LayerConstants[] {
  const { architecture } = model;
  const modulation = conditioningOutput(model, condition);
  let at = 0;
  return architecture.layers.map((layer) => {
    const channels = tensorOf(architecture, layer.to).channels;
    const constants = constantsOf(model, layer, (o) => ({
      gamma: layer.conditioned ? modulation[at + o]! : 0,
      beta: layer.conditioned ? modulation[at + channels + o]! : 0,
    }));
    if (layer.conditioned) at += 2 * channels;
    return constants;
  });
}

function constantsOf(
  model: IntegerModel,
  layer: Layer,
  modulation: (o: number) => { gamma: number; beta: number },
): LayerConstants {
  const { weightScale, bias } = model.layers.get(layer.name)!;
  const from = model.tensors.get(layer.from)!;
  const to = layer.to === OUTPUT_TENSOR ? undefined : model.tensors.get(layer.to)!;
  const scale = to === undefined ? 1 : to.scale;
  const m = new Float32Array(bias.length);
  const b = new Float32Array(bias.length);
  for (let o = 0; o < bias.length; o++) {
    const { gamma, beta } = modulation(o);
    m[o] = factor(((weightScale[o]! * from.scale) / scale) * (1 + gamma));
    b[o] = factor((bias[o]! * (1 + gamma) + beta) / scale);
  }
  const limit = to === undefined ? Infinity : clampLimit(to.bits);
  const skip = layer.add === undefined ? 0 : factor(model.tensors.get(layer.add)!.scale / scale);
  return { m, b, skip, lowest: layer.relu ? 0 : -limit, limit };
}

function factor(x: number): number {
  return Math.fround(Math.min(FACTOR_LIMIT, Math.max(-FACTOR_LIMIT, x)));
}

/** How codes turn observations into the network's input tensor. */
export interface InputTables {
  /** [code][channel], 256 × 12: integer of channel c = roundToEven(fround(z · gain)), clamped. */
  gain: Float32Array;
  /** By code: integer of channel 12 + c. */
  feature: Int16Array;
  limit: number;
}

/** Tables of a model; they depend on its input scales only. */
export function inputTables(model: Pick<IntegerModel, 'statistics' | 'tensors'>): InputTables {
  const { scale, bits } = model.tensors.get(INPUT_TENSOR)!;
  const limit = clampLimit(bits);
  const gain = new Float32Array(256 * COEFFICIENTS);
  const feature = new Int16Array(256);
  for (let code = 0; code < 256; code++) {
    for (let c = 0; c < COEFFICIENTS; c++) {
      gain[code * COEFFICIENTS + c] = factor(inputGain(code, model.statistics.inputScale[c]!) / scale);
    }
    const value = roundToEven(logSigmaFeature(code) / scale);
    feature[code] = Math.min(limit, Math.max(-limit, value));
  }
  return { gain, feature, limit };
}

/** Grid padded on the right and bottom to a multiple of the architecture's coarsest scale. */
export function paddedSize(size: number, multiple: number): number {
  return Math.ceil(size / multiple) * multiple;
}
