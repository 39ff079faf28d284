/** The training graph, evaluated on one observation as `Evaluator` and `floatForward` are. */
import * as tf from '@tensorflow/tfjs-core';
import { COEFFICIENTS, INPUT_CHANNELS, OUTPUT_CHANNELS } from '../model/architecture.js';
import type { Request } from '../model/float-forward.js';
import { LOG_VARIANCE_MAX, LOG_VARIANCE_MIN, conditioningInput, inputGain, logSigmaFeature } from '../model/inputs.js';
import { parameterSpecs, type FloatModel } from '../model/weights.js';
import type { Network } from './export.js';
import { forward } from './graph.js';

/** On the backend that was started. Sides of the grid must be multiples of the network's; in float32. */
export function graphNetwork(model: FloatModel): Network {
  const { architecture } = model;
  const parameters = new Map(
    parameterSpecs(architecture).map(({ name, shape }) => [name, tf.tensor(model.parameters.get(name)!, shape)]),
  );
  return async (request) => {
    const { width, height, condition } = request;
    const features = conditioningInput(architecture.conditioning, condition);
    const output = tf.tidy(() => {
      const input = tf.tensor4d(inputOf(model, request), [1, height, width, INPUT_CHANNELS]);
      return forward(
        architecture,
        parameters,
        input,
        tf.tensor2d(Float32Array.from(features), [1, features.length]),
        false,
      ).dataSync<'float32'>();
    });
    return output.map((value, i) =>
      i % OUTPUT_CHANNELS < COEFFICIENTS ? value : Math.min(LOG_VARIANCE_MAX, Math.max(LOG_VARIANCE_MIN, value)),
    );
  };
}

function inputOf({ statistics }: FloatModel, { z, codes }: Request): Float32Array {
  const values = new Float32Array(2 * z.length);
  for (let i = 0; i < z.length; i++) {
    const c = i % COEFFICIENTS;
    const o = 2 * (i - c) + c;
    values[o] = z[i]! * inputGain(codes[i]!, statistics.inputScale[c]!);
    values[o + COEFFICIENTS] = logSigmaFeature(codes[i]!);
  }
  return values;
}
