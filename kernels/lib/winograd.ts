/**
 * Winograd's F(2×2, 3×3), exactly, in integers: 16 products of transformed tiles in place of 36. A tile is 2×2 outputs; its
 * 4×4 inputs d become V = Bᵀ d B (int16), the filters are stored as U = (2G) w (2G)ᵀ (int16), and the outputs are
 * Aᵀ (Σ U · V) A / 4, exactly the sums of the direct convolution, as all of it is exact modulo 2^32.
 *
 * Tiles are taken TILES at a time, in rows of tiles one behind the other. Their inputs are transformed once, for all
 * outputs, into [16][tile][channel]; then each block of 8 outputs is 16 products of matrices and the way back. Weights
 * are packed as [8 outputs][16][pair of channels][output][2].
 */
import {
  ACTIVATION,
  BLOCKS,
  BLOCK_CONSTANTS,
  CONSTANTS,
  INPUT,
  INPUT_PIXEL,
  INPUT_ROW,
  OUTPUT,
  OUTPUT_PIXEL,
  OUTPUT_ROW,
  SKIP,
  WEIGHTS,
  WIDTH,
  finish,
  mac,
  scaledProduct,
} from './tile';

/** Tiles that are transformed together; a multiple of 4. */
export const TILES: usize = 16;
/** Between the 16 planes of transformed tiles lies a cache line, so that they don't all fall into the same sets. */
const LINE: usize = 64;
/** Bytes between the 16 planes of sums, of 8 int32 a tile. */
const SUM_PLANE: usize = TILES * 32 + LINE;

/** Transforms `count` tiles of a row of tiles. @param input of the first @param plane bytes between the 16 results */
// @ts-ignore: decorator
@inline
function transform(input: usize, inputRow: usize, pixel: usize, count: i32, to: usize, plane: usize): void {
  for (let c: usize = 0; c < pixel; c += 16) {
    transformRow(0, input + c, inputRow, pixel, count, to + c, plane);
    transformRow(1, input + c, inputRow, pixel, count, to + c, plane);
    transformRow(2, input + c, inputRow, pixel, count, to + c, plane);
    transformRow(3, input + c, inputRow, pixel, count, to + c, plane);
  }
}

/** Row i of the results. Neighbours share two columns, which stay in registers. */
// @ts-ignore: decorator
@inline
function transformRow(i: i32, input: usize, inputRow: usize, pixel: usize, count: i32, to: usize, plane: usize): void {
  let at = to + <usize>(4 * i) * plane;
  let a = input;
  let t0 = vertical(i, a, inputRow);
  let t1 = vertical(i, a + pixel, inputRow);
  for (let tile = 0; tile < count; tile++) {
    a += 2 * pixel;
    const t2 = vertical(i, a, inputRow);
    const t3 = vertical(i, a + pixel, inputRow);
    v128.store(at, i16x8.sub(t0, t2));
    v128.store(at + plane, i16x8.add(t1, t2));
    v128.store(at + 2 * plane, i16x8.sub(t2, t1));
    v128.store(at + 3 * plane, i16x8.sub(t1, t3));
    t0 = t2;
    t1 = t3;
    at += pixel;
  }
}

/** Row i of Bᵀ times a column of inputs. */
// @ts-ignore: decorator
@inline
function vertical(i: i32, a: usize, row: usize): v128 {
  if (i == 0) return i16x8.sub(v128.load(a), v128.load(a + 2 * row));
  if (i == 1) return i16x8.add(v128.load(a + row), v128.load(a + 2 * row));
  if (i == 2) return i16x8.sub(v128.load(a + 2 * row), v128.load(a + row));
  return i16x8.sub(v128.load(a + row), v128.load(a + 3 * row));
}

/** Sums of 4 tiles × 8 outputs. @param run bytes of a tile's channels, a multiple of 16 */
// @ts-ignore: decorator
@inline
function product(tiles: usize, run: usize, weights: usize, sums: usize): void {
  let a0 = i32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
  let w0 = a0, w1 = a0, x = a0;
  let w = weights;
  let a = tiles;
  let b = a + run;
  let c = b + run;
  let d = c + run;
  const end = b;
  // See tileOfFour: the branches keep V8 from loading all operands first.
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
  v128.store(sums, a0);
  v128.store(sums, a1, 16);
  v128.store(sums, b0, 32);
  v128.store(sums, b1, 48);
  v128.store(sums, c0, 64);
  v128.store(sums, c1, 80);
  v128.store(sums, d0, 96);
  v128.store(sums, d1, 112);
}

/**
 * From sums to outputs: Aᵀ · sums · A / 4 of `count` tiles, 4 of the 8 outputs, and what `scaledProduct` and b make of it.
 * The four pixels of a tile take the places of its first four sums.
 */
