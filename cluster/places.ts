/** Where inputs and outputs are: files of a folder that all machines share, or objects of a store. */
import { dirname } from 'node:path';
import { DcompError } from '../src/errors.js';
import { makeFolder, readInput, statOrUndefined } from '../formats/files.js';
import { writeOutput } from '../formats/output.js';
import { oneLine } from '../formats/text.js';
import { isObject, lookAt, readObject, writeObject } from './s3.js';

/** @throws DcompError E_IO, E_USAGE, E_MISSING_DEPENDENCY */
export async function readPlace(place: string): Promise<Uint8Array> {
  return isObject(place) ? readObject(place) : readInput(place);
}

/** Changes when the contents do; undefined if there is nothing. @throws DcompError E_IO, E_USAGE, E_MISSING_DEPENDENCY */
export async function versionOf(place: string): Promise<string | undefined> {
  if (isObject(place)) return (await lookAt(place))?.version;
  const stats = statOrUndefined(place);
  return stats === undefined ? undefined : `${stats.size}-${stats.mtimeMs}`;
}

/** How an output is to be written. */
export interface Writing {
  input: string;
  output: string;
  /** Whether what is there may be replaced. */
  replace: boolean;
  /** Whether a file gets the times of its input. */
  keepTimes: boolean;
  /** Whether folders that are missing are made. */
  folders: boolean;
}

/**
 * Whole or not at all. What is there and must not be replaced is an error, unless it is byte for byte what would be
 * written: then a run before this one has written it, and died before it could say so. Nothing else tells of that run: a
 * queue that dies with its worker forgets that the job was begun.
 * @param produce makes the bytes, once at most
 * @returns bytes
 * @throws DcompError E_EXISTS, E_IO, E_USAGE, E_MISSING_DEPENDENCY, and what `produce` throws
 */
export async function writePlace(writing: Writing, produce: () => Promise<Uint8Array>): Promise<number> {
  const { output, replace } = writing;
  let made: Uint8Array | undefined;
  const once = async (): Promise<Uint8Array> => (made ??= await produce());
  if (!replace && (await versionOf(output)) !== undefined) await once();
  try {
    return await write(writing, once);
  } catch (error) {
    if (made === undefined || !(error instanceof DcompError) || error.code !== 'E_EXISTS') throw error;
    if (Buffer.compare(made, await readPlace(output)) !== 0) throw error;
    return made.length;
  }
}

async function write(writing: Writing, once: () => Promise<Uint8Array>): Promise<number> {
  const { input, output, replace, keepTimes, folders } = writing;
  if (isObject(output)) {
    if (!replace && (await versionOf(output)) !== undefined) throw exists(output);
    const bytes = await once();
    if (!(await writeObject(output, bytes, replace))) throw exists(output);
    return bytes.length;
  }
  if (folders) makeFolder(dirname(output));
  return writeOutput(isObject(input) ? undefined : input, output, once, { replace, keepTimes });
}

/** In the words of formats/output.ts. */
function exists(output: string): DcompError {
  return new DcompError(
    'E_EXISTS',
    `${oneLine(output)} exists already and stays as it is; --force replaces it, or name another output`,
  );
}
