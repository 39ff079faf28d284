/** The order in which the direct kernel of kernels/lib/tile.ts reads weights. */
import type { Layer } from '../architecture.js';
import { partsOf, storedChannels } from './plan.js';

/**
 * Weights [row][column][in][out] to the order in which the kernel reads them, part by part:
 * [block of 8 outputs][kernel row][column][pair of inputs][8 outputs][2 inputs], zeros where a block or pair is not full.
 */
export function packWeights(layer: Layer, shape: readonly number[], weights: Int16Array, packed: Int16Array): void {
  const [rows, columns, cin, cout] = shape as [number, number, number, number];
  const stored = { inputs: storedChannels(cin), outputs: storedChannels(cout) };
  const parts = partsOf(layer);
  const run = parts === 4 ? 1 : columns;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const part = parts === 4 ? row * columns + column : 0;
      const field = parts === 4 ? 0 : row * columns + column;
      for (let i = 0; i < cin; i++) {
        for (let o = 0; o < cout; o++) {
          const block = part * (stored.outputs / 8) + Math.floor(o / 8);
          const fields = parts === 4 ? 1 : rows * run;
          const pair = (block * fields + field) * (stored.inputs / 2) + (i >> 1);
          packed[(pair * 8 + (o % 8)) * 2 + (i & 1)] = weights[((row * columns + column) * cin + i) * cout + o]!;
        }
      }
    }
  }
}
