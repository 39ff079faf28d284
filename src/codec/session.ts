/** What encoder and decoder share: the walk along the schedule, and the picture that can be had at any point of it. */
import type { Evaluator } from '../model/evaluator.js';
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
import { wienerGains, type Condition } from '../model/inputs.js';
import { codeOf, EXACT, TOP_CODE, UNKNOWN } from '../model/sigma.js';
import { exp2 } from '../math/exact.js';
import { priorOf } from '../model/weights.js';
import { DcompError } from '../errors.js';
import { COLOURS } from './colour.js';
import { CODES_LEVEL_SPAN, groupsOf } from './format.js';
import { codeGroupStep, putCurrentMeans, Workspace, type Channel, type Truth } from './group-step.js';
import { blankObservation, finerObservation, type Observation } from './observation.js';
import { inverseHaar, type Plane } from './pyramid.js';
import { pyramidSizes, stepsOf, type Schedule, type Size, type Step } from './schedule.js';

export interface SessionStatistics {
  /** Network evaluations, and their arithmetic in multiples of one evaluation of the full-resolution level. */
  evaluations: number;
  work: number;
}

export class Session {
  readonly sizes: Size[];
  readonly steps: Step[];
  readonly statistics: SessionStatistics = { evaluations: 0, work: 0 };
  private observation: Observation;
  /** Noise level and mode of the observation, for the next evaluation of its level. */
  private condition: Condition;
  /** Whether every step so far was received to its end. */
  private whole = true;
  private started = false;
  /** Posterior mean after a step that ended early, by the Kalman rule alone. */
  private unfinished: Float32Array | undefined;
  private readonly workspace = new Workspace();

  constructor(
    width: number,
    height: number,
    private readonly grey: boolean,
    schedule: Schedule,
    private readonly evaluator: Evaluator,
    private readonly signal?: AbortSignal,
  ) {
    this.sizes = pyramidSizes(width, height);
    const levels = this.sizes.length - 1;
    this.steps = stepsOf(schedule, levels);
    this.observation = blankObservation(this.sizes[levels - 1]!, grey);
    this.condition = { level: levels - 1, sigma: TOP_CODE, mode: 'enter' };
  }

  /**
   * Runs one step through a channel; the steps must be run in order.
   * @returns the ideal cost in bits (0 without truth)
   */
  async run(step: Step, channel: Channel, truth?: Truth): Promise<number> {
    if (step.kind === 'enter' && step.level < this.sizes.length - 2) {
      this.observation = finerObservation(this.observation, this.sizes[step.level]!, this.grey);
    }
    const { observation } = this;
    this.condition = { level: step.level, sigma: step.from, mode: step.kind === 'refine' ? 'refine' : 'enter' };
    const output = step.kind === 'root' ? undefined : await this.evaluate(observation, this.condition);
    const { architecture, statistics } = this.evaluator.model;
    const prior = priorOf(architecture, statistics, step.level);
    let ideal = 0;
    const groups = groupsOf(observation.width, observation.height);
    for (const [groupIndex, group] of groups.entries()) {
      const options = { step, observation, group, groupIndex, output, prior, channel };
      ideal += codeGroupStep(truth === undefined ? options : { ...options, truth }, this.workspace);
      if (channel.ended) {
        if (output !== undefined && groups.length === 1) {
          this.unfinished = this.posterior(observation, output, step.level).mean;
          putCurrentMeans(this.workspace, observation, group, this.unfinished);
        }
        break;
      }
    }
    this.started = true;
    if (channel.ended) this.whole = false;
    else if (step.kind !== 'root') this.condition = { level: step.level, sigma: step.to, mode: 'refine' };
    return ideal;
  }

