/**
 * Whether a GPU computes as it has to: a small network of all kinds of layers, whose sums use their whole range, whole and in strips,
 * against the engine in WebAssembly. A driver that is wrong there is not used; one that fails later is noticed as it fails.
 */
import { hash32 } from '../../math/hash.js';
import { COEFFICIENTS, conditioningFeatures, conditioningLength, uNet, weightShape } from '../architecture.js';
import type { Condition } from '../inputs.js';
import {
  ACTIVATION_BITS,
  INPUT_BITS,
  INPUT_TENSOR,
  OUTPUT_TENSOR,
  WEIGHT_LIMIT,
  clampLimit,
  sumLimit,
} from '../integer/arithmetic.js';
import type { IntegerModel } from '../integer/integer-model.js';
import { createEvaluator } from '../wasm/engine.js';
import { DEFAULT_INPUT_SCALE } from '../weights.js';
import { GpuFailure } from './device.js';
import { createGpuEngine } from './gpu-engine.js';
import type { GpuHost } from './program.js';

const WIDTH = 19;
const HEIGHT = 21;
const STRIP = 8;
const CONDITION: Condition = { level: 0, sigma: 100, mode: 'refine' };

/** @throws GpuFailure */
export async function testGpu(host: GpuHost): Promise<void> {
  const model = testModel();
  const z = new Float32Array(WIDTH * HEIGHT * COEFFICIENTS).map((_, i) => numberAt(1, i) * 300);
  const codes = new Uint8Array(z.length).map((_, i) => hash32(2, i));
  const right = await createEvaluator(model);
  const tested = await createGpuEngine(model, host);
  try {
    const expected = (await right.evaluate(z, codes, WIDTH, HEIGHT, CONDITION)).slice();
    for (const strip of [HEIGHT, STRIP]) {
      const rows = tested.evaluateRows(z, codes, WIDTH, HEIGHT, CONDITION, HEIGHT, strip);
      const found = await rows.next(HEIGHT);
      if (found.some((value, i) => value !== expected[i])) throw new GpuFailure('the GPU does not compute exactly');
    }
  } finally {
    await Promise.all([right.close(), tested.close()]);
  }
}

/** A number from −1 to 1. */
function numberAt(key: number, index: number): number {
  return hash32(key, index) / 2 ** 31 - 1;
}

function numbers(key: number, length: number, spread: number): Float32Array {
  return new Float32Array(length).map((_, i) => spread * numberAt(key, i));
}

function testModel(): IntegerModel {
  const architecture = uNet([12, 40], 4, 1);
  const bitsOf = (tensor: string): number => (tensor === INPUT_TENSOR ? INPUT_BITS : ACTIVATION_BITS);
  const inner = architecture.tensors.filter(({ name }) => name !== OUTPUT_TENSOR);
  const tensors = new Map(
    inner.map(({ name }) => [name, { bits: bitsOf(name), scale: Math.fround(4 / clampLimit(bitsOf(name))) }]),
  );
  const layers = new Map(
    architecture.layers.map((layer, key) => {
      const [rows, columns, cin, cout] = weightShape(architecture, layer);
      const most = Math.min(WEIGHT_LIMIT, Math.floor(sumLimit(bitsOf(layer.from)) / (rows * columns * cin)));
      const weights = new Int16Array(rows * columns * cin * cout).map((_, i) =>
        Math.floor(most * numberAt(8 + key, i)),
      );
      const weightScale = new Float32Array(cout).fill(4 / (most * Math.sqrt(rows * columns * cin)));
      return [layer.name, { weights, weightScale, bias: numbers(100 + key, cout, 0.5) }];
    }),
  );
  const { hidden, levels } = architecture.conditioning;
  const modulated = conditioningLength(architecture);
  const conditioning = {
    w1: numbers(3, hidden * conditioningFeatures(architecture.conditioning), 1),
    b1: numbers(4, hidden, 1),
    w2: numbers(5, hidden * modulated, 0.3),
    b2: numbers(6, modulated, 0.3),
  };
  const statistics = { prior: new Float32Array(levels * COEFFICIENTS).fill(20), inputScale: DEFAULT_INPUT_SCALE };
  return { id: '00000000', architecture, statistics, tensors, layers, conditioning };
}
