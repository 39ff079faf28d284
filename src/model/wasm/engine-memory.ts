/** The memory of an engine: what lies in it, and the descriptors that tell the kernel what to do. */
import { COEFFICIENTS, OUTPUT_CHANNELS, weightShape, type Layer } from '../architecture.js';
import { conditioningInput, type Condition } from '../inputs.js';
import {
  INPUT_FRACTION,
  INPUT_TENSOR,
  INPUT_VALUE_LIMIT,
  OUTPUT_TENSOR,
  OUTPUT_UNIT,
  inputTables,
  layerConstants,
  type LayerConstants,
} from '../integer/arithmetic.js';
import type { IntegerModel } from '../integer/integer-model.js';
import type { KernelMemory } from '../../kernels/load.js';
import type { Course } from '../row-engine.js';
import type { RowsByTensor } from '../strips.js';
import { HEAD, KIND, MAX_CHUNKS, STEP, stepAt, type StepFields } from './chunks.js';
import type { Pieces } from '../../turns.js';
import { packWeights } from './pack.js';
import {
  BLOCK_CONSTANTS,
  INPUT,
  PART,
  PART_BYTES,
  TENSOR,
  partsOf,
  storedChannels,
  workOfRow,
  type GridPlan,
  type LayerPlace,
  type ModelPlaces,
  type TensorPlace,
} from './plan.js';
import type { Filters } from './filters.js';

/** An evaluation on its way from top to bottom, in this memory. */
export interface WasmCourse extends Course {
  plan: GridPlan;
  /** By tensor: which of its rows lies first in its memory. */
  firsts: RowsByTensor;
}

/** Least work of a chunk, in operations: some 20 microseconds, well above what handing it to a thread costs. */
const CHUNK_WORK = 2e6;
/** Most work of a chunk, unless a row has more: a millisecond or so, after which others may have a turn. */
const PIECE_WORK = 1e8;
/** Chunks of a step for each thread, so that a thread that was held up does not hold up the others for long. */
const CHUNKS_PER_THREAD = 12;

/** The memory of an engine, with a model laid out in it. */
export class EngineMemory {
  private condition = '';
  private shift: Float64Array | undefined;

  /** @param winograd by layer, whether it is computed by Winograd's tiles */
  constructor(
    private readonly model: IntegerModel,
    private readonly memory: KernelMemory,
    private readonly places: ModelPlaces,
    private readonly control: Int32Array,
    private readonly winograd: readonly boolean[],
    private readonly threads: number,
  ) {}

