/** `encode` and `decode` over evaluators that are kept between calls; the entries say where models and threads come from. */
import { containerOf, decodePicture, type DecodeResult, type DecoderOptions } from './codec/decoder.js';
import { checkEncoding, encodePicture, type EncodeResult, type EncoderOptions } from './codec/encoder.js';
import type { Evaluator } from './model/evaluator.js';
import { readModelFile } from './model/model-file.js';
import type { IntegerModel } from './model/integer-model.js';
import type { Picture } from './picture.js';

export interface ModelOptions {
  /** Contents of a model file (.dcm); default: the model of the package. */
  model?: Uint8Array;
  /** Threads for the network; the result is the same for any number. Default: all cores in Node, 1 in a browser. */
  threads?: number;
}

export interface EncodeOptions extends EncoderOptions, ModelOptions {}
export interface DecodeOptions extends DecoderOptions, ModelOptions {}

export interface Platform {
  /** Reads the model of the package. */
  defaultModel(): Promise<Uint8Array>;
  createEvaluator(model: IntegerModel, threads: number | undefined): Evaluator;
}

export interface Codec {
  /**
   * Codes a picture.
   * @throws DcompError E_PICTURE, E_TOO_LARGE, E_USAGE, E_UNREACHABLE, E_ABORTED; E_IO and model errors
   */
  encode(picture: Picture, options?: EncodeOptions): Promise<EncodeResult>;
  /**
   * Decodes a file or any prefix of one that holds the header.
   * @throws DcompError E_EMPTY, E_NOT_DCZ, E_VERSION, E_DAMAGED_HEADER, E_TRUNCATED, E_TOO_LARGE, E_OTHER_MODEL,
   *   E_DAMAGED_SEGMENT, E_USAGE, E_ABORTED; E_IO and model errors
   */
  decode(bytes: Uint8Array, options?: DecodeOptions): Promise<DecodeResult>;
  /** Frees the threads and memory that are kept for further calls. */
  release(): Promise<void>;
}

/** Calls on one codec share one evaluator at a time and are run one after the other. */
export function createCodec(platform: Platform): Codec {
  let kept: { model: Uint8Array | undefined; threads: number | undefined; evaluator: Evaluator } | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  async function evaluatorFor({ model, threads }: ModelOptions): Promise<Evaluator> {
    if (kept !== undefined && kept.model === model && kept.threads === threads) return kept.evaluator;
    const evaluator = platform.createEvaluator(readModelFile(model ?? (await platform.defaultModel())), threads);
    await kept?.evaluator.close();
    kept = { model, threads, evaluator };
    return evaluator;
  }

  function inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = queue.then(task);
    queue = result.catch(() => undefined);
    return result;
  }

  return {
    encode: (picture, options = {}) =>
      inTurn(async () => {
        checkEncoding(picture, options); // before a missing model is complained of
        return encodePicture(picture, await evaluatorFor(options), options);
      }),
    decode: (bytes, options = {}) =>
      inTurn(async () => {
        const source = containerOf(bytes, options); // before a missing model is complained of
        return decodePicture(bytes, await evaluatorFor(options), options, source);
      }),
    release: () =>
      inTurn(async () => {
        await kept?.evaluator.close();
        kept = undefined;
      }),
  };
}
