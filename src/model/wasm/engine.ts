/**
 * The integer network in WebAssembly. Runs wherever WebAssembly SIMD does; by itself on the calling thread. The result
 * equals that of reference.ts bit for bit.
 */
import { DcompError } from '../../errors.js';
import { compileKernelAside, kernelMemory, PAGE } from '../../kernels/load.js';
import { wasm } from '../../kernels/conv.wasm.js';
import { COEFFICIENTS, OUTPUT_CHANNELS, gridMultiple, weightShape, type Layer } from '../architecture.js';
import {
  INPUT_FRACTION,
  INPUT_TENSOR,
  INPUT_VALUE_LIMIT,
  OUTPUT_TENSOR,
  OUTPUT_UNIT,
  clampLimit,
  inputTables,
  layerConstants,
  paddedSize,
  type LayerConstants,
} from '../integer/arithmetic.js';
import { checkModel } from '../integer/check-model.js';
import { inTurns, withoutTurns, type Pause, type Pieces } from '../../turns.js';
import { checkArguments, type Evaluator, type RowEvaluation } from '../evaluator.js';
import { LOG_VARIANCE_MAX, LOG_VARIANCE_MIN, conditioningInput, type Condition } from '../inputs.js';
import type { IntegerModel } from '../integer/integer-model.js';
import {
  BLOCK_CONSTANTS,
  INPUT,
  PART,
  PART_BYTES,
  TENSOR,
  layoutModel,
  partsOf,
  planGrid,
  storedChannels,
  workOfRow,
  type GridPlan,
  type LayerPlace,
  type ModelPlaces,
  type TensorPlace,
} from './plan.js';
import {
  EVALUATIONS,
  HEAD,
  KIND,
  MAX_CHUNKS,
  STEP,
  abandon,
  controlLength,
  kernelOf,
  openSteps,
  stepAt,
  work,
  type ConvKernel,
  type Shared,
  type StepFields,
} from './chunks.js';
import { packWeights } from './pack.js';
import { fitsWinograd, packFilters } from './winograd.js';
import { contextRows, rowsKept, rowsNeeded, type RowsByTensor } from '../strips.js';

/** Threads that help an engine; see threads-node.ts. */
export interface Helpers {
  /** Threads in all, the caller's included. */
  readonly threads: number;
  /** Called once, when the memory exists. */
  start(shared: Shared): void;
  /** Ends the threads. */
  close(): Promise<void>;
}

/**
 * An evaluator for one thread, for any platform.
 * @throws DcompError E_DAMAGED_MODEL, E_ENVIRONMENT
 */
export async function createEvaluator(model: IntegerModel): Promise<Evaluator> {
  return createEngine(model);
}

/**
 * An engine, once its kernel is compiled: that is done beside the calling thread, as browsers ask for.
 * @throws DcompError E_DAMAGED_MODEL, E_ENVIRONMENT
 */
export async function createEngine(
  model: IntegerModel,
  helpers?: Helpers,
  convolution: Convolution = 'tiles',
): Promise<Engine> {
  return new Engine(await (compiled ??= compileKernelAside(wasm)), model, helpers, convolution);
}

/** How 3×3 layers are computed: by Winograd's tiles where that is possible and faster, or all directly. The result is the same. */
export type Convolution = 'tiles' | 'direct';

/** An evaluation on its way from top to bottom. */
interface Course {
  z: Float32Array;
  codes: Uint8Array;
  plan: GridPlan;
  /** Output rows that are done; the strips before row 0 fill the tensors that run ahead of the output. */
  done: number;
  /** Rows that have been given. */
  given: number;
  /** By tensor: the rows of it that are there, and which of them lies first in its memory. */
  ends: RowsByTensor;
  firsts: RowsByTensor;
}

/** Least work of a chunk, in operations: some 20 microseconds, well above what handing it to a thread costs. */
const CHUNK_WORK = 2e6;
/** Most work of a chunk, unless a row has more: a millisecond or so, after which others may have a turn. */
const PIECE_WORK = 1e8;
/** Evaluations below this are done by the calling thread alone. */
const SHARED_WORK = 3e7;
/** Chunks of a step for each thread, so that a thread that was held up does not hold up the others for long. */
const CHUNKS_PER_THREAD = 12;

/** The control block lies here: address 0 is left unused, as 0 means "none" in descriptors. */
const CONTROL = 64;

let compiled: Promise<WebAssembly.Module> | undefined;

export class Engine implements Evaluator {
  readonly model: IntegerModel;
  readonly threads: number;
  private readonly helpers: Helpers | undefined;
  /** By layer, whether it is computed by Winograd's tiles. */
  private readonly winograd: boolean[];
  private readonly places: ModelPlaces;
  private readonly memory: WebAssembly.Memory;
  private readonly kernel: ConvKernel;
  private readonly control: Int32Array;
  private plan: GridPlan | undefined;
  private planKey = '';
  private course: Course | undefined;
  private condition = '';
  private evaluation = 0;
  private shareable = false;
  private closed = false;
  private busy = false;

