/**
 * The integer network on a GPU, through WebGPU. The result equals that of reference.ts bit for bit. What the GPU is told is
 * found here; program.ts tells it.
 */
import { turnIfDue } from '../../event-loop.js';
import { inTurns, type Pause } from '../../turns.js';
import { COEFFICIENTS, OUTPUT_CHANNELS, weightShape, type Layer } from '../architecture.js';
import { conditioningInput, type Condition } from '../inputs.js';
import { INPUT_TENSOR, OUTPUT_TENSOR, inputTables, layerConstants, type InputTables } from '../integer/arithmetic.js';
import { checkModelInPieces } from '../integer/check-model.js';
import type { IntegerModel } from '../integer/integer-model.js';
import { RowEngine, type Course } from '../row-engine.js';
import { GpuFailure } from './device.js';
import {
  BLOCK,
  VECTOR_BYTES,
  constantsPlaces,
  packConstants,
  packTables,
  packWeightsInPieces,
  partsOf,
  vectorsOf,
} from './layout.js';
import { advance, planGpu, type GpuPlan, type RowRange } from './gpu-plan.js';
import type { GpuHost, GpuProgram, GpuStep, GpuStrip } from './program.js';
import { CONVOLUTION_FIELDS, INPUT_FIELDS, TILE } from './shaders.js';

/** An evaluation on its way from top to bottom, in these buffers. */
interface GpuCourse extends Course {
  plan: GpuPlan;
  condition: Condition;
}

/** @throws DcompError E_DAMAGED_MODEL; GpuFailure */
export async function createGpuEngine(model: IntegerModel, host: GpuHost): Promise<GpuEngine> {
  await inTurns(checkModelInPieces(model), turnIfDue);
  const { data: weights, begins } = await inTurns(packWeightsInPieces(model), turnIfDue);
  const constants = constantsPlaces(model.architecture);
  const program = await host.start({
    architecture: model.architecture,
    weights,
    tables: packTables(model),
    constantsBytes: VECTOR_BYTES * constants.at(-1)!,
  });
  return new GpuEngine(model, host.about.name, program, { weights: begins, constants });
}

/** All that is asked of it beside what makes no sense rejects with `GpuFailure` where the GPU fails. */
export class GpuEngine extends RowEngine<GpuCourse> {
  readonly threads = 1;
  private readonly tables: InputTables;
  private plan: GpuPlan | undefined;
  private planKey = '';
  private condition = '';
  private shift: Float64Array | undefined;
  private result = new Float32Array(0);

  /** @param places vectors at which the weights and constants of each layer begin */
  constructor(
    readonly model: IntegerModel,
    private readonly name: string,
    private readonly program: GpuProgram,
    private readonly places: { weights: readonly number[]; constants: readonly number[] },
  ) {
    super();
    this.tables = inputTables(model);
  }

  get engine(): string {
    return `WebGPU, ${this.name}`;
  }

  protected begin(
    z: Float32Array,
    codes: Uint8Array,
    width: number,
    height: number,
    condition: Condition,
    rows: number,
    strip: number | undefined,
  ): GpuCourse {
    const plan = planGpu(this.model.architecture, width, height, this.program.limits, strip);
    if (plan === undefined) throw new GpuFailure(`the GPU has no buffers for ${width} positions side by side`);
    return { ...this.courseOf(z, codes, height, rows, plan.whole), plan, condition };
  }

  protected async nextRows(course: GpuCourse, count: number, pause: Pause): Promise<Float32Array> {
    const { plan, given } = course;
    this.busy = true;
    try {
      this.course = undefined;
      await this.place(plan);
      const base = plan.whole ? 0 : given;
      const end = plan.whole ? plan.height : given + count;
      const row = plan.width * OUTPUT_CHANNELS;
      if (this.result.length < (end - base) * row) this.result = new Float32Array((end - base) * row);
      while (course.done < end) {
        await pause();
        const first = Math.max(base, course.done);
        const values = await this.program.run(this.stripOf(course, Math.min(end, course.done + plan.strip)));
        this.result.set(values, (first - base) * row);
      }
      await pause();
      this.course = course;
      course.given += count;
      return this.result.subarray((given - base) * row, (given - base + count) * row);
    } finally {
      this.busy = false;
    }
  }

