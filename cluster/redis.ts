/** The connection to Redis, and bytes that are kept there beside the jobs. */
import { createHash } from 'node:crypto';
import type { Redis as Connection } from 'ioredis';
import { DcompError } from '../src/errors.js';
import { optional } from './optional.js';
import type { Blob } from './task.js';

/** How long a Redis that does not answer is waited for at the beginning, in milliseconds; later on, without end. */
const PATIENCE = 10_000;

/** Bytes are kept for a week after they were last asked for, in seconds. */
const KEPT = 7 * 24 * 3600;

/** An address without its password. */
export function shownAddress(address: string): string {
  return address.replace(/\/\/[^@/]*@/, '//');
}

/** What of the packages is needed. */
export interface QueuePackages {
  bullmq: typeof import('bullmq');
  Redis: typeof import('ioredis').Redis;
}

/** @throws DcompError E_MISSING_DEPENDENCY */
export async function loadQueue(): Promise<QueuePackages> {
  const load = async (): Promise<QueuePackages> => ({
    bullmq: await import('bullmq'),
    Redis: (await import('ioredis')).Redis,
  });
  return optional(load, '--redis', 'bullmq ioredis');
}

/**
 * A connection that comes back by itself when Redis does.
 * @param onTrouble is told once of each loss of it
 * @throws DcompError E_USAGE; E_IO if there is no answer; E_MISSING_DEPENDENCY
 */
export async function connect(address: string, onTrouble: (message: string) => void): Promise<Connection> {
  if (!/^rediss?:\/\/./.test(address))
    throw new DcompError('E_USAGE', `--redis is ${shownAddress(address)}; it must be as redis://HOST:6379`);
  const { Redis } = await loadQueue();
  // BullMQ asks for requests without an end: what waits for Redis goes on when it is there again.
  const connection = new Redis(address, {
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(100 * 2 ** Math.min(times, 5), 2000),
  });
  let trouble = '';
  let known = false;
  connection.on('error', (error: NodeJS.ErrnoException) => {
    trouble = error.code ?? error.message;
    if (!known) return;
    known = false;
    onTrouble(`Redis at ${shownAddress(address)} is away (${trouble}); waiting for it`);
  });
  connection.on('ready', () => (known = true));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const reason = trouble === '' ? 'no answer' : trouble;
      reject(new DcompError('E_IO', `cannot reach Redis at ${shownAddress(address)}: ${reason}; is it running there?`));
    }, PATIENCE);
  });
  try {
    await Promise.race([connection.ping(), late]);
  } catch (error) {
    connection.disconnect();
    if (error instanceof DcompError) throw error;
    throw new DcompError('E_IO', `Redis at ${shownAddress(address)} refuses: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
  return connection;
}

const keyOf = (queue: string, hash: string): string => `dcomp:${queue}:blob:${hash}`;
const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Puts the bytes among settings beside the jobs, once. @returns the settings in values that JSON has */
export async function storeBlobs(
  connection: Connection,
  queue: string,
  settings: object,
): Promise<Record<string, unknown>> {
  const stored: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(settings)) {
    stored[name] = value;
    if (!(value instanceof Uint8Array)) continue;
    const hash = hashOf(value);
    await connection.set(keyOf(queue, hash), Buffer.from(value), 'EX', KEPT);
    stored[name] = { blob: hash } satisfies Blob;
  }
  return stored;
}

/** The bytes that settings mean, of which the last few are remembered. */
export class Blobs {
  private readonly kept = new Map<string, Uint8Array>();

  constructor(
    private readonly connection: Connection,
    private readonly queue: string,
  ) {}

  /** @throws DcompError E_IO if they are no longer there */
  async of(settings: Record<string, unknown>): Promise<Map<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    for (const value of Object.values(settings)) {
      const hash = (value as Partial<Blob> | null)?.blob;
      if (typeof hash === 'string') found.set(hash, await this.get(hash));
    }
    return found;
  }

  private async get(hash: string): Promise<Uint8Array> {
    const known = this.kept.get(hash);
    if (known !== undefined) return known;
    const bytes = await this.connection.getBuffer(keyOf(this.queue, hash));
    if (bytes === null || hashOf(bytes) !== hash)
      throw new DcompError('E_IO', 'the model or mask of the job is no longer in Redis; submit the job once more');
    if (this.kept.size >= 4) this.kept.delete(this.kept.keys().next().value!);
    this.kept.set(hash, bytes);
    return bytes;
  }
}
