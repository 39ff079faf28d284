/**
 * Where everything lies in the kernels' memory: what depends on the model alone (`layoutModel`), and for a size of
 * picture the tensors of the network (`planGrid`), which share memory when they are not needed at the same time.
 */
import {
  COEFFICIENTS,
  OUTPUT_CHANNELS,
  gridMultiple,
  tensorOf,
  weightShape,
  type Architecture,
  type Layer,
} from '../architecture.js';
import { INPUT_TENSOR, OUTPUT_TENSOR, paddedSize } from '../integer/arithmetic.js';
import { rowsHeld } from '../strips.js';
import { scratchBytes as scratchBytesOf, widestInput } from './winograd.js';

/** int32 fields of a part's descriptor; the twin of the offsets in kernels/lib/tile.ts. */
export const PART = {
  input: 0,
  inputRow: 1,
  inputPixel: 2,
  kernelRow: 3,
  kernelRows: 4,
  run: 5,
  weights: 6,
  constants: 7,
  output: 8,
  outputRow: 9,
  outputPixel: 10,
  skip: 11,
  skipFactor: 12,
  lowest: 13,
  limit: 14,
  width: 15,
  blocks: 16,
  shift: 17,
  skipShift: 18,
  /** float32 */
  unit: 19,
  /** 0: direct; 1: Winograd's. */
  method: 20,
} as const;
export const PART_BYTES = 96;

/** int32 fields of a tensor's descriptor; the twin of those in kernels/conv.ts. */
export const TENSOR = { base: 0, row: 1, pixel: 2, height: 3 } as const;
const TENSOR_BYTES = 16;

/** int32 fields of the input's descriptor; the twin of those in kernels/conv.ts. */
export const INPUT = {
  z: 0,
  codes: 1,
  width: 2,
  height: 3,
  paddedWidth: 4,
  gains: 5,
  features: 6,
  limit: 7,
  shift: 8,
  half: 9,
  /** float32 */
  units: 10,
  /** float32 */
  bound: 11,
} as const;
const INPUT_BYTES = 48;

/** Bytes of the constants of 8 outputs: three int32 for each, m in the lower half, m in the upper half, b. */
export const BLOCK_CONSTANTS = 96;

/** Everything in memory begins at a multiple of a cache line. */
const LINE = 64;

function aligned(bytes: number): number {
  return Math.ceil(bytes / LINE) * LINE;
}

/** Channels as stored: a multiple of 8, the width of the register tile and of a vector of int16. */
export function storedChannels(channels: number): number {
  return Math.ceil(channels / 8) * 8;
}

/** Parts of a layer: the transposed convolution is four 1×1 convolutions, one per parity of the output position. */
export function partsOf(layer: Layer): number {
  return layer.kind === 'up2x2' ? 4 : 1;
}

/** Addresses of a layer's fixed data. */
export interface LayerPlace {
  /** Descriptors of its parts. */
  parts: number;
  /** Descriptor of its output tensor. */
  tensor: number;
  /** Packed weights of its parts, each `weightBytes` long. */
  weights: number;
  weightBytes: number;
  /** By block of 8 outputs, see BLOCK_CONSTANTS. */
  constants: number;
}

export interface ModelPlaces {
  /** Descriptor of the input, and of the input tensor. */
  input: number;
  inputTensor: number;
  gains: number;
  features: number;
  layers: LayerPlace[];
  /** Memory of each thread for itself, `scratchBytes` apart. */
  scratch: number;
  scratchBytes: number;
  /** First byte after all that. */
  end: number;
}

/**
 * Lays out what depends on the model alone, from `start` on.
 * @param winograd by layer, whether it is computed by Winograd's tiles
 */
