/** Worker threads that files are shared out over; also a single file has one, so that the main thread hears signals. */
import { MessageChannel } from 'node:worker_threads';
import Tinypool from 'tinypool';
import { DcompError } from '../../src/errors.js';
import type { Progress } from '../../src/index.js';
import { inputName, isRegular, readSource, STANDARD } from '../../formats/files.js';
import type { CodedFile, Hooks } from './coder.js';
import type { Answer, Task, WorkerData } from './worker.js';

export interface Pool {
  /** One file; errors as `codeFile`. Progress comes only if it is asked for, and there is no stop: the program's end ends the threads. */
  code(input: string, onProgress: Hooks['onProgress']): Promise<CodedFile>;
  close(): Promise<void>;
}

/** As many threads as asked for, or fewer where they cannot be had. @throws DcompError E_ENVIRONMENT if there is not one */
function startThreads(workers: number, workerData: WorkerData): Tinypool {
  const filename = new URL('./worker.js', import.meta.url).href;
  for (let threads = workers; ; threads = threads >> 1) {
    try {
      return new Tinypool({ filename, minThreads: threads, maxThreads: threads, workerData });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ERR_WORKER_INIT_FAILED') throw cause;
      if (threads > 1) continue;
      const advice = 'allow more processes (ulimit -u, or the limit of the container)';
      throw new DcompError('E_ENVIRONMENT', `no thread can be started; ${advice}`, { cause });
    }
  }
}

export function createPool(workers: number, data: WorkerData): Pool {
  const pool = startThreads(workers, data);
  return {
    async code(input, onProgress) {
      const task: Task = { input };
      const channel = onProgress === undefined ? undefined : new MessageChannel();
      if (channel !== undefined) {
        task.progress = channel.port2;
        channel.port1.on('message', (made: Progress) => onProgress?.(made));
      }
      try {
        // Threads have no standard input, and what waits within one keeps the program from ending.
        if (input === STANDARD || !isRegular(input)) task.bytes = await readSource(input);
        const answer = (await pool.run(task, channel === undefined ? {} : { transferList: [channel.port2] })) as Answer;
        if ('coded' in answer) return answer.coded;
        const { code, message, stack } = answer.error;
        throw Object.assign(new DcompError(code, message), { stack });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ERR_WORKER_OUT_OF_MEMORY') throw error;
        const advice = workers === 1 ? 'it needs a machine with more' : 'try again with --jobs 1';
        throw new DcompError('E_TOO_LARGE', `${inputName(input)}: there is not enough memory for it; ${advice}`, {
          cause: error,
        });
      } finally {
        channel?.port1.close();
      }
    },
    close: () => pool.destroy(),
  };
}
