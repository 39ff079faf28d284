/**
 * What the kernel of kernels/lib/winograd.ts needs: filters transformed and packed, and the proof that no number leaves
 * its integer, without which a layer is computed directly.
 */
import { tensorOf, weightShape, type Architecture, type Layer } from '../architecture.js';
import { absoluteSums } from '../integer/check-model.js';

/** Values of the transformed tile, and of the transformed filter. */
const POINTS = 16;
/** TILES and LINE of kernels/lib/winograd.ts. */
const TILES = 16;
const LINE = 64;
const INT16 = 32767;

/** Bytes of scratch memory a thread needs. @param channels stored ones, the most of any layer's input */
export function scratchBytes(channels: number): number {
  return POINTS * (2 * TILES * channels + LINE) + POINTS * (32 * TILES + LINE);
}

/**
 * Whether a layer may be computed by tiles: a transformed input is a sum of four inputs and must fit int16, as must the
 * transformed filters; four times an output must fit int32. What is on the way may wrap around.
 * @param limit largest magnitude of the layer's input
 */
export function fitsWinograd(architecture: Architecture, layer: Layer, weights: Int16Array, limit: number): boolean {
  if (layer.kind !== 'conv3x3' || 4 * limit > INT16) return false;
  const shape = weightShape(architecture, layer);
  if (absoluteSums(layer, shape, weights).some((sums) => sums.some((sum) => 4 * sum * limit >= 2 ** 31))) return false;
  let most = 0;
  for (let i = 0; i < weights.length; i++) most = Math.max(most, Math.abs(weights[i]!));
  if (9 * most <= INT16) return true;
  const plane = shape[2] * shape[3];
  const filter = new Int32Array(POINTS);
  for (let i = 0; i < plane; i++) {
    transformFilter(weights, i, plane, filter);
    if (filter.some((value) => Math.abs(value) > INT16)) return false;
  }
  return true;
}

/**
 * (2G) w (2G)ᵀ with 2G = [2 0 0; 1 1 1; 1 −1 1; 0 0 2].
 * @param i index of the filter among the `plane` of them @param weights [row][column][filter]
 */
function transformFilter(weights: Int16Array, i: number, plane: number, result: Int32Array): void {
  for (let column = 0; column < 3; column++) {
    const at = column * plane + i;
    const [a, b, c] = [weights[at]!, weights[at + 3 * plane]!, weights[at + 6 * plane]!];
    result[column] = 2 * a;
    result[4 + column] = a + b + c;
    result[8 + column] = a - b + c;
    result[12 + column] = 2 * c;
  }
  for (let row = 0; row < POINTS; row += 4) {
    const [a, b, c] = [result[row]!, result[row + 1]!, result[row + 2]!];
    result[row] = 2 * a;
    result[row + 1] = a + b + c;
    result[row + 2] = a - b + c;
    result[row + 3] = 2 * c;
  }
}

/** Weights [row][column][in][out] to [8 outputs][16][pair of inputs][output][2], zeros where a block or pair is not full. */
export function packFilters(shape: readonly number[], weights: Int16Array, packed: Int16Array, pairs: number): void {
  const [, , cin, cout] = shape as [number, number, number, number];
  const filter = new Int32Array(POINTS);
  for (let i = 0; i < cin; i++) {
    for (let o = 0; o < cout; o++) {
      transformFilter(weights, i * cout + o, cin * cout, filter);
      const first = (((o >> 3) * POINTS * pairs + (i >> 1)) * 8 + (o & 7)) * 2 + (i & 1);
      for (let k = 0; k < POINTS; k++) packed[first + k * pairs * 16] = filter[k]!;
    }
  }
}

/** The most channels that any layer reads. */
export function widestInput(architecture: Architecture): number {
  return architecture.layers.reduce((most, { from }) => Math.max(most, tensorOf(architecture, from).channels), 0);
}
