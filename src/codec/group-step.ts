/**
 * One step of the schedule for one group of coefficients: measures every coefficient of the group whose sigma code is
 * above the step's, by runs of trellis-coded signs (src/entropy/trellis.ts), and joins the measurements to the
 * observation by the Kalman rule. Encoder and decoder run the same code; they differ in the `Channel`.
 *
 * A coefficient with more information than one pass may carry is sent in several, with the Kalman update of mean and
 * variance between them. Rounds are sent from the highest: round r carries one pass of every coefficient that has at
 * least r. So what has most to tell comes first, and a step cut anywhere has refined the largest variances, which is
 * reverse water-filling.
 */
import { MAX_SIZE_DIGITS, type Corrections } from '../entropy/corrections.js';
import { GAIN_CONTEXTS, MAX_GAIN, MAX_SCALE, MIN_GAIN, scaleBits } from '../entropy/gains.js';
import { INFORMATION_UNIT, runCost, type Run } from '../entropy/trellis.js';
import { log2 } from '../math/exact.js';
import { hash32 } from '../math/hash.js';
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
import { wienerGains } from '../model/inputs.js';
import { codeOf, sigmaOf, UNKNOWN } from '../model/sigma.js';
import {
  coarseNu,
  CORRECTION_STEP,
  FIRST_INFORMATION,
  GAIN_BLOCK,
  GAIN_LEVELS,
  GAIN_MIN_BLOCKS,
  groupCoefficients,
  LATE_SHARE,
  MAX_PASSES,
  PASS_INFORMATION,
  ROUND_BITS,
  RUN_BITS,
  SCALE_STEPS,
  shuffledOrder,
  VARIANCE_COUNT,
  VARIANCE_STEPS,
  type Group,
} from '../format.js';
import { COLOURS } from '../pixels/colour.js';
import type { Observation } from '../diffusion/observation.js';
import { lagAt, laggingCode, MAX_LAG, type Lags } from './region.js';
import { hasCorrections, type Step } from '../diffusion/schedule.js';
import { measurement, passesOf, VARIANCE, varianceIndex, type Measurement } from '../diffusion/variance-table.js';

/** How signs and gains get from encoder to decoder. */
export interface Channel {
  /**
   * Sends or receives a run.
   * @param metric filled by the encoder's side only
   * @param nu log2 of the trellis states
   * @returns ±1 for each coefficient covered; fewer are covered where a file was cut.
   */
  run(run: Run, metric: Float32Array, nu: number): { signs: Int8Array; covered: number };
  /**
   * Sends the scale chosen by `choose`, or receives it, as a difference from the one before. undefined where a file was cut.
   */
  scale(before: number, choose: () => number): number | undefined;
  /** Sends the gains chosen by `choose`, or receives them. undefined where a file was cut. */
  gains(contexts: Uint8Array, choose: () => Int8Array): Int8Array | undefined;
  /** Sends the corrections chosen by `choose`, or receives them; indices are below n. */
  corrections(n: number, choose: () => Corrections): Corrections | undefined;
  /** log2 of the trellis states at level 0. */
  readonly nu: number;
  /** True when nothing more can be received. */
  readonly ended: boolean;
  /**
   * Present in the ideal Gaussian channel that rates are compared with: standard normal numbers, of which it makes
   * y = x + N(0, 1/delta) instead of sending runs.
   */
  readonly normal?: () => number;
}

/** What the encoder knows besides: the coefficients themselves. */
export interface Truth {
  /** Coefficients of the whole grid, layout of `Observation.z`. */
  x: Float32Array;
}

/** Errors of so many sigma and more are corrected: about where the bits of a correction are worth it. The decoder does not care. */
const CORRECTION_THRESHOLD = 5;

/** In `Workspace.compactRow`: no row. */
const NOT_CONCERNED = 65535;

const HALF_INV_LN2 = 0.7213475204444817; // 1 / (2 ln 2)

