import { DcompError } from '../errors.js';
import type { Pause } from '../turns.js';
import { COEFFICIENTS, OUTPUT_CHANNELS, type Architecture } from './architecture.js';
import type { Condition } from './inputs.js';
import type { IntegerModel } from './integer/integer-model.js';

/**
 * Evaluates the network of one model. One evaluation at a time. The result depends on the model and the arguments
 * alone, bit for bit, whatever the number of threads.
 */
export interface Evaluator {
  readonly model: IntegerModel;
  readonly threads: number;
  /** What it computes on, for people; default: WebAssembly. */
  readonly engine?: string | undefined;
  /** What evaluates levels ≥ 1 whose details are not (all) known, under condition `enter`. Default: this. */
  readonly coarse?: Evaluator | undefined;
  /** What evaluates level 0 where the picture is shown. Default: this. */
  readonly shower?: Evaluator | undefined;
  /** The architecture that sees farthest, of those that are evaluated. Default: the model's. */
  readonly widest?: Architecture | undefined;
  /**
   * @param z width · height · 12 observed values, positions row by row, channels interleaved.
   * @param codes their sigma codes, same layout.
   * @param width, height of the coefficient grid (half the level's picture), any size from 1×1.
   * @returns width · height · 24 floats: per position 12 corrections, then 12 log2 variances (already clamped to
   *   LOG_VARIANCE_MIN..MAX). A view that stays valid until the next call.
   * @param pause asked every few milliseconds; default: never
   */
  evaluate(
    z: Float32Array,
    codes: Uint8Array,
    width: number,
    height: number,
    condition: Condition,
    pause?: Pause,
  ): Promise<Float32Array>;
  /**
   * The same evaluation from top to bottom, some rows at a time, in memory that grows with the width alone. What `z` and
   * `codes` hold is read before the first rows that depend on it are given, once: rows that have been given may be
   * changed. A call of `evaluate` or `evaluateRows` ends it.
   * @param rows the most that will be asked for at a time
   */
  evaluateRows(
    z: Float32Array,
    codes: Uint8Array,
    width: number,
    height: number,
    condition: Condition,
    rows: number,
  ): RowEvaluation;
  /** Ends the threads. */
  close(): Promise<void>;
}

/** What may be chosen: `wasm`, `webgpu` (a GPU, or what plays one), or `auto`, a real GPU where there is one and it pays. */
export const ENGINES = ['auto', 'wasm', 'webgpu'] as const;
/** One of ENGINES. */
export type EngineName = (typeof ENGINES)[number];

/** What an evaluator computes on, for people. */
export function engineOf({ engine = 'WebAssembly' }: Pick<Evaluator, 'engine'>): string {
  return engine;
}

/** What windows are made for: the architecture that sees farthest. */
export function widestOf({ widest, model }: Evaluator): Architecture {
  return widest ?? model.architecture;
}

/** What evaluates under a condition. */
export function evaluatorFor({ level, mode }: Condition, evaluator: Evaluator): Evaluator {
  return (level > 0 && mode === 'enter' ? evaluator.coarse : undefined) ?? evaluator;
}

/** A result that says what the network was computed on. */
export function withEngine<T extends object>(result: T, evaluator: Pick<Evaluator, 'engine'>): T & { engine: string } {
  return { ...result, engine: engineOf(evaluator) };
}

export interface RowEvaluation {
  /**
   * The next rows of what `evaluate` returns.
   * @param pause asked every few milliseconds; where it throws, the evaluation is over. Default: never
   * @returns width · rows · 24 floats, a view that stays valid until the next call
   */
  next(rows: number, pause?: Pause): Promise<Float32Array>;
}

/** Row by row from an evaluator that can only give the whole. */
export function rowsOfWhole(evaluate: Evaluator['evaluate']): Evaluator['evaluateRows'] {
  return (z, codes, width, height, condition) => {
    let whole: Float32Array | undefined;
    let row = 0;
    return {
      async next(rows, pause) {
        whole ??= await evaluate(z, codes, width, height, condition, pause);
        const first = row;
        row += rows;
        return whole.subarray(first * width * OUTPUT_CHANNELS, row * width * OUTPUT_CHANNELS);
      },
    };
  };
}

/** What every engine refuses, before anything is computed. @throws DcompError E_USAGE */
export function checkArguments(
  z: Float32Array,
  codes: Uint8Array,
  width: number,
  height: number,
  condition: Condition,
  rows = 1,
): void {
  const size = width * height * COEFFICIENTS;
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new DcompError(
      'E_USAGE',
      `evaluate: a grid of ${width}×${height} positions; both must be whole and at least 1`,
    );
  }
  if (z.length !== size || codes.length !== size) {
    const given = `${z.length} values and ${codes.length} codes`;
    throw new DcompError('E_USAGE', `evaluate: ${given} instead of ${size} each for a grid of ${width}×${height}`);
  }
  const { level, sigma } = condition;
  if (!Number.isInteger(level) || level < 0 || !Number.isInteger(sigma) || sigma < 0 || sigma > 255) {
    throw new DcompError(
      'E_USAGE',
      `evaluate: level ${level}, sigma code ${sigma}; they must be whole, from 0 and within 0..255`,
    );
  }
  if (!Number.isInteger(rows) || rows < 1)
    throw new DcompError('E_USAGE', `evaluate: ${rows} rows at a time; at least 1`);
}

/**
 * Of rows that are asked for, `given` of `height` having been given.
 * @param most that may be asked for at a time
 * @throws DcompError E_USAGE
 */
export function checkCount(count: number, given: number, height: number, most: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= most && given + count <= height) return;
  throw new DcompError(
    'E_USAGE',
    `evaluate: ${count} rows behind row ${given} of ${height}, at most ${most} at a time`,
  );
}
