/** The program's end by a signal or an error: what is half written is removed first. */
import { rmdirSync, rmSync } from 'node:fs';
import { constants as osConstants } from 'node:os';

/** Files that have to be removed, however the program ends. */
export const temporaries = new Set<string>();
/** Folders that were made for outputs, outer ones first; those that stay empty are removed. */
export const newFolders = new Set<string>();
const stopped = new AbortController();
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
let catchers = 0;
let waits = 0;

function removeLeftovers(): void {
  for (const path of temporaries) rmSync(path, { force: true });
  removeEmptyFolders();
}

/** Those of `newFolders`, which then has none. */
export function removeEmptyFolders(): void {
  for (const folder of [...newFolders].reverse()) {
    try {
      rmdirSync(folder);
    } catch {
      // It holds something, or is gone.
    }
  }
  newFolders.clear();
}

function onSignal(signal: NodeJS.Signals): void {
  stopped.abort();
  const code = 128 + osConstants.signals[signal];
  if (waits === 0) process.exit(code);
  // process.exit waits for the threads that wait, so the signal itself has to end the program. Shells call it by the same number.
  process.emit('exit', code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/** For what may have to wait for others without end, such as a pipe without a reader: signals are obeyed meanwhile. */
export async function waiting<T>(task: () => Promise<T>): Promise<T> {
  waits++;
  try {
    return await stoppable(task);
  } finally {
    waits--;
  }
}

/**
 * While `task` runs, the program's end by a signal or an error removes what is half written first; the exit code of a
 * signal is the usual one, 130 for Ctrl-C. Can be nested.
 * @param task must not keep the thread busy, or signals are not heard; its signal is aborted when the user stops the program
 */
export async function stoppable<T>(task: (signal: AbortSignal) => Promise<T>): Promise<T> {
  if (catchers++ === 0) {
    process.on('exit', removeLeftovers);
    for (const signal of SIGNALS) process.on(signal, onSignal);
  }
  try {
    return await task(stopped.signal);
  } finally {
    if (--catchers === 0) {
      process.off('exit', removeLeftovers);
      for (const signal of SIGNALS) process.off(signal, onSignal);
    }
  }
}