/** Arrays reused from step to step. */
export class Workspace {
  private size = 0;
  /** Coefficients in coding order in the arrays below; 0 where the step did not get as far. */
  total = 0;
  /** By position: posterior mean, row (−1 where the step does not concern the coefficient), and what the signs moved it by. */
  mean = new Float32Array(0);
  row = new Int32Array(0);
  moved = new Float32Array(0);
  /** The row again in 16 bits, for the steps whose rows fit. */
  compactRow = new Uint16Array(0);
  /** By position, encoder only: x − mean. */
  residual = new Float32Array(0);
  /** In coding order from here on: position, row, what the signs moved it by so far, step of the next pass. */
  order = new Uint32Array(0);
  sortedRow = new Int32Array(0);
  offset = new Float32Array(0);
  amplitude = new Float32Array(0);
  information = new Uint32Array(0);
  /** Encoder only. */
  sortedResidual = new Float32Array(0);
  metric = new Float32Array(0);
  private readonly permutations = new Map<number, Uint32Array>();

  reserve(n: number, encoding: boolean): void {
    if (n > this.size) {
      this.size = n;
      this.mean = new Float32Array(n);
      this.row = new Int32Array(n);
      this.compactRow = new Uint16Array(n);
      this.moved = new Float32Array(n);
      this.order = new Uint32Array(n);
      this.sortedRow = new Int32Array(n);
      this.offset = new Float32Array(n);
      this.amplitude = new Float32Array(n);
      this.information = new Uint32Array(n);
    }
    if (encoding && this.residual.length < n) {
      this.residual = new Float32Array(n);
      this.sortedResidual = new Float32Array(n);
      this.metric = new Float32Array(n);
    }
  }

  /** The shuffled order of n coefficients. The groups of a grid have at most four sizes. */
  permutation(n: number): Uint32Array {
    let order = this.permutations.get(n);
    if (order === undefined) {
      if (this.permutations.size === 4) this.permutations.clear();
      this.permutations.set(n, (order = shuffledOrder(n)));
    }
    return order;
  }
}

/** Arrays by row = measurement class · VARIANCE_COUNT + variance index. */
interface PassTable {
  passes: Uint8Array;
  /** Information per pass, in bits. */
  information: Float64Array;
  /** See `Passes`. */
  gain: Float32Array;
  amplitude: Float32Array;
  shrink: Float32Array;
  rounds: number;
  /** Information of each round's run, in bits. */
  runBits: Float64Array;
  /** What the coding order goes by, highest first: passes, or 0 for what is last in the last round. */
  rank: Uint8Array;
}

export interface GroupStepOptions {
  step: Step;
  observation: Observation;
  /** Within the observation. */
  group: Group;
  groupIndex: number;
  /** The network's output for the observation, 24 a position; absent for the root step, whose prior is the model's. */
  output: Float32Array | undefined;
  /** Standard deviation by channel of an unknown coefficient of this level. */
  prior: Float32Array;
  channel: Channel;
  /** By group, of the level's step before; this step's afterwards. */
  scales: Int8Array;
  truth?: Truth;
  /** Blocks that lag behind the step. */
  lags?: Lags;
}

/**
 * Runs the step and updates the observation.
 * @returns the ideal cost in bits: KL of an ideal Gaussian channel under the network's variances (0 without truth).
 */
export function codeGroupStep(options: GroupStepOptions, workspace: Workspace): number {
  return new GroupStep(options, workspace).code();
}

/**
 * Writes the means that the last step of a group left its coefficients with, sent or not, into an array laid out as the
 * observation: the posterior mean after an unfinished step, without an evaluation of the network.
 */
export function putCurrentMeans(
  workspace: Workspace,
  observation: Observation,
  group: Group,
  mean: Float32Array,
): void {
  if (workspace.total === 0) return;
  const { row, moved } = workspace;
  forEachRow(observation, group, (p, i, length) => {
    for (const end = p + length; p < end; p++, i++) if (row[p]! >= 0) mean[i] = workspace.mean[p]! + moved[p]!;
  });
}

