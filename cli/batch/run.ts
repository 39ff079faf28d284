/** Does the jobs of a plan, some at a time, and tells of each in the order of the plan. */
import { totalmem } from 'node:os';
import { dirname } from 'node:path';
import { DcompError } from '../../src/errors.js';
import { oneLine } from '../../formats/text.js';
import { EXIT_DATA, reportError } from '../errors.js';
import { inputName, makeFolder, outputName, STANDARD, statOrUndefined } from '../../formats/files.js';
import { writeOutput } from '../../formats/output.js';
import { stoppable } from '../../formats/stop.js';
import { progressDisplay, type ProgressDisplay } from '../progress.js';
import { note, print, reportFigures } from '../report.js';
import type { CodedFile, Hooks } from './coder.js';
import type { Job, Plan } from './plan.js';
import { createPool } from './pool.js';
import { leftOutText } from './sources.js';

export interface RunOptions {
  /** Threads in all. */
  threads: number;
  /** Most files at a time; undefined for as many as threads and memory allow. */
  jobs: number | undefined;
  skipExisting: boolean;
  /** Whether outputs that exist are replaced. */
  force: boolean;
  /** Whether outputs get the times of their inputs. */
  keepTimes: boolean;
  /** A line of figures a file on stdout, in place of the lines on stderr. */
  json: boolean;
  verbose: boolean;
  quiet: boolean;
}

export interface Command<Settings extends { threads: number }> {
  name: string;
  /** URL of the file that exports `code`, for the worker threads. */
  url: string;
  settings: Settings;
}

type Report = { job: Job } & (
  | { status: 'done'; coded: Omit<CodedFile, 'bytes'>; outputBytes: number }
  | { status: 'skipped' }
  | { status: 'failed'; error: unknown }
);

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
  const waiting = plan.jobs.map((job) => ({ job, skip: options.skipExisting && exists(job.output) }));
  const files = waiting.filter(({ skip }) => !skip).length;
  const lanes = Math.max(1, Math.min(options.jobs ?? defaultJobs(options.threads), options.threads, files));
  const settings = { ...command.settings, threads: Math.max(1, Math.floor(options.threads / lanes)) };
  const display = progressDisplay(command.name, options.quiet);
  const teller = new Teller(plan, options, display);
  const pool = createPool(lanes, { command: command.url, settings });
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
    display.stop();
    await pool.close();
  }
  return teller.end();
}

/** What a picture of 24 megapixels may take, and something to spare. */
const BYTES_PER_JOB = 2 * 2 ** 30;

/** Files coded at a time if the user does not say: one for each thread, as far as the memory goes. */
function defaultJobs(threads: number): number {
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
    if (plan.named) makeFolder(dirname(job.output));
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

/** Says what there is to say, in the order of the jobs, whatever the order in which they end. */
class Teller {
  private readonly started = performance.now();
  private readonly reports: (Report | undefined)[] = [];
  private readonly fractions: Float64Array;
  private readonly weight: number;
  private told = 0;
  private ended = 0;
  private exitCode = 0;
  private readonly counts = { done: 0, failed: 0, skipped: 0 };
  private inputBytes = 0;
  private outputBytes = 0;

  constructor(
    private readonly plan: Plan,
    private readonly options: RunOptions,
    private readonly display: ProgressDisplay,
  ) {
    this.fractions = new Float64Array(plan.jobs.length);
    this.weight = plan.jobs.reduce((sum, job) => sum + weightOf(job), 0);
  }

  progress(i: number, fraction: number, stage: string): void {
    const { jobs } = this.plan;
    this.fractions[i] = fraction;
    const done = jobs.reduce((sum, job, k) => sum + this.fractions[k]! * weightOf(job), 0) / this.weight;
    this.display.update?.({
      fraction: done,
      stage: jobs.length === 1 ? stage : `${this.ended} of ${jobs.length} files`,
    });
  }

  report(i: number, report: Report): void {
    this.reports[i] = report;
    this.ended++;
    this.progress(i, 1, '');
    for (let ready = this.reports[this.told]; ready !== undefined; ready = this.reports[this.told]) {
      this.tell(ready);
      this.reports[this.told++] = undefined;
    }
  }

  /** @returns the exit code */
  end(): number {
    const { done, failed, skipped } = this.counts;
    if (this.plan.many && !this.options.quiet) {
      const seconds = (performance.now() - this.started) / 1000;
      const others = skipped === 0 ? '' : `, ${skipped} skipped`;
      const leftOut = leftOutText(this.plan.leftOut, '; left out: ');
      note(
        `${done} done, ${failed} failed${others}, ${this.inputBytes} bytes → ${this.outputBytes} bytes in ${seconds.toFixed(1)} s${leftOut}`,
      );
    }
    return this.exitCode;
  }

  private tell(report: Report): void {
    const { job, status } = report;
    const { json, quiet } = this.options;
    this.counts[status]++;
    if (json) print(`${JSON.stringify(asJson(report))}\n`);
    if (status === 'failed') {
      const code = reportError(report.error, this.options.verbose);
      this.exitCode = this.plan.many ? EXIT_DATA : code;
    } else if (status === 'skipped') {
      if (!quiet && !json) note(`${outputName(job.output)}: exists, skipped`);
    } else {
      this.tellDone(report);
    }
  }

  private tellDone({ job, coded, outputBytes }: Report & { status: 'done' }): void {
    const { json, quiet, verbose } = this.options;
    this.inputBytes += coded.inputBytes;
    this.outputBytes += outputBytes;
    if (json) return;
    const said = [...(quiet ? [] : coded.notices), ...coded.damage];
    for (const message of said) note(`${inputName(job.input)}: ${message}`);
    if (!quiet) note(`${outputName(job.output)}: ${coded.summary}`);
    const { read, code, write } = coded.seconds;
    if (verbose) reportFigures({ ...coded.figures, seconds: read + code + write });
  }
}

/** Progress counts bytes of input: larger pictures take longer. */
function weightOf(job: Job): number {
  return Math.max(1, job.size);
}

/** One line of figures. */
function asJson(report: Report): object {
  const { job, status } = report;
  const head = { input: job.input, output: job.output, status };
  if (status === 'skipped') return head;
  if (status === 'failed') {
    const { error } = report;
    const code = error instanceof DcompError ? error.code : 'E_INTERNAL';
    return { ...head, error: { code, message: oneLine(error instanceof Error ? error.message : String(error)) } };
  }
  const { figures, seconds, notices, damage, inputBytes } = report.coded;
  return { ...head, inputBytes, outputBytes: report.outputBytes, ...figures, seconds, notices, damage };
}
