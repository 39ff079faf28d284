/** Takes jobs of a queue and codes them, in processes of its own, until it is told to stop. */
import type { Job, Worker } from 'bullmq';
import { DcompError } from '../src/errors.js';
import { Children } from './children.js';
import { NO_METRICS, serveMetrics, type Metrics } from './metrics.js';
import { Blobs, connect, loadQueue } from './redis.js';
import { closeStore } from './s3.js';
import { checkTask, failureOf, failureText, isPassing, type Result } from './task.js';

/** How a worker works. */
export interface WorkerSetup {
  /** Address of Redis. */
  redis: string;
  queue: string;
  /** Files at a time. */
  concurrency: number;
  /** Threads in all. */
  threads: number;
  /** URLs of the files that export `code`, by the names that jobs have for them. */
  coders: Readonly<Record<string, string>>;
  /** Folders and `s3://bucket/prefix/` that inputs and outputs have to be in; none for anywhere. */
  within: readonly string[];
  /** Seconds without a sign of life after which a worker's jobs are given to others. */
  patience: number;
  /** Port of /metrics, if it is wanted. */
  metrics: number | undefined;
  /** Is told what happens, a line each. */
  note: (message: string) => void;
}

/** A worker that works. */
export interface Running {
  /** Where the metrics are served. */
  metrics: string | undefined;
  /** Takes no more jobs, and ends when those that it has are done; @param soon hands them back when it is aborted */
  stop(soon: AbortSignal): Promise<void>;
}

/** A job that kills its worker so many times is parked. */
const MOST_STALLS = 10;

/** Milliseconds from one progress of a job to the next. */
const PROGRESS_INTERVAL = 500;

/** Milliseconds that /metrics waits for Redis. */
const COUNT_PATIENCE = 1000;

/** @throws DcompError E_USAGE, E_IO, E_MISSING_DEPENDENCY */
export async function startWorker(setup: WorkerSetup): Promise<Running> {
  const { redis, queue, concurrency, patience, note } = setup;
  const { bullmq } = await loadQueue();
  const connection = await connect(redis, note);
  const counts = new bullmq.Queue(queue, { connection });
  counts.on('error', () => undefined); // the connection tells
  const metrics =
    setup.metrics === undefined
      ? NO_METRICS
      : await serveMetrics(setup.metrics, () => jobCounts(() => counts.getJobCounts()));
  const stopped = new AbortController();
  const children = new Children();
  const work = processor(setup, {
    bullmq,
    metrics,
    children,
    blobs: new Blobs(connection, queue),
    stopped: stopped.signal,
  });
  const worker: Worker<unknown, Result> = new bullmq.Worker<unknown, Result>(queue, work, {
    connection,
    concurrency,
    lockDuration: 1000 * patience,
    stalledInterval: 1000 * patience,
    maxStalledCount: MOST_STALLS,
  });
  worker.on('stalled', () => metrics.stalled());
  worker.on('error', (error) => {
    if (
      !/ECONN|Connection is closed|ENOTFOUND|EPIPE|LOADING/.test(
        `${error.message} ${(error as NodeJS.ErrnoException).code}`,
      )
    )
      note(error.message);
  });
  await worker.waitUntilReady();
  return {
    metrics: metrics.address,
    async stop(soon) {
      const hurry = (): void => stopped.abort();
      if (soon.aborted) hurry();
      soon.addEventListener('abort', hurry);
      await worker.close();
      children.close();
      await metrics.close();
      await counts.close();
      connection.disconnect();
      await closeStore();
    },
  };
}

/** An answer, or nothing where Redis is away. */
async function jobCounts(count: () => Promise<Record<string, number>>): Promise<Record<string, number>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Record<string, number>>((resolve) => {
    timer = setTimeout(() => resolve({}), COUNT_PATIENCE);
  });
  try {
    return await Promise.race([count(), late]);
  } catch {
    return {};
  } finally {
    clearTimeout(timer);
  }
}

interface Tools {
  bullmq: typeof import('bullmq');
  metrics: Metrics;
  children: Children;
  blobs: Blobs;
  /** Aborted when jobs are to be handed back. */
  stopped: AbortSignal;
}

/** What is done with a job: the queue hears its result or its error. */
function processor(
  { coders, within, concurrency, threads, note }: WorkerSetup,
  { bullmq, metrics, children, blobs, stopped }: Tools,
): (job: Job<unknown, Result>, token?: string) => Promise<Result> {
  const each = Math.max(1, Math.floor(threads / concurrency));
  return async (job, token) => {
    metrics.started();
    const started = performance.now();
    try {
      const task = checkTask(job.data, coders);
      for (const place of [task.input, task.output]) checkWithin(place, within);
      const errand = {
        coder: coders[task.coder]!,
        task,
        blobs: await blobs.of(task.settings),
        threads: each,
      };
      const result = await children.run(errand, { signal: stopped, onProgress: teller(job) });
      metrics.done(result, (performance.now() - started) / 1000);
      return result;
    } catch (error) {
      const failure = failureOf(error);
      if (failure.code === 'E_ABORTED' && stopped.aborted) {
        metrics.handedBack();
        await job.moveToWait(token);
        throw new bullmq.WaitingError();
      }
      const again = isPassing(failure.code) && job.attemptsMade + 1 < (job.opts.attempts ?? 1);
      metrics.failed(failure, again);
      note(`${failure.message}${again ? '; it is tried again' : ''}`);
      const text = failureText(failure);
      throw isPassing(failure.code) ? new Error(text) : new bullmq.UnrecoverableError(text);
    }
  };
}

/** Tells the queue of progress, now and then: each time is a message to Redis. */
function teller(job: Job): (progress: { fraction: number; stage: string }) => void {
  let next = 0;
  return ({ fraction, stage }) => {
    if (performance.now() < next) return;
    next = performance.now() + PROGRESS_INTERVAL;
    job.updateProgress({ fraction, stage }).catch(() => undefined); // the job may be another worker's by now
  };
}

/** Who can write to Redis tells a worker what to read and where to write. @throws DcompError E_USAGE */
export function checkWithin(place: string, within: readonly string[]): void {
  const steps = place.split(/[/\\]/);
  const inside = (folder: string): boolean => place.startsWith(/[/\\]$/.test(folder) ? folder : `${folder}/`);
  if (within.length > 0 && (steps.includes('..') || !within.some(inside)))
    throw new DcompError('E_USAGE', `${place} is not within ${within.join(' or ')}, where this worker may work`);
}
