import type { Corrections } from '../entropy/corrections.js';
import type { PointRun } from '../entropy/tcq.js';
import type { Run, Sections } from '../entropy/trellis.js';
import type { Pieces } from '../turns.js';

/** How points, signs and side information get from encoder to decoder. */
export interface Channel {
  /**
   * Sends or receives a run of signs.
   * @param metric filled by the encoder's side only
   * @param nu log2 of the states of the trellis
   * @returns ±1 for each coefficient covered; fewer are covered where a file was cut.
   */
  run(run: Run, metric: Float32Array, nu: number): Pieces<{ signs: Int8Array; covered: number }>;
  /**
   * The other way to send or receive a run of signs: its bits, one by section, packed; as many as there are, which may be fewer
   * where a file was cut.
   * @param metric, nu as for `run`
   */
  sections?(run: Sections, metric: Float32Array, nu: number): Pieces<{ bytes: Uint8Array; count: number }>;
  /**
   * Sends or receives a run of what is quantised.
   * @param residual filled by the encoder's side only: x − mu, in gaps
   * @param nu log2 of the states of the search
   * @returns by how many gaps what is told is above the mean, of each coefficient covered; fewer are covered where a file was cut
   */
  points(run: PointRun, residual: Float64Array, nu: number): Pieces<{ places: Float64Array; covered: number }>;
  /**
   * Sends the scale chosen by `choose`, or receives it, as a difference from the one before. undefined where a file was cut.
   */
  scale(before: number, choose: () => number): number | undefined;
  /** Sends the gains chosen by `choose`, or receives them. undefined where a file was cut. */
  gains(contexts: Uint8Array, choose: () => Int8Array): Int8Array | undefined;
  /** Sends the corrections chosen by `choose`, or receives them; indices are below n. */
  corrections(n: number, choose: () => Corrections): Pieces<Corrections | undefined>;
  /** log2 of the states of the trellis of signs at level 0. */
  readonly nu: number;
  /** True when nothing more can be received. */
  readonly ended: boolean;
  /**
   * Present in the ideal Gaussian channel that rates are compared with: standard normal numbers, of which it makes
   * y = x + N(0, 1/delta) instead of sending runs.
   */
  readonly normal?: () => number;
}