  /** @param module the compiled kernel of convolutions */
  constructor(module: WebAssembly.Module, model: IntegerModel, helpers: Helpers | undefined, convolution: Convolution) {
    checkModel(model);
    this.model = model;
    this.helpers = helpers;
    this.threads = helpers?.threads ?? 1;
    const steps = model.architecture.layers.length + 1;
    this.winograd = model.architecture.layers.map(
      (layer) =>
        convolution === 'tiles' &&
        fitsWinograd(
          model.architecture,
          layer,
          model.layers.get(layer.name)!.weights,
          clampLimit(model.tensors.get(layer.from)!.bits),
        ),
    );
    this.places = layoutModel(model.architecture, CONTROL + 4 * controlLength(steps), this.threads, this.winograd);
    this.memory = kernelMemory(this.places.end, true);
    this.control = new Int32Array(this.memory.buffer, CONTROL, controlLength(steps));
    this.control[HEAD.steps] = steps;
    this.control[HEAD.scratch] = this.places.scratch;
    this.control[HEAD.scratchBytes] = this.places.scratchBytes;
    this.kernel = kernelOf(module, this.memory, this.control);
    const bounds = new Float32Array(this.memory.buffer, CONTROL, controlLength(steps));
    bounds[HEAD.lowest] = LOG_VARIANCE_MIN;
    bounds[HEAD.highest] = LOG_VARIANCE_MAX;
    this.placeModel();
    helpers?.start({ module, memory: this.memory, control: CONTROL, controlLength: controlLength(steps) });
  }

  async evaluate(
    z: Float32Array,
    codes: Uint8Array,
    width: number,
    height: number,
    condition: Condition,
    pause?: Pause,
  ): Promise<Float32Array> {
    return this.evaluateRows(z, codes, width, height, condition, height).next(height, pause);
  }

  /** @param strip rows that are evaluated together; default: as many as memory allows. It makes no difference to the result */
  evaluateRows(
    z: Float32Array,
    codes: Uint8Array,
    width: number,
    height: number,
    condition: Condition,
    rows: number,
    strip?: number,
  ): RowEvaluation {
    if (this.closed) throw new DcompError('E_USAGE', 'evaluate: the evaluator is closed');
    this.refuseWhileBusy();
    checkArguments(z, codes, width, height, condition);
    if (!Number.isInteger(rows) || rows < 1)
      throw new DcompError('E_USAGE', `evaluate: ${rows} rows at a time; at least 1`);
    const plan = this.planFor(width, height, Math.min(rows, height), strip);
    this.placeConstants(condition);
    const lead = plan.whole
      ? 0
      : paddedSize(contextRows(this.model.architecture), gridMultiple(this.model.architecture));
    const course: Course = { z, codes, plan, done: -lead, given: 0, ends: new Map(), firsts: new Map() };
    this.course = course;
    return { next: async (count, pause = withoutTurns()) => inTurns(this.nextRows(course, count), pause) };
  }

  private *nextRows(course: Course, count: number): Pieces<Float32Array> {
    const { plan, given } = course;
    if (this.closed) throw new DcompError('E_USAGE', 'evaluate: the evaluator is closed');
    this.refuseWhileBusy();
    if (this.course !== course)
      throw new DcompError('E_USAGE', 'evaluate: another evaluation has begun since; ask for its rows, or begin anew');
    if (!Number.isInteger(count) || count < 1 || count > plan.outputRows || given + count > plan.height) {
      throw new DcompError(
        'E_USAGE',
        `evaluate: ${count} rows behind row ${given} of ${plan.height}, at most ${plan.outputRows} at a time`,
      );
    }
    const base = plan.whole ? 0 : given;
    const end = plan.whole ? plan.height : given + count;
    while (course.done < end) yield* this.computeStrip(course, Math.min(end, course.done + plan.strip), base);
    course.given += count;
    const row = plan.width * OUTPUT_CHANNELS;
    return this.floats(plan.output + 4 * (given - base) * row, count * row);
  }

  /** Computes the output rows up to `end`. @param base the row that lies first in the memory of the output */
  private *computeStrip(course: Course, end: number, base: number): Pieces<void> {
    // Of a strip that is not completed nothing is there to go on from.
    this.course = undefined;
    this.evaluation = (this.evaluation % (EVALUATIONS - 1)) + 1;
    // A helper that is still leaving the last strip must not take the new one's chunks for that one's.
    openSteps(this.control, 0);
    const begins = this.advance(course, end, base);
    this.placeInputRows(course, begins.get(INPUT_TENSOR)!);
    this.placeSteps(course, begins);
    openSteps(this.control, this.evaluation);
    if (this.shareable) {
      Atomics.store(this.control, HEAD.current, this.evaluation);
      Atomics.notify(this.control, HEAD.current);
    }
    yield* this.workOn(this.evaluation);
    if (Atomics.exchange(this.control, HEAD.failed, 0) !== 0) {
      // A helper has failed. Nothing of the strip has been given yet, and this thread needs nobody.
      this.evaluation = (this.evaluation % (EVALUATIONS - 1)) + 1;
      this.placeInputRows(course, begins.get(INPUT_TENSOR)!);
      openSteps(this.control, this.evaluation);
      yield* this.workOn(this.evaluation);
    }
    this.course = course;
  }

