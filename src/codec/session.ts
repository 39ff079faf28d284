/** What encoder and decoder share: the walk along the schedule, and the picture that can be had at any point of it. */
import { rowsOfWhole, type Evaluator, type RowEvaluation } from '../model/evaluator.js';
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
import type { Condition } from '../model/inputs.js';
import { codeOf, EXACT, TOP_CODE } from '../model/sigma.js';
import { priorOf } from '../model/weights.js';
import { DcompError } from '../errors.js';
import { COLOURS } from './colour.js';
import { CODES_LEVEL_SPAN, groupsOf, type Group } from './format.js';
import { codeGroupStep, putCurrentMeans, Workspace, type Channel, type Truth } from './group-step.js';
import { blankObservation, finerObservation, rowsOfObservation, type Observation } from './observation.js';
import { PosteriorMean } from './posterior.js';
import { inverseHaar, type CoefficientRows, type Plane } from './pyramid.js';
import { lagAt, laggingCode, type Lags } from './region.js';
import { pyramidSizes, stepsOf, type Schedule, type Size, type Step } from './schedule.js';

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
}

/** Rows of positions in which a picture is shown. */
const SHOWN_ROWS = 64;

/** A row of groups of the step that is being run. All its groups see the observation as it was before the step. */
interface GroupRow {
  observation: Observation;
  output: Float32Array | undefined;
  truth: Truth | undefined;
}

export class Session {
  readonly sizes: Size[];
  readonly steps: Step[];
  statistics: SessionStatistics = { evaluations: 0, work: 0 };
  private observation: Observation;
  /** Noise level and mode of the observation, for the next evaluation of its level. */
  private condition: Condition;
  /** Whether every step so far was received to its end. */
  private whole = true;
  private started = false;
  /** Posterior mean after a step that ended early, by the Kalman rule alone. */
  private unfinished: Float32Array | undefined;
  private readonly workspace = new Workspace();
  /** The unit that comes next, by step and by group. */
  private stepIndex = 0;
  private groupIndex = 0;
  private groups: Group[];
  /** The evaluation that the running step began with, and where it is. */
  private evaluation: RowEvaluation | undefined;
  private row: GroupRow | undefined;

  constructor(
    width: number,
    height: number,
    private readonly grey: boolean,
    private readonly schedule: Schedule,
    private readonly evaluator: Evaluator,
    private readonly signal?: AbortSignal,
    private readonly lags?: Lags,
  ) {
    this.sizes = pyramidSizes(width, height);
    const levels = this.sizes.length - 1;
    this.steps = stepsOf(schedule, levels);
    this.observation = blankObservation(this.sizes[levels - 1]!, grey);
    this.condition = { level: levels - 1, sigma: TOP_CODE, mode: 'enter' };
    this.groups = groupsOf(this.observation.width, this.observation.height);
  }

  /** The unit that comes next; undefined behind the last. */
  get next(): Unit | undefined {
    const step = this.steps[this.stepIndex];
    if (step === undefined) return undefined;
    const groups = this.groupIndex === 0 ? this.groupsOf(step) : this.groups;
    return { step, group: groups[this.groupIndex]!, groupIndex: this.groupIndex, groups: groups.length };
  }

