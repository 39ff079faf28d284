/** How a caller is heard while a call computes: in its pauses. */
import { DcompError } from './errors.js';
import { turnIfDue } from './event-loop.js';
import type { Picture } from './picture.js';
import { throwIfAborted, type Pause } from './turns.js';

/** What of a call's options the caller is heard by. */
interface Heard {
  signal?: AbortSignal;
  onProgress?(value: unknown): void;
  onDamage?(value: unknown): void;
}

/**
 * A call's options and its pause, in which the caller is heard: the signal, what an asynchronous callback has thrown, and
 * whether the samples are still there.
 */
export function heard<O extends Heard>(options: O, picture?: Picture): { options: O; pause: Pause } {
  const failures: unknown[] = [];
  const listening = { ...options };
  for (const name of ['onProgress', 'onDamage'] as const) {
    const tell = options[name] as ((value: unknown) => unknown) | undefined;
    if (tell === undefined) continue;
    listening[name] = (value: unknown) => {
      const result = tell(value);
      if (result instanceof Promise) result.catch((error: unknown) => failures.push(error));
    };
  }
  const length = picture?.data.length;
  const check = (): void => {
    throwIfAborted(options.signal);
    if (failures.length > 0) throw failures.splice(0)[0];
    if (picture?.data.length !== length)
      throw new DcompError('E_PICTURE', 'picture.data was transferred or resized while it was coded; hand over a copy');
  };
  const pause = (): Promise<void> | undefined => {
    check();
    return turnIfDue()?.then(check);
  };
  return { options: listening, pause };
}
