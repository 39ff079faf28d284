/**
 * Files and streams in and out: every failure a DcompError that says what to do, and no output that is half written. The
 * name `-` is standard input or output.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { constants as osConstants } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { DcompError } from '../src/errors.js';
import { oneLine } from './text.js';

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

/** As much as a file may have. */
const MAX_STDIN = 2 ** 31 - 1;

/** A file, or all of standard input. @throws DcompError E_IO, E_USAGE */
export async function readSource(path: string): Promise<Uint8Array> {
  if (path !== STANDARD) return readInput(path);
  if (process.stdin.isTTY) throw new DcompError('E_USAGE', 'the input - is a terminal; send a file to it, or name one');
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > MAX_STDIN) throw Object.assign(new Error('too large'), { code: 'ERR_FS_FILE_TOO_LARGE' });
      chunks.push(chunk);
    }
  } catch (error) {
    throw ioError('read', inputName(path), error);
  }
  return Buffer.concat(chunks, length);
}

/** Files that have to be removed, however the program ends. */
const temporaries = new Set<string>();
const stopped = new AbortController();
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
let catchers = 0;

function removeTemporaries(): void {
  for (const path of temporaries) rmSync(path, { force: true });
}

function onSignal(signal: NodeJS.Signals): void {
  stopped.abort();
  process.exit(128 + osConstants.signals[signal]);
}

/**
 * While `task` runs, the program's end by a signal or an error removes what is half written first; the exit code of a
 * signal is the usual one, 130 for Ctrl-C. Can be nested.
 * @param task is given a signal for the codec, which lets the event loop turn, so that signals are heard
 */
export async function stoppable<T>(task: (signal: AbortSignal) => Promise<T>): Promise<T> {
  if (catchers++ === 0) {
    process.on('exit', removeTemporaries);
    for (const signal of SIGNALS) process.on(signal, onSignal);
  }
  try {
    return await task(stopped.signal);
  } finally {
    if (--catchers === 0) {
      process.off('exit', removeTemporaries);
      for (const signal of SIGNALS) process.off(signal, onSignal);
    }
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
    throw new DcompError('E_USAGE', `${oneLine(input)} already ends in ${extension}: name the output file as well`);
  return output;
}

/** undefined where there is nothing. */
export function statOrUndefined(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

/**
 * Reserves the output and gives the function `produce` the time to make its bytes; the output appears under its name
 * only when it is complete, and what it replaces stays until then. Reserving comes first, so that a folder that cannot
 * be written is reported before minutes of coding.
 *
 * A device, a pipe or standard output cannot be renamed over and is written to directly.
 * @param input never overwritten
 * @param produce is given a signal that is aborted when the user stops the program
 * @returns bytes written
 * @throws DcompError E_IO, E_USAGE, and whatever `produce` throws
 */
export async function writeOutput(
  input: string,
  output: string,
  produce: (signal: AbortSignal) => Promise<Uint8Array>,
): Promise<number> {
  if (output === STANDARD) return stoppable(async (signal) => writeStdout(await produce(signal)));
  const place = outputPlace(input, output);
  const temporary = place.direct
    ? undefined
    : join(dirname(place.path), `.dcomp-${process.pid}-${randomBytes(4).toString('hex')}.tmp`);
  return stoppable(async (signal) => {
    try {
      if (temporary !== undefined) temporaries.add(temporary);
      let file: number;
      try {
        file = openSync(temporary ?? place.path, temporary === undefined ? 'w' : 'wx');
      } catch (error) {
        throw ioError('write', output, error);
      }
      let bytes: Uint8Array;
      try {
        bytes = await produce(signal);
        try {
          for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
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
      if (temporary !== undefined) {
        rmSync(temporary, { force: true });
        temporaries.delete(temporary);
      }
    }
  });
}

/** A pipe that closes early ends the program (cli/main.ts). */
async function writeStdout(bytes: Uint8Array): Promise<number> {
  await new Promise<void>((resolve, reject) =>
    process.stdout.write(bytes, (error) => (error ? reject(ioError('write', 'stdout', error)) : resolve())),
  );
  return bytes.length;
}

/** @throws DcompError E_IO */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw ioError('make the folder', path, error);
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
  if (target.isDirectory())
    throw new DcompError(
      'E_IO',
      `cannot write ${oneLine(output)}: it is a folder; name a file in it, or give the folder with -o`,
    );
  const source = statOrUndefined(input);
  if (source?.isFile() && source.ino === target.ino && source.dev === target.dev) {
    throw new DcompError('E_USAGE', `input and output are the same file, ${oneLine(output)}; name another output`);
  }
  return { path, direct: !target.isFile() };
}