/** The rows of a group: index in the group, index in the grid, coefficients. */
function forEachRow(observation: Observation, group: Group, f: (p: number, i: number, length: number) => void): void {
  const length = group.width * COEFFICIENTS;
  for (let y = 0; y < group.height; y++)
    f(y * length, ((group.y + y) * observation.width + group.x) * COEFFICIENTS, length);
}

/** Index in the whole grid of a coefficient of a group. */
function gridIndex(observation: Observation, group: Group, p: number): number {
  const rowLength = group.width * COEFFICIENTS;
  const y = Math.floor(p / rowLength);
  return ((group.y + y) * observation.width + group.x) * COEFFICIENTS + (p - y * rowLength);
}

class GroupStep {
  private readonly n: number;
  private readonly classes: (Measurement & { to: number })[] = [];
  /** By code and lag. */
  private readonly classOf: Int16Array;
  private histogram = new Uint32Array(0);
  /** Of each run so far, how many coefficients it covered: the first in coding order. */
  private readonly covered: number[] = [];
  /** False once a run did not cover all its coefficients: the file was cut, or it held less than half a bit. */
  private whole = true;

  constructor(
    private readonly o: GroupStepOptions,
    private readonly w: Workspace,
  ) {
    this.n = groupCoefficients(o.group);
    this.classOf = new Int16Array(o.lags === undefined ? 256 : 256 * (MAX_LAG + 1)).fill(-1);
    w.reserve(this.n, o.truth !== undefined);
  }

  code(): number {
    this.w.total = 0;
    const active = this.predict();
    if (active === 0) return 0;
    if (this.o.truth !== undefined) this.computeResidual(this.o.truth.x);
    if (!this.applyScale()) return 0;
    if (this.o.step.part === 'first') this.leaveTheRest();
    const ideal = this.o.truth === undefined ? 0 : this.idealBits();
    if (!this.applyGains()) return 0;
    this.countRows();
    const table = this.passTable();
    const counts = this.sort(table);
    if (this.o.channel.normal === undefined) this.sendRounds(table, counts);
    else this.sampleIdeal(this.o.channel.normal);
    this.update(table);
    if (hasCorrections(this.o.step) && !this.o.channel.ended && this.o.channel.normal === undefined) this.correct();
    return ideal;
  }

  /** Posterior mean and row of every coefficient that the step concerns; row −1 for the others. Returns how many. */
  private predict(): number {
    const { step, observation, group, output, prior, lags } = this.o;
    const { mean, row } = this.w;
    const { codes, z } = observation;
    const { mean: meanGain, correction, logVariance } = predictionGains(codes, prior, group, observation.width);
    const { classOf } = this;
    const told = step.kind === 'root' ? COLOURS : COEFFICIENTS;
    let active = 0;
    let p = 0;
    for (let y = 0; y < group.height; y++) {
      let i = ((group.y + y) * observation.width + group.x) * COEFFICIENTS;
      let q = i * 2;
      for (let x = 0; x < group.width; x++, q += OUTPUT_CHANNELS - COEFFICIENTS) {
        const lag = lags === undefined ? 0 : lagAt(lags, observation.x + group.x + x, observation.y + group.y + y);
        const to = lag === 0 ? step.to : laggingCode(step.to, lag);
        // Parity of the channels that are not among the first; none where the step is not about those alone.
        const later = step.part === 'first' ? (observation.x + group.x + x + observation.y + group.y + y + 1) & 1 : -1;
        for (let c = 0; c < COEFFICIENTS; c++, i++, p++, q++) {
          const code = codes[i]!;
          if (code <= to || c >= told || (c & 1) === later) {
            row[p] = -1;
            continue;
          }
          const g = code * COEFFICIENTS + c;
          let k = classOf[256 * lag + code]!;
          if (k < 0) {
            k = classOf[256 * lag + code] = this.classes.length;
            this.classes.push({ ...measurement(code, to), to });
          }
          if (output === undefined) {
            mean[p] = meanGain[g]! * z[i]!;
            row[p] = k * VARIANCE_COUNT + varianceIndex(logVariance[g]!);
          } else {
            mean[p] = meanGain[g]! * z[i]! + correction[g]! * output[q]!;
            row[p] = k * VARIANCE_COUNT + varianceIndex(logVariance[g]! + VARIANCE_STEPS * output[q + COEFFICIENTS]!);
          }
          active++;
        }
      }
    }
    return active;
  }

