/** What a file says about itself, and what decoding it takes; needs no model. */
import { readContainer, type Container } from '../container/container.js';
import { infoOf, type FileStructure } from '../container/info.js';
import { bytesOf } from '../options.js';
import { workOfFile, type Work } from './work.js';

/** What a file says about itself. */
export interface FileInfo extends FileStructure {
  /** What decoding takes, at most; null where the regions are damaged, without which nothing can be decoded. */
  work: Work | null;
}

/**
 * Reads what a file says about itself: size, model, parts, segments, work; needs no model.
 * @throws DcompError as `readContainer`
 */
export function inspectFile(file: Uint8Array): FileInfo {
  const bytes = bytesOf(file, 'the file');
  return inspected(bytes, readContainer(bytes));
}

/** The same of a structure that is known. @param byteLength with what is behind the end */
export function inspected(bytes: Uint8Array, container: Container, byteLength = bytes.length): FileInfo {
  return { ...infoOf(bytes, container, byteLength), work: workOfFile(bytes, container) };
}
