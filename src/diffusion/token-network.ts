/** The network of a discrete model as a denoiser of tokens: in integers and sums of a fixed order, so exact on every machine. */
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
import type { TokenTables } from '../model/discrete-file.js';
import type { Evaluator } from '../model/evaluator.js';
import type { Condition } from '../model/inputs.js';
import { UNKNOWN } from '../model/sigma.js';
import type { Size } from '../math/rectangle.js';
import type { Pause } from '../turns.js';
import { MASKED, type Logits, type TokenDenoiser } from './absorbing.js';
import { inParts } from './denoiser.js';
import { defined } from '../options.js';

/** Coefficients of tokens and what they are known with, as the network sees them; of those that are masked nothing is known. */
export async function observedTokens(
  { centres, codes }: TokenTables,
  tokens: Uint16Array,
  pause: Pause,
): Promise<{ z: Float32Array; codes: Uint8Array }> {
  const z = new Float32Array(tokens.length * COEFFICIENTS);
  const known = new Uint8Array(z.length).fill(UNKNOWN);
  await inParts(tokens.length, pause, (from, to) => {
    for (let place = from; place < to; place++) {
      const token = tokens[place]!;
      if (token === MASKED) continue;
      for (let c = 0; c < COEFFICIENTS; c++) {
        z[place * COEFFICIENTS + c] = centres[token * COEFFICIENTS + c]!;
        known[place * COEFFICIENTS + c] = codes[token * COEFFICIENTS + c]!;
      }
    }
  });
  return { z, codes: known };
}

/**
 * @param evaluator of the discrete model's network
 * @param grid its places, row by row
 * @param wanted class of pictures; default: none
 */
export function tokenDenoiser(
  evaluator: Pick<Evaluator, 'evaluate'>,
  tables: TokenTables,
  { width, height }: Size,
  wanted?: number,
): TokenDenoiser {
  const told = defined({ class: wanted });
  const condition: Condition = { level: 0, sigma: UNKNOWN, mode: 'enter', ...told };
  return async (tokens, pause) => {
    const { z, codes } = await observedTokens(tables, tokens, pause);
    const output = await evaluator.evaluate(z, codes, width, height, condition, pause);
    // A copy, as the view is the engine's.
    return logitsOf(tables, output.slice());
  };
}

function logitsOf({ tokens, layer: { weights, bias } }: TokenTables, output: Float32Array): Logits {
  const logits = new Float64Array(tokens);
  return (place) => {
    logits.set(bias);
    for (let c = 0; c < OUTPUT_CHANNELS; c++) {
      const value = output[place * OUTPUT_CHANNELS + c]!;
      const row = c * tokens;
      for (let k = 0; k < tokens; k++) logits[k] = logits[k]! + value * weights[row + k]!;
    }
    return logits;
  };
}

/** The token whose coefficients are nearest to those of a position, the first of several. @param at where it begins in z */
export function nearestToken({ tokens, centres }: TokenTables, z: Float32Array, at: number): number {
  let best = 0;
  let least = Infinity;
  for (let k = 0; k < tokens; k++) {
    let sum = 0;
    for (let c = 0; c < COEFFICIENTS; c++) {
      const off = z[at + c]! - centres[k * COEFFICIENTS + c]!;
      sum += off * off;
    }
    if (sum < least) [best, least] = [k, sum];
  }
  return best;
}