  private computeResidual(x: Float32Array): void {
    const { mean, residual } = this.w;
    forEachRow(this.o.observation, this.o.group, (p, i, length) => {
      for (const end = p + length; p < end; p++, i++) residual[p] = x[i]! - mean[p]!;
    });
  }

  private idealBits(): number {
    const { residual, row } = this.w;
    let bits = 0;
    for (let p = 0; p < this.n; p++) {
      const r = row[p]!;
      if (r < 0) continue;
      const m = this.classes[Math.floor(r / VARIANCE_COUNT)]!;
      const v = r % VARIANCE_COUNT;
      const e = residual[p]!;
      bits += m.information[v]! + HALF_INV_LN2 * ((m.delta * e * e + 1) / (1 + m.rho[v]!) - 1);
    }
    return bits;
  }

  /**
   * Multiplies all variances by a power of two that the encoder sends. What signs say is as much as is claimed, so where the residuals
   * are larger than foreseen they follow them by less than they should: z stays near what was believed, by which the network is
   * confirmed in what it believes. False where a file was cut before the scale.
   */
  private applyScale(): boolean {
    const { channel, scales, groupIndex } = this.o;
    const before = scales[groupIndex]!;
    const scale = channel.scale(before, () => this.chooseScale(before));
    if (scale === undefined) return false;
    scales[groupIndex] = scale;
    if (scale === 0) return true;
    const { row } = this.w;
    for (let p = 0; p < this.n; p++) if (row[p]! >= 0) row[p] = shifted(row[p]!, scale * SCALE_STEPS);
    return true;
  }

  /** Of the first step of two that enter a level: what has little to tell is told in the second, when more is known of it. */
  private leaveTheRest(): void {
    const { row } = this.w;
    const enough = this.classes.map(({ information }) => information.findIndex((bits) => bits >= FIRST_INFORMATION));
    for (let p = 0; p < this.n; p++) {
      const r = row[p]!;
      if (r >= 0 && r % VARIANCE_COUNT < enough[Math.floor(r / VARIANCE_COUNT)]!) row[p] = -1;
    }
  }

  /** The scale under which the residuals cost least; the one before where that is next to it, or what is claimed differs by less than the bits to say so. */
  private chooseScale(before: number): number {
    const { row, residual } = this.w;
    this.countRows();
    const { histogram, classes } = this;
    const squares = new Float64Array(histogram.length);
    for (let p = 0; p < this.n; p++) if (row[p]! >= 0) squares[row[p]!]! += residual[p]! * residual[p]!;
    const claimed = new Float64Array(2 * MAX_SCALE + 1);
    let best = 0;
    let least = Infinity;
    for (let scale = -MAX_SCALE; scale <= MAX_SCALE; scale++) {
      let information = 0;
      let cost = 0;
      for (let r = 0; r < histogram.length; r++) {
        if (histogram[r] === 0) continue;
        const m = classes[Math.floor(r / VARIANCE_COUNT)]!;
        const v = shifted(r, scale * SCALE_STEPS) % VARIANCE_COUNT;
        information += histogram[r]! * m.information[v]!;
        cost += (HALF_INV_LN2 * (m.delta * squares[r]! + histogram[r]!)) / (1 + m.rho[v]!);
      }
      cost += information;
      claimed[scale + MAX_SCALE] = information;
      if (cost < least) [best, least] = [scale, cost];
    }
    const change = Math.abs(claimed[best + MAX_SCALE]! - claimed[before + MAX_SCALE]!);
    return Math.abs(best - before) <= 1 || change < scaleBits(best - before).length ? before : best;
  }

