/** Gains of a group's step: factors on the variances of blocks that are busier or calmer than foreseen. */
import { GAIN_CONTEXTS, MAX_GAIN, MIN_GAIN } from '../entropy/gains.js';
import { onGrid } from '../diffusion/variance-table.js';
import { HALF_LOG2_E } from '../math/exact.js';
import { COEFFICIENTS } from '../model/architecture.js';
import { GAIN_BLOCK, GAIN_LEVELS, GAIN_MIN_BLOCKS, VARIANCE_COUNT, VARIANCE_STEPS } from '../format.js';
import type { Pieces } from '../turns.js';
import { chooseGains } from './choose-gains.js';
import { PIECE_ROWS, placeMap, shifted, type GroupWork } from './group-work.js';

const OPTIONS = MAX_GAIN - MIN_GAIN + 1;

/**
 * On entering a level, multiplies the variances of each block by 2^gain.
 * @returns false where a file was cut before the gains
 */
export function* applyGains(work: GroupWork): Pieces<boolean> {
  const { step, group, channel, truth, fast } = work;
  if (step.kind !== 'enter' || step.level > GAIN_LEVELS) return true;
  const blocks = Math.ceil(group.width / GAIN_BLOCK) * Math.ceil(group.height / GAIN_BLOCK);
  if (blocks < GAIN_MIN_BLOCKS) return true;
  const contexts = contextsOf(fast ? informationByKernel(work, blocks) : yield* informationOf(work, blocks));
  yield;
  let costs: Float64Array = new Float64Array(0);
  if (truth !== undefined) costs = fast ? costsByKernel(work, blocks) : yield* costsOf(work, blocks);
  yield;
  const gains = channel.gains(contexts, () => chooseGains(costs, contexts));
  if (gains === undefined) return false;
  if (fast) multiplyByKernel(work, gains);
  else yield* multiply(work, gains);
  return true;
}

/** Class of a block by the information that it is expected to hold: below ½ bit, then one class an octave, 16 and more. */
function contextsOf(information: Float64Array): Uint8Array {
  const contexts = new Uint8Array(information.length);
  for (const [block, bits] of information.entries())
    for (let limit = 0.5; bits >= limit && contexts[block]! < GAIN_CONTEXTS - 1; limit *= 2) contexts[block]!++;
  return contexts;
}

/** The rows of the blocks: their coefficients, from one to before another. */
function* forEachBlockRow(
  { group: { width, height } }: GroupWork,
  f: (from: number, end: number, block: number) => void,
): Pieces<void> {
  const columns = Math.ceil(width / GAIN_BLOCK);
  const length = GAIN_BLOCK * COEFFICIENTS;
  for (let y = 0; y < height; y++) {
    const first = Math.floor(y / GAIN_BLOCK) * columns;
    const end = (y + 1) * width * COEFFICIENTS;
    let p = y * width * COEFFICIENTS;
    for (let column = 0; column < columns; column++, p += length) f(p, Math.min(end, p + length), first + column);
    if (y % PIECE_ROWS === PIECE_ROWS - 1) yield;
  }
}

/** Information that each block is expected to hold. */
function* informationOf(work: GroupWork, blocks: number): Pieces<Float64Array> {
  const { row } = work.workspace;
  const sums = new Float64Array(blocks);
  yield* forEachBlockRow(work, (p, end, block) => {
    for (; p < end; p++) {
      const r = row[p]!;
      if (r >= 0) sums[block]! += work.classes[Math.floor(r / VARIANCE_COUNT)]!.information[r % VARIANCE_COUNT]!;
    }
  });
  return sums;
}

function informationByKernel({ workspace: w, classes, group }: GroupWork, blocks: number): Float64Array {
  const { kernel, at } = w;
  const information = w.float64(at.gains, classes.length * VARIANCE_COUNT);
  for (const [k, each] of classes.entries()) information.set(each.information, k * VARIANCE_COUNT);
  const sums = w.float64(at.blocks, blocks);
  sums.fill(0);
  kernel.blockInformation(at.row, group.width * COEFFICIENTS, group.height, GAIN_BLOCK, at.gains, at.blocks);
  return sums.slice();
}

