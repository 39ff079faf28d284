/**
 * Filters as the kernel of kernels/lib/winograd.ts needs them: transformed and packed, and the proof that no number leaves its
 * integer, without which a layer is computed directly.
 */
import { weightShape, type Architecture, type Layer } from '../architecture.js';
import { absoluteSums } from '../integer/check-model.js';
import { modelKernel, type ModelKernel } from '../model-kernel.js';
import { storedChannels } from './plan.js';
import { POINTS } from './winograd.js';

const INT16 = 32767;
/** Where weights lie for the kernel: it takes address 0 for none. */
const WEIGHTS = 16;

/** What filters are transformed and packed with, of any layer of a network. */
export class Filters {
  private readonly kernel: ModelKernel;
  private readonly buffer: ArrayBufferLike;
  private readonly packed: number;

  /** @throws DcompError E_ENVIRONMENT */
  constructor(architecture: Architecture) {
    const most = architecture.layers.reduce((size, layer) => Math.max(size, storedFilters(architecture, layer)), 0);
    this.packed = WEIGHTS + 2 * 9 * most;
    ({ kernel: this.kernel, buffer: this.buffer } = modelKernel(this.packed + 2 * POINTS * most));
  }

  /** The largest magnitude among transformed filters. @param weights [row][column][in][out] of 3×3 */
  largest(shape: readonly number[], weights: Int16Array): number {
    const [inputs, outputs] = this.place(shape, weights);
    return this.kernel.largestOfFilters(WEIGHTS, inputs * outputs);
  }

  /** Weights [row][column][in][out] to [8 outputs][16][pair of inputs][output][2], zeros where a block or pair is not full. */
  pack(shape: readonly number[], weights: Int16Array, packed: Int16Array): void {
    const [inputs, outputs] = this.place(shape, weights);
    this.kernel.packFilters(WEIGHTS, inputs, outputs, this.packed);
    packed.set(new Int16Array(this.buffer, this.packed, POINTS * inputs * outputs));
  }

  /** Puts weights where the kernel takes them, with zeros up to whole blocks. @returns inputs and outputs */
  private place(shape: readonly number[], weights: Int16Array): [inputs: number, outputs: number] {
    const [, , cin, cout] = shape as [number, number, number, number];
    const [inputs, outputs] = [storedChannels(cin), storedChannels(cout)];
    const placed = new Int16Array(this.buffer, WEIGHTS, 9 * inputs * outputs);
    if (inputs === cin && outputs === cout) placed.set(weights);
    else {
      placed.fill(0);
      for (let row = 0; row < 9 * cin; row++)
        placed.set(
          weights.subarray(row * cout, (row + 1) * cout),
          (Math.floor(row / cin) * inputs + (row % cin)) * outputs,
        );
    }
    return [inputs, outputs];
  }
}

/** Pairs of an input and an output of a layer of 3×3 as they are stored, 0 of others. */
function storedFilters(architecture: Architecture, layer: Layer): number {
  const [, , cin, cout] = weightShape(architecture, layer);
  return layer.kind === 'conv3x3' ? storedChannels(cin) * storedChannels(cout) : 0;
}

/**
 * Whether a layer may be computed by tiles: a transformed input is a sum of four inputs and must fit int16, as must the
 * transformed filters; four times an output must fit int32. What is on the way may wrap around.
 * @param limit largest magnitude of the layer's input
 */
export function fitsWinograd(
  architecture: Architecture,
  layer: Layer,
  weights: Int16Array,
  limit: number,
  filters: Filters,
): boolean {
  if (layer.kind !== 'conv3x3' || 4 * limit > INT16) return false;
  const shape = weightShape(architecture, layer);
  if (absoluteSums(layer, shape, weights).some((sums) => sums.some((sum) => 4 * sum * limit >= 2 ** 31))) return false;
  return filters.largest(shape, weights) <= INT16;
}
