/** What both engines have in common: evaluations run from top to bottom in strips, one at a time. */
import { DcompError } from '../errors.js';
import { withoutTurns, type Pause } from '../turns.js';
import { gridMultiple } from './architecture.js';
import { checkArguments, checkCount, type Evaluator, type RowEvaluation } from './evaluator.js';
import type { Condition } from './inputs.js';
import { paddedSize } from './integer/arithmetic.js';
import type { IntegerModel } from './integer/integer-model.js';
import { contextRows, type RowsByTensor } from './strips.js';

/** An evaluation on its way from top to bottom. */
export interface Course {
  z: Float32Array;
  codes: Uint8Array;
  /** Rows of the grid, and most of them that may be asked for at a time. */
  height: number;
  rows: number;
  /** Output rows that are done; the strips before row 0 fill the tensors that run ahead of the output. */
  done: number;
  /** Rows that have been given. */
  given: number;
  /** By tensor: where the rows end that have been computed. */
  ends: RowsByTensor;
}

export abstract class RowEngine<C extends Course> implements Evaluator {
  abstract readonly model: IntegerModel;
  abstract readonly threads: number;
  /** The evaluation whose rows may be asked for; none while a strip is computed, of which nothing is there to go on from until it is completed. */
  protected course: C | undefined;
  /** Whether a strip is being computed: the memory is that of one. */
  protected busy = false;
  private closed = false;

  async evaluate(
    z: Float32Array,
    codes: Uint8Array,
    width: number,
    height: number,
    condition: Condition,
    pause?: Pause,
  ): Promise<Float32Array> {
    return this.evaluateRows(z, codes, width, height, condition, height).next(height, pause);
  }

  /** @param strip rows that are evaluated together; default: as many as memory allows. It makes no difference to the result */
  evaluateRows(
    z: Float32Array,
    codes: Uint8Array,
    width: number,
    height: number,
    condition: Condition,
    rows: number,
    strip?: number,
  ): RowEvaluation {
    this.checkFree();
    checkArguments(z, codes, width, height, condition, rows);
    const course = this.begin(z, codes, width, height, condition, Math.min(rows, height), strip);
    this.course = course;
    return {
      next: async (count, pause = withoutTurns()) => {
        this.checkFree();
        if (this.course !== course)
          throw new DcompError(
            'E_USAGE',
            'evaluate: another evaluation has begun since; ask for its rows, or begin anew',
          );
        checkCount(count, course.given, course.height, course.rows);
        return this.nextRows(course, count, pause);
      },
    };
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.free();
  }

  /** Arguments as of `evaluateRows`, which have been checked. */
  protected abstract begin(
    z: Float32Array,
    codes: Uint8Array,
    width: number,
    height: number,
    condition: Condition,
    rows: number,
    strip: number | undefined,
  ): C;

  /** The next rows of a course, which may be asked for. */
  protected abstract nextRows(course: C, count: number, pause: Pause): Promise<Float32Array>;

  /** Ends the threads or hands back the device. */
  protected abstract free(): Promise<void>;

  /** @param whole whether all rows are one strip */
  protected courseOf(z: Float32Array, codes: Uint8Array, height: number, rows: number, whole: boolean): Course {
    const { architecture } = this.model;
    const lead = whole ? 0 : paddedSize(contextRows(architecture), gridMultiple(architecture));
    return { z, codes, height, rows, done: -lead, given: 0, ends: new Map() };
  }

  /** @throws DcompError E_USAGE */
  private checkFree(): void {
    if (this.closed) throw new DcompError('E_USAGE', 'evaluate: the evaluator is closed');
    if (this.busy) throw new DcompError('E_USAGE', 'evaluate: an evaluation is under way; wait for its rows first');
  }
}
