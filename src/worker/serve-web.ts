/** `dcomp/worker` in browsers: what a worker runs. */
import * as codec from '../browser.js';
import type { FromWorker, ToWorker } from './messages.js';
import { serve } from './serve.js';

/** The worker's global scope, as far as it is needed. */
interface Scope {
  postMessage(message: FromWorker, transfer: ArrayBuffer[]): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
}

const scope = globalThis as unknown as Scope;
const take = serve(codec, (message, transfer) => scope.postMessage(message, transfer));
scope.onmessage = ({ data }) => take(data);
