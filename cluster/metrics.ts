/** What a worker counts, for Prometheus. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { DcompError } from '../src/errors.js';
import { optional } from './optional.js';
import type { Failure, Result } from './task.js';

/** What is counted. */
export interface Metrics {
  started(): void;
  done(result: Result, seconds: number): void;
  /** @param again whether it is tried once more */
  failed(failure: Failure, again: boolean): void;
  handedBack(): void;
  stalled(): void;
  /** Where it is served; undefined for nowhere. */
  address: string | undefined;
  close(): Promise<void>;
}

/** Counts nothing. */
export const NO_METRICS: Metrics = {
  started: () => undefined,
  done: () => undefined,
  failed: () => undefined,
  handedBack: () => undefined,
  stalled: () => undefined,
  address: undefined,
  close: async () => undefined,
};

/**
 * Serves /metrics, without names of files.
 * @param waiting jobs of the queue by state
 * @throws DcompError E_IO if the port is taken; E_MISSING_DEPENDENCY
 */
export async function serveMetrics(port: number, waiting: () => Promise<Record<string, number>>): Promise<Metrics> {
  const prometheus = await optional(async () => (await import('prom-client')).default, '--metrics', 'prom-client');
  const registry = new prometheus.Registry();
  prometheus.collectDefaultMetrics({ register: registry });
  const { ends, errors, active, bytes, duration } = counters(prometheus, registry, waiting);
  const server = await listen(port, () => registry.metrics(), registry.contentType);
  return {
    address: `http://localhost:${(server.address() as AddressInfo).port}/metrics`,
    started: () => active.inc(),
    done({ inputBytes, outputBytes }, seconds) {
      active.dec();
      ends.inc({ result: 'done' });
      bytes.inc({ of: 'inputs' }, inputBytes);
      bytes.inc({ of: 'outputs' }, outputBytes);
      duration.observe(seconds);
    },
    failed({ code }, again) {
      active.dec();
      ends.inc({ result: again ? 'retry' : 'failed' });
      errors.inc({ code });
    },
    handedBack() {
      active.dec();
      ends.inc({ result: 'handed_back' });
    },
    stalled: () => ends.inc({ result: 'stalled' }),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

type Prometheus = typeof import('prom-client');

/** What is counted, by its names; the jobs that wait are asked for whenever the figures are. */
function counters(
  { Counter, Gauge, Histogram }: Pick<Prometheus, 'Counter' | 'Gauge' | 'Histogram'>,
  registry: Registry,
  waiting: () => Promise<Record<string, number>>,
): { ends: Counter; errors: Counter; active: Gauge; bytes: Counter; duration: Histogram } {
  const registers = [registry];
  const ends = new Counter({
    name: 'dcomp_jobs_total',
    help: 'Runs of jobs by how they ended: done, failed (parked), retry, handed_back, stalled (of any worker)',
    labelNames: ['result'],
    registers,
  });
  for (const result of ['done', 'failed', 'retry', 'handed_back', 'stalled']) ends.inc({ result }, 0);
  const errors = new Counter({ name: 'dcomp_errors_total', help: 'Errors by code', labelNames: ['code'], registers });
  const active = new Gauge({ name: 'dcomp_active_jobs', help: 'Jobs that are being coded', registers });
  const bytes = new Counter({
    name: 'dcomp_bytes_total',
    help: 'Bytes of the files that were coded',
    labelNames: ['of'],
    registers,
  });
  const duration = new Histogram({
    name: 'dcomp_job_seconds',
    help: 'Seconds from the beginning of a job to its end',
    buckets: [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000],
    registers,
  });
  new Gauge({
    name: 'dcomp_queue_jobs',
    help: 'Jobs of the queue by state, for all workers',
    labelNames: ['state'],
    registers,
    async collect() {
      for (const [state, count] of Object.entries(await waiting())) this.set({ state }, count);
    },
  });
  return { ends, errors, active, bytes, duration };
}

function listen(port: number, text: () => Promise<string>, type: string): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url?.split('?')[0] !== '/metrics') {
      response.writeHead(404).end('see /metrics\n');
      return;
    }
    text().then(
      (body) => response.writeHead(200, { 'Content-Type': type }).end(body),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.unref();
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new DcompError('E_IO', `cannot serve --metrics ${port}: ${error.code}; name another port`, { cause: error }),
      ),
    );
    server.listen(port, () => resolve(server));
  });
}
