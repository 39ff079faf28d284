/** `dcomp worker --redis URL`: codes what other machines put into a queue. */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { Argv } from 'yargs';
import { isObject } from '../cluster/s3.js';
import { startWorker } from '../cluster/worker.js';
import { DcompError } from '../src/errors.js';
import { DEFAULT_QUEUE, queueName } from './batch/options.js';
import { defaultJobs } from './batch/run.js';
import { numberOption, outputFlags, textOption, textOptions, type RawArgs } from './options.js';
import { note } from './report.js';

/** Seconds that a file has after SIGTERM before it is handed back: less than the 30 that Kubernetes waits. */
const DEFAULT_GRACE = 20;
const DEFAULT_PATIENCE = 30;

/** Files that export `code`, which jobs may ask for. */
const CODERS = ['encode-file', 'decode-file', 'message-encode', 'message-decode'];

/** Their URLs by name. */
export function codersOf(): Record<string, string> {
  return Object.fromEntries(CODERS.map((name) => [name, new URL(`./${name}.js`, import.meta.url).href]));
}

export function builder(yargs: Argv): void {
  yargs
    .option('redis', { type: 'string', requiresArg: true, describe: 'Address of Redis: redis://HOST:6379' })
    .option('queue', {
      type: 'string',
      requiresArg: true,
      describe: `The queue's name  [default: ${DEFAULT_QUEUE}]`,
    })
    .option('concurrency', {
      type: 'string',
      requiresArg: true,
      describe: 'Files at a time, each with its share of the threads  [default: as threads and memory allow]',
    })
    .option('threads', { type: 'string', requiresArg: true, describe: 'Threads in all  [default: all cores]' })
    .option('within', {
      type: 'string',
      requiresArg: true,
      describe: 'Read and write below this folder or s3://BUCKET/PREFIX alone; may be given several times',
    })
    .option('metrics', { type: 'string', requiresArg: true, describe: 'Serve /metrics for Prometheus on this port' })
    .option('grace', {
      type: 'string',
      requiresArg: true,
      describe: `Seconds for files that are being coded when it is stopped; then they are handed back  [default: ${DEFAULT_GRACE}]`,
    })
    .option('patience', {
      type: 'string',
      requiresArg: true,
      describe: `Seconds without a sign of life after which a worker's files are given to others  [default: ${DEFAULT_PATIENCE}]`,
    })
    .example('$0 worker --redis redis://queue:6379', 'Codes what dcomp encode --redis asks for')
    .example('$0 worker --redis redis://queue:6379 --within /shared --metrics 9464', 'In one folder, with figures');
}

/** @throws DcompError E_USAGE, E_IO, E_MISSING_DEPENDENCY */
export async function run(args: RawArgs): Promise<void> {
  const { quiet } = outputFlags(args);
  const redis = textOption(args, 'redis');
  if (redis === undefined) throw new DcompError('E_USAGE', 'say where jobs come from: --redis redis://HOST:6379');
  const threads = numberOption(args, 'threads', { min: 1, max: 256, whole: true }) ?? availableParallelism();
  const concurrency = numberOption(args, 'concurrency', { min: 1, max: 256, whole: true }) ?? defaultJobs(threads);
  const grace = numberOption(args, 'grace', { min: 0, max: 86400, whole: false }) ?? DEFAULT_GRACE;
  const patience = numberOption(args, 'patience', { min: 1, max: 86400, whole: false }) ?? DEFAULT_PATIENCE;
  const metrics = numberOption(args, 'metrics', { min: 0, max: 65535, whole: true });
  const within = textOptions(args, 'within').map((place) => (isObject(place) ? place : resolve(place)));
  const queue = queueName(args);
  const say = quiet ? () => undefined : note;
  const coders = codersOf();
  const worker = await startWorker({
    ...{ redis, queue, concurrency, threads, coders, within, patience, metrics },
    note: say,
  });
  if (worker.metrics !== undefined) say(`figures at ${worker.metrics}`);
  say(`waiting for jobs of the queue ${queue}, ${concurrency} at a time`);
  await untilStopped(async (soon, signal) => {
    say(`${signal}: no more jobs; those at work have ${grace} s`);
    const timer = setTimeout(() => soon.abort(), 1000 * grace);
    await worker.stop(soon.signal);
    clearTimeout(timer);
  });
}

/** The first signal asks to stop, a second one to do so at once. */
function untilStopped(stop: (soon: AbortController, signal: string) => Promise<void>): Promise<void> {
  const soon = new AbortController();
  let asked = false;
  return new Promise((resolve, reject) => {
    const heard = (signal: string): void => {
      if (asked) soon.abort();
      else stop(soon, signal).then(resolve, reject);
      asked = true;
    };
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, heard);
  });
}
