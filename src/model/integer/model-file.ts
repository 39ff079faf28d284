/**
 * The model file `.dcm`. All numbers little-endian:
 *   bytes 0..7    magic: 0x89 'DCM' CR LF 0x1A LF. As in PNG: the first byte shows a transfer that cut the eighth bit, the
 *                 line ends one that changed them, 0x1A ends the output of `type` on old systems
 *   8..11         format version
 *   12..15        length of the whole file in bytes
 *   16..19        length of the header in bytes
 *   20..23        length of the arrays in bytes
 *   header        JSON in UTF-8: architecture, scale and bits of every tensor, and perhaps the table of qualities, the
 *                 id of the model whose path it has, the lengths of `shows` and `coarse`, and whether weights are relative
 *   arrays        floats (packed-floats.ts), how many follows from the header: statistics.prior, statistics.inputScale; by
 *                 layer in their order weightScale, bias; cond.w1, cond.b1, cond.w2, cond.b2
 *   weights       by layer in their order, in Rice codes (rice.ts); of a file inside perhaps relative to those of the file around
 *                 it (relative-weights.ts)
 *   shows         perhaps the model file of the network that shows, whole
 *   coarse        perhaps that of the network that measures levels ≥ 1
 *   last 32       SHA-256 of all bytes before; its first 4 bytes, in hexadecimal, are the model's id
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { concat } from '../../bytes.js';
import { bytesOf, defined } from '../../options.js';
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
import { packFloats, unpackFloats } from './packed-floats.js';
import { absoluteWeights, haveSameLayers, relativeWeights } from './relative-weights.js';
import { readRiceInPieces, writeRice } from './rice.js';

export const MODEL_FILE_VERSION = 1;
const FIXED = 24;
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
/** Floats of the arrays: 50 times those of `large`. What is packed could become more than memory has. */
const MAX_FLOATS = 1 << 22;

/** Everything in a model but its id, which is made from the rest. */
export type ModelContent = Omit<IntegerModel, 'id'>;

/**
 * @returns the file; the same model gives the same bytes
 * @throws DcompError E_DAMAGED_MODEL for a model that could not be read back
 */
export function writeModelFile(model: ModelContent): Uint8Array {
  checkModel(model);
  const inside = (held: IntegerModel | undefined): Uint8Array => {
    if (held === undefined) return new Uint8Array();
    checkModel(held);
    return written(held, NOTHING_HELD, model);
  };
  return written(model, { shows: inside(model.shows), coarse: inside(model.coarse) });
}

/** Files of other networks that a model file holds; empty where there is none. */
interface Held<T> {
  shows: T;
  coarse: T;
}

const NOTHING_HELD: Held<Uint8Array> = { shows: new Uint8Array(), coarse: new Uint8Array() };

/** @param base whose weights its own may be relative to */
function written(model: ModelContent, held: Held<Uint8Array>, base?: ModelContent): Uint8Array {
  // Taken through the reader's eyes, so that the order of an object's keys makes no difference.
  const architecture = architectureFrom(model.architecture);
  const quantised = architecture.tensors.filter(({ name }) => name !== OUTPUT_TENSOR);
  const scales = Object.fromEntries(
    quantised.map(({ name }) => [name, [model.tensors.get(name)!.scale, model.tensors.get(name)!.bits]]),
  );
  const quality = model.quality === undefined ? {} : { quality: qualityTableFrom(model.quality) };
  const straight = defined({ straight: model.straight });
  const path = model.path === undefined ? {} : { path: pathFrom(model.path) };
  const lengths = defined({ shows: held.shows.length || undefined, coarse: held.coarse.length || undefined });
  const { weights, ...relative } = writtenWeights({ ...model, architecture }, base);
  const content = { architecture, scales, ...quality, ...straight, ...path, ...lengths, ...relative };
  const header = new TextEncoder().encode(JSON.stringify(content));
  if (header.length > MAX_HEADER) damaged(`the header has ${header.length} bytes, more than ${MAX_HEADER}`);
  const arrays = packFloats(arraysOf(model));
  const start = new Uint8Array(FIXED);
  const view = new DataView(start.buffer);
  view.setUint32(16, header.length, true);
  view.setUint32(20, arrays.length, true);
  const bytes = concat([start, header, arrays, weights, held.shows, held.coarse, new Uint8Array(DIGEST)]);
  writeFrame(KIND, bytes);
  bytes.set(sha256(digestedPart(bytes)), bytes.length - DIGEST);
  return bytes;
}

