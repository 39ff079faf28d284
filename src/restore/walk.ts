/**
 * The pyramid from coarse to fine: the chain of the codec with drawn measurements in place of sent ones. A level begins with
 * LL from the coarser one under noise of sigma 45 and details drawn to the same; a sampler takes all of it to a lower sigma,
 * and what it has come to is LL of the next.
 */
import { inParts, knowing, type Imposing } from '../diffusion/denoiser.js';
import { finerObservationInPieces, halfOf } from '../diffusion/observation.js';
import { ancestral, langevin, ode, sde, type SamplerState } from '../diffusion/samplers.js';
import type { Denoiser } from '../diffusion/denoiser.js';
import { COEFFICIENTS } from '../model/architecture.js';
import type { Evaluator } from '../model/evaluator.js';
import { CODES_PER_OCTAVE, codeOf, EXACT, sigmaOf, TOP_CODE } from '../model/sigma.js';
import { hash32 } from '../math/hash.js';
import { normalAt } from '../math/normal.js';
import { gridOf, type Size } from '../math/rectangle.js';
import { COLOURS } from '../pixels/colour.js';
import { haar, type Plane } from '../pixels/pyramid.js';
import { inTurns, type Pause } from '../turns.js';
import { isLowest, Level, type LevelOptions } from './level.js';
import type { SamplerName } from './restore-options.js';

/**
 * Sigma at which a level is entered: half an octave above where the codec does, the largest that the network was trained for.
 * Details are drawn apart from one another then, and the more noise there is, the less that matters.
 */
const ENTRY_CODE = TOP_CODE + CODES_PER_OCTAVE / 2;
export const TOP = sigmaOf(ENTRY_CODE);
/** Sigma at which a picture is drawn to its end: what noise is left then is taken out. */
export const LEAST = sigmaOf(TOP_CODE - 6 * CODES_PER_OCTAVE);

/** How a sampler is run. */
export interface Sampling {
  sampler: SamplerName;
  /** Steps from TOP to LEAST; over a shorter way fewer, at least 2. */
  steps: number;
  /** 32 bits that noise is drawn from. */
  key: number;
  temperature: number;
  pause: Pause;
}

/** Sigmas that the model has codes for, in equal ratios. */
export function codedSigmas(steps: number, from: number, to: number): number[] {
  const [most, least] = [codeOf(from), codeOf(to)];
  const count = Math.max(1, Math.min(steps, most - least));
  return Array.from({ length: count + 1 }, (_, i) => sigmaOf(Math.round(most + (i / count) * (least - most))));
}

/** Steps of the whole way, as many as fall to a part of it. */
export function stepsOfWay(steps: number, from: number, to: number): number {
  const share = (codeOf(from) - codeOf(to)) / (ENTRY_CODE - codeOf(LEAST));
  return Math.max(2, Math.ceil(steps * share));
}

/**
 * NCSN has 100 steps of 0.2 at each of ten sigmas. At the beginning of each z then has more noise than the network is told,
 * which it takes for texture; so sigma falls by little here, four times as often, and one large step does.
 */
const LANGEVIN = { repeats: 1, stepSize: 1 };
const LANGEVIN_SIGMAS = 4;

/** Evaluations that a sampler takes for a step. */
function evaluationsOfStep(sampler: SamplerName): number {
  return sampler === 'langevin' ? LANGEVIN_SIGMAS : sampler === 'heun' || sampler === 'sde' ? 2 : 1;
}

/** Runs the sampler of that name. @param z at the first of the sigmas */
export function sample(
  denoiser: Denoiser,
  z: Float32Array,
  sigmas: readonly number[],
  { sampler, key, temperature, pause }: Sampling,
): AsyncGenerator<SamplerState, void, void> {
  const options = { key, temperature, pause };
  switch (sampler) {
    case 'ancestral':
      return ancestral(denoiser, z, sigmas, options);
    case 'langevin': {
      const more = codedSigmas(LANGEVIN_SIGMAS * (sigmas.length - 1), sigmas[0]!, sigmas[sigmas.length - 1]!);
      return langevin(denoiser, z, more, { ...options, ...LANGEVIN });
    }
    case 'sde': {
      // A quarter of an octave at each step.
      const churn = (sigmas.length - 1) * 0.19;
      return sde(denoiser, z, sigmas, { ...options, churn, nearest: (sigma) => sigmaOf(codeOf(sigma)) });
    }
    default:
      return ode(denoiser, z, sigmas, { method: sampler, pause });
  }
}

