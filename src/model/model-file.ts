/**
 * The model file `.dcm`. All numbers little-endian:
 *   bytes 0..7    magic: 0x89 'DCM' CR LF 0x1A LF. As in PNG: the first byte shows a transfer that cut the eighth bit, the
 *                 line ends one that changed them, 0x1A ends the output of `type` on old systems
 *   8..11         format version
 *   12..15        length of the whole file in bytes
 *   16..19        length of the header in bytes
 *   header        JSON in UTF-8: architecture, and scale and bits of every tensor
 *   arrays        statistics.prior, statistics.inputScale (float32); by layer in their order: weights (int16),
 *                 weightScale, bias (float32); cond.w1, cond.b1, cond.w2, cond.b2 (float32). Lengths follow from the header
 *   last 32       SHA-256 of all bytes before; its first 8 bytes, in hexadecimal, are the model's id
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { DcompError } from '../errors.js';
import { COEFFICIENTS, conditioningFeatures, conditioningLength, weightShape, type Architecture } from './architecture.js';
import { OUTPUT_TENSOR } from './arithmetic.js';
import { architectureFrom, checkModel, damaged, fieldsOf, scaleFrom } from './check-model.js';
import type { IntegerLayer, IntegerModel, TensorScale } from './integer-model.js';

const MAGIC = Uint8Array.of(0x89, 0x44, 0x43, 0x4d, 0x0d, 0x0a, 0x1a, 0x0a);
export const MODEL_FILE_VERSION = 1;
const FIXED = 20;
const DIGEST = 32;
/** A header of the largest useful network has 100 kB. */
const MAX_HEADER = 1 << 20;

/** Everything in a model but its id, which is made from the rest. */
export type ModelContent = Omit<IntegerModel, 'id'>;

/**
 * @returns the file; the same model gives the same bytes
 * @throws DcompError E_DAMAGED_MODEL for a model that could not be read back
 */
export function writeModelFile(model: ModelContent): Uint8Array {
  checkModel(model);
  // Taken through the reader's eyes, so that the order of an object's keys makes no difference.
  const architecture = architectureFrom(model.architecture);
  const quantised = architecture.tensors.filter(({ name }) => name !== OUTPUT_TENSOR);
  const scales = Object.fromEntries(quantised.map(({ name }) => [name, [model.tensors.get(name)!.scale, model.tensors.get(name)!.bits]]));
  const header = new TextEncoder().encode(JSON.stringify({ architecture, scales }));
  if (header.length > MAX_HEADER) damaged(`the header has ${header.length} bytes, more than ${MAX_HEADER}`);
  const arrays = arraysOf(model);
  const length = FIXED + header.length + arrays.reduce((sum, array) => sum + array.byteLength, 0) + DIGEST;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(8, MODEL_FILE_VERSION, true);
  view.setUint32(12, length, true);
  view.setUint32(16, header.length, true);
  bytes.set(header, FIXED);
  let at = FIXED + header.length;
  for (const array of arrays) {
    // By DataView, as the order of bytes of the machine is unknown.
    for (let i = 0; i < array.length; i++, at += array.BYTES_PER_ELEMENT) {
      if (array instanceof Int16Array) view.setInt16(at, array[i]!, true);
      else view.setFloat32(at, array[i]!, true);
    }
  }
  bytes.set(sha256(bytes.subarray(0, at)), at);
  return bytes;
}

/** The id of a model file that is known to be intact. */
export function modelId(file: Uint8Array): string {
  return hex(file.subarray(file.length - DIGEST, file.length - DIGEST + 8));
}

/**
 * Reads a model file.
 * @throws DcompError E_NOT_MODEL, E_VERSION, E_TRUNCATED or E_DAMAGED_MODEL; no other error, whatever the bytes
 */
export function readModelFile(bytes: Uint8Array): IntegerModel {
  const headerLength = checkFrame(bytes);
  const { architecture, tensors } = parseHeader(bytes.subarray(FIXED, FIXED + headerLength));
  const end = bytes.length - DIGEST;
  const reader = new ArrayReader(bytes, FIXED + headerLength, end);
  // Before anything is allocated: the arrays that the header promises fill the file exactly.
  const expected = FIXED + headerLength + arrayBytes(architecture);
  if (expected !== end) damaged(`its arrays should end at byte ${expected}, but end at byte ${end}`);
  const { levels, hidden } = architecture.conditioning;
  const statistics = { prior: reader.floats(levels * COEFFICIENTS), inputScale: reader.floats(COEFFICIENTS) };
  const layers = new Map<string, IntegerLayer>();
  for (const layer of architecture.layers) {
    const [rows, columns, cin, cout] = weightShape(architecture, layer);
    const weights = reader.integers(rows * columns * cin * cout);
    layers.set(layer.name, { weights, weightScale: reader.floats(cout), bias: reader.floats(cout) });
  }
  const count = conditioningLength(architecture);
  const w1 = reader.floats(conditioningFeatures(architecture.conditioning) * hidden);
  const conditioning = { w1, b1: reader.floats(hidden), w2: reader.floats(hidden * count), b2: reader.floats(count) };
  const model = { id: modelId(bytes), architecture, statistics, tensors, layers, conditioning };
  checkModel(model);
  return model;
}

