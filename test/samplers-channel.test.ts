/**
 * Samplers beside the codec, with the package's model: a measurement that is drawn, and one that the codec's ideal Gaussian
 * channel makes of a truth drawn from what the model expects, leave z with the same distribution. The codec has more steps
 * than a sampler; so single steps are compared, which begin with the same observation of a picture.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { idealChannel, RememberingEvaluator } from '../eval/codecs/dcomp.js';
import { drawOn } from '../src/codec/drawn.js';
import { Evaluations } from '../src/codec/evaluations.js';
import { codeGroupStep } from '../src/codec/group-step.js';
import { giveBack, takeWorkspace } from '../src/codec/workspace.js';
import { denoise } from '../src/diffusion/denoise.js';
import type { Denoised } from '../src/diffusion/denoiser.js';
import { blankObservation, halfOf, type Observation } from '../src/diffusion/observation.js';
import { ancestral, type SamplerState } from '../src/diffusion/samplers.js';
import { pyramidSizes, type Step } from '../src/diffusion/schedule.js';
import { MIN_NU } from '../src/entropy/trellis.js';
import { hash32 } from '../src/math/hash.js';
import { normalAt } from '../src/math/normal.js';
import { gridOf } from '../src/math/rectangle.js';
import { COEFFICIENTS } from '../src/model/architecture.js';
import type { Condition } from '../src/model/inputs.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { codeOf, sigmaOf, UNKNOWN } from '../src/model/sigma.js';
import { createEvaluator } from '../src/model/wasm/engine.js';
import { priorOf } from '../src/model/weights.js';
import { loadModel } from '../src/models/read-node.js';
import { PictureCoefficients } from '../src/pixels/picture-coefficients.js';
import { isLowest, Level } from '../src/restore/level.js';
import { enterDetails, TOP } from '../src/restore/walk.js';
import { finish, withoutTurns } from '../src/turns.js';

/** Side of the grid at every level: 576 coefficients of each band and colour. */
const GRID = 24;
const LENGTH = GRID * GRID * COEFFICIENTS;
/** Draws of each kind. */
const DRAWS = 64;
const BANDS = ['LL', 'HL', 'LH', 'HH'].flatMap((band) => ['Y', 'Co', 'Cg'].map((colour) => `${band} ${colour}`));

const pause = withoutTurns();
let evaluator: RememberingEvaluator;
before(async () => {
  evaluator = new RememberingEvaluator(await createEvaluator(readModelFile(await loadModel('small'))));
});
after(() => evaluator.close());

/** A level of the scene under noise, known to that code where `isKnown`, else not at all. */
function observed(level: number, code: number, isKnown: (i: number) => boolean = () => true): Observation {
  const side = (2 * GRID) << level;
  const coefficients = finish(PictureCoefficients.of(corpusPicture('scene', { width: side, height: side }), level + 1));
  const x = finish(coefficients.rowsOf(level)(0, GRID));
  const observation = blankObservation({ width: 2 * GRID, height: 2 * GRID }, false);
  for (let i = 0; i < LENGTH; i++) {
    if (!isKnown(i)) continue;
    observation.z[i] = x[i]! + sigmaOf(code) * normalAt(hash32(level, code), i);
    observation.codes[i] = code;
  }
  return observation;
}

/** So many draws. */
async function drawn(draw: (key: number) => Promise<Float32Array>): Promise<Float32Array[]> {
  const draws: Float32Array[] = [];
  for (let key = 0; key < DRAWS; key++) draws.push(await draw(key));
  return draws;
}

interface Sent {
  draws: Float32Array[];
  /** What the channel cost, by the codec, and by the sampler's variances; bits. */
  cost: number;
  expected: number;
}

/** The codec's step through the ideal channel, of truths that the model believes in. */
async function sent(observation: Observation, condition: Condition, step: Step): Promise<Sent> {
  const { z, codes, width, height } = observation;
  const { mean, variance }: Denoised = await denoise(evaluator, observation, condition);
  const output = await evaluator.evaluate(z, codes, width, height, condition);
  const { architecture, statistics } = evaluator.model;
  const channel = idealChannel();
  let cost = 0;
  const draws = await drawn(async (key) => {
    const own = { ...observation, z: z.slice(), codes: codes.slice() };
    const workspace = takeWorkspace();
    cost += finish(
      codeGroupStep(
        {
          step,
          observation: own,
          group: { x: 0, y: 0, width, height },
          groupIndex: 0,
          output,
          prior: priorOf(architecture, statistics, condition.level),
          channel,
          nu: MIN_NU,
          scales: new Int8Array(1),
          truth: { x: mean.map((value, i) => value + Math.sqrt(variance[i]!) * normalAt(1000 + key, i)) },
        },
        workspace,
      ),
    );
    giveBack(workspace);
    assert.ok(own.codes.every((code) => code === step.to));
    return own.z;
  });
  const expected = variance.reduce((sum, v, i) => {
    const before = codes[i] === UNKNOWN ? 0 : 1 / sigmaOf(codes[i]!) ** 2;
    return sum + (codes[i]! > step.to ? 0.5 * Math.log2(1 + v * (1 / sigmaOf(step.to) ** 2 - before)) : 0);
  }, 0);
  return { draws, cost: cost / DRAWS, expected };
}

