/**
 * Which buffers a GPU needs for a size of picture, and what it computes in each strip of one. Tensors that are not needed at the same
 * time share a buffer.
 *
 * In strips, a tensor keeps some of its rows from strip to strip: row r lies where row r modulo the number of those kept does.
 */
import {
  COEFFICIENTS,
  INPUT_CHANNELS,
  OUTPUT_CHANNELS,
  gridMultiple,
  tensorOf,
  type Architecture,
} from '../architecture.js';
import { INPUT_TENSOR, OUTPUT_TENSOR, paddedSize } from '../integer/arithmetic.js';
import { rowsHeld, rowsNeeded, type RowsByTensor } from '../strips.js';
import { VECTOR_BYTES, vectorsOf } from './layout.js';

/** A tensor on the GPU, without a border. */
export interface GpuTensor {
  /** Which of the plan's buffers holds it. */
  buffer: number;
  /** Vectors of a pixel. */
  vectors: number;
  /** Of the whole grid. */
  width: number;
  height: number;
  /** Rows that there is memory for. */
  rows: number;
}

export interface GpuPlan {
  /** Of the picture; tensors are padded to the multiple that the architecture needs. */
  width: number;
  height: number;
  /** Output rows that are evaluated together at most: all, or strips. */
  strip: number;
  whole: boolean;
  /** Most rows of the arguments that a strip takes, and rows of the result that it gives. */
  inputRows: number;
  tensors: Map<string, GpuTensor>;
  /** Bytes of each buffer that tensors lie in. */
  buffers: number[];
}

/** What a device allows. */
export interface GpuLimits {
  /** Largest buffer that a shader can see. */
  bufferBytes: number;
}

/** Grids that take more memory than this are evaluated in strips. A group of 384×384 positions takes some 110 MB with large. */
const WHOLE_BYTES = 256 * 2 ** 20;
/** Rows of a strip, the most that stay below that limit. Wide ones of many rows keep a GPU busy that has many cores. */
const STRIP_ROWS = [256, 128, 64, 32, 16, 8];

/**
 * @param strip rows that are evaluated together; default: as many as memory allows
 * @returns undefined where the device cannot hold even the lowest strip
 */
export function planGpu(
  architecture: Architecture,
  width: number,
  height: number,
  limits: GpuLimits,
  strip?: number,
): GpuPlan | undefined {
  const heights =
    strip === undefined ? [height, ...STRIP_ROWS.filter((rows) => rows < height)] : [Math.min(strip, height)];
  let best: GpuPlan | undefined;
  for (const rows of heights) {
    const plan = planRows(architecture, width, height, rows);
    if (!fits(plan, limits)) continue;
    best = plan;
    if (bytesOf(plan) <= WHOLE_BYTES) break;
  }
  return best;
}

/** Bytes of the arguments of a strip and of its result. */
export function transferBytes({ width, inputRows, strip }: GpuPlan): { z: number; codes: number; output: number } {
  const codes = width * inputRows * COEFFICIENTS;
  return { z: 4 * codes, codes, output: 4 * width * strip * OUTPUT_CHANNELS };
}

function bytesOf(plan: GpuPlan): number {
  const { z, codes, output } = transferBytes(plan);
  return plan.buffers.reduce((sum, bytes) => sum + bytes, z + codes + 2 * output);
}

function fits(plan: GpuPlan, { bufferBytes }: GpuLimits): boolean {
  const { z, output } = transferBytes(plan);
  return [...plan.buffers, z, output].every((bytes) => bytes <= bufferBytes);
}

function planRows(architecture: Architecture, width: number, height: number, strip: number): GpuPlan {
  const multiple = gridMultiple(architecture);
  const whole = strip >= height;
  const held = whole ? undefined : rowsHeld(architecture, strip);
  const tensors = new Map<string, GpuTensor>();
  const buffers = new Buffers();
  const place = (name: string, step: number): void => {
    const { channels, scale } = tensorOf(architecture, name);
    const size = { width: paddedSize(width, multiple) >> scale, height: paddedSize(height, multiple) >> scale };
    const vectors = vectorsOf(name === INPUT_TENSOR ? INPUT_CHANNELS : channels);
    // A tensor that nothing reads is not computed; it takes a row, as buffers have to hold something.
    const rows = held === undefined ? size.height : Math.max(1, Math.min(size.height, held.get(name) ?? 0));
    const until = whole ? lastUse(architecture, name) : Infinity;
    const buffer = buffers.take(VECTOR_BYTES * vectors * size.width * rows, step, until);
    tensors.set(name, { buffer, vectors, ...size, rows });
  };
  place(INPUT_TENSOR, 0);
  architecture.layers.forEach(({ to }, index) => {
    if (to !== OUTPUT_TENSOR) place(to, index + 1);
  });
  const inputRows = Math.min(height, whole ? height : strip + multiple);
  return { width, height, strip: Math.min(strip, height), whole, inputRows, tensors, buffers: buffers.bytes };
}

/** The last step that reads or writes a tensor; step 0 makes the input, step i + 1 is layer i. */
function lastUse({ layers }: Architecture, name: string): number {
  return layers.reduce((last, { from, to, add }, index) => ([from, to, add].includes(name) ? index + 1 : last), 0);
}

/** Buffers that are taken for some steps each, as few and small as comes by itself. */
class Buffers {
  readonly bytes: number[] = [];
  private readonly until: number[] = [];

  /** @returns the number of the smallest free buffer that is large enough, or else of the largest free one, enlarged */
  take(bytes: number, from: number, until: number): number {
    let best: number | undefined;
    for (let i = 0; i < this.bytes.length; i++) {
      if (this.until[i]! >= from) continue;
      if (best === undefined || this.isBetter(this.bytes[i]!, this.bytes[best]!, bytes)) best = i;
    }
    best ??= this.bytes.push(0) - 1;
    this.bytes[best] = Math.max(this.bytes[best]!, bytes);
    this.until[best] = until;
    return best;
  }

  private isBetter(bytes: number, than: number, wanted: number): boolean {
    return bytes >= wanted ? than < wanted || bytes < than : than < wanted && bytes > than;
  }
}

/** Rows of a tensor that a strip computes. */
export interface RowRange {
  begin: number;
  end: number;
}

/**
 * Rows of every tensor that come to those that are there when the output rows below `end` are wanted.
 * @param ends where each tensor ends; set to where it then ends
 */
export function advance(
  architecture: Architecture,
  plan: GpuPlan,
  ends: RowsByTensor,
  end: number,
): Map<string, RowRange> {
  const ranges = new Map<string, RowRange>();
  for (const [tensor, need] of rowsNeeded(architecture, end)) {
    const height = tensor === OUTPUT_TENSOR ? plan.height : plan.tensors.get(tensor)!.height;
    const begin = ends.get(tensor) ?? 0;
    const range = { begin, end: Math.min(height, Math.max(begin, need)) };
    ends.set(tensor, range.end);
    ranges.set(tensor, range);
  }
  return ranges;
}
