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
  const { inPasses, quantised, out } = sorted(all, classes, leavesOut);
  const { limit, cap } = passSize(inPasses);
  for (const { row, count, bits } of inPasses) {
    const { count: n, gain, amplitude, shrink } = passesOf(VARIANCE[row % VARIANCE_COUNT]!, bits, limit, cap);
    table.passes[row] = n;
    table.information[row] = bits / n;
    table.gain[row] = gain;
    table.amplitude[row] = amplitude;
    table.shrink[row] = shrink;
    table.rounds = Math.max(table.rounds, n);
    table.rank[row] = n === 1 && bits < LATE_SHARE * limit ? 0 : n;
    for (let round = 1; round <= n; round++) table.runBits[round]! += count * table.information[row]!;
  }
  table.last = table.rounds + QUANTISED_RANKS;
  for (const { row, bits } of quantised) {
    table.passes[row] = 1;
    table.quantised[row] = 1;
    table.rank[row] = table.rounds + 1 + Math.min(QUANTISED_RANKS - 1, Math.floor(bits));
  }
  for (const { row } of out) table.rank[row] = table.last + 1;
  return table;
}

/** A row that occurs: how often, and what each of its coefficients has to tell. */
interface Occurring {
  row: number;
  count: number;
  bits: number;
}

/** The rows that occur, ascending, by how they are told. */
function sorted(
  all: Uint32Array,
  classes: readonly Measurement[],
  leavesOut: boolean,
): Record<'inPasses' | 'quantised' | 'out', Occurring[]> {
  const inPasses: Occurring[] = [];
  const quantised: Occurring[] = [];
  const out: Occurring[] = [];
  for (const [k, m] of classes.entries()) {
    for (let v = 0, row = k * VARIANCE_COUNT; v < VARIANCE_COUNT; v++, row++) {
      const count = all[row]!;
      if (count === 0) continue;
      const bits = m.information[v]!;
      const kind = leavesOut && isLeftOut(m, v) ? out : bits >= QUANTISED_INFORMATION ? quantised : inPasses;
      kind.push({ row, count, bits });
    }
  }
  return { inPasses, quantised, out };
}

/** Information of a pass at most, and how many a coefficient may have. */
function passSize(inPasses: readonly Occurring[]): { limit: number; cap: number } {
  let total = 0;
  for (const { count, bits } of inPasses) total += count * bits;
  let limit = 0;
  let cap = 1;
  for (limit of PASS_INFORMATION) {
    cap = roundCap(inPasses, limit);
    if (total >= RUN_BITS * cap) break;
  }
  return { limit, cap };
}

/** Whether a coefficient is not worth measuring, where a step leaves such out. @param v variance index */
export function isLeftOut({ precision, information }: Measurement, v: number): boolean {
  return precision === 0 && information[v]! < LEAST_INFORMATION;
}

/** Largest number of rounds of which each holds ROUND_BITS bits, with passes of `limit` bits. */
function roundCap(inPasses: readonly Occurring[], limit: number): number {
  const byPasses = new Float64Array(MAX_PASSES + 1);
  for (const { count, bits } of inPasses)
    byPasses[Math.min(MAX_PASSES, Math.max(1, Math.ceil(bits / limit)))]! += count;
  let count = 0;
  for (let n = MAX_PASSES; n > 1; n--) {
    count += byPasses[n]!;
    if (count * limit >= ROUND_BITS) return n;
  }
  return 1;
}
