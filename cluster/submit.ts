/** Puts files into a queue, and hears what becomes of them. */
import type { Queue, QueueEvents } from 'bullmq';
import type { Progress } from '../src/index.js';
import { connect, loadQueue, storeBlobs } from './redis.js';
import { idOf, parseFailure, type Failure, type Result, type Task } from './task.js';

/** What is told of tasks by their place in the list. */
export interface Listener {
  progress(task: number, progress: Progress): void;
  done(task: number, result: Result): void;
  failed(task: number, failure: Failure): void;
}

/** A queue to put tasks into. */
export interface Submitter {
  /** Settings in values that JSON has; bytes are put beside the jobs. */
  store(settings: object): Promise<Record<string, unknown>>;
  /** Puts tasks into the queue, unless they wait there already. */
  submit(tasks: readonly Task[]): Promise<void>;
  /** Waits until all that was submitted is done or has failed for good. */
  wait(listener: Listener): Promise<void>;
  close(): Promise<void>;
}

/** How tasks are put into a queue. */
export interface SubmitSetup {
  redis: string;
  queue: string;
  /** How often a file is tried that fails for a reason that may pass. */
  attempts: number;
  note: (message: string) => void;
}

/** Tasks that are put into the queue, or asked about, at a time. */
const PORTION = 500;

/** Milliseconds between looks at what has not been heard of: Redis may have forgotten it, or an event been lost. */
const LOOK_INTERVAL = 3000;

/** Seconds that a job which is done stays in Redis. */
const DONE_KEPT = 24 * 3600;

/** Milliseconds before a file is tried again: that long, then twice as long, and so on. */
const FIRST_DELAY = 1000;

/** @throws DcompError E_USAGE, E_IO, E_MISSING_DEPENDENCY */
export async function openQueue({ redis, queue: name, attempts, note }: SubmitSetup): Promise<Submitter> {
  const { bullmq } = await loadQueue();
  const connection = await connect(redis, note);
  const queue = new bullmq.Queue<Task, Result>(name, {
    connection,
    defaultJobOptions: {
      attempts,
      backoff: { type: 'exponential', delay: FIRST_DELAY, jitter: 0.5 },
      removeOnComplete: { age: DONE_KEPT },
      removeOnFail: false, // parked, for people to look at
    },
  });
  queue.on('error', () => undefined); // the connection tells
  // Begun before anything is submitted, so that nothing is missed.
  const heard = connection.duplicate(); // it waits for events, and does nothing else meanwhile
  heard.on('error', () => undefined);
  const events = new bullmq.QueueEvents(name, { connection: heard });
  events.on('error', () => undefined);
  await events.waitUntilReady();
  const outstanding = new Outstanding(queue, events);
  return {
    store: (settings) => storeBlobs(connection, name, settings),
    submit: (tasks) => outstanding.submit(tasks),
    wait: (listener) => outstanding.wait(listener),
    async close() {
      await events.close();
      await queue.close();
      for (const each of [heard, connection]) each.disconnect(); // the queue leaves open what it was given
    },
  };
}

/** What was submitted and is not known to have ended. Each task is told of once, however often the queue tells. */
class Outstanding {
  private readonly tasks = new Map<string, { index: number; task: Task }>();
  private count = 0;
  private listener: Listener | undefined;
  private ended: (() => void) | undefined;
  /** What came before there was a listener. */
  private early: ((listener: Listener) => void)[] = [];

  constructor(
    private readonly queue: Queue<Task, Result>,
    events: QueueEvents,
  ) {
    events.on('progress', ({ jobId, data }) => {
      const known = this.tasks.get(jobId);
      if (known !== undefined) this.listener?.progress(known.index, data as unknown as Progress);
    });
    events.on('completed', ({ jobId, returnvalue }) => this.end(jobId, returnvalue as unknown as Result));
    events.on('failed', ({ jobId, failedReason }) => this.end(jobId, undefined, failedReason));
  }

  async submit(tasks: readonly Task[]): Promise<void> {
    const entries = tasks.map((task) => ({ id: idOf(task), task, index: this.count++ }));
    for (let at = 0; at < entries.length; at += PORTION) {
      const portion = entries.slice(at, at + PORTION);
      await Promise.all(portion.map(({ id }) => this.forget(id)));
      for (const { id, task, index } of portion) this.tasks.set(id, { index, task });
      await this.queue.addBulk(portion.map(({ id, task }) => ({ name: task.coder, data: task, opts: { jobId: id } })));
    }
  }

  /** What has ended before is asked for anew; what waits, or is being done, is waited for. */
  private async forget(id: string): Promise<void> {
    const state = await this.queue.getJobState(id);
    if (state === 'completed' || state === 'failed') await this.queue.remove(id);
  }

  async wait(listener: Listener): Promise<void> {
    this.listener = listener;
    for (const tell of this.early.splice(0)) tell(listener);
    const all = new Promise<void>((resolve) => (this.ended = resolve));
    if (this.tasks.size === 0) return;
    let over = false;
    const looks = (async () => {
      let timer: NodeJS.Timeout | undefined;
      while (!over) {
        await Promise.race([all, new Promise((resolve) => (timer = setTimeout(resolve, LOOK_INTERVAL)))]);
        clearTimeout(timer);
        if (!over) await this.look();
      }
    })();
    await Promise.race([all, looks]);
    over = true;
  }

  /** Looks at those that have been silent longest. */
  private async look(): Promise<void> {
    const portion = [...this.tasks].slice(0, PORTION);
    await Promise.all(
      portion.map(async ([id, entry]) => {
        const state = await this.queue.getJobState(id);
        // Only then: of a job that was read before it ended the result would not be there.
        const job = state === 'completed' || state === 'failed' ? await this.queue.getJob(id) : undefined;
        if (!this.tasks.has(id)) return;
        if (job !== undefined && state === 'completed') this.end(id, job.returnvalue);
        else if (job !== undefined) this.end(id, undefined, job.failedReason);
        else {
          // To the end of the row.
          this.tasks.delete(id);
          this.tasks.set(id, entry);
          // Redis may lose the last second when it dies; the file may be there all the same.
          if (state === 'unknown') await this.queue.add(entry.task.coder, entry.task, { jobId: id });
        }
      }),
    );
  }

  private end(id: string, result: Result | undefined, reason = ''): void {
    const known = this.tasks.get(id);
    if (known === undefined) return;
    this.tasks.delete(id);
    const { index } = known;
    const tell = (listener: Listener): void =>
      result === undefined ? listener.failed(index, parseFailure(reason)) : listener.done(index, result);
    if (this.listener === undefined) this.early.push(tell);
    else tell(this.listener);
    if (this.tasks.size === 0) this.ended?.();
  }
}
