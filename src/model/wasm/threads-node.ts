/** The evaluator on several threads of Node. The only file of the model that knows Node. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { DcompError } from '../../errors.js';
import { createEngine, STARTING_WORK, type Convolution, type Helpers } from './engine.js';
import type { Evaluator } from '../evaluator.js';
import type { IntegerModel } from '../integer/integer-model.js';
import { CLOSED, HEAD, MAX_THREADS, type Shared } from './chunks.js';

export interface ThreadOptions {
  /** Threads in all, the caller's included; default: as many as the machine runs at once. */
  threads?: number;
  convolution?: Convolution;
  /** Operations after which the other threads are started; default: what takes as long as starting one. */
  startAfter?: number;
}

/**
 * An evaluator that shares out each evaluation among threads. The caller's thread takes part: `evaluate` blocks it. Idle
 * threads sleep, and do not keep the process alive.
 * @throws DcompError E_USAGE for a number of threads out of 1..MAX_THREADS, E_DAMAGED_MODEL, E_ENVIRONMENT
 */
export async function createThreadedEvaluator(model: IntegerModel, options: ThreadOptions = {}): Promise<Evaluator> {
  const threads = options.threads ?? Math.min(MAX_THREADS, availableParallelism());
  if (!Number.isInteger(threads) || threads < 1 || threads > MAX_THREADS) {
    throw new DcompError('E_USAGE', `threads: ${threads} is not a whole number from 1 to ${MAX_THREADS}`);
  }
  const helpers = threads === 1 ? undefined : new NodeHelpers(threads, options.startAfter ?? STARTING_WORK);
  return createEngine(model, helpers, options.convolution);
}

/**
 * What a thread runs: a few words that import the platform-neutral code. As text, so that no bundler has to find a
 * worker file.
 */
const SOURCE = `
const { workerData } = require('node:worker_threads');
import(workerData.schedule).then(({ serve }) => serve(workerData.shared));
`;

class NodeHelpers implements Helpers {
  private shared: Shared | undefined;
  private workers: Worker[] = [];

  constructor(
    readonly threads: number,
    readonly startAfter: number,
  ) {}

  start(shared: Shared): void {
    this.shared = shared;
    const workerData = { schedule: new URL('./chunks.js', import.meta.url).href, shared };
    for (let i = 1; i < this.threads; i++) {
      // A thread that cannot start is not needed: the others claim its share.
      let worker: Worker;
      try {
        worker = new Worker(SOURCE, { eval: true, workerData, name: `dcomp ${i}` });
      } catch {
        return; // no more threads are to be had
      }
      worker.on('error', () => {});
      worker.unref();
      this.workers.push(worker);
    }
  }

  async close(): Promise<void> {
    const workers = this.workers;
    this.workers = [];
    if (this.shared === undefined) return;
    const control = new Int32Array(this.shared.memory.buffer, this.shared.control, this.shared.controlLength);
    Atomics.store(control, HEAD.current, CLOSED);
    Atomics.notify(control, HEAD.current);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
