/** `--redis`: the jobs of a plan are put into a queue, and what becomes of them is told as if they were done here. */
import { basename, resolve } from 'node:path';
import { isObject } from '../../cluster/s3.js';
import { versionOf } from '../../cluster/places.js';
import { openQueue, type Submitter } from '../../cluster/submit.js';
import { errorOf, makeTask, type Result, type Task } from '../../cluster/task.js';
import { DcompError } from '../../src/errors.js';
import { outputName } from '../../formats/files.js';
import { progressDisplay } from '../progress.js';
import { note, print } from '../report.js';
import type { CodedFile } from './coder.js';
import type { Job, Plan } from './plan.js';
import type { Command } from './run.js';
import { Teller, type Remote, type Report, type RunOptions } from './teller.js';

/** Places that are looked at, at a time. */
const PORTION = 64;

/** What other machines call it. */
function placeOf(name: string): string {
  return isObject(name) ? name : resolve(name);
}

/** @returns the exit code, as `runJobs` @throws DcompError E_USAGE, E_IO, E_MISSING_DEPENDENCY */
export async function runRemotely<Settings extends { threads: number }>(
  command: Command<Settings>,
  plan: Plan,
  options: RunOptions,
  remote: Remote,
): Promise<number> {
  const queue = await openQueue({ ...remote, note });
  const display = progressDisplay(command.name, options.quiet);
  const teller = new Teller(plan, options, display);
  try {
    const { threads: _threads, ...settings } = command.settings;
    const stored = await queue.store(settings);
    const coder = basename(new URL(command.url).pathname, '.js');
    const asked: { index: number; task: Task }[] = [];
    for (let at = 0; at < plan.jobs.length; at += PORTION) {
      const looks = plan.jobs.slice(at, at + PORTION).map(async (job, i) => {
        const found = await askedOf(job, plan, options, { coder, settings: stored });
        if ('task' in found) asked.push({ index: at + i, task: found.task });
        else teller.report(at + i, found);
      });
      await Promise.all(looks);
    }
    asked.sort((a, b) => a.index - b.index);
    await queue.submit(asked.map(({ task }) => task));
    if (!remote.wait) return submitted(asked.length, options, remote, teller.failed);
    await waitFor(
      queue,
      plan,
      asked.map(({ index }) => index),
      teller,
    );
  } finally {
    display.stop();
    await queue.close();
  }
  return teller.end();
}

/** What is to be done for a job, or what there is to say of it at once. */
async function askedOf(
  job: Job,
  { named }: Plan,
  { force, skipExisting, keepTimes }: RunOptions,
  { coder, settings }: Pick<Task, 'coder' | 'settings'>,
): Promise<{ task: Task } | Report> {
  const [input, output] = [placeOf(job.input), placeOf(job.output)];
  try {
    if (!force && (await versionOf(output)) !== undefined) {
      if (skipExisting) return { job, status: 'skipped' };
      throw new DcompError(
        'E_EXISTS',
        `${outputName(job.output)} exists already and stays as it is; --force replaces it, or name another output`,
      );
    }
    const version = (await versionOf(input)) ?? 'none'; // the worker says what is wrong
    return { task: makeTask({ input, output, replace: force, keepTimes, folders: named, coder, settings, version }) };
  } catch (error) {
    return { job, status: 'failed', error };
  }
}

function submitted(count: number, { json, quiet }: RunOptions, { queue }: Remote, failed: boolean): number {
  if (json) print(`${JSON.stringify({ queue, submitted: count })}\n`);
  else if (!quiet) note(`${count} ${count === 1 ? 'file waits' : 'files wait'} in the queue ${queue}`);
  return failed ? 1 : 0;
}

function waitFor(queue: Submitter, { jobs }: Plan, indices: readonly number[], teller: Teller): Promise<void> {
  return queue.wait({
    progress: (i, { fraction, stage }) => teller.progress(indices[i]!, fraction, stage),
    done(i, result) {
      const { outputBytes, ...coded } = result as Result & Omit<CodedFile, 'bytes'>;
      teller.report(indices[i]!, { job: jobs[indices[i]!]!, status: 'done', coded, outputBytes });
    },
    failed: (i, failure) =>
      teller.report(indices[i]!, { job: jobs[indices[i]!]!, status: 'failed', error: errorOf(failure) }),
  });
}
