/** What encoder and decoder share: the walk along the schedule, and the picture that can be had at any point of it. */
import { rowsOfWhole, type Evaluator, type RowEvaluation } from '../model/evaluator.js';
import { COEFFICIENTS, OUTPUT_CHANNELS, isToldSigma } from '../model/architecture.js';
import type { Condition } from '../model/inputs.js';
import { codeOf, EXACT, TOP_CODE } from '../model/sigma.js';
import { priorOf } from '../model/weights.js';
import { DcompError } from '../errors.js';
import { inTurns, rowsOfPiece, withoutTurns, type Pause, type Pieces } from '../turns.js';
import { COLOURS } from '../pixels/colour.js';
import { CODES_LEVEL_SPAN, groupsOf, LAST_CODE, nuAt, type Group } from '../format.js';
import type { Channel } from './channel.js';
import { codeGroupStep } from './group-step.js';
import type { Truth } from './group-work.js';
import { putCurrentMeans } from './update.js';
import { windowOf, type StepNeeds } from './needs.js';
import {
  addMirroredOutput,
  blankObservation,
  blankObservationInPieces,
  finerObservationInPieces,
  mirroredInPieces,
  observationWithin,
  rowsOfObservation,
  type Observation,
} from '../diffusion/observation.js';
import { PosteriorMean } from '../diffusion/posterior.js';
import { inverseHaar, type CoefficientRows, type Plane } from '../pixels/pyramid.js';
import {
  between,
  cutOut,
  gridOf,
  intersect,
  positionsOf,
  wholeOf,
  type Rectangle,
  type Size,
} from '../math/rectangle.js';
import { lagAt, laggingCode, lagsWithin, type Lags } from './region.js';
import { giveBack, takeWorkspace } from './workspace.js';
import {
  entersLevel,
  isHandedOn,
  leavesLevelObserved,
  codedSizes,
  stepsOf,
  viewsAt,
  type Schedule,
  type Step,
} from '../diffusion/schedule.js';

export interface SessionStatistics {
  /** Network evaluations, and their arithmetic in multiples of one evaluation of the full-resolution level. */
  evaluations: number;
  work: number;
}

/** The least that is run at a time: one step of one group. */
export interface Unit {
  step: Step;
  group: Group;
  groupIndex: number;
  /** Groups that the step has. */
  groups: number;
  /** False where nothing that is wanted depends on it. */
  needed: boolean;
}

/** Rows of positions in which a picture is shown. */
const SHOWN_ROWS = 64;

/** A row of groups of the step that is being run. All its groups see the observation as it was before the step. */
interface GroupRow {
  y: number;
  observation: Observation;
  output: Float32Array | undefined;
  truth: Truth | undefined;
}

export class Session {
  /** Of what is coded: of a thin picture, folded. */
  readonly sizes: Size[];
  readonly steps: Step[];
  statistics: SessionStatistics = { evaluations: 0, work: 0 };
  private observation: Observation;
  /** Noise level and mode of the observation, for the next evaluation of its level. */
  private condition: Condition;
  private started = false;
  /** Posterior mean after a step that ended early, by the Kalman rule alone; of the whole grid. */
  private unfinished: Float32Array | undefined;
  /** The unit that comes next, by step and by group. */
  private stepIndex = 0;
  private groupIndex = 0;
  private groups: Group[];
  /** By group of the level: scale of its last step. */
  private scales: Int8Array;
  /** The evaluation that the running step began with, how many of its rows have been asked for, and the groups that they are for. */
  private evaluation: RowEvaluation | undefined;
  private evaluated = 0;
  private row: GroupRow | undefined;