  private words(address: number, length: number): Int32Array {
    return new Int32Array(this.memory.buffer, address, length);
  }

  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, address, length);
  }

  /** Tables of the input and packed weights. */
  *placeModelInPieces(filters: Filters): Pieces<void> {
    const { architecture, layers } = this.model;
    const tables = inputTables(this.model);
    this.words(this.places.gains, tables.gain.length).set(tables.gain);
    new Int16Array(this.memory.buffer, this.places.features, tables.feature.length).set(tables.feature);
    const input = this.words(this.places.input, Object.keys(INPUT).length);
    input[INPUT.gains] = this.places.gains;
    input[INPUT.features] = this.places.features;
    input[INPUT.limit] = tables.limit;
    input[INPUT.shift] = tables.shift;
    input[INPUT.half] = tables.half;
    const inputFloats = this.floats(this.places.input, input.length);
    inputFloats[INPUT.units] = 2 ** INPUT_FRACTION;
    inputFloats[INPUT.bound] = INPUT_VALUE_LIMIT;
    for (const [index, layer] of architecture.layers.entries()) {
      yield;
      const place = this.places.layers[index]!;
      const packed = new Int16Array(this.memory.buffer, place.weights, (partsOf(layer) * place.weightBytes) / 2);
      const shape = weightShape(architecture, layer);
      const { weights } = layers.get(layer.name)!;
      if (this.winograd[index]) filters.pack(shape, weights, packed);
      else packWeights(layer, shape, weights, packed);
    }
  }

  /** Factors and summands for a condition; those of the last one are kept. */
  placeConstants(condition: Condition): void {
    const key = conditioningInput(this.model.architecture.conditioning, condition).join(' ');
    if (key === this.condition && condition.shift === this.shift) return;
    const constants = layerConstants(this.model, condition);
    this.model.architecture.layers.forEach((layer, i) =>
      this.placeLayerConstants(layer, this.places.layers[i]!, constants[i]!),
    );
    this.condition = key;
    this.shift = condition.shift;
  }

  private placeLayerConstants(layer: Layer, place: LayerPlace, constants: LayerConstants): void {
    const { m, b, skip, skipShift, shift, lowest, limit } = constants;
    // Channels beyond those of the layer, stored to fill a block, keep m = b = 0.
    const values = this.words(place.constants, (BLOCK_CONSTANTS / 32) * storedChannels(m.length));
    for (let o = 0; o < m.length; o++) {
      const at = (BLOCK_CONSTANTS / 4) * Math.floor(o / 8) + (o % 8);
      values[at] = m[o]! & 0xffff;
      values[at + 8] = m[o]! << 16;
      values[at + 16] = b[o]!;
    }
    for (let i = 0; i < partsOf(layer); i++) {
      const part = this.words(place.parts + i * PART_BYTES, PART_BYTES / 4);
      part[PART.skipFactor] = skip;
      part[PART.skipShift] = skipShift;
      part[PART.shift] = shift;
      part[PART.lowest] = lowest;
      part[PART.limit] = limit;
      this.floats(place.parts + i * PART_BYTES, PART_BYTES / 4)[PART.unit] = OUTPUT_UNIT;
    }
  }

  /** What the input is told of a plan. */
  placePlan(plan: GridPlan): void {
    this.control[HEAD.bytes] = plan.end;
    const input = this.words(this.places.input, Object.keys(INPUT).length);
    input[INPUT.width] = plan.width;
    input[INPUT.paddedWidth] = plan.paddedWidth;
  }

  /** Copies the rows of the arguments that the input tensor goes on with. */
  placeInputRows({ z, codes, plan, ends, firsts }: WasmCourse, begin: number): void {
    const row = plan.width * COEFFICIENTS;
    const first = Math.min(begin, plan.height);
    const end = Math.min(ends.get(INPUT_TENSOR)!, plan.height);
    this.floats(plan.z, (end - first) * row).set(z.subarray(first * row, end * row));
    new Uint8Array(this.memory.buffer, plan.codes, (end - first) * row).set(codes.subarray(first * row, end * row));
    const input = this.words(this.places.input, Object.keys(INPUT).length);
    // The kernel counts rows from the first of the tensor's on.
    const above = begin - firsts.get(INPUT_TENSOR)!;
    input[INPUT.z] = plan.z - 4 * above * row;
    input[INPUT.codes] = plan.codes - above * row;
    input[INPUT.height] = plan.height - firsts.get(INPUT_TENSOR)!;
  }

  /** Writes the descriptors of a strip. @returns its work in operations */
  placeSteps(course: WasmCourse, begins: RowsByTensor): number {
    const { architecture } = this.model;
    const place = course.plan.tensors.get(INPUT_TENSOR)!;
    const first = course.firsts.get(INPUT_TENSOR)!;
    const begin = begins.get(INPUT_TENSOR)!;
    this.placeTensor(this.places.inputTensor, place, first);
    const rows = { first: begin - first, rows: course.ends.get(INPUT_TENSOR)! - begin };
    const step = {
      kind: KIND.input,
      descriptor: this.places.input,
      count: 1,
      tensor: this.places.inputTensor,
      unit: 1,
      ...rows,
    };
    let total = this.placeStep(0, step, workOfRow(architecture, undefined, place));
    architecture.layers.forEach((layer, index) => {
      total += this.placeLayer(course, begins, layer, index);
    });
    return total;
  }

  /** Writes the descriptors of a layer. @returns its work */
  private placeLayer({ plan, ends, firsts }: WasmCourse, begins: RowsByTensor, layer: Layer, index: number): number {
    const { parts, tensor, weights, weightBytes, constants } = this.places.layers[index]!;
    const { architecture } = this.model;
    const from = plan.tensors.get(layer.from)!;
    const to = plan.tensors.get(layer.to)!;
    const [, , cin, cout] = weightShape(architecture, layer);
    const last = layer.to === OUTPUT_TENSOR;
    const count = partsOf(layer);
    // Rows are counted from the first that is there of the tensor that is computed; nothing reads what has no rows at all.
    const origin = firsts.get(layer.to) ?? 0;
    for (let i = 0; i < count; i++) {
      const part = this.words(parts + i * PART_BYTES, PART_BYTES / 4);
      describeInput(part, layer, from, cin, origin, firsts.get(layer.from) ?? 0);
      part[PART.weights] = weights + i * weightBytes;
      part[PART.constants] = constants;
      part[PART.method] = this.winograd[index] ? 1 : 0;
      part[PART.blocks] = storedChannels(cout) / 8;
      const step = count === 4 ? 2 : 1;
      const first = to.row + to.pixel + (i >> 1) * to.row + (i & 1) * to.pixel;
      part[PART.output] = last ? plan.output : to.base + first;
      part[PART.outputRow] = last ? 4 * plan.width * OUTPUT_CHANNELS : step * to.row;
      part[PART.outputPixel] = last ? 4 * OUTPUT_CHANNELS : step * to.pixel;
      part[PART.skip] =
        layer.add === undefined
          ? 0
          : plan.tensors.get(layer.add)!.base + first + (origin - (firsts.get(layer.add) ?? 0)) * to.row;
      part[PART.width] = last ? plan.width : to.width / step;
    }
    this.placeTensor(tensor, to, origin);
    const grid = layer.kind === 'up2x2' ? from : to;
    const step = layer.kind === 'up2x2' ? 2 : 1;
    const begin = begins.get(layer.to) ?? 0;
    const rows = { first: (begin - origin) / step, rows: ((ends.get(layer.to) ?? 0) - begin) / step };
    return this.placeStep(
      index + 1,
      {
        kind: last ? KIND.output : KIND.layer,
        descriptor: parts,
        count,
        tensor,
        unit: this.winograd[index] ? 2 : 1,
        ...rows,
      },
      workOfRow(architecture, layer, grid),
    );
  }

  /** @param first row of the tensor that lies first in its memory */
  private placeTensor(address: number, place: TensorPlace, first: number): void {
    const tensor = this.words(address, Object.keys(TENSOR).length);
    tensor[TENSOR.base] = place.base;
    tensor[TENSOR.row] = place.row;
    tensor[TENSOR.pixel] = place.pixel;
    tensor[TENSOR.height] = place.height - first;
  }

  /** Writes a step of the schedule. @returns its work */
  private placeStep(step: number, fields: StepFields, workOfOneRow: number): number {
    const total = fields.rows * workOfOneRow;
    const shared = this.threads === 1 ? 1 : Math.min(Math.floor(total / CHUNK_WORK), CHUNKS_PER_THREAD * this.threads);
    const wanted = Math.max(shared, Math.ceil(total / PIECE_WORK));
    const at = stepAt(step);
    this.control[at + STEP.kind] = fields.kind;
    this.control[at + STEP.descriptor] = fields.descriptor;
    this.control[at + STEP.count] = fields.count;
    this.control[at + STEP.tensor] = fields.tensor;
    this.control[at + STEP.first] = fields.first;
    this.control[at + STEP.rows] = fields.rows;
    this.control[at + STEP.unit] = fields.unit;
    this.control[at + STEP.chunks] = Math.max(1, Math.min(wanted, Math.ceil(fields.rows / fields.unit), MAX_CHUNKS));
    return total;
  }
}

/**
 * Where a part reads: the receptive field of output (0, 0), and how it moves.
 * @param first row of the output that is counted as 0 @param fromFirst row of `from` that lies first in its memory
 */
function describeInput(
  part: Int32Array,
  layer: Layer,
  from: TensorPlace,
  channels: number,
  first: number,
  fromFirst: number,
): void {
  const pixel = 2 * storedChannels(channels);
  const inside = from.base + from.row + from.pixel;
  const stride = layer.kind === 'down2x2' ? 2 : 1;
  const side = layer.kind === 'conv3x3' ? 3 : layer.kind === 'down2x2' ? 2 : 1;
  const row = (layer.kind === 'up2x2' ? first / 2 : stride * first) - fromFirst;
  part[PART.input] = (layer.kind === 'conv3x3' ? from.base : inside) + row * from.row;
  part[PART.inputRow] = stride * from.row;
  part[PART.inputPixel] = stride * from.pixel;
  part[PART.kernelRow] = from.row;
  part[PART.kernelRows] = side;
  part[PART.run] = side * pixel;
}
