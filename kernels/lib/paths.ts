/** What searches of trellises share: path metrics (i16, by state, the more the better) and the decisions behind them. */

/** All paths but that of state 0 are hopeless. @param bytes of the path metrics */
export function beginPaths(paths: usize, bytes: usize): void {
  const lowest = i16x8.splat(i16.MIN_VALUE);
  for (let p = paths; p < paths + bytes; p += 16) v128.store(p, lowest);
  store<i16>(paths, 0);
}

/** Subtracts the best metric from all. @param bytes of the path metrics */
export function renormalise(paths: usize, bytes: usize): void {
  const last = paths + bytes;
  let most = v128.load(paths);
  let other = most;
  for (let p = paths; p < last; p += 64) {
    most = i16x8.max_s(most, i16x8.max_s(v128.load(p), v128.load(p, 16)));
    other = i16x8.max_s(other, i16x8.max_s(v128.load(p, 32), v128.load(p, 48)));
  }
  most = i16x8.max_s(most, other);
  most = i16x8.max_s(most, v128.shuffle<i16>(most, most, 4, 5, 6, 7, 0, 1, 2, 3));
  most = i16x8.max_s(most, v128.shuffle<i16>(most, most, 2, 3, 0, 1, 6, 7, 4, 5));
  most = i16x8.max_s(most, v128.shuffle<i16>(most, most, 1, 0, 3, 2, 5, 4, 7, 6));
  for (let p = paths; p < last; p += 64) {
    v128.store(p, i16x8.sub_sat_s(v128.load(p), most));
    v128.store(p, i16x8.sub_sat_s(v128.load(p, 16), most), 16);
    v128.store(p, i16x8.sub_sat_s(v128.load(p, 32), most), 32);
    v128.store(p, i16x8.sub_sat_s(v128.load(p, 48), most), 48);
  }
}

/**
 * Of 8 states and the 8 that are half of all further on: what they become with bit 0 and with bit 1, from below and from
 * above; the better ones side by side, and which they were.
 */
// @ts-ignore: decorator
@inline
export function join(c00: v128, c10: v128, c01: v128, c11: v128, to: usize, decision: usize): void {
  const g = i8x16.narrow_i16x8_s(i16x8.gt_s(c10, c00), i16x8.gt_s(c11, c01));
  store<u16>(decision, <u16>i8x16.bitmask(g));
  const n0 = i16x8.max_s(c00, c10);
  const n1 = i16x8.max_s(c01, c11);
  v128.store(to, v128.shuffle<i16>(n0, n1, 0, 8, 1, 9, 2, 10, 3, 11));
  v128.store(to, v128.shuffle<i16>(n0, n1, 4, 12, 5, 13, 6, 14, 7, 15), 16);
}

/**
 * Traces back from the best state, writes the bits of the oldest `count` of `held` steps, one a byte, and forgets their
 * decisions.
 */
export function traceBack(paths: usize, decisions: usize, nu: i32, held: i32, count: i32, bits: usize): void {
  const states = 1 << nu;
  let best: i32 = i32.MIN_VALUE;
  let s = 0;
  for (let i = 0; i < states; i++) {
    const m = <i32>load<i16>(paths + ((<usize>i) << 1));
    if (m > best) {
      best = m;
      s = i;
    }
  }
  const bytes: usize = (<usize>1) << (nu - 3);
  for (let k = held - 1; k >= 0; k--) {
    const q = s >> 1;
    if (k < count) store<u8>(bits + <usize>k, <u8>(s & 1));
    const mask = <i32>load<u8>(decisions + <usize>k * bytes + <usize>(((q >> 3) << 1) | (s & 1)));
    s = q | (((mask >> (q & 7)) & 1) << (nu - 1));
  }
  memory.copy(decisions, decisions + <usize>count * bytes, <usize>(held - count) * bytes);
}
