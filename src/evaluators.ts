/** Who evaluates for whom: calls on one model share a few evaluators, so that small ones need not wait for large ones. */
import { DcompError } from './errors.js';
import type { Evaluator } from './model/evaluator.js';
import { throwIfAborted } from './turns.js';

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
  spare: boolean;
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

  /** @param create an evaluator of the model, of so many threads; a spare one for small pictures, or that which takes every call */
  constructor(
    threads: number | undefined,
    private readonly create: (threads: number | undefined, spare: boolean) => Promise<Evaluator>,
  ) {
    const seat = (most: number, threads: number | undefined, spare: boolean): Seat => ({
      most,
      threads,
      spare,
      taken: false,
      evaluator: undefined,
    });
    this.seats = [seat(Infinity, threads, false), ...SPARES.map((most) => seat(most, 1, true))];
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
      seat.evaluator ??= await this.create(seat.threads, seat.spare);
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
