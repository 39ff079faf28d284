/**
 * The integer network in WebAssembly. Runs wherever WebAssembly SIMD does; by itself on the calling thread. The result
 * equals that of reference.ts bit for bit.
 */
import { DcompError } from '../../errors.js';
import { compileKernelAside, kernelMemory, PAGE, type KernelMemory, type KernelModule } from '../../kernels/load.js';
import { wasm } from '../../kernels/conv.wasm.js';
import { OUTPUT_CHANNELS } from '../architecture.js';
import { INPUT_TENSOR, OUTPUT_TENSOR, clampLimit } from '../integer/arithmetic.js';
import type { IntegerModel } from '../integer/integer-model.js';
import { LOG_VARIANCE_MAX, LOG_VARIANCE_MIN, type Condition } from '../inputs.js';
import { rowsKept, rowsNeeded, type RowsByTensor } from '../strips.js';
import { layoutModel, planGrid, type GridPlan, type ModelPlaces } from './plan.js';
import {
  EVALUATIONS,
  HEAD,
  abandon,
  controlLength,
  kernelOf,
  openSteps,
  work,
  type ConvKernel,
  type Shared,
} from './chunks.js';
import { Filters, fitsWinograd } from './filters.js';
import { EngineMemory, type WasmCourse } from './engine-memory.js';
import { turnIfDue } from '../../event-loop.js';
import { checkModelInPieces } from '../integer/check-model.js';
import { checkObject, mustBe } from '../../options.js';
import { inTurns, type Pause, type Pieces } from '../../turns.js';
import type { Evaluator } from '../evaluator.js';
import { RowEngine } from '../row-engine.js';

/** Threads that help an engine; see threads-node.ts. */
export interface Helpers {
  /** Threads in all, the caller's included. */
  readonly threads: number;
  /** Operations after which they are started; see `STARTING_WORK`. */
  readonly startAfter: number;
  /** Called once at most, when there is work to share. */
  start(shared: Shared): void;
  /** Ends the threads. */
  close(): Promise<void>;
}

/**
 * An evaluator for one thread, for any platform.
 * @throws DcompError E_USAGE, E_DAMAGED_MODEL, E_ENVIRONMENT
 */
export async function createEvaluator(model: IntegerModel): Promise<Evaluator> {
  checkObject(model, 'the model', 'what readModelFile gives');
  if (!(model.layers instanceof Map)) throw mustBe('the model', model, 'what readModelFile gives');
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
  await inTurns(checkModelInPieces(model), turnIfDue);
  const engine = new Engine(await (compiled ??= compileKernelAside(wasm)), model, helpers, convolution);
  await inTurns(engine.placedInPieces(), turnIfDue);
  return engine;
}

/** How 3×3 layers are computed: by Winograd's tiles where that is possible and faster, or all directly. The result is the same. */
export type Convolution = 'tiles' | 'direct';

/** Evaluations below this are done by the calling thread alone. */
const SHARED_WORK = 3e7;
/** Operations after which threads are started: a thread takes about as long to start as these to compute. */
export const STARTING_WORK = 2e9;
/** The control block lies here: address 0 is left unused, as 0 means "none" in descriptors. */
const CONTROL = 64;

let compiled: Promise<KernelModule> | undefined;

export class Engine extends RowEngine<WasmCourse> {
  readonly model: IntegerModel;
  readonly threads: number;
  private readonly helpers: Helpers | undefined;
  private readonly places: ModelPlaces;
  private readonly memory: KernelMemory;
  private readonly kernel: ConvKernel;
  private readonly control: Int32Array;
  private readonly laidOut: EngineMemory;
  private filters: Filters | undefined;
  private plan: GridPlan | undefined;
  private planKey = '';
  private evaluation = 0;
  private readonly shared: Shared;
  /** Since the engine was made. */
  private operations = 0;
  private started = false;
  private shareable = false;