  /** On entering a level, multiplies the variances of each block by 2^gain. False where a file was cut before the gains. */
  private applyGains(): boolean {
    const { step, group, channel } = this.o;
    if (step.kind !== 'enter' || step.level > GAIN_LEVELS) return true;
    const columns = Math.ceil(group.width / GAIN_BLOCK);
    const blocks = columns * Math.ceil(group.height / GAIN_BLOCK);
    if (blocks < GAIN_MIN_BLOCKS) return true;
    const contexts = this.gainContexts(columns, blocks);
    const gains = channel.gains(contexts, () => chooseGains(this.gainCosts(columns, blocks), contexts));
    if (gains === undefined) return false;
    const { row } = this.w;
    this.forEachBlock(columns, (p, block) => {
      const gain = gains[block]! * VARIANCE_STEPS;
      if (gain !== 0 && row[p]! >= 0) row[p] = shifted(row[p]!, gain);
    });
    return true;
  }

  private forEachBlock(columns: number, f: (p: number, block: number) => void): void {
    const { group } = this.o;
    let p = 0;
    for (let y = 0; y < group.height; y++) {
      const first = Math.floor(y / GAIN_BLOCK) * columns;
      for (let x = 0; x < group.width; x++) {
        const block = first + Math.floor(x / GAIN_BLOCK);
        for (let c = 0; c < COEFFICIENTS; c++) f(p++, block);
      }
    }
  }

  /** Class of a block by the information that it is expected to hold: below ½ bit, then one class an octave, 16 and more. */
  private gainContexts(columns: number, blocks: number): Uint8Array {
    const { row } = this.w;
    const sums = new Float64Array(blocks);
    this.forEachBlock(columns, (p, block) => {
      const r = row[p]!;
      if (r >= 0) sums[block]! += this.classes[Math.floor(r / VARIANCE_COUNT)]!.information[r % VARIANCE_COUNT]!;
    });
    const contexts = new Uint8Array(blocks);
    for (let b = 0; b < blocks; b++) {
      let context = 0;
      for (let limit = 0.5; sums[b]! >= limit && context < GAIN_CONTEXTS - 1; limit *= 2) context++;
      contexts[b] = context;
    }
    return contexts;
  }

  /** Cost in bits of each block (rows) with each gain (columns). */
  private gainCosts(columns: number, blocks: number): Float64Array {
    const { row, residual } = this.w;
    const options = MAX_GAIN - MIN_GAIN + 1;
    const costs = new Float64Array(blocks * options);
    this.forEachBlock(columns, (p, block) => {
      const r = row[p]!;
      if (r < 0) return;
      const m = this.classes[Math.floor(r / VARIANCE_COUNT)]!;
      const v = r % VARIANCE_COUNT;
      const e = residual[p]!;
      const square = HALF_INV_LN2 * (m.delta * e * e + 1);
      for (let g = 0; g < options; g++) {
        const i = Math.min(VARIANCE_COUNT - 1, Math.max(0, v + (g + MIN_GAIN) * VARIANCE_STEPS));
        costs[block * options + g]! += m.information[i]! + square / (1 + m.rho[i]!);
      }
    });
    return costs;
  }

  private countRows(): void {
    const { row } = this.w;
    const histogram = new Uint32Array(this.classes.length * VARIANCE_COUNT);
    for (let p = 0; p < this.n; p++) if (row[p]! >= 0) histogram[row[p]!]!++;
    this.histogram = histogram;
  }

