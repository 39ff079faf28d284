/** Writes class files: see class-file.ts for the format. */
import { sha256 } from '@noble/hashes/sha2.js';
import { hexToBytes } from '@noble/hashes/utils.js';
import { CLASS_FILE, type DenseLayer, type RootStatistics } from './class-file.js';
import { DIGEST, writeFrame } from './file-frame.js';

/** Most of a number of a table, and of a weight. */
const TABLE_MOST = 127;
const WEIGHT_MOST = 32767;
/** Scale of numbers that are all 0. */
const LEAST_SCALE = 1e-12;

/** What a class file is made of. */
export interface ClassParts {
  /** Id of the model that it is for. */
  model: string;
  levels: number;
  /** By class. */
  roots: readonly RootStatistics[];
  /** What is added to a gamma or beta: level · classes + class, then by gamma or beta. */
  table: readonly Float64Array[];
  /** Of the classifier, in their order. */
  layers: readonly DenseLayer[];
}

/** The bytes of a class file; numbers are rounded as the format has them. */
export function writeClassFile({ model, levels, roots, table, layers }: ClassParts): Uint8Array<ArrayBuffer> {
  const head = [levels, roots.length, table[0]!.length, ...layers.slice(0, -1).map(({ outputs }) => outputs)];
  const parts = [
    hexToBytes(model),
    bytesOfNumbers(Uint16Array, head),
    ...roots.map(({ mean, deviation }) =>
      bytesOfNumbers(
        Float32Array,
        [...mean].flatMap((value, c) => [value, deviation[c]!]),
      ),
    ),
    ...tableParts(table),
    ...layers.flatMap(layerParts),
  ];
  const start = CLASS_FILE.magic.length + 8;
  const length = parts.reduce((sum, part) => sum + part.length, start) + DIGEST;
  const bytes = new Uint8Array(length);
  writeFrame(CLASS_FILE, bytes);
  let at = start;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  bytes.set(sha256(bytes.subarray(0, at)), at);
  return bytes;
}

/** By column a scale, and whole numbers. */
function tableParts(table: readonly Float64Array[]): Uint8Array[] {
  const scales = [...table[0]!].map((_, k) => scaleOf(TABLE_MOST, (most) => table.forEach((row) => most(row[k]!))));
  const numbers = table.map((row) =>
    bytesOfNumbers(
      Int8Array,
      [...row].map((value, k) => Math.round(value / scales[k]!)),
    ),
  );
  return [bytesOfNumbers(Float32Array, scales), ...numbers];
}

function layerParts({ weights, bias }: DenseLayer): Uint8Array[] {
  const scale = scaleOf(WEIGHT_MOST, (most) => weights.forEach(most));
  return [
    bytesOfNumbers(Float32Array, [scale]),
    bytesOfNumbers(
      Int16Array,
      [...weights].map((value) => Math.round(value / scale)),
    ),
    bytesOfNumbers(Float32Array, [...bias]),
  ];
}

/** A float32 by which all numbers that are told become whole ones of at most so much. */
function scaleOf(largest: number, tell: (most: (value: number) => void) => void): number {
  let found = LEAST_SCALE * largest;
  tell((value) => (found = Math.max(found, Math.abs(value))));
  return Math.fround(found / largest);
}

/** Little-endian. */
function bytesOfNumbers(
  Kind: typeof Uint16Array | typeof Float32Array | typeof Int8Array | typeof Int16Array,
  values: readonly number[],
): Uint8Array {
  const view = new DataView(new ArrayBuffer(Kind.BYTES_PER_ELEMENT * values.length));
  values.forEach((value, i) => {
    if (Kind === Float32Array) view.setFloat32(4 * i, value, true);
    else if (Kind === Int8Array) view.setInt8(i, value);
    else view.setUint16(2 * i, value, true);
  });
  return new Uint8Array(view.buffer);
}
