/** Compiled kernels travel as base64 text inside the JavaScript: nothing to fetch, nothing for a bundler to find. */

import { DcompError } from '../errors.js';

/** A compiled kernel. These are WebAssembly's types by what they have: programs for Node alone are compiled without those. */
export type KernelModule = object;

/** The memory of a kernel. */
export interface KernelMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

const VALUE = new Uint8Array(128);
for (let i = 0; i < 64; i++) {
  VALUE['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.charCodeAt(i)] = i;
}

/** Bytes of a base64 text (padded, without white space). Own code, as Node's Buffer and the browser's atob exclude each other. */
function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  for (let i = 0, j = 0; i < text.length; i += 4) {
    const word =
      (VALUE[text.charCodeAt(i)]! << 18) |
      (VALUE[text.charCodeAt(i + 1)]! << 12) |
      (VALUE[text.charCodeAt(i + 2)]! << 6) |
      VALUE[text.charCodeAt(i + 3)]!;
    bytes[j++] = word >> 16;
    if (j < bytes.length) bytes[j++] = (word >> 8) & 255;
    if (j < bytes.length) bytes[j++] = word & 255;
  }
  return bytes;
}

/**
 * Compiles a kernel given as base64. Synchronous: kernels are a few kilobytes.
 * @throws DcompError E_ENVIRONMENT
 */
export function compileKernel(base64: string): KernelModule {
  needWebAssembly();
  try {
    return new WebAssembly.Module(decodeBase64(base64));
  } catch (cause) {
    throw doesNotCompile(cause);
  }
}

/**
 * Compiles a kernel given as base64 without keeping the calling thread: for the larger ones.
 * @throws DcompError E_ENVIRONMENT
 */
export async function compileKernelAside(base64: string): Promise<KernelModule> {
  needWebAssembly();
  try {
    return await WebAssembly.compile(decodeBase64(base64));
  } catch (cause) {
    throw doesNotCompile(cause);
  }
}

function doesNotCompile(cause: unknown): DcompError {
  const needed = 'WebAssembly with SIMD and threads is needed';
  return new DcompError('E_ENVIRONMENT', `the kernels do not compile: ${needed}`, { cause });
}

function needWebAssembly(): void {
  if (typeof WebAssembly === 'undefined')
    throw new DcompError(
      'E_ENVIRONMENT',
      'there is no WebAssembly here, without which the network cannot run; start without --jitless, or allow it',
    );
}

/** Bytes of a page of WebAssembly memory. */
export const PAGE = 65536;

/** Limits tried for a memory that may grow, in pages: 4 GB, 1 GB, 256 MB. Only address space is taken in advance. */
const GROWTH_LIMITS = [65536, 16384, 4096];

/**
 * A memory as the kernels import it, of at least that many bytes. Shared also for one thread, so that one module serves
 * both; that needs no cross-origin isolation as long as the memory isn't sent to a worker.
 * @param growing whether it must be able to grow: a shared memory has to say its limit in advance
 * @throws DcompError E_ENVIRONMENT
 */
export function kernelMemory(bytes: number, growing = false): KernelMemory {
  needWebAssembly();
  const pages = Math.max(1, Math.ceil(bytes / PAGE));
  let cause: unknown;
  for (const limit of growing ? GROWTH_LIMITS : [pages]) {
    try {
      return new WebAssembly.Memory({ initial: pages, maximum: Math.max(limit, pages), shared: true });
    } catch (error) {
      cause = error; // some browsers reserve the whole limit and refuse a large one
    }
  }
  throw new DcompError(
    'E_ENVIRONMENT',
    `there is no memory for WebAssembly, ${Math.ceil((pages * PAGE) / 1e6)} MB and the address space around it; allow more (ulimit -v)`,
    { cause },
  );
}

/** Instantiates a kernel on a memory and returns its exports. @param functions that it calls, besides */
export function instantiateKernel<T>(
  module: KernelModule,
  memory: KernelMemory,
  functions: Record<string, (...values: number[]) => number> = {},
): T {
  const abort = (): never => {
    throw new Error('a kernel aborted');
  };
  return new WebAssembly.Instance(module, { env: { memory, abort, ...functions } }).exports as T;
}