  private *workOn(evaluation: number): Pieces<void> {
    let done = false;
    this.busy = true;
    try {
      yield* work(this.control, this.kernel, evaluation);
      done = true;
    } finally {
      if (!done) abandon(this.control, evaluation);
      this.busy = false;
    }
  }

  /** One at a time: the memory is that of one strip. */
  private refuseWhileBusy(): void {
    if (this.busy) throw new DcompError('E_USAGE', 'evaluate: an evaluation is under way; wait for its rows first');
  }

  /** Moves up the rows that are still needed, and sets where each tensor then ends. @returns where each of them ended */
  private advance(course: Course, end: number, base: number): RowsByTensor {
    const { architecture } = this.model;
    const { plan, ends, firsts } = course;
    const kept = plan.whole ? undefined : rowsKept(architecture, rowsNeeded(architecture, course.done));
    const begins: RowsByTensor = new Map();
    for (const [tensor, need] of rowsNeeded(architecture, end)) {
      const place = plan.tensors.get(tensor)!;
      const begin = ends.get(tensor) ?? 0;
      const height = tensor === OUTPUT_TENSOR ? plan.height : place.height;
      begins.set(tensor, begin);
      ends.set(tensor, Math.min(height, Math.max(begin, need)));
      if (tensor === OUTPUT_TENSOR) {
        firsts.set(tensor, base);
        continue;
      }
      const before = firsts.get(tensor) ?? 0;
      const first = kept === undefined ? 0 : Math.max(before, Math.min(kept.get(tensor)!, 2 * Math.floor(begin / 2)));
      if (first > before && begin > first) {
        // Row r lies behind the border above and the rows from the first on.
        const at = (row: number): number => place.base + (row - before + 1) * place.row;
        new Uint8Array(this.memory.buffer).copyWithin(place.base + place.row, at(first), at(begin));
      }
      firsts.set(tensor, first);
    }
    course.done = end;
    return begins;
  }

  /** Copies the rows of the arguments that the input tensor goes on with. */
  private placeInputRows({ z, codes, plan, ends, firsts }: Course, begin: number): void {
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

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.helpers?.close();
  }

  /** Bytes of memory that the engine has taken. */
  get bytes(): number {
    return this.memory.buffer.byteLength;
  }

  private words(address: number, length: number): Int32Array {
    return new Int32Array(this.memory.buffer, address, length);
  }

  private floats(address: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, address, length);
  }

  /** Tables of the input and packed weights. */
  private placeModel(): void {
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
    architecture.layers.forEach((layer, index) => {
      const place = this.places.layers[index]!;
      const packed = new Int16Array(this.memory.buffer, place.weights, (partsOf(layer) * place.weightBytes) / 2);
      const shape = weightShape(architecture, layer);
      const { weights } = layers.get(layer.name)!;
      if (this.winograd[index]) packFilters(shape, weights, packed, storedChannels(shape[2]) / 2);
      else packWeights(layer, shape, weights, packed);
    });
  }

  /** Factors and summands for a condition; those of the last one are kept. */
  private placeConstants(condition: Condition): void {
    const key = conditioningInput(this.model.architecture.conditioning, condition).join(' ');
    if (key === this.condition) return;
    const constants = layerConstants(this.model, condition);
    this.model.architecture.layers.forEach((layer, i) =>
      this.placeLayerConstants(layer, this.places.layers[i]!, constants[i]!),
    );
    this.condition = key;
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

  /** The plan for a size; that of the last one is kept. Grows the memory. */
  private planFor(width: number, height: number, rows: number, strip: number | undefined): GridPlan {
    const key = `${width} ${height} ${rows} ${strip}`;
    if (this.plan !== undefined && key === this.planKey) return this.plan;
    const plan = planGrid(this.model.architecture, width, height, this.places.end, rows, strip);
    const missing = Math.ceil((plan.end - this.memory.buffer.byteLength) / PAGE);
    try {
      if (missing > 0) this.memory.grow(missing);
    } catch (cause) {
      const size = `${width}×${height} coefficients need ${Math.ceil(plan.end / 1e6)} MB`;
      throw new DcompError('E_TOO_LARGE', `evaluate: ${size}, more memory than there is; split the picture`, { cause });
    }
    this.plan = plan;
    this.planKey = key;
    this.control[HEAD.bytes] = plan.end;
    const input = this.words(this.places.input, Object.keys(INPUT).length);
    input[INPUT.width] = plan.width;
    input[INPUT.paddedWidth] = plan.paddedWidth;
    return plan;
  }

  /** Writes the descriptors of a strip. */
  private placeSteps(course: Course, begins: RowsByTensor): void {
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
    this.shareable = this.threads > 1 && total >= SHARED_WORK;
  }

  /** Writes the descriptors of a layer. @returns its work */
  private placeLayer({ plan, ends, firsts }: Course, begins: RowsByTensor, layer: Layer, index: number): number {
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
