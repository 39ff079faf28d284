/**
 * The convolution at the heart of the integer network. Tensors are int16, rows of pixels, channels interleaved and filled
 * up to a multiple of eight, with a border of one pixel of zeros around the grid, so that no convolution asks where it is.
 *
 * One routine computes every kind of layer: for an output pixel it multiplies `kernelRows` runs of consecutive numbers
 * (3 · channels for 3×3, 2 · channels for 2×2 with stride, channels for the four 1×1 of the transposed 2×2) with
 * weights packed as [8 outputs][kernel row][pair in the run][output][2]. The register tile is 4 pixels × 8 outputs:
 * 8 sums, 2 weight vectors and 1 broadcast input pair fit the 16 vector registers of x64; wider tiles spill.
 *
 * What is computed is defined in src/model/integer/arithmetic.ts and src/model/integer/reference.ts.
 */

/** Offsets in a part's descriptor, in bytes; the twin of PART in src/model/wasm/plan.ts. */
export const INPUT: usize = 0; // first number of the receptive field of output (0, 0)
export const INPUT_ROW: usize = 4; // bytes by which it moves per output row
export const INPUT_PIXEL: usize = 8; // ... per output pixel
const KERNEL_ROW: usize = 12; // bytes between the runs of a receptive field
const KERNEL_ROWS: usize = 16;
const RUN: usize = 20; // bytes of a run, a multiple of 16
export const WEIGHTS: usize = 24;
export const CONSTANTS: usize = 28; // by block of 8 outputs, 8 int32 each: m in the lower half, m in the upper half, b
export const OUTPUT: usize = 32; // of output (0, 0)
export const OUTPUT_ROW: usize = 36;
export const OUTPUT_PIXEL: usize = 40;
export const SKIP: usize = 44; // as OUTPUT, same steps; 0 = no skip connection
const SKIP_FACTOR: usize = 48;
const LOWEST: usize = 52;
const LIMIT: usize = 56;
export const WIDTH: usize = 60; // outputs per row
export const BLOCKS: usize = 64; // blocks of 8 outputs
const SHIFT: usize = 68;
const SKIP_SHIFT: usize = 72;
const UNIT: usize = 76; // f32, of FLOAT
export const METHOD: usize = 80;

/** Bytes of the constants of a block. */
export const BLOCK_CONSTANTS: usize = 96;

/** Size of a part's descriptor in bytes. */
export const PART_SIZE: usize = 96;

/** What becomes of the sums: raw int32 for measurements, activations, or floats. */
export const RAW: i32 = 0;
export const ACTIVATION: i32 = 1;
export const FLOAT: i32 = 2;

// @ts-ignore: decorator
@inline
export function mac(sum: v128, x: v128, w: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(x, w));
}

/** ⌊a · m / 2^16⌋; see `scaledProduct`. @param low m in the lower halves @param high m in the upper halves */
// @ts-ignore: decorator
@inline
export function scaledProduct(a: v128, low: v128, high: v128): v128 {
  const upper = i32x4.dot_i16x8_s(i32x4.add(a, i32x4.splat(0x8000)), high);
  return i32x4.add(upper, i32x4.shr_s(i32x4.dot_i16x8_s(a, low), 16));
}

// @ts-ignore: decorator
@inline
function scaled(sum: v128, constants: usize): v128 {
  return i32x4.add(scaledProduct(sum, v128.load(constants), v128.load(constants, 32)), v128.load(constants, 64));
}

/**
 * 8 outputs of a pixel, already scaled, to the result.
 * @param skip from the result to the skip connection; 0 without one
 */
