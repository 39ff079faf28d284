/**
 * What a step of a group works in: the memory of the kernels of kernels/step.ts, and arrays that are views of it.
 */
import {
  compileKernel,
  instantiateKernel,
  kernelMemory,
  type KernelMemory,
  type KernelModule,
} from '../kernels/load.js';
import { wasm } from '../kernels/step.wasm.js';
import { COEFFICIENTS, OUTPUT_CHANNELS } from '../model/architecture.js';
import { labelTable, MAX_NU } from '../entropy/trellis.js';
import { MAX_GAIN, MIN_GAIN } from '../entropy/gains.js';
import {
  GAIN_BLOCK,
  GROUP_SIDE,
  MAX_CORRELATION,
  MAX_PASSES,
  QUANTISED_RANKS,
  SHARE_UNITS,
  VARIANCE_COUNT,
} from '../format.js';

/** Exports of kernels/step.ts, which says what they do. Addresses in bytes. */
interface StepKernel {
  markCodes(codes: number, count: number, present: number): void;
  beginPrediction(rows: number, least: number, steps: number, tables: number, classOf: number): void;
  classCount(): number;
  predict(
    z: number,
    codes: number,
    output: number,
    count: number,
    to: number,
    channels: number,
    others: number,
    mean: number,
    row: number,
  ): number;
  toPlanes(words: number, count: number, copy: number): void;
  fromPlanes(words: number, count: number, copy: number): void;
  beginForeseeing(
    row: number,
    mean: number,
    residual: number,
    moved: number,
    shares: number,
    variances: number,
    deviations: number,
    less: number,
    rows: number,
  ): void;
  noteTold(row: number, count: number, first: number, byRow: number): void;
  foreseeColour(p: number, count: number, odd: number, units: number, pair: number, pairs: number, apart: number): void;
  foreseeHalf(p: number, count: number, above: boolean, below: boolean, beside: number): void;
  mapRows(row: number, count: number, table: number): void;
  countRows(row: number, count: number, histogram: number): void;
  residuals(x: number, mean: number, count: number, residual: number): void;
  idealBits(row: number, residual: number, count: number, table: number, bits: number): number;
  addSquares(row: number, residual: number, count: number, sums: number): void;
  blockInformation(row: number, length: number, height: number, side: number, information: number, sums: number): void;
  mapBlocks(
    row: number,
    length: number,
    height: number,
    side: number,
    gains: number,
    gain: number,
    table: number,
  ): void;
  gainCosts(
    row: number,
    residual: number,
    length: number,
    height: number,
    side: number,
    places: number,
    stride: number,
    delta: number,
    costs: number,
  ): void;
  shuffle(n: number, to: number): void;
  compactRows(row: number, count: number, compact: number): void;
  sortRows(
    compact: number,
    shuffle: number,
    count: number,
    ranks: number,
    next: number,
    order: number,
    sorted: number,
    amplitudes: number,
  ): void;
  gather(order: number, count: number, from: number, to: number): void;
  metrics(
    sorted: number,
    count: number,
    gain: number,
    amplitude: number,
    residual: number,
    offset: number,
    metric: number,
  ): void;
  sections(sorted: number, count: number, units: number, ends: number, unit: number): number;
  moveByRun(
    bits: number,
    count: number,
    ends: number,
    labels: number,
    nu: number,
    key: number,
    sorted: number,
    offset: number,
    amplitude: number,
    shrink: number,
  ): number;
  scatter(order: number, offset: number, count: number, moved: number): void;
  update(
    z: number,
    codes: number,
    stride: number,
    count: number,
    row: number,
    mean: number,
    moved: number,
    gains: number,
  ): void;
}

/** Rows that the kernels can tell apart: 16 bits, of which one number says that there is none. */
export const MAX_ROWS = 65535;

/** Where things lie that do not depend on the size of a group. One row of a group has at most GROUP_SIDE positions. */
interface Places {
  present: number;
  classOf: number;
  tables: number;
  to: number;
  z: number;
  codes: number;
  output: number;
  labels: number;
  /** By row of the tables; what is needed at different times shares its place. */
  map: number;
  histogram: number;
  ranks: number;
  units: number;
  shrink: number;
  gainOf: number;
  gains: number;
  next: number;
  /** By block: numbers for each of its gains at most. */
  blocks: number;
  /** Of stages: tables, and correlations along a row. */
  deviations: number;
  less: number;
  correlations: number;
}

/** Blocks of gains side by side in a group. */
const MAX_BLOCKS = Math.ceil(GROUP_SIDE / GAIN_BLOCK);

const LINE = 64;

/** Hands out addresses one behind the other. */
class Bump {
  end = LINE;

  take(bytes: number): number {
    const at = Math.ceil(this.end / LINE) * LINE;
    this.end = at + bytes;
    return at;
  }
}

function fixedPlaces(bump: Bump): Places {
  return {
    present: bump.take(256),
    classOf: bump.take(4 * 256 * 256),
    tables: bump.take(3 * 8 * 256 * COEFFICIENTS),
    to: bump.take(2 * GROUP_SIDE),
    z: bump.take(4 * GROUP_SIDE * COEFFICIENTS),
    codes: bump.take(GROUP_SIDE * COEFFICIENTS),
    output: bump.take(4 * GROUP_SIDE * OUTPUT_CHANNELS),
    labels: bump.take(2 ** (MAX_NU - 1)),
    map: bump.take(4 * MAX_ROWS),
    histogram: bump.take(4 * MAX_ROWS),
    ranks: bump.take(8 * (MAX_ROWS + 1)),
    units: bump.take(4 * MAX_ROWS),
    shrink: bump.take(4 * MAX_ROWS),
    gainOf: bump.take(4 * MAX_ROWS),
    gains: bump.take(4 * 8 * MAX_ROWS),
    next: bump.take(4 * (MAX_PASSES + QUANTISED_RANKS + 2)),
    blocks: bump.take(8 * (MAX_GAIN - MIN_GAIN + 1) * MAX_BLOCKS * MAX_BLOCKS),
    deviations: bump.take(8 * VARIANCE_COUNT),
    less: bump.take(4 * (MAX_CORRELATION + 1) * (SHARE_UNITS + 1)),
    correlations: bump.take(2 * GROUP_SIDE),
  };
}