/** Magic, version, lengths and digest. @returns the length of the header */
function checkFrame(bytes: Uint8Array): number {
  if (bytes.length === 0) throw new DcompError('E_NOT_MODEL', 'model: the file is empty');
  for (let i = 0; i < Math.min(MAGIC.length, bytes.length); i++) {
    if (bytes[i] !== MAGIC[i]) throw new DcompError('E_NOT_MODEL', 'model: not a dcomp model file (.dcm): it begins with other bytes');
  }
  if (bytes.length < FIXED) throw truncated(bytes.length, FIXED);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(8, true);
  if (version !== MODEL_FILE_VERSION) {
    const advice = 'use a release of dcomp that fits the file';
    throw new DcompError('E_VERSION', `model: format version ${version}, but this release reads version ${MODEL_FILE_VERSION}; ${advice}`);
  }
  const length = view.getUint32(12, true);
  const headerLength = view.getUint32(16, true);
  if (length > bytes.length) throw truncated(bytes.length, length);
  if (length < bytes.length) damaged(`the file has ${bytes.length} bytes, but says ${length}`);
  if (headerLength > MAX_HEADER || FIXED + headerLength + DIGEST > length) damaged(`a header of ${headerLength} bytes does not fit`);
  const end = length - DIGEST;
  if (hex(sha256(bytes.subarray(0, end))) !== hex(bytes.subarray(end))) damaged('the checksum at the end does not fit the content');
  return headerLength;
}

function truncated(length: number, needed: number): DcompError {
  return new DcompError('E_TRUNCATED', `model: the file ends at byte ${length} of ${needed}; get it again`);
}

function parseHeader(bytes: Uint8Array): { architecture: Architecture; tensors: Map<string, TensorScale> } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    damaged('the header is not JSON');
  }
  const header = fieldsOf(parsed, 'the header');
  const architecture = architectureFrom(header['architecture']);
  const scales = fieldsOf(header['scales'], 'the list of scales');
  const tensors = new Map<string, TensorScale>();
  for (const { name } of architecture.tensors) {
    if (name !== OUTPUT_TENSOR) tensors.set(name, scaleFrom(Object.hasOwn(scales, name) ? scales[name] : undefined, name));
  }
  return { architecture, tensors };
}

/** All arrays of a model in the order of the file. */
function arraysOf(model: ModelContent): (Int16Array | Float32Array)[] {
  const { statistics, conditioning } = model;
  const arrays: (Int16Array | Float32Array)[] = [statistics.prior, statistics.inputScale];
  for (const layer of model.architecture.layers) {
    const { weights, weightScale, bias } = model.layers.get(layer.name)!;
    arrays.push(weights, weightScale, bias);
  }
  arrays.push(conditioning.w1, conditioning.b1, conditioning.w2, conditioning.b2);
  return arrays;
}

/** Bytes of all arrays of an architecture. */
function arrayBytes(architecture: Architecture): number {
  const { levels, hidden } = architecture.conditioning;
  const count = conditioningLength(architecture);
  const features = conditioningFeatures(architecture.conditioning);
  let bytes = 4 * (levels + 1) * COEFFICIENTS + 4 * (features * hidden + hidden + hidden * count + count);
  for (const layer of architecture.layers) {
    const [rows, columns, cin, cout] = weightShape(architecture, layer);
    bytes += 2 * rows * columns * cin * cout + 8 * cout;
  }
  return bytes;
}

class ArrayReader {
  private readonly view: DataView;
  private at = 0;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
  }

  floats(length: number): Float32Array {
    const values = new Float32Array(length);
    for (let i = 0; i < length; i++, this.at += 4) values[i] = this.view.getFloat32(this.at, true);
    return values;
  }

  integers(length: number): Int16Array {
    const values = new Int16Array(length);
    for (let i = 0; i < length; i++, this.at += 2) values[i] = this.view.getInt16(this.at, true);
    return values;
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