/** The weights in Rice codes, relative where that is shorter. */
function writtenWeights(model: ModelContent, base: ModelContent | undefined): { weights: Uint8Array; relative?: true } {
  const weights = writeRice(model.architecture.layers.map(({ name }) => model.layers.get(name)!.weights));
  if (base === undefined || !haveSameLayers(base.architecture, model.architecture)) return { weights };
  const differences = relativeWeights(base, model);
  const relative = differences === undefined ? weights : writeRice(differences);
  return relative.length < weights.length ? { weights: relative, relative: true } : { weights };
}

/**
 * The id of a model file, of which no more is looked at than that it is one and whole.
 * @throws DcompError E_NOT_MODEL, E_VERSION, E_TRUNCATED or E_DAMAGED_MODEL
 */
export function idOfModelFile(bytes: Uint8Array): string {
  lengthsOf(bytes);
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
  return yield* readNetwork(bytes, digest, undefined);
}

/** @param coder the network of the file that this one lies in */
function* readNetwork(
  bytes: Uint8Array,
  digest: Uint8Array | undefined,
  coder: Omit<IntegerModel, 'shows' | 'coarse'> | undefined,
): Pieces<IntegerModel> {
  const lengths = lengthsOf(bytes);
  const found = digest ?? (yield* sha256InPieces(digestedPart(bytes)));
  if (bytesToHex(found) !== bytesToHex(bytes.subarray(bytes.length - DIGEST)))
    damaged('the checksum at the end does not fit the content');
  const arraysAt = FIXED + lengths.header;
  const { held, relative, ...header } = parseHeader(bytes.subarray(FIXED, arraysAt));
  const { architecture, tensors, ...settings } = header;
  if (held.shows + held.coarse > 0 && coder !== undefined) damaged(NOT_SINGLE);
  const base = relative ? baseOf(architecture, coder) : undefined;
  // Before anything is allocated: there is room for a bit for each weight that the header promises.
  const showsAt = bytes.length - DIGEST - held.coarse - held.shows;
  const coarseAt = showsAt + held.shows;
  const weightsAt = arraysAt + lengths.arrays;
  const weightCounts = architecture.layers.map((layer) =>
    weightShape(architecture, layer).reduce((product, length) => product * length, 1),
  );
  const least = weightsAt + weightCounts.reduce((sum, count) => sum + count, 0) / 8;
  if (least > showsAt) damaged(`its weights need ${Math.ceil(least)} bytes, but end at byte ${showsAt}`);
  const weights =
    (yield* readRiceInPieces(bytes.subarray(weightsAt, showsAt), weightCounts)) ??
    damaged(`its weights, from byte ${weightsAt} to ${showsAt}, are no Rice codes of ${weightCounts.length} layers`);
  const count = floatCount(architecture);
  if (count > MAX_FLOATS) damaged(`its arrays have ${count} numbers, more than ${MAX_FLOATS}`);
  const reader = new Taken(yield* unpackFloats(bytes.subarray(arraysAt, weightsAt), count));
  const { levels, hidden } = architecture.conditioning;
  const statistics = { prior: reader.floats(levels * COEFFICIENTS), inputScale: reader.floats(COEFFICIENTS) };
  const layers = new Map<string, IntegerLayer>();
  for (const [i, layer] of architecture.layers.entries()) {
    const cout = weightShape(architecture, layer)[3];
    const weightScale = reader.floats(cout);
    const beside = base?.layers.get(layer.name);
    const own = beside === undefined ? weights[i]! : absoluteWeights(beside, weightScale, weights[i]!);
    layers.set(layer.name, { weights: own, weightScale, bias: reader.floats(cout) });
    yield;
  }
  const modulation = conditioningLength(architecture);
  const w1 = reader.floats(conditioningFeatures(architecture.conditioning) * hidden);
  const b1 = reader.floats(hidden);
  const conditioning = { w1, b1, w2: reader.floats(hidden * modulation), b2: reader.floats(modulation) };
  const model = { id: modelId(bytes), architecture, statistics, tensors, layers, conditioning, ...settings };
  const whole = {
    ...model,
    ...defined({
      shows: yield* readHeld(bytes.subarray(showsAt, coarseAt), model),
      coarse: yield* readHeld(bytes.subarray(coarseAt, coarseAt + held.coarse), model),
    }),
  };
  yield* checkModelInPieces(whole);
  return whole;
}

