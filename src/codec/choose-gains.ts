import { GAIN_CONTEXTS, MAX_GAIN, MIN_GAIN } from '../entropy/gains.js';
import { log2 } from '../math/exact.js';

const ITERATIONS = 4;

/** Least cost of a block plus the bits of its gain, under gain probabilities by context that are refined from the choice. */
export function chooseGains(costs: Float64Array, contexts: Uint8Array): Int8Array {
  const options = MAX_GAIN - MIN_GAIN + 1;
  const gains = new Int8Array(contexts.length);
  const price = new Float64Array(GAIN_CONTEXTS * options);
  for (let i = 0; i < price.length; i++) price[i] = i % options === -MIN_GAIN ? 0.5 : 4;
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const counts = new Float64Array(price.length).fill(0.3);
    for (let b = 0; b < gains.length; b++) {
      const context = contexts[b]! * options;
      let best = 0;
      for (let g = 1; g < options; g++) {
        if (costs[b * options + g]! + price[context + g]! < costs[b * options + best]! + price[context + best]!)
          best = g;
      }
      gains[b] = best + MIN_GAIN;
      counts[context + best]!++;
    }
    for (let context = 0; context < price.length; context += options) {
      let sum = 0;
      for (let g = 0; g < options; g++) sum += counts[context + g]!;
      for (let g = 0; g < options; g++) price[context + g] = log2(sum / counts[context + g]!);
    }
  }
  return gains;
}