export function layoutModel(
  architecture: Architecture,
  start: number,
  threads: number,
  winograd: readonly boolean[],
): ModelPlaces {
  let end = start;
  const take = (bytes: number): number => {
    const at = aligned(end);
    end = at + bytes;
    return at;
  };
  const input = take(INPUT_BYTES);
  const inputTensor = take(TENSOR_BYTES);
  const gains = take(4 * 256 * COEFFICIENTS);
  const features = take(2 * 256);
  const layers = architecture.layers.map((layer, index) => {
    const [rows, columns, cin, cout] = weightShape(architecture, layer);
    const parts = partsOf(layer);
    const points = winograd[index] ? 16 : (rows * columns) / parts;
    const weightBytes = 2 * points * storedChannels(cin) * storedChannels(cout);
    return {
      parts: take(parts * PART_BYTES),
      tensor: take(TENSOR_BYTES),
      weights: take(parts * weightBytes),
      weightBytes,
      constants: take((BLOCK_CONSTANTS / 8) * storedChannels(cout)),
    };
  });
  const scratchBytes = aligned(scratchBytesOf(storedChannels(widestInput(architecture))));
  const scratch = take(threads * scratchBytes);
  return { input, inputTensor, gains, features, layers, scratch, scratchBytes, end: aligned(end) };
}

/** A tensor in memory: rows of pixels with a border of one pixel all around. Addresses and sizes in bytes. */
export interface TensorPlace {
  base: number;
  row: number;
  pixel: number;
  /** Of the whole grid, without the border. */
  width: number;
  height: number;
  /** Rows that there is memory for, without the border. */
  rows: number;
}

export interface GridPlan {
  /** Of the picture, and padded to the multiple that the architecture needs. */
  width: number;
  height: number;
  paddedWidth: number;
  paddedHeight: number;
  /** Output rows that are evaluated together at most: all, or strips, where all together would take too much memory. */
  strip: number;
  whole: boolean;
  tensors: Map<string, TensorPlace>;
  /** Arguments and result of a strip, and the rows that there is memory for. */
  z: number;
  codes: number;
  inputRows: number;
  output: number;
  outputRows: number;
  end: number;
}

/** Something that needs memory while steps first..last run; step 0 makes the input tensor, step i + 1 is layer i. */
interface Tenant {
  name: string;
  bytes: number;
  first: number;
  last: number;
  at: number;
}

const Z = 'argument z';
const CODES = 'argument codes';

/** Grids that take more memory than this are evaluated in strips. A group of 384×384 positions takes 77 MB. */
const WHOLE_BYTES = 128 * 2 ** 20;
/** Rows of a strip, the most that stay below that limit: more than 64 gain nothing. */
const STRIP_ROWS = [64, 32, 16, 8];

/**
 * Lays out an evaluation from `start` on.
 * @param outputRows rows of the result that are wanted at a time; default: all
 * @param strip rows that are evaluated together; default: as many as memory allows
 */
export function planGrid(
  architecture: Architecture,
  width: number,
  height: number,
  start: number,
  outputRows = height,
  strip?: number,
): GridPlan {
  const bytesOf = (plan: GridPlan): number => plan.end - start;
  const stripsOf = (rows: number): GridPlan => planStrips(architecture, width, height, start, outputRows, rows);
  if (strip !== undefined && strip < height) return stripsOf(strip);
  let plan = planWhole(architecture, width, height, start);
  if (strip !== undefined || bytesOf(plan) <= WHOLE_BYTES) return plan;
  for (const rows of STRIP_ROWS) {
    if (rows >= height) continue;
    plan = stripsOf(rows);
    // The rows of the result are not counted: whoever asks for many at a time must have them all.
    if (bytesOf(plan) - 4 * plan.outputRows * width * OUTPUT_CHANNELS <= WHOLE_BYTES) break;
  }
  return plan;
}

/** Everything at once: tensors share memory when they are not needed at the same time. */
function planWhole(architecture: Architecture, width: number, height: number, start: number): GridPlan {
  return plan(architecture, width, height, start, {
    strip: height,
    whole: true,
    inputRows: height,
    outputRows: height,
    rowsOf: () => Infinity,
    life: (first, last) => ({ first, last }),
  });
}

/** In strips: every tensor keeps some rows from strip to strip. */
function planStrips(
  architecture: Architecture,
  width: number,
  height: number,
  start: number,
  outputRows: number,
  strip: number,
): GridPlan {
  const held = rowsHeld(architecture, strip);
  // The steps before the first row of the result are strips too, so the input never advances by more than this.
  const inputRows = strip + gridMultiple(architecture);
  return plan(architecture, width, height, start, {
    strip,
    whole: false,
    inputRows,
    outputRows,
    rowsOf: (tensor) => held.get(tensor) ?? 0,
    life: () => ({ first: 0, last: Infinity }),
  });
}

