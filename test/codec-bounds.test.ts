/**
 * What the rate rests on, tested at its two ends: a model that knows the picture makes it cost nothing, and a model that
 * is exactly right about synthetic coefficients gets the noise that was asked for at the rate that theory says.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { readContainer, segmentOverhead, writeHeader } from '../src/container/container.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { GAIN_BLOCK, groupsOf, LAST_CODE, QUANTISED_INFORMATION } from '../src/format.js';
import { codeGroupStep } from '../src/codec/group-step.js';
import { Workspace } from '../src/codec/workspace.js';
import { finish } from '../src/turns.js';
import { blankObservation, type Observation } from '../src/diffusion/observation.js';
import { separate } from './helpers/planes.js';
import { DEFAULT_SCHEDULE, pyramidSizes, stepsOf, type Schedule, type Step } from '../src/diffusion/schedule.js';
import { runCost } from '../src/entropy/trellis.js';
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../src/model/architecture.js';
import { rowsOfWhole, type Evaluator } from '../src/model/evaluator.js';
import { LOG_VARIANCE_MIN, wienerGains, type Condition } from '../src/model/inputs.js';
import type { IntegerModel } from '../src/model/integer/integer-model.js';
import { EXACT, sigmaOf, TOP_CODE, UNKNOWN } from '../src/model/sigma.js';
import { priorOf } from '../src/model/weights.js';
import type { Picture } from '../src/picture.js';
import { inKind } from './helpers/arbitrary.js';
import { CountingChannel } from './helpers/channels.js';
import { tinyModel } from '../corpus/tiny-model.js';
import { coefficientsOf, stepsIn, walk } from './helpers/walk.js';
import { gaussian } from '../corpus/random-model.js';

const model = tinyModel();

/** A model that knows the picture: the posterior mean is the truth, the variance the least that a model can state. */
class Cheat implements Evaluator {
  readonly model: IntegerModel = model;
  readonly threads = 1;
  private readonly x: Float32Array[];

  constructor(picture: Picture) {
    const { colour } = separate(picture);
    this.x = coefficientsOf(picture, pyramidSizes(colour.width, colour.height).length - 1);
  }

  async evaluate(
    z: Float32Array,
    codes: Uint8Array,
    width: number,
    height: number,
    { level }: Condition,
  ): Promise<Float32Array> {
    const x = this.x[level]!;
    const prior = priorOf(model.architecture, model.statistics, level);
    const output = new Float32Array(width * height * OUTPUT_CHANNELS);
    for (let i = 0; i < z.length; i++) {
      const c = i % COEFFICIENTS;
      const { mean, correction } = wienerGains(codes[i]!, prior[c]!);
      const at = ((i - c) / COEFFICIENTS) * OUTPUT_CHANNELS + c;
      output[at] = codes[i] === EXACT ? 0 : (x[i]! - (codes[i] === UNKNOWN ? 0 : mean * z[i]!)) / correction;
      output[at + COEFFICIENTS] = LOG_VARIANCE_MIN;
    }
    return output;
  }

  readonly evaluateRows = rowsOfWhole((z, codes, width, height, condition) =>
    this.evaluate(z, codes, width, height, condition),
  );

  async close(): Promise<void> {}
}

/**
 * What a walk may cost at the least variance, in bits. The coefficient of a step has at most v = 2^LOG_VARIANCE_MIN · s²
 * (s: its sigma, or the prior's where it is unknown), so its information is at most ½ · log2(1 + v · delta); it enters
 * for every sample once, as there are as many coefficients to tell as samples; nothing can be told of one that is exact.
 */
function leastBits(picture: Picture): number {
  const sizes = pyramidSizes(picture.width, picture.height);
  const colours = picture.channels <= 2 ? 1 : 3;
  let bits = 0;
  for (const { kind, level, from, to } of stepsOf({ ...DEFAULT_SCHEDULE, lastCode: LAST_CODE }, sizes.length - 1)) {
    if (kind === 'root') continue;
    const samples = sizes[level]!.width * sizes[level]!.height * colours;
    const delta = sigmaOf(to) ** -2 - (kind === 'enter' ? 0 : sigmaOf(from) ** -2);
    const s = kind === 'enter' ? Math.max(...priorOf(model.architecture, model.statistics, level)) : sigmaOf(from);
    bits += samples * 0.5 * Math.log2(1 + 2 ** LOG_VARIANCE_MIN * s * s * delta);
  }
  return bits;
}

