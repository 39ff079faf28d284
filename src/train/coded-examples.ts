/**
 * Training examples observed through the coder's own channel. What is quantised has noise that is Gaussian for all that a network can
 * see. What is told in passes has not: a pass tells the sign of x − mu, more or less reliably, and moves the mean by a fixed
 * amount, so after one pass of little information z is mu ± sigma, of one magnitude. What a step tells depends on what the
 * network believed before it; so an example begins with an ideal observation, and the network itself is asked once for each
 * step that has been coded since.
 *
 * In place of the trellis a pass draws its sign with the probability that reverse-channel coding aims at, P(s) ∝ exp(s · w · (x − mu)),
 * w = √(delta · (1 + v · delta)) (docs/format.md has the metric).
 */
import { FIRST_INFORMATION, LEAST_INFORMATION, QUANTISED_INFORMATION } from '../format.js';
import { DEFAULT_SCHEDULE, ENTERED_WHOLE, leavesLevelObserved, stepsOf } from '../diffusion/schedule.js';
import { measurement, passesOf } from '../diffusion/variance-table.js';
import { hash32 } from '../math/hash.js';
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
import { LOG_VARIANCE_MAX, LOG_VARIANCE_MIN } from '../model/inputs.js';
import { CODES_PER_OCTAVE, TOP_CODE, UNKNOWN } from '../model/sigma.js';
import type { Dataset } from './dataset.js';
import {
  drawExample,
  emptyBatch,
  gainsOf,
  observe,
  putObservation,
  type Batch,
  type Example,
  type ExamplePlan,
  type ModelShape,
} from './examples.js';
import { drawPathCondition, partOf, plainCondition, type DrawnCondition } from './observations.js';
import { fillNormal, Random } from './random.js';
import { RECIPE } from './recipe.js';

/** The network's output for a batch, [size, grid, grid, 24]. */
export type Predict = (batch: Batch) => Float32Array;

const { coded: CODED, path: PATH } = RECIPE;
/** Most information of a pass in bits, with its odds. */
const LIMITS = Object.entries(CODED.limits).map(([limit, odds]) => ({ limit: Number(limit), odds }));

/** What there is to know of a step that has been coded. */
interface CodedStep {
  /** Sigma code after it. */
  to: number;
  /** In how many parts the details are measured, and how many of them have been after it. */
  parts: number;
  done: number;
  /** Information in bits that a coefficient must have to be measured. */
  least: number;
  /** Whether the level is observed whole after it. */
  observed: boolean;
}

/** Whether the examples of a training step are coded. Of a stream of its own: the first number of the step's own decides about its level. */
export function isCoded(seed: number, step: number, share: number): boolean {
  return new Random(hash32(seed, 0x636f6465), step).chance(share);
}

/** The batch of a training step, of examples that have been coded up to some step. A function of the network, too. */
export function makeCodedBatch(
  dataset: Dataset,
  model: ModelShape,
  plan: ExamplePlan,
  seed: number,
  step: number,
  predict: Predict,
): Batch {
  const random = new Random(seed, step);
  const level = random.weighted(plan.share);
  const size = plan.batch[level]!;
  const side = plan.crop[level]!;
  const { start, steps } = drawHistory(level, random);
  const { limit } = LIMITS[random.weighted(LIMITS.map(({ odds }) => odds))]!;
  const examples = Array.from({ length: size }, () => {
    const example = drawExample(dataset.training, level, side, random, start);
    return { ...example, z: observe(example.x, example.codes, side / 2, random, start), shift: random.below(12) };
  });
  const batch = emptyBatch(level, size, side / 2, model);
  const put = (): Batch => {
    for (const [b, { x, codes, z, condition }] of examples.entries())
      putObservation(batch, b, model, x, codes, z, condition);
    return batch;
  };
  const gains = gainsOf(model, level);
  for (const coded of steps) {
    const output = predict(put());
    const stride = output.length / size;
    for (const [b, example] of examples.entries()) {
      codeExample(example, coded, gains, output.subarray(b * stride, (b + 1) * stride), limit, random);
      if (coded.observed) example.condition = plainCondition({ level, sigma: coded.to, mode: 'refine' });
    }
  }
  return put();
}

