/** What bench/engine.ts measures the network against. Not part of the codec. */
import { RAW, convRow } from './lib/tile';

/** Rows of a part without what follows the sums: the bare convolution. */
export function rawRows(part: usize, y0: i32, y1: i32): void {
  for (let y = y0; y < y1; y++) convRow(RAW, part, y);
}

/**
 * The arithmetic of the register tile alone, `count` times: 8 dot products of 8 int16 and 8 additions, without memory.
 * The ceiling of any kernel of that shape. (Compilers leave the products in the loop, though they never change.)
 */
export function registers(count: i32, seed: i32): i32 {
  let a0 = i32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
  const w0 = i16x8.splat(<i16>seed), w1 = i16x8.splat(<i16>(seed + 1));
  const a = i16x8.splat(<i16>(seed + 2)), b = i16x8.splat(<i16>(seed + 3));
  const c = i16x8.splat(<i16>(seed + 4)), d = i16x8.splat(<i16>(seed + 5));
  for (let i = 0; i < count; i++) {
    a0 = i32x4.add(a0, i32x4.dot_i16x8_s(a, w0)), a1 = i32x4.add(a1, i32x4.dot_i16x8_s(a, w1));
    b0 = i32x4.add(b0, i32x4.dot_i16x8_s(b, w0)), b1 = i32x4.add(b1, i32x4.dot_i16x8_s(b, w1));
    c0 = i32x4.add(c0, i32x4.dot_i16x8_s(c, w0)), c1 = i32x4.add(c1, i32x4.dot_i16x8_s(c, w1));
    d0 = i32x4.add(d0, i32x4.dot_i16x8_s(d, w0)), d1 = i32x4.add(d1, i32x4.dot_i16x8_s(d, w1));
  }
  const low = i32x4.add(i32x4.add(a0, b0), i32x4.add(c0, d0));
  const high = i32x4.add(i32x4.add(a1, b1), i32x4.add(c1, d1));
  return i32x4.extract_lane(i32x4.add(low, high), 0);
}
