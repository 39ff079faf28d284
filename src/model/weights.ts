import {
  COEFFICIENTS,
  conditioningFeatures,
  conditioningLength,
  weightShape,
  type Architecture,
} from './architecture.js';

/** Name, shape and initial spread of one array of trained numbers. */
export interface ParameterSpec {
  name: string;
  shape: number[];
}

/**
 * Every trained array of an architecture, in the order in which checkpoints and model files hold them:
 * for each layer `NAME.w` [row, column, in, out] and `NAME.b` [out]; then the conditioning `cond.w1` [features, hidden],
 * `cond.b1`, `cond.w2` [hidden, gamma/beta], `cond.b2`.
 */
export function parameterSpecs(architecture: Architecture): ParameterSpec[] {
  const specs: ParameterSpec[] = [];
  for (const layer of architecture.layers) {
    const shape = weightShape(architecture, layer);
    specs.push({ name: `${layer.name}.w`, shape }, { name: `${layer.name}.b`, shape: [shape[3]] });
  }
  const { hidden } = architecture.conditioning;
  const features = conditioningFeatures(architecture.conditioning);
  const n = conditioningLength(architecture);
  specs.push({ name: 'cond.w1', shape: [features, hidden] }, { name: 'cond.b1', shape: [hidden] });
  specs.push({ name: 'cond.w2', shape: [hidden, n] }, { name: 'cond.b2', shape: [n] });
  return specs;
}

/** Where each array lies among the flat parameters, in their order. */
export function parameterPlaces(architecture: Architecture): (ParameterSpec & { offset: number; length: number })[] {
  let end = 0;
  return parameterSpecs(architecture).map((spec) => {
    const length = spec.shape.reduce((a, b) => a * b, 1);
    end += length;
    return { ...spec, offset: end - length, length };
  });
}

/** Statistics of the training set that the network's input and output are normalised with; part of the model. */
export interface Statistics {
  /** Standard deviation of each coefficient channel by level: levels × 12, row-major. The prior of an unknown coefficient. */
  prior: Float32Array;
  /** Divisor scale of the network's input by channel: input = z / sqrt(sigma² + inputScale²). */
  inputScale: Float32Array;
}

/** Input normaliser of a new model: LL 24, 10, 10; details 8, 4, 4. */
export const DEFAULT_INPUT_SCALE = Float32Array.from([24, 10, 10, 8, 4, 4, 8, 4, 4, 8, 4, 4]);

/** A trained network in floats: what a checkpoint holds and what the integer model is made from. */
export interface FloatModel {
  architecture: Architecture;
  statistics: Statistics;
  parameters: Map<string, Float32Array>;
}

/** Row of `statistics.prior` for a level; coarser levels than the model tells apart share the last. */
export function priorOf(architecture: Architecture, statistics: Statistics, level: number): Float32Array {
  const row = Math.min(level, architecture.conditioning.levels - 1);
  return statistics.prior.subarray(row * COEFFICIENTS, (row + 1) * COEFFICIENTS);
}
