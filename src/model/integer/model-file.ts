/**
 * The model file `.dcm`. All numbers little-endian:
 *   bytes 0..7    magic: 0x89 'DCM' CR LF 0x1A LF. As in PNG: the first byte shows a transfer that cut the eighth bit, the
 *                 line ends one that changed them, 0x1A ends the output of `type` on old systems
 *   8..11         format version
 *   12..15        length of the whole file in bytes
 *   16..19        length of the header in bytes
 *   header        JSON in UTF-8: architecture, scale and bits of every tensor, and perhaps the table of qualities, the
 *                 id of the model whose path it has, and the length of `shows`
 *   arrays        float32, lengths follow from the header: statistics.prior, statistics.inputScale; by layer in their
 *                 order weightScale, bias; cond.w1, cond.b1, cond.w2, cond.b2
 *   weights       by layer in their order, in Rice codes (rice.ts)
 *   shows         perhaps the model file of the network that shows, whole
 *   last 32       SHA-256 of all bytes before; its first 4 bytes, in hexadecimal, are the model's id
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { bytesOf } from '../../options.js';
import { finish, type Pieces } from '../../turns.js';
import {
  COEFFICIENTS,
  conditioningFeatures,
  conditioningLength,
  weightShape,
  type Architecture,
} from '../architecture.js';
import { checkFrame, DIGEST, magicOf, writeFrame, type FileKind } from '../file-frame.js';
import { OUTPUT_TENSOR } from './arithmetic.js';
import {
  NOT_SINGLE,
  architectureFrom,
  checkModel,
  checkModelInPieces,
  damaged,
  fieldsOf,
  qualityTableFrom,
  scaleFrom,
  wholeNumber,
} from './check-model.js';
import { MODEL_ID_BYTES, type IntegerLayer, type IntegerModel, type TensorScale } from './integer-model.js';
import { readRiceInPieces, writeRice } from './rice.js';

export const MODEL_FILE_VERSION = 1;
const FIXED = 20;
const KIND: FileKind = {
  name: 'model',
  file: 'model file (.dcm)',
  magic: magicOf('DCM'),
  version: MODEL_FILE_VERSION,
  fixed: FIXED,
};
/** Bytes that are hashed in a piece. */
const HASHED_AT_ONCE = 2 ** 20;
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
  const scales = Object.fromEntries(
    quantised.map(({ name }) => [name, [model.tensors.get(name)!.scale, model.tensors.get(name)!.bits]]),
  );
  const quality = model.quality === undefined ? {} : { quality: qualityTableFrom(model.quality) };
  const straight = model.straight === undefined ? {} : { straight: model.straight };
  const path = model.path === undefined ? {} : { path: pathFrom(model.path) };
  const { shows: shower } = model;
  const held = shower === undefined ? new Uint8Array() : writeModelFile(shower);
  const shows = held.length === 0 ? {} : { shows: held.length };
  const content = { architecture, scales, ...quality, ...straight, ...path, ...shows };
  const header = new TextEncoder().encode(JSON.stringify(content));
  if (header.length > MAX_HEADER) damaged(`the header has ${header.length} bytes, more than ${MAX_HEADER}`);
  const arrays = arraysOf(model);
  const weights = writeRice(architecture.layers.map(({ name }) => model.layers.get(name)!.weights));
  const length = FIXED + header.length + arrayBytes(architecture) + weights.length + held.length + DIGEST;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  writeFrame(KIND, bytes);
  view.setUint32(16, header.length, true);
  bytes.set(header, FIXED);
  let at = FIXED + header.length;
  for (const array of arrays) {
    // By DataView, as the order of bytes of the machine is unknown.
    for (let i = 0; i < array.length; i++, at += 4) view.setFloat32(at, array[i]!, true);
  }
  bytes.set(weights, at);
  at += weights.length;
  bytes.set(held, at);
  at += held.length;
  bytes.set(sha256(bytes.subarray(0, at)), at);
  return bytes;
}

/**
 * The id of a model file, of which no more is looked at than that it is one and whole.
 * @throws DcompError E_NOT_MODEL, E_VERSION, E_TRUNCATED or E_DAMAGED_MODEL
 */
export function idOfModelFile(bytes: Uint8Array): string {
  headerLengthOf(bytes);
  return modelId(bytes);
}

/** The id of a model file that is known to be intact. */
export function modelId(file: Uint8Array): string {
  return bytesToHex(file.subarray(file.length - DIGEST, file.length - DIGEST + MODEL_ID_BYTES));
}

/**
 * Reads a model file.
 * @throws DcompError E_NOT_MODEL, E_VERSION, E_TRUNCATED or E_DAMAGED_MODEL; no other error, whatever the bytes; E_USAGE for what are none
 */
export function readModelFile(bytes: Uint8Array): IntegerModel {
  return finish(readModelFileInPieces(bytesOf(bytes, 'the model file')));
}

/**
 * As `readModelFile`.
 * @param digest SHA-256 of `digestedPart`, where the platform has it at hand sooner
 */
export function* readModelFileInPieces(bytes: Uint8Array, digest?: Uint8Array): Pieces<IntegerModel> {
  return yield* readPair(bytes, digest, true);
}