// @ts-ignore: decorator
@inline
export function finish(mode: i32, part: usize, low: v128, high: v128, output: usize, skip: usize): void {
  if (skip != 0) {
    const factor = v128.load16_splat(part, SKIP_FACTOR);
    const shift = load<i32>(part, SKIP_SHIFT);
    const s = v128.load(output + skip);
    low = i32x4.add(low, i32x4.shr_s(i32x4.extmul_low_i16x8_s(s, factor), shift));
    high = i32x4.add(high, i32x4.shr_s(i32x4.extmul_high_i16x8_s(s, factor), shift));
  }
  const shift = load<i32>(part, SHIFT);
  const narrow = i16x8.narrow_i32x4_s(i32x4.shr_s(low, shift), i32x4.shr_s(high, shift));
  const y = i16x8.min_s(i16x8.max_s(narrow, v128.load16_splat(part, LOWEST)), v128.load16_splat(part, LIMIT));
  if (mode == FLOAT) {
    const unit = v128.load32_splat(part, UNIT);
    v128.store(output, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(y)), unit));
    v128.store(output, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(y)), unit), 16);
    return;
  }
  v128.store(output, y);
}

/** Sums of 8 outputs of a pixel to the result. */
// @ts-ignore: decorator
@inline
function finishSums(mode: i32, part: usize, constants: usize, low: v128, high: v128, output: usize, skip: usize): void {
  if (mode == RAW) {
    v128.store(output, low);
    v128.store(output, high, 16);
    return;
  }
  finish(mode, part, scaled(low, constants), scaled(high, constants + 16), output, skip);
}

/** 4 pixels × 8 outputs. @param input of the first pixel @param weights of the block */
// @ts-ignore: decorator
@inline
function tileOfFour(mode: i32, part: usize, input: usize, weights: usize, constants: usize, output: usize, skip: usize): void {
  const pixel = load<usize>(part, INPUT_PIXEL);
  const kernelRow = load<usize>(part, KERNEL_ROW);
  const run = load<usize>(part, RUN);
  let rows = load<i32>(part, KERNEL_ROWS);
  let a0 = i32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
  let w0 = a0, w1 = a0, x = a0;
  let w = weights;
  let row = input;
  do {
    let a = row;
    let b = a + pixel;
    let c = b + pixel;
    let d = c + pixel;
    const end = a + run;
    // Four pairs a turn. V8 would load the operands of all four first and spill what does not fit the registers; it does
    // not move loads across branches, and cannot know that these are never taken (weights begin at multiples of 64).
    do {
      w0 = v128.load(w), w1 = v128.load(w, 16);
      x = v128.load32_splat(a);
      a0 = mac(a0, x, w0), a1 = mac(a1, x, w1);
      x = v128.load32_splat(b);
      b0 = mac(b0, x, w0), b1 = mac(b1, x, w1);
      x = v128.load32_splat(c);
      c0 = mac(c0, x, w0), c1 = mac(c1, x, w1);
      x = v128.load32_splat(d);
      d0 = mac(d0, x, w0), d1 = mac(d1, x, w1);
      if (w == 1) break;

      w0 = v128.load(w, 32), w1 = v128.load(w, 48);
      x = v128.load32_splat(a, 4);
      a0 = mac(a0, x, w0), a1 = mac(a1, x, w1);
      x = v128.load32_splat(b, 4);
      b0 = mac(b0, x, w0), b1 = mac(b1, x, w1);
      x = v128.load32_splat(c, 4);
      c0 = mac(c0, x, w0), c1 = mac(c1, x, w1);
      x = v128.load32_splat(d, 4);
      d0 = mac(d0, x, w0), d1 = mac(d1, x, w1);
      if (w == 2) break;

      w0 = v128.load(w, 64), w1 = v128.load(w, 80);
      x = v128.load32_splat(a, 8);
      a0 = mac(a0, x, w0), a1 = mac(a1, x, w1);
      x = v128.load32_splat(b, 8);
      b0 = mac(b0, x, w0), b1 = mac(b1, x, w1);
      x = v128.load32_splat(c, 8);
      c0 = mac(c0, x, w0), c1 = mac(c1, x, w1);
      x = v128.load32_splat(d, 8);
      d0 = mac(d0, x, w0), d1 = mac(d1, x, w1);
      if (w == 3) break;

      w0 = v128.load(w, 96), w1 = v128.load(w, 112);
      x = v128.load32_splat(a, 12);
      a0 = mac(a0, x, w0), a1 = mac(a1, x, w1);
      x = v128.load32_splat(b, 12);
      b0 = mac(b0, x, w0), b1 = mac(b1, x, w1);
      x = v128.load32_splat(c, 12);
      c0 = mac(c0, x, w0), c1 = mac(c1, x, w1);
      x = v128.load32_splat(d, 12);
      d0 = mac(d0, x, w0), d1 = mac(d1, x, w1);

      a += 16, b += 16, c += 16, d += 16, w += 128;
    } while (a < end);
    row += kernelRow;
  } while (--rows > 0);
  const step = load<usize>(part, OUTPUT_PIXEL);
  finishSums(mode, part, constants, a0, a1, output, skip);
  finishSums(mode, part, constants, b0, b1, output + step, skip);
  finishSums(mode, part, constants, c0, c1, output + 2 * step, skip);
  finishSums(mode, part, constants, d0, d1, output + 3 * step, skip);
}

