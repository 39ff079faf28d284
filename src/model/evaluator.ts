import type { Condition } from './inputs.js';
import type { IntegerModel } from './integer-model.js';

/**
 * Evaluates the network of one model. One evaluation at a time. The result depends on the model and the arguments
 * alone, bit for bit, whatever the number of threads.
 */
export interface Evaluator {
  readonly model: IntegerModel;
  readonly threads: number;
  /**
   * @param z width · height · 12 observed values, positions row by row, channels interleaved.
   * @param codes their sigma codes, same layout.
   * @param width, height of the coefficient grid (half the level's picture), any size from 1×1.
   * @returns width · height · 24 floats: per position 12 corrections, then 12 log2 variances (already clamped to
   *   LOG_VARIANCE_MIN..MAX). A view that stays valid until the next call.
   */
  evaluate(z: Float32Array, codes: Uint8Array, width: number, height: number, condition: Condition): Promise<Float32Array>;
  /** Ends the threads. */
  close(): Promise<void>;
}