/** @param mayBePair whether it may be of two networks */
function* readPair(bytes: Uint8Array, digest: Uint8Array | undefined, mayBePair: boolean): Pieces<IntegerModel> {
  const headerLength = headerLengthOf(bytes);
  const found = digest ?? (yield* sha256InPieces(digestedPart(bytes)));
  if (bytesToHex(found) !== bytesToHex(bytes.subarray(bytes.length - DIGEST)))
    damaged('the checksum at the end does not fit the content');
  const { held, ...header } = parseHeader(bytes.subarray(FIXED, FIXED + headerLength));
  const { architecture, tensors, ...settings } = header;
  if (held > 0 && !mayBePair) damaged(NOT_SINGLE);
  // Before anything is allocated: there is room for the arrays that the header promises, and for a bit for each weight.
  const end = bytes.length - DIGEST - held;
  const weightsAt = FIXED + headerLength + arrayBytes(architecture);
  const weightCounts = architecture.layers.map((layer) =>
    weightShape(architecture, layer).reduce((product, length) => product * length, 1),
  );
  const least = weightsAt + weightCounts.reduce((sum, count) => sum + count, 0) / 8;
  if (least > end) damaged(`its arrays need ${Math.ceil(least)} bytes, but end at byte ${end}`);
  const weights =
    (yield* readRiceInPieces(bytes.subarray(weightsAt, end), weightCounts)) ??
    damaged(`its weights, from byte ${weightsAt} to ${end}, are no Rice codes of ${weightCounts.length} layers`);
  const reader = new FloatReader(bytes, FIXED + headerLength);
  const { levels, hidden } = architecture.conditioning;
  const statistics = { prior: reader.floats(levels * COEFFICIENTS), inputScale: reader.floats(COEFFICIENTS) };
  const layers = new Map<string, IntegerLayer>();
  for (const [i, layer] of architecture.layers.entries()) {
    const cout = weightShape(architecture, layer)[3];
    layers.set(layer.name, { weights: weights[i]!, weightScale: reader.floats(cout), bias: reader.floats(cout) });
  }
  const count = conditioningLength(architecture);
  const w1 = reader.floats(conditioningFeatures(architecture.conditioning) * hidden);
  const conditioning = { w1, b1: reader.floats(hidden), w2: reader.floats(hidden * count), b2: reader.floats(count) };
  const shows = held === 0 ? {} : { shows: yield* readPair(bytes.subarray(end, end + held), undefined, false) };
  const model = { id: modelId(bytes), architecture, statistics, tensors, layers, conditioning, ...settings, ...shows };
  yield* checkModelInPieces(model);
  return model;
}

/** What of a model file its digest is made of. */
export function digestedPart(file: Uint8Array): Uint8Array {
  return file.subarray(0, Math.max(0, file.length - DIGEST));
}

/** SHA-256 with turns in between. */
export function* sha256InPieces(bytes: Uint8Array): Pieces<Uint8Array> {
  const hash = sha256.create();
  for (let at = 0; at < bytes.length; at += HASHED_AT_ONCE) {
    hash.update(bytes.subarray(at, at + HASHED_AT_ONCE));
    yield;
  }
  return hash.digest();
}

/** Magic, version and lengths. @returns the length of the header */
function headerLengthOf(bytes: Uint8Array): number {
  checkFrame(KIND, bytes, damaged);
  const headerLength = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(16, true);
  if (headerLength > MAX_HEADER || FIXED + headerLength + DIGEST > bytes.length)
    damaged(`a header of ${headerLength} bytes does not fit`);
  return headerLength;
}

function parseHeader(
  bytes: Uint8Array,
): Pick<IntegerModel, 'architecture' | 'tensors' | 'quality' | 'straight' | 'path'> & { held: number } {
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
    if (name !== OUTPUT_TENSOR)
      tensors.set(name, scaleFrom(Object.hasOwn(scales, name) ? scales[name] : undefined, name));
  }
  const { quality, straight, path, shows } = header;
  if (straight !== undefined && typeof straight !== 'boolean') damaged('"straight" is neither true nor false');
  return {
    ...{ architecture, tensors },
    held: shows === undefined ? 0 : wholeNumber(shows, '"shows"', 1, 2 ** 31),
    ...(quality === undefined ? {} : { quality: qualityTableFrom(quality) }),
    ...(straight === undefined ? {} : { straight }),
    ...(path === undefined ? {} : { path: pathFrom(path) }),
  };
}

function pathFrom(value: unknown): string {
  if (typeof value !== 'string' || !/^[0-9a-f]{8}$/.test(value)) damaged('"path" is no id of 8 hexadecimal digits');
  return value as string;
}

/** All arrays of a model but the weights, in the order of the file. */
function arraysOf(model: ModelContent): Float32Array[] {
  const { statistics, conditioning } = model;
  const arrays = [statistics.prior, statistics.inputScale];
  for (const layer of model.architecture.layers) {
    const { weightScale, bias } = model.layers.get(layer.name)!;
    arrays.push(weightScale, bias);
  }
  arrays.push(conditioning.w1, conditioning.b1, conditioning.w2, conditioning.b2);
  return arrays;
}

/** Their bytes for an architecture. */
function arrayBytes(architecture: Architecture): number {
  const { levels, hidden } = architecture.conditioning;
  const count = conditioningLength(architecture);
  const features = conditioningFeatures(architecture.conditioning);
  const channels = architecture.layers.reduce((sum, layer) => sum + weightShape(architecture, layer)[3], 0);
  return 4 * ((levels + 1) * COEFFICIENTS + 2 * channels + features * hidden + hidden + hidden * count + count);
}

class FloatReader {
  private readonly view: DataView;

  constructor(
    bytes: Uint8Array,
    private at: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  floats(length: number): Float32Array {
    const values = new Float32Array(length);
    for (let i = 0; i < length; i++, this.at += 4) values[i] = this.view.getFloat32(this.at, true);
    return values;
  }
}