let compiled: KernelModule | undefined;

export class Workspace {
  private size = -1;
  /** What lies at `shuffle`, and at `labels`: of so many coefficients, of so many states. */
  private readonly placed = { shuffle: 0, labels: 0 };
  /** Coefficients in coding order in the arrays below; 0 where the step did not get as far. */
  total = 0;
  kernel!: StepKernel;
  at!: Places &
    Record<'mean' | 'row' | 'moved' | 'shares' | 'variances' | 'compact' | 'shuffle' | 'order', number> &
    Record<'sorted' | 'offset' | 'amplitude' | 'information' | 'bits', number> &
    Record<'residual' | 'sortedResidual' | 'metric', number>;
  private memory!: KernelMemory;
  /** By position: posterior mean, row (−1 where the step does not concern the coefficient), and what it has been moved by. */
  mean!: Float32Array;
  row!: Int32Array;
  moved!: Float32Array;
  /** By position, encoder only: x − mean. */
  residual!: Float32Array;
  /** In coding order from here on: position, row, what the mean has been moved by so far, step of the next pass. */
  order!: Uint32Array;
  sortedRow!: Int32Array;
  offset!: Float32Array;
  amplitude!: Float32Array;
  information!: Uint32Array;
  /** Encoder only. */
  sortedResidual!: Float32Array;
  metric!: Float32Array;

  reserve(n: number): void {
    if (n > this.size) this.grow(n);
  }

  private grow(n: number): void {
    const bump = new Bump();
    const fixed = fixedPlaces(bump);
    // The kernel for runs reads, but does not write, up to three numbers behind the last.
    const take = (bytes: number): number => bump.take(bytes * n + LINE);
    this.at = {
      ...fixed,
      mean: take(4),
      row: take(4),
      moved: take(4),
      shares: take(1),
      variances: take(2),
      compact: take(2),
      shuffle: take(4),
      order: take(4),
      sorted: take(4),
      offset: take(4),
      amplitude: take(4),
      information: take(4),
      bits: take(1),
      // The encoder's come last: what is not touched takes no memory.
      residual: take(4),
      sortedResidual: take(4),
      metric: take(4),
    };
    this.memory = kernelMemory(bump.end);
    compiled ??= compileKernel(wasm);
    this.kernel = instantiateKernel<StepKernel & WebAssembly.Exports>(compiled, this.memory);
    this.size = n;
    this.placed.shuffle = 0;
    this.placed.labels = 0;
    const floats = (at: number): Float32Array => new Float32Array(this.memory.buffer, at, n);
    const words = (at: number): Uint32Array => new Uint32Array(this.memory.buffer, at, n);
    this.mean = floats(this.at.mean);
    this.row = this.int32(this.at.row, n);
    this.moved = floats(this.at.moved);
    this.order = words(this.at.order);
    this.sortedRow = this.int32(this.at.sorted, n);
    this.offset = floats(this.at.offset);
    this.amplitude = floats(this.at.amplitude);
    this.information = words(this.at.information);
    this.residual = floats(this.at.residual);
    this.sortedResidual = floats(this.at.sortedResidual);
    this.metric = floats(this.at.metric);
  }

  /** The same workspace, of whose arrays by position only those of `count` coefficients are seen. */
  part(first: number, count: number): Workspace {
    const part = Object.create(this) as Workspace;
    const { mean, row, moved, residual } = this.at;
    const [end, skipped] = [first + count, 4 * first];
    part.at = {
      ...this.at,
      mean: mean + skipped,
      row: row + skipped,
      moved: moved + skipped,
      residual: residual + skipped,
    };
    part.mean = this.mean.subarray(first, end);
    part.row = this.row.subarray(first, end);
    part.moved = this.moved.subarray(first, end);
    part.residual = this.residual.subarray(first, end);
    return part;
  }

  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at, length);
  }

  int32(at: number, length: number): Int32Array {
    return new Int32Array(this.memory.buffer, at, length);
  }

  int16(at: number, length: number): Int16Array {
    return new Int16Array(this.memory.buffer, at, length);
  }

  float32(at: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, at, length);
  }

  float64(at: number, length: number): Float64Array {
    return new Float64Array(this.memory.buffer, at, length);
  }

  /** Puts the labels of signs, of the trellis with 2^nu states, where the kernels look for them. */
  placeLabels(nu: number): void {
    if (this.placed.labels === nu) return;
    this.bytes(this.at.labels, 2 ** (nu - 1)).set(labelTable(nu));
    this.placed.labels = nu;
  }

  /** Puts the shuffled order of n coefficients where the kernels look for it. */
  placeShuffle(n: number): void {
    if (this.placed.shuffle === n) return;
    this.kernel.shuffle(n, this.at.shuffle);
    this.placed.shuffle = n;
  }
}

let idle: Workspace | undefined;

/** A workspace that is nobody else's until it is given back: a step gives turns, in which another call may be at its own. */
export function takeWorkspace(): Workspace {
  const workspace = idle ?? new Workspace();
  idle = undefined;
  return workspace;
}

/** Keeps one for the next step. */
export function giveBack(workspace: Workspace): void {
  idle = workspace;
}