/** @returns undefined where nothing is held */
function* readHeld(bytes: Uint8Array, coder: IntegerModel): Pieces<IntegerModel | undefined> {
  return bytes.length === 0 ? undefined : yield* readNetwork(bytes, undefined, coder);
}

/** The network that weights are relative to. @throws DcompError E_DAMAGED_MODEL where there is none of the same layers */
function baseOf<T extends Pick<IntegerModel, 'architecture'>>(architecture: Architecture, coder: T | undefined): T {
  if (coder === undefined || !haveSameLayers(coder.architecture, architecture))
    damaged('its weights are relative to those of another network, which is not there');
  return coder as T;
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

/** Checks magic, version and lengths. @returns the lengths of header and arrays */
function lengthsOf(bytes: Uint8Array): { header: number; arrays: number } {
  checkFrame(KIND, bytes, damaged);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [header, arrays] = [view.getUint32(16, true), view.getUint32(20, true)];
  if (header > MAX_HEADER || FIXED + header + arrays + DIGEST > bytes.length)
    damaged(`a header of ${header} bytes and arrays of ${arrays} do not fit`);
  return { header, arrays };
}

function parseHeader(bytes: Uint8Array): Pick<
  IntegerModel,
  'architecture' | 'tensors' | 'quality' | 'straight' | 'path'
> & {
  held: Held<number>;
  relative: boolean;
} {
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
  const { quality, straight, path, shows, coarse, relative } = header;
  if (straight !== undefined && typeof straight !== 'boolean') damaged('"straight" is neither true nor false');
  if (relative !== undefined && relative !== true) damaged('"relative" is not true');
  return {
    ...{ architecture, tensors },
    relative: relative === true,
    held: { shows: lengthFrom(shows, 'shows'), coarse: lengthFrom(coarse, 'coarse') },
    ...(quality === undefined ? {} : { quality: qualityTableFrom(quality) }),
    ...defined({ straight }),
    ...(path === undefined ? {} : { path: pathFrom(path) }),
  };
}

function lengthFrom(value: unknown, name: string): number {
  return value === undefined ? 0 : wholeNumber(value, `"${name}"`, 1, 2 ** 31);
}

function pathFrom(value: unknown): string {
  if (typeof value !== 'string' || !/^[0-9a-f]{8}$/.test(value)) damaged('"path" is no id of 8 hexadecimal digits');
  return value as string;
}

/** All floats of a model, in the order of the file. */
function arraysOf(model: ModelContent): Float32Array {
  const { statistics, conditioning } = model;
  const arrays = [statistics.prior, statistics.inputScale];
  for (const layer of model.architecture.layers) {
    const { weightScale, bias } = model.layers.get(layer.name)!;
    arrays.push(weightScale, bias);
  }
  arrays.push(conditioning.w1, conditioning.b1, conditioning.w2, conditioning.b2);
  const all = new Float32Array(floatCount(model.architecture));
  let at = 0;
  for (const array of arrays) {
    all.set(array, at);
    at += array.length;
  }
  return all;
}

/** How many they are for an architecture. */
function floatCount(architecture: Architecture): number {
  const { levels, hidden } = architecture.conditioning;
  const count = conditioningLength(architecture);
  const features = conditioningFeatures(architecture.conditioning);
  const channels = architecture.layers.reduce((sum, layer) => sum + weightShape(architecture, layer)[3], 0);
  return (levels + 1) * COEFFICIENTS + 2 * channels + features * hidden + hidden + hidden * count + count;
}

/** Floats taken one array after the other. */
class Taken {
  private at = 0;

  constructor(private readonly values: Float32Array) {}

  floats(length: number): Float32Array {
    this.at += length;
    return this.values.slice(this.at - length, this.at);
  }
}
