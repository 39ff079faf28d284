/**
 * Weights of a linear prediction by least squares over what has been seen near by (docs/format.md, section 13). The sums
 * of a cell are columns of a lower triangle, its last row the products with the outcome; each column begins with an even
 * row, so that two rows are computed at a time. Each number is made of the same operations in the same order as one by one.
 *
 * A prediction is 192 bytes: i32 inputs, i32 rows (inputs and outcome, made even), i32 bytes of a cell, i32 address of the
 * cells, i32 cells, i32 inputs whose weight is expected to be ½; from byte 32 on i32 for each column: where its row 0
 * would stand, relative to the cell.
 */

const FADING: f64 = 0.9;
const BESIDE: f64 = 0.5;
const EXPECTED: f64 = 1;
const HALF: f64 = 0.5;
const LEAST_PIVOT: f64 = 1e-3;

const COLUMNS: usize = 32;

/** Fades `bytes` of sums, a multiple of 16. */
export function fade(sums: usize, bytes: usize): void {
  const factor = f64x2.splat(FADING);
  for (let end = sums + bytes; sums < end; sums += 16) v128.store(sums, f64x2.mul(v128.load(sums), factor));
}

/** Weights for a cell, of what is known now. @param sum room for the sums of a cell @param weights f64 for each input */
export function solve(prediction: usize, cell: i32, sum: usize, weights: usize): void {
  const count = load<i32>(prediction);
  const rows = load<i32>(prediction + 4);
  addUp(prediction, cell, sum);
  const halves = load<i32>(prediction + 20);
  for (let j = 0; j < count; j++) {
    const column = sum + load<i32>(prediction + COLUMNS + 4 * <usize>j);
    const diagonal = column + 8 * <usize>j;
    store<f64>(diagonal, load<f64>(diagonal) + EXPECTED);
    const last = column + 8 * <usize>count;
    store<f64>(last, load<f64>(last) + (j < halves ? HALF : 0));
  }
  for (let j = 0; j < count; j++) decompose(prediction + COLUMNS, sum, j, rows);
  substitute(prediction + COLUMNS, sum, count, weights);
}

/** The sums of a cell and half of those beside it. */
function addUp(prediction: usize, cell: i32, sum: usize): void {
  const size = <usize>load<i32>(prediction + 8);
  const from = <usize>load<i32>(prediction + 12) + <usize>cell * size;
  const left = cell > 0;
  const right = cell + 1 < load<i32>(prediction + 16);
  const half = f64x2.splat(BESIDE);
  for (let i: usize = 0; i < size; i += 16) {
    let s = v128.load(from + i);
    if (left) s = f64x2.add(s, f64x2.mul(half, v128.load(from + i - size)));
    if (right) s = f64x2.add(s, f64x2.mul(half, v128.load(from + i + size)));
    v128.store(sum + i, s);
  }
}

/** Column j of Cholesky's factor in place of the sums; its last row is that of the outcome, and so solves for it. */
function decompose(columns: usize, sum: usize, j: i32, rows: i32): void {
  const column = sum + load<i32>(columns + 4 * <usize>j);
  const here: usize = 8 * <usize>j;
  let i: usize = here & ~15;
  const end: usize = 8 * <usize>rows;
  for (; i + 64 <= end; i += 64) {
    let a = v128.load(column + i);
    let b = v128.load(column + i, 16);
    let c = v128.load(column + i, 32);
    let d = v128.load(column + i, 48);
    for (let q = columns, last = columns + 4 * <usize>j; q < last; q += 4) {
      const other = sum + load<i32>(q);
      const factor = v128.load64_splat(other + here);
      a = f64x2.sub(a, f64x2.mul(v128.load(other + i), factor));
      b = f64x2.sub(b, f64x2.mul(v128.load(other + i, 16), factor));
      c = f64x2.sub(c, f64x2.mul(v128.load(other + i, 32), factor));
      d = f64x2.sub(d, f64x2.mul(v128.load(other + i, 48), factor));
    }
    v128.store(column + i, a);
    v128.store(column + i, b, 16);
    v128.store(column + i, c, 32);
    v128.store(column + i, d, 48);
  }
  for (; i < end; i += 16) {
    let a = v128.load(column + i);
    for (let q = columns, last = columns + 4 * <usize>j; q < last; q += 4) {
      const other = sum + load<i32>(q);
      a = f64x2.sub(a, f64x2.mul(v128.load(other + i), v128.load64_splat(other + here)));
    }
    v128.store(column + i, a);
  }
  const square = load<f64>(column + here);
  const pivot = sqrt<f64>(square > LEAST_PIVOT ? square : LEAST_PIVOT);
  const divisor = f64x2.splat(pivot);
  for (i = here & ~15; i < end; i += 16) v128.store(column + i, f64x2.div(v128.load(column + i), divisor));
  store<f64>(column + here, pivot);
}

/** From the last weight to the first. */
function substitute(columns: usize, sum: usize, count: i32, weights: usize): void {
  for (let i = count - 1; i >= 0; i--) {
    const column = sum + load<i32>(columns + 4 * <usize>i);
    let s = load<f64>(column + 8 * <usize>count);
    for (let q: usize = 8 * <usize>(i + 1), end: usize = 8 * <usize>count; q < end; q += 8)
      s -= load<f64>(column + q) * load<f64>(weights + q);
    store<f64>(weights + 8 * <usize>i, s / load<f64>(column + 8 * <usize>i));
  }
}

/** What the inputs say. */
export function predict(count: i32, inputs: usize, weights: usize): f64 {
  let sum: f64 = 0;
  for (let i: usize = 0, end: usize = 8 * <usize>count; i < end; i += 8) sum += load<f64>(weights + i) * load<f64>(inputs + i);
  return sum;
}

/**
 * Takes what was predicted.
 * @param inputs f64, with the outcome behind them, and a 0 if that makes an even number
 * @param weighed room for as many
 */
export function learn(prediction: usize, cell: i32, inputs: usize, weighed: usize, weight: f64): void {
  const count = load<i32>(prediction);
  const end: usize = 8 * <usize>load<i32>(prediction + 4);
  const sums = <usize>load<i32>(prediction + 12) + <usize>cell * <usize>load<i32>(prediction + 8);
  const factor = f64x2.splat(weight);
  for (let i: usize = 0; i < end; i += 16) v128.store(weighed + i, f64x2.mul(v128.load(inputs + i), factor));
  for (let j: usize = 0; j < <usize>count; j++) {
    const column = sums + load<i32>(prediction + COLUMNS + 4 * j);
    const input = v128.load64_splat(inputs + 8 * j);
    for (let i: usize = (8 * j) & ~15; i < end; i += 16)
      v128.store(column + i, f64x2.add(v128.load(column + i), f64x2.mul(v128.load(weighed + i), input)));
  }
}
