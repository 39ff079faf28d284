/** Entry for Node: the models of the package from their files, the network on worker threads. */
import { createCodec, type Codec } from './api.js';
import { nodeGpu } from './model/gpu/process-node.js';
import { createThreadedEvaluator } from './model/wasm/threads-node.js';
import { loadModel, sha256 } from './models/read-node.js';
import { WorkerClient, type DcompWorker, type WorkerOptions } from './worker/client.js';
import { nodeThread } from './worker/thread-node.js';
import { defined } from './options.js';

export * from './index.js';

const codec = createCodec({
  loadModel,
  sha256,
  createEvaluator: (model, threads, engine) =>
    nodeGpu.createEvaluator(model, engine, () => createThreadedEvaluator(model, defined({ threads }))),
});

/** Codes a picture. @throws DcompError E_PICTURE, E_TOO_LARGE, E_USAGE, E_UNREACHABLE, E_ABORTED; E_IO and model errors */
export const encode: Codec['encode'] = codec.encode;
/** Codes a picture to several sizes in bytes at the cost of one. @throws DcompError as `encode` */
export const encodeToSizes: Codec['encodeToSizes'] = codec.encodeToSizes;
/**
 * Decodes a file or any prefix of one that holds the header.
 * @throws DcompError E_EMPTY, E_NOT_DCZ, E_VERSION, E_DAMAGED_HEADER, E_TRUNCATED, E_TOO_LARGE, E_OTHER_MODEL,
 *   E_DAMAGED_SEGMENT, E_DAMAGED_PIXELS, E_USAGE, E_ABORTED; E_IO and model errors
 */
export const decode: Codec['decode'] = codec.decode;
/**
 * Codes a picture to messages of some sizes: a form without magic, metadata and segments.
 * @throws DcompError E_PICTURE, E_TOO_LARGE, E_USAGE, E_UNREACHABLE, E_ABORTED; E_IO and model errors
 */
export const encodeMessages: Codec['encodeMessages'] = codec.encodeMessages;
/**
 * Decodes a message.
 * @throws DcompError E_EMPTY, E_NOT_DCZ, E_TRUNCATED, E_DAMAGED_HEADER, E_DAMAGED_SEGMENT, E_TOO_LARGE, E_OTHER_MODEL, E_USAGE, E_ABORTED;
 *   E_IO and model errors
 */
export const decodeMessage: Codec['decodeMessage'] = codec.decodeMessage;
/** Frees the threads and memory that are kept for further calls. */
export const release: Codec['release'] = codec.release;

/** Decodes a file while it arrives: `push` bytes, ask for the `picture` of the moment. */
export class ProgressiveDecoder extends codec.ProgressiveDecoder {}

/**
 * A codec on a thread of its own: the same calls, while the caller's thread stays free. Several calls at once are done one after the
 * other; a signal ends the one that is being computed at once.
 * @throws DcompError E_USAGE; the calls also reject with E_WORKER where the worker ends
 */
export function createWorker(options?: WorkerOptions): DcompWorker {
  return new WorkerClient(nodeThread(), options);
}
