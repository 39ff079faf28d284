import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DcompError } from '../src/errors.js';
import { uNet, weightShape } from '../src/model/architecture.js';
import { sumLimit } from '../src/model/integer/arithmetic.js';
import { absoluteSums } from '../src/model/integer/check-model.js';
import { createEvaluator } from '../src/model/wasm/engine.js';
import { floatForward, type Request } from '../src/model/float-forward.js';
import type { Condition } from '../src/model/inputs.js';
import {
  DEFAULT_COARSENESS,
  LEAST_COARSENESS,
  MOST_COARSENESS,
  quantise,
  tensorRanges,
} from '../src/model/integer/quantise.js';
import { gaussian, randomFloatModel } from '../corpus/random-model.js';
import { assertLimited } from './helpers/limited.js';

function requests(seed: number, count: number, width: number, height: number): Request[] {
  const next = gaussian(seed);
  return Array.from({ length: count }, (_, i) => {
    const sigma = 90 + 17 * i;
    const z = new Float32Array(width * height * 12).map(() => 20 * next());
    const condition: Condition = { level: i % 3, sigma, mode: i % 2 === 0 ? 'refine' : 'enter' };
    return { z, codes: new Uint8Array(z.length).fill(sigma), width, height, condition };
  });
}

test('float and integer outputs agree within quantisation', async () => {
  for (const [seed, channels, coarseness, most] of [
    // 12 bits over a range of about 5 standard deviations are a noise of 0.0007 a layer; there are up to 17 layers.
    [1, [8], 16, 0.005],
    [2, [16, 24], 16, 0.005],
    [3, [8, 12, 20], 16, 0.005],
    // Weights of half a dozen bits have more.
    [3, [8, 12, 20], undefined, 0.02],
    [3, [8, 12, 20], 256, 0.04],
  ] as const) {
    const model = randomFloatModel(uNet(channels, 8, 3), seed);
    const evaluator = await createEvaluator(quantise(model, requests(seed, 4, 32, 16), coarseness));
    for (const { z, codes, width, height, condition } of requests(seed + 10, 3, 9, 7)) {
      const expected = floatForward(model, { z, codes, width, height, condition });
      const result = await evaluator.evaluate(z, codes, width, height, condition);
      let error = 0;
      let power = 0;
      expected.forEach((value, i) => {
        error += (value - result[i]!) ** 2;
        power += value ** 2;
      });
      const relative = Math.sqrt(error / power);
      assert.ok(relative < most, `channels ${channels.join()}, coarseness ${coarseness}: relative error ${relative}`);
    }
  }
});

test('weights are the stated share of what the sum rule allows, those of the ends a sixteenth', () => {
  const model = randomFloatModel(uNet([24, 32], 8, 3), 4);
  for (const coarseness of [LEAST_COARSENESS, DEFAULT_COARSENESS, MOST_COARSENESS]) {
    const integer = quantise(model, requests(1, 1, 4, 4), coarseness);
    for (const layer of model.architecture.layers) {
      const { weights } = integer.layers.get(layer.name)!;
      const share = layer.name === 'in' || layer.name === 'out' ? LEAST_COARSENESS : coarseness;
      const limit = sumLimit(integer.tensors.get(layer.from)!.bits) / share;
      const fields = absoluteSums(layer, weightShape(model.architecture, layer), weights);
      const worst = Math.max(...fields.map((sums) => Math.max(...sums)));
      const peak = weights.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
      // Room is left for what rounding may add, half a unit for each of up to 288 weights.
      const least = 0.98 * limit - 144;
      assert.ok(worst <= limit);
      assert.ok(worst > least || peak > 0.98 * (32767 / share), `${layer.name}: ${worst} of ${limit}, peak ${peak}`);
    }
  }
});

test('weights of any size can be quantised, or are refused where their activations leave all bounds', () => {
  const settings = fc.record({
    seed: fc.integer(),
    gain: fc.constantFrom(0, 1e-9, 1e-6, 1, 50, 1e20),
    sparse: fc.boolean(),
  });
  assertLimited(
    fc.property(settings, ({ seed, gain, sparse }) => {
      const model = randomFloatModel(uNet([3, 5], 4, 2), seed);
      for (const [name, values] of model.parameters) {
        if (!name.startsWith('cond'))
          values.forEach((value, i) => (values[i] = sparse && i % 7 !== 0 ? 0 : gain * value));
      }
      try {
        assert.match(quantise(model, requests(seed, 1, 3, 3)).id, /^[0-9a-f]{8}$/);
      } catch (error) {
        assert.ok(gain > 1e3 && error instanceof DcompError && error.code === 'E_DAMAGED_MODEL', String(error));
      }
    }),
    { numRuns: 40 },
  );
});

test('NaN among the weights and an empty calibration are refused', () => {
  const model = randomFloatModel(uNet([8], 4, 2), 1);
  const code =
    (expected: string) =>
    (error: unknown): boolean =>
      error instanceof DcompError && error.code === expected;
  assert.throws(() => quantise(model, []), code('E_USAGE'));
  model.parameters.get('in.w')![5] = NaN;
  assert.throws(() => quantise(model, requests(1, 1, 3, 3)), code('E_DAMAGED_MODEL'));
});

test('ranges: the quantile lies below the maximum and above nearly all values', () => {
  const model = randomFloatModel(uNet([8], 4, 2), 1);
  const ranges = tensorRanges(model, requests(1, 2, 16, 16));
  for (const { maximum, quantile } of ranges.values()) assert.ok(quantile <= maximum && quantile > 0.4 * maximum);
  assert.ok(!ranges.has('out'));
});
