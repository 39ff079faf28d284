/** Names that lead to what the process has open already, such as /dev/stdout, and writing to it. */
import { readlinkSync, realpathSync, write } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ioError } from './files.js';

const MAX_LINKS = 40;

/** What a name leads to when all links are followed, also one that leads to nothing yet. @throws DcompError E_IO */
export function followLinks(path: string): { descriptor: number } | { path: string } {
  let at = resolve(path);
  for (let links = 0; links < MAX_LINKS; links++) {
    let folder: string;
    try {
      folder = realpathSync(dirname(at));
    } catch {
      return { path: at }; // writing will say what is wrong
    }
    const name = basename(at);
    if (/^\d{1,9}$/.test(name) && isDescriptors(folder)) return { descriptor: Number(name) };
    at = join(folder, name);
    try {
      at = resolve(folder, readlinkSync(at));
    } catch {
      return { path: at }; // it is no link, or not there
    }
  }
  throw ioError('write', path, Object.assign(new Error('too many links'), { code: 'ELOOP' }));
}

/** /dev/fd leads to /proc/PID/fd on Linux and is itself such a folder elsewhere. */
function isDescriptors(folder: string): boolean {
  if (process.platform === 'win32') return false;
  return folder === '/dev/fd' || new RegExp(`^/proc/${process.pid}/(task/\\d+/)?fd$`).test(folder);
}

/** The descriptor that a name leads to, undefined if it leads to none. */
export function descriptorOf(path: string): number | undefined {
  const found = followLinks(path);
  return 'descriptor' in found ? found.descriptor : undefined;
}

const writeSome = promisify(write);

/** Milliseconds before a pipe that takes nothing is asked again. */
const RETRY = 5;

/** Writes where the descriptor stands, which may be the end of what others wrote. @throws DcompError E_IO */
export async function writeAll(descriptor: number, bytes: Uint8Array, name: string): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    try {
      at += (await writeSome(descriptor, bytes, at, bytes.length - at, null)).bytesWritten;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw ioError('write', name, error);
      await sleep(RETRY);
    }
  }
}