  /** Decides how many passes each row takes; from the histogram alone, so that both sides decide alike. */
  private passTable(): PassTable {
    const { histogram, classes } = this;
    const rows = histogram.length;
    const information = new Float64Array(rows);
    for (const [k, m] of classes.entries()) information.set(m.information, k * VARIANCE_COUNT);
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
      information: new Float64Array(rows),
      gain: new Float32Array(rows),
      amplitude: new Float32Array(rows),
      shrink: new Float32Array(rows),
      rounds: 0,
      runBits: new Float64Array(MAX_PASSES + 1),
      rank: new Uint8Array(rows),
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
    return table;
  }

  /**
   * Puts the coefficients into coding order: by rank, and within that in the shuffled order.
   * @returns by number of passes how many have at least so many; at 1 all
   */
  private sort({ rounds, rank, amplitude }: PassTable): Uint32Array {
    const { histogram, w, o } = this;
    const sizes = new Uint32Array(rounds + 1);
    for (let r = 0; r < histogram.length; r++) sizes[rank[r]!]! += histogram[r]!;
    const next = new Uint32Array(rounds + 1);
    const counts = new Uint32Array(rounds + 2);
    for (let r = rounds; r >= 0; r--) {
      next[r] = counts[r + 1]!;
      counts[r] = counts[r + 1]! + sizes[r]!;
    }
    const total = counts[0]!;
    counts[1] = total;
    const { row, order, sortedRow, residual } = w;
    const shuffle = w.permutation(this.n);
    // The shuffled order touches memory at random: half as much of it is found in the cache more often.
    const compact = histogram.length < NOT_CONCERNED ? w.compactRow.subarray(0, this.n) : undefined;
    compact?.set(row.subarray(0, this.n)); // −1 becomes NOT_CONCERNED
    const rowAt = compact ?? row;
    const last = compact === undefined ? Infinity : NOT_CONCERNED - 1;
    for (let j = 0; j < shuffle.length; j++) {
      const p = shuffle[j]!;
      const r = rowAt[p]!;
      if (r < 0 || r > last) continue;
      const k = next[rank[r]!]!++;
      order[k] = p;
      sortedRow[k] = r;
    }
    w.total = total;
    for (let k = 0; k < total; k++) w.amplitude[k] = amplitude[sortedRow[k]!]!;
    w.offset.fill(0, 0, total);
    if (o.truth !== undefined) for (let k = 0; k < total; k++) w.sortedResidual[k] = residual[order[k]!]!;
    return counts;
  }

  private sendRounds(table: PassTable, counts: Uint32Array): void {
    const key = hash32(hash32(0x646370, this.o.step.index), this.o.groupIndex);
    let runIndex = 0;
    for (let r = table.rounds; r >= 1 && !this.o.channel.ended; r--)
      this.sendRun(table, counts[r]!, table.runBits[r]!, hash32(key, runIndex++));
  }

  /**
   * A pass of the first `count` coefficients.
   * @param bits of information that the run is to deliver
   */
  private sendRun(table: PassTable, count: number, bits: number, key: number): void {
    const { w, o } = this;
    const { offset, amplitude, sortedRow } = w;
    const nu = o.step.level === 0 ? o.channel.nu : coarseNu(o.channel.nu);
    const cost = runCost(nu, bits);
    const units = table.information.map((share) => Math.floor(share * cost * INFORMATION_UNIT + 0.5));
    const information = w.information.subarray(0, count);
    for (let k = 0; k < count; k++) information[k] = units[sortedRow[k]!]!;
    const metric = w.metric.subarray(0, count);
    if (o.truth !== undefined) {
      // w = √(delta · (1 + v · delta)) of the design; with amplitude a and gain R of a pass that is R / a.
      for (let k = 0; k < count; k++)
        metric[k] = (table.gain[sortedRow[k]!]! / amplitude[k]!) * (w.sortedResidual[k]! - offset[k]!);
    }
    const { signs, covered } = o.channel.run({ information, key }, metric, nu);
    for (let k = 0; k < covered; k++) {
      const a = amplitude[k]!;
      offset[k] = offset[k]! + signs[k]! * a; // no branch: signs cannot be foreseen
      amplitude[k] = a * table.shrink[sortedRow[k]!]!;
    }
    this.covered.push(covered);
    if (covered < count) this.whole = false;
  }

