/** What a file says about itself, and what decoding it takes; needs no model. */
import { readContainer, type Container } from '../container/container.js';
import { infoOf, type FileStructure } from '../container/info.js';
import { headerFixes, headerOf } from '../container/repair-fixes.js';
import { DcompError } from '../errors.js';
import { bytesOf } from '../options.js';
import { workOfFile, type Work } from './work.js';

/** What a file says about itself. */
export interface FileInfo extends FileStructure {
  /** What decoding takes, at most; null where the regions are damaged, without which nothing can be decoded. */
  work: Work | null;
}

/**
 * Reads what a file says about itself: size, model, parts, segments, work; needs no model.
 * @throws DcompError as `readContainer`, which says where a single wrong byte of the header can be repaired
 */
export function inspectFile(file: Uint8Array): FileInfo {
  const bytes = bytesOf(file, 'the file');
  try {
    return inspected(bytes, readContainer(bytes));
  } catch (error) {
    throw error instanceof DcompError ? withFix(bytes, error) : error;
  }
}

/** Of a header all errors may come from a wrong byte, also that of a file that is none of ours. Headers are short, so looking takes no time. */
function withFix(bytes: Uint8Array, error: DcompError): DcompError {
  const fixes = headerOf(bytes) === undefined ? headerFixes(bytes) : [];
  if (fixes.length !== 1) return error;
  return new DcompError(
    error.code,
    `${error.message}; a single wrong byte (byte offset ${fixes[0]!.offset}) can be repaired: repair (dcomp repair) does so`,
    { cause: error },
  );
}

/** The same of a structure that is known. @param byteLength with what is behind the end */
export function inspected(bytes: Uint8Array, container: Container, byteLength = bytes.length): FileInfo {
  return { ...infoOf(bytes, container, byteLength), work: workOfFile(bytes, container) };
}
