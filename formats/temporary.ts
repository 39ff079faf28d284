/** The files that outputs are written to before they get their names; what a killed run left of them is removed by the next. */
import { createHash, randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { temporaries } from './stop.js';

/** Process numbers mean something on one machine only, and folders can be shared by several. */
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
const NAME = /^\.dcomp-([0-9a-f]{8})-(\d{1,10})-[0-9a-f]{8}\.tmp$/;

export function temporaryName(folder: string): string {
  return join(folder, `.dcomp-${HOST}-${process.pid}-${randomBytes(4).toString('hex')}.tmp`);
}

const swept = new Set<string>();

/** Removes the temporary files of processes of this machine that are no more. Whatever is in doubt stays. */
export function removeStale(folder: string): void {
  if (swept.has(folder)) return;
  swept.add(folder);
  try {
    for (const name of readdirSync(folder)) {
      const [, host, pid] = NAME.exec(name) ?? [];
      const path = join(folder, name);
      if (host === HOST && !temporaries.has(path) && isGone(Number(pid)) && lstatSync(path).isFile()) rmSync(path);
    }
  } catch {
    // It is not ours to complain of: another run may have been quicker, or the folder not be ours to read.
  }
}

/** A number that is this process's own now was another's before. */
function isGone(pid: number): boolean {
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
