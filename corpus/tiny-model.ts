/**
 * A model for the tests of the codec: quick, the same everywhere, and independent of the trained one. A small network with
 * random weights whose output is so quiet that the posterior is nearly the optimal linear estimate: it codes badly, but by
 * the same rules as any other model, and more bits still mean a better picture.
 */
import { uNet, type ConditioningSpec } from '../src/model/architecture.js';
import { OUTPUT_TENSOR } from '../src/model/integer/arithmetic.js';
import type { Evaluator } from '../src/model/evaluator.js';
import { createEvaluator } from '../src/model/wasm/engine.js';
import type { IntegerModel } from '../src/model/integer/integer-model.js';
import { readModelFile, writeModelFile } from '../src/model/integer/model-file.js';
import { randomModel } from './random-model.js';

/** Standard deviations of photographs' coefficients, rounded: the same for all levels but the gain of the details. */
const LL = [220, 54, 77];
const DETAILS = [26, 5, 6, 26, 5, 6, 13, 2.5, 3];
const LEVELS = 5;

/**
 * @param told what the network's condition says, see `ConditioningSpec`
 * @param straight whether its files measure every level straight; default: as of any model
 */
export function tinyModelFile(
  told: Pick<ConditioningSpec, 'sigma' | 'classes'> = {},
  straight?: boolean,
  seed = 1,
): Uint8Array {
  const model = randomModel(uNet([8, 8, 8, 8], 8, LEVELS, undefined, told), seed);
  const prior = Float32Array.from({ length: LEVELS * 12 }, (_, i) => {
    const c = i % 12;
    return c < 3 ? LL[c]! : DETAILS[c - 3]! * (1 + 0.15 * Math.floor(i / 12));
  });
  const out = model.layers.get(OUTPUT_TENSOR)!;
  // About 0.05 standard deviations of the correction, 0.05 octaves of the variance.
  const quiet = {
    ...out,
    weightScale: out.weightScale.map((scale) => scale * 0.03),
    bias: out.bias.map((bias) => bias * 0.3),
  };
  const layers = new Map([...model.layers, [OUTPUT_TENSOR, quiet]]);
  const path = straight === undefined ? {} : { straight };
  return writeModelFile({ ...model, ...path, layers, statistics: { ...model.statistics, prior } });
}

export function tinyModel(): IntegerModel {
  return readModelFile(tinyModelFile());
}

const shared = await createEvaluator(tinyModel());

/** One evaluator on the calling thread for all tests of a file. */
export function tinyEvaluator(): Evaluator {
  return shared;
}
