/**
 * Property tests that end. A case that takes a hundred times the usual is a failure that says which it is, even where it never
 * gives a turn: another thread watches, and ends the process.
 */
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';

/** Seconds of processor time that every case may take, however fast the others are; and the first, of which nothing is known. */
const LEAST = Number(process.env['DCOMP_CASE_SECONDS'] ?? 20);
const FIRST = 6 * LEAST;
/** What a case may take, in multiples of the mean of those before. */
const TIMES = 100;

/** Processor time tells an endless loop from a busy machine; what waits for ever takes none, so the clock has a say as well. */
const WATCH = `
const { parentPort } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const { inspect } = require('node:util');
const seconds = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; };
let running;
parentPort.on('message', (message) => {
  running = message === undefined ? undefined : { ...message, cpu: seconds(), clock: performance.now() };
});
setInterval(() => {
  if (running === undefined) return;
  const { name, seed, run, value, limit, cpu, clock } = running;
  const [taken, waited] = [seconds() - cpu, (performance.now() - clock) / 1000];
  if (taken < limit && waited < 10 * limit) return;
  const shown = typeof value === 'string' ? value : inspect(value, { depth: 6, maxArrayLength: 400, breakLength: 120 });
  writeSync(2, \`\\nproperty "\${name}": a case does not end: \${taken.toFixed(0)} s of processor time, a hundred times the usual; \` +
    \`{ seed: \${seed}, path: "\${run}" }\\n\${shown}\\n\`);
  process.kill(process.pid, 'SIGKILL');
}, 250);
`;

let watcher: Worker | undefined;

function watch(message: object | undefined): void {
  watcher ??= new Worker(WATCH, { eval: true, execArgv: [] });
  watcher.unref();
  try {
    watcher.postMessage(message);
  } catch {
    // It has something that cannot be sent, such as a function.
    watcher.postMessage({ ...message, value: fc.stringify((message as { value: unknown }).value).slice(0, 20_000) });
  }
}

/** As `fc.assert`. @param name default: the place of the call */
export function assertLimited<Ts>(
  property: fc.IAsyncProperty<Ts> | fc.IAsyncPropertyWithHooks<Ts>,
  parameters?: fc.Parameters<Ts>,
  name?: string,
): Promise<void>;
export function assertLimited<Ts>(
  property: fc.IProperty<Ts> | fc.IPropertyWithHooks<Ts>,
  parameters?: fc.Parameters<Ts>,
  name?: string,
): void;
export function assertLimited<Ts>(
  property: fc.IRawProperty<Ts>,
  parameters: fc.Parameters<Ts> = {},
  name = callerOf(new Error().stack),
): void | Promise<void> {
  const seed = parameters.seed ?? Math.floor(Math.random() * 2 ** 31);
  let runs = 0;
  let total = 0;
  const limited = Object.create(property) as fc.IRawProperty<Ts>;
  limited.run = (value) => {
    const limit = runs === 0 ? FIRST : Math.max(LEAST, (TIMES * total) / runs);
    watch({ name, seed, run: runs, value, limit });
    const before = process.cpuUsage();
    const end = (): void => {
      const { user, system } = process.cpuUsage(before);
      total += (user + system) / 1e6;
      runs++;
      watch(undefined);
    };
    let result: ReturnType<typeof property.run>;
    try {
      result = property.run(value);
    } catch (error) {
      end();
      throw error;
    }
    if (result instanceof Promise) return result.finally(end) as typeof result;
    end();
    return result;
  };
  return fc.assert(limited as fc.IAsyncProperty<Ts>, { ...parameters, seed });
}

/** File and line from which it was called. */
function callerOf(stack = ''): string {
  const line = stack.split('\n').find((each, i) => i > 0 && !each.includes('limited'));
  return /([\w-]+\.(?:test\.)?[jt]s:\d+)/.exec(line ?? '')?.[1] ?? 'unnamed';
}
