/** Samplers on a toy whose truth is known: numbers that are Gaussian, with the exact denoiser of them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { classified, guided, knowing, score, type Denoiser } from '../src/diffusion/denoiser.js';
import { ddpmSigmas, geometricSigmas, karrasSigmas } from '../src/diffusion/noise-schedule.js';
import { ancestral, langevin, ode, sde, type SamplerState } from '../src/diffusion/samplers.js';
import { normalAt, normalQuantile } from '../src/math/normal.js';
import { withoutTurns } from '../src/turns.js';
import { assertLimited } from './helpers/limited.js';

const MEAN = 20;
const SPREAD = 5;
const COUNT = 10_000;
const MOST = 80;

/** Of numbers from N(mean, spread²). */
function gaussian(mean = MEAN, spread = SPREAD): Denoiser {
  return async (z, sigma) => {
    const total = spread ** 2 + sigma ** 2;
    const variance = (spread * sigma) ** 2 / total;
    return {
      mean: z.map((value) => (spread ** 2 * value + sigma ** 2 * mean) / total),
      variance: new Float32Array(z.length).fill(variance),
    };
  };
}

/** 10 000 numbers at sigma MOST, as the truth has them. */
function begin(count = COUNT, temperature = 1): Float32Array {
  const z = new Float32Array(count);
  const amount = temperature * Math.sqrt(SPREAD ** 2 + MOST ** 2);
  for (let i = 0; i < count; i++) z[i] = MEAN + amount * normalAt(77, i);
  return z;
}

async function last(states: AsyncIterable<SamplerState>): Promise<SamplerState> {
  let state: SamplerState | undefined;
  for await (const each of states) state = each;
  return state!;
}

function moments(values: Float32Array): { mean: number; spread: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, spread: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) };
}

const sigmas = [...karrasSigmas(40, MOST, 0.02), 0];
type Sampling = (z: Float32Array, temperature: number) => AsyncIterable<SamplerState>;
const SAMPLERS: Record<string, Sampling> = {
  ancestral: (z, temperature) => ancestral(gaussian(), z, [...karrasSigmas(6, MOST, 1), 0], { key: 3, temperature }),
  euler: (z) => ode(gaussian(), z, [...karrasSigmas(400, MOST, 0.02), 0], { method: 'euler' }),
  heun: (z) => ode(gaussian(), z, sigmas),
  sde: (z, temperature) => sde(gaussian(), z, sigmas, { key: 3, temperature, churn: 20 }),
  langevin: (z, temperature) =>
    langevin(gaussian(), z, geometricSigmas(30, MOST, 0.5), { key: 3, temperature, repeats: 60 }),
};

