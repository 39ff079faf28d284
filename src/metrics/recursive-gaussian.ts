/**
 * The blur of SSIMULACRA 2's reference: a Gaussian of sigma 1.5 as a sum of three truncated cosines, computed recursively
 * (Charalampidis 2016, "Recursive implementation of the Gaussian filter using truncated cosine functions"), zero beyond
 * the edge. In float32 and in the reference's order, as the metric subtracts nearly equal results: in smooth areas
 * their rounding is a part of the score (half a point at 84).
 */
import { plane, type FloatPlane } from './float-plane.js';

/** Round(3.2795 σ + 0.2546). */
const RADIUS = 5;
const f = Math.fround;
/**
 * By cosine, of ω = π/10, 3π/10 and π/2: the factor of the input, −β · cos(6ω), β being the solution of the paper's equation
 * (56) for this sigma and radius (0.178939, 0.072726, 0.012956); and that of the output before, 2 cos ω, which is 0 for the last.
 * That of the one before that is -1. Written down, as not every machine's cosine is the same to the last bit.
 */
const IN0 = f(0.05529523640871048);
const IN1 = f(-0.0588366873562336);
const IN2 = f(0.012955819256603718);
const BACK0 = f(1.9021130800247192);
const BACK1 = f(1.1755704879760742);
const MARGIN = RADIUS + 1;

/** @param fill `fill(y, row)` writes row y of the input into row[0..width) */
export function recursiveGaussian(
  width: number,
  height: number,
  fill: (y: number, row: Float32Array) => void,
): FloatPlane {
  const rows = plane(width, height);
  const row = new Float32Array(width + 2 * MARGIN);
  const inner = row.subarray(MARGIN, MARGIN + width);
  for (let y = 0; y < height; y++) {
    fill(y, inner);
    alongRow(row, rows.data.subarray(y * width, (y + 1) * width));
  }
  return downColumns(rows);
}

/** @param row the input with a margin of zeros */
function alongRow(row: Float32Array, out: Float32Array): void {
  let [a0, a1, a2, b0, b1, b2] = [0, 0, 0, 0, 0, 0];
  for (let n = 1 - RADIUS; n < out.length; n++) {
    const left = n < 0 ? 0 : row[n - RADIUS - 1 + MARGIN]!;
    const sum = f(left + row[n + RADIUS - 1 + MARGIN]!);
    // The product and sum of a step are rounded once together, as by a fused multiply-add.
    const c0 = f(BACK0 * a0 + f(f(sum * IN0) - b0));
    const c1 = f(BACK1 * a1 + f(f(sum * IN1) - b1));
    const c2 = f(f(sum * IN2) - b2);
    b0 = a0;
    b1 = a1;
    b2 = a2;
    a0 = c0;
    a1 = c1;
    a2 = c2;
    if (n >= 0) out[n] = f(f(c0 + c1) + c2);
  }
}

/** The same for all columns side by side. */
function downColumns({ width, height, data }: FloatPlane): FloatPlane {
  const out = plane(width, height);
  const zeros = new Float32Array(width);
  const at = (y: number): Float32Array => (y < 0 || y >= height ? zeros : data.subarray(y * width, (y + 1) * width));
  const [a0, a1, a2, b0, b1, b2] = Array.from({ length: 6 }, () => new Float32Array(width)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  for (let n = 1 - RADIUS; n < height; n++) {
    const above = at(n - RADIUS - 1);
    const below = at(n + RADIUS - 1);
    const to = n < 0 ? zeros.slice() : out.data.subarray(n * width, (n + 1) * width);
    for (let x = 0; x < width; x++) {
      const sum = f(above[x]! + below[x]!);
      const c0 = f(BACK0 * a0[x]! + f(f(sum * IN0) - b0[x]!));
      const c1 = f(BACK1 * a1[x]! + f(f(sum * IN1) - b1[x]!));
      const c2 = f(f(sum * IN2) - b2[x]!);
      b0[x] = a0[x]!;
      b1[x] = a1[x]!;
      b2[x] = a2[x]!;
      a0[x] = c0;
      a1[x] = c1;
      a2[x] = c2;
      to[x] = f(f(c0 + c1) + c2);
    }
  }
  return out;
}