/** A bit for each step's scale; a gain takes at most its first price each time, 4.1 bits at 6 of 100, and 3 bytes end the entropy coder's data. */
function gainBits(picture: Picture): number {
  let bits = stepsOf(ONE_VIEW, pyramidSizes(picture.width, picture.height).length - 1).length;
  for (const { width, height } of pyramidSizes(picture.width, picture.height).slice(0, -1)) {
    for (const group of groupsOf((width + 1) >> 1, (height + 1) >> 1))
      bits += 24 + 4.1 * Math.ceil(group.width / GAIN_BLOCK) * Math.ceil(group.height / GAIN_BLOCK);
  }
  return bits;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

/** LL of the coarsest level is told against the model's prior, which does not cheat: not more than 12 bits a coefficient. */
const ROOT_BITS = 12 * 3 * 16;

/** The model knows the picture as it is, not its mirror images. */
const ONE_VIEW: Schedule = { ...DEFAULT_SCHEDULE, views: 1, coarseViews: 1 };

describe('a model that knows the picture', () => {
  const pictures = [
    corpusPicture('scene', { width: 96, height: 64 }),
    corpusPicture('noise', { width: 70, height: 53 }),
    corpusPicture('grey-scene', { width: 33, height: 47 }),
    inKind(corpusPicture('edges', { width: 65, height: 9 }), 3),
  ];

  it('makes it cost nothing: signs at most the least that variances can say, and half a bit for each run', async () => {
    for (const picture of pictures) {
      const channel = new CountingChannel(8);
      let root = 0;
      const steps = stepsOf(ONE_VIEW, pyramidSizes(picture.width, picture.height).length - 1);
      const { reconstruction } = await walk(
        picture,
        new Cheat(picture),
        ONE_VIEW,
        steps.length,
        channel,
        ({ kind }) => {
          if (kind === 'root') root = channel.signBits + channel.pointBits;
        },
      );
      assert.deepEqual(reconstruction.data, picture.data);
      assert.ok(root <= ROOT_BITS, `${root} bits for the root`);
      const bound = leastBits(picture) + channel.runs / 2;
      const bits = channel.signBits + channel.pointBits - root;
      assert.ok(bits <= bound, `${bits} bits of signs and points, but at most ${bound}`);
      assert.equal(
        channel.correctionBits,
        steps.filter(({ corrected }) => corrected).length,
        'a bit says that there is nothing to correct',
      );
      assert.ok(
        channel.gainBits <= gainBits(picture),
        `${channel.gainBits} bits of gains, but at most ${gainBits(picture)}`,
      );
      // That is next to nothing: samples of 8 bits for less than a hundredth of a bit each, besides the gains.
      assert.ok(
        leastBits(picture) < 0.01 * picture.data.length,
        `bound of ${leastBits(picture)} bits for ${picture.data.length} samples`,
      );
    }
  });

  it('makes whole files as small as headers, root and gains, and they give the picture back exactly', async () => {
    for (const picture of pictures) {
      const cheat = new Cheat(picture);
      const { bytes } = await encodePicture(picture, cheat, {
        plain: false,
        effort: 1,
        views: 1,
        target: { quality: 100 },
      });
      const { header, segments } = readContainer(bytes);
      // A step where nothing is told has a run, rounded to whole bits, and a bit each for the scale and for "no corrections".
      const bits = ROOT_BITS + gainBits(picture) + leastBits(picture) + 2 * stepsIn(bytes);
      const bound = writeHeader(header).length + segments.length * segmentOverhead(bytes.length) + bits / 8;
      assert.ok(bytes.length <= bound, `${bytes.length} bytes, but at most ${bound}`);
      assert.deepEqual((await decodePicture(bytes, cheat)).data, picture.data);
    }
  });

  it('and its ideal rate is nothing too: below the bound, and never negative', async () => {
    for (const picture of pictures) {
      const steps = stepsOf(ONE_VIEW, pyramidSizes(picture.width, picture.height).length - 1);
      const { ideal } = await walk(picture, new Cheat(picture), ONE_VIEW, steps.length, new CountingChannel(8));
      const sum = sumOf(ideal.slice(1));
      assert.ok(sum <= leastBits(picture), `${sum} bits`);
      // KL is an expectation over the noise; where x = mu each term is positive up to its rounding.
      ideal.forEach((bits, i) => assert.ok(bits >= -1e-3, `step ${i}: ${bits} bits`));
    }
  });
});

describe('a model that is exactly right', () => {
  // Coefficients that are independent Gaussians with the model's prior as standard deviation: the linear estimate is the
  // posterior, and an output of zeros is the right answer. LL is observed with Gaussian noise, as on entering a level.
  const size = { width: 192, height: 160 };
  const blank = blankObservation(size, false);
  const group = groupsOf(blank.width, blank.height)[0]!;
  const prior = Float32Array.from([220, 54, 77, 60, 20, 30, 60, 20, 30, 40, 15, 20]);
  const output = new Float32Array(blank.width * blank.height * OUTPUT_CHANNELS);

  interface Figures {
    mean: number;
    variance: number;
    /** Largest error, in sigma. */
    worst: number;
    /** Real bits over the ideal ones. */
    rate: number;
  }

  /** Runs steps from code to code. @returns per step, mean and variance of (z − x) / sigma, and the rate. */
  function chain(seed: number, nu: number, codes: readonly number[]): Figures[] {
    const next = gaussian(seed);
    const x = blank.z.map((_, i) => prior[i % COEFFICIENTS]! * next());
    const observation: Observation = { ...blank, z: new Float32Array(x.length), codes: new Uint8Array(blank.codes) };
    for (let i = 0; i < x.length; i++) {
      if (i % COEFFICIENTS >= 3) continue;
      observation.z[i] = x[i]! + sigmaOf(TOP_CODE) * next();
      observation.codes[i] = TOP_CODE;
    }
    const workspace = new Workspace();
    const channel = new CountingChannel(nu);
    const scales = new Int8Array(1);
    return codes.map((to, index) => {
      const before = channel.signBits + channel.pointBits + channel.gainBits;
      const step: Step = {
        index,
        level: 0,
        kind: index === 0 ? 'enter' : 'refine',
        from: index === 0 ? TOP_CODE : codes[index - 1]!,
        to,
        corrected: true,
        leavesOut: false,
        inStages: false,
      };
      const ideal = finish(
        codeGroupStep(
          { step, observation, group, groupIndex: 0, output, prior, channel, nu: channel.nu, scales, truth: { x } },
          workspace,
        ),
      );
      let sum = 0;
      let squares = 0;
      let worst = 0;
      for (let i = 0; i < x.length; i++) {
        assert.ok(
          observation.codes[i]! <= to || observation.codes[i] === TOP_CODE,
          `coefficient ${i} has code ${observation.codes[i]}`,
        );
        const noise = (observation.z[i]! - x[i]!) / sigmaOf(observation.codes[i]!);
        sum += noise;
        squares += noise * noise;
        worst = Math.max(worst, Math.abs(noise));
      }
      const mean = sum / x.length;
      return {
        mean,
        variance: squares / x.length - mean * mean,
        worst,
        rate: (channel.signBits + channel.pointBits + channel.gainBits - before) / ideal,
      };
    });
  }

  /** Every quarter of an octave, as at level 0. */
  const steps = (octaves: number): number[] => Array.from({ length: 4 * octaves + 1 }, (_, i) => TOP_CODE - 4 * i);
  const tell = (figures: Figures[]): string =>
    figures
      .map(
        ({ mean, variance, rate }) =>
          `mean ${mean.toFixed(3)}, variance ${variance.toFixed(3)}, rate ${rate.toFixed(3)}`,
      )
      .join('; ');

  /** Cost over the ideal of entering the level. @param each bits more of what is quantised, as test/tcq-statistics.test.ts pins them */
  function enteringCost(nu: number, each: number): number {
    const information = [...prior.subarray(3)].map((s) => 0.5 * Math.log2(1 + (s / sigmaOf(TOP_CODE)) ** 2));
    const costs = information.map((bits) =>
      bits < QUANTISED_INFORMATION ? bits * runCost(nu, Infinity) : bits + each,
    );
    return sumOf(costs) / sumOf(information);
  }

  for (const [nu, each] of [
    [8, 0.04],
    [12, 0.032],
  ] as const) {
    it(`gets the noise that it asks for within 2 %, at the ideal rate and the cost of trellis and quantiser (nu ${nu})`, (t) => {
      const codes = steps(1);
      const figures = chain(5, nu, codes);
      t.diagnostic(tell(figures));
      for (const [i, { mean, variance, rate }] of figures.entries()) {
        const where = `step ${i} to code ${codes[i]}`;
        // 92 160 coefficients: a standard error of 0.0033 for the mean, 0.005 for the variance.
        assert.ok(Math.abs(mean) < 0.015, `${where}: mean ${mean}`);
        assert.ok(Math.abs(variance - 1) < 0.02, `${where}: variance ${variance}`);
        const cost = i === 0 ? enteringCost(nu, each) : runCost(nu, Infinity);
        assert.ok(Math.abs(rate - cost) < 0.015, `${where}: ${rate} times the ideal bits, for ${cost}`);
      }
    });
  }

  it('keeps the noise near that down to the last code, and no coefficient escapes', (t) => {
    // Independent coefficients are the worst case: nothing pulls z back but the measurements, so a step that delivered less
    // precision than it claims would multiply from octave to octave. Corrections bound each single error.
    const figures = chain(5, 12, [...steps(6), LAST_CODE]);
    t.diagnostic(tell(figures.filter((_, i) => i % 4 === 0)));
    for (const [i, { mean, variance, worst }] of figures.entries()) {
      assert.ok(Math.abs(mean) < 0.03, `step ${i}: mean ${mean}`);
      assert.ok(Math.abs(variance - 1) < 0.06, `step ${i}: variance ${variance}`);
      assert.ok(worst <= 5.001, `step ${i}: an error of ${worst} sigma`);
    }
  });
});