  protected async free(): Promise<void> {
    await this.program.close();
  }

  /** Buffers of the last plan are kept. */
  private async place(plan: GpuPlan): Promise<void> {
    const key = `${plan.width} ${plan.height} ${plan.strip}`;
    if (this.plan !== undefined && key === this.planKey) return;
    this.plan = undefined;
    await this.program.place(plan);
    this.plan = plan;
    this.planKey = key;
  }

  /** The strip that leads to the output rows below `end`. */
  private stripOf(course: GpuCourse, end: number): GpuStrip {
    const { architecture } = this.model;
    const { plan, condition, ends } = course;
    const ranges = advance(architecture, plan, ends, end);
    course.done = end;
    const input = ranges.get(INPUT_TENSOR)!;
    const output = ranges.get(OUTPUT_TENSOR)!;
    const row = plan.width * COEFFICIENTS;
    const [from, to] = [input.begin, input.end].map((each) => row * Math.min(each, plan.height));
    const steps = [
      this.inputStep(plan, input),
      ...architecture.layers.map((layer, index) => this.layerStep(plan, layer, index, ranges.get(layer.to))),
    ];
    return {
      z: course.z.slice(from, to),
      codes: course.codes.slice(from, to),
      constants: this.constantsFor(condition),
      steps: steps.filter((step) => step !== undefined),
      results: (output.end - output.begin) * plan.width * OUTPUT_CHANNELS,
    };
  }

  /** Factors and summands for a condition, unless they are those of the strip before. */
  private constantsFor(condition: Condition): Int32Array<ArrayBuffer> | undefined {
    const key = conditioningInput(this.model.architecture.conditioning, condition).join(' ');
    if (key === this.condition && condition.shift === this.shift) return undefined;
    this.condition = key;
    this.shift = condition.shift;
    return packConstants(layerConstants(this.model, condition), this.places.constants);
  }

  private inputStep(plan: GpuPlan, { begin, end }: RowRange): GpuStep | undefined {
    if (end <= begin) return undefined;
    const { limit, shift, half } = this.tables;
    const { width: toWidth, rows: toRows } = plan.tensors.get(INPUT_TENSOR)!;
    const { width, height } = plan;
    const fields = fieldsOf(INPUT_FIELDS, { first: begin, end, width, height, toWidth, toRows, limit, shift, half });
    return { step: 0, fields, groups: [Math.ceil(toWidth / TILE), Math.ceil((end - begin) / TILE), 1] };
  }

  /** @param range of the output's rows; undefined where nothing reads them */
  private layerStep(plan: GpuPlan, layer: Layer, index: number, range: RowRange | undefined): GpuStep | undefined {
    if (range === undefined || range.end <= range.begin) return undefined;
    const [, , cin, cout] = weightShape(this.model.architecture, layer);
    const from = plan.tensors.get(layer.from)!;
    // The result is that of the strip alone, and has no padding.
    const to = plan.tensors.get(layer.to) ?? { width: plan.width, rows: 0 };
    const parts = partsOf(layer);
    const step = parts === 4 ? 2 : 1;
    const [first, end, width] = [range.begin / step, range.end / step, to.width / step];
    const fields = fieldsOf(CONVOLUTION_FIELDS, {
      first,
      end,
      width,
      fromWidth: from.width,
      fromHeight: from.height,
      fromRows: from.rows,
      toWidth: to.width,
      toRows: to.rows,
      skipRows: layer.add === undefined ? 0 : plan.tensors.get(layer.add)!.rows,
      chunks: vectorsOf(cin),
      outputs: vectorsOf(cout),
      weights: this.places.weights[index]!,
      constants: this.places.constants[index]!,
    });
    const blocks = Math.ceil(vectorsOf(cout) / BLOCK);
    return {
      step: index + 1,
      fields,
      groups: [Math.ceil(width / TILE), Math.ceil((end - first) / TILE), blocks * parts],
    };
  }
}

function fieldsOf<Name extends string>(names: readonly Name[], values: Record<Name, number>): Int32Array<ArrayBuffer> {
  return Int32Array.from(names.map((name) => values[name]));
}
