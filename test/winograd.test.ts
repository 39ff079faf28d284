/** Layers by Winograd's tiles: the same numbers as the direct convolution, whatever the network, the size and the threads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_ARCHITECTURE, uNet, type Architecture, type Layer } from '../src/model/architecture.js';
import { clampLimit, sumLimit } from '../src/model/integer/arithmetic.js';
import { referenceEvaluate } from '../src/model/integer/reference.js';
import type { IntegerModel } from '../src/model/integer/integer-model.js';
import type { Condition } from '../src/model/inputs.js';
import { createEngine } from '../src/model/wasm/engine.js';
import { createThreadedEvaluator } from '../src/model/wasm/threads-node.js';
import { Filters, fitsWinograd } from '../src/model/wasm/filters.js';
import { randomArguments } from './helpers/random-network.js';
import { TRAINED_SHARE, randomModel, uniform } from '../corpus/random-model.js';

const CONDITION: Condition = { level: 0, sigma: 140, mode: 'refine' };

/** Layers of a model that tiles compute. */
function tiled(model: IntegerModel): Layer[] {
  const { architecture, layers, tensors } = model;
  const filters = new Filters(architecture);
  return architecture.layers.filter((layer) => {
    const limit = clampLimit(tensors.get(layer.from)!.bits);
    return fitsWinograd(architecture, layer, layers.get(layer.name)!.weights, limit, filters);
  });
}

test('whole networks by tiles equal them computed directly, on one thread and on three, of odd sizes too', async () => {
  for (const [architecture, width, height] of [
    [uNet([24, 48, 96, 96], 8, 2), 61, 43],
    [uNet([20, 7, 33], 8, 2), 90, 51],
    [DEFAULT_ARCHITECTURE, 35, 22],
  ] as const) {
    const model = randomModel(architecture, 5, 0.3, undefined, TRAINED_SHARE);
    const all = architecture.layers.filter(({ kind }) => kind === 'conv3x3');
    assert.deepEqual(tiled(model), all);
    const { z, codes } = randomArguments(7, width, height, 200);
    const direct = await createEngine(model, undefined, 'direct');
    const expected = Float32Array.from(await direct.evaluate(z, codes, width, height, CONDITION));
    assert.ok(new Set(expected).size > expected.length / 8, 'the network says something');
    for (const threads of [1, 3]) {
      const evaluator = await createThreadedEvaluator(model, { threads });
      for (let i = 0; i < 3; i++)
        assert.deepEqual(await evaluator.evaluate(z, codes, width, height, CONDITION), expected);
      await evaluator.close();
    }
  }
});

/** One layer of 3×3 from the input to the output, and what its weights are. */
function oneLayer(bits: number, fill: (i: number) => number): IntegerModel {
  const architecture: Architecture = {
    ...uNet([8], 4, 1),
    tensors: [
      { name: 'input', channels: 24, scale: 0 },
      { name: 'out', channels: 24, scale: 0 },
    ],
    layers: [{ name: 'out', kind: 'conv3x3', from: 'input', to: 'out', relu: false, conditioned: false }],
  };
  const model = randomModel(architecture, 1, 0.3, () => bits);
  const { weights } = model.layers.get('out')!;
  for (let i = 0; i < weights.length; i++) weights[i] = fill(i);
  return model;
}

test('tiles are exact at the edge of their integers, and are not used beyond it', async () => {
  const largest = (bits: number): number => Math.floor((2 ** 29 - 1) / clampLimit(bits) / 216);
  const next = uniform(3);
  for (const bits of [2, 9, 12, 14]) {
    const filters = Math.min(3640, largest(bits));
    for (const fill of [
      () => filters,
      () => -filters,
      (i: number) => ((Math.floor(i / 576) + Math.floor(i / 24)) % 2 === 0 ? filters : -filters),
      () => (next() < 0.5 ? filters : -filters),
    ]) {
      const model = oneLayer(bits, fill);
      assert.equal(tiled(model).length, 1, `${bits} bits, filters of ${filters}`);
      for (const sign of [
        () => 1,
        (i: number) => (Math.floor(i / 12) % 2 === 0 ? 1 : -1),
        () => (next() < 0.5 ? 1 : -1),
      ]) {
        const z = new Float32Array(7 * 6 * 12).map((_, i) => 1e9 * sign(i));
        const codes = new Uint8Array(z.length).fill(1);
        assert.deepEqual(
          await (await createEngine(model)).evaluate(z, codes, 7, 6, CONDITION),
          referenceEvaluate(model, z, codes, 7, 6, CONDITION),
        );
      }
    }
  }
  assert.equal(tiled(oneLayer(15, () => 1)).length, 0, 'inputs of 15 bits');
  assert.equal(tiled(oneLayer(2, () => 3641)).length, 0, 'nine filters beyond int16');
  assert.equal(tiled(oneLayer(12, () => largest(12) + 1)).length, 0, 'four times a sum beyond int32');
  const sparse = oneLayer(12, (i) => (i % 1000 === 0 ? 8191 : 0));
  assert.equal(tiled(sparse).length, 1, 'a corner of 8191, four times of which fit');
  assert.equal(tiled(oneLayer(12, (i) => (i % 1000 === 0 ? 8192 : 0))).length, 0);
  assert.ok(largest(12) * 216 < sumLimit(12) / 3);
});
