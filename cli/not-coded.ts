/** What stands in the place of a .dcz file: of a picture it is said that it is one, of a message that it may be one, and what to do. */
import { FORMAT_NAMES, formatOfBytes } from '../formats/formats.js';
import { DcompError } from '../src/errors.js';
import { MAGIC } from '../src/format.js';

/** @throws DcompError E_NOT_DCZ, where a file is a picture that dcomp reads */
export function refusePicture(bytes: Uint8Array): void {
  const found = formatOfBytes(bytes);
  if (!('format' in found)) return;
  throw new DcompError(
    'E_NOT_DCZ',
    `the file is a picture (${FORMAT_NAMES[found.format]}), not a .dcz file; dcomp encode makes one of it`,
  );
}

/** An error of reading a .dcz file, with what to do where it may be a message: of those it is known only that they begin below 128. */
export function orMessage(error: unknown, bytes: Uint8Array): unknown {
  if (!(error instanceof DcompError) || error.code !== 'E_NOT_DCZ') return error;
  // What has the rest of the signature is a damaged file; of what can be repaired, another error is the cause.
  const damaged = error.cause !== undefined || MAGIC.every((byte, i) => i === 0 || bytes[i] === byte);
  if (damaged || bytes[0]! >= 128) return error;
  return new DcompError(
    error.code,
    `${error.message}; if it is a message, decode it with dcomp decode --profile message`,
    { cause: error },
  );
}
