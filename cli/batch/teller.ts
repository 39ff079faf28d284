/** Tells of the files of a run in the order of the plan: lines, figures, progress, the summary. */
import { DcompError } from '../../src/errors.js';
import { inputName, outputName } from '../../formats/files.js';
import { oneLine } from '../../formats/text.js';
import { EXIT_DATA, reportError } from '../errors.js';
import type { ProgressDisplay } from '../progress.js';
import { note, print, reportFigures } from '../report.js';
import type { CodedFile } from './coder.js';
import type { Job, Plan } from './plan.js';
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
  /** Where the files are coded by other machines; undefined for here. */
  remote: Remote | undefined;
}

/** The queue that files are put into. */
export interface Remote {
  redis: string;
  queue: string;
  attempts: number;
  /** Whether the results are waited for. */
  wait: boolean;
}

/** What became of a file. */
export type Report = { job: Job } & (
  | { status: 'done'; coded: Omit<CodedFile, 'bytes'>; outputBytes: number }
  | { status: 'skipped' }
  | { status: 'failed'; error: unknown }
);

/** Says what there is to say, in the order of the jobs, whatever the order in which they end. */
export class Teller {
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

  /** Whether any has failed so far. */
  get failed(): boolean {
    return this.counts.failed > 0;
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
