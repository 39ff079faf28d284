/** Watches the event loop while something is under way, and ends it in the middle. */
import assert from 'node:assert/strict';
import { DcompError } from '../../src/errors.js';
import { hash32 } from '../../src/math/hash.js';
import { threadTime } from './thread-time.js';

export interface Watched<T> {
  result: T;
  turns: number;
  /** Processor time of the thread for the whole of it, in milliseconds. */
  spent: number;
  /** Largest processor time of the thread between two turns, and the largest but one, in milliseconds. */
  gap: number;
  secondGap: number;
}

/** Processor time rather than time by the clock: a busy machine is no gap. */
export async function watched<T>(task: () => Promise<T>): Promise<Watched<T>> {
  let going = true;
  let turns = 0;
  const gaps: number[] = [];
  let last = threadTime();
  const tick = (): void => {
    const now = threadTime();
    gaps.push(now - last);
    last = now;
    turns++;
    if (going) setImmediate(tick);
  };
  setImmediate(tick);
  try {
    const result = await task();
    gaps.push(threadTime() - last);
    const spent = gaps.reduce((sum, gap) => sum + gap);
    gaps.sort((a, b) => b - a);
    return { result, turns, spent, gap: gaps[0]!, secondGap: gaps[1] ?? 0 };
  } finally {
    going = false;
  }
}

/** Turns in which an abort is obeyed: that of the abort, and those of a wait that it finds. */
const TURNS = 3;

/**
 * Aborts a task at some moments, each a turn of the event loop, and sees it end with E_ABORTED at once, or, where it was about to end,
 * with what it ends with.
 * @returns the largest processor time from an abort to the end, and the largest but one, in milliseconds
 */
export async function abortAt(
  moments: number,
  task: (signal: AbortSignal) => Promise<unknown>,
): Promise<{ longest: number; second: number }> {
  const outcome = (signal: AbortSignal): Promise<unknown> => task(signal).catch((error: unknown) => error);
  const { turns, result: whole } = await watched(() => outcome(new AbortController().signal));
  const times: number[] = [];
  for (let k = 0; k < moments; k++) {
    const abort = new AbortController();
    let at = Math.floor((hash32(k, turns) / 2 ** 32) * turns);
    let since = 0;
    let began: number | undefined;
    const tick = (): void => {
      if (began !== undefined) since++;
      else if (at-- <= 0) {
        began = threadTime();
        abort.abort('enough');
      }
      if (since < 1000) setImmediate(tick);
    };
    setImmediate(tick);
    const result = await outcome(abort.signal);
    if (began !== undefined) times.push(threadTime() - began);
    assert.ok(since <= TURNS, `obeyed after ${since} turns`);
    if (result instanceof DcompError && result.code === 'E_ABORTED') assert.equal(result.cause, 'enough');
    else if (result instanceof Error) assert.equal(result.message, (whole as Error).message);
    since = 1000;
  }
  times.sort((a, b) => b - a);
  return { longest: times[0] ?? 0, second: times[1] ?? 0 };
}
