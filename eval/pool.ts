/** Runs jobs in processes, so many at a time: a codec that crashes or leaks takes no other with it. */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { DcompError } from '../src/errors.js';
import type { Job } from './measurement.js';
import type { Answer } from './worker.js';

const WORKER = fileURLToPath(new URL('worker.js', import.meta.url));

export interface Outcome<T> {
  result?: T;
  /** What went wrong, in one line. */
  error?: string;
}

/**
 * @param done told of each job as it ends
 * @param signal ends the processes; what they had not finished is lost
 * @returns outcomes in the order of the jobs
 * @throws DcompError E_ABORTED
 */
export async function runJobs<T>(
  jobs: readonly Job[],
  processes: number,
  done: (index: number, outcome: Outcome<T>) => void,
  signal: AbortSignal,
): Promise<Outcome<T>[]> {
  const outcomes: Outcome<T>[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < jobs.length) {
      if (signal.aborted) throw new DcompError('E_ABORTED', 'stopped');
      const index = next++;
      const outcome = await runJob<T>(jobs[index]!, signal);
      outcomes[index] = outcome;
      done(index, outcome);
    }
  };
  await Promise.all(Array.from({ length: Math.min(processes, jobs.length) }, lane));
  return outcomes;
}

function runJob<T>(job: Job, signal: AbortSignal): Promise<Outcome<T>> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = fork(WORKER, [], {
      execArgv: ['--expose-gc', '--enable-source-maps'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let answer: Answer | undefined;
    let complaints = '';
    const stop = (): void => void child.kill('SIGKILL');
    signal.addEventListener('abort', stop, { once: true });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (complaints = (complaints + text).slice(-2000)));
    child.on('message', (message: Answer) => (answer = message));
    child.on('error', (error) => resolve({ error: `its process cannot be started: ${error.message}` }));
    child.on('close', (code, killedBy) => {
      signal.removeEventListener('abort', stop);
      if (signal.aborted) reject(new DcompError('E_ABORTED', 'stopped'));
      else if (answer === undefined)
        resolve({
          error: `its process ended without a result (${killedBy ?? `exit code ${String(code)}`})${lastLine(complaints)}`,
        });
      else resolve('error' in answer ? { error: answer.error } : { result: answer.result as T });
    });
    child.send(job);
  });
}

function lastLine(text: string): string {
  const line = text
    .trim()
    .split('\n')
    .find((entry) => /error/i.test(entry));
  return line === undefined ? '' : `: ${line.trim()}`;
}