  /**
   * Moves single coefficients whose observation is too far off to come right by itself: a pass moves a coefficient by at
   * most √(v · gain), so what the model is sure of and wrong about would stay wrong for ever, and the network would take
   * it for true. Needed for text and drawings; photographs hardly use it.
   */
  private correct(): void {
    const { channel, observation, truth } = this.o;
    const { row } = this.w;
    const { z, codes } = observation;
    const codeAfter = (p: number, i: number): number =>
      codes[i] === UNKNOWN ? this.classes[Math.floor(row[p]! / VARIANCE_COUNT)]!.to : codes[i]!;
    const corrections = channel.corrections(this.n, () => {
      const indices: number[] = [];
      const steps: number[] = [];
      for (let p = 0; p < this.n; p++) {
        if (row[p]! < 0) continue;
        const i = gridIndex(observation, this.o.group, p);
        const sigma = sigmaOf(codeAfter(p, i));
        const error = truth!.x[i]! - z[i]!;
        if (Math.abs(error) < CORRECTION_THRESHOLD * sigma) continue;
        indices.push(p);
        const most = 2 ** MAX_SIZE_DIGITS - 1;
        steps.push(Math.max(-most, Math.min(most, Math.round(error / (CORRECTION_STEP * sigma)))));
      }
      return { indices: Uint32Array.from(indices), steps: Int32Array.from(steps) };
    });
    if (corrections === undefined) return;
    for (const [k, p] of corrections.indices.entries()) {
      if (row[p]! < 0) continue; // no encoder writes that
      const i = gridIndex(observation, this.o.group, p);
      codes[i] = codeAfter(p, i);
      z[i] = z[i]! + corrections.steps[k]! * CORRECTION_STEP * sigmaOf(codes[i]!);
    }
  }

  private sampleIdeal(normal: () => number): void {
    const { total, offset, sortedRow, sortedResidual } = this.w;
    for (let k = 0; k < total; k++) {
      const r = sortedRow[k]!;
      const m = this.classes[Math.floor(r / VARIANCE_COUNT)]!;
      const rho = m.rho[r % VARIANCE_COUNT]!;
      offset[k] = (sortedResidual[k]! + normal() / Math.sqrt(m.delta)) * (rho / (1 + rho));
    }
  }

  /**
   * The Kalman rule: z' = (P·z + delta·y) / (P + delta) with y = mu + d · (1 + 1/(v·delta)), d being what the signs moved
   * the mean by. Runs over the coefficients by position: only d comes in the shuffled order.
   */
  private update(table: PassTable): void {
    const { total, order, offset, moved, row, mean } = this.w;
    const { observation } = this.o;
    const { z, codes } = observation;
    for (let k = 0; k < total; k++) moved[order[k]!] = offset[k]!;
    if (!this.whole || this.o.channel.ended) {
      this.updatePartly(table);
      return;
    }
    const { classes, histogram } = this;
    const zGain = new Float64Array(histogram.length);
    const meanGain = new Float64Array(histogram.length);
    const moveGain = new Float64Array(histogram.length);
    const codeAfter = new Uint8Array(histogram.length);
    for (let r = 0; r < histogram.length; r++) {
      if (histogram[r] === 0) continue;
      const { precision, delta, to } = classes[Math.floor(r / VARIANCE_COUNT)]!;
      codeAfter[r] = to;
      zGain[r] = precision / (precision + delta);
      meanGain[r] = delta / (precision + delta);
      moveGain[r] = (delta + 1 / VARIANCE[r % VARIANCE_COUNT]!) / (precision + delta);
    }
    forEachRow(this.o.observation, this.o.group, (p, i, length) => {
      for (const end = p + length; p < end; p++, i++) {
        const r = row[p]!;
        if (r < 0) continue;
        z[i] = zGain[r]! * z[i]! + meanGain[r]! * mean[p]! + moveGain[r]! * moved[p]!;
        codes[i] = codeAfter[r]!;
      }
    });
  }

