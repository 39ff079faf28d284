import { isToldSigma, type Architecture } from '../architecture.js';
import type { Statistics } from '../weights.js';

/** A tensor's quantisation: value = scale · integer, integer in −(2^(bits−1) − 1) .. 2^(bits−1) − 1. */
export interface TensorScale {
  scale: number;
  bits: number;
}

/** One layer in integers. */
export interface IntegerLayer {
  /** [row, column, in, out] as in the architecture. */
  weights: Int16Array;
  /** Real weight = weightScale[out] · integer. */
  weightScale: Float32Array;
  /** In real units, before gamma. */
  bias: Float32Array;
}

/**
 * Pairs of a quality and the sigma code of level 0 at which its files end; qualities rise up to 100, codes fall. In between the
 * code is interpolated.
 */
export type QualityTable = readonly (readonly [quality: number, code: number])[];

/** Bytes of a model's id. */
export const MODEL_ID_BYTES = 4;

/** The network that ships: integer weights and the scales of every tensor. Made by `quantise`, stored in a `.dcm` file. */
export interface IntegerModel {
  /** First MODEL_ID_BYTES bytes of the digest that ends the model file, in hexadecimal. */
  id: string;
  architecture: Architecture;
  statistics: Statistics;
  /** By tensor name; the tensor `out` has none, its values are read as floats. */
  tensors: Map<string, TensorScale>;
  /** By layer name. */
  layers: Map<string, IntegerLayer>;
  /** cond.w1, cond.b1, cond.w2, cond.b2 in float32 (evaluated in doubles, fixed order). */
  conditioning: { w1: Float32Array; b1: Float32Array; w2: Float32Array; b2: Float32Array };
  /** What qualities mean for this network; default: `DEFAULT_QUALITY_TABLE` of the codec. */
  quality?: QualityTable;
  /** Whether its files measure every level straight; default: where the network is not told sigma. */
  straight?: boolean;
  /** Id of the model that computes the steps, where this one only shows the picture: see `JoinedEvaluator`. */
  path?: string;
  /** The network that shows level 0, where this one only codes it; it is of one network, without `path`. */
  shows?: IntegerModel;
  /**
   * The network that details of levels ≥ 1 are measured by, and that tells what they are where they are not; of one network,
   * without `path`. Its own `prior` is not used.
   */
  coarse?: IntegerModel;
}

/** Whether the files of a model measure every level straight at its final sigma, unless one asks for another schedule. */
export function isStraight({ straight, architecture }: Pick<IntegerModel, 'straight' | 'architecture'>): boolean {
  return straight ?? !isToldSigma(architecture.conditioning);
}
