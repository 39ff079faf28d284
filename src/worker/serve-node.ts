/** `dcomp/worker` in Node: what a worker thread runs. */
import { parentPort } from 'node:worker_threads';
import * as codec from '../node.js';
import type { ToWorker } from './messages.js';
import { serve } from './serve.js';

const port = parentPort;
if (port !== null) {
  const take = serve(codec, (message, transfer) => port.postMessage(message, transfer as ArrayBuffer[]));
  port.on('message', (message: ToWorker) => take(message));
}