/** Mean and variance of a coefficient over the draws. */
function momentsAt(draws: readonly Float32Array[], i: number): { mean: number; variance: number } {
  const mean = draws.reduce((sum, z) => sum + z[i]!, 0) / DRAWS;
  return { mean, variance: draws.reduce((sum, z) => sum + (z[i]! - mean) ** 2, 0) / (DRAWS - 1) };
}

/**
 * Coefficient by coefficient the two kinds of draws have the same mean and variance: over a band's n coefficients, means
 * differ by 0 on average and by their own standard error (square 1), and of the sum of both variances each has half. Each of
 * these three averages may be off by five of its own standard deviations: with n = 576 by 0.21, 0.3 and 0.013, so spreads by 2.6 %.
 */
function assertAlike(
  ours: readonly Float32Array[],
  theirs: readonly Float32Array[],
  isCompared: (i: number) => boolean,
): void {
  BANDS.forEach((band, c) => {
    let [n, shift, square, share] = [0, 0, 0, 0];
    for (let i = c; i < LENGTH; i += COEFFICIENTS) {
      if (!isCompared(i)) continue;
      const [a, b] = [momentsAt(ours, i), momentsAt(theirs, i)];
      const off = (a.mean - b.mean) / Math.sqrt((a.variance + b.variance) / DRAWS);
      n++;
      shift += off;
      square += off * off;
      share += a.variance / (a.variance + b.variance);
    }
    if (n === 0) return;
    const [far, said] = [5 / Math.sqrt(n), `${band}: ${shift / n}, ${square / n}, ${share / n}`];
    assert.ok(Math.abs(shift / n) < far, `means differ: ${said}`);
    assert.ok(Math.abs(square / n - (DRAWS - 1) / (DRAWS - 2)) < Math.SQRT2 * far, `means differ somewhere: ${said}`);
    assert.ok(Math.abs(share / n - 0.5) < (0.5 * far) / Math.sqrt(DRAWS), `variances differ: ${said}`);
  });
}

/** A sampler's draws beside the codec's, which must have cost what the sampler's variances say. */
function assertSame(
  ours: readonly Float32Array[],
  { draws, cost, expected }: Sent,
  isCompared = (_: number): boolean => true,
): void {
  assertAlike(ours, draws, isCompared);
  assert.ok(Math.abs(cost / expected - 1) < 0.01, `${cost} bits, by the sampler's variances ${expected}`);
}

function stepOf(kind: Step['kind'], level: number, from: number, to: number): Step {
  return { index: 0, level, kind, from, to, corrected: false, leavesOut: false, inStages: false };
}

describe('a step that is drawn has the distribution of the codec’s step through an ideal channel', () => {
  for (const [level, from, to] of [
    [0, 168, 152],
    [0, 136, 132],
    [0, 112, 80],
    [1, 168, 152],
    [2, 160, 158],
    [3, 168, 152],
  ] as const)
    it(`ancestral sampling, level ${level}, sigma ${sigmaOf(from).toFixed(1)} to ${sigmaOf(to).toFixed(1)}`, async () => {
      const observation = observed(level, from);
      const condition: Condition = { level, sigma: from, mode: 'refine' };
      const { refine } = await Level.of(evaluator, observation.size, level, { grey: false, views: 1 }, pause);
      const said = await refine(observation.z, sigmaOf(from), pause);
      const ours = await drawn(async (key) => {
        let last: SamplerState | undefined;
        // What is expected at the end of the step is not looked at.
        for await (const state of ancestral(async () => said, observation.z, [sigmaOf(from), sigmaOf(to)], { key }))
          last = state;
        return last!.z;
      });
      assertSame(ours, await sent(observation, condition, stepOf('refine', level, from, to)));
    });

  it('what a file does not tell, level 0, sigma 2 to 1', async () => {
    // From this code on it is one step to the last.
    const [from, to] = [96, 80];
    const observation = observed(0, from);
    const condition: Condition = { level: 0, sigma: from, mode: 'refine' };
    const { width, height } = observation.size;
    const sizes = pyramidSizes(width, height);
    const evaluations = new Evaluations(evaluator, sizes, pause, undefined);
    const ours = await drawn(async (key) => {
      const { observation: end, condition: after } = await drawOn(
        { observation, condition },
        evaluations,
        { sizes, grey: false, pause },
        key,
      );
      assert.equal(after.sigma, to);
      return end.z;
    });
    assertSame(ours, await sent(observation, condition, stepOf('refine', 0, from, to)));
  });

  for (const level of [0, 2])
    it(`details on entering level ${level}, those that are drawn first`, async () => {
      const code = codeOf(TOP);
      const observation = observed(level, code, isLowest);
      const condition: Condition = { level, sigma: code, mode: 'enter' };
      const own = await Level.of(evaluator, observation.size, level, { grey: false, views: 1 }, pause);
      const ours = await drawn(async (key) => {
        const z = observation.z.slice();
        await enterDetails(own, z, undefined, { sampler: 'ancestral', steps: 1, temperature: 1, key, pause });
        return z;
      });
      const { width } = gridOf(observation.size);
      const isFirst = (i: number): boolean => !isLowest(i) && halfOf(i, width) === 0;
      assertSame(ours, await sent(observation, condition, stepOf('enter', level, code, code)), isFirst);
    });
});
