/** A network on a GPU: its buffers and shaders, and how a strip is handed over. Everything that speaks to WebGPU is here and in device.ts. */
import { INPUT_TENSOR, OUTPUT_TENSOR } from '../integer/arithmetic.js';
import type { Architecture } from '../architecture.js';
import { GpuFailure, type GpuAbout, type GpuDevice } from './device.js';
import { VECTOR_BYTES } from './layout.js';
import { transferBytes, type GpuLimits, type GpuPlan } from './gpu-plan.js';
import { convolutionShader, inputShader, type ConvolutionVariant } from './shaders.js';

/** What of a model a GPU is given; it can be sent to another process. */
export interface GpuModel {
  architecture: Architecture;
  /** As `packWeightsInPieces`, `packTables` make them. */
  weights: Int16Array<ArrayBuffer>;
  tables: Int32Array<ArrayBuffer>;
  /** Bytes of the constants of a condition. */
  constantsBytes: number;
}

/** A step of a strip: the making of the input, or a layer. */
export interface GpuStep {
  /** 0 makes the input, i + 1 is layer i. */
  step: number;
  /** As the shader's struct has them. */
  fields: Int32Array<ArrayBuffer>;
  /** Workgroups. */
  groups: [number, number, number];
}

export interface GpuStrip {
  /** Rows of the arguments, as they come; none for a strip that needs no more of them. */
  z: Float32Array<ArrayBuffer>;
  codes: Uint8Array<ArrayBuffer>;
  /** Where they differ from those of the strip before. */
  constants: Int32Array<ArrayBuffer> | undefined;
  steps: GpuStep[];
  /** Floats of the result. */
  results: number;
}

