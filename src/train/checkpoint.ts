/**
 * Checkpoints: JSON header, then the parameters, their running average (EMA) and the optimiser's two moments, each as
 * one flat array in the order of `parameterSpecs`, those that the header lists. A running training keeps all four in
 * float32, so that a resumed run is exact. For keeping and sharing `compact` stores the average alone, 16 bits a number
 * (bfloat16, the upper half of a float32); a training that goes on from it begins with that and with no moments.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { DcompError } from '../errors.js';
import type { Architecture } from '../model/architecture.js';
import { architectureFrom } from '../model/integer/check-model.js';
import { parameterPlaces, type FloatModel, type Statistics } from '../model/weights.js';
import { defined } from '../options.js';

export interface CheckpointState {
  architecture: Architecture;
  statistics: Statistics;
  /** Steps done. */
  step: number;
  /** Steps that the moments have seen. */
  moments: number;
  seed: number;
  /** Seconds trained so far, all runs. */
  seconds: number;
  /** Running means that the loss is balanced with. */
  balance: Record<string, [number, number]>;
  parameters: Float32Array;
  average: Float32Array;
  firstMoment: Float32Array;
  secondMoment: Float32Array;
  /** Of a discrete model. */
  discrete?: DiscretePart;
}

/** What a discrete model has besides its network; all others in a checkpoint are what its training goes on from. */
export interface DiscretePart {
  /** By token: coefficients, and sigma codes of what is left out of them. */
  centres: number[][];
  codes: number[][];
  /** From outputs to natural logits: by output a row, and biases; averaged. */
  average: [matrix: number[][], biases: number[]];
}

const MAGIC = 'dcomp-checkpoint-2\n';
const ARRAYS = ['parameters', 'average', 'firstMoment', 'secondMoment'] as const;
type ArrayName = (typeof ARRAYS)[number];

export function parameterCount(architecture: Architecture): number {
  return parameterPlaces(architecture).reduce((n, { length }) => n + length, 0);
}

/** @param compact the average alone, 16 bits a number */
export function checkpointBytes(state: CheckpointState, compact: boolean): Uint8Array {
  const { architecture, step, moments, seed, seconds, balance } = state;
  const arrays: readonly ArrayName[] = compact ? ['average'] : ARRAYS;
  const statistics = { prior: [...state.statistics.prior], inputScale: [...state.statistics.inputScale] };
  const discrete =
    state.discrete === undefined ? {} : { discrete: compact ? compactPart(state.discrete) : state.discrete };
  const told = { architecture, statistics, step, moments, seed, seconds, balance, arrays, compact, ...discrete };
  const header = JSON.stringify(told) + '\n';
  const parts: Uint8Array[] = [new TextEncoder().encode(MAGIC + header)];
  for (const name of arrays)
    parts.push(
      compact
        ? toBfloat16(state[name])
        : new Uint8Array(state[name].buffer, state[name].byteOffset, state[name].byteLength),
    );
  return Buffer.concat(parts);
}

/** The averaged numbers, as short as singles can be written. */
function compactPart({ centres, codes, average: [matrix, biases] }: DiscretePart): DiscretePart {
  const short = (row: number[]): number[] => row.map((value) => Number(value.toPrecision(6)));
  return { centres: centres.map(short), codes, average: [matrix.map(short), short(biases)] };
}

/** @throws DcompError E_IO */
export async function writeCheckpoint(file: string, state: CheckpointState): Promise<void> {
  const temporary = `${file}.tmp`;
  try {
    await writeFile(temporary, checkpointBytes(state, false));
    await rename(temporary, file);
  } catch (cause) {
    throw new DcompError('E_IO', `cannot write the checkpoint '${file}'`, { cause });
  }
}

/** @throws DcompError E_IO, E_DAMAGED_CHECKPOINT */
export async function readCheckpoint(file: string): Promise<CheckpointState> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new DcompError('E_IO', `cannot read the checkpoint '${file}'`, { cause });
  }
  const bad = (what: string): DcompError =>
    new DcompError('E_DAMAGED_CHECKPOINT', `'${file}' is not a whole checkpoint of this version: ${what}`);
  if (bytes.subarray(0, MAGIC.length).toString('latin1') !== MAGIC) throw bad('wrong first line');
  const end = bytes.indexOf(10, MAGIC.length);
  if (end < 0) throw bad('no header');
  let header: Header;
  try {
    header = JSON.parse(bytes.subarray(MAGIC.length, end).toString('utf8')) as typeof header;
    architectureFrom(header.architecture);
    for (const values of [header.statistics.prior, header.statistics.inputScale, header.arrays])
      if (!Array.isArray(values)) throw new TypeError();
    if (!header.arrays.includes('average')) throw new TypeError();
  } catch {
    throw bad('unreadable header');
  }
  const n = parameterCount(header.architecture);
  const width = header.compact ? 2 : 4;
  const expected = end + 1 + header.arrays.length * n * width;
  if (bytes.length !== expected) throw bad(`${bytes.length} bytes instead of ${expected}`);
  const arrays = new Map(
    header.arrays.map((name, i) => {
      const from = end + 1 + i * n * width;
      const copy = Uint8Array.prototype.slice.call(bytes, from, from + n * width);
      return [name, header.compact ? fromBfloat16(copy) : new Float32Array(copy.buffer)];
    }),
  );
  return stateOf(header, arrays, n);
}

interface Header extends Omit<CheckpointState, 'statistics' | ArrayName> {
  statistics: { prior: number[]; inputScale: number[] };
  arrays: ArrayName[];
  compact: boolean;
}

/** @param n numbers of an array */
function stateOf(header: Header, arrays: ReadonlyMap<ArrayName, Float32Array>, n: number): CheckpointState {
  const { architecture, step, seed, seconds, balance } = header;
  const average = arrays.get('average')!;
  return {
    architecture,
    statistics: {
      prior: Float32Array.from(header.statistics.prior),
      inputScale: Float32Array.from(header.statistics.inputScale),
    },
    step,
    moments: arrays.has('secondMoment') ? header.moments : 0,
    seed,
    seconds,
    balance,
    average,
    parameters: arrays.get('parameters') ?? average.slice(),
    firstMoment: arrays.get('firstMoment') ?? new Float32Array(n),
    secondMoment: arrays.get('secondMoment') ?? new Float32Array(n),
    ...defined({ discrete: header.discrete }),
  };
}

/** The averaged network of a checkpoint: what is validated, exported and used. */
export function floatModelOf(state: CheckpointState): FloatModel {
  const parameters = new Map<string, Float32Array>();
  for (const { name, offset, length } of parameterPlaces(state.architecture))
    parameters.set(name, state.average.slice(offset, offset + length));
  return { architecture: state.architecture, statistics: state.statistics, parameters };
}

function toBfloat16(values: Float32Array): Uint8Array {
  const source = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) {
    const bits = source[i]!;
    out[i] = (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16; // to nearest, ties to even
  }
  return new Uint8Array(out.buffer);
}

function fromBfloat16(bytes: Uint8Array): Float32Array {
  const source = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  const out = new Uint32Array(source.length);
  for (let i = 0; i < out.length; i++) out[i] = source[i]! << 16;
  return new Float32Array(out.buffer);
}