describe('samplers of a Gaussian', () => {
  // Of 10 000 numbers the mean is known to 0.05 and the spread to 0.035 (one standard deviation).
  for (const [name, sampling] of Object.entries(SAMPLERS)) {
    it(`${name}: mean and spread of 10 000 samples are those of the truth`, { timeout: 300_000 }, async () => {
      const { mean, sigma, step, steps } = await last(sampling(begin(), 1));
      const found = moments(mean);
      assert.ok(Math.abs(found.mean - MEAN) < 0.2, `mean ${found.mean}`);
      assert.ok(Math.abs(found.spread / SPREAD - 1) < 0.03, `spread ${found.spread}`);
      assert.equal(step, steps);
      assert.ok(sigma < 1);
    });

    it(`${name}: temperature 0 gives the mode, ½ half the spread`, { timeout: 300_000 }, async () => {
      const { mean: mode } = await last(sampling(begin(50, 0), 0));
      assert.ok(mode.every((value) => Math.abs(value - MEAN) < 1e-3));
      const half = moments((await last(sampling(begin(COUNT, 0.5), 0.5))).mean);
      assert.ok(Math.abs(half.spread / (SPREAD / 2) - 1) < 0.03, `spread ${half.spread}`);
    });
  }

  it('the same key draws the same, another something else', async () => {
    const draw = async (key: number): Promise<Float32Array> =>
      (await last(ancestral(gaussian(), begin(20), sigmas, { key }))).z;
    assert.deepEqual(await draw(1), await draw(1));
    assert.notDeepEqual(await draw(1), await draw(2));
  });

  it('ancestral sampling is exact with a single step, too', async () => {
    const { mean, spread } = moments((await last(ancestral(gaussian(), begin(), [MOST, 0], { key: 5 }))).z);
    assert.ok(Math.abs(mean - MEAN) < 0.2 && Math.abs(spread / SPREAD - 1) < 0.03);
  });

  it('the probability flow is followed to the first order by Euler, to the second by Heun', async () => {
    const z = Float32Array.of(100);
    const to = 1;
    const truth = MEAN + (100 - MEAN) * Math.sqrt((SPREAD ** 2 + to ** 2) / (SPREAD ** 2 + MOST ** 2));
    for (const [method, order] of [
      ['euler', 1],
      ['heun', 2],
    ] as const) {
      const error = async (steps: number): Promise<number> => {
        const { z: end } = await last(ode(gaussian(), z, geometricSigmas(steps, MOST, to), { method }));
        return Math.abs(end[0]! - truth);
      };
      const found = Math.log2((await error(20)) / (await error(40)));
      assert.ok(Math.abs(found - order) < 0.15, `${method}: order ${found}`);
    }
  });

  it('what is known is what every sampler ends on', async () => {
    const known = knowing(gaussian(), ({ mean, variance }) => {
      mean[0] = 33;
      variance[0] = 0;
    });
    const ends = [
      ancestral(known, begin(4), sigmas),
      ode(known, begin(4), sigmas),
      sde(known, begin(4), sigmas, { churn: 20 }),
      langevin(known, begin(4), sigmas),
    ];
    for (const states of ends) assert.ok(Math.abs((await last(states)).mean[0]! - 33) < 1e-3);
  });

  it('stops where the caller stops', async () => {
    const controller = new AbortController();
    const pause = withoutTurns(controller.signal);
    const states = ancestral(gaussian(), begin(4), sigmas, { pause });
    await states.next();
    controller.abort();
    await assert.rejects(states.next(), { code: 'E_ABORTED' });
  });

  it('sigmas that do not fall are refused', async () => {
    for (const wrong of [[], [1, 2], [1, 1], [1, 0, 0], [0], [NaN, 1], [Infinity, 1, 0]].slice(0, 6))
      await assert.rejects(last(ancestral(gaussian(), begin(1), wrong)), { code: 'E_USAGE' });
  });
});

describe('guidance', () => {
  const [a, b] = [gaussian(-10), gaussian(10)];
  const pause = withoutTurns();
  const z = Float32Array.of(-30, -3, 0, 4, 50);
  const sigma = 12;
  const variance = SPREAD ** 2 + sigma ** 2;
  /** How likely the first of two equally frequent classes is. */
  const chance = (value: number): number => 1 / (1 + Math.exp((20 * value) / variance));

  /** Of both classes together. */
  const either: Denoiser = async (values, level) => {
    const [first, second] = [await a(values, level, pause), await b(values, level, pause)];
    const mean = values.map((value, i) => {
      const p = chance(value);
      return p * first.mean[i]! + (1 - p) * second.mean[i]!;
    });
    return { mean, variance: first.variance };
  };

  it('scale 0 is without the class, 1 with it, and what is between lies between', async () => {
    const plain = await either(z, sigma, pause);
    const wanted = await a(z, sigma, pause);
    assert.deepEqual((await guided(a, either, 0)(z, sigma, pause)).mean, plain.mean);
    assert.deepEqual((await guided(a, either, 1)(z, sigma, pause)).mean, wanted.mean);
    const { mean } = await guided(a, either, 3)(z, sigma, pause);
    mean.forEach((value, i) =>
      assert.ok(Math.abs(value - (3 * wanted.mean[i]! - 2 * plain.mean[i]!)) < 1e-3, `${i}: ${value}`),
    );
  });

  it('an exact classifier at scale 1 makes of the model of all the model of its class', async () => {
    // The gradient of log chance(z).
    const gradient = (values: Float32Array): Float32Array =>
      values.map((value) => (-20 / variance) * (1 - chance(value)));
    const { mean } = await classified(either, gradient, 1)(z, sigma, pause);
    const wanted = await a(z, sigma, pause);
    mean.forEach((value, i) => assert.ok(Math.abs(value - wanted.mean[i]!) < 1e-3, `${value}, ${wanted.mean[i]}`));
    await assert.rejects(classified(either, () => new Float32Array(1), 1)(z, sigma, pause), { code: 'E_USAGE' });
  });

  it('the score is that of the Gaussian under noise', async () => {
    const { mean } = await a(z, sigma, pause);
    score(z, mean, sigma).forEach((value, i) => assert.ok(Math.abs(value - (-10 - z[i]!) / variance) < 1e-6));
  });
});

