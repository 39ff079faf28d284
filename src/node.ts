/** Entry for Node: the model of the package from its file, the network on worker threads. */
import { readFile } from 'node:fs/promises';
import { createCodec } from './api.js';
import { DcompError } from './errors.js';
import { createThreadedEvaluator } from './model/wasm/threads-node.js';

export * from './index.js';
export type { DecodeOptions, EncodeOptions, ModelOptions, ProgressiveDecodeOptions } from './api.js';

/** Path of the model file that the package brings. */
export const DEFAULT_MODEL = new URL('../../models/dcomp-1.dcm', import.meta.url);

const codec = createCodec({
  async defaultModel() {
    try {
      return await readFile(DEFAULT_MODEL);
    } catch (cause) {
      throw new DcompError(
        'E_IO',
        `cannot read the model of the package (${DEFAULT_MODEL.pathname}); install the package anew or give a model`,
        { cause },
      );
    }
  },
  createEvaluator: (model, threads) => createThreadedEvaluator(model, threads === undefined ? {} : { threads }),
});

export const { encode, encodeToSizes, decode, release } = codec;

/** Decodes a file while it arrives: `push` bytes, ask for the `picture` of the moment. */
export class ProgressiveDecoder extends codec.ProgressiveDecoder {}
