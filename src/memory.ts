/** What fails for want of memory is said to be that. */
import { DcompError } from './errors.js';
import type { Size } from './math/rectangle.js';

/** What engines say of an array or a memory that they cannot allocate. */
const NO_MEMORY = /allocat|invalid (typed )?array (buffer )?length|out of memory/i;

/**
 * Runs what needs memory in proportion to a picture.
 * @throws DcompError E_TOO_LARGE in place of an engine's RangeError, and what the task throws
 */
export async function withinMemory<T>(size: Size, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    throw namedIfMemory(error, size);
  }
}

/** @returns E_TOO_LARGE in place of an engine's RangeError about memory; any other error as it is */
export function namedIfMemory(error: unknown, { width, height }: Size): unknown {
  if (!(error instanceof RangeError && NO_MEMORY.test(error.message))) return error;
  return new DcompError(
    'E_TOO_LARGE',
    `there is not enough memory for a picture of ${width}×${height} pixels; free some, or ask for a part or a smaller size`,
    { cause: error },
  );
}
