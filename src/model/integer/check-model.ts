/**
 * Checks of a network that comes from outside: whatever passes can be evaluated by any engine without overflow, NaN or
 * access out of bounds. Every complaint is a `DcompError` E_DAMAGED_MODEL.
 */
import { DcompError } from '../../errors.js';
import {
  COEFFICIENTS,
  INPUT_CHANNELS,
  OUTPUT_CHANNELS,
  conditioningFeatures,
  conditioningLength,
  weightShape,
  type Architecture,
  type ConditioningSpec,
  type Layer,
  type TensorSpec,
} from '../architecture.js';
import { INPUT_TENSOR, MAX_BITS, MIN_BITS, OUTPUT_TENSOR, WEIGHT_LIMIT, sumLimit } from './arithmetic.js';
import { LAST_CODE, MAX_FIRST_CODE } from '../../format.js';
import { finish, type Pieces } from '../../turns.js';
import type { IntegerModel, QualityTable, TensorScale } from './integer-model.js';

/** Bounds of what is taken for a network: far above anything useful, low enough that no size computed from them overflows. */
const MAX_LAYERS = 1000;
const MAX_CHANNELS = 4096;
const MAX_SCALE = 8;
const MAX_LEVELS = 32;
const MAX_HIDDEN = 4096;
const MAX_CLASSES = 4096;
const MAX_NAME = 100;
/** Magnitudes: scales within 2^±40, biases and conditioning weights within 2^20; products of a few stay in double range. */
const MAX_MAGNITUDE = 2 ** 20;
export const MAX_SCALE_FACTOR = 2 ** 40;

/** Throws E_DAMAGED_MODEL. */
export function damaged(problem: string): never {
  throw new DcompError('E_DAMAGED_MODEL', `model: ${problem}; get the model file again or export it anew`);
}

type Fields = Record<string, unknown>;

export function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) damaged(`${what} is not an object`);
  return value as Fields;
}

function listOf(value: unknown, what: string, atMost: number): unknown[] {
  if (!Array.isArray(value)) damaged(`${what} is not a list`);
  if (value.length > atMost) damaged(`${what} has ${value.length} entries, more than ${atMost}`);
  return value as unknown[];
}

function nameOf(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '' || value.length > MAX_NAME)
    damaged(`${what} is not a name of 1 to ${MAX_NAME} characters`);
  return value as string;
}

export function wholeNumber(value: unknown, what: string, from: number, to: number): number {
  if (!Number.isInteger(value) || (value as number) < from || (value as number) > to) {
    damaged(`${what} is ${JSON.stringify(value)}, not a whole number from ${from} to ${to}`);
  }
  return value as number;
}

function truth(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') damaged(`${what} is not true or false`);
  return value as boolean;
}

/** Reads an architecture from parsed JSON: shape, names, grids and channels of every layer agree afterwards. */
export function architectureFrom(value: unknown): Architecture {
  const fields = fieldsOf(value, 'the architecture');
  const conditioning = fieldsOf(fields['conditioning'], 'the conditioning');
  const architecture: Architecture = {
    name: nameOf(fields['name'], 'the name of the architecture'),
    tensors: listOf(fields['tensors'], 'the list of tensors', MAX_LAYERS + 1).map(tensorFrom),
    layers: listOf(fields['layers'], 'the list of layers', MAX_LAYERS).map(layerFrom),
    conditioning: conditioningFrom(conditioning),
  };
  checkArchitecture(architecture);
  return architecture;
}

function conditioningFrom(fields: Fields): ConditioningSpec {
  const spec: ConditioningSpec = {
    levels: wholeNumber(fields['levels'], 'the number of levels', 1, MAX_LEVELS),
    hidden: wholeNumber(fields['hidden'], 'the hidden width of the conditioning', 1, MAX_HIDDEN),
  };
  if (fields['sigma'] !== undefined) spec.sigma = truth(fields['sigma'], "'sigma' of the conditioning");
  if (fields['classes'] !== undefined)
    spec.classes = wholeNumber(fields['classes'], 'the number of classes', 0, MAX_CLASSES);
  return spec;
}

