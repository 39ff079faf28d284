/** `encode` and `decode` over evaluators that are kept between calls; the entries say where models and threads come from. */
import { containerOf, decodePicture, DECODER_CHECKS, type DecodeResult, type DecoderOptions } from './codec/decoder.js';
import {
  checkEncoding,
  encodePicture,
  encodePictureToSizes,
  ENCODER_CHECKS,
  type EncodeResult,
  type EncoderOptions,
} from './codec/encoder.js';
import type { FileInfo } from './codec/inspect.js';
import { Progression, PROGRESSION_CHECKS, type ProgressiveOptions } from './codec/progressive.js';
import type { Evaluator } from './model/evaluator.js';
import { readModelFile } from './model/integer/model-file.js';
import type { IntegerModel } from './model/integer/integer-model.js';
import { DcompError } from './errors.js';
import { MAX_THREADS } from './model/wasm/chunks.js';
import { bytesOf, checkList, checkOptions, isBoolean, isWhole, type Checks } from './options.js';
import type { Picture } from './picture.js';

/** What an encoding or decoding is computed with. */
export interface ModelOptions {
  /** Contents of a model file (.dcm); default: the model of the package. */
  model?: Uint8Array;
  /** Threads for the network; the result is the same for any number. Default: all cores in Node, 1 in a browser. */
  threads?: number;
}

/** Options of `encode`. */
export interface EncodeOptions extends EncoderOptions, ModelOptions {}
/** Options of `decode`. */
export interface DecodeOptions extends DecoderOptions, ModelOptions {}
/** Options of a `ProgressiveDecoder`. */
export interface ProgressiveDecodeOptions extends ProgressiveOptions, ModelOptions {}

/** Options of a `ProgressiveDecoder`'s picture. */
export interface PictureOptions {
  /** The picture of all bytes so far, also where little of it is new: for the end of a file that may be cut. Default: false. */
  latest?: boolean;
}

/** Decodes a file while it arrives. */
export interface ProgressiveDecoder {
  /** Bytes so far. */
  readonly byteLength: number;
  /**
   * Takes the next bytes of the file, as many as there are; costs nothing but a copy.
   * @throws DcompError E_USAGE, E_TOO_LARGE
   */
  push(bytes: Uint8Array): void;
  /**
   * What the bytes so far say about themselves, as `info`; undefined as long as the header is not there.
   * @throws DcompError E_NOT_DCZ, E_VERSION, E_DAMAGED_HEADER, E_TOO_LARGE
   */
  info(): FileInfo | undefined;
  /**
   * A new picture of the bytes so far, where one is due: undefined as long as the header is not there, and where too little has come
   * since the last one. However small the portions, all pictures together take about as much work again as `decode` of the file. That of
   * the whole file is the same as `decode` gives; `latest` asks for the same of as many bytes as there are (`maxBytes`), whatever it costs.
   * Steps that were whole at an earlier call are not decoded again; `evaluations` and `work` count all calls.
   * @throws DcompError as `decode`
   */
  picture(options?: PictureOptions): Promise<DecodeResult | undefined>;
}

const MODEL_CHECKS: Checks<ModelOptions> = { model: bytesOf, threads: isWhole(1, MAX_THREADS) };
const ENCODE_CHECKS: Checks<EncodeOptions> = { ...ENCODER_CHECKS, ...MODEL_CHECKS };
const { target: _, ...ENCODE_TO_SIZES_CHECKS } = ENCODE_CHECKS;
const DECODE_CHECKS: Checks<DecodeOptions> = { ...DECODER_CHECKS, ...MODEL_CHECKS };
const PICTURE_CHECKS: Checks<PictureOptions> = { latest: isBoolean };
const PROGRESSIVE_CHECKS: Checks<ProgressiveDecodeOptions> = { ...PROGRESSION_CHECKS, ...MODEL_CHECKS };

