/**
 * Peak memory of a process: its resident set at its highest. Linux keeps it for every process and lets one reset its own,
 * so that a single encoding can be measured; elsewhere there is only the peak since the process began.
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** Says what the figures are. */
export const MEMORY_METHOD =
  'peak resident memory of the process during the call, less that of the same process idle with the codec and the picture loaded (Linux: VmHWM, reset before each call)';

function statusField(pid: number | 'self', field: string): number | undefined {
  try {
    const line = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line === null ? undefined : 1024 * Number(line[1]);
  } catch {
    return undefined;
  }
}

/** Highest resident memory of a process so far, in bytes. */
export function peakOfProcess(pid: number): number | undefined {
  return statusField(pid, 'VmHWM');
}

export function residentMemory(): number {
  return statusField('self', 'VmRSS') ?? process.memoryUsage.rss();
}

/** Begins a measurement. Garbage of what came before is collected first, where the process was started with --expose-gc. */
export function resetPeak(): void {
  globalThis.gc?.();
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Not Linux: the peak is that of the whole life of the process.
  }
}

export function peakMemory(): number {
  return statusField('self', 'VmHWM') ?? 1024 * process.resourceUsage().maxRSS;
}
