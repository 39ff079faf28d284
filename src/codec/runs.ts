/** Runs: what is quantised, then the passes of a step, round by round, through the trellis; what they move the means by. */
import { INFORMATION_UNIT, runCost } from '../entropy/trellis.js';
import { VARIANCE_COUNT } from '../format.js';
import { hash32, mix32 } from '../math/hash.js';
import type { Pieces } from '../turns.js';
import type { CodingOrder } from './coding-order.js';
import type { GroupWork } from './group-work.js';
import type { PassTable } from './pass-table.js';
import { codeQuantised } from './quantised.js';

/** What came of a step's rounds. */
export interface Rounds {
  /** How many of what is quantised came: the first in coding order. */
  quantised: number;
  /** Of each run, how many coefficients it covered: the first behind all that is quantised. */
  covered: number[];
  /** False where a run did not cover all its coefficients: the file was cut, or it held less than half a bit. */
  whole: boolean;
}

/** A pass of the first `count` coefficients. */
interface Pass {
  /** How many are quantised, and come before. */
  first: number;
  count: number;
  key: number;
  /** By row: information of a coefficient, in units. */
  units: Uint32Array;
  /** Whether no pass follows, whose amplitudes would have to be made ready. */
  last: boolean;
}

/** Sends or receives all rounds, the highest first. @param key what the hashes of the runs begin with */
export function* codeRounds(work: GroupWork, order: CodingOrder, key: number): Pieces<Rounds> {
  if (work.channel.normal !== undefined) return sampleIdeal(work, work.channel.normal);
  const { table, histogram, counts, quantised: first } = order;
  const byKernel = work.fast && work.channel.sections !== undefined;
  const rows = rowsOf(histogram);
  // Some bits may be left behind a run of another stage that was cut: they are of that run.
  const quantised = first === 0 || work.channel.ended ? 0 : yield* codeQuantised(work, order, key);
  let whole = quantised === first;
  if (byKernel) placeTables(work, table);
  const units = new Uint32Array(histogram.length);
  const covered: number[] = [];
  for (let r = table.rounds; r >= 1 && !work.channel.ended; r--) {
    const cost = runCost(work.nu, table.runBits[r]!);
    for (const row of rows) units[row] = Math.floor(table.information[row]! * cost * INFORMATION_UNIT + 0.5);
    const pass = { first, count: counts[r]!, key: hash32(key, covered.length), units, last: r === 1 };
    const done = byKernel ? yield* codeByKernel(work, pass) : yield* codeHere(work, pass, table);
    covered.push(done);
    if (done < pass.count) whole = false;
    yield;
  }
  return { quantised, covered, whole };
}

/** The rows that occur. */
function rowsOf(histogram: Uint32Array): number[] {
  const rows: number[] = [];
  for (let r = 0; r < histogram.length; r++) if (histogram[r] !== 0) rows.push(r);
  return rows;
}

function placeTables({ workspace: w, truth }: GroupWork, { shrink, gain }: PassTable): void {
  w.float32(w.at.shrink, shrink.length).set(shrink);
  if (truth !== undefined) w.float32(w.at.gainOf, gain.length).set(gain);
}

/** @returns coefficients that the run covered */
function* codeByKernel({ workspace: w, channel, nu, truth }: GroupWork, pass: Pass): Pieces<number> {
  const { kernel, at } = w;
  const { first, count, units } = pass;
  const [sorted, offset, amplitude] = [at.sorted + 4 * first, at.offset + 4 * first, at.amplitude + 4 * first];
  w.int32(at.units, units.length).set(units);
  const sections = kernel.sections(sorted, count, at.units, at.information, INFORMATION_UNIT);
  if (truth !== undefined)
    kernel.metrics(sorted, count, at.gainOf, amplitude, at.sortedResidual + 4 * first, offset, at.metric);
  const run = { length: count, ends: w.information.subarray(0, sections), key: pass.key };
  const bits = yield* channel.sections!(run, w.metric.subarray(0, count), nu);
  w.bytes(at.bits, (bits.count + 7) >> 3).set(bits.bytes);
  w.placeLabels(nu);
  return kernel.moveByRun(
    at.bits,
    bits.count,
    at.information,
    at.labels,
    nu,
    mix32(pass.key),
    sorted,
    offset,
    amplitude,
    pass.last ? 0 : at.shrink,
  );
}

/** The same without kernels. */
function* codeHere(work: GroupWork, { first, count, key, units }: Pass, table: PassTable): Pieces<number> {
  const { workspace: w, channel, nu, truth } = work;
  const [offset, amplitude, sortedRow] = [w.offset, w.amplitude, w.sortedRow].map((all) => all.subarray(first)) as [
    Float32Array,
    Float32Array,
    Int32Array,
  ];
  const information = w.information.subarray(0, count);
  for (let k = 0; k < count; k++) information[k] = units[sortedRow[k]!]!;
  yield;
  const metric = w.metric.subarray(0, count);
  if (truth !== undefined) {
    const residual = w.sortedResidual.subarray(first);
    // √(delta · (1 + v · delta)), see `TrellisEncoder.encode`; with amplitude a and gain R of a pass that is R / a.
    for (let k = 0; k < count; k++)
      metric[k] = (table.gain[sortedRow[k]!]! / amplitude[k]!) * (residual[k]! - offset[k]!);
  }
  const { signs, covered } = yield* channel.run({ information, key }, metric, nu);
  for (let k = 0; k < covered; k++) {
    const a = amplitude[k]!;
    offset[k] = offset[k]! + signs[k]! * a; // no branch: signs cannot be foreseen
    amplitude[k] = a * table.shrink[sortedRow[k]!]!;
  }
  return covered;
}

/** In place of runs: what an ideal Gaussian channel would move the means by. */
function sampleIdeal({ workspace: w, classes }: GroupWork, normal: () => number): Rounds {
  const { total, offset, sortedRow, sortedResidual } = w;
  for (let k = 0; k < total; k++) {
    const r = sortedRow[k]!;
    const m = classes[Math.floor(r / VARIANCE_COUNT)]!;
    const rho = m.rho[r % VARIANCE_COUNT]!;
    offset[k] = (sortedResidual[k]! + normal() / Math.sqrt(m.delta)) * (rho / (1 + rho));
  }
  return { quantised: total, covered: [], whole: true };
}
