/**
 * Training examples observed through the coder's own channel. Its noise is not Gaussian: a pass tells the sign of x − mu, more or less
 * reliably, and moves the mean by a fixed amount, so after one pass of little information z is mu ± sigma, of one magnitude. What a
 * step tells depends on what the network believed before it; so an example begins with an ideal observation, and the network
 * itself is asked once for each step that has been coded since.
 *
 * In place of the trellis a pass draws its sign with the probability that reverse-channel coding aims at, P(s) ∝ exp(s · w · (x − mu)),
 * w = √(delta · (1 + v · delta)) (docs/format.md has the metric).
 */
import { FIRST_INFORMATION, PASS_INFORMATION } from '../format.js';
import { DEFAULT_SCHEDULE, ENTERED_WHOLE, leavesLevelObserved, stepsOf, type Step } from '../diffusion/schedule.js';
import { measurement, passesOf } from '../diffusion/variance-table.js';
import { hash32 } from '../math/hash.js';
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
import { LOG_VARIANCE_MAX, LOG_VARIANCE_MIN, type Condition } from '../model/inputs.js';
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
import { Random } from './random.js';

/** The network's output for a batch, [size, grid, grid, 24]. */
export type Predict = (batch: Batch) => Float32Array;

/** Share of the training steps whose examples are coded. */
const CODED_SHARE = 0.4;
/** Most information of a pass is one of PASS_INFORMATION, with these odds. */
const LIMIT_ODDS = [0.6, 0.25, 0.15];

/** What there is to know of a step that has been coded. */
type CodedStep = Pick<Step, 'kind' | 'to' | 'part'>;

/** Whether the examples of a training step are coded. Of a stream of its own: the first number of the step's own decides about its level. */
export function isCoded(seed: number, step: number): boolean {
  return new Random(hash32(seed, 0x636f6465), step).chance(CODED_SHARE);
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
  const limit = PASS_INFORMATION[random.weighted(LIMIT_ODDS)]!;
  const examples = Array.from({ length: size }, () => {
    const example = drawExample(dataset.training, level, side, random, start);
    return { ...example, z: observe(example.x, example.codes, side / 2, random), parity: random.below(2) };
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
      if (leavesLevelObserved(coded)) example.condition = { level, sigma: coded.to, mode: 'refine' };
    }
  }
  return put();
}

/** What is known ideally, and the steps coded since then. */
function drawHistory(level: number, random: Random): { start: Condition; steps: CodedStep[] } {
  // The level of a picture that is large enough for it to be entered in two steps.
  const steps = stepsOf(DEFAULT_SCHEDULE, level + 1 + ENTERED_WHOLE).filter((step) => step.level === level);
  if (random.chance(0.25)) {
    const { from, to } = steps[2]!;
    const width = from - to;
    const sigma = TOP_CODE - random.below(CODES_PER_OCTAVE * (level === 0 ? 2 : 1) + 1 - width);
    return { start: { level, sigma, mode: 'refine' }, steps: [{ kind: 'refine', to: sigma - width }] };
  }
  return {
    start: { level, sigma: TOP_CODE, mode: 'enter' },
    steps: steps.slice(0, 1 + random.weighted([0.4, 0.3, 0.3])),
  };
}

/**
 * Codes a step of an example: what `codeGroupStep` does with an ideal trellis. Moves z and codes of the coefficients concerned.
 * @param parity of the coefficients that are first: (column + row + channel) mod 2, 1 in mirrored views
 * @param limit most information of a pass, in bits
 */
export function codeExample(
  { x, codes, z, parity }: Example & { z: Float32Array; parity: number },
  { to, part }: Pick<Step, 'to' | 'part'>,
  gains: { mean: ArrayLike<number>; correction: ArrayLike<number> },
  output: Float32Array,
  limit: number,
  random: Random,
): void {
  const grid = Math.sqrt(codes.length / COEFFICIENTS);
  for (let y = 0; y < x.height; y++) {
    for (let column = 0; column < x.width; column++) {
      const position = (y * grid + column) * COEFFICIENTS;
      if (codes[position] === UNKNOWN) continue; // a hole
      for (let c = 0; c < COEFFICIENTS; c++) {
        const i = position + c;
        const code = codes[i]!;
        if (code <= to || (part === 'first' && ((column + y + c) & 1) !== parity)) continue;
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
        if (part === 'first' && bits < FIRST_INFORMATION) continue;
        const moved = sendSigns(x.data[(y * x.width + column) * COEFFICIENTS + c]! - mean, v, bits, limit, random);
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
