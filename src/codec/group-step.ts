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
import { hash32, mix32 } from '../math/hash.js';
import { COEFFICIENTS } from '../model/architecture.js';
import { codeOf, sigmaOf, UNKNOWN } from '../model/sigma.js';
import type { Pieces } from '../turns.js';
import {
  CORRECTION_STEP,
  FIRST_INFORMATION,
  GAIN_BLOCK,
  GAIN_LEVELS,
  GAIN_MIN_BLOCKS,
  GROUP_SIDE,
  groupCoefficients,
  SCALE_STEPS,
  VARIANCE_COUNT,
  VARIANCE_STEPS,
  type Group,
} from '../format.js';
import type { Observation } from '../diffusion/observation.js';
import { hasCorrections } from '../diffusion/schedule.js';
import { VARIANCE } from '../diffusion/variance-table.js';
import { chooseGains } from './choose-gains.js';
import { passTable, type PassTable } from './pass-table.js';
import { fitsKernels, predict, type Predicted, type ToldMeasurement } from './prediction.js';
import type { Workspace } from './workspace.js';

/** How signs and gains get from encoder to decoder. */
export interface Channel {
  /**
   * Sends or receives a run.
   * @param metric filled by the encoder's side only
   * @param nu log2 of the trellis states
   * @returns ±1 for each coefficient covered; fewer are covered where a file was cut.
   */
  run(run: Run, metric: Float32Array, nu: number): Pieces<{ signs: Int8Array; covered: number }>;
  /**
   * The decoder's other way to receive a run: its next bits, one by section, as many as there are, which may be fewer.
   */
  receive?(sections: number): { bytes: Uint8Array; count: number };
  /**
   * Sends the scale chosen by `choose`, or receives it, as a difference from the one before. undefined where a file was cut.
   */
  scale(before: number, choose: () => number): number | undefined;
  /** Sends the gains chosen by `choose`, or receives them. undefined where a file was cut. */
  gains(contexts: Uint8Array, choose: () => Int8Array): Int8Array | undefined;
  /** Sends the corrections chosen by `choose`, or receives them; indices are below n. */
  corrections(n: number, choose: () => Corrections): Pieces<Corrections | undefined>;
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

const HALF_INV_LN2 = 0.7213475204444817; // 1 / (2 ln 2)

export interface GroupStepOptions extends Predicted {
  groupIndex: number;
  channel: Channel;
  /** log2 of the trellis states. */
  nu: number;
  /** By group, of the level's step before; this step's afterwards. */
  scales: Int8Array;
  truth?: Truth;
}

/**
 * Runs the step and updates the observation.
 * @param kernels whether those of WebAssembly may be asked; the result is the same
 * @returns the ideal cost in bits: KL of an ideal Gaussian channel under the network's variances (0 without truth).
 */
export function codeGroupStep(options: GroupStepOptions, workspace: Workspace, kernels = true): Pieces<number> {
  return new GroupStep(options, workspace, kernels).code();
}

/**
 * Writes the means that the last step of a group left its coefficients with, sent or not, into an array laid out as the
 * observation: the posterior mean after an unfinished step, without an evaluation of the network.
 */
export function* putCurrentMeans(
  workspace: Workspace,
  observation: Observation,
  group: Group,
  mean: Float32Array,
): Pieces<void> {
  if (workspace.total === 0) return;
  const { row, moved } = workspace;
  yield* forEachRow(observation, group, (p, i, length) => {
    for (const end = p + length; p < end; p++, i++) if (row[p]! >= 0) mean[i] = workspace.mean[p]! + moved[p]!;
  });
}

/** The rows of a group: index in the group, index in the grid, coefficients. */
function* forEachRow(
  observation: Observation,
  group: Group,
  f: (p: number, i: number, length: number) => void,
): Pieces<void> {
  const length = group.width * COEFFICIENTS;
  for (let y = 0; y < group.height; y++) {
    f(y * length, ((group.y + y) * observation.width + group.x) * COEFFICIENTS, length);
    if (y % PIECE_ROWS === PIECE_ROWS - 1) yield;
  }
}

/** Rows of a group, or as many coefficients in coding order, that are gone over in a piece. */
const PIECE_ROWS = 16;
const PIECE = PIECE_ROWS * GROUP_SIDE * COEFFICIENTS;

/** Index in the whole grid of a coefficient of a group. */
function gridIndex(observation: Observation, group: Group, p: number): number {
  const rowLength = group.width * COEFFICIENTS;
  const y = Math.floor(p / rowLength);
  return ((group.y + y) * observation.width + group.x) * COEFFICIENTS + (p - y * rowLength);
}

class GroupStep {
  private readonly n: number;
  private classes: ToldMeasurement[] = [];
  /** Whether the kernels may be asked; otherwise the same is done here. */
  private fast = false;
  private histogram = new Uint32Array(0);
  /** Of each run so far, how many coefficients it covered: the first in coding order. */
  private readonly covered: number[] = [];
  /** False once a run did not cover all its coefficients: the file was cut, or it held less than half a bit. */
  private whole = true;

