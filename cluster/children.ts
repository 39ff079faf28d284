/** Processes that code files: as many as are asked at once, begun when they are needed and kept for the next file. */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { DcompError } from '../src/errors.js';
import type { Progress } from '../src/index.js';
import { inputName } from '../formats/files.js';
import type { Answer, Order } from './child.js';
import { errorOf, type Result, type Task } from './task.js';

/** One file for a child. */
export interface Errand {
  /** URL of the file that exports `code`. */
  coder: string;
  task: Task;
  /** For what stands as blobs in the settings, by their hash. */
  blobs: ReadonlyMap<string, Uint8Array>;
  threads: number;
  /** What the input holds, where it is no place. */
  input?: Uint8Array;
  /** Whether the bytes are wanted back, and not written. Default: false. */
  back?: boolean;
}

/** What comes of it. */
export type Outcome = Result & { bytes?: Uint8Array };

/** What may happen meanwhile. */
export interface ErrandHooks {
  onProgress?: (progress: Progress) => void;
  /** Ends the child, and what it has half written is gone. */
  signal?: AbortSignal;
}

/** Milliseconds that a child has to clear up. */
const GRACE = 2000;

interface Child {
  process: ChildProcess;
  /** Hashes of the blobs that it has. */
  known: Set<string>;
}

/** Children of this process. */
export class Children {
  private readonly idle: Child[] = [];
  private readonly all = new Set<Child>();

  /** @throws DcompError what the coder throws, E_IO, E_EXISTS; E_WORKER if the child dies, E_ABORTED */
  async run(errand: Errand, { onProgress, signal }: ErrandHooks = {}): Promise<Outcome> {
    if (signal?.aborted === true) throw aborted(errand.task);
    const child = this.idle.pop() ?? this.begin();
    try {
      const result = await ask(child, errand, onProgress, signal);
      this.idle.push(child);
      return result;
    } catch (error) {
      if (isAlive(child)) this.idle.push(child);
      else this.all.delete(child);
      throw error;
    }
  }

  /** Ends the children; what they are doing is given up. */
  close(): void {
    for (const { process: child } of this.all) {
      child.removeAllListeners('exit');
      if (child.connected) child.disconnect();
    }
    this.all.clear();
    this.idle.length = 0;
  }

  private begin(): Child {
    const path = fileURLToPath(new URL('./child.js', import.meta.url));
    const process = fork(path, {
      serialization: 'advanced', // bytes as they are
      stdio: ['ignore', 2, 2, 'ipc'], // stdout belongs to results
      execArgv: [],
      detached: true, // Ctrl-C is for the parent, which ends its children when it is time
    });
    const child = { process, known: new Set<string>() };
    process.on('exit', () => {
      this.all.delete(child);
      const at = this.idle.indexOf(child);
      if (at !== -1) this.idle.splice(at, 1);
    });
    this.all.add(child);
    return child;
  }
}

function isAlive({ process: { exitCode, signalCode, connected } }: Child): boolean {
  return exitCode === null && signalCode === null && connected;
}

function aborted({ input }: Task): DcompError {
  return new DcompError('E_ABORTED', `${inputName(input)}: stopped`);
}

async function ask(
  { process: child, known }: Child,
  { coder, task, blobs, threads, input, back = false }: Errand,
  onProgress: ErrandHooks['onProgress'],
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  const unknown = [...blobs].filter(([hash]) => !known.has(hash));
  const order: Order = { coder, task, threads, back, blobs: Object.fromEntries(unknown) };
  if (input !== undefined) order.input = input;
  const ended = new AbortController();
  let answer!: (answer: Answer) => void;
  let gone!: (code: number | null, by: string | null) => void;
  let stop!: () => void;
  try {
    return await new Promise<Outcome>((resolve, reject) => {
      answer = (told) => {
        if ('progress' in told) onProgress?.(told.progress);
        else if ('result' in told) resolve(told.result);
        else reject(errorOf(told.failure));
      };
      gone = (code, by) => {
        const how = by ?? `exit code ${code}`;
        const advice = 'it may need more memory than there is, or bring a library down';
        const died = new DcompError('E_WORKER', `${inputName(task.input)}: its process ended (${how}); ${advice}`);
        reject(signal?.aborted === true ? aborted(task) : died);
      };
      stop = () => {
        child.kill();
        const last = setTimeout(() => child.kill('SIGKILL'), GRACE);
        ended.signal.addEventListener('abort', () => clearTimeout(last));
      };
      child.on('message', answer).on('exit', gone);
      signal?.addEventListener('abort', stop);
      child.ref();
      child.channel?.ref();
      child.send(order, (error) => {
        if (error === null) for (const [hash] of unknown) known.add(hash);
      });
    });
  } finally {
    ended.abort();
    child.off('message', answer).off('exit', gone);
    signal?.removeEventListener('abort', stop);
    child.unref();
    child.channel?.unref();
  }
}
