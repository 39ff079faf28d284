/**
 * A worker thread: codes the files that it is given, with a model that it loads once. Coding keeps a thread busy, and the
 * main one has to hear signals.
 */
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
  /** What the input holds, where the main thread has read it: a stream, or what may let one wait. */
  bytes?: Uint8Array;
  /** For what `onProgress` is told. */
  progress?: MessagePort;
}

/** Errors lose their class and code between threads. */
export type Answer = { coded: CodedFile } | { error: { code: DcompErrorCode; message: string; stack: string } };

const { command, settings } = Tinypool.workerData as WorkerData;

export default async function answer({ input, bytes, progress }: Task): Promise<Answer> {
  try {
    const { code } = (await import(command)) as { code: Coder<unknown> };
    return {
      coded: await codeFile(
        input,
        bytes,
        code,
        settings,
        progress === undefined ? {} : { onProgress: (made) => progress.postMessage(made) },
      ),
    };
  } catch (error) {
    if (error instanceof DcompError)
      return { error: { code: error.code, message: error.message, stack: error.stack ?? '' } };
    throw error;
  } finally {
    progress?.close();
  }
}
