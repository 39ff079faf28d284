/** Evaluations of the network as a session needs them: in rows, in several views, by lag, and counted. */
import { gridOf, type Rectangle, type Size } from '../math/rectangle.js';
import { priorOf } from '../model/weights.js';
import { evaluatorFor, rowsOfWhole, widestOf, type Evaluator, type RowEvaluation } from '../model/evaluator.js';
import { COEFFICIENTS, OUTPUT_CHANNELS, isToldSigma, type Architecture } from '../model/architecture.js';
import type { Condition } from '../model/inputs.js';
import { addMirroredOutput, mirroredInPieces, type Observation } from '../diffusion/observation.js';
import { viewsAt } from '../diffusion/schedule.js';
import { inTurns, type Pause, type Pieces } from '../turns.js';
import { lagAt, lagsWithin, toldCode, type Lags } from './region.js';

export interface SessionStatistics {
  /** Network evaluations, and their arithmetic in multiples of one evaluation of the full-resolution level. */
  evaluations: number;
  work: number;
}

export class Evaluations {
  /** @param sizes of u₀, u₁, … @param statistics that are counted on */
  constructor(
    private readonly evaluator: Evaluator,
    private readonly sizes: readonly Size[],
    readonly pause: Pause,
    private readonly lags: Lags | undefined,
    readonly statistics: SessionStatistics = { evaluations: 0, work: 0 },
  ) {}

  /** What windows are made for. */
  get architecture(): Architecture {
    return widestOf(this.evaluator);
  }

  /**
   * By what shows level 0, if that is another network than the one that codes it. There no lag has an evaluation of its
   * own, as it is but looked at.
   */
  get shown(): Evaluations | undefined {
    const { shower } = this.evaluator;
    return shower && new Evaluations(shower, this.sizes, this.pause, undefined, this.statistics);
  }

  /** Standard deviations that the model expects of a level's coefficients, by channel. */
  priorOf(level: number): Float32Array {
    const { architecture, statistics } = this.evaluator.model;
    return priorOf(architecture, statistics, level);
  }

  /** With others' threads or signal, counted together. @param evaluator of the same model */
  with(evaluator: Evaluator): Evaluations {
    return new Evaluations(evaluator, this.sizes, this.pause, this.lags, this.statistics);
  }

  /**
   * Of an observation, in rows; begins with the first rows that are asked for, and is counted then.
   * @param rows at most at a time @param wanted views, of which there may be fewer
   */
  rows(observation: Observation, condition: Condition, rows: number, wanted: number): RowEvaluation {
    const views = this.viewsAt(condition.level, wanted);
    if (views > 1) return this.evaluateViews(observation, condition, rows, views);
    let begun: RowEvaluation | undefined;
    return {
      next: (count, pause) => (begun ??= this.beginEvaluation(observation, condition, rows)).next(count, pause),
    };
  }

  /** The mean of the network's outputs for an observation and its mirror images. */
  private evaluateViews(observation: Observation, condition: Condition, rows: number, views: number): RowEvaluation {
    const { width, height } = observation;
    const evaluate = async (): Promise<Float32Array> => {
      const sum = new Float32Array(width * height * OUTPUT_CHANNELS);
      for (let view = 0; view < views; view++) {
        const seen = view === 0 ? observation : await inTurns(mirroredInPieces(observation, view), this.pause);
        const evaluation = this.beginEvaluation(seen, condition, rows);
        for (let y = 0; y < height; y += rows) {
          const count = Math.min(rows, height - y);
          const output = await evaluation.next(count, this.pause);
          if (view === 0) sum.set(output, y * width * OUTPUT_CHANNELS);
          else await inTurns(addMirroredOutput(sum, output, { width, height }, y, count, view), this.pause);
        }
      }
      await inTurns(divide(sum, views), this.pause);
      return sum;
    };
    return rowsOfWhole(evaluate)(observation.z, observation.codes, width, height, condition, rows);
  }