/** What is known ideally, and the steps coded since then. */
function drawHistory(level: number, random: Random): { start: DrawnCondition; steps: CodedStep[] } {
  const kind = random.weighted([CODED.path, CODED.refine, 1 - CODED.path - CODED.refine]);
  if (kind === 0) return drawPath(level, random);
  // The level of a picture that is large enough for it to be entered in two steps.
  const steps = stepsOf(DEFAULT_SCHEDULE, level + 1 + ENTERED_WHOLE).filter((step) => step.level === level);
  if (kind === 1) {
    const { from, to } = steps[2]!;
    const width = from - to;
    const sigma = TOP_CODE - random.below(CODES_PER_OCTAVE * (level === 0 ? 3 : 1) + 1 - width);
    const step = { to: sigma - width, parts: 1, done: 1, least: 0, observed: true };
    return { start: plainCondition({ level, sigma, mode: 'refine' }), steps: [step] };
  }
  return {
    start: plainCondition({ level, sigma: TOP_CODE, mode: 'enter' }),
    steps: steps.slice(0, lengthOf(CODED.steps, random)).map((step) => {
      const first = step.part === 'first';
      return {
        to: step.to,
        parts: first ? 2 : 1,
        done: 1,
        least: first ? FIRST_INFORMATION : 0,
        observed: leavesLevelObserved(step),
      };
    }),
  };
}

/** LL is precise, and the details are measured straight at their last sigma, part by part. */
function drawPath(level: number, random: Random): { start: DrawnCondition; steps: CodedStep[] } {
  const start = drawPathCondition(level, random, true);
  const { sigma } = start;
  const parts = PATH.partCounts[random.below(PATH.partCounts.length)]!;
  const even = Array<number>(parts).fill(1 / parts);
  const steps = Array.from({ length: lengthOf(even, random) }, (_, i) => {
    return { to: sigma, parts, done: i + 1, least: level === 0 ? LEAST_INFORMATION : 0, observed: i + 1 === parts };
  });
  return { start, steps };
}

/**
 * How many steps of a history an example has. Where the states along a history are examples too, `odds` are those of
 * its whole length; of single examples a length is as frequent as histories that reach it.
 */
function lengthOf(odds: readonly number[], random: Random): number {
  return 1 + random.weighted(odds.map((_, i) => odds.slice(i).reduce((a, b) => a + b, 0)));
}

/**
 * Codes a step of an example: what `codeGroupStep` does with an ideal trellis. Moves z and codes of the coefficients concerned.
 * @param shift which part comes first; parts count on from there
 * @param limit most information of a pass, in bits
 */
export function codeExample(
  { x, codes, z, shift }: Example & { z: Float32Array; shift: number },
  { to, parts, done, least }: CodedStep,
  gains: { mean: ArrayLike<number>; correction: ArrayLike<number> },
  output: Float32Array,
  limit: number,
  random: Random,
): void {
  const grid = Math.sqrt(codes.length / COEFFICIENTS);
  const noise = new Float32Array(codes.length);
  fillNormal(noise, random);
  for (let y = 0; y < x.height; y++) {
    for (let column = 0; column < x.width; column++) {
      const position = (y * grid + column) * COEFFICIENTS;
      if (codes[position] === UNKNOWN) continue; // a hole
      for (let c = 0; c < COEFFICIENTS; c++) {
        const i = position + c;
        const code = codes[i]!;
        if (code <= to || (partOf(column, y, c, parts) + shift) % parts >= done) continue;
        const g = code * COEFFICIENTS + c;
        const o = 2 * position + c;
        const mean = gains.mean[g]! * z[i]! + gains.correction[g]! * output[o]!;
        const logVariance = Math.min(
          LOG_VARIANCE_MAX,
          Math.max(LOG_VARIANCE_MIN, output[o + OUTPUT_CHANNELS - COEFFICIENTS]!),
        );
        const v = gains.correction[g]! ** 2 * 2 ** logVariance;
        const { precision, delta } = measurement(code, to);
        const bits = 0.5 * Math.log2(1 + v * delta);
        if (bits < least) continue;
        const residual = x.data[(y * x.width + column) * COEFFICIENTS + c]! - mean;
        const moved =
          bits < QUANTISED_INFORMATION
            ? sendSigns(residual, v, bits, limit, random)
            : (residual + noise[i]! / Math.sqrt(delta)) * ((v * delta) / (1 + v * delta));
        z[i] = (precision * z[i]! + delta * mean + (delta + 1 / v) * moved) / (precision + delta);
        codes[i] = to;
      }
    }
  }
}

/** How far the signs of a coefficient move its mean. @param residual x − mu @param v its foreseen variance @param bits of information */
function sendSigns(residual: number, v: number, bits: number, limit: number, random: Random): number {
  const { count, gain, amplitude: first, shrink } = passesOf(v, bits, limit);
  let amplitude = first;
  let moved = 0;
  for (let k = 0; k < count; k++) {
    const metric = (gain / amplitude) * (residual - moved);
    moved += random.uniform() < 1 / (1 + Math.exp(-2 * metric)) ? amplitude : -amplitude;
    amplitude *= shrink;
  }
  return moved;
}
