/** How many passes each coefficient takes, and what a pass does: by row, from how often each row occurs. */
import {
  LATE_SHARE,
  LEAST_INFORMATION,
  MAX_PASSES,
  PASS_INFORMATION,
  QUANTISED_INFORMATION,
  QUANTISED_RANKS,
  ROUND_BITS,
  RUN_BITS,
  VARIANCE_COUNT,
} from '../format.js';
import { passesOf, VARIANCE, type Measurement } from '../diffusion/variance-table.js';

/** Arrays by row = measurement class · VARIANCE_COUNT + variance index. */
export interface PassTable {
  /** 0 of what is left out: see LEAST_INFORMATION; 1 of what is quantised. */
  passes: Uint8Array;
  /** 1 of what is quantised. */
  quantised: Uint8Array;
  /** Information per pass, in bits. */
  information: Float64Array;
  /** See `Passes`. */
  gain: Float32Array;
  amplitude: Float32Array;
  shrink: Float32Array;
  rounds: number;
  /** Information of each round's run, in bits. */
  runBits: Float64Array;
  /**
   * What the coding order goes by, highest first: passes, 0 for what is last in the last round; above `rounds` what is
   * quantised; `last` + 1 for what is left out, which comes behind all.
   */
  rank: Uint8Array;
  /** The highest rank of what is told. */
  last: number;
}

/**
 * Decides how many passes each row takes; from the histogram alone, so that both sides decide alike.
 * @param leavesOut see `Step`
 */
export function passTable(all: Uint32Array, classes: readonly Measurement[], leavesOut: boolean): PassTable {
  const rows = all.length;
  const information = new Float64Array(rows);
  for (const [k, m] of classes.entries()) information.set(m.information, k * VARIANCE_COUNT);
  const isOut = (r: number): boolean =>
    leavesOut && isLeftOut(classes[Math.floor(r / VARIANCE_COUNT)]!, r % VARIANCE_COUNT);
  const counted = all.map((count, r) => (isOut(r) ? 0 : count));
  const isQuantised = (r: number): boolean => information[r]! >= QUANTISED_INFORMATION;
  const histogram = counted.map((count, r) => (isQuantised(r) ? 0 : count));
  let total = 0;
  for (let r = 0; r < rows; r++) total += histogram[r]! * information[r]!;
  let limit = PASS_INFORMATION[0]!;
  let cap = 1;
  for (limit of PASS_INFORMATION) {
    cap = roundCap(histogram, information, limit);
    if (total >= RUN_BITS * cap) break;
  }
  const table: PassTable = {
    passes: new Uint8Array(rows),
    quantised: new Uint8Array(rows),
    information: new Float64Array(rows),
    gain: new Float32Array(rows),
    amplitude: new Float32Array(rows),
    shrink: new Float32Array(rows),
    rounds: 0,
    runBits: new Float64Array(MAX_PASSES + 1),
    rank: new Uint8Array(rows),
    last: 0,
  };
  for (let r = 0; r < rows; r++) {
    if (histogram[r] === 0) continue;
    const bits = information[r]!;
    const { count: n, gain, amplitude, shrink } = passesOf(VARIANCE[r % VARIANCE_COUNT]!, bits, limit, cap);
    table.passes[r] = n;
    table.information[r] = bits / n;
    table.gain[r] = gain;
    table.amplitude[r] = amplitude;
    table.shrink[r] = shrink;
    table.rounds = Math.max(table.rounds, n);
    table.rank[r] = n === 1 && bits < LATE_SHARE * limit ? 0 : n;
    for (let round = 1; round <= n; round++) table.runBits[round]! += histogram[r]! * table.information[r]!;
  }
  table.last = table.rounds + QUANTISED_RANKS;
  for (let r = 0; r < rows; r++) {
    if (isOut(r)) table.rank[r] = table.last + 1;
    if (counted[r] === 0 || !isQuantised(r)) continue;
    table.passes[r] = 1;
    table.quantised[r] = 1;
    table.rank[r] = table.rounds + 1 + Math.min(QUANTISED_RANKS - 1, Math.floor(information[r]!));
  }
  return table;
}

/** Whether a coefficient is not worth measuring, where a step leaves such out. @param v variance index */
export function isLeftOut({ precision, information }: Measurement, v: number): boolean {
  return precision === 0 && information[v]! < LEAST_INFORMATION;
}

/** Largest number of rounds of which each holds ROUND_BITS bits, with passes of `limit` bits. */
function roundCap(histogram: Uint32Array, information: Float64Array, limit: number): number {
  const byPasses = new Float64Array(MAX_PASSES + 1);
  for (let r = 0; r < histogram.length; r++) {
    if (histogram[r] !== 0)
      byPasses[Math.min(MAX_PASSES, Math.max(1, Math.ceil(information[r]! / limit)))]! += histogram[r]!;
  }
  let count = 0;
  for (let n = MAX_PASSES; n > 1; n--) {
    count += byPasses[n]!;
    if (count * limit >= ROUND_BITS) return n;
  }
  return 1;
}