  /** The same where not every pass took place: a coefficient has got the precision of those that did. */
  private updatePartly(table: PassTable): void {
    const { observation } = this.o;
    const { z, codes } = observation;
    const { order, row, mean, moved } = this.w;
    const done = new Uint8Array(this.n);
    for (const covered of this.covered) for (let k = 0; k < covered; k++) done[order[k]!]!++;
    forEachRow(observation, this.o.group, (p, i, length) => {
      for (const end = p + length; p < end; p++, i++) {
        const r = row[p]!;
        if (r < 0) continue;
        if (done[p] === 0) {
          // Nothing came: an unknown coefficient keeps its posterior mean (see finerObservation).
          if (codes[i] === UNKNOWN) z[i] = mean[p]!;
          continue;
        }
        const { precision, delta: whole, to } = this.classes[Math.floor(r / VARIANCE_COUNT)]!;
        const v = VARIANCE[r % VARIANCE_COUNT]!;
        let delta = whole;
        let code = to;
        if (done[p] !== table.passes[r]!) {
          let growth = 1;
          for (let j = 0; j < done[p]!; j++) growth *= 1 + table.gain[r]!;
          delta = (growth - 1) / v;
          code = Math.max(to, codeOf(1 / Math.sqrt(precision + delta)));
        }
        z[i] =
          (precision / (precision + delta)) * z[i]! +
          (delta / (precision + delta)) * mean[p]! +
          ((delta + 1 / v) / (precision + delta)) * moved[p]!;
        codes[i] = code;
      }
    });
  }
}

/** A row with its variance multiplied, by steps of the grid. */
function shifted(row: number, steps: number): number {
  const v = row % VARIANCE_COUNT;
  return row - v + Math.min(VARIANCE_COUNT - 1, Math.max(0, v + steps));
}

/** By (code, channel): how z and the network's output make mean and log variance. Only codes that occur are filled. */
interface PredictionGains {
  mean: Float64Array;
  correction: Float64Array;
  /** In steps of the variance grid. */
  logVariance: Float64Array;
}

function predictionGains(codes: Uint8Array, prior: Float32Array, group: Group, gridWidth: number): PredictionGains {
  const present = new Uint8Array(256);
  for (let y = 0; y < group.height; y++) {
    const from = ((group.y + y) * gridWidth + group.x) * COEFFICIENTS;
    const to = from + group.width * COEFFICIENTS;
    for (let i = from; i < to; i++) present[codes[i]!] = 1;
  }
  const size = 256 * COEFFICIENTS;
  const gains: PredictionGains = {
    mean: new Float64Array(size),
    correction: new Float64Array(size),
    logVariance: new Float64Array(size),
  };
  for (let code = 1; code < 256; code++) {
    if (present[code] === 0) continue;
    for (let c = 0; c < COEFFICIENTS; c++) {
      const g = wienerGains(code, prior[c]!);
      gains.mean[code * COEFFICIENTS + c] = g.mean;
      gains.correction[code * COEFFICIENTS + c] = g.correction;
      gains.logVariance[code * COEFFICIENTS + c] = VARIANCE_STEPS * 2 * log2(g.correction);
    }
  }
  return gains;
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

/** Least cost of a block plus the bits of its gain, under gain probabilities by context that are refined from the choice. */
function chooseGains(costs: Float64Array, contexts: Uint8Array): Int8Array {
  const options = MAX_GAIN - MIN_GAIN + 1;
  const gains = new Int8Array(contexts.length);
  const price = new Float64Array(GAIN_CONTEXTS * options);
  for (let i = 0; i < price.length; i++) price[i] = i % options === -MIN_GAIN ? 0.5 : 4;
  for (let round = 0; round < 4; round++) {
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
