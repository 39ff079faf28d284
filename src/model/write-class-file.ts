/** Writes class files: see class-file.ts for the format. */
import { hexToBytes } from '@noble/hashes/utils.js';
import { CLASS_FILE, type DenseLayer, type RootStatistics } from './class-file.js';
import { bytesOfNumbers, framed, layerParts, scaleOf } from './write-numbers.js';

/** Most of a number of a table. */
const TABLE_MOST = 127;

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
  return framed(CLASS_FILE, parts);
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
