/** Does the jobs of a plan, some at a time, and tells of each in the order of the plan. */
import { totalmem } from 'node:os';
import { dirname } from 'node:path';
import { makeFolder, STANDARD, statOrUndefined } from '../../formats/files.js';
import { writeOutput } from '../../formats/output.js';
import { newFolders, removeEmptyFolders, stoppable } from '../../formats/stop.js';
import { progressDisplay } from '../progress.js';
import { codeFile, type CodedFile, type Coder, type Hooks } from './coder.js';
import type { Job, Plan } from './plan.js';
import type { Pool } from './pool.js';
import { Teller, type Report, type RunOptions } from './teller.js';
import { defined } from '../../src/options.js';

export interface Command<Settings extends { threads: number }> {
  name: string;
  /** URL of the file that exports `code`, for the worker threads. */
  url: string;
  settings: Settings;
}

/** The usual code of a program whose output nobody reads any more: 128 + SIGPIPE. */
const EXIT_PIPE = 141;

/** Codes one file. */
type Execute = (input: string, hooks: Hooks) => Promise<CodedFile>;

/**
 * A file that fails is reported and does not keep the others from being done.
 * @returns the exit code: 0, or for several files 1 if any failed, or for one what its error says
 */
export async function runJobs<Settings extends { threads: number }>(
  command: Command<Settings>,
  plan: Plan,
  options: RunOptions,
): Promise<number> {
  if (options.remote !== undefined)
    return (await import('./remote.js')).runRemotely(command, plan, options, options.remote);
  const waiting = plan.jobs.map((job) => ({ job, skip: options.skipExisting && exists(job.output) }));
  const files = waiting.filter(({ skip }) => !skip).length;
  const lanes = Math.max(1, Math.min(options.jobs ?? defaultJobs(options.threads), options.threads, files));
  const settings = { ...command.settings, threads: Math.max(1, Math.floor(options.threads / lanes)) };
  const display = progressDisplay(command.name, options.quiet);
  const teller = new Teller(plan, options, display);
  const pool = await poolFor(
    waiting.filter(({ skip }) => !skip).map(({ job }) => job),
    lanes,
    command.url,
    settings,
  );
  const execute: Execute = (input, { onProgress }) => pool.code(input, onProgress);
  const next = waiting.entries();
  const lane = async (): Promise<void> => {
    for (const [i, { job, skip }] of next) {
      const hooks: Hooks =
        display.update === undefined
          ? {}
          : { onProgress: ({ fraction, stage }) => teller.progress(i, fraction, stage) };
      teller.report(i, skip ? { job, status: 'skipped' } : await doJob(job, plan, options, execute, hooks));
    }
  };
  process.exitCode = EXIT_PIPE; // if stdout is closed before the end
  try {
    await stoppable(() => Promise.all(Array.from({ length: lanes }, lane)));
  } finally {
    removeEmptyFolders();
    display.stop();
    await pool.close();
  }
  return teller.end();
}

/** Most bytes of a file that is coded without a thread of its own. */
const FEW_BYTES = 16384;

/**
 * Threads for the jobs. A file of few bytes is done here, alone: to start a thread takes as long as to decode it, and signals are
 * heard in the turns that coding gives. Larger ones may want more memory than there is, which ends a thread and not the program.
 */
async function poolFor(jobs: readonly Job[], lanes: number, url: string, settings: unknown): Promise<Pool> {
  const [first, second] = jobs;
  // Of what is no regular file, the size is 0.
  if (first === undefined || second !== undefined || first.size === 0 || first.size > FEW_BYTES)
    return (await import('./pool.js')).createPool(lanes, { command: url, settings });
  const { code } = (await import(url)) as { code: Coder<unknown> };
  return {
    code: (input, onProgress) => codeFile(input, undefined, code, settings, defined({ onProgress })),
    close: async () => undefined,
  };
}

/** What a picture of 24 megapixels may take, and something to spare. */
const BYTES_PER_JOB = 2 * 2 ** 30;

/** Files coded at a time if the user does not say: one for each thread, as far as the memory goes. */
export function defaultJobs(threads: number): number {
  const limit = process.constrainedMemory();
  const memory = Math.min(totalmem(), limit > 0 ? limit : Infinity);
  return Math.max(1, Math.min(threads, Math.floor(memory / BYTES_PER_JOB)));
}

function exists(output: string): boolean {
  try {
    return output !== STANDARD && statOrUndefined(output) !== undefined;
  } catch {
    return false; // writing it will say what is wrong
  }
}

async function doJob(
  job: Job,
  plan: Plan,
  { force, keepTimes }: RunOptions,
  execute: Execute,
  hooks: Hooks,
): Promise<Report> {
  try {
    if (plan.named) for (const made of makeFolder(dirname(job.output))) newFolders.add(made);
    let coded: Omit<CodedFile, 'bytes'> | undefined;
    let made = 0;
    const produce = async (): Promise<Uint8Array> => {
      const { bytes, ...rest } = await execute(job.input, hooks);
      coded = rest;
      made = performance.now();
      return bytes;
    };
    const outputBytes = await writeOutput(job.input, job.output, produce, { replace: force, keepTimes });
    coded!.seconds.write += (performance.now() - made) / 1000;
    return { job, status: 'done', coded: coded!, outputBytes };
  } catch (error) {
    return { job, status: 'failed', error };
  }
}
