/** An evaluator on a GPU that another one takes over from where the GPU fails, in the middle of a picture, with the same result. */
import { COEFFICIENTS, type Architecture } from '../architecture.js';
import { engineOf, type Evaluator, type RowEvaluation } from '../evaluator.js';
import type { Condition } from '../inputs.js';
import type { IntegerModel } from '../integer/integer-model.js';
import { dependence } from '../strips.js';
import { GpuFailure } from './device.js';

export class FallbackEvaluator implements Evaluator {
  readonly model: IntegerModel;
  private second: Promise<Evaluator> | undefined;
  private failure: string | undefined;

  /**
   * @param current on a GPU
   * @param makeSecond what goes on
   */
  constructor(
    private current: Evaluator,
    private readonly makeSecond: () => Promise<Evaluator>,
  ) {
    this.model = current.model;
  }

  get threads(): number {
    return this.current.threads;
  }

  get engine(): string {
    const { failure } = this;
    return failure === undefined ? engineOf(this.current) : `${engineOf(this.current)}, as the GPU failed: ${failure}`;
  }

  async evaluate(...question: Parameters<Evaluator['evaluate']>): Promise<Float32Array> {
    try {
      return await this.current.evaluate(...question);
    } catch (error) {
      return (await this.instead(error)).evaluate(...question);
    }
  }

  evaluateRows(...[z, codes, width, height, condition, rows]: Parameters<Evaluator['evaluateRows']>): RowEvaluation {
    const seen = new SeenRows(this.model.architecture, z, codes, width, height);
    let evaluation: RowEvaluation | undefined;
    let failure: unknown;
    try {
      evaluation = this.current.evaluateRows(z, codes, width, height, condition, rows);
    } catch (error) {
      if (!(error instanceof GpuFailure)) throw error;
      failure = error;
    }
    return {
      next: async (count, pause) => {
        try {
          if (evaluation === undefined) throw failure;
          const result = await evaluation.next(count, pause);
          seen.give(count);
          return result;
        } catch (error) {
          evaluation = await seen.goOn(await this.instead(error), condition, rows);
          return evaluation.next(count, pause);
        }
      },
    };
  }

  async close(): Promise<void> {
    await this.current.close();
  }

  /** What goes on after a failure. @throws what is none of the GPU's */
  private async instead(error: unknown): Promise<Evaluator> {
    if (!(error instanceof GpuFailure)) throw error;
    if (this.second === undefined) {
      this.failure = error.message;
      const failed = this.current;
      this.second = this.makeSecond();
      this.current = await this.second;
      await failed.close().catch(() => undefined);
    }
    return this.second;
  }
}

/**
 * The arguments of rows that have been given, as far up as rows below still depend on them: their caller may have changed its own.
 */
class SeenRows {
  private given = 0;
  private kept: { row: number; z: Float32Array; codes: Uint8Array }[] = [];

  constructor(
    private readonly architecture: Architecture,
    private readonly z: Float32Array,
    private readonly codes: Uint8Array,
    private readonly width: number,
    private readonly height: number,
  ) {}

  /** Keeps what is needed of the next rows, before their caller has them. */
  give(count: number): void {
    const { width, height } = this;
    const end = this.given + count;
    const first = end === height ? height : this.firstFor(end);
    const begin = Math.max(this.given, first);
    const [from, to] = [begin, end].map((row) => row * width * COEFFICIENTS);
    // A piece is kept whole until none of it is needed.
    this.kept = this.kept.filter((each) => each.row + each.codes.length / (width * COEFFICIENTS) > first);
    if (begin < end) this.kept.push({ row: begin, z: this.z.slice(from, to), codes: this.codes.slice(from, to) });
    this.given = end;
  }

  /** The rows behind those that have been given, of another evaluator. */
  async goOn(evaluator: Evaluator, condition: Condition, rows: number): Promise<RowEvaluation> {
    const { width, height, given } = this;
    if (given === 0) return evaluator.evaluateRows(this.z, this.codes, width, height, condition, rows);
    const first = this.firstFor(given);
    const at = (row: number): number => (row - first) * width * COEFFICIENTS;
    const z = new Float32Array(at(height));
    const codes = new Uint8Array(at(height));
    const below = given * width * COEFFICIENTS;
    z.set(this.z.subarray(below), at(given));
    codes.set(this.codes.subarray(below), at(given));
    for (const each of this.kept) {
      const skipped = Math.max(0, -at(each.row));
      z.set(each.z.subarray(skipped), Math.max(0, at(each.row)));
      codes.set(each.codes.subarray(skipped), Math.max(0, at(each.row)));
    }
    const most = Math.max(rows, given - first);
    const evaluation = evaluator.evaluateRows(z, codes, width, height - first, condition, most);
    if (given > first) await evaluation.next(given - first);
    return evaluation;
  }

  /** The first row that rows from `row` on depend on. */
  private firstFor(row: number): number {
    return dependence(this.architecture, row, this.height, this.height).first;
  }
}