function tensorFrom(value: unknown, index: number): TensorSpec {
  const fields = fieldsOf(value, `tensor ${index}`);
  return {
    name: nameOf(fields['name'], `the name of tensor ${index}`),
    channels: wholeNumber(fields['channels'], `the channel count of tensor ${index}`, 1, MAX_CHANNELS),
    scale: wholeNumber(fields['scale'], `the scale of tensor ${index}`, 0, MAX_SCALE),
  };
}

function layerFrom(value: unknown, index: number): Layer {
  const fields = fieldsOf(value, `layer ${index}`);
  const kind = fields['kind'];
  if (kind !== 'conv3x3' && kind !== 'down2x2' && kind !== 'up2x2')
    damaged(`layer ${index} is of unknown kind ${JSON.stringify(kind)}`);
  const layer: Layer = {
    name: nameOf(fields['name'], `the name of layer ${index}`),
    kind: kind as Layer['kind'],
    from: nameOf(fields['from'], `the input of layer ${index}`),
    to: nameOf(fields['to'], `the output of layer ${index}`),
    relu: truth(fields['relu'], `'relu' of layer ${index}`),
    conditioned: truth(fields['conditioned'], `'conditioned' of layer ${index}`),
  };
  if (fields['add'] !== undefined) layer.add = nameOf(fields['add'], `the skip connection of layer ${index}`);
  return layer;
}

/** Throws E_DAMAGED_MODEL unless the layers form a network that can be evaluated in their order. */
function checkArchitecture(architecture: Architecture): void {
  const tensors = new Map(architecture.tensors.map((tensor) => [tensor.name, tensor]));
  if (tensors.size !== architecture.tensors.length) damaged('two tensors have the same name');
  if (new Set(architecture.layers.map((layer) => layer.name)).size !== architecture.layers.length)
    damaged('two layers have the same name');
  checkEnd(tensors.get(INPUT_TENSOR), INPUT_TENSOR, INPUT_CHANNELS);
  checkEnd(tensors.get(OUTPUT_TENSOR), OUTPUT_TENSOR, OUTPUT_CHANNELS);
  const computed = new Set([INPUT_TENSOR]);
  for (const layer of architecture.layers) {
    const place = `layer '${layer.name}'`;
    if (!computed.has(layer.from)) damaged(`${place} reads '${layer.from}' before it is computed`);
    if (layer.add !== undefined && !computed.has(layer.add))
      damaged(`${place} adds '${layer.add}' before it is computed`);
    if (computed.has(OUTPUT_TENSOR)) damaged(`${place} comes after the output`);
    if (computed.has(layer.to)) damaged(`${place} computes '${layer.to}' a second time`);
    const from = tensors.get(layer.from)!;
    const to = tensors.get(layer.to);
    if (to === undefined) return damaged(`${place} computes an unknown tensor '${layer.to}'`);
    const step = layer.kind === 'conv3x3' ? 0 : layer.kind === 'down2x2' ? 1 : -1;
    if (to.scale !== from.scale + step) damaged(`${place} joins grids that its kind does not join`);
    const skip = layer.add === undefined ? to : tensors.get(layer.add)!;
    if (skip.scale !== to.scale || skip.channels !== to.channels) damaged(`${place} adds a tensor of another shape`);
    if (layer.to === OUTPUT_TENSOR && (layer.kind !== 'conv3x3' || layer.relu || layer.add !== undefined)) {
      damaged(`${place} is the last and must be a plain conv3x3`);
    }
    computed.add(layer.to);
  }
  if (computed.size !== tensors.size) damaged('a tensor is never computed');
}