  /** @param needs by the index of the step, where only a part of the picture is wanted; see `needsOf` */
  constructor(
    width: number,
    height: number,
    private readonly grey: boolean,
    private readonly schedule: Schedule,
    private readonly evaluator: Evaluator,
    private readonly pause: Pause = withoutTurns(),
    private readonly lags?: Lags,
    private readonly needs: readonly (StepNeeds | undefined)[] = [],
  ) {
    this.sizes = codedSizes({ width, height });
    const levels = this.sizes.length - 1;
    this.steps = stepsOf(schedule, levels);
    this.observation = blankObservation(this.sizes[levels - 1]!, grey);
    this.condition = { level: levels - 1, sigma: TOP_CODE, mode: 'enter' };
    this.groups = groupsOf(this.observation.width, this.observation.height);
    this.scales = new Int8Array(this.groups.length);
  }

  /** The unit that comes next; undefined behind the last. */
  get next(): Unit | undefined {
    const step = this.steps[this.stepIndex];
    if (step === undefined) return undefined;
    const groups = this.groupIndex === 0 ? this.groupsOf(step) : this.groups;
    const group = groups[this.groupIndex]!;
    return { step, group, groupIndex: this.groupIndex, groups: groups.length, needed: this.isNeeded(step, group) };
  }

  private groupsOf(step: Step): Group[] {
    const { width, height } = gridOf(this.sizes[step.level]!);
    return groupsOf(width, height);
  }

  private isNeeded({ index }: Step, group: Group): boolean {
    const needs = this.needs[index];
    return needs === undefined || intersect(group, needs.wanted);
  }

  /**
   * A session in the same state that goes on by itself; evaluations of both are counted together. Between steps only: the
   * evaluation of a step that is under way cannot be copied.
   * @param evaluator of the same model
   * @param schedule which differs in steps that are still to come
   */
  fork(evaluator: Evaluator = this.evaluator, schedule: Schedule = this.schedule): Session {
    if (this.underWay) throw new DcompError('E_USAGE', 'a session cannot be forked within a step');
    const { width, height } = this.sizes[0]!;
    const copy = new Session(width, height, this.grey, schedule, evaluator, this.pause, this.lags, this.needs);
    const { z, codes } = this.observation;
    copy.observation = { ...this.observation, z: z.slice(), codes: codes.slice() };
    copy.condition = this.condition;
    copy.started = this.started;
    copy.unfinished = this.unfinished;
    copy.stepIndex = this.stepIndex;
    copy.scales = this.scales.slice();
    copy.statistics = this.statistics;
    return copy;
  }

  /** Whether some groups of a step are done and others are not. */
  get underWay(): boolean {
    return this.groupIndex > 0;
  }

  /**
   * Runs one step through a channel, or what it holds of it; the steps must be run in order.
   * @returns the ideal cost in bits (0 without truth)
   */
  async run(step: Step, channel: Channel, truth?: CoefficientRows): Promise<number> {
    let ideal = 0;
    while (this.next?.step === step && !channel.ended) ideal += await this.runUnit(channel, truth);
    return ideal;
  }

  /**
   * Runs the next unit through a channel.
   * @param truth the coefficients of the unit's level (the encoder's)
   * @returns the ideal cost in bits (0 without truth)
   */
  async runUnit(channel: Channel, truth?: CoefficientRows): Promise<number> {
    const { step, group, groupIndex, groups } = await this.beginUnit();
    if (this.row?.y !== group.y) this.row = await this.beginRow(group, truth);
    const { architecture, statistics } = this.evaluator.model;
    const prior = priorOf(architecture, statistics, step.level);
    const { observation, output, truth: x } = this.row!;
    const options = {
      step,
      observation,
      group: { ...group, x: group.x - observation.x, y: 0 },
      groupIndex,
      output,
      prior,
      channel,
      nu: nuAt(step.level, channel.nu, this.schedule.straight !== undefined),
      scales: this.scales,
    };
    const lags =
      this.lags !== undefined && step.level === 0 && (step.kind === 'refine' || this.schedule.straight !== undefined)
        ? { lags: this.lags }
        : {};
    const workspace = takeWorkspace();
    let ideal: number;
    let cut: boolean;
    try {
      ideal = await inTurns(
        codeGroupStep({ ...options, ...lags, ...(x === undefined ? {} : { truth: x }) }, workspace),
        this.pause,
      );
      // That the last of several groups is cut makes no difference to what the others know; and a decoder that leaves out
      // groups cannot see it.
      cut = channel.ended && !(groups > 1 && groupIndex + 1 === groups);
      if (cut && output !== undefined && groups === 1) {
        this.unfinished = new PosteriorMean(prior).of(observation.z, observation.codes, output, 0);
        await inTurns(putCurrentMeans(workspace, observation, group, this.unfinished), this.pause);
      }
    } finally {
      giveBack(workspace);
    }
    this.endUnit(step, groups, cut);
    return ideal;
  }

