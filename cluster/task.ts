/** One file to be coded, as it waits in a queue, and what becomes of it. */
import { createHash } from 'node:crypto';
import { DcompError, type DcompErrorCode } from '../src/errors.js';
import type { Progress } from '../src/index.js';
import type { Writing } from './places.js';

/** What a task's data look like; a worker refuses others. */
const LAYOUT = 1;

/** Bytes within settings, which are kept beside the tasks, once for all of them. */
export interface Blob {
  /** SHA-256, in hexadecimal. */
  blob: string;
}

/** What is asked for, in values that JSON has. */
export interface Task extends Writing {
  layout: number;
  /** Name of the command's file, which exports its coder. */
  coder: string;
  /** Of the coder; bytes are blobs. */
  settings: Record<string, unknown>;
  /** That of the input when it was asked for: of another one another picture is meant. */
  version: string;
}

/** What a coder makes of a file; what else it tells of it is passed on. */
export interface Made {
  bytes: Uint8Array;
  /** Seconds for understanding the input, coding, and making the output. */
  seconds: { read: number; code: number; write: number };
}

/** What is told of a file that was coded. */
export interface Result extends Omit<Made, 'bytes'> {
  inputBytes: number;
  outputBytes: number;
}

/** A coder's function, exported as `code` by the command's file. */
export type Coder = (
  input: Uint8Array,
  settings: object,
  hooks: { onProgress?: (progress: Progress) => void },
) => Promise<Made>;

/** An error as it goes from one process to another. */
export interface Failure {
  code: DcompErrorCode | 'E_INTERNAL';
  message: string;
}

export function makeTask(task: Omit<Task, 'layout'>): Task {
  return { ...task, layout: LAYOUT };
}

/** The same for the same input, output and options: what waits already is not put there once more. */
export function idOf(task: Task): string {
  const { input, output, replace, keepTimes, folders, coder, settings, version } = task;
  const asked = JSON.stringify([LAYOUT, coder, input, version, output, replace, keepTimes, folders, settings]);
  // Not a number, which the queue keeps for names of its own.
  return `d${createHash('sha256').update(asked).digest('hex').slice(0, 40)}`;
}

/** What came from a queue may be anything. @throws DcompError E_VERSION, E_USAGE */
export function checkTask(data: unknown, coders: Readonly<Record<string, string>>): Task {
  const task = data as Partial<Task> | null;
  if (typeof task !== 'object' || task === null || task.layout !== LAYOUT)
    throw new DcompError('E_VERSION', 'the job is of another version of dcomp; use the same one for all machines');
  const texts = [task.input, task.output, task.coder, task.version];
  if (
    texts.some((text) => typeof text !== 'string' || text === '') ||
    typeof task.settings !== 'object' ||
    task.settings === null
  )
    throw new DcompError(
      'E_USAGE',
      'the job has no input, output, coder or settings; submit it with dcomp encode --redis',
    );
  if (!Object.hasOwn(coders, task.coder!))
    throw new DcompError('E_USAGE', `the job asks for ${JSON.stringify(task.coder)}, which workers do not do`);
  return task as Task;
}

/** Where trying again may help: the place, the machine or its memory may be well again. */
const PASSING = new Set<string>([
  'E_IO',
  'E_WORKER',
  'E_ENVIRONMENT',
  'E_MISSING_DEPENDENCY',
  'E_VERSION',
  'E_INTERNAL',
]);

export function isPassing(code: string): boolean {
  return PASSING.has(code);
}

export function failureOf(error: unknown): Failure {
  if (error instanceof DcompError) return { code: error.code, message: error.message };
  return { code: 'E_INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

/** A failure in one text, as a queue keeps it. */
export function failureText({ code, message }: Failure): string {
  return `${code} ${message}`;
}

/** From such a text, or from what the queue itself says of a job that it gives up. */
export function parseFailure(text: string): Failure {
  const [, code, message] = /^(E_[A-Z_]+) (.*)$/s.exec(text) ?? [];
  if (code !== undefined) return { code: code as Failure['code'], message: message! };
  if (/stalled/.test(text))
    return { code: 'E_WORKER', message: 'every worker that had it died; it may need more memory than they have' };
  return { code: 'E_INTERNAL', message: text };
}

/** As an error of this process. */
export function errorOf({ code, message }: Failure): Error {
  return code === 'E_INTERNAL' ? new Error(message) : new DcompError(code, message);
}
