/**
 * Viterbi's search through a feed-forward trellis in plain TypeScript, of which kernels/lib/paths.ts is the vector form. A
 * state is a register of nu bits, 0 to begin with; a step shifts in one bit, and what it brings depends on the state and
 * that bit.
 *
 * Path metrics, the more the better, are int16 with saturating additions: only hopeless paths saturate.
 */

/** Steps between two subtractions of the best metric: 8 · 4095 is below 2^15. What a step brings has at most that magnitude. */
const RENORMALISE = 8;
const HOPELESS = -32768;

export interface Trellis {
  /** log2 of the number of states. */
  nu: number;
  steps: number;
  /** Steps whose decisions are held at once; when so many are, all but the last `kept` are decided. */
  window: number;
  kept: number;
  /**
   * What step k brings: by state q below half of all and bit b, gains[2q + b]. The state that is half of all further on
   * gains with a bit what q does with the other one.
   */
  putGains(k: number, gains: Int16Array): void;
}

/** The bits of the path that gains most, one a byte. */
export function bestPath({ nu, steps, window, kept, putGains }: Trellis): Uint8Array {
  const states = 2 ** nu;
  const half = states / 2;
  const bits = new Uint8Array(steps);
  const gains = new Int16Array(states);
  let paths = new Int16Array(states).fill(HOPELESS);
  let next = new Int16Array(states);
  paths[0] = 0;
  /** Per held step and state: does the better path come from the upper predecessor? */
  let decisions: Uint8Array[] = [];
  let decided = 0;

  const decide = (count: number): void => {
    let s = paths.indexOf(mostOf(paths));
    for (let k = decisions.length - 1; k >= 0; k--) {
      if (k < count) bits[decided + k] = s & 1;
      s = (s >> 1) + (decisions[k]![s]! ? half : 0);
    }
    decided += count;
    decisions = decisions.slice(count);
  };

  for (let k = 0; k < steps; k++) {
    putGains(k, gains);
    const decision = new Uint8Array(states);
    for (let s = 0; s < states; s++) {
      const q = s >> 1;
      const lower = clamp16(paths[q]! + gains[s]!);
      const upper = clamp16(paths[q + half]! + gains[s ^ 1]!);
      next[s] = Math.max(lower, upper);
      decision[s] = upper > lower ? 1 : 0;
    }
    [paths, next] = [next, paths];
    decisions.push(decision);
    if ((k + 1) % RENORMALISE === 0) {
      const most = mostOf(paths);
      for (let s = 0; s < states; s++) paths[s] = clamp16(paths[s]! - most);
    }
    if (decisions.length === window) decide(window - kept);
  }
  decide(decisions.length);
  return bits;
}

function mostOf(paths: Int16Array): number {
  return paths.reduce((a, b) => Math.max(a, b));
}

function clamp16(x: number): number {
  return Math.max(HOPELESS, Math.min(32767, x));
}