interface Manner {
  strip: number;
  whole: boolean;
  inputRows: number;
  outputRows: number;
  rowsOf(tensor: string): number;
  life(first: number, last: number): { first: number; last: number };
}

function plan(architecture: Architecture, width: number, height: number, start: number, manner: Manner): GridPlan {
  const { strip, whole } = manner;
  const multiple = gridMultiple(architecture);
  const paddedWidth = paddedSize(width, multiple);
  const paddedHeight = paddedSize(height, multiple);
  const inputRows = Math.min(height, manner.inputRows);
  const outputRows = Math.min(height, manner.outputRows);
  const lastUse = new Map([[INPUT_TENSOR, 0]]);
  architecture.layers.forEach((layer, index) => {
    for (const used of [layer.from, layer.to, layer.add]) if (used !== undefined) lastUse.set(used, index + 1);
  });
  const tensors = new Map<string, TensorPlace>();
  const tenants: Tenant[] = [
    { name: Z, bytes: 4 * width * inputRows * COEFFICIENTS, first: 0, last: 0, at: 0 },
    { name: CODES, bytes: width * inputRows * COEFFICIENTS, first: 0, last: 0, at: 0 },
  ];
  const tensorPlace = (name: string, step: number): void => {
    const { channels, scale } = tensorOf(architecture, name);
    const size = { width: paddedWidth >> scale, height: paddedHeight >> scale };
    const pixel = 2 * storedChannels(channels);
    const row = (size.width + 2) * pixel;
    const rows = Math.min(size.height, manner.rowsOf(name));
    const bytes = name === OUTPUT_TENSOR ? 4 * width * outputRows * OUTPUT_CHANNELS : (rows + 2) * row;
    tensors.set(name, { base: 0, row, pixel, ...size, rows });
    tenants.push({ name, bytes, ...manner.life(step, lastUse.get(name)!), at: 0 });
  };
  tensorPlace(INPUT_TENSOR, 0);
  architecture.layers.forEach((layer, index) => tensorPlace(layer.to, index + 1));
  // A last tile of Winograd's may read a row and two pixels beyond its tensor.
  let beyond = 0;
  for (const { row, pixel } of tensors.values()) beyond = Math.max(beyond, row + 2 * pixel);
  const end = aligned(settle(tenants, start) + beyond);
  const at = new Map(tenants.map((tenant) => [tenant.name, tenant.at]));
  for (const [name, place] of tensors) place.base = at.get(name)!;
  const result = { z: at.get(Z)!, codes: at.get(CODES)!, output: at.get(OUTPUT_TENSOR)! };
  return { width, height, paddedWidth, paddedHeight, strip, whole, inputRows, outputRows, tensors, ...result, end };
}

/** Gives every tenant a place: the largest first, each at the lowest address free during its time. @returns the end */
function settle(tenants: Tenant[], start: number): number {
  const settled: Tenant[] = [];
  let end = start;
  for (const tenant of [...tenants].sort((a, b) => b.bytes - a.bytes || a.first - b.first)) {
    tenant.at = aligned(start);
    for (const other of settled) {
      // `settled` is ordered by address, so passing each neighbour in turn finds the lowest gap.
      const sameTime = tenant.first <= other.last && other.first <= tenant.last;
      const samePlace = tenant.at < other.at + other.bytes && other.at < tenant.at + tenant.bytes;
      if (sameTime && samePlace) tenant.at = aligned(other.at + other.bytes);
    }
    settled.push(tenant);
    settled.sort((a, b) => a.at - b.at);
    end = Math.max(end, tenant.at + tenant.bytes);
  }
  return aligned(end);
}

/** Multiply-adds times two of one row of a step, for sharing out work; the input's row counts as what it takes. */
export function workOfRow(architecture: Architecture, layer: Layer | undefined, place: TensorPlace): number {
  // Preparing a pixel of the input takes about as long as 2000 operations of a convolution.
  if (layer === undefined) return 2000 * place.width;
  const [rows, columns, cin, cout] = weightShape(architecture, layer);
  return 2 * rows * columns * cin * cout * place.width;
}
