/** Files in and out: every failure a DcompError that says what to do, and no output that is half written. */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeSync, type Stats } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { DcompError } from '../src/errors.js';
import { oneLine } from './errors.js';

/** The system's codes in words. */
const REASONS: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  ENOSPC: 'no space is left on the device',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  ENAMETOOLONG: 'the name is too long',
  EMFILE: 'too many files are open',
  ELOOP: 'its symbolic links go round in circles',
  ERR_FS_FILE_TOO_LARGE: 'it is larger than 2 GiB',
};

function ioError(action: string, path: string, error: unknown): DcompError {
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = (code !== undefined ? REASONS[code] : undefined) ?? code ?? message;
  return new DcompError('E_IO', `cannot ${action} ${oneLine(path)}: ${reason}`, { cause: error });
}

/** @throws DcompError E_IO */
export function readInput(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw ioError('read', path, error);
  }
}

/**
 * The input's name with another extension.
 * @throws DcompError E_USAGE if that is the input itself
 */
export function defaultOutput(input: string, extension: string): string {
  const own = extname(input);
  const output = (own === '' ? input : input.slice(0, -own.length)) + extension;
  if (output === input) throw new DcompError('E_USAGE', `${oneLine(input)} already ends in ${extension}: name the output file as well`);
  return output;
}

function statOrUndefined(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

/**
 * Reserves the output and gives the function `produce` the time to make its bytes; the output appears under its name
 * only when it is complete, and what it replaces stays until then. Reserving comes first, so that a folder that cannot
 * be written is reported before minutes of coding.
 *
 * A device or pipe cannot be renamed over and is written to directly.
 * @param input never overwritten
 * @param produce is given a signal that is aborted when the user stops the program
 * @throws DcompError E_IO, E_USAGE, and whatever `produce` throws
 */
export async function writeOutput(input: string, output: string, produce: (signal: AbortSignal) => Promise<Uint8Array>): Promise<number> {
  const place = outputPlace(input, output);
  const abort = new AbortController();
  const temporary = place.direct ? undefined : join(dirname(place.path), `.dcomp-${process.pid}-${randomBytes(4).toString('hex')}.tmp`);
  const removeTemporary = (): void => {
    if (temporary !== undefined) rmSync(temporary, { force: true });
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    abort.abort();
    removeTemporary();
    process.exit(128 + osConstants.signals[signal]);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  try {
    let file: number;
    try {
      file = openSync(temporary ?? place.path, temporary === undefined ? 'w' : 'wx');
    } catch (error) {
      throw ioError('write', output, error);
    }
    let bytes: Uint8Array;
    try {
      bytes = await produce(abort.signal);
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      } catch (error) {
        throw ioError('write', output, error);
      }
    } finally {
      closeSync(file);
    }
    try {
      if (temporary !== undefined) renameSync(temporary, place.path);
    } catch (error) {
      throw ioError('write', output, error);
    }
    return bytes.length;
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
    removeTemporary();
  }
}

/** Where the output goes. A symbolic link is followed, so that it stays one. */
function outputPlace(input: string, output: string): { path: string; direct: boolean } {
  let target: Stats | undefined;
  let path = output;
  try {
    target = statOrUndefined(output);
    if (target !== undefined) path = realpathSync(output);
  } catch (error) {
    throw ioError('write', output, error);
  }
  if (target === undefined) return { path, direct: false };
  if (target.isDirectory()) throw new DcompError('E_IO', `cannot write ${oneLine(output)}: it is a folder; name a file in it`);
  const source = statOrUndefined(input);
  if (source?.isFile() && source.ino === target.ino && source.dev === target.dev) {
    throw new DcompError('E_USAGE', `input and output are the same file, ${oneLine(output)}; name another output`);
  }
  return { path, direct: !target.isFile() };
}
