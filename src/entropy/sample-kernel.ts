/** The kernel of a sample model (kernels/samples.ts) with its memory: what stands where, and the tables it needs. */
import { compileKernel, instantiateKernel, kernelMemory, type KernelModule } from '../kernels/load.js';
import { wasm } from '../kernels/samples.wasm.js';
import { exp2, LOG2_E } from '../math/exact.js';
import { onDemand } from '../math/on-demand.js';
import { squashTable, stretchTable } from './mixing.js';

/** Codes of variances that there are. */
export const VARIANCES = 96;

/** Columns beside the picture that may be asked for, and rows that are kept. */
export const MARGIN = 2;
const ROWS = 3;
export const LOSSY_ROWS = 4;

/** Columns of a cell of least squares. */
const CELL_COLUMNS = 8;
/** Inputs of a prediction: samples of the channel, of the lossy picture, and of each channel before. */
const OWN = 10;
const LOSSY = 10;
const BEFORE = 5;
/** Bytes of a description of a prediction, and of its weights; inputs that there may be, with what is predicted. */
const PREDICTION = 192;
const WEIGHTS = 256;
const MOST_INPUTS = 34;

/** Sets of weights of a channel and kind, and doubles of a set. */
const SETS = 48 * 64;
const SET = 18;
const CONTEXTS = 13;
const EXPERTS = 3;

const MIN_TABLE_BITS = 12;
const MAX_TABLE_BITS = 22;
const TABLE_SHARE = 64;

/** The variance that a code stands for, in squared units of 8-bit samples. */
export const VARIANCE = Float64Array.from({ length: VARIANCES }, (_, i) => exp2((i - 40) / 4));

/** The logistic distribution at steps of 1 / CDF_STEPS of its scale, from −CDF_LIMIT on. */
const CDF_LIMIT = 24;
const CDF_STEPS = 64;
const cdfTable = onDemand(() =>
  Float64Array.from(
    { length: 2 * CDF_LIMIT * CDF_STEPS + 2 },
    (_, i) => 1 / (1 + exp2((CDF_LIMIT - i / CDF_STEPS) * LOG2_E)),
  ),
);

/** About the logarithm of a magnitude below 128. */
const LEVELS = Uint8Array.from({ length: 128 }, (_, m) =>
  m < 4 ? m : 3 + [4, 6, 9, 14, 22, 36, 64].filter((least) => m >= least).length,
);

/** The functions of the kernel. */
interface Exports {
  begin(at: number): void;
  beginRow(y: number): void;
  codePixels(from: number, to: number): void;
  endRow(): void;
}

/** What a kernel is for. */
export interface KernelPicture {
  width: number;
  height: number;
  /** 1 or 3. */
  channels: number;
  /** Of a sample, 1..16. */
  bits: number;
  /** That a sample may have: 0 is lossless. */
  maxError: number;
  /** Whether both sides know a lossy picture. */
  lossy: boolean;
}

/** A kernel with room for a row. */
export interface SampleKernel extends Exports {
  /** Samples of the row, interleaved: what is coded, and then what a decoder has. */
  readonly samples: Uint16Array;
  /** Codes of variances of the row's positions and channels. */
  readonly codes: Uint8Array;
  /** Rows of the lossy picture, by channel: row y in place y mod LOSSY_ROWS; MARGIN columns, those of the picture, MARGIN columns. */
  readonly lossy: Float64Array;
}

let compiled: KernelModule | undefined;

/**
 * @param code where decisions go to, or come from: the quanta of a 1, of 2^14, and the bit that a writer has
 * @throws DcompError E_ENVIRONMENT
 */
export function createSampleKernel(picture: KernelPicture, code: (ones: number, bit: number) => number): SampleKernel {
  const { width, channels, bits, lossy } = picture;
  const counts = Array.from({ length: channels }, (_, k) => OWN + (lossy ? LOSSY : 0) + k * BEFORE);
  const places = placesOf(picture, counts);
  const memory = kernelMemory(places.end);
  const { buffer } = memory;
  new Int32Array(buffer, NUMBERS).set(numbersOf(picture, places));
  const [cdf, stretch, squash] = [cdfTable(), stretchTable(), squashTable()];
  new Float64Array(buffer, places.cdf, cdf.length).set(cdf);
  new Float64Array(buffer, places.variances, VARIANCES).set(VARIANCE);
  new Float64Array(buffer, places.stretch, stretch.length).set(stretch);
  new Float64Array(buffer, places.squash, squash.length).set(squash);
  new Uint8Array(buffer, places.levels, LEVELS.length).set(LEVELS);
  new Float64Array(buffer, places.values, (places.errors - places.values) / 8).fill(2 ** (bits - 1));
  for (const [k, count] of counts.entries())
    new Int32Array(buffer, places.predictions + PREDICTION * k).set([
      ...[count, rowsOf(count), cellBytes(count), places.cellsOf[k]!, cellColumns(width), lossy ? 0 : 2, 0, 0],
      ...columnsOf(count),
    ]);
  compiled ??= compileKernel(wasm);
  const kernel = instantiateKernel<Exports>(compiled, memory, { code });
  kernel.begin(NUMBERS);
  return {
    ...kernel,
    samples: new Uint16Array(buffer, places.samples, width * channels),
    codes: new Uint8Array(buffer, places.codes, ((width + 1) >> 1) * channels),
    lossy: new Float64Array(buffer, places.lossies, (places.samples - places.lossies) / 8),
  };
}

