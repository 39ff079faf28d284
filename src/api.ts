/** `encode` and `decode` over evaluators that are kept between calls; the entries say where models and threads come from. */
import { decodePicture, decodePlain, type DecodeResult } from './codec/decoder.js';
import { DECODER_CHECKS, type DecoderOptions } from './codec/decoder-options.js';
import { containerOfInPieces } from './codec/source.js';
import { encodeExact, encodePicture, encodePictureToSizes } from './codec/encoder.js';
import {
  checkEncoding,
  ENCODER_CHECKS,
  maxErrorOfTarget,
  type EncodeResult,
  type EncoderOptions,
} from './codec/encoder-options.js';
import {
  checkMessagePicture,
  decodeMessageBytes,
  MESSAGE_DECODE_CHECKS,
  MESSAGE_ENCODE_CHECKS,
  type MessageDecodeOptions,
  type MessageDecodeResult,
  type MessageOptions,
  type MessageResult,
} from './codec/message-codec.js';
import { encodeMessages } from './codec/message-encoder.js';
import { maxErrorOf } from './container/exact-part.js';
import { MAX_MESSAGE_PIXELS } from './container/message.js';
import type { Evaluators } from './evaluators.js';
import { copyOf } from './verify-and-repair.js';
import { heard } from './heard.js';
import { KeptModels, MODEL_CHECKS, type ModelOptions, type Platform } from './kept-models.js';
import type { Size } from './math/rectangle.js';
import { withEngine } from './model/evaluator.js';
import { THOROUGH_MODEL } from './models/registry.js';
import { checkList, checkOptions, isWhole, type Checks } from './options.js';
import type { Picture } from './picture.js';
import { progressiveDecoderOf, type ProgressiveDecodeOptions, type ProgressiveDecoder } from './progressive-decoder.js';
import { inTurns } from './turns.js';

/** Options of `encode`. */
export interface EncodeOptions extends EncoderOptions, ModelOptions {}
/** Options of `decode`. */
export interface DecodeOptions extends DecoderOptions, ModelOptions {}

