/**
 * A coverage-guided mutation fuzzer. Batches of changed inputs run under V8's precise block coverage; an input of a batch
 * that reached source text which no input before had reached is kept, to be changed further.
 */
import { Session } from 'node:inspector';
import { createHash } from 'node:crypto';
import { mutate, numbers } from './mutate.js';
import type { Target } from './target.js';

export interface Finding {
  /** Message and place: findings that agree in it are told once. */
  error: Error;
  input: Uint8Array;
}

export interface Report {
  executions: number;
  /** Inputs that are kept: the seeds, and those that reached something new. */
  corpus: Uint8Array[];
  /** Characters of compiled source that were reached. */
  covered: number;
  findings: Finding[];
  /** Share of the changed inputs that were read beyond their header. */
  passed: number;
  slowest: { seconds: number; input: Uint8Array };
}

export interface FuzzOptions {
  executions: number;
  seed: number;
  /** Started before the code under test was loaded: V8 counts blocks only of functions that it compiles afterwards. */
  coverage: Coverage;
  /** Inputs besides the target's seeds. */
  more?: Uint8Array[];
  onProgress?: (report: Report) => void;
}

const BATCH = 128;

/** What one execution may take: processor time, and memory beyond what there was before. */
export const LIMITS = { seconds: 20, bytes: 300 * 2 ** 20 };

export async function fuzz(
  target: Target,
  { executions, seed, coverage, more = [], onProgress }: FuzzOptions,
): Promise<Report> {
  const corpus = [...(await target.seeds()), ...more];
  const report: Report = {
    executions: 0,
    corpus,
    covered: 0,
    findings: [],
    passed: 0,
    slowest: { seconds: 0, input: corpus[0]! },
  };
  const run = runner(target, report);
  const change = target.mutate ?? mutate;
  let changes = 0;
  let passed = 0;
  for (const input of corpus) await run(input);
  coverage.add(await coverage.take());
  for (let round = 0; report.executions < executions; round++) {
    const below = numbers(seed + round * 0x9e3779b1);
    // Half of the time one of the newest, which have been changed least often.
    const pick = (): Uint8Array =>
      corpus[below(2) === 0 ? below(corpus.length) : Math.max(0, corpus.length - 1 - below(20))]!;
    const batch = Array.from({ length: BATCH }, () => change(pick(), pick(), below(2 ** 32)));
    for (const input of batch) {
      await run(input);
      changes++;
      if (target.passes(input)) passed++;
    }
    report.passed = passed / changes;
    const reached = await coverage.take();
    if (!coverage.isNew(reached)) continue;
    corpus.push(await findNew(batch, run, coverage));
    coverage.add(reached);
    report.covered = coverage.covered;
    onProgress?.(report);
  }
  report.covered = coverage.covered;
  return report;
}

type Run = (input: Uint8Array) => Promise<void>;

/** Runs an input, and reports an error, too much time and too much memory; each error once. */
function runner(target: Target, report: Report): Run {
  const told = new Set<string>();
  const tell = (error: Error, input: Uint8Array): void => {
    const key = `${error.message.slice(0, 60)} ${(error.stack ?? '').split('\n').find((line) => line.includes('/dist/')) ?? ''}`;
    if (!told.has(key)) report.findings.push({ error, input });
    told.add(key);
  };
  return async (input) => {
    const before = process.memoryUsage();
    const started = process.cpuUsage().user; // not the time of a machine that others use, too
    try {
      await target.run(input);
    } catch (thrown) {
      tell(thrown instanceof Error ? thrown : new Error(String(thrown)), input);
    }
    const seconds = (process.cpuUsage().user - started) / 1e6;
    if (seconds > report.slowest.seconds) report.slowest = { seconds, input };
    if (seconds > LIMITS.seconds) tell(new Error(`took more than ${LIMITS.seconds} s`), input);
    const after = process.memoryUsage();
    const bytes = after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed;
    if (bytes > LIMITS.bytes) tell(new Error(`took more than ${LIMITS.bytes} bytes of memory`), input);
    report.executions++;
  };
}

/** Which of a batch that reached something new did it: the half that does it again, and again. */
async function findNew(batch: readonly Uint8Array[], run: Run, coverage: Coverage): Promise<Uint8Array> {
  let left = batch;
  while (left.length > 1) {
    const half = left.slice(0, left.length >> 1);
    for (const input of half) await run(input);
    left = coverage.isNew(await coverage.take()) ? half : left.slice(left.length >> 1);
  }
  return left[0]!;
}

export function nameOf(input: Uint8Array): string {
  return createHash('sha256').update(input).digest('hex').slice(0, 12);
}

type Reached = Map<string, Uint8Array>;

interface ScriptCoverage {
  url: string;
  functions: { ranges: { startOffset: number; endOffset: number; count: number }[] }[];
}

/** Which characters of the program's compiled source have run. */
export class Coverage {
  covered = 0;
  private readonly session = new Session();
  private readonly all: Reached = new Map();

  async start(): Promise<void> {
    this.session.connect();
    await this.post('Profiler.enable');
    await this.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  async stop(): Promise<void> {
    await this.post('Profiler.stopPreciseCoverage');
    this.session.disconnect();
  }

  /** What has run since the last call. */
  async take(): Promise<Reached> {
    const { result } = (await this.post('Profiler.takePreciseCoverage')) as { result: ScriptCoverage[] };
    const reached: Reached = new Map();
    for (const { url, functions } of result) {
      if (!/\/dist\/(src|formats)\//.test(url)) continue;
      const length = functions.reduce((most, { ranges }) => Math.max(most, ranges[0]!.endOffset), 0);
      const characters = new Uint8Array(length);
      // Functions and their blocks come from the outermost to the innermost. The first is the module itself, which says nothing.
      for (const { ranges } of functions) {
        if (ranges[0]!.startOffset === 0) continue;
        for (const { startOffset, endOffset, count } of ranges)
          characters.fill(Math.min(1, count), startOffset, endOffset);
      }
      reached.set(url, characters);
    }
    return reached;
  }

  isNew(reached: Reached): boolean {
    return [...reached].some(([url, characters]) => {
      const known = this.all.get(url);
      return characters.some((value, i) => value === 1 && known?.[i] !== 1);
    });
  }

  add(reached: Reached): void {
    for (const [url, characters] of reached) {
      const known = new Uint8Array(Math.max(characters.length, this.all.get(url)?.length ?? 0));
      known.set(this.all.get(url) ?? []);
      for (let i = 0; i < characters.length; i++) if (characters[i] === 1) known[i] = 1;
      this.all.set(url, known);
    }
    this.covered = [...this.all.values()].reduce(
      (sum, characters) => sum + characters.reduce((n, value) => n + value, 0),
      0,
    );
  }

  private post(method: string, parameters: object = {}): Promise<unknown> {
    return new Promise((resolve, reject) =>
      this.session.post(method, parameters, (error, result) =>
        error === null ? resolve(result) : reject(new Error(error.message)),
      ),
    );
  }
}