  private groupsOf(step: Step): Group[] {
    const { width, height } = this.sizes[step.level]!;
    return groupsOf((width + 1) >> 1, (height + 1) >> 1);
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
    const copy = new Session(width, height, this.grey, schedule, evaluator, this.signal, this.lags);
    const { z, codes } = this.observation;
    copy.observation = { ...this.observation, z: z.slice(), codes: codes.slice() };
    copy.condition = this.condition;
    copy.whole = this.whole;
    copy.started = this.started;
    copy.unfinished = this.unfinished;
    copy.stepIndex = this.stepIndex;
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
    const unit = this.next;
    if (unit === undefined) throw new DcompError('E_USAGE', 'there is no further step');
    const { step, group, groupIndex, groups } = unit;
    if (groupIndex === 0) this.begin(step);
    if (group.x === 0) this.row = await this.beginRow(group, truth);
    const { architecture, statistics } = this.evaluator.model;
    const prior = priorOf(architecture, statistics, step.level);
    const { observation, output, truth: x } = this.row!;
    const options = { step, observation, group: { ...group, y: 0 }, groupIndex, output, prior, channel };
    const lags = this.lags !== undefined && step.level === 0 && step.kind === 'refine' ? { lags: { lags: this.lags, firstRow: group.y } } : {};
    const ideal = codeGroupStep({ ...options, ...lags, ...(x === undefined ? {} : { truth: x }) }, this.workspace);
    this.started = true;
    // That the last of several groups is cut makes no difference to what the others know; and a decoder that leaves out
    // groups cannot see it.
    const cut = channel.ended && !(groups > 1 && groupIndex + 1 === groups);
    if (cut) {
      this.whole = false;
      if (output !== undefined && groups === 1) {
        this.unfinished = new PosteriorMean(prior).of(observation.z, observation.codes, output, 0);
        putCurrentMeans(this.workspace, observation, group, this.unfinished);
      }
    }
    this.groupIndex++;
    if (this.groupIndex === groups) this.end(step, cut);
    return ideal;
  }

  private begin(step: Step): void {
    if (step.kind === 'enter' && step.level < this.sizes.length - 2) {
      this.observation = finerObservation(this.observation, this.sizes[step.level]!, this.grey);
    }
    this.groups = this.groupsOf(step);
    this.condition = { level: step.level, sigma: step.from, mode: step.kind === 'refine' ? 'refine' : 'enter' };
    const rows = this.groups.reduce((most, { height }) => Math.max(most, height), 0);
    this.evaluation = step.kind === 'root' ? undefined : this.evaluateRows(this.observation, this.condition, rows);
  }

  private async beginRow({ y, height }: Group, truth: CoefficientRows | undefined): Promise<GroupRow> {
    await this.giveTurn();
    return {
      observation: rowsOfObservation(this.observation, y, height),
      output: await this.evaluation?.next(height),
      truth: truth === undefined ? undefined : { x: truth(y, y + height) },
    };
  }