// @ts-ignore: decorator
@inline
function backward(sums: usize, count: i32, constants: usize): void {
  const low = v128.load(constants), high = v128.load(constants, 32), b = v128.load(constants, 64);
  const end = sums + <usize>count * 32;
  for (let at = sums; at < end; at += 32) {
    let m1 = v128.load(at, 4 * SUM_PLANE), m2 = v128.load(at, 8 * SUM_PLANE);
    const u0 = i32x4.add(v128.load(at), i32x4.add(m1, m2));
    const l0 = i32x4.sub(i32x4.sub(m1, m2), v128.load(at, 12 * SUM_PLANE));
    m1 = v128.load(at, 5 * SUM_PLANE), m2 = v128.load(at, 9 * SUM_PLANE);
    const u1 = i32x4.add(v128.load(at, SUM_PLANE), i32x4.add(m1, m2));
    const l1 = i32x4.sub(i32x4.sub(m1, m2), v128.load(at, 13 * SUM_PLANE));
    m1 = v128.load(at, 6 * SUM_PLANE), m2 = v128.load(at, 10 * SUM_PLANE);
    const u2 = i32x4.add(v128.load(at, 2 * SUM_PLANE), i32x4.add(m1, m2));
    const l2 = i32x4.sub(i32x4.sub(m1, m2), v128.load(at, 14 * SUM_PLANE));
    m1 = v128.load(at, 7 * SUM_PLANE), m2 = v128.load(at, 11 * SUM_PLANE);
    const u3 = i32x4.add(v128.load(at, 3 * SUM_PLANE), i32x4.add(m1, m2));
    const l3 = i32x4.sub(i32x4.sub(m1, m2), v128.load(at, 15 * SUM_PLANE));
    v128.store(at, quarter(i32x4.add(u0, i32x4.add(u1, u2)), low, high, b));
    v128.store(at, quarter(i32x4.sub(i32x4.sub(u1, u2), u3), low, high, b), SUM_PLANE);
    v128.store(at, quarter(i32x4.add(l0, i32x4.add(l1, l2)), low, high, b), 2 * SUM_PLANE);
    v128.store(at, quarter(i32x4.sub(i32x4.sub(l1, l2), l3), low, high, b), 3 * SUM_PLANE);
  }
}

// @ts-ignore: decorator
@inline
function quarter(sum: v128, low: v128, high: v128, b: v128): v128 {
  return i32x4.add(scaledProduct(i32x4.shr_s(sum, 2), low, high), b);
}

/**
 * Rows y0 to y1 − 1 of a 3×3 layer. What lies beyond the row's end or below row y1 is read, but makes no difference to
 * what is written.
 * @param scratch 16 · (TILES · channels · 2 + 64) + 16 · (TILES · 32 + 64) bytes
 */
// @ts-ignore: decorator
@inline
export function winogradRows(mode: i32, part: usize, scratch: usize, y0: i32, y1: i32): void {
  const width = load<i32>(part, WIDTH);
  const pixel = load<usize>(part, INPUT_PIXEL);
  const inputRow = load<usize>(part, INPUT_ROW);
  const columns = (width + 1) >> 1;
  const total = columns * ((y1 - y0 + 1) >> 1);
  const plane = TILES * pixel + LINE;
  const sums = scratch + 16 * plane;
  for (let first = 0; first < total; first += <i32>TILES) {
    const count = min(<i32>TILES, total - first);
    for (let tile = 0; tile < count;) {
      const ty = (first + tile) / columns;
      const tx = first + tile - ty * columns;
      const inRow = min(count - tile, columns - tx);
      const input = load<usize>(part, INPUT) + <usize>(y0 + 2 * ty) * inputRow + <usize>(2 * tx) * pixel;
      transform(input, inputRow, pixel, inRow, scratch + <usize>tile * pixel, plane);
      tile += inRow;
    }
    let weights = load<usize>(part, WEIGHTS);
    let constants = load<usize>(part, CONSTANTS);
    let offset: usize = 0;
    for (let block = load<i32>(part, BLOCKS); block > 0; block--) {
      for (let k: usize = 0; k < 16; k++) {
        for (let tile: usize = 0; tile < <usize>count; tile += 4) {
          product(scratch + k * plane + tile * pixel, pixel, weights, sums + k * SUM_PLANE + tile * 32);
        }
        weights += 8 * pixel;
      }
      backward(sums, count, constants);
      backward(sums + 16, count, constants + 16);
      outputs(mode, part, sums, first, count, columns, y0, y1, offset);
      constants += BLOCK_CONSTANTS;
      offset += mode == ACTIVATION ? 16 : 32;
    }
  }
}

/** Writes the pixels of `count` tiles, 8 outputs. @param offset in bytes of these within a pixel of the result */
// @ts-ignore: decorator
@inline
function outputs(mode: i32, part: usize, sums: usize, first: i32, count: i32, columns: i32, y0: i32, y1: i32, offset: usize): void {
  const width = load<i32>(part, WIDTH);
  const step = load<usize>(part, OUTPUT_PIXEL);
  const row = load<usize>(part, OUTPUT_ROW);
  const output = load<usize>(part, OUTPUT) + offset;
  // A skip connection has the same steps as the result.
  const skip = mode == ACTIVATION && load<usize>(part, SKIP) != 0 ? load<usize>(part, SKIP) + offset - output : 0;
  let ty = first / columns;
  let tx = first - ty * columns;
  for (let tile = 0; tile < count; tile++) {
    const at = output + <usize>(y0 + 2 * ty) * row + <usize>(2 * tx) * step;
    const right = 2 * tx + 1 < width;
    finish(mode, part, v128.load(sums), v128.load(sums, 16), at, skip);
    if (right) finish(mode, part, v128.load(sums, SUM_PLANE), v128.load(sums, SUM_PLANE + 16), at + step, skip);
    if (y0 + 2 * ty + 1 < y1) {
      finish(mode, part, v128.load(sums, 2 * SUM_PLANE), v128.load(sums, 2 * SUM_PLANE + 16), at + row, skip);
      if (right) finish(mode, part, v128.load(sums, 3 * SUM_PLANE), v128.load(sums, 3 * SUM_PLANE + 16), at + row + step, skip);
    }
    sums += 32;
    if (++tx == columns) {
      tx = 0;
      ty++;
    }
  }
}