function checkEnd(tensor: TensorSpec | undefined, name: string, channels: number): void {
  if (tensor === undefined) damaged(`there is no tensor '${name}'`);
  else if (tensor.channels !== channels || tensor.scale !== 0)
    damaged(`tensor '${name}' is not of ${channels} channels at scale 0`);
}

/** Most entries of a table of qualities, and the highest that it may begin with: those below are coarser levels. */
const MAX_QUALITIES = 100;
const MOST_FIRST_QUALITY = 30;

/** A table of qualities from parsed JSON. */
export function qualityTableFrom(value: unknown): QualityTable {
  const table = listOf(value, 'the table of qualities', MAX_QUALITIES).map((entry, i): [number, number] => {
    const pair = listOf(entry, `entry ${i} of the table of qualities`, 2);
    const quality = pair[0];
    if (typeof quality !== 'number' || !(quality >= 1 && quality <= 100))
      damaged(`quality ${i} is ${JSON.stringify(quality)}, not a number from 1 to 100`);
    return [quality as number, wholeNumber(pair[1], `the code of quality ${i}`, LAST_CODE, MAX_FIRST_CODE)];
  });
  checkQualityTable(table);
  return table;
}

/** Throws E_DAMAGED_MODEL unless qualities rise to 100, and codes fall. */
function checkQualityTable(table: QualityTable): void {
  const [first, last] = [table[0], table.at(-1)];
  if (first === undefined || last === undefined || first[0] > MOST_FIRST_QUALITY || last[0] !== 100)
    damaged(`the table of qualities does not go from at most ${MOST_FIRST_QUALITY} to 100`);
  for (let i = 1; i < table.length; i++) {
    if (!(table[i]![0] > table[i - 1]![0] && table[i]![1] <= table[i - 1]![1]))
      damaged(`entry ${i} of the table of qualities does not follow on the one before: qualities rise, codes fall`);
  }
}

/** A tensor's scale from parsed JSON [scale, bits]. */
export function scaleFrom(value: unknown, tensor: string): TensorScale {
  const pair = listOf(value, `the scale of tensor '${tensor}'`, 2);
  return { scale: pair[0] as number, bits: pair[1] as number };
}

/** Two networks make a model at most, and one that shows for another model is no pair. */
export const NOT_SINGLE = 'a network of two that make a model is two itself';

/**
 * Checks a whole model: architecture, lengths, ranges, and that no sum can leave int32.
 * @throws DcompError E_DAMAGED_MODEL
 */
export function checkModel(model: Omit<IntegerModel, 'id'>): void {
  finish(checkModelInPieces(model));
}

/** As `checkModel`. */
export function* checkModelInPieces(model: Omit<IntegerModel, 'id'>): Pieces<void> {
  const { architecture, statistics, conditioning, path, shows, coarse } = model;
  if (shows !== undefined && (path !== undefined || !isSingle(shows))) damaged(NOT_SINGLE);
  if (coarse !== undefined && !isSingle(coarse)) damaged(NOT_SINGLE);
  checkArchitecture(architecture);
  const { levels, hidden } = architecture.conditioning;
  checkNumbers(statistics.prior, 'the prior', levels * COEFFICIENTS, 2 ** -20, MAX_MAGNITUDE);
  checkNumbers(statistics.inputScale, 'the input scales', COEFFICIENTS, 2 ** -20, MAX_MAGNITUDE);
  for (const { name } of architecture.tensors) {
    if (name !== OUTPUT_TENSOR) checkScale(model.tensors.get(name), name);
  }
  for (const layer of architecture.layers) {
    checkLayer(model, layer);
    yield;
  }
  const count = conditioningLength(architecture);
  checkNumbers(
    conditioning.w1,
    'cond.w1',
    conditioningFeatures(architecture.conditioning) * hidden,
    -MAX_MAGNITUDE,
    MAX_MAGNITUDE,
  );
  checkNumbers(conditioning.b1, 'cond.b1', hidden, -MAX_MAGNITUDE, MAX_MAGNITUDE);
  checkNumbers(conditioning.w2, 'cond.w2', hidden * count, -MAX_MAGNITUDE, MAX_MAGNITUDE);
  checkNumbers(conditioning.b2, 'cond.b2', count, -MAX_MAGNITUDE, MAX_MAGNITUDE);
}

