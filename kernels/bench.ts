/** What bench/engine.ts measures the network against. Not part of the codec. */
import { RAW, convRow } from './lib/tile';

/** Rows of a part without what follows the sums: the bare convolution. */
export function rawRows(part: usize, y0: i32, y1: i32): void {
  for (let y = y0; y < y1; y++) convRow(RAW, part, y);
}

// @ts-ignore: decorator
@inline
function step(sum: v128, x: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(sum, x));
}

/**
 * The arithmetic of the convolution alone, `count` times: 24 dot products of 8 int16 and 24 additions, without memory.
 * The ceiling of any kernel. Twelve chains hide the latency; each feeds on itself, as the compiler would compute products
 * of constants only once.
 */
export function registers(count: i32, seed: i32): i32 {
  const x = i16x8.splat(<i16>seed);
  let s0 = i16x8.splat(1), s1 = i16x8.splat(2), s2 = i16x8.splat(3), s3 = i16x8.splat(4), s4 = i16x8.splat(5), s5 = i16x8.splat(6);
  let s6 = i16x8.splat(7), s7 = i16x8.splat(8), s8 = i16x8.splat(9), s9 = i16x8.splat(10), s10 = i16x8.splat(11), s11 = i16x8.splat(12);
  for (let i = 0; i < count; i++) {
    s0 = step(s0, x), s1 = step(s1, x), s2 = step(s2, x), s3 = step(s3, x),
    s4 = step(s4, x), s5 = step(s5, x), s6 = step(s6, x), s7 = step(s7, x),
    s8 = step(s8, x), s9 = step(s9, x), s10 = step(s10, x), s11 = step(s11, x);
    s0 = step(s0, x), s1 = step(s1, x), s2 = step(s2, x), s3 = step(s3, x),
    s4 = step(s4, x), s5 = step(s5, x), s6 = step(s6, x), s7 = step(s7, x),
    s8 = step(s8, x), s9 = step(s9, x), s10 = step(s10, x), s11 = step(s11, x);
  }
  const low = i32x4.add(i32x4.add(i32x4.add(s0, s1), i32x4.add(s2, s3)), i32x4.add(s4, s5));
  const high = i32x4.add(i32x4.add(i32x4.add(s6, s7), i32x4.add(s8, s9)), i32x4.add(s10, s11));
  return i32x4.extract_lane(i32x4.add(low, high), 0);
}
