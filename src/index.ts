/** What both entries (Node and browser) export. */
export { DcompError, isMisuse, type DcompErrorCode, type MisuseCode, type DataCode } from './errors.js';
export {
  DEFAULT_MAX_PIXELS,
  MAX_PIXELS,
  MAX_SIDE,
  withDepth,
  type Channels,
  type Chromaticities,
  type Cicp,
  type Density,
  type Depth,
  type Metadata,
  type Picture,
  type Samples,
  type Text,
} from './picture.js';
export { inspectFile as info, type FileInfo } from './codec/inspect.js';
export { type PartInfo, type ScheduleInfo, type SegmentInfo, type StepInfo } from './container/info.js';
export { repair, verify, type FileOptions } from './verify-and-repair.js';
export type { PartCheck, Verification } from './container/verify.js';
export { repairText, type Repair, type Repaired } from './container/repair.js';
export { toRgba } from './pixels/rgba.js';
export type { Form } from './container/container.js';
export { pixelHash } from './container/pixel-hash.js';
export {
  DEFAULT_EFFORT,
  DEFAULT_QUALITY,
  type EncodeResult,
  type EncoderOptions,
  type LossyTarget,
  type Progress,
  type Target,
  type Tune,
  TUNES,
} from './codec/encoder-options.js';
export { psnr } from './codec/psnr.js';
export { VIEWS, type Views } from './diffusion/schedule.js';
export { DEFAULT_WEIGHT, type Importance, type Region } from './codec/region.js';
export type { Work } from './codec/work.js';
export type { Rectangle } from './math/rectangle.js';
export type { DecodeResult } from './codec/decoder.js';
export { SHOWS, type DecoderOptions, type Show } from './codec/decoder-options.js';
export type {
  MessageDecodeOptions,
  MessageDecodeResult,
  MessageOptions,
  MessageResult,
} from './codec/message-codec.js';
export { MAX_MESSAGE_PIXELS, MESSAGE_CHECKS, MESSAGE_SIZES, type MessageCheck } from './container/message.js';
export { placeholderBytes, placeholderText } from './placeholder.js';
export { FORMAT_VERSION } from './format.js';
export {
  DEFAULT_MODEL,
  THOROUGH_MODEL,
  MODELS,
  modelNameOf,
  type ModelName,
  type PackageModel,
} from './models/registry.js';
export type { GivenModel, ModelOptions } from './kept-models.js';
export { ENGINES, type EngineName } from './model/evaluator.js';
export type { DecodeOptions, EncodeOptions } from './api.js';
export type { PictureOptions, ProgressiveDecodeOptions } from './progressive-decoder.js';
export type { DcompWorker, WorkerOptions } from './worker/client.js';
export type { ByteSource } from './worker/portions.js';