describe('noise schedules and normal numbers', () => {
  it('fall from the first to the last', () => {
    assertLimited(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.double({ min: 1, max: 100, noNaN: true }),
        fc.double({ min: 1e-3, max: 0.9, noNaN: true }),
        (steps, most, least) => {
          for (const schedule of [karrasSigmas(steps, most, least), geometricSigmas(steps, most, least)]) {
            assert.equal(schedule.length, steps + 1);
            assert.deepEqual([schedule[0], schedule[steps]], [most, least]);
            for (let i = 0; i < steps; i++) assert.ok(schedule[i]! > schedule[i + 1]!);
          }
        },
      ),
      { numRuns: 50, seed: 1 },
    );
    assert.throws(() => karrasSigmas(0, 2, 1), { code: 'E_USAGE' });
    assert.throws(() => geometricSigmas(3, 1, 2), { code: 'E_USAGE' });
    assert.throws(() => karrasSigmas(3, 2, 1, 0), { code: 'E_USAGE' });
    assert.throws(() => ddpmSigmas(10, 0.5, 0.1), { code: 'E_USAGE' });
  });

  it('the schedule of EDM and that of DDPM are those of the papers', () => {
    // sigma_i of equation 5 at i = 9 of 18, sigma_max 80, sigma_min 0.002, rho 7.
    const expected = (80 ** (1 / 7) + (9 / 17) * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7;
    assert.ok(Math.abs(karrasSigmas(17, 80, 0.002)[9]! - expected) < 1e-9);
    const ddpm = ddpmSigmas(1000);
    assert.ok(Math.abs(ddpm[0]! - 157.4) < 0.1 && Math.abs(ddpm[999]! - 0.01) < 1e-4);
  });

  it('quantiles of the normal distribution', () => {
    for (const [p, expected] of [
      [0.5, 0],
      [0.975, 1.959963984540054],
      [0.001, -3.090232306167813],
      [1e-9, -5.997807015007686],
    ] as const)
      assert.ok(Math.abs(normalQuantile(p) - expected) < 1e-12 * Math.max(1, Math.abs(expected)), `${p}`);
  });

  it('normal numbers are the same everywhere, and normal', () => {
    assert.deepEqual(
      [0, 1, 2, 3].map((i) => normalAt(1, i)),
      [-0.39209832696787594, -1.4899412932458265, -0.10751134733326431, 0.6921384785397083],
    );
    const values = new Float32Array(100_000);
    for (let i = 0; i < values.length; i++) values[i] = normalAt(9, i);
    const { mean, spread } = moments(values);
    assert.ok(Math.abs(mean) < 0.01 && Math.abs(spread - 1) < 0.01);
    const tails = values.filter((value) => Math.abs(value) > 1.959964).length / values.length;
    assert.ok(Math.abs(tails - 0.05) < 0.003, `${tails}`);
  });
});
