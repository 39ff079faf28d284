/** The scope of a browser's worker: messages to the codec, and threads of the same script that help it. */
import { createCodec } from '../api.js';
import type { DecodeResult } from '../codec/decoder.js';
import { webGpu } from '../model/gpu/web.js';
import { createWebEvaluator, helpIfAsked } from '../model/wasm/threads-web.js';
import { loadModel, sha256 } from '../models/fetched.js';
import type { FromWorker, Handed, ToWorker } from './messages.js';
import { serve } from './serve.js';

/** The worker's global scope, as far as it is needed. */
interface Scope {
  postMessage(message: FromWorker, transfer: Handed[]): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
}

/** Answers calls in a worker. @param present as of `serve` */
export function serveWeb(present?: (picture: DecodeResult) => unknown): void {
  const scope = globalThis as unknown as Scope;
  const codec = createCodec({
    loadModel,
    sha256,
    createEvaluator: (model, threads, engine) =>
      webGpu.createEvaluator(model, engine, () => createWebEvaluator(model, threads)),
  });
  const take = serve(codec, (message, transfer) => scope.postMessage(message, transfer), present);
  scope.onmessage = ({ data }) => {
    if (!helpIfAsked(data)) take(data);
  };
}