  /**
   * To be used once its model is placed.
   * @param module the compiled kernel of convolutions @param model that has been checked
   */
  constructor(module: KernelModule, model: IntegerModel, helpers: Helpers | undefined, convolution: Convolution) {
    super();
    this.model = model;
    this.helpers = helpers;
    this.threads = helpers?.threads ?? 1;
    const steps = model.architecture.layers.length + 1;
    const filters = new Filters(model.architecture);
    const winograd = model.architecture.layers.map(
      (layer) =>
        convolution === 'tiles' &&
        fitsWinograd(
          model.architecture,
          layer,
          model.layers.get(layer.name)!.weights,
          clampLimit(model.tensors.get(layer.from)!.bits),
          filters,
        ),
    );
    this.places = layoutModel(model.architecture, CONTROL + 4 * controlLength(steps), this.threads, winograd);
    this.memory = kernelMemory(this.places.end, true);
    this.control = new Int32Array(this.memory.buffer, CONTROL, controlLength(steps));
    this.control[HEAD.steps] = steps;
    this.control[HEAD.scratch] = this.places.scratch;
    this.control[HEAD.scratchBytes] = this.places.scratchBytes;
    this.kernel = kernelOf(module, this.memory, this.control);
    const bounds = new Float32Array(this.memory.buffer, CONTROL, controlLength(steps));
    bounds[HEAD.lowest] = LOG_VARIANCE_MIN;
    bounds[HEAD.highest] = LOG_VARIANCE_MAX;
    this.laidOut = new EngineMemory(model, this.memory, this.places, this.control, winograd, this.threads);
    this.filters = filters;
    this.shared = { module, memory: this.memory, control: CONTROL, controlLength: controlLength(steps) };
  }

  /** Puts the model where the kernel reads it. */
  *placedInPieces(): Pieces<void> {
    if (this.filters !== undefined) yield* this.laidOut.placeModelInPieces(this.filters);
    this.filters = undefined; // and its memory
  }

  protected begin(
    z: Float32Array,
    codes: Uint8Array,
    width: number,
    height: number,
    condition: Condition,
    rows: number,
    strip: number | undefined,
  ): WasmCourse {
    const plan = this.planFor(width, height, rows, strip);
    this.laidOut.placeConstants(condition);
    return { ...this.courseOf(z, codes, height, plan.outputRows, plan.whole), plan, firsts: new Map() };
  }

  protected async nextRows(course: WasmCourse, count: number, pause: Pause): Promise<Float32Array> {
    return inTurns(this.nextRowsInPieces(course, count), pause);
  }

  private *nextRowsInPieces(course: WasmCourse, count: number): Pieces<Float32Array> {
    const { plan, given } = course;
    const base = plan.whole ? 0 : given;
    const end = plan.whole ? plan.height : given + count;
    while (course.done < end) yield* this.computeStrip(course, Math.min(end, course.done + plan.strip), base);
    course.given += count;
    const row = plan.width * OUTPUT_CHANNELS;
    return this.laidOut.floats(plan.output + 4 * (given - base) * row, count * row);
  }

  /** Computes the output rows up to `end`. @param base the row that lies first in the memory of the output */
  private *computeStrip(course: WasmCourse, end: number, base: number): Pieces<void> {
    this.course = undefined;
    this.evaluation = (this.evaluation % (EVALUATIONS - 1)) + 1;
    // A helper that is still leaving the last strip must not take the new one's chunks for that one's.
    openSteps(this.control, 0);
    const begins = this.advance(course, end, base);
    this.laidOut.placeInputRows(course, begins.get(INPUT_TENSOR)!);
    const operations = this.laidOut.placeSteps(course, begins);
    this.operations += operations;
    this.shareable =
      this.helpers !== undefined && operations >= SHARED_WORK && this.operations >= this.helpers.startAfter;
    openSteps(this.control, this.evaluation);
    if (this.shareable) {
      if (!this.started) this.helpers?.start(this.shared);
      this.started = true;
      Atomics.store(this.control, HEAD.current, this.evaluation);
      Atomics.notify(this.control, HEAD.current);
    }
    yield* this.workOn(this.evaluation);
    if (Atomics.exchange(this.control, HEAD.failed, 0) !== 0) {
      // A helper has failed. Nothing of the strip has been given yet, and this thread needs nobody.
      this.evaluation = (this.evaluation % (EVALUATIONS - 1)) + 1;
      this.laidOut.placeInputRows(course, begins.get(INPUT_TENSOR)!);
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

  /** Moves up the rows that are still needed, and sets where each tensor then ends. @returns where each of them ended */
  private advance(course: WasmCourse, end: number, base: number): RowsByTensor {
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

  protected async free(): Promise<void> {
    await this.helpers?.close();
  }

  /** Bytes of memory that the engine has taken. */
  get bytes(): number {
    return this.memory.buffer.byteLength;
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
    this.laidOut.placePlan(plan);
    return plan;
  }
}