function isSingle({ path, shows, coarse }: Pick<IntegerModel, 'path' | 'shows' | 'coarse'>): boolean {
  return (path ?? shows ?? coarse) === undefined;
}

function checkScale(scale: TensorScale | undefined, name: string): void {
  if (scale === undefined) return damaged(`tensor '${name}' has no scale`);
  wholeNumber(scale.bits, `the bits of tensor '${name}'`, MIN_BITS, MAX_BITS);
  const inRange =
    typeof scale.scale === 'number' && scale.scale >= 1 / MAX_SCALE_FACTOR && scale.scale <= MAX_SCALE_FACTOR;
  if (!inRange)
    damaged(`the scale of tensor '${name}' is ${JSON.stringify(scale.scale)}, not a number from 2^-40 to 2^40`);
}

/** Length, and every number finite and within lowest..highest. */
function checkNumbers(values: Float32Array, what: string, length: number, lowest: number, highest: number): void {
  if (values.length !== length) damaged(`${what} has ${values.length} numbers instead of ${length}`);
  for (let i = 0; i < length; i++) {
    // Written so that NaN fails.
    if (!(values[i]! >= lowest && values[i]! <= highest))
      damaged(`number ${i} of ${what} is ${values[i]}, outside ${lowest}..${highest}`);
  }
}

function checkLayer(model: Omit<IntegerModel, 'id'>, layer: Layer): void {
  const integers = model.layers.get(layer.name);
  if (integers === undefined) return damaged(`layer '${layer.name}' has no weights`);
  const shape = weightShape(model.architecture, layer);
  const length = shape[0] * shape[1] * shape[2] * shape[3];
  if (integers.weights.length !== length)
    damaged(`layer '${layer.name}' has ${integers.weights.length} weights instead of ${length}`);
  checkNumbers(
    integers.weightScale,
    `the weight scales of layer '${layer.name}'`,
    shape[3],
    1 / MAX_SCALE_FACTOR,
    MAX_SCALE_FACTOR,
  );
  checkNumbers(integers.bias, `the biases of layer '${layer.name}'`, shape[3], -MAX_MAGNITUDE, MAX_MAGNITUDE);
  if (integers.weights.includes(-WEIGHT_LIMIT - 1)) damaged(`a weight of layer '${layer.name}' is -32768`);
  const limit = sumLimit(model.tensors.get(layer.from)!.bits);
  for (const sums of absoluteSums(layer, shape, integers.weights)) {
    const channel = sums.findIndex((sum) => sum > limit);
    if (channel >= 0)
      damaged(`the weights of layer '${layer.name}', channel ${channel}, sum to ${sums[channel]}, more than ${limit}`);
  }
}

/**
 * Sums of |weight| over the receptive field by output channel: one array, or for up2x2, where an output sees one
 * of the four weight matrices, one per parity.
 */
export function absoluteSums(
  layer: Layer,
  shape: readonly number[],
  weights: Int16Array | Float32Array,
): Float64Array[] {
  const [rows, columns, cin, cout] = shape as [number, number, number, number];
  const fields = layer.kind === 'up2x2' ? rows * columns : 1;
  const inputs = (rows * columns * cin) / fields;
  return Array.from({ length: fields }, (_, field) => {
    const sums = new Float64Array(cout);
    let at = field * inputs * cout;
    for (let i = 0; i < inputs; i++) for (let o = 0; o < cout; o++) sums[o]! += Math.abs(weights[at++]!);
    return sums;
  });
}