/** Levels of a picture that is drawn, down to one of at most so many pixels a side: what is coarser has hardly a structure. */
const LEAST_ROOT = 2;

/** Sizes of u₀ … of a picture that is drawn: more than the codec has, whose coarsest level costs it next to nothing. */
export function drawnSizes(size: Size): Size[] {
  const sizes = [size];
  for (let { width, height } = size; Math.max(width, height) > 2 * LEAST_ROOT;)
    sizes.push({ width: (width = (width + 1) >> 1), height: (height = (height + 1) >> 1) });
  return sizes;
}

/** A walk through the levels. */
export interface Walk extends Sampling, LevelOptions {
  evaluator: Evaluator;
  /** u₀ .. of the levels to be gone through, full size first. */
  sizes: readonly Size[];
  /** What is known at a level. */
  impose?: (level: number) => Imposing;
  /** The coarsest level's picture, known with an error of TOP at most. Default: nothing is known of it but the prior. */
  root?: Plane;
  /** The coarsest level's coefficients, all of them, under noise of a sigma above TOP / 2: then nothing of it is drawn but noise. */
  begin?: { z: Float32Array; sigma: number };
}

/** What a walk has come to. */
export interface WalkState {
  fraction: number;
  level: number;
  size: Size;
  sigma: number;
  /** What is expected of the level's coefficients. */
  mean: Float32Array;
}

/** What is drawn at a level besides its sampler's noise. */
const DRAWS = { root: 0, first: 1, rest: 2, edge: 3, sampler: 4 };

/** Goes from the coarsest level to the finest. @throws DcompError E_ABORTED */
export async function* walk(options: Walk): AsyncGenerator<WalkState, void, void> {
  const { evaluator, sizes, impose, pause, steps, sampler, begin } = options;
  const coarsest = sizes.length - 1;
  const first = (level: number): number => (level === coarsest && begin !== undefined ? begin.sigma : TOP);
  const ways = sizes.map((_, level) => codedSigmas(...wayOf(level, steps, first(level))));
  const costs = ways.map(({ length }, level) => (length * evaluationsOfStep(sampler) + 2) * 0.25 ** level);
  const total = costs.reduce((sum, cost) => sum + cost, 0);
  const clear = (level: Level, mean: Float32Array): Promise<Float32Array> => level.clear(mean.slice(), pause);
  let done = 0;
  let coarser: Coarser | undefined;
  for (let k = coarsest; k >= 0; k--) {
    const level = await Level.of(evaluator, sizes[k]!, k, options, pause);
    const own = { ...options, key: hash32(options.key, k) };
    const known = impose?.(k);
    const z = await entered(level, coarser, known, own);
    const denoiser = known === undefined ? level.refine : knowing(level.refine, known);
    const sigmas = ways[k]!;
    let last: SamplerState | undefined;
    for await (const state of sample(denoiser, z, sigmas, { ...own, key: hash32(own.key, DRAWS.sampler) })) {
      last = state;
      const fraction = Math.min(1, (done + (costs[k]! * state.step) / state.steps) / total);
      if (k > 0 || state.step < state.steps)
        yield { fraction, level: k, size: level.size, sigma: state.sigma, mean: await clear(level, state.mean) };
    }
    done += costs[k]!;
    coarser = { level, z: last!.z, sigma: last!.sigma };
    if (k === 0) yield { fraction: 1, level: 0, size: level.size, sigma: 0, mean: await clear(level, last!.mean) };
    await pause();
  }
}

/** What the coarser level has come to. */
interface Coarser {
  level: Level;
  z: Float32Array;
  sigma: number;
}

/** All coefficients of a level as its sampler begins with them. */
async function entered(
  level: Level,
  coarser: Coarser | undefined,
  known: Imposing | undefined,
  walk: Walk,
): Promise<Float32Array> {
  if (coarser === undefined && walk.begin !== undefined) return level.clear(walk.begin.z.slice(), walk.pause);
  const z = coarser === undefined ? drawRoot(level, walk) : await drawFromCoarser(level, coarser, walk);
  await enterDetails(level, z, known, walk);
  return z;
}

