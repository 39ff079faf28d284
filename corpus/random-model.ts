/** Random networks for tests and measurements. */
import { COEFFICIENTS, weightShape, type Architecture } from '../src/model/architecture.js';
import {
  ACTIVATION_BITS,
  INPUT_BITS,
  INPUT_TENSOR,
  OUTPUT_TENSOR,
  clampLimit,
  sumLimit,
} from '../src/model/integer/arithmetic.js';
import { absoluteSums } from '../src/model/integer/check-model.js';
import type { IntegerLayer, IntegerModel } from '../src/model/integer/integer-model.js';
import { DEFAULT_INPUT_SCALE, parameterSpecs, type FloatModel } from '../src/model/weights.js';

/** Uniform numbers in 0..1 from a seed. */
export function uniform(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Standard normal numbers from a seed. */
export function gaussian(seed: number): () => number {
  const next = uniform(seed);
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** A float network with activations of order one. */
export function randomFloatModel(architecture: Architecture, seed: number): FloatModel {
  const next = gaussian(seed);
  const { levels } = architecture.conditioning;
  const parameters = new Map<string, Float32Array>();
  for (const { name, shape } of parameterSpecs(architecture)) {
    const inputs = shape.slice(0, -1).reduce((product, side) => product * side, 1);
    const spread = shape.length === 1 ? 0.1 : name === 'cond.w2' ? 0.3 / Math.sqrt(inputs) : 1 / Math.sqrt(inputs);
    parameters.set(
      name,
      new Float32Array(shape.reduce((product, side) => product * side, 1)).map(() => spread * next()),
    );
  }
  const prior = new Float32Array(levels * COEFFICIENTS).map(() => 20 + 10 * Math.abs(next()));
  return { architecture, statistics: { prior, inputScale: DEFAULT_INPUT_SCALE }, parameters };
}

/** The most that trained networks use of what the sum rule allows: see `LEAST_COARSENESS`. */
export const TRAINED_SHARE = 1 / 16;

/**
 * An integer network whose sums use the whole range that the sum rule allows, or a share of it.
 * @param loudness spread of the activations relative to their range: about 0.2 saturates hardly, 10 nearly always
 * @param bits of the activations by tensor
 * @param share of the sum rule; trained networks have TRAINED_SHARE
 */
export function randomModel(
  architecture: Architecture,
  seed: number,
  loudness = 0.2,
  bits?: (tensor: string) => number,
  share = 1,
): IntegerModel {
  const next = gaussian(seed);
  const float = randomFloatModel(architecture, seed);
  const bitsOf = bits ?? ((tensor: string) => (tensor === INPUT_TENSOR ? INPUT_BITS : ACTIVATION_BITS));
  const quantised = architecture.tensors.filter(({ name }) => name !== OUTPUT_TENSOR);
  const scale = (name: string): number => Math.fround(4 / clampLimit(bitsOf(name)));
  const tensors = new Map(quantised.map(({ name }) => [name, { scale: scale(name), bits: bitsOf(name) }]));
  const layers = new Map<string, IntegerLayer>();
  for (const layer of architecture.layers) {
    const shape = weightShape(architecture, layer);
    const real = new Float32Array(shape.reduce((product, side) => product * side, 1)).map(next);
    const weights = new Int16Array(real.length);
    const worst = Math.max(...absoluteSums(layer, shape, real).map((sums) => Math.max(...sums)));
    const peak = real.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const inputBits = tensors.get(layer.from)!.bits;
    const factor = Math.min(sumLimit(inputBits) / worst, 32767 / Math.max(peak, 1e-9)) * share;
    for (let i = 0; i < weights.length; i++) weights[i] = Math.trunc(real[i]! * factor);
    const weightScale = new Float32Array(shape[3]).fill(
      (8 * loudness) / factor / Math.sqrt(shape[0] * shape[1] * shape[2]),
    );
    layers.set(layer.name, { weights, weightScale, bias: new Float32Array(shape[3]).map(() => 0.1 * next()) });
  }
  const [w1, b1, w2, b2] = ['w1', 'b1', 'w2', 'b2'].map((name) => float.parameters.get(`cond.${name}`)!);
  const conditioning = { w1: w1!, b1: b1!, w2: w2!, b2: b2! };
  return { id: '00000000', architecture, statistics: float.statistics, tensors, layers, conditioning };
}
