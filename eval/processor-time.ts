/** Processor time: what a call takes of one core, however busy the machine is. */
import { readFileSync } from 'node:fs';

/** Of Linux's counters of processor time, in a second. */
const TICKS = 100;

/** Seconds of processor that this process has taken, and, on Linux, the programs that it has started and that have ended. */
export function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6 + childrenSeconds();
}

/** Fields 16 and 17 of `proc/self/stat`, counted from 1; the second is a name that may hold anything but a last bracket. */
function childrenSeconds(): number {
  let text: string;
  try {
    text = readFileSync('/proc/self/stat', 'utf8');
  } catch {
    return 0;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / TICKS;
}
