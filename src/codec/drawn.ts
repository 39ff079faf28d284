/**
 * What a file does not tell, drawn: after the last measurement that was sent, measurements go on that the decoder draws
 * from what the network expects, as in ancestral sampling (Ho et al., "Denoising diffusion probabilistic models", 2020,
 * algorithm 2; src/diffusion/samplers.ts), from the level that the file ends in down to the finest.
 */
import { finerObservationInPieces, halfOf, observationWithin, type Observation } from '../diffusion/observation.js';
import { hash32 } from '../math/hash.js';
import { normalAt } from '../math/normal.js';
import { gridOf, wholeOf, type Size } from '../math/rectangle.js';
import { COEFFICIENTS } from '../model/architecture.js';
import type { Condition } from '../model/inputs.js';
import { CODES_PER_OCTAVE, EXACT, sigmaOf, TOP_CODE, UNKNOWN } from '../model/sigma.js';
import { COLOURS } from '../pixels/colour.js';
import { inTurns, type Pause } from '../turns.js';
import type { Evaluations } from './evaluations.js';
import { posteriorRows } from './posterior-rows.js';

/** Sigma code at which drawing ends: at level 0 sigma 1, less than rounding to 8 bits leaves to be seen; else sigma_top of the next level. */
const LAST_DRAWN = 80;
const LAST_DRAWN_COARSE = TOP_CODE - CODES_PER_OCTAVE;
/** How much more precise each drawn measurement makes what is known. */
const STEP = CODES_PER_OCTAVE;

/** Evaluations that drawing takes at a level, at most. @param code of what is known @param entered whether details have been measured */
export function drawnEvaluations(level: number, code: number, entered: boolean): number {
  const last = level === 0 ? LAST_DRAWN : LAST_DRAWN_COARSE;
  return (entered ? 0 : 2) + Math.max(0, Math.ceil((code - last) / STEP));
}

/** What is known of a level, and the noise level and mode of it. */
export interface Drawn {
  observation: Observation;
  condition: Condition;
}

/**
 * Goes on with an observation by measurements that are drawn, down to level 0.
 * @param known of the whole grid of its level; it is not changed
 * @param sizes of u₀, u₁, … @param seed 32 bits
 */
export async function drawOn(
  known: Drawn,
  evaluations: Evaluations,
  { sizes, grey, pause }: { sizes: readonly Size[]; grey: boolean; pause: Pause },
  seed: number,
): Promise<Drawn> {
  let { observation, condition } = known;
  observation = observationWithin(observation, wholeOf(gridOf(sizes[condition.level]!)));
  for (;;) {
    ({ observation, condition } = await drawLevel({ observation, condition }, evaluations, seed, pause));
    if (condition.level === 0) return { observation, condition };
    const level = condition.level - 1;
    observation = await inTurns(finerObservationInPieces(observation, sizes[level]!, grey), pause);
    condition = { level, sigma: condition.sigma + CODES_PER_OCTAVE, mode: 'enter' };
  }
}

async function drawLevel(known: Drawn, evaluations: Evaluations, seed: number, pause: Pause): Promise<Drawn> {
  const { level, mode } = known.condition;
  const key = hash32(seed, level);
  let { observation, condition } = known;
  let draw = 0;
  const step = async (to: number, isDrawn: (i: number) => boolean): Promise<void> => {
    observation = await measure(observation, condition, evaluations, { key: hash32(key, draw++), to, isDrawn }, pause);
  };
  if (mode === 'enter') {
    const sigma = Math.min(TOP_CODE, condition.sigma);
    // As the codec enters a level: in two halves, the second of which knows the first.
    for (const half of [0, 1])
      await step(sigma, (i) => i % COEFFICIENTS >= COLOURS && halfOf(i, observation.width) === half);
    condition = { ...condition, sigma, mode: 'refine' };
  }
  const last = level === 0 ? LAST_DRAWN : LAST_DRAWN_COARSE;
  while (condition.sigma > last) {
    const to = Math.max(last, condition.sigma - STEP);
    await step(to, () => true);
    condition = { ...condition, sigma: to };
  }
  return { observation, condition };
}

interface Measurement {
  key: number;
  /** Sigma code that what is measured then has, at most. */
  to: number;
  /** By its place in the observation, whether a coefficient is measured. */
  isDrawn: (i: number) => boolean;
}

/** One measurement of a level: y is drawn from N(mean, variance + 1/precision) and joins z by weighted means. */
async function measure(
  observation: Observation,
  condition: Condition,
  evaluations: Evaluations,
  { key, to, isDrawn }: Measurement,
  pause: Pause,
): Promise<Observation> {
  const z = observation.z.slice();
  const codes = observation.codes.slice();
  const target = precisionOf(to);
  for await (const { first, mean, variances } of posteriorRows(
    evaluations,
    { observation, condition, views: 1 },
    pause,
  )) {
    const variance = variances();
    for (let j = 0, i = first; j < mean.length; j++, i++) {
      const code = codes[i]!;
      if (code === EXACT || (code !== UNKNOWN && code <= to) || !isDrawn(i)) continue;
      const before = code === UNKNOWN ? 0 : precisionOf(code);
      const added = target - before;
      const drawn = mean[j]! + Math.sqrt(variance[j]! + 1 / added) * normalAt(key, i);
      z[i] = before === 0 ? drawn : (before * z[i]! + added * drawn) / target;
      codes[i] = to;
    }
  }
  return { ...observation, z, codes };
}

function precisionOf(code: number): number {
  const sigma = sigmaOf(code);
  return 1 / (sigma * sigma);
}