  /** The picture as the decoder sees it now: the posterior mean. Does not change the state. */
  async reconstruct(): Promise<Plane> {
    const full = this.sizes[0]!;
    if (!this.started) return { ...full, data: new Float32Array(full.width * full.height * COLOURS) };
    let { observation, condition } = this;
    const unfinished = condition.level === 0 ? this.unfinished : undefined;
    // A complete observation is handed to the next level as it is; an incomplete one by its posterior mean.
    let direct = this.whole && condition.mode === 'refine';
    for (;;) {
      if (condition.level > 0 && direct) {
        observation = finerObservation(observation, this.sizes[condition.level - 1]!, this.grey);
        condition = { level: condition.level - 1, sigma: Math.min(TOP_CODE + 8, condition.sigma + CODES_LEVEL_SPAN), mode: 'enter' };
        direct = false;
      }
      const { mean, variance } = this.posterior(observation, await this.evaluate(observation, condition), condition.level);
      if (unfinished !== undefined) {
        // Two estimates of about equal error: the network's of a mixed observation, and the Kalman rule's from the
        // network's view before the step. Their mean is better than either by up to 0.2 dB.
        for (let i = 0; i < mean.length; i++) mean[i] = (mean[i]! + unfinished[i]!) / 2;
      }
      const u = pictureOf(observation, mean);
      if (condition.level === 0) return u;
      const level = condition.level - 1;
      const sigma = Math.min(TOP_CODE + 8, Math.max(TOP_CODE - CODES_LEVEL_SPAN, codeOf(2 * Math.sqrt(variance))));
      observation = observeMean(u, this.sizes[level]!, sigma, this.grey);
      condition = { level, sigma, mode: 'enter' };
    }
  }

  private async evaluate(observation: Observation, condition: Condition): Promise<Float32Array> {
    // The evaluation blocks this thread; without a turn of the event loop no signal could be heard.
    if (this.signal !== undefined) await new Promise((resolve) => setTimeout(resolve));
    if (this.signal?.aborted === true) throw new DcompError('E_ABORTED', 'stopped by the caller');
    this.statistics.evaluations++;
    this.statistics.work += 0.25 ** condition.level;
    return this.evaluator.evaluate(observation.z, observation.codes, observation.width, observation.height, condition);
  }

  /** Posterior mean of every coefficient, and the average of their variances. */
  private posterior(observation: Observation, output: Float32Array, level: number): { mean: Float32Array; variance: number } {
    const { architecture, statistics } = this.evaluator.model;
    const prior = priorOf(architecture, statistics, level);
    const { z, codes } = observation;
    const meanGain = new Float64Array(256 * COEFFICIENTS).fill(NaN);
    const correctionGain = new Float64Array(256 * COEFFICIENTS);
    const mean = new Float32Array(z.length);
    let variance = 0;
    let counted = 0;
    for (let i = 0, q = 0; i < z.length; q += OUTPUT_CHANNELS - COEFFICIENTS) {
      for (let c = 0; c < COEFFICIENTS; c++, i++, q++) {
        const g = codes[i]! * COEFFICIENTS + c;
        if (Number.isNaN(meanGain[g]!)) {
          const gains = wienerGains(codes[i]!, prior[c]!);
          meanGain[g] = gains.mean;
          correctionGain[g] = gains.correction;
        }
        const co = correctionGain[g]!;
        mean[i] = (codes[i] === UNKNOWN ? 0 : meanGain[g]! * z[i]!) + co * output[q]!;
        // Variances matter for the handing over between levels only; every 16th position tells enough.
        if ((i & 255) < COEFFICIENTS && codes[i] !== EXACT) {
          variance += co * co * exp2(output[q + COEFFICIENTS]!);
          counted++;
        }
      }
    }
    return { mean, variance: Math.max(1e-6, counted === 0 ? 0 : variance / counted) };
  }
}

function pictureOf({ width, height, size }: Observation, mean: Float32Array): Plane {
  return inverseHaar({ width, height, data: mean }, size.width, size.height);
}

/** A picture of the coarser level, known with some error, as an observation of LL. */
function observeMean(u: Plane, size: Size, sigma: number, grey: boolean): Observation {
  const fine = blankObservation(size, grey);
  for (let i = 0, o = 0; i < fine.z.length; i += COEFFICIENTS, o += COLOURS) {
    for (let c = 0; c < COLOURS; c++) {
      if (fine.codes[i + c] === EXACT) continue;
      fine.z[i + c] = 2 * u.data[o + c]!;
      fine.codes[i + c] = sigma;
    }
  }
  return fine;
}
