/**
 * How threads share an evaluation: a list of steps (the input, then the layers), each cut into chunks of rows. Whoever
 * is free claims the next chunk; a step begins when all chunks of the step before are done. Who computes a chunk does
 * not matter to its result. The thread that evaluates needs nobody: helpers that start late, or never, cost only time.
 *
 * All state is a block of int32 in the shared memory. Counters carry the number of their evaluation in the upper bits,
 * so a helper that slept through the end of one evaluation can't take part in the next by mistake.
 */
import { instantiateKernel, type KernelMemory, type KernelModule } from '../../kernels/load.js';
import { finish, type Pieces } from '../../turns.js';

/** More threads than any machine of today has cores for; a bound so that a mistaken option cannot exhaust the system. */
export const MAX_THREADS = 256;

/** Exports of kernels/conv.ts. Addresses and sizes in bytes. */
export interface ConvKernel {
  /** Called once, before all else. */
  useScratch(address: number): void;
  inputRows(input: number, tensor: number, y0: number, y1: number): void;
  layerRows(parts: number, count: number, tensor: number, y0: number, y1: number): void;
  outputRows(part: number, y0: number, y1: number, lowest: number, highest: number): void;
}

/** int32 fields of the control block's head. */
export const HEAD = {
  /** Number of the evaluation that helpers may join; CLOSED ends them. */
  current: 0,
  steps: 1,
  /** float32: bounds of the log variance. */
  lowest: 2,
  highest: 3,
  /** Bytes of memory that the evaluation uses. */
  bytes: 4,
  /** 1 when a helper could not compute a chunk that it had claimed. */
  failed: 5,
  /** Threads that have taken their scratch memory, where that of the first lies, and how far apart they are. */
  taken: 6,
  scratch: 7,
  scratchBytes: 8,
} as const;
const HEAD_LENGTH = 16;

/** int32 fields of a step. `next` and `done` are counters: evaluation << CHUNK_BITS | chunks. A cache line a step. */
export const STEP = {
  next: 0,
  done: 1,
  kind: 2,
  descriptor: 3,
  count: 4,
  tensor: 5,
  first: 6,
  rows: 7,
  chunks: 8,
  /** Chunks begin at multiples of so many rows, counted from the first. */
  unit: 9,
} as const;
const STEP_LENGTH = 16;

/** What an engine says of a step; it computes `rows` rows from `first` on. */
export type StepFields = Record<'kind' | 'descriptor' | 'count' | 'tensor' | 'first' | 'rows' | 'unit', number>;

export const KIND = { input: 0, layer: 1, output: 2 } as const;

const CHUNK_BITS = 12;
export const MAX_CHUNKS = 2 ** CHUNK_BITS - 1;
/** No evaluation has this number. */
export const CLOSED = -1;
/** Evaluations are numbered by the remaining bits; a helper would have to sleep through a million to be misled. */
export const EVALUATIONS = 2 ** (31 - CHUNK_BITS);

export function controlLength(steps: number): number {
  return HEAD_LENGTH + steps * STEP_LENGTH;
}

/** Index of a step's fields in the control block. */
export function stepAt(step: number): number {
  return HEAD_LENGTH + step * STEP_LENGTH;
}

/** Opens the steps for an evaluation. Helpers may join once `current` says so. */
export function openSteps(control: Int32Array, evaluation: number): void {
  for (let step = 0; step < control[HEAD.steps]!; step++) {
    Atomics.store(control, stepAt(step) + STEP.done, evaluation << CHUNK_BITS);
    Atomics.store(control, stepAt(step) + STEP.next, evaluation << CHUNK_BITS);
  }
}

/** Takes part in an evaluation until it is over, or another has begun. A piece is a chunk. */
export function* work(control: Int32Array, kernel: ConvKernel, evaluation: number): Pieces<void> {
  const steps = control[HEAD.steps]!;
  for (let step = 0; step < steps; step++) {
    for (let chunk = claim(control, step, evaluation); chunk >= 0; chunk = claim(control, step, evaluation)) {
      try {
        compute(control, kernel, step, chunk);
      } catch (error) {
        // Whoever waits for the chunk must not wait for ever.
        Atomics.store(control, HEAD.failed, 1);
        count(control, step);
        throw error;
      }
      count(control, step);
      yield;
    }
    while (!finished(control, step, evaluation)) {
      if (isOver(control, step, evaluation)) return;
      yield; // others have been at their chunks for long
    }
  }
}

function count(control: Int32Array, step: number): void {
  Atomics.add(control, stepAt(step) + STEP.done, 1);
  Atomics.notify(control, stepAt(step) + STEP.done);
}

/** @returns the number of a chunk that is now the caller's, or −1 */
function claim(control: Int32Array, step: number, evaluation: number): number {
  const at = stepAt(step);
  let seen = Atomics.load(control, at + STEP.next);
  for (;;) {
    const chunk = seen & MAX_CHUNKS;
    if (seen >> CHUNK_BITS !== evaluation || chunk >= control[at + STEP.chunks]!) return -1;
    const found = Atomics.compareExchange(control, at + STEP.next, seen, seen + 1);
    if (found === seen) return chunk;
    seen = found;
  }
}