/** Where the numbers stand that `begin` takes. */
const NUMBERS = 0;
const NUMBERS_BYTES = 256;

/** What stands where, in bytes. @param counts inputs of each prediction */
function placesOf({ width, channels, lossy, ...picture }: KernelPicture, counts: readonly number[]) {
  let end = NUMBERS_BYTES;
  const take = (bytes: number): number => {
    const at = end;
    end += Math.ceil(bytes / 16) * 16;
    return at;
  };
  const row = 8 * channels * (width + 2 * MARGIN);
  const sets = SETS * channels;
  const values = take(ROWS * row);
  const errors = take(ROWS * row);
  const lossies = take(lossy ? LOSSY_ROWS * row : 0);
  const samples = take(2 * width * channels);
  const [codes, levels] = [take(((width + 1) >> 1) * channels), take(LEVELS.length)];
  const [cdf, variances] = [take(cdfTable().byteLength), take(VARIANCE.byteLength)];
  const [stretch, squash] = [take(stretchTable().byteLength), take(squashTable().byteLength)];
  const [predictions, weights] = [take(PREDICTION * channels), take(WEIGHTS * channels)];
  const [inputs, weighed] = [take(8 * MOST_INPUTS), take(8 * MOST_INPUTS)];
  const sums = take(cellBytes(counts[channels - 1]!));
  const cellsOf = counts.map((count) => take(cellBytes(count) * cellColumns(width)));
  const cellsEnd = end;
  const [ends, said] = [take(16 * EXPERTS), take(8 * EXPERTS)];
  const [contexts, slots, mixed] = [take(4 * CONTEXTS), take(4 * CONTEXTS), take(8 * SET)];
  const table = take(8 * 2 ** tableBitsOf(width * picture.height));
  const [one, two] = [take(8 * SET * sets), take(8 * SET * sets)];
  const [tally1, tally2] = [take(8 * sets), take(8 * sets)];
  return {
    ...{ values, errors, lossies, samples, codes, levels, cdf, variances, stretch, squash, predictions, weights },
    ...{
      inputs,
      weighed,
      sums,
      cellsOf,
      cellsEnd,
      ends,
      said,
      contexts,
      slots,
      mixed,
      table,
      one,
      two,
      tally1,
      tally2,
    },
    end,
  };
}

/** In the order in which `begin` of kernels/samples.ts reads them. */
function numbersOf(picture: KernelPicture, places: ReturnType<typeof placesOf>): number[] {
  const { width, height, channels, bits, maxError, lossy } = picture;
  const { values, errors, lossies, samples, codes, cdf, variances, levels, predictions, weights } = places;
  const { inputs, weighed, sums, cellsOf, cellsEnd, ends, stretch, squash, contexts, said, slots } = places;
  const cells = cellsOf[0]!;
  return [
    ...[width, channels, 2 ** bits - 1, maxError, lossy ? 1 : 0, tableBitsOf(width * height)],
    ...[values, errors, lossies, samples, codes, cdf, variances, levels, predictions, weights],
    ...[inputs, weighed, sums, cells, cellsEnd - cells, ends, stretch, squash, contexts, said, slots],
    ...[places.mixed, places.table, places.one, places.two, places.tally1, places.tally2],
  ];
}

/** log2 of the number of probabilities: 64 for each pixel, within limits. */
function tableBitsOf(pixels: number): number {
  let bits = MIN_TABLE_BITS;
  while (bits < MAX_TABLE_BITS && 2 ** bits < TABLE_SHARE * pixels) bits++;
  return bits;
}

function cellColumns(width: number): number {
  return Math.ceil(width / CELL_COLUMNS);
}

/** Rows of a cell's columns: inputs and outcome, made even. */
function rowsOf(count: number): number {
  return (count + 2) & ~1;
}

/** Where row 0 of each column would stand in a cell, in bytes: column j begins with the even row of j and j − 1. */
function columnsOf(count: number): number[] {
  const columns: number[] = [];
  let at = 0;
  for (let j = 0; j < count; j++) {
    const first = j & ~1;
    columns.push(at - 8 * first);
    at += 8 * (rowsOf(count) - first);
  }
  return columns;
}

function cellBytes(count: number): number {
  let bytes = 0;
  for (let j = 0; j < count; j++) bytes += 8 * (rowsOf(count) - (j & ~1));
  return bytes;
}
