/** A worker of Node. */
import { Worker } from 'node:worker_threads';
import type { StartThread } from './client.js';
import type { FromWorker } from './messages.js';

/** @param script what it runs */
export function nodeThread(script = new URL('./serve-node.js', import.meta.url)): StartThread {
  return ({ message, crash }) => {
    // Without the flags of the process: some, such as --input-type, are refused for a file.
    const worker = new Worker(script, { name: 'dcomp', execArgv: [] });
    worker.on('message', (data: FromWorker) => message(data));
    worker.on('messageerror', (error) => crash(error.message));
    worker.on('error', (error) => crash(error.message));
    worker.on('exit', (code) => crash(`exit code ${code}`));
    return {
      post: (data, transfer) => worker.postMessage(data, transfer as ArrayBuffer[]),
      terminate: async () => void (await worker.terminate()),
      hold: (busy) => (busy ? worker.ref() : worker.unref()),
    };
  };
}
