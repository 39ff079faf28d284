/** The kernel for weights (kernels/model.ts), with memory that goes when its user goes. */
import { compileKernel, instantiateKernel, kernelMemory } from '../kernels/load.js';
import { wasm } from '../kernels/model.wasm.js';
import { onDemand } from '../math/on-demand.js';

/** Addresses and sizes in bytes. */
export interface ModelKernel {
  beginRice(bytes: number, length: number): void;
  /** @returns 0 where there is no such list */
  readRice(list: number, length: number): number;
  endsRice(): number;
  largestOfFilters(weights: number, filters: number): number;
  packFilters(weights: number, inputs: number, outputs: number, packed: number): void;
}

const module = onDemand(() => compileKernel(wasm));

/** @throws DcompError E_ENVIRONMENT */
export function modelKernel(bytes: number): { kernel: ModelKernel; buffer: ArrayBufferLike } {
  const memory = kernelMemory(bytes);
  return { kernel: instantiateKernel<ModelKernel & WebAssembly.Exports>(module(), memory), buffer: memory.buffer };
}