  constructor(
    private readonly o: GroupStepOptions,
    private readonly w: Workspace,
    private readonly kernels: boolean,
  ) {
    this.n = groupCoefficients(o.group);
    w.reserve(this.n, o.truth !== undefined);
  }

  *code(): Pieces<number> {
    this.w.total = 0;
    const { classes, active } = predict(this.o, this.w, this.kernels);
    if (active === 0) return 0;
    this.classes = classes;
    this.fast = this.kernels && fitsKernels(classes);
    yield;
    if (this.o.truth !== undefined) yield* this.computeResidual(this.o.truth.x);
    if (!this.applyScale()) return 0;
    yield;
    if (this.o.step.part === 'first') this.leaveTheRest();
    const ideal = this.o.truth === undefined ? 0 : yield* this.idealBits();
    if (!(yield* this.applyGains())) return 0;
    this.countRows();
    yield;
    const table = passTable(this.histogram, this.classes);
    const counts = yield* this.sort(table);
    if (this.o.channel.normal === undefined) yield* this.sendRounds(table, counts);
    else this.sampleIdeal(this.o.channel.normal);
    yield* this.update(table);
    if (hasCorrections(this.o.step) && !this.o.channel.ended && this.o.channel.normal === undefined)
      yield* this.correct();
    return ideal;
  }

  private *computeResidual(x: Float32Array): Pieces<void> {
    const { mean, residual } = this.w;
    yield* forEachRow(this.o.observation, this.o.group, (p, i, length) => {
      for (const end = p + length; p < end; p++, i++) residual[p] = x[i]! - mean[p]!;
    });
  }

