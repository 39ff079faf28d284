/** A worker thread of a batch: codes the files that it is given, with a model that it loads once. */
import type { MessagePort } from 'node:worker_threads';
import Tinypool from 'tinypool';
import { DcompError, type DcompErrorCode } from '../../src/errors.js';
import { codeFile, type CodedFile, type Coder } from './coder.js';

export interface WorkerData {
  /** URL of the command's file, which exports its coder as `code`. */
  command: string;
  settings: unknown;
}

export interface Task {
  input: string;
  /** For the fraction that is done. */
  progress?: MessagePort;
}

/** Errors lose their class and code between threads. */
export type Answer = { coded: CodedFile } | { error: { code: DcompErrorCode; message: string } };

const { command, settings } = Tinypool.workerData as WorkerData;

export default async function answer({ input, progress }: Task): Promise<Answer> {
  try {
    const { code } = (await import(command)) as { code: Coder<unknown> };
    return {
      coded: await codeFile(
        input,
        code,
        settings,
        progress === undefined ? {} : { onProgress: ({ fraction }) => progress.postMessage(fraction) },
      ),
    };
  } catch (error) {
    if (error instanceof DcompError) return { error: { code: error.code, message: error.message } };
    throw error;
  } finally {
    progress?.close();
  }
}
