/** Who evaluates for whom: calls on one model share a few evaluators, so that small ones need not wait for large ones. */
import { DcompError } from './errors.js';
import type { Evaluator } from './model/evaluator.js';
import type { IntegerModel } from './model/integer/integer-model.js';
import { readModelFileInPieces } from './model/integer/model-file.js';
import { MAX_THREADS } from './model/wasm/chunks.js';
import { bytesOf, isWhole, type Checks } from './options.js';
import { inTurns, throwIfAborted } from './turns.js';
import { turnIfDue } from './event-loop.js';

/**
 * Beside the evaluator that takes every call, one after the other, there are some for what comes while it is busy: each for
 * pictures of at most so many pixels, which bounds its memory, on the calling thread alone. So a call waits for larger ones
 * only where as large ones take all that would do for it.
 */
const SPARES = [2 ** 14, 2 ** 17, 2 ** 20];

interface Seat {
  /** Most pixels of a picture. */
  most: number;
  threads: number | undefined;
  taken: boolean;
  evaluator: Evaluator | undefined;
}

interface Waiting {
  pixels: number;
  take(seat: Seat): void;
}

/** The evaluators of one model. */
export class Evaluators {
  private readonly seats: Seat[];
  private readonly queue: Waiting[] = [];
  private retired: (() => void) | undefined;

  /** @param create an evaluator of the model, of so many threads */
  constructor(
    threads: number | undefined,
    private readonly create: (threads: number | undefined) => Promise<Evaluator>,
  ) {
    const seat = (most: number, threads: number | undefined): Seat => ({
      most,
      threads,
      taken: false,
      evaluator: undefined,
    });
    this.seats = [seat(Infinity, threads), ...SPARES.map((most) => seat(most, 1))];
  }

  /**
   * Does something with an evaluator that is nobody else's meanwhile.
   * @param pixels of the picture
   * @throws DcompError E_ABORTED while it waits; what `create` and the task throw
   */
  async use<T>(
    pixels: number,
    signal: AbortSignal | undefined,
    task: (evaluator: Evaluator) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(signal);
    const seat = this.freeSeat(pixels) ?? (await this.wait(pixels, signal));
    seat.taken = true;
    try {
      seat.evaluator ??= await this.create(seat.threads);
      return await task(seat.evaluator);
    } finally {
      this.leave(seat);
    }
  }

  /** Ends all evaluators once nobody uses them. */
  async close(): Promise<void> {
    if (this.seats.some(({ taken }) => taken)) await new Promise<void>((resolve) => (this.retired = resolve));
    await Promise.all(this.seats.map(async ({ evaluator }) => evaluator?.close()));
  }

  private freeSeat(pixels: number): Seat | undefined {
    return this.seats.find(({ taken, most }) => !taken && pixels <= most);
  }

  private wait(pixels: number, signal: AbortSignal | undefined): Promise<Seat> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.queue.splice(this.queue.indexOf(waiting), 1);
        reject(new DcompError('E_ABORTED', 'stopped by the caller', { cause: signal?.reason }));
      };
      const waiting: Waiting = {
        pixels,
        take: (seat) => {
          signal?.removeEventListener('abort', stop);
          resolve(seat);
        },
      };
      this.queue.push(waiting);
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  private leave(seat: Seat): void {
    seat.taken = false;
    const next = this.queue.findIndex(({ pixels }) => pixels <= seat.most);
    if (next >= 0) {
      seat.taken = true;
      this.queue.splice(next, 1)[0]!.take(seat);
    } else if (this.seats.every(({ taken }) => !taken)) {
      this.retired?.();
    }
  }
}

/** What is computed with the network. */
export interface ModelOptions {
  /** Contents of a model file (.dcm); default: the model of the package. */
  model?: Uint8Array;
  /** Threads for the network; the result is the same for any number. Default: all cores in Node, 1 in a browser. */
  threads?: number;
}

/** Checks of `ModelOptions`. */
export const MODEL_CHECKS: Checks<ModelOptions> = { model: bytesOf, threads: isWhole(1, MAX_THREADS) };

/** Where models and threads come from. */
export interface Platform {
  /** Reads the model of the package. */
  defaultModel(): Promise<Uint8Array>;
  createEvaluator(model: IntegerModel, threads: number | undefined): Evaluator;
}

/** Models whose evaluators are kept, at most. */
const KEPT_MODELS = 2;

interface KeptModel {
  bytes: Uint8Array | undefined;
  threads: number | undefined;
  evaluators: Evaluators;
}

/** Evaluators by model, kept between calls. */
export class KeptEvaluators {
  /** The one used last comes first. */
  private kept: KeptModel[] = [];

  constructor(private readonly platform: Platform) {}

  of({ model: bytes, threads }: ModelOptions): Evaluators {
    const known = this.kept.find((each) => each.threads === threads && areSame(each.bytes, bytes));
    const model = known ?? { bytes, threads, evaluators: this.newEvaluators(bytes, threads) };
    this.kept = [model, ...this.kept.filter((each) => each !== model)];
    for (const { evaluators } of this.kept.splice(KEPT_MODELS)) void evaluators.close();
    return model.evaluators;
  }

  private newEvaluators(bytes: Uint8Array | undefined, threads: number | undefined): Evaluators {
    let read: Promise<IntegerModel> | undefined;
    const readModel = async (): Promise<IntegerModel> => {
      // A copy, as the caller's may change between two pieces.
      const file = bytes === undefined ? await this.platform.defaultModel() : new Uint8Array(bytesOf(bytes, 'model'));
      return inTurns(readModelFileInPieces(file), turnIfDue);
    };
    return new Evaluators(threads, async (count) => {
      try {
        read ??= readModel();
        const model = await read;
        await turnIfDue();
        return this.platform.createEvaluator(model, count);
      } catch (error) {
        read = undefined; // the next call tries again
        throw error;
      }
    });
  }

  /** Frees threads and memory. */
  async release(): Promise<void> {
    const models = this.kept;
    this.kept = [];
    await Promise.all(models.map(({ evaluators }) => evaluators.close()));
  }
}

/** Whether two model files are the very same memory. */
function areSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === b || (a?.buffer === b?.buffer && a?.byteOffset === b?.byteOffset && a?.byteLength === b?.byteLength);
}
