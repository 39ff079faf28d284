/** What bench/engine.ts measures the network against. Not part of the codec. */
import { RAW, convRow } from './lib/tile';

/** Rows of a part without what follows the sums: the bare convolution. */
export function rawRows(part: usize, y0: i32, y1: i32): void {
  for (let y = y0; y < y1; y++) convRow(RAW, part, y);
}

// @ts-ignore: decorator
@inline
function add(sum: v128, x: v128, w: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(x, w));
}

/**
 * The arithmetic of the convolution alone, `count` times: 16 dot products of 8 int16 and 16 additions, without memory.
 * The ceiling of any kernel. (All products differ, or the compiler would compute them once.)
 */
export function registers(count: i32, seed: i32): i32 {
  let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  const x0 = i16x8.splat(<i16>seed), x1 = i16x8.splat(<i16>(seed + 1));
  const x2 = i16x8.splat(<i16>(seed + 2)), x3 = i16x8.splat(<i16>(seed + 3));
  const w0 = i16x8.splat(<i16>(seed + 4)), w1 = i16x8.splat(<i16>(seed + 5));
  const w2 = i16x8.splat(<i16>(seed + 6)), w3 = i16x8.splat(<i16>(seed + 7));
  for (let i = 0; i < count; i++) {
    s0 = add(s0, x0, w0), s1 = add(s1, x1, w0), s2 = add(s2, x2, w0), s3 = add(s3, x3, w0);
    s0 = add(s0, x0, w1), s1 = add(s1, x1, w1), s2 = add(s2, x2, w1), s3 = add(s3, x3, w1);
    s0 = add(s0, x0, w2), s1 = add(s1, x1, w2), s2 = add(s2, x2, w2), s3 = add(s3, x3, w2);
    s0 = add(s0, x0, w3), s1 = add(s1, x1, w3), s2 = add(s2, x2, w3), s3 = add(s3, x3, w3);
  }
  return i32x4.extract_lane(i32x4.add(i32x4.add(s0, s1), i32x4.add(s2, s3)), 0);
}
