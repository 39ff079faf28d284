/** The clock and the turns of the event loop that the entries hand down to the core as a `Pause`. */
import { throwIfAborted, type Pause } from './turns.js';

/** Milliseconds of work after which the event loop has a turn. A piece of work that has begun is ended first. */
const SLICE = 20;

/** Calls back in the next turn of the event loop: at once in Node, and not slowed down in a browser as timers are. */
const soon: (task: () => void) => void =
  typeof setImmediate === 'function'
    ? (task) => void setImmediate(task)
    : (task) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => {
          port1.close();
          task();
        };
        port2.postMessage(undefined);
      };

/** When the work of this turn began, of whichever call. */
let began = -Infinity;
const waiting: (() => void)[] = [];

/**
 * A turn of the event loop, if one is due; undefined otherwise. Of calls that wait, one goes on in each turn, in the order in
 * which they came: so none is held up by another for longer than a slice, and no turn is longer than one.
 */
export function turnIfDue(): Promise<void> | undefined {
  if (performance.now() - began < SLICE) return undefined;
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) soon(goOn);
  });
}

/** Turns, in which a signal is heard. */
export function hearing(signal: AbortSignal | undefined): Pause {
  return () => {
    throwIfAborted(signal);
    return turnIfDue()?.then(() => throwIfAborted(signal));
  };
}

function goOn(): void {
  began = performance.now();
  waiting.shift()!();
  if (waiting.length > 0) soon(goOn);
}