  private end(step: Step, cut: boolean): void {
    if (!cut && step.kind !== 'root') this.condition = { level: step.level, sigma: step.to, mode: 'refine' };
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
   * @param take is given some rows of pixels and where they begin
   * @param shown which u_k is shown; no step of a finer level may have been run
   */
  async show(take: (rows: Plane, y: number) => void, shown = 0): Promise<void> {
    this.evaluation = undefined;
    if (!this.started) return this.showNothing(take, this.sizes[shown]!);
    let { observation, condition } = this;
    const unfinished = condition.level === 0 ? this.unfinished : undefined;
    // A complete observation is handed to the next level as it is; an incomplete one by its posterior mean.
    if (condition.level > shown && this.whole && this.groupIndex === 0 && condition.mode === 'refine') {
      observation = finerObservation(observation, this.sizes[condition.level - 1]!, this.grey);
      condition = { level: condition.level - 1, sigma: Math.min(TOP_CODE + 8, condition.sigma + CODES_LEVEL_SPAN), mode: 'enter' };
    }
    while (condition.level > shown) {
      const level: number = condition.level - 1;
      const fine = blankObservation(this.sizes[level]!, this.grey);
      const variance = await this.showLevel(observation, condition, undefined, (rows, y) => putLL(fine, rows, y));
      const sigma = Math.min(TOP_CODE + 8, Math.max(TOP_CODE - CODES_LEVEL_SPAN, codeOf(2 * Math.sqrt(variance))));
      observeLL(fine, sigma);
      observation = fine;
      condition = { level, sigma, mode: 'enter' };
    }
    await this.showLevel(observation, condition, unfinished, take);
  }

  /** The picture of a level: its posterior mean. @returns the average variance of its coefficients */
  private async showLevel(observation: Observation, condition: Condition, unfinished: Float32Array | undefined, take: (rows: Plane, y: number) => void): Promise<number> {
    const { width, height, size } = observation;
    const { architecture, statistics } = this.evaluator.model;
    const posterior = new PosteriorMean(priorOf(architecture, statistics, condition.level));
    const evaluation = this.evaluateRows(observation, condition, Math.min(height, SHOWN_ROWS));
    for (let y = 0; y < height; y += SHOWN_ROWS) {
      await this.giveTurn();
      const rows = Math.min(SHOWN_ROWS, height - y);
      const { z, codes } = rowsOfObservation(observation, y, rows);
      const first = y * width * COEFFICIENTS;
      const mean = posterior.of(z, codes, await evaluation.next(rows), first);
      if (unfinished !== undefined) {
        // Two estimates of about equal error: the network's of a mixed observation, and the Kalman rule's from the
        // network's view before the step. Their mean is better than either by up to 0.2 dB.
        for (let i = 0; i < mean.length; i++) mean[i] = (mean[i]! + unfinished[first + i]!) / 2;
      }
      take(inverseHaar({ width, height: rows, data: mean }, size.width, Math.min(2 * rows, size.height - 2 * y)), 2 * y);
    }
    return posterior.variance;
  }

  private showNothing(take: (rows: Plane, y: number) => void, { width, height }: Size): void {
    for (let y = 0; y < height; y += SHOWN_ROWS) {
      const rows = Math.min(SHOWN_ROWS, height - y);
      take({ width, height: rows, data: new Float32Array(width * rows * COLOURS) }, y);
    }
  }

  private evaluateRows(observation: Observation, condition: Condition, rows: number): RowEvaluation {
    const { z, codes, width, height } = observation;
    const byLag = this.lags !== undefined && condition.level === 0 && condition.mode === 'refine' ? conditionsByLag(this.lags, condition) : undefined;
    if (byLag === undefined || byLag.size <= 1) {
      this.countEvaluation(condition);
      return this.evaluator.evaluateRows(z, codes, width, height, byLag?.values().next().value ?? condition, rows);
    }
    // The network takes one noise level for all: each lag has an evaluation of its own.
    return rowsOfWhole(async () => {
      const merged = new Float32Array(width * height * OUTPUT_CHANNELS);
      for (const [sigma, each] of byLag) {
        this.countEvaluation(each);
        const output = await this.evaluator.evaluate(z, codes, width, height, each);
        for (let y = 0, p = 0; y < height; y++) {
          for (let x = 0; x < width; x++, p += OUTPUT_CHANNELS) {
            if (laggingCode(condition.sigma, lagAt(this.lags!, x, y)) === sigma) merged.set(output.subarray(p, p + OUTPUT_CHANNELS), p);
          }
        }
      }
      return merged;
    })(z, codes, width, height, condition, rows);
  }

  private countEvaluation({ level }: Condition): void {
    this.statistics.evaluations++;
    this.statistics.work += 0.25 ** level;
  }

  /** An evaluation blocks this thread; without a turn of the event loop no signal could be heard. */
  private async giveTurn(): Promise<void> {
    if (this.signal !== undefined) await new Promise((resolve) => setTimeout(resolve));
    if (this.signal?.aborted === true) throw new DcompError('E_ABORTED', 'stopped by the caller');
  }
}

/** By sigma code, the conditions at which the blocks of a picture are. */
function conditionsByLag({ codes }: Lags, condition: Condition): Map<number, Condition> {
  const byCode = new Map<number, Condition>();
  for (const lag of new Set(codes)) {
    const sigma = laggingCode(condition.sigma, lag);
    byCode.set(sigma, { ...condition, sigma });
  }
  return byCode;
}

/** Puts rows of a coarser level's picture into LL. */
function putLL(fine: Observation, rows: Plane, y: number): void {
  const first = y * fine.width * COEFFICIENTS;
  for (let i = first, o = 0; o < rows.data.length; i += COEFFICIENTS, o += COLOURS) {
    for (let c = 0; c < COLOURS; c++) if (fine.codes[i + c] !== EXACT) fine.z[i + c] = 2 * rows.data[o + c]!;
  }
}

/** Makes LL known with some error. */
function observeLL(fine: Observation, sigma: number): void {
  for (let i = 0; i < fine.codes.length; i += COEFFICIENTS) {
    for (let c = 0; c < COLOURS; c++) if (fine.codes[i + c] !== EXACT) fine.codes[i + c] = sigma;
  }
}
