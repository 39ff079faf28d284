/** From a trained network in floats to the integer network that ships. */
import { DcompError } from '../../errors.js';
import { weightShape, type Layer } from '../architecture.js';
import {
  ACTIVATION_BITS,
  INPUT_BITS,
  INPUT_TENSOR,
  OUTPUT_TENSOR,
  WEIGHT_LIMIT,
  clampLimit,
  roundToEven,
  sumLimit,
} from './arithmetic.js';
import { MAX_SCALE_FACTOR, absoluteSums, checkModel, damaged } from './check-model.js';
import { floatForward, type Request } from '../float-forward.js';
import type { IntegerLayer, IntegerModel, TensorScale } from './integer-model.js';
import { modelId, writeModelFile } from './model-file.js';
import type { FloatModel } from '../weights.js';

/** Share of a tensor's values that its range is to hold for certain. */
const QUANTILE = 0.99999;
/** Room above that quantile, for pictures unlike those of the calibration; what lies beyond saturates. */
const QUANTILE_MARGIN = 1.5;
/** Room above the greatest value seen, where that is less. */
const MAXIMUM_MARGIN = 1.15;

/**
 * So many times as coarse as int16 and the sum rule allow are the weights, each doubling saving a bit a weight in the model's file.
 * At 128 that costs `small` 0.05 % of the bits and `large` 0.2 %, at 256 0.13 % and 1 %; at 16 it is lost in what integers cost.
 */
export const DEFAULT_COARSENESS = 128;
export const LEAST_COARSENESS = 16;
export const MOST_COARSENESS = 256;

/** Finest scale: what is smaller than that counts as zero. */
const MIN_SCALE = 1 / MAX_SCALE_FACTOR;

/**
 * Quantises a network.
 * @param calibration evaluations like those that the network will meet: every level, mode and a spread of sigmas. They
 *   determine the scales of the activations; 20 grids of 64×64 are plenty.
 * @param coarseness of the weights, LEAST_COARSENESS to MOST_COARSENESS; the first and the last layer, which have few, have the least
 * @throws DcompError E_USAGE without calibration, E_DAMAGED_MODEL for weights that cannot be quantised (NaN, huge)
 */
export function quantise(
  model: FloatModel,
  calibration: readonly Request[],
  coarseness = DEFAULT_COARSENESS,
): IntegerModel {
  if (calibration.length === 0)
    throw new DcompError('E_USAGE', 'quantise: the calibration is empty; pass at least one evaluation');
  checkFinite(model);
  const tensors = tensorScales(tensorRanges(model, calibration));
  const layers = new Map(
    model.architecture.layers.map((layer) => [
      layer.name,
      quantiseLayer(model, layer, tensors.get(layer.from)!.bits, coarseness),
    ]),
  );
  const array = (name: string): Float32Array => Float32Array.from(model.parameters.get(name)!);
  const content: Omit<IntegerModel, 'id'> = {
    architecture: model.architecture,
    statistics: model.statistics,
    tensors,
    layers,
    conditioning: { w1: array('cond.w1'), b1: array('cond.b1'), w2: array('cond.w2'), b2: array('cond.b2') },
  };
  checkModel(content);
  return { id: modelId(writeModelFile(content)), ...content };
}

function checkFinite({ parameters }: FloatModel): void {
  for (const [name, values] of parameters) {
    const at = values.findIndex((value) => !Number.isFinite(value));
    if (at >= 0) damaged(`number ${at} of parameter '${name}' is ${values[at]}`);
  }
}

/** Histogram of magnitudes in 32 bins an octave, from 2^-24 to 2^24: enough for any quantile within 2 %. */
const BINS_PER_OCTAVE = 32;
const OCTAVES = 24;

/** Range of a tensor's magnitudes. */
export interface Range {
  maximum: number;
  /** The magnitude below which a share QUANTILE of the values lies. */
  quantile: number;
}

/** Ranges of every tensor but the output over some evaluations. */
export function tensorRanges(model: FloatModel, calibration: readonly Request[]): Map<string, Range> {
  const seen = new Map<string, { maximum: number; count: number; bins: Float64Array }>();
  for (const request of calibration) {
    floatForward(model, request, (tensor, values) => {
      if (tensor === OUTPUT_TENSOR) return;
      let entry = seen.get(tensor);
      if (entry === undefined)
        seen.set(tensor, (entry = { maximum: 0, count: 0, bins: new Float64Array(2 * OCTAVES * BINS_PER_OCTAVE) }));
      for (const value of values) {
        const magnitude = Math.abs(value);
        if (magnitude > entry.maximum) entry.maximum = magnitude;
        const bin = Math.floor((Math.log2(magnitude) + OCTAVES) * BINS_PER_OCTAVE);
        entry.bins[Math.min(entry.bins.length - 1, Math.max(0, bin))]!++;
      }
      entry.count += values.length;
    });
  }
  return new Map(
    [...seen].map(([tensor, { maximum, count, bins }]) => {
      let bin = bins.length - 1;
      for (let above = bins[bin]!; bin > 0 && above <= (1 - QUANTILE) * count; above += bins[bin]!) bin--;
      return [tensor, { maximum, quantile: Math.min(maximum, 2 ** ((bin + 1) / BINS_PER_OCTAVE - OCTAVES)) }];
    }),
  );
}

function tensorScales(ranges: Map<string, Range>): Map<string, TensorScale> {
  return new Map(
    [...ranges].map(([tensor, { maximum, quantile }]) => {
      const bits = tensor === INPUT_TENSOR ? INPUT_BITS : ACTIVATION_BITS;
      const range = Math.min(MAXIMUM_MARGIN * maximum, QUANTILE_MARGIN * quantile);
      // A tensor that is all zero in the calibration still needs a scale: any will do.
      return [tensor, { scale: range > 0 ? Math.fround(Math.max(range / clampLimit(bits), MIN_SCALE)) : 1, bits }];
    }),
  );
}

/** Weights by output channel. */
function quantiseLayer(model: FloatModel, layer: Layer, inputBits: number, inside: number): IntegerLayer {
  const shape = weightShape(model.architecture, layer);
  const real = model.parameters.get(`${layer.name}.w`)!;
  const cout = shape[3];
  const fields = absoluteSums(layer, shape, real);
  const isEnd = layer.from === INPUT_TENSOR || layer.to === OUTPUT_TENSOR;
  const coarseness = isEnd ? LEAST_COARSENESS : inside;
  // Rounding adds up to half a unit per weight of the receptive field.
  const budget = sumLimit(inputBits) / coarseness - real.length / cout / fields.length / 2 - 1;
  const weightScale = new Float32Array(cout);
  for (let o = 0; o < cout; o++) {
    let maximum = 0;
    for (let i = o; i < real.length; i += cout) maximum = Math.max(maximum, Math.abs(real[i]!));
    const least = (maximum * coarseness) / WEIGHT_LIMIT;
    const scale = fields.reduce((most, sums) => Math.max(most, sums[o]! / budget), least);
    // Enlarged by more than float32 rounds, so that rounding the scale cannot break the sum rule.
    weightScale[o] = scale > 0 ? Math.max(scale * (1 + 2 ** -22), MIN_SCALE) : 1;
  }
  const weights = new Int16Array(real.length);
  for (let i = 0; i < real.length; i++) weights[i] = roundToEven(real[i]! / weightScale[i % cout]!);
  return { weights, weightScale, bias: Float32Array.from(model.parameters.get(`${layer.name}.b`)!) };
}