/** 1 pixel × 8 outputs, for rows of fewer than four. */
// @ts-ignore: decorator
@inline
function tileOfOne(mode: i32, part: usize, input: usize, weights: usize, constants: usize, output: usize, skip: usize): void {
  const kernelRow = load<usize>(part, KERNEL_ROW);
  const run = load<usize>(part, RUN);
  let rows = load<i32>(part, KERNEL_ROWS);
  let low = i32x4.splat(0), high = low;
  let w = weights;
  let row = input;
  do {
    let a = row;
    const end = a + run;
    do {
      const x = v128.load32_splat(a);
      low = mac(low, x, v128.load(w)), high = mac(high, x, v128.load(w, 16));
      a += 4, w += 32;
    } while (a < end);
    row += kernelRow;
  } while (--rows > 0);
  finishSums(mode, part, constants, low, high, output, skip);
}

/**
 * One row of a part. Blocks of outputs outside, pixels inside: the weights of a block (9 to 18 kB) stay in the first
 * cache. A last tile that would stand over begins earlier instead and computes some pixels a second time, so nothing
 * outside the row is ever written.
 */
// @ts-ignore: decorator
@inline
export function convRow(mode: i32, part: usize, y: i32): void {
  const width = load<i32>(part, WIDTH);
  const pixel = load<usize>(part, INPUT_PIXEL);
  const step = load<usize>(part, OUTPUT_PIXEL);
  const input = load<usize>(part, INPUT) + <usize>y * load<usize>(part, INPUT_ROW);
  let output = load<usize>(part, OUTPUT) + <usize>y * load<usize>(part, OUTPUT_ROW);
  // A skip connection has the same steps as the result.
  const skip = mode == ACTIVATION && load<usize>(part, SKIP) != 0 ? load<usize>(part, SKIP) - load<usize>(part, OUTPUT) : 0;
  let weights = load<usize>(part, WEIGHTS);
  let constants = load<usize>(part, CONSTANTS);
  const blockOfWeights = <usize>load<i32>(part, KERNEL_ROWS) * load<usize>(part, RUN) * 8;
  const blockOfOutputs: usize = mode == ACTIVATION ? 16 : 32;
  for (let block = load<i32>(part, BLOCKS); block > 0; block--) {
    if (width >= 4) {
      for (let x = 0; x < width; x += 4) {
        const at = <usize>min(x, width - 4);
        tileOfFour(mode, part, input + at * pixel, weights, constants, output + at * step, skip);
      }
    } else {
      for (let x: usize = 0; x < <usize>width; x++) {
        tileOfOne(mode, part, input + x * pixel, weights, constants, output + x * step, skip);
      }
    }
    weights += blockOfWeights;
    constants += BLOCK_CONSTANTS;
    output += blockOfOutputs;
  }
}
