/**
 * Weights of a linear prediction that follow the picture: least squares over what has been seen near by. Sums of products
 * are kept for cells of some columns and fade from row to row, so that near rows count more than far ones (as in Meyer &
 * Tischer's TMW and GLICBAWLS, with cells in place of single pixels). Only + − × ÷ and sqrt on doubles, in a fixed order.
 */

/** Columns of a cell. */
export const CELL_COLUMNS = 8;
/** By how much sums fade from a row to the next. */
const FADING = 0.9;
/** Weight of the cells beside. */
const BESIDE = 0.5;
/** Added to the diagonal: so much evidence the weights that are expected have. */
const EXPECTED = 1;
/** Least pivot, where inputs depend on each other. */
const LEAST_PIVOT = 1e-3;

export class LeastSquares {
  /** Inputs of a prediction and, behind them, what was predicted; the caller sets them. */
  readonly inputs: Float64Array;
  private readonly weights: Float64Array;
  private readonly cells: Float64Array[];
  private readonly sum: Float64Array;
  private readonly factor: Float64Array;
  private readonly solved: Float64Array;

  /**
   * @param count of inputs
   * @param width of the picture
   * @param expected weights before anything is known; those that are not given are 0
   */
  constructor(
    private readonly count: number,
    width: number,
    private readonly expected: readonly number[],
  ) {
    const size = ((count + 1) * (count + 2)) / 2;
    this.inputs = new Float64Array(count + 1);
    this.weights = new Float64Array(count);
    this.cells = Array.from({ length: Math.ceil(width / CELL_COLUMNS) }, () => new Float64Array(size));
    this.sum = new Float64Array(size);
    this.factor = new Float64Array(size);
    this.solved = new Float64Array(count);
  }

  /** To be called before each row. */
  fade(): void {
    for (const cell of this.cells) for (let i = 0; i < cell.length; i++) cell[i]! *= FADING;
  }

  /** Weights for a cell, of what is known now. */
  solve(index: number): void {
    const { count, sum, cells, expected } = this;
    sum.set(cells[index]!);
    for (const beside of [cells[index - 1], cells[index + 1]]) {
      if (beside === undefined) continue;
      for (let i = 0; i < sum.length; i++) sum[i]! += BESIDE * beside[i]!;
    }
    const last = (count * (count + 1)) / 2;
    for (let i = 0, row = 0; i < count; row += ++i) {
      sum[row + i]! += EXPECTED;
      sum[last + i]! += EXPECTED * (expected[i] ?? 0);
    }
    this.decompose();
    this.substitute(last);
  }

  /** Cholesky's factor of the sums of the inputs: rows of a lower triangle, one behind the other. */
  private decompose(): void {
    const { count, sum, factor } = this;
    for (let i = 0, row = 0; i < count; row += ++i) {
      for (let j = 0, other = 0; j <= i; other += ++j) {
        let s = sum[row + j]!;
        for (let q = 0; q < j; q++) s -= factor[row + q]! * factor[other + q]!;
        factor[row + j] = i === j ? Math.sqrt(s > LEAST_PIVOT ? s : LEAST_PIVOT) : s / factor[other + j]!;
      }
    }
  }

  private substitute(last: number): void {
    const { count, sum, factor, solved, weights } = this;
    for (let i = 0, row = 0; i < count; row += ++i) {
      let s = sum[last + i]!;
      for (let q = 0; q < i; q++) s -= factor[row + q]! * solved[q]!;
      solved[i] = s / factor[row + i]!;
    }
    for (let i = count - 1; i >= 0; i--) {
      let s = solved[i]!;
      for (let q = i + 1; q < count; q++) s -= factor[(q * (q + 1)) / 2 + i]! * weights[q]!;
      weights[i] = s / factor[(i * (i + 1)) / 2 + i]!;
    }
  }

  /** What the inputs say. */
  predict(): number {
    const { count, inputs, weights } = this;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += weights[i]! * inputs[i]!;
    return sum;
  }

  /** Takes what was predicted, relative to the same as the inputs. @param weight the less, the more noise there is */
  learn(index: number, outcome: number, weight: number): void {
    const { inputs, count } = this;
    const cell = this.cells[index]!;
    inputs[count] = outcome;
    for (let i = 0, o = 0; i <= count; i++) {
      const v = inputs[i]! * weight;
      for (let j = 0; j <= i; j++) cell[o++]! += v * inputs[j]!;
    }
  }
}
