/** Watches the event loop while something is under way. */

export interface Watched<T> {
  result: T;
  turns: number;
  /** Largest processor time of the process between two turns, and the largest but one, in milliseconds. */
  gap: number;
  secondGap: number;
}

/** Processor time rather than time by the clock: a busy machine is no gap. */
export async function watched<T>(task: () => Promise<T>): Promise<Watched<T>> {
  let going = true;
  let turns = 0;
  const gaps: number[] = [];
  const cpu = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  let last = cpu();
  const tick = (): void => {
    const now = cpu();
    gaps.push(now - last);
    last = now;
    turns++;
    if (going) setImmediate(tick);
  };
  setImmediate(tick);
  try {
    const result = await task();
    gaps.push(cpu() - last);
    gaps.sort((a, b) => b - a);
    return { result, turns, gap: gaps[0]!, secondGap: gaps[1] ?? 0 };
  } finally {
    going = false;
  }
}