  /** Passes over the next unit, which must not be needed. */
  async skipUnit(): Promise<void> {
    const { step, groups, needed } = await this.beginUnit();
    if (needed) throw new DcompError('E_USAGE', 'a unit that is needed cannot be passed over');
    this.endUnit(step, groups, false);
  }

  private async beginUnit(): Promise<Unit> {
    const unit = this.next;
    if (unit === undefined) throw new DcompError('E_USAGE', 'there is no further step');
    if (unit.groupIndex === 0) await this.begin(unit.step);
    this.started = true;
    return unit;
  }

  private endUnit(step: Step, groups: number, cut: boolean): void {
    this.groupIndex++;
    if (this.groupIndex === groups) this.end(step, cut);
  }

  private async begin(step: Step): Promise<void> {
    const size = this.sizes[step.level]!;
    const window = this.needs[step.index]?.window ?? wholeOf(gridOf(size));
    const finer = entersLevel(step) && step.level < this.sizes.length - 2;
    this.observation = finer
      ? await inTurns(finerObservationInPieces(this.observation, size, this.grey, window), this.pause)
      : observationWithin(this.observation, window);
    this.groups = this.groupsOf(step);
    if (entersLevel(step)) this.scales = new Int8Array(this.groups.length);
    const entering = step.kind !== 'refine';
    // Details that are measured straight are told by the noise that they will have: LL may have less.
    const sigma = step.kind === 'enter' && this.schedule.straight !== undefined ? step.to : step.from;
    this.condition = { level: step.level, sigma, mode: entering ? 'enter' : 'refine' };
    const rows = this.groups.reduce((most, { height }) => Math.max(most, height), 0);
    this.evaluated = 0;
    this.evaluation =
      step.kind === 'root'
        ? undefined
        : this.evaluateRows(
            this.observation,
            this.condition,
            rows,
            this.viewsAt(step.level, step.level === 0 ? 1 : this.schedule.coarseViews),
          );
  }

  private async beginRow({ y, height }: Group, truth: CoefficientRows | undefined): Promise<GroupRow> {
    await this.pause();
    const first = y - this.observation.y;
    let output: Float32Array | undefined;
    if (this.evaluation !== undefined) {
      await passOver(this.evaluation, first - this.evaluated, height, this.pause);
      output = await this.evaluation.next(height, this.pause);
      this.evaluated = first + height;
    }
    return {
      y,
      observation: rowsOfObservation(this.observation, first, height),
      output,
      truth: truth === undefined ? undefined : { x: await inTurns(truth(y, y + height), this.pause) },
    };
  }

  private end(step: Step, cut: boolean): void {
    if (!cut && leavesLevelObserved(step)) this.condition = { level: step.level, sigma: step.to, mode: 'refine' };
    this.evaluation = undefined;
    this.row = undefined;
    this.stepIndex++;
    this.groupIndex = 0;
  }

  /** Gives the memory back; only the statistics are of use afterwards. */
  forget(): void {
    const size = { width: 1, height: 1 };
    this.observation = blankObservation(size, this.grey);
    this.evaluation = undefined;
    this.row = undefined;
    this.stepIndex = this.steps.length;
  }

  /** The picture as the decoder sees it now: the posterior mean. Does not change the state, but ends a step that is on its way. */
  async reconstruct(): Promise<Plane> {
    const { width, height } = this.sizes[0]!;
    const picture = { width, height, data: new Float32Array(width * height * COLOURS) };
    await this.show((rows, y) => picture.data.set(rows.data, y * width * COLOURS));
    return picture;
  }