/** The sigmas of a level: down to half of TOP, which is TOP for the next finer one; at level 0 to the end. */
function wayOf(level: number, steps: number, from: number): [steps: number, from: number, to: number] {
  const to = level === 0 ? LEAST : TOP / 2;
  // Coarser levels cost little: they get twice their share.
  return [stepsOfWay(level === 0 ? steps : 2 * steps, from, to), from, to];
}

/** LL of the coarsest level, under noise: as it is known, or by its prior, which is that of its class where one is told. */
function drawRoot(level: Level, walk: Walk): Float32Array {
  const { root, key, temperature } = walk;
  const z = root === undefined ? new Float32Array(level.blank.length) : haar(root).data;
  const own = hash32(key, DRAWS.root);
  const { mean, deviation } = root === undefined ? rootPrior(level, walk) : { mean: NOTHING, deviation: NOTHING };
  for (let i = 0; i < z.length; i++) {
    if (!isLowest(i) || level.blank[i] === EXACT) continue;
    const [expected, prior] = [mean[i % COEFFICIENTS]!, deviation[i % COEFFICIENTS]!];
    z[i] = z[i]! + expected + temperature * Math.sqrt(prior * prior + TOP * TOP) * normalAt(own, i);
  }
  return z;
}

const NOTHING = new Float64Array(COLOURS);

/** By colour; as `guided` has it: the mean goes from that of all, which is 0, towards that of the class, and beyond. */
function rootPrior(
  level: Level,
  { class: wanted, guidanceScale = 1, classifier = false, told }: Walk,
): { mean: ArrayLike<number>; deviation: ArrayLike<number> } {
  if (wanted === undefined || told === undefined || guidanceScale === 0 || classifier === true)
    return { mean: NOTHING, deviation: level.prior };
  const { mean, deviation } = told.root(wanted);
  return { mean: mean.map((value) => guidanceScale * value), deviation };
}

/** LL of a level from what the coarser one has come to, all of it at TOP. */
async function drawFromCoarser(
  level: Level,
  coarser: Coarser,
  { key, temperature, grey, pause }: Walk,
): Promise<Float32Array> {
  const { size, width, height } = coarser.level;
  const z = await coarser.level.clear(coarser.z.slice(), pause);
  const codes = await coarser.level.codes(codeOf(coarser.sigma), pause);
  const known = { x: 0, y: 0, width, height, size, z, codes };
  const fine = await inTurns(finerObservationInPieces(known, level.size, grey), pause);
  const own = hash32(key, DRAWS.edge);
  await inParts(fine.z.length, pause, (from, to) => {
    for (let i = from; i < to; i++) {
      if (!isLowest(i) || fine.codes[i] === EXACT) continue;
      // At an odd edge less is unknown, so there is less noise.
      const sigma = sigmaOf(fine.codes[i]!);
      const lacking = TOP * TOP - sigma * sigma;
      if (lacking > 0) fine.z[i] = fine.z[i]! + temperature * Math.sqrt(lacking) * normalAt(own, i);
    }
  });
  return fine.z;
}

/** Draws the details of a level at TOP, in two halves as the codec enters a level: the second knows the first. In place. */
export async function enterDetails(
  level: Level,
  z: Float32Array,
  known: Imposing | undefined,
  { key, temperature, pause }: Sampling,
): Promise<void> {
  const { width } = gridOf(level.size);
  const half = (i: number): number => halfOf(i, width);
  for (const part of [0, 1]) {
    const denoised = await level.enter(z, TOP, (i) => isLowest(i) || (part === 1 && half(i) === 0), pause);
    await known?.(denoised);
    const { mean, variance } = denoised;
    const own = hash32(key, part === 0 ? DRAWS.first : DRAWS.rest);
    await inParts(z.length, pause, (from, to) => {
      for (let i = from; i < to; i++) {
        if (isLowest(i) || half(i) !== part || level.blank[i] === EXACT) continue;
        const noise = temperature === 0 ? 0 : temperature * normalAt(own, i);
        z[i] = mean[i]! + Math.sqrt(variance[i]! + TOP * TOP) * noise;
      }
    });
  }
}