/** A network, as some GPU computes it; one thing at a time. Everything rejects with `GpuFailure` where the GPU cannot. */
export interface GpuProgram {
  readonly limits: GpuLimits;
  /** Makes the buffers for a size of picture. What the tensors held is lost. */
  place(plan: GpuPlan): Promise<void>;
  /** @returns the floats, which are the caller's until the next call */
  run(strip: GpuStrip): Promise<Float32Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** A GPU, wherever it is spoken to. */
export interface GpuHost {
  readonly about: GpuAbout;
  /** Brings a network to it. @throws GpuFailure */
  start(model: GpuModel): Promise<GpuProgram>;
  isLost(): boolean;
  close(): Promise<void>;
}

/** A GPU that is spoken to from here. */
export function hostOf(opened: GpuDevice): GpuHost {
  return {
    about: opened.about,
    start: (model) => createProgram(opened, model),
    isLost: () => opened.isLost() !== undefined,
    close: async () => opened.device.destroy(),
  };
}

/** Bytes between the fields of two steps: the least distance of uniforms that every device allows. */
const FIELDS_BYTES = 256;

/** What a device has of a network, whatever the size of the picture. */
interface Loaded {
  /** By step. */
  pipelines: GPUComputePipeline[];
  weights: GPUBuffer;
  tables: GPUBuffer;
  constants: GPUBuffer;
}

/** What depends on the size of the picture. */
interface Placed {
  /** Of the tensors. */
  buffers: GPUBuffer[];
  z: GPUBuffer;
  codes: GPUBuffer;
  fields: GPUBuffer;
  output: GPUBuffer;
  staging: GPUBuffer;
  /** By step. */
  groups: GPUBindGroup[];
}

/** The bits of GPUBufferUsage, which is not in all places where there is WebGPU. */
const USAGE = { read: 0x1, source: 0x4, target: 0x8, uniform: 0x40, storage: 0x80 } as const;
/** GPUMapMode.READ */
const MAP_READ = 1;

/**
 * Brings a network to a device.
 * @throws GpuFailure
 */
async function createProgram(opened: GpuDevice, model: GpuModel): Promise<GpuProgram> {
  const { device, isLost } = opened;
  const guarded = guardOf(device, isLost);
  const loaded = await guarded(() => load(opened, model));
  let placed: Placed | undefined;
  let result = new Float32Array(0);
  const unplace = (): void => {
    if (placed !== undefined) destroyPlaced(placed);
    placed = undefined;
  };
  return {
    limits: limitsOf(device),
    async place(plan) {
      unplace();
      await guarded(async () => {
        placed = makePlaced(device, model.architecture, loaded, plan);
      });
    },
    async run(strip) {
      const at = placed!;
      await guarded(async () => {
        submit(device, loaded, at, strip);
        if (strip.results === 0) return;
        await at.staging.mapAsync(MAP_READ, 0, 4 * strip.results);
        if (result.length < strip.results) result = new Float32Array(strip.results);
        result.set(new Float32Array(at.staging.getMappedRange(0, 4 * strip.results)));
        at.staging.unmap();
      });
      return result.subarray(0, strip.results);
    },
    async close() {
      unplace();
      for (const each of [loaded.weights, loaded.tables, loaded.constants]) each.destroy();
    },
  };
}

/** Compiles the shaders and hands the weights over. Only what is done before the first wait is guarded: all of it. */
async function load(opened: GpuDevice, { architecture, weights, tables, constantsBytes }: GpuModel): Promise<Loaded> {
  const { device } = opened;
  const compiling = pipelinesOf(opened, architecture);
  const buffers = {
    weights: makeTable(device, weights),
    tables: makeTable(device, tables),
    constants: makeBuffer(device, constantsBytes, USAGE.storage | USAGE.target),
  };
  return { pipelines: await compiling, ...buffers };
}

function makeBuffer(device: GPUDevice, size: number, usage: number): GPUBuffer {
  return device.createBuffer({ size: VECTOR_BYTES * Math.max(1, Math.ceil(size / VECTOR_BYTES)), usage });
}

function makeTable(device: GPUDevice, data: Int16Array<ArrayBuffer> | Int32Array<ArrayBuffer>): GPUBuffer {
  const table = makeBuffer(device, data.byteLength, USAGE.storage | USAGE.target);
  device.queue.writeBuffer(table, 0, data);
  return table;
}

/** The buffers for a size of picture, and their bindings in the order in which the shaders have them. */
function makePlaced(
  device: GPUDevice,
  { layers }: Architecture,
  { pipelines, weights, tables, constants }: Loaded,
  plan: GpuPlan,
): Placed {
  const bytes = transferBytes(plan);
  const buffers = plan.buffers.map((size) => makeBuffer(device, size, USAGE.storage));
  const z = makeBuffer(device, bytes.z, USAGE.storage | USAGE.target);
  const codes = makeBuffer(device, bytes.codes, USAGE.storage | USAGE.target);
  const output = makeBuffer(device, bytes.output, USAGE.storage | USAGE.source);
  const staging = makeBuffer(device, bytes.output, USAGE.read | USAGE.target);
  const fields = makeBuffer(device, FIELDS_BYTES * pipelines.length, USAGE.uniform | USAGE.target);
  const of = (tensor: string): GPUBuffer =>
    tensor === OUTPUT_TENSOR ? output : buffers[plan.tensors.get(tensor)!.buffer]!;
  const bind = (step: number, rest: GPUBuffer[]): GPUBindGroup =>
    device.createBindGroup({
      layout: pipelines[step]!.getBindGroupLayout(0),
      entries: [
        { buffer: fields, offset: step * FIELDS_BYTES, size: FIELDS_BYTES },
        ...rest.map((buffer) => ({ buffer })),
      ].map((resource, binding) => ({ binding, resource })),
    });
  const groups = [
    bind(0, [z, codes, tables, of(INPUT_TENSOR)]),
    ...layers.map(({ from, to, add }, index) =>
      bind(index + 1, [of(from), weights, constants, of(to), ...(add === undefined ? [] : [of(add)])]),
    ),
  ];
  return { buffers, z, codes, fields, output, staging, groups };
}

function destroyPlaced({ buffers, z, codes, fields, output, staging }: Placed): void {
  for (const each of [...buffers, z, codes, fields, output, staging]) each.destroy();
}

/** Hands a strip over, in one submission. */
function submit(device: GPUDevice, { pipelines, constants }: Loaded, placed: Placed, strip: GpuStrip): void {
  const { queue } = device;
  queue.writeBuffer(placed.z, 0, strip.z);
  queue.writeBuffer(placed.codes, 0, strip.codes);
  if (strip.constants !== undefined) queue.writeBuffer(constants, 0, strip.constants);
  const fields = new Int32Array((FIELDS_BYTES / 4) * pipelines.length);
  for (const { step, fields: own } of strip.steps) fields.set(own, (FIELDS_BYTES / 4) * step);
  queue.writeBuffer(placed.fields, 0, fields);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (const { step, groups } of strip.steps) {
    pass.setPipeline(pipelines[step]!);
    pass.setBindGroup(0, placed.groups[step]!);
    pass.dispatchWorkgroups(...groups);
  }
  pass.end();
  if (strip.results > 0) encoder.copyBufferToBuffer(placed.output, 0, placed.staging, 0, 4 * strip.results);
  queue.submit([encoder.finish()]);
}

function limitsOf({ limits }: GPUDevice): GpuLimits {
  return { bufferBytes: Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize) };
}

/** Does something on a device, and fails where the device says, by whatever way, that it has not been done. */
function guardOf(device: GPUDevice, isLost: () => string | undefined): <T>(task: () => Promise<T>) => Promise<T> {
  const scopes = ['validation', 'out-of-memory', 'internal'] as const;
  return async (task) => {
    for (const scope of scopes) device.pushErrorScope(scope);
    const [done, ...errors] = await Promise.allSettled([task(), ...scopes.map(() => device.popErrorScope())]);
    const lost = isLost();
    if (lost !== undefined) throw new GpuFailure(`the device was lost (${lost})`);
    for (const error of errors) {
      if (error.status === 'rejected') throw new GpuFailure(String(error.reason));
      if (error.value !== null) throw new GpuFailure(error.value.message);
    }
    if (done.status === 'rejected') throw new GpuFailure(String(done.reason), { cause: done.reason });
    return done.value;
  };
}

/** The shader of each step; layers that differ in numbers alone share one. */
async function pipelinesOf({ device, pipelines }: GpuDevice, { layers }: Architecture): Promise<GPUComputePipeline[]> {
  const pipelineOf = (code: string): Promise<GPUComputePipeline> => {
    let made = pipelines.get(code);
    if (made === undefined) {
      const module = device.createShaderModule({ code });
      made = device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } });
      pipelines.set(code, made);
    }
    return made;
  };
  const variants = layers.map(({ kind, add, to }): ConvolutionVariant => ({
    kind,
    skip: add !== undefined,
    last: to === OUTPUT_TENSOR,
  }));
  return Promise.all([inputShader(), ...variants.map(convolutionShader)].map(pipelineOf));
}