  /**
   * As `reconstruct`, from top to bottom in strips.
   * @param take is given some rows of pixels and where they begin, counted from the first one wanted
   * @param shown which u_k is shown; no step of a finer level may have been run
   * @param pixels of u_shown that are wanted; default: all. What they need must have been run
   * @param views at most, for a look that is worth less than the schedule's
   */
  async show(
    take: (rows: Plane, y: number) => void,
    shown = 0,
    pixels: Rectangle = wholeOf(this.sizes[shown]!),
    views: number = this.schedule.views,
  ): Promise<void> {
    this.evaluation = undefined;
    if (!this.started) return this.showNothing(take, pixels);
    let { observation, condition } = this;
    const windowAt = (level: number): Rectangle => {
      const grid = gridOf(this.sizes[level]!);
      return level === shown ? windowOf(this.evaluator.model.architecture, positionsOf(pixels), grid) : wholeOf(grid);
    };
    let unfinished: Float32Array | undefined;
    if (condition.level === shown) {
      const window = windowAt(shown);
      if (this.unfinished !== undefined && shown === 0)
        unfinished = cutOut(this.unfinished, observation, window, COEFFICIENTS);
      observation = observationWithin(observation, window);
    } else if (isHandedOn(condition.mode, condition.sigma)) {
      observation = await inTurns(
        finerObservationInPieces(
          observation,
          this.sizes[condition.level - 1]!,
          this.grey,
          windowAt(condition.level - 1),
        ),
        this.pause,
      );
      condition = {
        level: condition.level - 1,
        sigma: Math.min(TOP_CODE + 8, condition.sigma + CODES_LEVEL_SPAN),
        mode: 'enter',
      };
    }
    while (condition.level > shown) {
      const level: number = condition.level - 1;
      const fine = await inTurns(blankObservationInPieces(this.sizes[level]!, this.grey, windowAt(level)), this.pause);
      const variance = await this.showLevel(
        observation,
        condition,
        undefined,
        wholeOf(observation.size),
        (rows, y) => putLL(fine, rows, y),
        views,
      );
      const least = this.schedule.straight === undefined ? TOP_CODE - CODES_LEVEL_SPAN : LAST_CODE;
      const sigma = Math.min(TOP_CODE + 8, Math.max(least, codeOf(2 * Math.sqrt(variance))));
      await inTurns(observeLL(fine, sigma), this.pause);
      observation = fine;
      condition = { level, sigma, mode: 'enter' };
    }
    await this.showLevel(observation, condition, unfinished, pixels, take, views);
  }