/**
 * Ends an evaluation that nobody wants any more: no further chunk is claimed, and those that helpers are at are waited for, as
 * they write where the next evaluation does.
 */
export function abandon(control: Int32Array, evaluation: number): void {
  for (let step = 0; step < control[HEAD.steps]!; step++) {
    const seen = Atomics.exchange(control, stepAt(step) + STEP.next, 0);
    if (seen >> CHUNK_BITS !== evaluation) continue;
    const claimed = Math.min(seen & MAX_CHUNKS, control[stepAt(step) + STEP.chunks]!);
    const at = stepAt(step) + STEP.done;
    for (let done = Atomics.load(control, at); (done & MAX_CHUNKS) < claimed; done = Atomics.load(control, at))
      Atomics.wait(control, at, done, SLEEP);
  }
  openSteps(control, 0);
  // Whoever sleeps on a step learns that it is over.
  for (let step = 0; step < control[HEAD.steps]!; step++) Atomics.notify(control, stepAt(step) + STEP.done);
}

/** Looks at a counter before the thread goes to sleep: most steps end within microseconds of each other. */
const SPINS = 2000;

/** Milliseconds that a thread sleeps at most before it looks about: on a busy machine others may be held up for long. */
const SLEEP = 10;

/** Waits for a step to be complete, but not for long. @returns false if it is not, or the evaluation is over */
function finished(control: Int32Array, step: number, evaluation: number): boolean {
  const at = stepAt(step) + STEP.done;
  for (let spins = 0; ; spins++) {
    const seen = Atomics.load(control, at);
    if (seen >> CHUNK_BITS !== evaluation) return false;
    if ((seen & MAX_CHUNKS) >= control[stepAt(step) + STEP.chunks]!) return true;
    if (spins >= SPINS && Atomics.wait(control, at, seen, SLEEP) === 'timed-out') return false;
  }
}

function isOver(control: Int32Array, step: number, evaluation: number): boolean {
  return Atomics.load(control, stepAt(step) + STEP.done) >> CHUNK_BITS !== evaluation;
}

function compute(control: Int32Array, kernel: ConvKernel, step: number, chunk: number): void {
  const at = stepAt(step);
  const rows = control[at + STEP.rows]!;
  const chunks = control[at + STEP.chunks]!;
  const first = control[at + STEP.first]!;
  const unit = control[at + STEP.unit]!;
  const units = Math.ceil(rows / unit);
  const y0 = first + unit * Math.floor((units * chunk) / chunks);
  const y1 = first + Math.min(rows, unit * Math.floor((units * (chunk + 1)) / chunks));
  const descriptor = control[at + STEP.descriptor]!;
  const kind = control[at + STEP.kind];
  if (kind === KIND.layer) kernel.layerRows(descriptor, control[at + STEP.count]!, control[at + STEP.tensor]!, y0, y1);
  else if (kind === KIND.input) kernel.inputRows(descriptor, control[at + STEP.tensor]!, y0, y1);
  else kernel.outputRows(descriptor, y0, y1, floatAt(control, HEAD.lowest), floatAt(control, HEAD.highest));
}

function floatAt(control: Int32Array, index: number): number {
  return new Float32Array(control.buffer, control.byteOffset + 4 * index, 1)[0]!;
}

/** The life of a helper thread: joins every evaluation, sleeps between them, returns when the evaluator is closed. */
export function help(control: Int32Array, kernel: ConvKernel, memory: KernelMemory): void {
  let last = 0;
  for (;;) {
    const current = Atomics.load(control, HEAD.current);
    if (current === CLOSED) return;
    if (current === last) Atomics.wait(control, HEAD.current, last);
    else {
      last = current;
      if (reaches(memory, control[HEAD.bytes]!)) finish(work(control, kernel, current));
    }
  }
}

/** Whether this thread knows of all of the memory: it grew in another one. Asking for nothing more is how to be told. */
function reaches(memory: KernelMemory, bytes: number): boolean {
  if (memory.buffer.byteLength < bytes >>> 0) memory.grow(0);
  return memory.buffer.byteLength >= bytes >>> 0;
}

/** What a helper thread needs, sent to it once: the memory grows in place. */
export interface Shared {
  module: KernelModule;
  memory: KernelMemory;
  /** Where the control block lies. */
  control: number;
  controlLength: number;
}

/** Body of a helper thread. */
export function serve({ module, memory, control, controlLength }: Shared): void {
  const block = new Int32Array(memory.buffer, control, controlLength);
  help(block, kernelOf(module, memory, block), memory);
}

/** The kernels for the calling thread, with scratch memory of its own. */
export function kernelOf(module: KernelModule, memory: KernelMemory, control: Int32Array): ConvKernel {
  const kernel = instantiateKernel<ConvKernel & WebAssembly.Exports>(module, memory);
  const number = Atomics.add(control, HEAD.taken, 1);
  kernel.useScratch(control[HEAD.scratch]! + number * control[HEAD.scratchBytes]!);
  return kernel;
}
