/** Separable symmetric filters on planes of float samples, as SSIM and its kin need them. */

/** A plane of samples, rows from top to bottom. */
export interface FloatPlane {
  width: number;
  height: number;
  data: Float32Array;
}

export function plane(width: number, height: number): FloatPlane {
  return { width, height, data: new Float32Array(width * height) };
}

/**
 * Filters rows, then columns, by a symmetric kernel.
 * @param half the kernel's middle tap and those to one side of it
 * @param border 'zero': samples beyond the edge are 0, the size stays; 'valid': the result is smaller by the kernel
 * @param f gives the row of input samples: `f(y, row)` fills row[0..width)
 */
export function filter(width: number, height: number, half: readonly number[], border: 'zero' | 'valid', f: (y: number, row: Float64Array) => void): FloatPlane {
  const reach = half.length - 1;
  const valid = border === 'valid';
  const outWidth = valid ? width - 2 * reach : width;
  const outHeight = valid ? height - 2 * reach : height;
  // Rows with a margin of zeros; filtered rows are kept in a ring as long as the kernel.
  const row = new Float64Array(width + 2 * reach);
  const inner = row.subarray(reach, reach + width);
  const shift = valid ? reach : 0;
  const length = 2 * reach + 1;
  const ring = Array.from({ length }, () => new Float64Array(outWidth));
  const out = plane(outWidth, outHeight);
  const sum = new Float64Array(outWidth);
  // Row y of the input comes in at y; the output row whose last tap it is follows at once.
  const first = valid ? 0 : -reach;
  for (let y = first; y < height + (valid ? 0 : reach); y++) {
    const target = ring[(y - first) % length]!;
    if (y >= 0 && y < height) {
      f(y, inner);
      filterRow(row, target, half, reach + shift);
    } else target.fill(0);
    const to = y - first - 2 * reach;
    if (to < 0) continue;
    const at = (k: number): Float64Array => ring[(to + reach + k) % length]!;
    weigh(at(0), half[0]!, sum);
    for (let k = 1; k <= reach; k++) add(at(-k), at(k), half[k]!, sum);
    out.data.set(sum, to * outWidth);
  }
  return out;
}

function filterRow(row: Float64Array, out: Float64Array, half: readonly number[], offset: number): void {
  const n = out.length;
  const middle = half[0]!;
  for (let x = 0; x < n; x++) out[x] = middle * row[x + offset]!;
  for (let k = 1; k < half.length; k++) {
    const tap = half[k]!;
    for (let x = 0, a = offset - k, b = offset + k; x < n; x++, a++, b++) out[x] = out[x]! + tap * (row[a]! + row[b]!);
  }
}

function weigh(a: Float64Array, tap: number, sum: Float64Array): void {
  for (let x = 0; x < sum.length; x++) sum[x] = tap * a[x]!;
}

function add(a: Float64Array, b: Float64Array, tap: number, sum: Float64Array): void {
  for (let x = 0; x < sum.length; x++) sum[x] = sum[x]! + tap * (a[x]! + b[x]!);
}
