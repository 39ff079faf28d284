/** Entry for browsers: one thread, works without cross-origin isolation. The model is given or fetched from beside the package. */
import { createCodec } from './api.js';
import { DcompError } from './errors.js';
import { createEvaluator } from './model/wasm/engine.js';

export * from './index.js';
export type { DecodeOptions, EncodeOptions, ModelOptions, ProgressiveDecodeOptions } from './api.js';

const codec = createCodec({
  async defaultModel() {
    const url = new URL('../../models/dcomp-1.dcm', import.meta.url);
    try {
      const response = await fetch(url);
      if (!response.ok) throw new Error(`HTTP status ${response.status}`);
      return new Uint8Array(await response.arrayBuffer());
    } catch (cause) {
      throw new DcompError(
        'E_IO',
        `cannot fetch the model from ${url.href}; serve it there or give its bytes as the option 'model'`,
        { cause },
      );
    }
  },
  createEvaluator: (model) => createEvaluator(model),
});

export const { encode, encodeToSizes, decode, release } = codec;

/** Decodes a file while it arrives: `push` bytes, ask for the `picture` of the moment. */
export class ProgressiveDecoder extends codec.ProgressiveDecoder {}