const ENCODE_CHECKS: Checks<EncodeOptions> = { ...ENCODER_CHECKS, ...MODEL_CHECKS };
const { target: _, ...ENCODE_TO_SIZES_CHECKS } = ENCODE_CHECKS;
const DECODE_CHECKS: Checks<DecodeOptions> = { ...DECODER_CHECKS, ...MODEL_CHECKS };
const MESSAGE_CHECKS: Checks<MessageOptions & ModelOptions> = { ...MESSAGE_ENCODE_CHECKS, ...MODEL_CHECKS };
const MESSAGE_READ_CHECKS: Checks<MessageDecodeOptions & ModelOptions> = { ...MESSAGE_DECODE_CHECKS, ...MODEL_CHECKS };

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
   * @param sizes bytes of each, at most
   * @returns in the order of the sizes
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
   *   E_DAMAGED_SEGMENT, E_DAMAGED_PIXELS, E_USAGE, E_ABORTED; E_IO and model errors
   */
  decode(bytes: Uint8Array, options?: DecodeOptions): Promise<DecodeResult>;
  /**
   * Codes a picture of 1 or 3 channels, of which 8 bits a sample are kept, to messages: a form for some dozen to some thousand bytes without
   * magic, metadata and segments, each as good as it can be made.
   * @param sizes bytes of each, at most
   * @returns in the order of the sizes
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
  return {
    encode: (picture, options) => encode(models, picture, options),
    encodeToSizes: (picture, sizes, options) => encodeToSizes(models, picture, sizes, options),
    decode: (bytes, options) => decode(models, bytes, options),
    encodeMessages: (picture, sizes, options) => encodeToMessages(models, picture, sizes, options),
    decodeMessage: (bytes, options) => decodeMessage(models, bytes, options),
    ProgressiveDecoder: progressiveDecoderOf(models),
    release: () => models.release(),
  };
}

async function encode(models: KeptModels, source: Picture, given?: EncodeOptions): Promise<EncodeResult> {
  const checked = checkOptions(given, ENCODE_CHECKS, 'encode', targetHint);
  const picture = checkEncoding(source, checked);
  const { options, pause } = heard(checked, picture);
  const pixels = pixelsOf(picture);
  const evaluators = (): Evaluators => models.chosen(options, pixels);
  if (maxErrorOfTarget(options.target) !== undefined) {
    await pause();
    return encodeExact(picture, { ...options, pause }, (take) =>
      evaluators().use(pixels, options.signal, async (evaluator) => withEngine(await take(evaluator), evaluator)),
    );
  }
  return evaluators().use(pixels, options.signal, async (evaluator) => {
    await pause();
    const result = await encodePicture(picture, evaluator, { ...options, pause });
    await pause();
    return withEngine(result, evaluator);
  });
}

async function encodeToSizes(
  models: KeptModels,
  source: Picture,
  sizes: readonly number[],
  given?: Omit<EncodeOptions, 'target'>,
): Promise<EncodeResult[]> {
  const checked = checkOptions(given, ENCODE_TO_SIZES_CHECKS, 'encodeToSizes', targetHint);
  const picture = checkEncoding(source, checked);
  const wanted = sizesOf(sizes);
  const { options, pause } = heard(checked, picture);
  const pixels = pixelsOf(picture);
  return models.chosen(options, pixels).use(pixels, options.signal, async (evaluator) => {
    await pause();
    const results = await encodePictureToSizes(picture, evaluator, wanted, { ...options, pause });
    await pause();
    return results.map((result) => withEngine(result, evaluator));
  });
}

async function decode(models: KeptModels, file: Uint8Array, given?: DecodeOptions): Promise<DecodeResult> {
  const { options, pause } = heard(checkOptions(given, DECODE_CHECKS, 'decode'));
  const bytes = copyOf(file, options.maxBytes);
  await pause();
  const source = await inTurns(containerOfInPieces(bytes, options), pause); // before a missing model is complained of
  const { header } = source.container;
  if (header.form === 'plain') return decodePlain(source, { ...options, pause });
  const pixels = pixelsOf(header) / 4 ** source.view.level; // of what is shown
  // An exact file is predicted from what its own model shows.
  const shows = options.show !== undefined && maxErrorOf(bytes, source.container) === undefined;
  return models.forFile(header.modelId, options, pixels, shows).use(pixels, options.signal, async (evaluator) => {
    const picture = await decodePicture(bytes, evaluator, { ...options, pause }, source);
    await pause();
    return withEngine(picture, evaluator);
  });
}

async function encodeToMessages(
  models: KeptModels,
  source: Picture,
  sizes: readonly number[],
  given?: MessageOptions & ModelOptions,
): Promise<MessageResult[]> {
  const checked = checkOptions(given, MESSAGE_CHECKS, 'encodeMessages');
  const picture = checkMessagePicture(source);
  const wanted = sizesOf(sizes);
  const { options, pause } = heard(checked, picture);
  const pixels = pixelsOf(picture);
  return models.chosen(options, pixels, THOROUGH_MODEL).use(pixels, options.signal, async (evaluator) => {
    await pause();
    return encodeMessages(picture, evaluator, wanted, { ...options, pause });
  });
}

async function decodeMessage(
  models: KeptModels,
  message: Uint8Array,
  given?: MessageDecodeOptions & ModelOptions,
): Promise<MessageDecodeResult> {
  const { options, pause } = heard(checkOptions(given, MESSAGE_READ_CHECKS, 'decodeMessage'));
  const bytes = copyOf(message);
  await pause();
  return models
    .chosen(options, 0, THOROUGH_MODEL) // messages are small, however large they might be
    .use(MAX_MESSAGE_PIXELS, options.signal, async (evaluator) =>
      decodeMessageBytes(bytes, evaluator, { ...options, pause }),
    );
}

/** @throws DcompError E_USAGE */
function sizesOf(sizes: unknown): number[] {
  checkList(sizes, 'sizes');
  return Array.from(sizes, (size, i) => isWhole(1, Infinity, ' of bytes')(size, `size ${i + 1}`));
}

function pixelsOf({ width, height }: Size): number {
  return width * height;
}