/** What is often given beside the target instead of in it. */
function targetHint(name: string): string | undefined {
  return ['quality', 'bitsPerPixel', 'size', 'psnr'].includes(name)
    ? `it belongs into the target: { target: { ${name}: … } }`
    : undefined;
}

/** What a file is when it is handed over: the caller may change or transfer it afterwards. @throws DcompError E_USAGE, E_TOO_LARGE */
function copyOf(file: unknown, maxBytes?: number): Uint8Array {
  const bytes = bytesOf(file, 'the file').subarray(0, maxBytes);
  try {
    return Uint8Array.from(bytes);
  } catch (cause) {
    throw new DcompError('E_TOO_LARGE', `the file has ${bytes.length} bytes, more than there is memory for`, { cause });
  }
}

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
   * Codes a picture to several sizes in bytes at the cost of one: each file is what `encode` makes for that size.
   * @throws DcompError as `encode`
   */
  encodeToSizes(
    picture: Picture,
    sizes: readonly number[],
    options?: Omit<EncodeOptions, 'target'>,
  ): Promise<EncodeResult[]>;
  /**
   * Decodes a file or any prefix of one that holds the header.
   * @throws DcompError E_EMPTY, E_NOT_DCZ, E_VERSION, E_DAMAGED_HEADER, E_TRUNCATED, E_TOO_LARGE, E_OTHER_MODEL,
   *   E_DAMAGED_SEGMENT, E_USAGE, E_ABORTED; E_IO and model errors
   */
  decode(bytes: Uint8Array, options?: DecodeOptions): Promise<DecodeResult>;
  ProgressiveDecoder: new (options?: ProgressiveDecodeOptions) => ProgressiveDecoder;
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

  class Decoder implements ProgressiveDecoder {
    private readonly progression: Progression;

    private readonly options: ProgressiveDecodeOptions;

    constructor(options?: ProgressiveDecodeOptions) {
      this.options = checkOptions(options, PROGRESSIVE_CHECKS, 'ProgressiveDecoder');
      this.progression = new Progression(this.options);
    }

    get byteLength(): number {
      return this.progression.byteLength;
    }

    push(bytes: Uint8Array): void {
      this.progression.push(bytes);
    }

    info(): FileInfo | undefined {
      return this.progression.info();
    }

    async picture(given?: PictureOptions): Promise<DecodeResult | undefined> {
      const { latest = false } = checkOptions<PictureOptions>(given, PICTURE_CHECKS, 'picture');
      return inTurn(async () => {
        if (!this.progression.begun) return undefined; // no model is needed to say that
        return this.progression.picture(await evaluatorFor(this.options), latest);
      });
    }
  }

  return {
    ProgressiveDecoder: Decoder,
    async encode(source, given) {
      const options = checkOptions(given, ENCODE_CHECKS, 'encode', targetHint);
      const picture = checkEncoding(source, options);
      return inTurn(async () => encodePicture(picture, await evaluatorFor(options), options));
    },
    async encodeToSizes(source, sizes, given) {
      const options = checkOptions(given, ENCODE_TO_SIZES_CHECKS, 'encodeToSizes', targetHint);
      const picture = checkEncoding(source, options);
      checkList(sizes, 'sizes');
      const wanted = sizes.map((size, i) => isWhole(1, Infinity, ' of bytes')(size, `size ${i + 1}`));
      return inTurn(async () => encodePictureToSizes(picture, await evaluatorFor(options), wanted, options));
    },
    async decode(file, given) {
      const options = checkOptions(given, DECODE_CHECKS, 'decode');
      const bytes = copyOf(file, options.maxBytes);
      return inTurn(async () => {
        const source = containerOf(bytes, options); // before a missing model is complained of
        return decodePicture(bytes, await evaluatorFor(options), options, source);
      });
    },
    release: () =>
      inTurn(async () => {
        await kept?.evaluator.close();
        kept = undefined;
      }),
  };
}
