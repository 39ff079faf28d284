/** A discrete model for the tests: of few tokens and a random network, the same everywhere. */
import { hash32 } from '../src/math/hash.js';
import { COEFFICIENTS, OUTPUT_CHANNELS, uNet } from '../src/model/architecture.js';
import type { TokenTables } from '../src/model/discrete-file.js';
import { writeModelFile, type ModelContent } from '../src/model/integer/model-file.js';
import { writeDiscreteFile } from '../src/model/write-discrete-file.js';
import { randomModel } from './random-model.js';

/** Whole numbers within ±most. */
const whole = (key: number, i: number, most: number): number => (hash32(key, i) % (2 * most + 1)) - most;

/** Grey and coloured ones, some of them with edges. */
export function tinyTables(tokens = 12): TokenTables {
  const filled = (length: number, at: (i: number) => number): Float64Array =>
    new Float64Array(length).map((_, i) => at(i));
  const spread = (c: number): number => (c === 0 ? 200 : c < 3 ? 40 : 16);
  return {
    tokens,
    centres: filled(tokens * COEFFICIENTS, (i) => whole(1, i, spread(i % COEFFICIENTS))),
    codes: new Uint8Array(tokens * COEFFICIENTS).map((_, i) => 130 + (hash32(2, i) % 20)),
    layer: {
      inputs: OUTPUT_CHANNELS,
      outputs: tokens,
      weights: filled(tokens * OUTPUT_CHANNELS, (i) => whole(3, i, 256) / 128),
      bias: filled(tokens, (i) => whole(4, i, 256) / 256),
    },
  };
}

/** A network as a discrete model has it. */
export function tinyNetwork(changes: Partial<ModelContent> = {}, levels = 1, sigma = false): Uint8Array {
  return writeModelFile({ ...randomModel(uNet([8, 8], 8, levels, undefined, { sigma, classes: 3 }), 5), ...changes });
}

/** The bytes of a discrete model that knows three classes. */
export function tinyDiscreteFile(tables = tinyTables(), network = tinyNetwork()): Uint8Array {
  return writeDiscreteFile(tables, network);
}
