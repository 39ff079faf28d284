/** `encode` and `decode` over evaluators that are kept between calls; the entries say where models and threads come from. */
import { decodePicture, decodePlain, type DecodeResult } from './codec/decoder.js';
import { DECODER_CHECKS, type DecoderOptions } from './codec/decoder-options.js';
import { containerOfInPieces, type Source } from './codec/source.js';
import { encodeExact, encodePicture, encodePictureToSizes } from './codec/encoder.js';
import {
  checkEncoding,
  ENCODER_CHECKS,
  maxErrorOfTarget,
  type EncodeResult,
  type EncoderOptions,
} from './codec/encoder-options.js';
import type { FileInfo } from './codec/inspect.js';
import {
  checkMessagePicture,
  decodeMessageBytes,
  encodeMessages,
  MESSAGE_DECODE_CHECKS,
  MESSAGE_ENCODE_CHECKS,
  type MessageDecodeOptions,
  type MessageDecodeResult,
  type MessageOptions,
  type MessageResult,
} from './codec/message.js';
import { MAX_MESSAGE_PIXELS } from './container/message.js';
import { PROGRESSION_CHECKS, type ProgressiveOptions } from './codec/decoder-options.js';
import { Progression } from './codec/progressive.js';
import { DcompError } from './errors.js';
import { turnIfDue } from './event-loop.js';
import { copyOf } from './files.js';
import { KeptModels, MODEL_CHECKS, type ModelOptions, type Platform } from './kept-models.js';
import { engineOf, type Evaluator } from './model/evaluator.js';
import { THOROUGH_MODEL } from './models/registry.js';
import { inTurns, throwIfAborted, type Pause } from './turns.js';
import { checkList, checkOptions, isBoolean, isWhole, type Checks } from './options.js';
import type { Picture } from './picture.js';

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

const ENCODE_CHECKS: Checks<EncodeOptions> = { ...ENCODER_CHECKS, ...MODEL_CHECKS };
const { target: _, ...ENCODE_TO_SIZES_CHECKS } = ENCODE_CHECKS;
const DECODE_CHECKS: Checks<DecodeOptions> = { ...DECODER_CHECKS, ...MODEL_CHECKS };
const PICTURE_CHECKS: Checks<PictureOptions> = { latest: isBoolean };
const MESSAGE_CHECKS: Checks<MessageOptions & ModelOptions> = { ...MESSAGE_ENCODE_CHECKS, ...MODEL_CHECKS };
const MESSAGE_READ_CHECKS: Checks<MessageDecodeOptions & ModelOptions> = { ...MESSAGE_DECODE_CHECKS, ...MODEL_CHECKS };
const PROGRESSIVE_CHECKS: Checks<ProgressiveDecodeOptions> = { ...PROGRESSION_CHECKS, ...MODEL_CHECKS };

/** What is often given beside the target instead of in it. */
function targetHint(name: string): string | undefined {
  return ['quality', 'bitsPerPixel', 'size', 'psnr'].includes(name)
    ? `it belongs into the target: { target: { ${name}: … } }`
    : undefined;
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
  /**
   * Codes a picture of 1 or 3 channels, of which 8 bits a sample are kept, to messages: a form for some dozen to some thousand bytes without
   * magic, metadata and segments, each as good as it can be made.
   * @param sizes bytes of each, at most
   * @throws DcompError E_PICTURE, E_TOO_LARGE, E_USAGE, E_UNREACHABLE, E_ABORTED; E_IO and model errors
   */
  encodeMessages(
    picture: Picture,
    sizes: readonly number[],
    options?: MessageOptions & ModelOptions,
  ): Promise<MessageResult[]>;
  /**
   * Decodes a message, or what there is of one that has no checksum.
   * @throws DcompError E_EMPTY, E_NOT_DCZ, E_TRUNCATED, E_DAMAGED_HEADER, E_DAMAGED_SEGMENT, E_TOO_LARGE, E_OTHER_MODEL, E_USAGE, E_ABORTED;
   *   E_IO and model errors
   */
  decodeMessage(bytes: Uint8Array, options?: MessageDecodeOptions & ModelOptions): Promise<MessageDecodeResult>;
  ProgressiveDecoder: new (options?: ProgressiveDecodeOptions) => ProgressiveDecoder;
  /** Frees the threads and memory that are kept for further calls. */
  release(): Promise<void>;
}

