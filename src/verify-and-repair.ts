/** What is asked of files without a model: checks and repairs, with turns of the event loop in between. */
import { repairFileInPieces, type Repaired } from './container/repair.js';
import { verifyFileInPieces, type Verification } from './container/verify.js';
import { DcompError } from './errors.js';
import { hearing } from './event-loop.js';
import { bytesOf, checkOptions, isSignal, type Checks } from './options.js';
import { inTurns, throwIfAborted, type Pieces } from './turns.js';

/** Options of `verify` and `repair`. */
export interface FileOptions {
  signal?: AbortSignal;
}

const CHECKS: Checks<FileOptions> = { signal: isSignal };

/** What a file is when it is handed over: the caller may change or transfer it afterwards. @throws DcompError E_USAGE, E_TOO_LARGE */
export function copyOf(file: unknown, maxBytes?: number): Uint8Array {
  const bytes = bytesOf(file, 'the file').subarray(0, maxBytes);
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new DcompError('E_TOO_LARGE', `the file has ${bytes.length} bytes, more than there is memory for`, { cause });
  }
}

async function inPieces<T>(
  what: string,
  work: (bytes: Uint8Array) => Pieces<T>,
  file: unknown,
  options: unknown,
): Promise<T> {
  const { signal } = checkOptions(options, CHECKS, what);
  const bytes = copyOf(file);
  throwIfAborted(signal);
  return inTurns(work(bytes), hearing(signal));
}

/**
 * Checks all checksums of a file and finds what can be repaired; needs no model.
 * @throws DcompError E_EMPTY, E_NOT_DCZ, E_VERSION, E_DAMAGED_HEADER, E_TRUNCATED (inside the header), E_DAMAGED_SEGMENT (more parts
 *   than there can be), E_TOO_LARGE, E_USAGE, E_ABORTED
 */
export async function verify(file: Uint8Array, options?: FileOptions): Promise<Verification> {
  return inPieces('verify', verifyFileInPieces, file, options);
}

/**
 * Repairs whatever single byte is wrong in each part of a file; needs no model.
 * @throws DcompError E_USAGE for what are no bytes, E_TOO_LARGE, E_ABORTED; nothing else, however damaged the file is
 */
export async function repair(file: Uint8Array, options?: FileOptions): Promise<Repaired> {
  return inPieces('repair', repairFileInPieces, file, options);
}