  private *idealBits(): Pieces<number> {
    const { residual, row } = this.w;
    let bits = 0;
    for (let p = 0; p < this.n; p++) {
      if (p % PIECE === PIECE - 1) yield;
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
    this.mapRows((r) => shifted(r, scale * SCALE_STEPS));
    return true;
  }

  /** Of the first step of two that enter a level: what has little to tell is told in the second, when more is known of it. */
  private leaveTheRest(): void {
    const enough = this.classes.map(({ information }) => information.findIndex((bits) => bits >= FIRST_INFORMATION));
    this.mapRows((r) => (r % VARIANCE_COUNT < enough[Math.floor(r / VARIANCE_COUNT)]! ? -1 : r));
  }

  /** Puts other rows in the place of those that coefficients have. */
  private mapRows(rowOf: (row: number) => number): void {
    const { row, kernel, at } = this.w;
    const count = this.classes.length * VARIANCE_COUNT;
    if (this.fast) {
      const map = this.w.int32(at.map, count);
      for (let r = 0; r < count; r++) map[r] = rowOf(r);
      kernel.mapRows(at.row, this.n, at.map);
    } else {
      for (let p = 0; p < this.n; p++) if (row[p]! >= 0) row[p] = rowOf(row[p]!);
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
  private *applyGains(): Pieces<boolean> {
    const { step, group, channel, truth } = this.o;
    if (step.kind !== 'enter' || step.level > GAIN_LEVELS) return true;
    const columns = Math.ceil(group.width / GAIN_BLOCK);
    const blocks = columns * Math.ceil(group.height / GAIN_BLOCK);
    if (blocks < GAIN_MIN_BLOCKS) return true;
    const contexts = yield* this.gainContexts(columns, blocks);
    const costs = truth === undefined ? new Float64Array(0) : yield* this.gainCosts(columns, blocks);
    const gains = channel.gains(contexts, () => chooseGains(costs, contexts));
    if (gains === undefined) return false;
    const { row } = this.w;
    yield* this.forEachBlockRow(columns, (p, end, block) => {
      const gain = gains[block]! * VARIANCE_STEPS;
      if (gain === 0) return;
      for (; p < end; p++) if (row[p]! >= 0) row[p] = shifted(row[p]!, gain);
    });
    return true;
  }

  /** The rows of the blocks: their coefficients, from one to before another. */
  private *forEachBlockRow(columns: number, f: (from: number, end: number, block: number) => void): Pieces<void> {
    const { width, height } = this.o.group;
    const length = GAIN_BLOCK * COEFFICIENTS;
    for (let y = 0; y < height; y++) {
      const first = Math.floor(y / GAIN_BLOCK) * columns;
      const end = (y + 1) * width * COEFFICIENTS;
      let p = y * width * COEFFICIENTS;
      for (let column = 0; column < columns; column++, p += length) f(p, Math.min(end, p + length), first + column);
      if (y % PIECE_ROWS === PIECE_ROWS - 1) yield;
    }
  }

  /** Class of a block by the information that it is expected to hold: below ½ bit, then one class an octave, 16 and more. */
  private *gainContexts(columns: number, blocks: number): Pieces<Uint8Array> {
    const { row } = this.w;
    const sums = new Float64Array(blocks);
    const information = new Float64Array(this.classes.length * VARIANCE_COUNT);
    for (const [k, each] of this.classes.entries()) information.set(each.information, k * VARIANCE_COUNT);
    yield* this.forEachBlockRow(columns, (p, end, block) => {
      let sum = sums[block]!;
      for (; p < end; p++) if (row[p]! >= 0) sum += information[row[p]!]!;
      sums[block] = sum;
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
  private *gainCosts(columns: number, blocks: number): Pieces<Float64Array> {
    const { row, residual } = this.w;
    const options = MAX_GAIN - MIN_GAIN + 1;
    const costs = new Float64Array(blocks * options);
    yield* this.forEachBlockRow(columns, (p, end, block) => {
      for (; p < end; p++) {
        const r = row[p]!;
        if (r < 0) continue;
        const m = this.classes[Math.floor(r / VARIANCE_COUNT)]!;
        const v = r % VARIANCE_COUNT;
        const e = residual[p]!;
        const square = HALF_INV_LN2 * (m.delta * e * e + 1);
        for (let g = 0; g < options; g++) {
          const i = Math.min(VARIANCE_COUNT - 1, Math.max(0, v + (g + MIN_GAIN) * VARIANCE_STEPS));
          costs[block * options + g]! += m.information[i]! + square / (1 + m.rho[i]!);
        }
      }
    });
    return costs;
  }

  private countRows(): void {
    const { row } = this.w;
    const histogram = new Uint32Array(this.classes.length * VARIANCE_COUNT);
    if (this.fast) {
      const { kernel, at } = this.w;
      const counts = this.w.int32(at.histogram, histogram.length);
      counts.fill(0);
      kernel.countRows(at.row, this.n, at.histogram);
      histogram.set(counts);
    } else {
      for (let p = 0; p < this.n; p++) if (row[p]! >= 0) histogram[row[p]!]!++;
    }
    this.histogram = histogram;
  }

  /**
   * Puts the coefficients into coding order: by rank, and within that in the shuffled order.
   * @returns by number of passes how many have at least so many; at 1 all
   */
  private *sort({ rounds, rank, amplitude }: PassTable): Pieces<Uint32Array> {
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
    this.w.total = total;
    yield;
    if (this.fast) this.sortByKernel(next, rank, amplitude);
    else this.sortHere(next, rank, amplitude);
    const { order, residual } = w;
    w.offset.fill(0, 0, total);
    yield;
    if (o.truth !== undefined) for (let k = 0; k < total; k++) w.sortedResidual[k] = residual[order[k]!]!;
    return counts;
  }

  private sortByKernel(next: Uint32Array, rank: Uint8Array, amplitude: Float32Array): void {
    const { w, n } = this;
    const { kernel, at } = w;
    w.placeShuffle(n);
    w.bytes(at.rank, rank.length).set(rank);
    w.float32(at.amplitudeOf, amplitude.length).set(amplitude);
    w.int32(at.next, next.length).set(next);
    kernel.sortRows(
      at.row,
      n,
      at.compact,
      at.shuffle,
      at.rank,
      at.next,
      at.order,
      at.sorted,
      at.amplitudeOf,
      at.amplitude,
    );
  }

  private sortHere(next: Uint32Array, rank: Uint8Array, amplitude: Float32Array): void {
    const { row, order, sortedRow, amplitude: amplitudes } = this.w;
    for (const p of this.w.permutation(this.n)) {
      const r = row[p]!;
      if (r < 0) continue;
      const k = next[rank[r]!]!++;
      order[k] = p;
      sortedRow[k] = r;
      amplitudes[k] = amplitude[r]!;
    }
  }

  private *sendRounds(table: PassTable, counts: Uint32Array): Pieces<void> {
    const key = hash32(hash32(0x646370, this.o.step.index), this.o.groupIndex);
    let runIndex = 0;
    for (let r = table.rounds; r >= 1 && !this.o.channel.ended; r--)
      yield* this.sendRun(table, counts[r]!, table.runBits[r]!, hash32(key, runIndex++));
  }

  /**
   * A pass of the first `count` coefficients.
   * @param bits of information that the run is to deliver
   */
  private *sendRun(table: PassTable, count: number, bits: number, key: number): Pieces<void> {
    const { w, o } = this;
    const { offset, amplitude, sortedRow } = w;
    const { nu } = o;
    const cost = runCost(nu, bits);
    const units = table.information.map((share) => Math.floor(share * cost * INFORMATION_UNIT + 0.5));
    if (this.fast && o.channel.receive !== undefined) {
      this.covered.push(this.receiveRun(table, count, nu, units, key));
      if (this.covered.at(-1)! < count) this.whole = false;
      yield;
      return;
    }
    const information = w.information.subarray(0, count);
    for (let k = 0; k < count; k++) information[k] = units[sortedRow[k]!]!;
    yield;
    const metric = w.metric.subarray(0, count);
    if (o.truth !== undefined) {
      // w = √(delta · (1 + v · delta)) of the design; with amplitude a and gain R of a pass that is R / a.
      for (let k = 0; k < count; k++)
        metric[k] = (table.gain[sortedRow[k]!]! / amplitude[k]!) * (w.sortedResidual[k]! - offset[k]!);
    }
    const { signs, covered } = yield* o.channel.run({ information, key }, metric, nu);
    for (let k = 0; k < covered; k++) {
      const a = amplitude[k]!;
      offset[k] = offset[k]! + signs[k]! * a; // no branch: signs cannot be foreseen
      amplitude[k] = a * table.shrink[sortedRow[k]!]!;
    }
    this.covered.push(covered);
    if (covered < count) this.whole = false;
    yield;
  }

  /** The decoder's side of a run. @returns coefficients that it covered */
  private receiveRun(table: PassTable, count: number, nu: number, units: Float64Array, key: number): number {
    const { w } = this;
    const { kernel, at } = w;
    w.int32(at.units, units.length).set(units);
    const sections = kernel.sections(at.sorted, count, at.units, at.information, INFORMATION_UNIT);
    const bits = this.o.channel.receive!(sections);
    w.bytes(at.bits, (bits.count + 7) >> 3).set(bits.bytes);
    w.placeLabels(nu);
    // In the last round there is no pass to come whose step would have to be made ready.
    const shrink = this.covered.length + 1 === table.rounds ? 0 : at.shrink;
    if (shrink !== 0) w.float32(at.shrink, table.shrink.length).set(table.shrink);
    return kernel.moveByRun(
      at.bits,
      bits.count,
      at.information,
      at.labels,
      nu,
      mix32(key),
      at.sorted,
      at.offset,
      at.amplitude,
      shrink,
    );
  }

  /**
   * Moves single coefficients whose observation is too far off to come right by itself: a pass moves a coefficient by at
   * most √(v · gain), so what the model is sure of and wrong about would stay wrong for ever, and the network would take
   * it for true. Needed for text and drawings; photographs hardly use it.
   */
  private *correct(): Pieces<void> {
    const { channel, observation, truth } = this.o;
    const { row } = this.w;
    const { z, codes } = observation;
    const codeAfter = (p: number, i: number): number =>
      codes[i] === UNKNOWN ? this.classes[Math.floor(row[p]! / VARIANCE_COUNT)]!.to : codes[i]!;
    const indices: number[] = [];
    const steps: number[] = [];
    if (truth !== undefined) {
      for (let p = 0; p < this.n; p++) {
        if (p % PIECE === PIECE - 1) yield;
        if (row[p]! < 0) continue;
        const i = gridIndex(observation, this.o.group, p);
        const sigma = sigmaOf(codeAfter(p, i));
        const error = truth.x[i]! - z[i]!;
        if (Math.abs(error) < CORRECTION_THRESHOLD * sigma) continue;
        indices.push(p);
        const most = 2 ** MAX_SIZE_DIGITS - 1;
        steps.push(Math.max(-most, Math.min(most, Math.round(error / (CORRECTION_STEP * sigma)))));
      }
    }
    const corrections = yield* channel.corrections(this.n, () => ({
      indices: Uint32Array.from(indices),
      steps: Int32Array.from(steps),
    }));
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
  private *update(table: PassTable): Pieces<void> {
    const { total, order, offset, moved, row, mean } = this.w;
    const { observation } = this.o;
    const { z, codes } = observation;
    if (this.fast) this.w.kernel.scatter(this.w.at.order, this.w.at.offset, total, this.w.at.moved);
    else for (let k = 0; k < total; k++) moved[order[k]!] = offset[k]!;
    yield;
    if (!this.whole || this.o.channel.ended) {
      yield* this.updatePartly(table);
      return;
    }
    const { classes, histogram } = this;
    const gains = this.fast
      ? this.w.float64(this.w.at.gains, 4 * histogram.length)
      : new Float64Array(4 * histogram.length);
    for (let r = 0; r < histogram.length; r++) {
      if (histogram[r] === 0) continue;
      const { precision, delta, to } = classes[Math.floor(r / VARIANCE_COUNT)]!;
      gains[4 * r] = precision / (precision + delta);
      gains[4 * r + 1] = delta / (precision + delta);
      gains[4 * r + 2] = (delta + 1 / VARIANCE[r % VARIANCE_COUNT]!) / (precision + delta);
      gains[4 * r + 3] = to;
    }
    if (this.fast) {
      yield* this.updateByKernel();
      return;
    }
    yield* forEachRow(this.o.observation, this.o.group, (p, i, length) => {
      for (const end = p + length; p < end; p++, i++) {
        const r = row[p]!;
        if (r < 0) continue;
        z[i] = gains[4 * r]! * z[i]! + gains[4 * r + 1]! * mean[p]! + gains[4 * r + 2]! * moved[p]!;
        codes[i] = gains[4 * r + 3]!;
      }
    });
  }

  private *updateByKernel(): Pieces<void> {
    const { w } = this;
    const { observation, group } = this.o;
    const { kernel, at } = w;
    const z = w.float32(at.z, group.width * COEFFICIENTS);
    const codes = w.bytes(at.codes, group.width * COEFFICIENTS);
    yield* forEachRow(observation, group, (p, i, length) => {
      z.set(observation.z.subarray(i, i + length));
      codes.set(observation.codes.subarray(i, i + length));
      kernel.update(at.z, at.codes, length, at.row + 4 * p, at.mean + 4 * p, at.moved + 4 * p, at.gains);
      observation.z.set(z, i);
      observation.codes.set(codes, i);
    });
  }

  /** The same where not every pass took place: a coefficient has got the precision of those that did. */
  private *updatePartly(table: PassTable): Pieces<void> {
    const { observation } = this.o;
    const { z, codes } = observation;
    const { order, row, mean, moved } = this.w;
    const done = new Uint8Array(this.n);
    for (const covered of this.covered) {
      for (let k = 0; k < covered; k++) done[order[k]!]!++;
      yield;
    }
    yield* forEachRow(observation, this.o.group, (p, i, length) => {
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
