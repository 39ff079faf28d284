/**
 * The integer arithmetic of the network: everything here defines the format, since encoder and decoder must find the
 * same numbers to the last bit. A change is a new format version.
 *
 *   sum   Σ weight · input over the receptive field, exact in int32 (`sumLimit` guarantees that it fits)
 *   y     ⌊sum · m / 2^16⌋ + b, with a skip connection + ⌊skip · f / 2^r⌋, in units of 2^-shift; b holds half a unit
 *   out   ⌊y / 2^shift⌋ clamped to lowest..limit (lowest = 0 with ReLU, else −limit)
 *
 * No product or sum leaves int32 (see `scaledProduct`), so that units without 64-bit integers and without exact floats
 * can follow, as those of GPUs. m, b, f, r and shift come from doubles, once for a condition.
 */
import { DcompError } from '../../errors.js';
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

/** Largest factor of a sum, largest factor of a skip connection, largest summand, largest shift: y then stays in int32. */
export const MAX_FACTOR = 32767;
const MAX_SKIP_FACTOR = 2 ** 14;
const MAX_SUMMAND = 2 ** 29 - 2 ** 15;
const MAX_SHIFT = 14;

/** Name of the network's result. It has no scale of its own: its integers count OUTPUT_UNIT, and have 16 bits. */
export const OUTPUT_TENSOR = 'out';
/** Corrections are standard deviations, log variances octaves: 0.001 of either costs nothing, and ±32 holds what occurs. */
export const OUTPUT_UNIT = 2 ** -10;
const OUTPUT_BITS = 16;
export const INPUT_TENSOR = 'input';

/** Largest magnitude of an integer activation of that many bits. */
export function clampLimit(bits: number): number {
  return 2 ** (bits - 1) - 1;
}

/**
 * Largest permitted sum of |weight| over the receptive field of an output: times the inputs' limit it stays below
 * 2^31 − 2^15, which leaves room for the rounding of `scaledProduct`.
 */
export function sumLimit(inputBits: number): number {
  return Math.floor((2 ** 31 - 2 ** 15 - 1) / clampLimit(inputBits));
}

/**
 * ⌊a · m / 2^16⌋, in int32 alone: with h = (a + 2^15) >> 16 and l = a − 2^16 · h, a number of 16 bits, it is
 * h · m + ((l · m) >> 16).
 * @param a below 2^31 − 2^15 in magnitude @param m within ±MAX_FACTOR
 */
export function scaledProduct(a: number, m: number): number {
  return Math.floor((a * m) / 65536);
}