  /** Pixels of a level's picture: its posterior mean. @returns the average variance of the coefficients in their rows */
  private async showLevel(
    observation: Observation,
    condition: Condition,
    unfinished: Float32Array | undefined,
    pixels: Rectangle,
    take: (rows: Plane, y: number) => void,
    views: number,
  ): Promise<number> {
    const { y: top, width, height } = observation;
    const { architecture, statistics } = this.evaluator.model;
    const posterior = new PosteriorMean(priorOf(architecture, statistics, condition.level));
    const wanted = positionsOf(pixels);
    const from = wanted.y - top;
    const end = from + wanted.height;
    const most = Math.min(height, SHOWN_ROWS);
    const evaluation = this.evaluateRows(observation, condition, most, this.viewsAt(condition.level, views));
    await passOver(evaluation, from, most, this.pause);
    for (let y = from; y < end; y += SHOWN_ROWS) {
      const rows = Math.min(SHOWN_ROWS, end - y);
      const output = await evaluation.next(rows, this.pause);
      const piece = rowsOfPiece(width, 2 ** 14);
      for (let row = 0; row < rows; row += piece) {
        await this.pause();
        const part = rowsOfObservation(observation, y + row, Math.min(piece, rows - row));
        const said = output.subarray(row * width * OUTPUT_CHANNELS, (row + part.height) * width * OUTPUT_CHANNELS);
        const first = (y + row) * width * COEFFICIENTS;
        const mean = posterior.of(part.z, part.codes, said, first);
        if (unfinished !== undefined) {
          // Two estimates: the network's of a mixed observation, and the Kalman rule's from the network's view before the step.
          // Both together are better than either by up to 0.2 dB.
          for (let i = 0; i < mean.length; i++) mean[i] = (3 * mean[i]! + unfinished[first + i]!) / 4;
        }
        takePixels(part, mean, pixels, take);
      }
    }
    return posterior.variance;
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

  private async showNothing(take: (rows: Plane, y: number) => void, { width, height }: Size): Promise<void> {
    const piece = rowsOfPiece(width);
    for (let y = 0; y < height; y += piece) {
      await this.pause();
      const rows = Math.min(piece, height - y);
      take({ width, height: rows, data: new Float32Array(width * rows * COLOURS) }, y);
    }
  }

  /** Begins with the first rows that are asked for, and is counted then. */
  private evaluateRows(observation: Observation, condition: Condition, rows: number, views: number): RowEvaluation {
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
      return this.evaluator.evaluateRows(z, codes, width, height, byLag?.values().next().value ?? condition, rows);
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
            if (laggingCode(condition.sigma, lagAt(this.lags!, left + x, top + y)) !== sigma) continue;
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
}

/** Gives the pixels that rows of coefficients make, as far as they are wanted. */
function takePixels(
  { x, y, width, height, size }: Observation,
  mean: Float32Array,
  pixels: Rectangle,
  take: (rows: Plane, y: number) => void,
): void {
  const strip = inverseHaar(
    { width, height, data: mean },
    Math.min(2 * width, size.width - 2 * x),
    Math.min(2 * height, size.height - 2 * y),
  );
  const place = { ...wholeOf(strip), x: 2 * x, y: 2 * y };
  const inside = between(
    pixels.x,
    Math.max(pixels.y, place.y),
    pixels.x + pixels.width,
    Math.min(pixels.y + pixels.height, place.y + place.height),
  );
  if (inside.height <= 0) return;
  take(
    { width: inside.width, height: inside.height, data: cutOut(strip.data, place, inside, COLOURS) },
    inside.y - pixels.y,
  );
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
async function passOver(evaluation: RowEvaluation, rows: number, most: number, pause: Pause): Promise<void> {
  for (let left = rows; left > 0; left -= most) await evaluation.next(Math.min(left, most), pause);
}

/** By sigma code, the conditions at which the blocks of a part of the picture are. */
function conditionsByLag(lags: Lags, condition: Condition, positions: Rectangle): Map<number, Condition> {
  const byCode = new Map<number, Condition>();
  for (const lag of lagsWithin(lags, positions)) {
    const sigma = laggingCode(condition.sigma, lag);
    byCode.set(sigma, { ...condition, sigma });
  }
  return byCode;
}

/** Puts rows of a coarser level's whole picture into LL, as far as there is a place for them. */
function putLL(fine: Observation, rows: Plane, first: number): void {
  for (let y = Math.max(fine.y, first); y < Math.min(fine.y + fine.height, first + rows.height); y++) {
    let i = (y - fine.y) * fine.width * COEFFICIENTS;
    let o = ((y - first) * rows.width + fine.x) * COLOURS;
    for (let x = 0; x < fine.width; x++, i += COEFFICIENTS, o += COLOURS) {
      for (let c = 0; c < COLOURS; c++) if (fine.codes[i + c] !== EXACT) fine.z[i + c] = 2 * rows.data[o + c]!;
    }
  }
}

/** Makes LL known with some error. */
function* observeLL(fine: Observation, sigma: number): Pieces<void> {
  for (let i = 0; i < fine.codes.length; i += COEFFICIENTS) {
    if (i % PIECE === 0) yield;
    for (let c = 0; c < COLOURS; c++) if (fine.codes[i + c] !== EXACT) fine.codes[i + c] = sigma;
  }
}
