/** Files and streams, their names and what can be wrong with them; the name `-` is standard input or output. */
import { createReadStream, mkdirSync, readFileSync, statSync, type Stats } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import { DcompError } from '../src/errors.js';
import { waiting } from './stop.js';
import { oneLine } from './text.js';

/** The system's codes in words. */
const REASONS: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  ENOSPC: 'no space is left on the device',
  EFBIG: 'the file would be larger than the system allows',
  EIO: 'the device reports an error',
  EBADF: 'it is not open for that',
  EPIPE: 'nobody reads it any more',
  EBUSY: 'something else uses it',
  ENXIO: 'there is no such device',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  ENAMETOOLONG: 'the name is too long',
  EMFILE: 'too many files are open',
  ELOOP: 'its symbolic links go round in circles',
  ERR_FS_FILE_TOO_LARGE: 'it is larger than 2 GiB',
};

export const STANDARD = '-';

/** What messages call an input or an output. */
export const inputName = (path: string): string => (path === STANDARD ? 'stdin' : oneLine(path));
export const outputName = (path: string): string => (path === STANDARD ? 'stdout' : oneLine(path));

export function ioError(action: string, name: string, error: unknown): DcompError {
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = (code !== undefined ? REASONS[code] : undefined) ?? code ?? message;
  return new DcompError('E_IO', `cannot ${action} ${oneLine(name)}: ${reason}`, { cause: error });
}

/** @throws DcompError E_IO */
export function readInput(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw ioError('read', path, error);
  }
}

/** False for a named pipe, a device, a folder. True also for what is not there, which reading says. */
export function isRegular(path: string): boolean {
  try {
    return statOrUndefined(path)?.isFile() !== false;
  } catch {
    return true;
  }
}

/** A named pipe is opened only when somebody writes to it. @throws DcompError E_IO */
async function readSlowly(path: string): Promise<Uint8Array> {
  try {
    return await waiting(() => collect(createReadStream(path)));
  } catch (error) {
    throw ioError('read', path, error);
  }
}

/** As much as a file may have: a device may never end. */
const MAX_STREAM = 2 ** 31 - 1;

async function collect(stream: AsyncIterable<Buffer>): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > MAX_STREAM) throw Object.assign(new Error('too large'), { code: 'ERR_FS_FILE_TOO_LARGE' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/** A file, or all of standard input. @throws DcompError E_IO, E_USAGE */
export async function readSource(path: string): Promise<Uint8Array> {
  if (path !== STANDARD) return isRegular(path) ? readInput(path) : readSlowly(path);
  if (process.stdin.isTTY) throw new DcompError('E_USAGE', 'the input - is a terminal; send a file to it, or name one');
  try {
    return await collect(process.stdin as AsyncIterable<Buffer>);
  } catch (error) {
    throw ioError('read', inputName(path), error);
  }
}

/**
 * The input's name with another extension.
 * @throws DcompError E_USAGE if that is the input itself
 */
export function defaultOutput(input: string, extension: string): string {
  const own = extname(input);
  const output = (own === '' ? input : input.slice(0, -own.length)) + extension;
  if (output === input)
    throw new DcompError(
      'E_USAGE',
      extension === '.dcz'
        ? `${oneLine(input)} already ends in .dcz: dcomp decode makes a picture of it; to encode a picture of that name, name the output file as well`
        : `${oneLine(input)} already ends in ${extension}: dcomp encode makes a .dcz file of a picture; to decode a .dcz file of that name, name the output file as well`,
    );
  return output;
}

/** undefined where there is nothing. */
export function statOrUndefined(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

/** With the folders above it. @returns those that were not there, the outer ones first @throws DcompError E_IO */
export function makeFolder(path: string): string[] {
  const missing: string[] = [];
  try {
    for (let at = resolve(path); statOrUndefined(at) === undefined && at !== dirname(at); at = dirname(at))
      missing.unshift(at);
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw ioError('make the folder', path, error);
  }
  return missing;
}
