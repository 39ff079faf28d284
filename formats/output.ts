/** Outputs: whole or not at all, and no file is lost that was there. */
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  type Stats,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DcompError } from '../src/errors.js';
import { followLinks, writeAll } from './descriptor.js';
import { ioError, outputName, STANDARD, statOrUndefined } from './files.js';
import { stoppable, temporaries, waiting } from './stop.js';
import { removeStale, temporaryName } from './temporary.js';
import { oneLine } from './text.js';

export interface OutputOptions {
  /** Whether a file that is there may be replaced. */
  replace: boolean;
  /** Whether the output gets the times of the input. */
  keepTimes?: boolean;
}

type Produce = (signal: AbortSignal) => Promise<Uint8Array>;

const STDOUT = 1;

/**
 * Reserves the output and gives the function `produce` the time to make its bytes; the output appears under its name
 * only when it is complete, and what it replaces stays until then. Reserving comes first, so that a folder that cannot
 * be written is reported before minutes of coding.
 *
 * A device, a pipe, standard output and what else is open already (/dev/fd/3) is written to directly, and never cut.
 * @param input the file that it is made from, which is never overwritten; undefined or - for none
 * @param produce is given a signal that is aborted when the user stops the program
 * @returns bytes written
 * @throws DcompError E_EXISTS, E_IO, E_USAGE, and whatever `produce` throws
 */
export async function writeOutput(
  input: string | undefined,
  output: string,
  produce: Produce,
  { replace, keepTimes = false }: OutputOptions,
): Promise<number> {
  const source = input === undefined || input === STANDARD ? undefined : inputStats(input);
  const found = output === STANDARD ? { descriptor: STDOUT } : followLinks(output);
  if ('descriptor' in found) {
    const { descriptor } = found;
    checkDescriptor(descriptor, source, output);
    return stoppable(async (signal) => writeOpen(descriptor, await produce(signal), outputName(output)));
  }
  const { path } = found;
  const old = checkPlace(path, source, output, replace);
  if (old !== undefined && !old.isFile()) return writeInto(path, output, produce);
  const times = keepTimes && source !== undefined ? source : undefined;
  return stoppable((signal) => writeWhole({ path, old, output, replace, times }, () => produce(signal)));
}

/** That the input cannot be read is what has to be said, whatever the output. @throws DcompError E_IO */
function inputStats(input: string): Stats {
  try {
    accessSync(input, constants.R_OK);
    return statSync(input);
  } catch (error) {
    throw ioError('read', input, error);
  }
}

function isSame(a: Stats | undefined, b: Stats): boolean {
  return a?.isFile() === true && a.ino === b.ino && a.dev === b.dev;
}

function checkSame(source: Stats | undefined, target: Stats, output: string): void {
  if (isSame(source, target))
    throw new DcompError('E_USAGE', `input and output are the same file, ${outputName(output)}; name another output`);
}

function checkDescriptor(descriptor: number, source: Stats | undefined, output: string): void {
  let target: Stats;
  try {
    target = fstatSync(descriptor);
  } catch (error) {
    throw ioError('write', outputName(output), error);
  }
  checkSame(source, target, output);
}

/** @returns what is there now */
function checkPlace(path: string, source: Stats | undefined, output: string, replace: boolean): Stats | undefined {
  let target: Stats | undefined;
  try {
    target = statOrUndefined(path);
  } catch (error) {
    throw ioError('write', output, error);
  }
  if (target === undefined) return undefined;
  if (target.isDirectory())
    throw new DcompError(
      'E_IO',
      `cannot write ${oneLine(output)}: it is a folder; name a file in it, or give the folder with -o`,
    );
  checkSame(source, target, output);
  if (!target.isFile()) return target;
  if (!replace) throw existsError(output);
  try {
    accessSync(path, constants.W_OK); // renaming would not ask for it
  } catch (error) {
    throw ioError('replace', output, error);
  }
  return target;
}

function existsError(output: string): DcompError {
  return new DcompError(
    'E_EXISTS',
    `${oneLine(output)} exists already and stays as it is; --force replaces it, or name another output`,
  );
}

async function writeOpen(descriptor: number, bytes: Uint8Array, name: string): Promise<number> {
  try {
    await waiting(() => writeAll(descriptor, bytes, name));
  } catch (error) {
    const { code } = (error as DcompError).cause as NodeJS.ErrnoException;
    if (descriptor === STDOUT && code === 'EPIPE') process.exit(); // as for all that is written there (cli/main.ts)
    throw error;
  }
  return bytes.length;
}

/** A named pipe is opened only when somebody opens its other end. */
async function writeInto(path: string, output: string, produce: Produce): Promise<number> {
  return stoppable(async (signal) => {
    const file = await waiting(() => open(path, constants.O_WRONLY)).catch((error: unknown) => {
      throw ioError('write', output, error);
    });
    try {
      return await writeOpen(file.fd, await produce(signal), output);
    } finally {
      await file.close();
    }
  });
}

interface Place {
  path: string;
  /** The file that is replaced. */
  old: Stats | undefined;
  /** As the user named it. */
  output: string;
  replace: boolean;
  /** The file whose times it gets. */
  times: Stats | undefined;
}

async function writeWhole(place: Place, produce: () => Promise<Uint8Array>): Promise<number> {
  removeStale(dirname(place.path));
  let made: Uint8Array | undefined;
  const once = async (): Promise<Uint8Array> => (made ??= await produce());
  try {
    await writeTemporary(place, once);
  } catch (error) {
    // Another machine, or another's idea of what is left over, may have taken the temporary file away.
    const lost = error instanceof DcompError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
    if (!lost || made === undefined) throw error;
    await writeTemporary(place, once);
  }
  return made!.length;
}

async function writeTemporary(place: Place, produce: () => Promise<Uint8Array>): Promise<void> {
  const { path, old, output, times } = place;
  const temporary = temporaryName(dirname(path));
  temporaries.add(temporary);
  try {
    let file: number;
    try {
      file = openSync(temporary, 'wx', old === undefined ? 0o666 : 0o600);
    } catch (error) {
      throw ioError('write', output, error);
    }
    try {
      await writeAll(file, await produce(), output);
      if (old !== undefined) keepMode(file, old);
      if (times !== undefined) setTimes(file, times, output);
    } finally {
      closeSync(file);
    }
    moveTo(temporary, place);
  } finally {
    rmSync(temporary, { force: true });
    temporaries.delete(temporary);
  }
}

/** What replaces a file has its owner and mode, as far as the system lets it. */
function keepMode(file: number, { uid, gid, mode }: Stats): void {
  let kept = mode & 0o777;
  try {
    fchownSync(file, uid, gid);
  } catch {
    kept &= 0o707; // not for another group
  }
  try {
    fchmodSync(file, kept);
  } catch {
    // Some file systems have no modes.
  }
}

function setTimes(file: number, { atime, mtime }: Stats, output: string): void {
  try {
    futimesSync(file, atime, mtime);
  } catch (error) {
    throw ioError('set the times of', output, error);
  }
}

/** A link fails where a name is taken, and a rename does not: somebody else may have been quicker. */
function moveTo(temporary: string, { path, output, replace }: Place): void {
  try {
    if (!replace) {
      try {
        linkSync(temporary, path);
        return;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EEXIST' || statOrUndefined(path) !== undefined) throw existsError(output);
        if (code === 'ENOENT') throw error;
      }
    }
    renameSync(temporary, path); // or the file system has no hard links
  } catch (error) {
    throw error instanceof DcompError ? error : ioError('write', output, error);
  }
}
