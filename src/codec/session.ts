/** What encoder and decoder share: the walk along the schedule, unit by unit. */
import type { Evaluator, RowEvaluation } from '../model/evaluator.js';
import type { Condition } from '../model/inputs.js';
import { TOP_CODE } from '../model/sigma.js';
import { DcompError } from '../errors.js';
import { inTurns, withoutTurns, type Pause } from '../turns.js';
import { COLOURS } from '../pixels/colour.js';
import { groupsOf, nuAt, type Group } from '../format.js';
import type { Channel } from './channel.js';
import { Evaluations, passOver, Prepared, type SessionStatistics } from './evaluations.js';
import { colourCorrelationInPieces, type ColourCorrelation } from './colour-correlation.js';
import { codeGroupStep } from './group-step.js';
import type { Truth } from './group-work.js';
import { settleGroup, SettledLevel, type SettleOptions } from './settle.js';
import { putCurrentMeans } from './update.js';
import type { StepNeeds } from './needs.js';
import {
  blankObservation,
  finerObservationInPieces,
  observationWithin,
  rowsOfObservation,
  type Observation,
} from '../diffusion/observation.js';
import { PosteriorMean } from '../diffusion/posterior.js';
import type { CoefficientRows, Plane } from '../pixels/pyramid.js';
import { gridOf, intersect, wholeOf, type Rectangle, type Size } from '../math/rectangle.js';
import { maskingBeforeInPieces, type Masking } from './masking.js';
import { isLagging, type Lags } from './region.js';
import { showDrawn, showNothing, showPixels, showPosterior, type Realism, type TakeRows } from './shown.js';
import type { Side } from '../entropy/sample-model.js';
import { SideRows } from './side.js';
import { giveBack, takeWorkspace, type Workspace } from './workspace.js';
import {
  chromaAt,
  entersLevel,
  leavesLevelObserved,
  modeBefore,
  viewsBefore,
  codedSizes,
  stepsOf,
  type Schedule,
  type Step,
} from '../diffusion/schedule.js';
import { defined } from '../options.js';

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
  readonly evaluations: Evaluations;
  private observation: Observation;
  /** Noise level and mode of the observation, for the next evaluation of its level. */
  private condition: Condition;
  private started = false;
  /** Posterior mean after a step that ended early, by the Kalman rule alone; of the whole grid. */
  private unfinished: Float32Array | undefined;
  private settled: SettledLevel | undefined;
  /** Of the level that is being measured. */
  private masking: Masking | undefined;
  /** Of the level that is being measured, if its details are told in stages. */
  private correlation: ColourCorrelation | undefined;
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
  /** The evaluation that the next step begins with, made before. */
  private prepared: Prepared | undefined;

  /** @param needs by the index of the step, where only a part of the picture is wanted; see `needsOf` */
  constructor(
    width: number,
    height: number,
    readonly grey: boolean,
    readonly schedule: Schedule,
    evaluator: Evaluator | Evaluations,
    readonly pause: Pause = withoutTurns(),
    private readonly lags?: Lags,
    private readonly needs: readonly (StepNeeds | undefined)[] = [],
  ) {
    this.sizes = codedSizes({ width, height });
    this.evaluations =
      evaluator instanceof Evaluations ? evaluator : new Evaluations(evaluator, this.sizes, pause, lags);
    const levels = this.sizes.length - 1;
    this.steps = stepsOf(schedule, levels);
    this.observation = blankObservation(this.sizes[levels - 1]!, grey);
    this.condition = { level: levels - 1, sigma: TOP_CODE, mode: 'enter' };
    this.groups = groupsOf(this.observation.width, this.observation.height);
    this.scales = new Int8Array(this.groups.length);
  }

  /** The level that was observed last. */
  get level(): number {
    return this.condition.level;
  }

  get statistics(): SessionStatistics {
    return this.evaluations.statistics;
  }

  /** The unit that comes next; undefined behind the last. */
  get next(): Unit | undefined {
    const step = this.steps[this.stepIndex];
    if (step === undefined) return undefined;
    const groups = this.groupIndex === 0 ? this.groupsOf(step) : this.groups;
    const group = groups[this.groupIndex]!;
    return { step, group, groupIndex: this.groupIndex, groups: groups.length, needed: this.isNeeded(step, group) };
  }

  /** Whether all steps have been run, and the last one to its end. */
  get isComplete(): boolean {
    return this.next === undefined && this.unfinished === undefined;
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
  fork(evaluator?: Evaluator, schedule: Schedule = this.schedule): Session {
    if (this.underWay) throw new DcompError('E_USAGE', 'a session cannot be forked within a step');
    const { width, height } = this.sizes[0]!;
    const evaluations = evaluator === undefined ? this.evaluations : this.evaluations.with(evaluator);
    const copy = new Session(width, height, this.grey, schedule, evaluations, this.pause, this.lags, this.needs);
    const { z, codes } = this.observation;
    copy.observation = { ...this.observation, z: z.slice(), codes: codes.slice() };
    copy.condition = this.condition;
    copy.started = this.started;
    copy.settled = this.settled;
    copy.masking = this.masking;
    copy.correlation = this.correlation;
    copy.unfinished = this.unfinished;
    copy.stepIndex = this.stepIndex;
    copy.scales = this.scales.slice();
    copy.prepared = this.prepared;
    return copy;
  }

  /** Evaluates what the next step begins with, if it goes on with its level: copies of this session need not do it again. */
  async prepare(): Promise<void> {
    const step = this.next?.step;
    if (step === undefined || this.prepared !== undefined || this.underWay || modeBefore(step.kind) !== 'refine')
      return;
    const { evaluations, observation } = this;
    const condition: Condition = { level: step.level, sigma: step.from, mode: 'refine' };
    const views = viewsBefore(step, this.schedule);
    this.prepared = await Prepared.of(evaluations, observation, condition, rowsAtMost(this.groups), views);
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
    const prior = this.evaluations.priorOf(step.level);
    const { observation, output, truth: x } = this.row!;
    const isStraight = this.schedule.straight !== undefined;
    const lags = isLagging(step, isStraight) ? this.lags : undefined;
    const given = {
      step,
      observation,
      group: { ...group, x: group.x - observation.x, y: 0 },
      groupIndex,
      output,
      prior,
      channel,
      nu: nuAt(step.level, channel.nu, isStraight),
      scales: this.scales,
      chroma: chromaAt(this.schedule, step.level),
      ...defined({ lags, masking: this.masking, correlation: this.correlation, truth: x }),
    };
    const workspace = takeWorkspace();
    let ideal: number;
    let cut: boolean;
    try {
      ideal =
        step.kind === 'settle'
          ? await this.settle({ ...given, output: output! }, group, workspace)
          : await inTurns(codeGroupStep(given, workspace), this.pause);
      // That the last of several groups is cut makes no difference to what the others know; and a decoder that leaves out
      // groups cannot see it.
      cut = channel.ended && !(groups > 1 && groupIndex + 1 === groups);
      if (cut && step.kind !== 'settle' && output !== undefined && groups === 1) {
        this.unfinished = new PosteriorMean(prior).of(observation.z, observation.codes, output, 0);
        await inTurns(putCurrentMeans(workspace, observation, group, this.unfinished), this.pause);
      }
    } finally {
      giveBack(workspace);
    }
    this.endUnit(step, groups, cut);
    return ideal;
  }

  /** @param group within the level, as that of the options is within the observation */
  private async settle(
    options: Omit<SettleOptions, 'sizes' | 'schedule' | 'pixels'>,
    group: Group,
    workspace: Workspace,
  ): Promise<number> {
    const { sizes, schedule } = this;
    const { width, height } = sizes[options.step.level]!;
    const pixels = {
      width: Math.min(2 * group.width, width - 2 * group.x),
      height: Math.min(2 * group.height, height - 2 * group.y),
    };
    const settled = await inTurns(settleGroup({ ...options, sizes, schedule, pixels }, workspace), this.pause);
    this.settled!.put(group, settled);
    return settled.ideal;
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
    if (finer) {
      const strength = this.schedule.straight === undefined ? 0 : (this.schedule.masking ?? 0);
      const before = maskingBeforeInPieces(this.observation, step.level, size, strength, this.lags);
      this.masking = await inTurns(before, this.pause);
    }
    this.observation = finer
      ? await inTurns(finerObservationInPieces(this.observation, size, this.grey, window), this.pause)
      : observationWithin(this.observation, window);
    // Details that are measured straight are told by the noise that they will have: LL may have less.
    const sigma = step.kind === 'enter' && this.schedule.straight !== undefined ? step.to : step.from;
    this.condition = { level: step.level, sigma, mode: modeBefore(step.kind) };
    if (step.inStages && entersLevel(step) && !this.grey)
      this.correlation = await inTurns(colourCorrelationInPieces(this.observation), this.pause);
    if (step.kind === 'settle') this.settled = new SettledLevel(this.observation);
    this.groups = this.groupsOf(step);
    if (entersLevel(step)) this.scales = new Int8Array(this.groups.length);
    this.evaluated = 0;
    this.evaluation = step.kind === 'root' ? undefined : this.evaluationBefore(step);
  }

  private evaluationBefore(step: Step): RowEvaluation {
    const { observation, condition, prepared } = this;
    const views = viewsBefore(step, this.schedule);
    this.prepared = undefined;
    return (
      prepared?.rows(condition, views) ?? this.evaluations.rows(observation, condition, rowsAtMost(this.groups), views)
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
    if (!cut && leavesLevelObserved(step) && step.kind !== 'settle')
      this.condition = { level: step.level, sigma: step.to, mode: 'refine' };
    if (this.settled !== undefined) this.settled.done = true;
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
    this.prepared = undefined;
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
   * @param shown which u_k is shown; no step of a finer level may have been run
   * @param pixels of u_shown that are wanted; default: all. What they need must have been run
   * @param views at most, for a look that is worth less than the schedule's
   * @param realism of what is drawn, of the whole of level 0 alone
   * @param schedule which differs in how means are shown
   */
  async show(
    take: TakeRows,
    shown = 0,
    pixels: Rectangle = wholeOf(this.sizes[shown]!),
    views: number = this.schedule.views,
    realism?: Realism,
    schedule: Schedule = this.schedule,
  ): Promise<void> {
    this.evaluation = undefined;
    if (!this.started) return showNothing(this.pause, take, pixels);
    const { observation, condition, unfinished, settled } = this;
    const known = { observation, condition, unfinished, settled };
    const { evaluations, sizes, grey, pause } = this;
    const of = { evaluations, sizes, grey, schedule, pause };
    if (realism === undefined) await showPixels(known, of, take, shown, pixels, views);
    else await showDrawn(known, of, take, views, realism);
  }

  /** What is known of each sample when all steps are done. */
  async side(): Promise<Side> {
    this.evaluation = undefined;
    const rows = new SideRows(this.sizes[0]!, this.grey);
    const { observation, condition, settled } = this;
    await showPosterior({ observation, condition, settled }, this, rows.takeMean, rows.takeVariances);
    return rows.side;
  }
}

function rowsAtMost(groups: readonly Group[]): number {
  return groups.reduce((most, { height }) => Math.max(most, height), 0);
}