  private beginEvaluation(observation: Observation, condition: Condition, rows: number): RowEvaluation {
    const { x: left, y: top, z, codes, width, height } = observation;
    const byLag =
      this.lags !== undefined && this.isToldSigma && condition.level === 0 && condition.mode === 'refine'
        ? conditionsByLag(this.lags, condition, observation)
        : undefined;
    if (byLag === undefined || byLag.size <= 1) {
      this.countEvaluation(condition, observation);
      const told = byLag?.values().next().value ?? condition;
      return evaluatorFor(told, this.evaluator).evaluateRows(z, codes, width, height, told, rows);
    }
    // The network is told one noise level for all: each lag has an evaluation of its own.
    return rowsOfWhole(async () => {
      const merged = new Float32Array(width * height * OUTPUT_CHANNELS);
      for (const [sigma, each] of byLag) {
        this.countEvaluation(each, observation);
        const output = await this.evaluator.evaluate(z, codes, width, height, each, this.pause);
        for (let y = 0, p = 0; y < height; y++) {
          await this.pause();
          for (let x = 0; x < width; x++, p += OUTPUT_CHANNELS) {
            if (toldCode(condition.sigma, lagAt(this.lags!, 0, left + x, top + y)) !== sigma) continue;
            for (let q = p; q < p + OUTPUT_CHANNELS; q++) merged[q] = output[q]!;
          }
        }
      }
      return merged;
    })(z, codes, width, height, condition, rows);
  }

  private countEvaluation({ level }: Condition, { width, height, size }: Observation): void {
    const grid = gridOf(size);
    this.statistics.evaluations++;
    this.statistics.work += (0.25 ** level * (width * height)) / (grid.width * grid.height);
  }

  /** Whether the network must be told one noise level for all coefficients. */
  private get isToldSigma(): boolean {
    return isToldSigma(this.evaluator.model.architecture.conditioning);
  }

  /**
   * How many views an evaluation has of those wanted. One that is told sigma is merged of evaluations by the lag of
   * blocks, which would lie elsewhere in a mirrored picture.
   */
  private viewsAt(level: number, wanted: number): number {
    return viewsAt(level, this.sizes[level]!, this.lags !== undefined && this.isToldSigma, wanted);
  }
}

/** Levels of more positions are evaluated again by each copy of a session: an output takes 96 bytes a position. */
const MAX_PREPARED_POSITIONS = 2 ** 20;

/** An evaluation of all of an observation, made before it is needed. */
export class Prepared {
  private constructor(
    private readonly condition: Condition,
    private readonly views: number,
    private readonly width: number,
    private readonly output: Float32Array,
  ) {}

  /** Arguments as of `Evaluations.rows`. @returns undefined for a large one */
  static async of(
    evaluations: Evaluations,
    observation: Observation,
    condition: Condition,
    rows: number,
    views: number,
  ): Promise<Prepared | undefined> {
    const { width, height } = observation;
    if (width * height > MAX_PREPARED_POSITIONS) return undefined;
    const output = new Float32Array(width * height * OUTPUT_CHANNELS);
    const evaluation = evaluations.rows(observation, condition, rows, views);
    for (let y = 0; y < height; y += rows)
      output.set(await evaluation.next(Math.min(rows, height - y), evaluations.pause), y * width * OUTPUT_CHANNELS);
    return new Prepared(condition, views, width, output);
  }

  /** From the first row on. @returns undefined where that is another evaluation */
  rows({ level, sigma, mode }: Condition, views: number): RowEvaluation | undefined {
    const { condition, width, output } = this;
    if (views !== this.views || level !== condition.level || sigma !== condition.sigma || mode !== condition.mode)
      return undefined;
    let row = 0;
    return {
      async next(rows) {
        const first = row;
        row += rows;
        return output.subarray(first * width * OUTPUT_CHANNELS, row * width * OUTPUT_CHANNELS);
      },
    };
  }
}

/** Numbers that are gone over in a piece. */
const PIECE = COEFFICIENTS * 2 ** 17;

function* divide(sum: Float32Array, by: number): Pieces<void> {
  for (let i = 0; i < sum.length; i++) {
    sum[i] = sum[i]! / by;
    if (i % PIECE === 0) yield;
  }
}

/** Asks for rows that nobody wants. @param most that may be asked for at a time */
export async function passOver(evaluation: RowEvaluation, rows: number, most: number, pause: Pause): Promise<void> {
  for (let left = rows; left > 0; left -= most) await evaluation.next(Math.min(left, most), pause);
}

/** By sigma code, the conditions at which the blocks of a part of the picture are. */
function conditionsByLag(lags: Lags, condition: Condition, positions: Rectangle): Map<number, Condition> {
  const byCode = new Map<number, Condition>();
  for (const lag of lagsWithin(lags, positions)) {
    const sigma = toldCode(condition.sigma, lag);
    byCode.set(sigma, { ...condition, sigma });
  }
  return byCode;
}