/** Cost in bits of each block (rows) with each gain (columns). */
function* costsOf(work: GroupWork, blocks: number): Pieces<Float64Array> {
  const { row, residual } = work.workspace;
  const costs = new Float64Array(blocks * OPTIONS);
  yield* forEachBlockRow(work, (p, end, block) => {
    for (; p < end; p++) {
      const r = row[p]!;
      if (r < 0) continue;
      const m = work.classes[Math.floor(r / VARIANCE_COUNT)]!;
      const v = r % VARIANCE_COUNT;
      const e = residual[p]!;
      const square = HALF_LOG2_E * (m.delta * e * e + 1);
      for (let g = 0; g < OPTIONS; g++) {
        const i = onGrid(v + (g + MIN_GAIN) * VARIANCE_STEPS);
        costs[block * OPTIONS + g]! += m.information[i]! + square / (1 + m.rho[i]!);
      }
    }
  });
  return costs;
}

/** Entries of the kernel's table for a class: those of the grid, and its ends as often as a gain may lead beyond them. */
const BELOW = -MIN_GAIN * VARIANCE_STEPS;
const ENTRIES = BELOW + VARIANCE_COUNT + MAX_GAIN * VARIANCE_STEPS;

function costsByKernel({ workspace: w, classes, group }: GroupWork, blocks: number): Float64Array {
  const { kernel, at } = w;
  const entries = w.float64(at.gains, 2 * ENTRIES * classes.length);
  const deltaAt = at.gains + entries.byteLength;
  const rows = classes.length * VARIANCE_COUNT;
  const delta = w.float64(deltaAt, rows);
  const places = w.int32(at.map, rows);
  for (const [k, m] of classes.entries()) {
    for (let i = 0; i < ENTRIES; i++) {
      const v = onGrid(i - BELOW);
      entries[2 * (k * ENTRIES + i)] = m.information[v]!;
      entries[2 * (k * ENTRIES + i) + 1] = 1 + m.rho[v]!;
    }
    delta.fill(m.delta, k * VARIANCE_COUNT, (k + 1) * VARIANCE_COUNT);
    for (let v = 0; v < VARIANCE_COUNT; v++) places[k * VARIANCE_COUNT + v] = at.gains + 16 * (k * ENTRIES + v);
  }
  const costs = w.float64(at.blocks, blocks * OPTIONS);
  costs.fill(0);
  const [length, stride] = [group.width * COEFFICIENTS, 16 * VARIANCE_STEPS];
  kernel.gainCosts(at.row, at.residual, length, group.height, GAIN_BLOCK, at.map, stride, deltaAt, at.blocks);
  return costs.slice();
}

function* multiply(work: GroupWork, gains: Int8Array): Pieces<void> {
  const { row } = work.workspace;
  yield* forEachBlockRow(work, (p, end, block) => {
    const steps = gains[block]! * VARIANCE_STEPS;
    if (steps === 0) return;
    for (; p < end; p++) if (row[p]! >= 0) row[p] = shifted(row[p]!, steps);
  });
}

function multiplyByKernel(work: GroupWork, gains: Int8Array): void {
  const { workspace: w, group } = work;
  const { kernel, at } = w;
  w.bytes(at.blocks, gains.length).set(gains);
  for (let gain = MIN_GAIN; gain <= MAX_GAIN; gain++) {
    if (gain === 0 || !gains.includes(gain)) continue;
    placeMap(work, (r) => shifted(r, gain * VARIANCE_STEPS));
    kernel.mapBlocks(at.row, group.width * COEFFICIENTS, group.height, GAIN_BLOCK, at.blocks, gain, at.map);
  }
}