/** Nearest integer, ties to even; also the rounding of f32x4.nearest. @param x any number below 2^52 in magnitude */
export function roundToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest < 0.5) return floor;
  if (rest > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** What one evaluation needs of a layer besides its weights, all integers. */
export interface LayerConstants {
  /** Factor of the sum, by output channel: within ±MAX_FACTOR, in units of 2^-(16 + shift). */
  m: Int16Array;
  /** Summand, by output channel, in units of 2^-shift, the half of rounding included. */
  b: Int32Array;
  /** 0..MAX_SHIFT. */
  shift: number;
  /** Factor of the skip connection in units of 2^-(shift + skipShift), 0..MAX_SKIP_FACTOR; 0 without one. */
  skip: number;
  /** 0..MAX_SHIFT. */
  skipShift: number;
  /** Lower and upper clamp. */
  lowest: number;
  limit: number;
}

/**
 * Scale and shift of every conditioned layer for a condition, in the order of `conditioningLength`: gamma and beta of
 * the first conditioned layer, then of the second, and so on. Doubles, sums in ascending order starting from the bias;
 * the shift of a class comes last.
 * @throws DcompError E_USAGE for a shift of another length
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
    const value = inner[j]!;
    if (value <= 0) continue;
    for (let k = 0; k < count; k++) result[k]! += value * conditioning.w2[j * count + k]!;
  }
  const { shift } = condition;
  if (shift === undefined) return result;
  if (shift.length !== count)
    throw new DcompError(
      'E_USAGE',
      `evaluate: a shift of ${shift.length} numbers; the model has ${count} gammas and betas`,
    );
  for (let k = 0; k < count; k++) result[k]! += shift[k]!;
  return result;
}

/** Constants of every layer for a condition, in the order of the layers. */
export function layerConstants(model: IntegerModel, condition: Condition): LayerConstants[] {
  const { architecture } = model;
  const modulation = conditioningOutput(model, condition);
  let at = 0;
  return architecture.layers.map((layer) => {
    if (!layer.conditioned) return constantsOf(model, layer);
    const { channels } = tensorOf(architecture, layer.to);
    at += 2 * channels;
    return constantsOf(model, layer, modulation.subarray(at - 2 * channels, at));
  });
}

/** @param modulation gammas, then betas; none where the layer is not conditioned */
function constantsOf(model: IntegerModel, layer: Layer, modulation?: Float64Array): LayerConstants {
  const { weightScale, bias } = model.layers.get(layer.name)!;
  const from = model.tensors.get(layer.from)!;
  const output = layer.to === OUTPUT_TENSOR;
  const { scale, bits } = output ? { scale: OUTPUT_UNIT, bits: OUTPUT_BITS } : model.tensors.get(layer.to)!;
  const channels = bias.length;
  const factors = new Float64Array(channels);
  const summands = new Float64Array(channels);
  let most = 0;
  for (let o = 0; o < channels; o++) {
    const gamma = modulation === undefined ? 0 : modulation[o]!;
    const beta = modulation === undefined ? 0 : modulation[channels + o]!;
    factors[o] = ((weightScale[o]! * from.scale) / scale) * (1 + gamma);
    summands[o] = (bias[o]! * (1 + gamma) + beta) / scale;
    most = Math.max(most, Math.abs(factors[o]!));
  }
  const skip = layer.add === undefined ? 0 : model.tensors.get(layer.add)!.scale / scale;
  const shift = shiftWithin(MAX_FACTOR, 2 ** 16 * most);
  const skipShift = shiftWithin(MAX_SKIP_FACTOR, skip * 2 ** shift);
  const limit = clampLimit(bits);
  const half = (2 ** shift) >> 1;
  const m = new Int16Array(channels);
  const b = new Int32Array(channels);
  for (let o = 0; o < channels; o++) {
    m[o] = rounded(factors[o]! * 2 ** (16 + shift), MAX_FACTOR);
    b[o] = rounded(summands[o]! * 2 ** shift, MAX_SUMMAND) + half;
  }
  return {
    m,
    b,
    shift,
    skip: rounded(skip * 2 ** (shift + skipShift), MAX_SKIP_FACTOR),
    skipShift,
    lowest: layer.relu ? 0 : -limit,
    limit,
  };
}

/** The finest units, of 2^-result, in which x stays within a limit; 0 where there are none. */
function shiftWithin(limit: number, x: number): number {
  let shift = MAX_SHIFT;
  while (shift > 0 && x * 2 ** shift > limit) shift--;
  return shift;
}

/** To the nearest integer, halves up, within ±limit. */
function rounded(x: number, limit: number): number {
  return Math.min(limit, Math.max(-limit, Math.floor(x + 0.5)));
}

/** Observed values enter the network as integers in units of 2^-INPUT_FRACTION, within ±INPUT_VALUE_LIMIT of them. */
export const INPUT_FRACTION = 12;
export const INPUT_VALUE_LIMIT = 2 ** 30;
/** 2^4 times the largest gain is the coarsest unit that gains are stored in: then their products are shifted right, if at all. */
const MIN_GAIN_SHIFT = 4;

/**
 * How codes turn observations into the network's input tensor. The integer of channel c is, with v the observed value in
 * units of 2^-INPUT_FRACTION (nearest, ties to even, clamped): (scaledProduct(v, gain) + half) >> shift, clamped to ±limit.
 */
export interface InputTables {
  /** [code][channel], 256 × 12: within 0..MAX_FACTOR. */
  gain: Int16Array;
  /** 0..MAX_SHIFT, and 2^(shift − 1), or 0. */
  shift: number;
  half: number;
  /** By code: integer of channel 12 + c. */
  feature: Int16Array;
  limit: number;
}

/** Tables of a model; they depend on its input scales only. */
export function inputTables(model: Pick<IntegerModel, 'statistics' | 'tensors'>): InputTables {
  const { scale, bits } = model.tensors.get(INPUT_TENSOR)!;
  const limit = clampLimit(bits);
  const gains = new Float64Array(256 * COEFFICIENTS);
  const feature = new Int16Array(256);
  for (let code = 0; code < 256; code++) {
    for (let c = 0; c < COEFFICIENTS; c++)
      gains[code * COEFFICIENTS + c] = inputGain(code, model.statistics.inputScale[c]!) / scale;
    const value = roundToEven(logSigmaFeature(code) / scale);
    feature[code] = Math.min(limit, Math.max(-limit, value));
  }
  const shift = shiftWithin(MAX_FACTOR, 2 ** MIN_GAIN_SHIFT * gains.reduce((most, gain) => Math.max(most, gain), 0));
  const gain = new Int16Array(gains.map((each) => rounded(each * 2 ** (MIN_GAIN_SHIFT + shift), MAX_FACTOR)));
  return { gain, shift, half: (2 ** shift) >> 1, feature, limit };
}

/** Grid padded on the right and bottom to a multiple of the architecture's coarsest scale. */
export function paddedSize(size: number, multiple: number): number {
  return Math.ceil(size / multiple) * multiple;
}
