/**
 * The class file `.dcc`: what a finished model is told of classes of pictures, and a classifier of them. All numbers
 * little-endian:
 *   bytes 0..7    magic: 0x89 'DCC' CR LF 0x1A LF, as that of model files
 *   8..11         format version
 *   12..15        length of the whole file in bytes
 *   16..19        id of the model
 *   20..31        16 bits each: levels L, classes N, gammas and betas M, and of the classifier the channels behind the
 *                 first layer A and the second B, and the hidden ones H
 *   roots         float32 [N × 3 × 2]: by class and colour mean and standard deviation of LL at the coarsest level
 *   table         float32 [M] scales, then int8 [L × N × M]: number · scale of its column is added to a gamma or beta
 *   classifier    four layers, 48 → A, 4A → B, 25 + A + B + L → H, H → N: a scale (float32), weights [in × out] (int16),
 *                 biases (float32)
 *   last 32       SHA-256 of all bytes before
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { DcompError } from '../errors.js';
import { bytesOf } from '../options.js';
import { COEFFICIENTS, conditioningLength } from './architecture.js';
import { checkFrame, DIGEST, magicOf, type FileKind } from './file-frame.js';
import { MODEL_ID_BYTES, type IntegerModel } from './integer/integer-model.js';
import { layerBytes, NumberReader, type DenseLayer } from './number-reader.js';

export type { DenseLayer } from './number-reader.js';

const FIXED = 32;
/** Class files. */
export const CLASS_FILE: FileKind = {
  name: 'class file',
  file: 'class file (.dcc)',
  magic: magicOf('DCC'),
  version: 1,
  fixed: FIXED,
};
const COLOURS = COEFFICIENTS / 4;
/** What a classifier foresees from besides channels: 2 · 12 of the coefficients themselves, and log-sigma. */
export const OWN_FEATURES = 2 * COEFFICIENTS + 1;

/** LL of the coarsest level by colour. */
export interface RootStatistics {
  mean: Float64Array;
  deviation: Float64Array;
}

/** Classes of pictures that a model is told apart. */
export interface ClassFile {
  /** Of the model that it belongs to. */
  model: string;
  levels: number;
  classes: number;
  /** Of a class at a level, `Condition.shift`; coarser levels share the last. The same array for the same arguments. */
  shift(level: number, wanted: number): Float64Array;
  root(wanted: number): RootStatistics;
  /** The classifier's, in their order; see src/restore/classifier.ts. */
  layers: readonly [DenseLayer, DenseLayer, DenseLayer, DenseLayer];
}

function damaged(problem: string): never {
  throw new DcompError('E_DAMAGED_MODEL', `class file: ${problem}; get the file again or make it anew`);
}

/**
 * Reads a class file.
 * @throws DcompError E_NOT_MODEL, E_VERSION, E_TRUNCATED or E_DAMAGED_MODEL; no other error, whatever the bytes; E_USAGE for what are none
 */
export function readClassFile(given: Uint8Array): ClassFile {
  const bytes = bytesOf(given, 'the class file');
  checkFrame(CLASS_FILE, bytes, damaged);
  if (bytes.length < FIXED + DIGEST) damaged(`it has ${bytes.length} bytes, too few for a digest`);
  const end = bytes.length - DIGEST;
  if (bytesToHex(sha256(bytes.subarray(0, end))) !== bytesToHex(bytes.subarray(end)))
    damaged('the checksum at the end does not fit the content');
  const reader = new NumberReader(bytes, FIXED - 12, damaged);
  const [levels, classes, count, first, second, hidden] = Array.from({ length: 6 }, () => reader.whole()) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (Math.min(levels, classes, first, second, hidden) < 1) damaged('it has a size of 0');
  const shapes = [
    [4 * COEFFICIENTS, first],
    [4 * first, second],
    [OWN_FEATURES + first + second + levels, hidden],
    [hidden, classes],
  ] as const;
  // Before anything is allocated.
  const inLayers = shapes.reduce((sum, [inputs, outputs]) => sum + layerBytes(inputs, outputs), 0);
  const length = FIXED + 8 * COLOURS * classes + 4 * count + levels * classes * count + inLayers + DIGEST;
  if (length !== bytes.length) damaged(`it has ${bytes.length} bytes, but its sizes need ${length}`);
  const roots = Array.from({ length: classes }, () => rootFrom(reader));
  const scales = reader.floats(count, 0);
  const numbers = reader.bytes(levels * classes * count);
  const layers = shapes.map(([inputs, outputs]) => reader.layer(inputs, outputs));
  const kept = new Map<number, Float64Array>();
  return {
    model: bytesToHex(bytes.subarray(16, 16 + MODEL_ID_BYTES)),
    levels,
    classes,
    shift(level, wanted) {
      const place = Math.min(level, levels - 1) * classes + wanted;
      let shift = kept.get(place);
      if (shift === undefined) kept.set(place, (shift = scales.map((scale, k) => scale * numbers[place * count + k]!)));
      return shift;
    },
    root: (wanted) => roots[wanted]!,
    layers: layers as [DenseLayer, DenseLayer, DenseLayer, DenseLayer],
  };
}

function rootFrom(reader: NumberReader): RootStatistics {
  const [mean, deviation] = [new Float64Array(COLOURS), new Float64Array(COLOURS)];
  for (let c = 0; c < COLOURS; c++) {
    mean.set(reader.floats(1), c);
    deviation.set(reader.floats(1, 0), c);
  }
  return { mean, deviation };
}

/**
 * The classes of a model.
 * @throws DcompError E_OTHER_MODEL where the file belongs to another one, E_DAMAGED_MODEL where it does not fit it
 */
export function checkClassFile({ id, architecture }: IntegerModel, file: ClassFile): void {
  if (file.model !== id)
    throw new DcompError(
      'E_OTHER_MODEL',
      `the class file belongs to the model ${file.model}, not to ${id}; give the one that was made for it`,
    );
  const count = conditioningLength(architecture);
  const { levels } = architecture.conditioning;
  if (file.shift(0, 0).length !== count || file.levels !== levels)
    damaged(
      `it is for ${file.levels} levels of ${file.shift(0, 0).length} gammas and betas, its model has ${levels} of ${count}`,
    );
}
