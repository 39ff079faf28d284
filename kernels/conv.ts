/** Kernels of the integer network: rows of its input, of its layers and of its output. */
import { ACTIVATION, FLOAT, METHOD, OUTPUT, OUTPUT_PIXEL, OUTPUT_ROW, PART_SIZE, WIDTH, convRow, scaledProduct } from './lib/tile';
import { winogradRows } from './lib/winograd';

/** Offsets in a tensor's descriptor, in bytes; the twin of TENSOR in src/model/wasm/plan.ts. */
const BASE: usize = 0; // of the border
const ROW: usize = 4; // bytes of a row, border included
const PIXEL: usize = 8; // bytes of a pixel
const HEIGHT: usize = 12; // rows without border

/** Where this thread keeps what it needs while it computes some rows. */
let scratch: usize = 0;

/** @param address of memory that no other thread uses; how much, `scratchBytes` in src/model/wasm/winograd.ts says */
export function useScratch(address: usize): void {
  scratch = address;
}

// @ts-ignore: decorator
@inline
function convRows(mode: i32, part: usize, y0: i32, y1: i32): void {
  if (load<i32>(part, METHOD) != 0) winogradRows(mode, part, scratch, y0, y1);
  else for (let y = y0; y < y1; y++) convRow(mode, part, y);
}

/** Zeroes the border beside rows y0 to y1 − 1, and above or below if they are the first or last. */
function zeroBorder(tensor: usize, y0: i32, y1: i32): void {
  const row = load<usize>(tensor, ROW);
  const pixel = load<usize>(tensor, PIXEL);
  const base = load<usize>(tensor, BASE);
  const height = load<i32>(tensor, HEIGHT);
  if (y0 == 0) memory.fill(base, 0, row);
  if (y1 == height) memory.fill(base + <usize>(height + 1) * row, 0, row);
  for (let y = y0; y < y1; y++) {
    const start = base + <usize>(y + 1) * row;
    memory.fill(start, 0, pixel);
    memory.fill(start + row - pixel, 0, pixel);
  }
}

/**
 * Rows y0 to y1 − 1 of a layer with activations as result.
 * @param parts descriptors one after the other: 1, or 4 for the transposed 2×2, where a row becomes two of the output
 * @param tensor descriptor of the output
 */
export function layerRows(parts: usize, count: i32, tensor: usize, y0: i32, y1: i32): void {
  const scale = count == 4 ? 2 : 1;
  zeroBorder(tensor, scale * y0, scale * y1);
  for (let i = 0; i < count; i++) convRows(ACTIVATION, parts + <usize>i * PART_SIZE, y0, y1);
}

/** Rows of the network's result: floats; of every 24, the last 12 clamped. */
export function outputRows(part: usize, y0: i32, y1: i32, lowest: f32, highest: f32): void {
  const width = load<i32>(part, WIDTH);
  const step = load<usize>(part, OUTPUT_PIXEL);
  convRows(FLOAT, part, y0, y1);
  for (let y = y0; y < y1; y++) {
    let at = load<usize>(part, OUTPUT) + <usize>y * load<usize>(part, OUTPUT_ROW);
    for (let x = 0; x < width; x++) {
      for (let i: usize = 48; i < 96; i += 16) {
        v128.store(at + i, f32x4.min(f32x4.max(v128.load(at + i), f32x4.splat(lowest)), f32x4.splat(highest)));
      }
      at += step;
    }
  }
}

/** Offsets in the input's descriptor, in bytes; the twin of INPUT in src/model/wasm/plan.ts. */
const Z: usize = 0;
const CODES: usize = 4;
const INPUT_WIDTH: usize = 8; // without padding
const INPUT_HEIGHT: usize = 12;
const PADDED_WIDTH: usize = 16;
const GAINS: usize = 20; // i32 [256][12]
const FEATURES: usize = 24; // i16 [256]
const INPUT_LIMIT: usize = 28;
const INPUT_SHIFT: usize = 32;
const INPUT_HALF: usize = 36;
const INPUT_UNITS: usize = 40; // f32: units of an observed value
const INPUT_BOUND: usize = 44; // f32: most units

// @ts-ignore: decorator
@inline
function gains(table: usize, codes: usize, c: usize): v128 {
  let g = v128.load32_zero(table + <usize>load<u8>(codes, 0) * 48 + 4 * c);
  g = v128.load32_lane(table + <usize>load<u8>(codes, 1) * 48 + 4 * c + 4, g, 1);
  g = v128.load32_lane(table + <usize>load<u8>(codes, 2) * 48 + 4 * c + 8, g, 2);
  return v128.load32_lane(table + <usize>load<u8>(codes, 3) * 48 + 4 * c + 12, g, 3);
}

// @ts-ignore: decorator
@inline
function observed(z: v128, gain: v128, input: usize): v128 {
  const bound = v128.load32_splat(input, INPUT_BOUND);
  const scaled = f32x4.mul(z, v128.load32_splat(input, INPUT_UNITS));
  const value = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.max(f32x4.min(scaled, bound), f32x4.neg(bound))));
  const product = scaledProduct(value, gain, i32x4.shl(gain, 16));
  return i32x4.shr_s(i32x4.add(product, v128.load32_splat(input, INPUT_HALF)), load<i32>(input, INPUT_SHIFT));
}

// @ts-ignore: decorator
@inline
function limited(x: v128, limit: v128): v128 {
  return i16x8.max_s(i16x8.min_s(x, limit), i16x8.neg(limit));
}

/** Rows y0 to y1 − 1 of the network's input: 12 observations, 12 log-sigmas; unknown in the padding. */
export function inputRows(input: usize, tensor: usize, y0: i32, y1: i32): void {
  zeroBorder(tensor, y0, y1);
  const width = load<i32>(input, INPUT_WIDTH);
  const padded = load<i32>(input, PADDED_WIDTH);
  const table = load<usize>(input, GAINS);
  const features = load<usize>(input, FEATURES);
  const limit = v128.load16_splat(input, INPUT_LIMIT);
  const unknown = load<i16>(features, 2 * 255);
  for (let y = y0; y < y1; y++) {
    let to = load<usize>(tensor, BASE) + <usize>(y + 1) * load<usize>(tensor, ROW) + load<usize>(tensor, PIXEL);
    const inside = y < load<i32>(input, INPUT_HEIGHT) ? width : 0;
    let z = load<usize>(input, Z) + <usize>y * <usize>width * 48;
    let codes = load<usize>(input, CODES) + <usize>y * <usize>width * 12;
    for (let x = 0; x < inside; x++) {
      const v0 = observed(v128.load(z), gains(table, codes, 0), input);
      const v1 = observed(v128.load(z, 16), gains(table, codes + 4, 4), input);
      const v2 = observed(v128.load(z, 32), gains(table, codes + 8, 8), input);
      v128.store(to, limited(i16x8.narrow_i32x4_s(v0, v1), limit));
      v128.store64_lane(to, limited(i16x8.narrow_i32x4_s(v2, v2), limit), 0, 16);
      for (let c: usize = 0; c < 12; c++) store<i16>(to + 2 * c, load<i16>(features + 2 * <usize>load<u8>(codes + c)), 24);
      z += 48;
      codes += 12;
      to += 48;
    }
    for (let x = inside; x < padded; x++) {
      v128.store(to, i16x8.splat(0));
      v128.store(to, i16x8.splat(unknown), 32);
      v128.store(to, v128.shuffle<i16>(i16x8.splat(0), i16x8.splat(unknown), 0, 1, 2, 3, 8, 9, 10, 11), 16);
      to += 48;
    }
  }
}
