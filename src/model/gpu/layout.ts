/**
 * How numbers lie in the memory of a GPU: what the packing code and the shaders have to agree upon.
 *
 * WebGPU knows 32-bit words alone, so two int16 share one. A *vector* is 16 bytes, the most that a thread reads at a time: 8
 * channels, of which word j holds channel j in its lower half and channel j + 4 in its upper one; both halves of all four words are
 * taken apart by one shift each.
 */
import { COEFFICIENTS, weightShape, type Architecture, type Layer } from '../architecture.js';
import { inputTables, type LayerConstants } from '../integer/arithmetic.js';
import type { Pieces } from '../../turns.js';
import type { IntegerModel } from '../integer/integer-model.js';

/** Channels of a vector. */
export const LANES = 8;
/** Vectors of outputs that a workgroup computes of each pixel; weights and constants are filled up with zeros to this. */
export const BLOCK = 4;
export const VECTOR_BYTES = 16;

/** Vectors that hold so many channels. */
export function vectorsOf(channels: number): number {
  return Math.ceil(channels / LANES);
}

/** Vectors of outputs that are computed, whether or not they are kept. */
function computedVectors(channels: number): number {
  return BLOCK * Math.ceil(vectorsOf(channels) / BLOCK);
}

/** Parts of a layer: the transposed convolution is four convolutions of 1×1, one per parity of the output position. */
export function partsOf(layer: Layer): number {
  return layer.kind === 'up2x2' ? 4 : 1;
}

/** int16 index, in an array that begins with vectors, of a lane of a vector. */
function halfOf(vector: number, lane: number): number {
  return LANES * vector + 2 * (lane % 4) + (lane >> 2);
}

/** Weights of all layers, and the vector at which those of each begin. */
export interface PackedWeights {
  data: Int16Array<ArrayBuffer>;
  begins: number[];
}

/** Weights [row][column][in][out] as [block of outputs][part][vector of inputs][tap][input of it][vector of the block]. */
export function* packWeightsInPieces({ architecture, layers }: IntegerModel): Pieces<PackedWeights> {
  let end = 0;
  const begins = architecture.layers.map((layer) => {
    const [rows, columns, cin, cout] = weightShape(architecture, layer);
    const begin = end;
    end += rows * columns * LANES * vectorsOf(cin) * computedVectors(cout);
    return begin;
  });
  const data = new Int16Array(LANES * end);
  for (const [index, layer] of architecture.layers.entries()) {
    yield;
    packLayer(layer, weightShape(architecture, layer), layers.get(layer.name)!.weights, data, begins[index]!);
  }
  return { data, begins };
}

function packLayer(
  layer: Layer,
  [rows, columns, cin, cout]: readonly [number, number, number, number],
  weights: Int16Array,
  data: Int16Array,
  begin: number,
): void {
  const parts = partsOf(layer);
  const taps = (rows * columns) / parts;
  const chunks = vectorsOf(cin);
  for (let field = 0; field < rows * columns; field++) {
    const [part, tap] = parts === 1 ? [0, field] : [field, 0];
    for (let i = 0; i < cin; i++) {
      for (let o = 0; o < cout; o++) {
        const vector = Math.floor(o / LANES);
        const block = Math.floor(vector / BLOCK);
        const chunk = (block * parts + part) * chunks + Math.floor(i / LANES);
        const at = begin + ((chunk * taps + tap) * LANES + (i % LANES)) * BLOCK + (vector % BLOCK);
        data[halfOf(at, o % LANES)] = weights[(field * cin + i) * cout + o]!;
      }
    }
  }
}

/** Vectors of a layer's constants before those by channel: shift, skip, skipShift, lowest; limit. */
export const CONSTANTS_HEAD = 2;
/** Vectors of int32 by vector of outputs: m of its lower and its upper lanes, b likewise. */
export const CONSTANTS_EACH = 4;

/** The vector at which the constants of each layer begin, and behind them all the end. */
export function constantsPlaces(architecture: Architecture): number[] {
  let end = 0;
  const begins = architecture.layers.map((layer) => {
    const begin = end;
    end += CONSTANTS_HEAD + CONSTANTS_EACH * computedVectors(weightShape(architecture, layer)[3]);
    return begin;
  });
  return [...begins, end];
}

/** Constants of all layers for a condition. @param places of `constantsPlaces` */
export function packConstants(
  constants: readonly LayerConstants[],
  places: readonly number[],
): Int32Array<ArrayBuffer> {
  const data = new Int32Array(4 * places.at(-1)!);
  constants.forEach(({ m, b, shift, skip, skipShift, lowest, limit }, index) => {
    const begin = 4 * places[index]!;
    data.set([shift, skip, skipShift, lowest, limit], begin);
    for (let o = 0; o < m.length; o++) {
      const at = begin + 4 * (CONSTANTS_HEAD + CONSTANTS_EACH * Math.floor(o / LANES)) + (o % LANES);
      data[at] = m[o]!;
      data[at + LANES] = b[o]!;
    }
  });
  return data;
}

/** int32 index at which the features of codes begin in the tables of the input; before them lie gains [code][channel]. */
export const FEATURES = 256 * COEFFICIENTS;

/** Tables by which codes turn observations into the network's input. */
export function packTables(model: IntegerModel): Int32Array<ArrayBuffer> {
  const { gain, feature } = inputTables(model);
  const data = new Int32Array(gain.length + feature.length);
  data.set(gain);
  data.set(feature, FEATURES);
  return data;
}
