/** The filter of SSIM. */
import { plane, type FloatPlane } from '../../src/metrics/float-plane.js';

/**
 * Filters rows, then columns, by a symmetric kernel, where the kernel fits: the result is smaller by it.
 * @param half the kernel's middle tap and those to one side of it
 * @param fill `fill(y, row)` writes row y of the input into row[0..width)
 */
export function filterValid(
  width: number,
  height: number,
  half: readonly number[],
  fill: (y: number, row: Float64Array) => void,
): FloatPlane {
  const reach = half.length - 1;
  const length = 2 * reach + 1;
  const out = plane(width - 2 * reach, height - 2 * reach);
  const row = new Float64Array(width);
  // Filtered rows are kept in a ring as long as the kernel.
  const ring = Array.from({ length }, () => new Float64Array(out.width));
  const sum = new Float64Array(out.width);
  for (let y = 0; y < height; y++) {
    fill(y, row);
    filterRow(row, ring[y % length]!, half);
    const to = y - 2 * reach;
    if (to < 0) continue;
    const at = (k: number): Float64Array => ring[(to + reach + k) % length]!;
    weigh(at(0), half[0]!, sum);
    for (let k = 1; k <= reach; k++) add(at(-k), at(k), half[k]!, sum);
    out.data.set(sum, to * out.width);
  }
  return out;
}

function filterRow(row: Float64Array, out: Float64Array, half: readonly number[]): void {
  const reach = half.length - 1;
  const middle = half[0]!;
  for (let x = 0; x < out.length; x++) out[x] = middle * row[x + reach]!;
  for (let k = 1; k <= reach; k++) {
    const tap = half[k]!;
    for (let x = 0, a = reach - k, b = reach + k; x < out.length; x++, a++, b++)
      out[x] = out[x]! + tap * (row[a]! + row[b]!);
  }
}

function weigh(a: Float64Array, tap: number, sum: Float64Array): void {
  for (let x = 0; x < sum.length; x++) sum[x] = tap * a[x]!;
}

function add(a: Float64Array, b: Float64Array, tap: number, sum: Float64Array): void {
  for (let x = 0; x < sum.length; x++) sum[x] = sum[x]! + tap * (a[x]! + b[x]!);
}
