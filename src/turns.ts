/**
 * Turns: how long work lets others run. It is written as generators, which yield between pieces of some milliseconds; whoever
 * drives one gives turns of the event loop in between, or runs it at a stretch. The core has no clock: when a turn is due is
 * said by the `Pause` that the entries hand down.
 */
import { DcompError } from './errors.js';

/** Work in pieces; each takes at most some milliseconds. */
export type Pieces<T> = Generator<void, T, void>;

/**
 * Asked between two pieces. Gives a promise where a turn is due, which is to be waited for; undefined where there is time
 * left. Throws, or rejects, where the work is to end: E_ABORTED.
 */
export type Pause = () => Promise<void> | undefined;

/** Where there is nobody else. Hears the signal where something else gives a turn. */
export function withoutTurns(signal?: AbortSignal): Pause {
  return () => {
    throwIfAborted(signal);
    return undefined;
  };
}

/** @throws DcompError E_ABORTED */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new DcompError('E_ABORTED', 'stopped by the caller', { cause: signal.reason });
}

/** Does all of the work at a stretch. */
export function finish<T>(work: Pieces<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

/** Does the work with turns in between. What it holds is given back where it ends early. */
export async function inTurns<T>(work: Pieces<T>, pause: Pause): Promise<T> {
  try {
    for (;;) {
      const { done, value } = work.next();
      if (done === true) return value;
      const turn = pause();
      if (turn !== undefined) await turn;
    }
  } finally {
    work.return(undefined as T); // does nothing where it has ended
  }
}

/**
 * What a task gives; E_ABORTED at once where the signal comes first, whatever the task waits for. It ends when it hears of it
 * itself, unseen.
 * @throws DcompError E_ABORTED
 */
export async function unlessAborted<T>(signal: AbortSignal | undefined, task: () => Promise<T>): Promise<T> {
  throwIfAborted(signal);
  if (signal === undefined) return task();
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(new DcompError('E_ABORTED', 'stopped by the caller', { cause: signal.reason }));
    signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([task(), aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Rows of so many elements that are done in a piece: at least one. */
export function rowsOfPiece(rowLength: number, elements = 2 ** 16): number {
  return Math.max(1, Math.floor(elements / rowLength));
}
