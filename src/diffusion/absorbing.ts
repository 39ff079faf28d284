/**
 * Absorbing-state diffusion over tokens (Austin et al., "Structured denoising diffusion models in discrete state-spaces",
 * 2021, section 3): at time t a token is masked with probability t, whatever the others are, and what is not masked is as it
 * was. In reverse, from t to s < t, each masked one is revealed with probability (t − s)/t, drawn from what a denoiser says
 * of it by those that can be seen. So each token has a time at which it is revealed, uniform and of its own, and all draws
 * are by counter from a key: a pure function of its arguments.
 */
import { exp2, log2 } from '../math/exact.js';
import { hash32 } from '../math/hash.js';
import { checkOptions, isFunction, isNumber, isWhole, mustBe, type Checks } from '../options.js';
import { withoutTurns, type Pause } from '../turns.js';

/** What stands for a masked token. */
export const MASKED = 0xffff;

/**
 * What a place may hold.
 * @returns a number by token, log2 of its probability but for one summand of all; valid until the next call
 */
export type Logits = (place: number) => Float64Array;

/**
 * Says what masked tokens may be, by those that can be seen.
 * @param tokens by place, MASKED for those that are; not changed
 * @param pause asked every few milliseconds
 */
export type TokenDenoiser = (tokens: Uint16Array, pause: Pause) => Promise<Logits>;

/** What the sampler has come to. */
export interface TokenState {
  /** Steps done, of `steps`. */
  step: number;
  steps: number;
  /** By place, MASKED for those that still are. Not changed afterwards. */
  tokens: Uint16Array;
}

/** What the sampler is told. */
export interface AbsorbingOptions {
  /** Steps, 1 to 2^20; those in which nothing is revealed cost nothing. Default: 12. */
  steps?: number;
  /** 32 bits that all is drawn from. Default: 0. */
  key?: number;
  /** Logits are divided by it: 0 takes the most probable tokens. Default: 1. */
  temperature?: number;
  pause?: Pause;
}

/** Most steps: as many as tokens and more, so that each may be revealed by itself. */
const MOST_STEPS = 2 ** 20;
/** Most places, which is what numbers of a step and a place together leave. */
const MOST_PLACES = 2 ** 32;
const CHECKS: Checks<AbsorbingOptions> = {
  steps: isWhole(1, MOST_STEPS),
  key: isWhole(-(2 ** 31), 2 ** 32 - 1),
  temperature: isNumber('a number, at least 0', (value) => value >= 0 && value < Infinity),
  pause: isFunction,
};

/** What is drawn: when a token is revealed, and which it is. */
const DRAWS = { time: 0, token: 1 };
const uniformAt = (key: number, index: number): number => (hash32(key, index) + 0.5) / 2 ** 32;

/**
 * The places that are revealed in each step, ascending; steps in which there are none are left out. After a share r of the
 * steps t is 1 − r² (the square schedule of Chang et al., "MaskGIT", 2022, section 3.2): few at first, when they know little
 * of one another, as all of one step are drawn apart.
 */
export function revealedInSteps(length: number, steps: number, key: number): { step: number; places: Uint32Array }[] {
  const own = hash32(key, DRAWS.time);
  // One number of both, so that sorting needs no function.
  const order = new Float64Array(length);
  for (let i = 0; i < length; i++) order[i] = Math.floor(steps * Math.sqrt(uniformAt(own, i))) * MOST_PLACES + i;
  order.sort();
  const rounds: { step: number; places: Uint32Array }[] = [];
  for (let from = 0, to = 0; from < length; from = to) {
    const step = Math.floor(order[from]! / MOST_PLACES);
    while (to < length && order[to]! < (step + 1) * MOST_PLACES) to++;
    const places = new Uint32Array(to - from);
    for (let i = 0; i < places.length; i++) places[i] = order[from + i]! % MOST_PLACES;
    rounds.push({ step, places });
  }
  return rounds;
}

/**
 * Draws tokens, from all masked to none.
 * @param length how many
 * @throws DcompError E_USAGE, E_ABORTED
 */
export async function* absorbing(
  denoiser: TokenDenoiser,
  length: number,
  options: AbsorbingOptions = {},
): AsyncGenerator<TokenState, void, void> {
  isFunction(denoiser, 'the denoiser');
  isWhole(1, MOST_PLACES - 1)(length, 'the number of tokens');
  const { steps = 12, key = 0, temperature = 1, pause = withoutTurns() } = checkOptions(options, CHECKS, 'absorbing');
  const own = hash32(key, DRAWS.token);
  let tokens = new Uint16Array(length).fill(MASKED);
  for (const { step, places } of revealedInSteps(length, steps, key)) {
    const logits = isFunction<Logits>(await denoiser(tokens, pause), 'what the denoiser gives');
    yield { step, steps, tokens };
    tokens = tokens.slice();
    for (const place of places) {
      tokens[place] = drawn(logits(place), temperature, uniformAt(own, place));
      const turn = pause();
      if (turn !== undefined) await turn;
    }
  }
  yield { step: steps, steps, tokens };
}

/** The largest, and the sum of 2^((x − it) · scale). @throws DcompError E_USAGE where there is no largest number */
function total(logits: Float64Array, scale: number): { most: number; sum: number } {
  if (!(logits instanceof Float64Array)) throw mustBe('what logits are', logits, 'a Float64Array');
  let most = -Infinity;
  for (let k = 0; k < logits.length; k++) if (logits[k]! > most) most = logits[k]!;
  if (!(most > -Infinity && most < Infinity)) throw mustBe('the largest logit', most, 'a finite number');
  let sum = 0;
  for (let k = 0; k < logits.length; k++) sum += exp2((logits[k]! - most) * scale);
  return { most, sum };
}

/** Token of p ∝ 2^(logit / temperature) that a uniform number falls to; at 0 the first of the largest. */
function drawn(logits: Float64Array, temperature: number, uniform: number): number {
  const scale = 1 / temperature;
  if (scale === Infinity) return logits.indexOf(total(logits, 0).most);
  const { most, sum } = total(logits, scale);
  let left = uniform * sum;
  let last = 0;
  for (let k = 0; k < logits.length; k++) {
    const weight = exp2((logits[k]! - most) * scale);
    if (weight > 0) last = k;
    if ((left -= weight) < 0) return k;
  }
  return last; // by rounding
}

/** −log2 p of a token. */
export function bitsOfToken(logits: Float64Array, token: number): number {
  const { most, sum } = total(logits, 1);
  return log2(sum) + most - logits[token]!;
}

/**
 * Classifier-free guidance (Ho and Salimans, 2022; of tokens: Tang et al., "Improved vector quantized diffusion models",
 * 2022): logits_u + scale · (logits_c − logits_u).
 * @param scale at least 0; 0 is without the condition, 1 with it
 */
export function guidedTokens(conditional: TokenDenoiser, unconditional: TokenDenoiser, scale: number): TokenDenoiser {
  isNumber('a number, at least 0', (value) => value >= 0 && value < Infinity)(scale, 'the scale');
  if (scale === 0) return unconditional;
  if (scale === 1) return conditional;
  return async (tokens, pause) => {
    const [wanted, plain] = [await conditional(tokens, pause), await unconditional(tokens, pause)];
    return (place) => {
      const [towards, from] = [wanted(place), plain(place)];
      const sum = new Float64Array(from.length);
      for (let k = 0; k < sum.length; k++) sum[k] = from[k]! + scale * (towards[k]! - from[k]!);
      return sum;
    };
  };
}
