/** Worker threads over which the files of a batch are shared out. */
import { MessageChannel } from 'node:worker_threads';
import Tinypool from 'tinypool';
import { DcompError } from '../../src/errors.js';
import type { CodedFile, Hooks } from './coder.js';
import type { Answer, Task, WorkerData } from './worker.js';

export interface Pool {
  /** One file; errors as `codeFile`. Progress comes only if it is asked for, and there is no stop: the program's end ends the threads. */
  code(input: string, onProgress: Hooks['onProgress']): Promise<CodedFile>;
  close(): Promise<void>;
}

export function createPool(workers: number, data: WorkerData): Pool {
  const pool = new Tinypool({
    filename: new URL('./worker.js', import.meta.url).href,
    minThreads: workers,
    maxThreads: workers,
    workerData: data,
  });
  return {
    async code(input, onProgress) {
      const task: Task = { input };
      const channel = onProgress === undefined ? undefined : new MessageChannel();
      if (channel !== undefined) {
        task.progress = channel.port2;
        channel.port1.on('message', (fraction: number) => onProgress?.({ fraction, stage: '' }));
      }
      try {
        const answer = (await pool.run(task, channel === undefined ? {} : { transferList: [channel.port2] })) as Answer;
        if ('error' in answer) throw new DcompError(answer.error.code, answer.error.message);
        return answer.coded;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ERR_WORKER_OUT_OF_MEMORY') throw error;
        throw new DcompError('E_TOO_LARGE', `${input}: there is not enough memory for it; try again with --jobs 1`, {
          cause: error,
        });
      } finally {
        channel?.port1.close();
      }
    },
    close: () => pool.destroy(),
  };
}
