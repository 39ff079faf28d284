/** Processor time of a thread. */
import { readFileSync } from 'node:fs';

/** Milliseconds of processor time: of the calling thread where Linux says it, or else of the process. */
export function threadTime(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ', 1)[0]) / 1e6;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  }
}
