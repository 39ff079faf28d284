/**
 * What is done with the weights of a model when it is read (src/model/integer/rice.ts) and laid out
 * (src/model/wasm/filters.ts). Addresses in bytes.
 */

// Where the next code begins, and where the bytes end, behind which there are 8 zeros.
let place: usize = 0;
let bit: u32 = 0;
let end: usize = 0;

const PARAMETER_BITS: u32 = 4;
/** The sign folded into the lowest bit, of values in int16. */
const MAX_FOLDED: u32 = 65535;
/** Bits that are there of a word of 64 whose first byte may be begun. */
const WINDOW_BITS: u32 = 57;

export function beginRice(bytes: usize, length: usize): void {
  place = bytes;
  bit = 0;
  end = bytes + length;
}

function pass(bits: u32): void {
  bit += bits;
  place += <usize>(bit >> 3);
  bit &= 7;
}

/** The next bits, the first one highest. */
function window(): u64 {
  return bswap(load<u64>(place)) << <u64>bit;
}

/** Up to 15 bits. */
function low(count: u32): u32 {
  const value = <u32>((window() >> 1) >> <u64>(63 - count));
  pass(count);
  return value;
}

/** Whether the codes that were read are within the bytes. */
function within(): bool {
  return place < end || (place == end && bit == 0);
}

/** Reads a list of int16. @returns false where there is none of that length */
export function readRice(list: usize, length: i32): bool {
  if (place > end) return false;
  const parameter = low(PARAMETER_BITS);
  const most = MAX_FOLDED >> parameter;
  for (const behind = list + 2 * <usize>length; list < behind; list += 2) {
    const bits = window();
    let ones = <u32>clz(~bits);
    let f: u32;
    if (ones + parameter < WINDOW_BITS) {
      if (ones > most) return false;
      f = (ones << parameter) | <u32>(((bits << <u64>(ones + 1)) >> 1) >> <u64>(63 - parameter));
      pass(ones + 1 + parameter);
    } else {
      for (ones = 0; <i64>window() < 0; ones++) {
        if (ones == most) return false;
        pass(1);
      }
      pass(1);
      f = (ones << parameter) | low(parameter);
    }
    store<u16>(list, (f & 1) == 0 ? f >> 1 : -((f + 1) >> 1));
    if (!within()) return false;
  }
  return true;
}

/** Whether what is left are less than 8 bits, all 0. */
export function endsRice(): bool {
  if (place == end) return bit == 0;
  return place + 1 == end && bit > 0 && <u8>(load<u8>(place) << <u8>bit) == 0;
}

// A row of 2G = [2 0 0; 1 1 1; 1 −1 1; 0 0 2] times three numbers. Once in int16, which may wrap around on the way, and once wide.

// @ts-ignore: decorator
@inline
function row16(k: i32, a: v128, b: v128, c: v128): v128 {
  if (k == 0) return i16x8.add(a, a);
  if (k == 3) return i16x8.add(c, c);
  return k == 1 ? i16x8.add(i16x8.add(a, c), b) : i16x8.sub(i16x8.add(a, c), b);
}

// @ts-ignore: decorator
@inline
function row32(k: i32, a: v128, b: v128, c: v128): v128 {
  if (k == 0) return i32x4.add(a, a);
  if (k == 3) return i32x4.add(c, c);
  return k == 1 ? i32x4.add(i32x4.add(a, c), b) : i32x4.sub(i32x4.add(a, c), b);
}

/**
 * The largest magnitude in the transformed filters (2G) w (2G)ᵀ.
 * @param weights int16 [row][column][filter] @param filters a multiple of 4
 */
export function largestOfFilters(weights: usize, filters: i32): i32 {
  const plane: usize = 2 * <usize>filters;
  let most = i32x4.splat(0);
  for (const behind = weights + plane; weights < behind; weights += 8) {
    for (let k = 0; k < 4; k++) {
      const a = column32(k, weights, plane);
      const b = column32(k, weights + plane, plane);
      const c = column32(k, weights + 2 * plane, plane);
      for (let m = 0; m < 4; m++) most = i32x4.max_u(most, i32x4.abs(row32(m, a, b, c)));
    }
  }
  return max(
    max(i32x4.extract_lane(most, 0), i32x4.extract_lane(most, 1)),
    max(i32x4.extract_lane(most, 2), i32x4.extract_lane(most, 3)),
  );
}

// @ts-ignore: decorator
@inline
function column32(k: i32, at: usize, plane: usize): v128 {
  return row32(k, v128.load_ext<i16>(at), v128.load_ext<i16>(at + 3 * plane), v128.load_ext<i16>(at + 6 * plane));
}

// @ts-ignore: decorator
@inline
function column16(k: i32, at: usize, plane: usize): v128 {
  return row16(k, v128.load(at), v128.load(at + 3 * plane), v128.load(at + 6 * plane));
}

/**
 * Transforms and packs filters that then fit int16: [8 outputs][16][pair of inputs][output][2].
 * @param weights int16 [row][column][input][output] @param inputs and outputs, multiples of 8
 */
export function packFilters(weights: usize, inputs: i32, outputs: i32, packed: usize): void {
  const row: usize = 2 * <usize>outputs;
  const plane = <usize>inputs * row;
  const point: usize = 16 * <usize>inputs;
  for (let o: usize = 0; o < row; o += 16) {
    for (let i: usize = 0; i < plane; i += 2 * row) {
      const at = weights + i + o;
      let to = packed + o * point + (i / row) * 16;
      for (let k = 0; k < 4; k++) {
        const a = column16(k, at, plane);
        const b = column16(k, at + plane, plane);
        const c = column16(k, at + 2 * plane, plane);
        const a1 = column16(k, at + row, plane);
        const b1 = column16(k, at + row + plane, plane);
        const c1 = column16(k, at + row + 2 * plane, plane);
        for (let m = 0; m < 4; m++) {
          const x = row16(m, a, b, c);
          const y = row16(m, a1, b1, c1);
          v128.store(to, v128.shuffle<i16>(x, y, 0, 8, 1, 9, 2, 10, 3, 11));
          v128.store(to + 16, v128.shuffle<i16>(x, y, 4, 12, 5, 13, 6, 14, 7, 15));
          to += point;
        }
      }
    }
  }
}