/** Calls on one codec share evaluators, by model, and the calling thread, in turns. */
export function createCodec(platform: Platform): Codec {
  const models = new KeptModels(platform);

  class Decoder implements ProgressiveDecoder {
    private readonly progression: Progression;
    private readonly options: ProgressiveDecodeOptions;
    private readonly pause: Pause;
    private last: Promise<unknown> = Promise.resolve();

    constructor(options?: ProgressiveDecodeOptions) {
      const call = heard(checkOptions(options, PROGRESSIVE_CHECKS, 'ProgressiveDecoder'));
      ({ options: this.options, pause: this.pause } = call);
      this.progression = new Progression({ ...call.options, pause: call.pause });
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
      const result = this.last.then(() => this.next(latest));
      this.last = result.catch(() => undefined);
      return result;
    }

    private async next(latest: boolean): Promise<DecodeResult | undefined> {
      await this.pause();
      if (!this.progression.begun) return undefined; // no model is needed to say that
      const id = await this.progression.modelId(latest);
      if (id === undefined) return this.progression.picture(undefined, latest);
      const evaluators = models.forFile(id, this.options, this.progression.pixels);
      const picture = await evaluators.use(this.progression.pixels, this.options.signal, (evaluator) =>
        this.progression.picture(evaluator, latest).then((picture) => picture && withEngine(picture, evaluator)),
      );
      await this.pause();
      return picture;
    }
  }

  return {
    ProgressiveDecoder: Decoder,
    async encode(source, given) {
      const checked = checkOptions(given, ENCODE_CHECKS, 'encode', targetHint);
      const picture = checkEncoding(source, checked);
      const { options, pause } = heard(checked, picture);
      if (maxErrorOfTarget(options.target) !== undefined) {
        await pause();
        return encodeExact(picture, { ...options, pause }, (take) =>
          models
            .chosen(options, sizeOf(picture))
            .use(sizeOf(picture), options.signal, async (evaluator) => withEngine(await take(evaluator), evaluator)),
        );
      }
      return models.chosen(options, sizeOf(picture)).use(sizeOf(picture), options.signal, async (evaluator) => {
        await pause();
        const result = await encodePicture(picture, evaluator, { ...options, pause });
        await pause();
        return withEngine(result, evaluator);
      });
    },
    async encodeToSizes(source, sizes, given) {
      const checked = checkOptions(given, ENCODE_TO_SIZES_CHECKS, 'encodeToSizes', targetHint);
      const picture = checkEncoding(source, checked);
      const wanted = sizesOf(sizes);
      const { options, pause } = heard(checked, picture);
      return models.chosen(options, sizeOf(picture)).use(sizeOf(picture), options.signal, async (evaluator) => {
        await pause();
        const results = await encodePictureToSizes(picture, evaluator, wanted, { ...options, pause });
        await pause();
        return results.map((result) => withEngine(result, evaluator));
      });
    },
    async decode(file, given) {
      const { options, pause } = heard(checkOptions(given, DECODE_CHECKS, 'decode'));
      const bytes = copyOf(file, options.maxBytes);
      await pause();
      const source = await inTurns(containerOfInPieces(bytes, options), pause); // before a missing model is complained of
      const { header } = source.container;
      if (header.form === 'plain') return decodePlain(source, { ...options, pause });
      const pixels = pixelsOf(source);
      return models.forFile(header.modelId, options, pixels).use(pixels, options.signal, async (evaluator) => {
        const picture = await decodePicture(bytes, evaluator, { ...options, pause }, source);
        await pause();
        return withEngine(picture, evaluator);
      });
    },
    async encodeMessages(source, sizes, given) {
      const checked = checkOptions(given, MESSAGE_CHECKS, 'encodeMessages');
      const picture = checkMessagePicture(source);
      const wanted = sizesOf(sizes);
      const { options, pause } = heard(checked, picture);
      return models
        .chosen(options, sizeOf(picture), THOROUGH_MODEL)
        .use(sizeOf(picture), options.signal, async (evaluator) => {
          await pause();
          return encodeMessages(picture, evaluator, wanted, { ...options, pause });
        });
    },
    async decodeMessage(message, given) {
      const { options, pause } = heard(checkOptions(given, MESSAGE_READ_CHECKS, 'decodeMessage'));
      const bytes = copyOf(message);
      await pause();
      return models
        .chosen(options, 0, THOROUGH_MODEL) // messages are small, however large they might be
        .use(MAX_MESSAGE_PIXELS, options.signal, async (evaluator) =>
          decodeMessageBytes(bytes, evaluator, { ...options, pause }),
        );
    },
    release: () => models.release(),
  };
}

/** @throws DcompError E_USAGE */
function sizesOf(sizes: unknown): number[] {
  checkList(sizes, 'sizes');
  return Array.from(sizes, (size, i) => isWhole(1, Infinity, ' of bytes')(size, `size ${i + 1}`));
}

/** A result that says what the network was computed on. */
function withEngine<T extends EncodeResult | DecodeResult>(result: T, evaluator: Evaluator): T {
  return { ...result, engine: engineOf(evaluator) };
}

function sizeOf({ width, height }: Picture): number {
  return width * height;
}

/** Pixels of what a decoding shows, by which calls are told apart. */
function pixelsOf({ container: { header }, view: { level } }: Source): number {
  return (header.width * header.height) / 4 ** level;
}

interface Heard {
  signal?: AbortSignal;
  onProgress?: EncodeOptions['onProgress'];
  onDamage?: DecodeOptions['onDamage'];
}

/**
 * A call's options and its pause, in which the caller is heard: the signal, what an asynchronous callback has thrown, and
 * whether the samples are still there.
 */
function heard<O extends Heard>(options: O, picture?: Picture): { options: O; pause: Pause } {
  const failures: unknown[] = [];
  const listening = { ...options };
  for (const name of ['onProgress', 'onDamage'] as const) {
    const tell = options[name] as ((value: unknown) => unknown) | undefined;
    if (tell === undefined) continue;
    listening[name] = (value: unknown) => {
      const result = tell(value);
      if (result instanceof Promise) result.catch((error: unknown) => failures.push(error));
    };
  }
  const length = picture?.data.length;
  const check = (): void => {
    throwIfAborted(options.signal);
    if (failures.length > 0) throw failures.splice(0)[0];
    if (picture?.data.length !== length)
      throw new DcompError('E_PICTURE', 'picture.data was transferred or resized while it was coded; hand over a copy');
  };
  const pause = (): Promise<void> | undefined => {
    check();
    return turnIfDue()?.then(check);
  };
  return { options: listening, pause };
}
