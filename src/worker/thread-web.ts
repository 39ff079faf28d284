/** A worker of a browser. */
import type { StartThread } from './client.js';
import type { FromWorker } from './messages.js';

/** @param make for bundlers that do not find the worker's file by themselves: makes a module worker that imports `dcomp/worker` */
export function webThread(make: (() => object) | undefined): StartThread {
  return ({ message, crash }) => {
    // In this form, vite, webpack and Rollup's plug-in make a bundle of the worker.
    const worker = (make?.() ??
      new Worker(new URL('./serve-web.js', import.meta.url), { type: 'module', name: 'dcomp' })) as Worker;
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => message(data);
    worker.onmessageerror = () => crash('a message could not be read');
    worker.onerror = (event) => crash(event.message ?? 'its script cannot be loaded');
    return {
      post: (data, transfer) => worker.postMessage(data, transfer),
      terminate: () => worker.terminate(),
      hold: () => undefined,
    };
  };
}
