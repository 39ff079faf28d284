/** What a page or program and its worker say to each other, and how data goes over without a copy too many. */
import type { Progress } from '../codec/encoder-options.js';
import { DcompError, type DcompErrorCode } from '../errors.js';

/** Calls that a worker answers. */
export type Method = 'encode' | 'encodeToSizes' | 'decode' | 'picture';

/** A call; one at a time. What cannot go over, callbacks and the signal, stays behind. */
export interface Call {
  kind: 'call';
  method: Method;
  args: unknown[];
  options: Record<string, unknown>;
  /** Number of a model that was sent before. */
  model: number | undefined;
}

/** A model, sent once and then named by its number. */
export interface ModelMessage {
  kind: 'model';
  number: number;
  bytes: Uint8Array;
}

export type ToWorker = Call | ModelMessage;

/** `fault`: an error that is none of ours. */
export type FromWorker =
  | { kind: 'progress'; progress: Progress }
  | { kind: 'damage'; message: string }
  | { kind: 'result'; value: unknown }
  | { kind: 'failure'; code: DcompErrorCode; message: string }
  | { kind: 'fault'; message: string; stack: string | undefined };

/** What of a stream goes over with a call `picture`: bytes that are new, to a decoder that is there or has to be made. */
export interface StreamPart {
  stream: number;
  fresh: boolean;
  bytes: Uint8Array;
  /** Is a picture wanted of all bytes, whatever it costs? */
  latest: boolean;
  /** Nothing more is wanted of this stream. */
  last: boolean;
}

/** An ImageBitmap, by what it has: programs for Node alone are compiled without the types of browsers. */
export interface Bitmap {
  readonly width: number;
  readonly height: number;
  close(): void;
}

/** What is handed over rather than copied. */
export type Handed = ArrayBuffer | Bitmap;

/** Data that can be handed over, and what of it is to be. */
export interface Parcel<T> {
  value: T;
  transfer: Handed[];
}

/**
 * A value to be handed over. Typed arrays are copied, just what they show and not the whole buffer that they lie in, unless `own`
 * says that nobody else has them and they fill their buffers. Functions and signals are left out.
 */
export function parcelOf<T>(value: T, own: boolean): Parcel<T> {
  const transfer = new Set<Handed>();
  const pack = (item: unknown): unknown => {
    if (item === null || typeof item !== 'object') return typeof item === 'function' ? undefined : item;
    if (item instanceof AbortSignal) return undefined;
    if (own && typeof ImageBitmap === 'function' && item instanceof ImageBitmap) {
      transfer.add(item);
      return item;
    }
    if (ArrayBuffer.isView(item)) return packView(item as Uint8Array, own, transfer);
    if (BUFFERS.includes(Object.prototype.toString.call(item)))
      return packView(new Uint8Array(item as ArrayBuffer), own, transfer);
    if (Array.isArray(item)) return item.map(pack);
    const copy: Record<string, unknown> = {};
    // With inherited properties: an ImageData has its width from its prototype.
    for (const key in item) {
      const packed = pack((item as Record<string, unknown>)[key]);
      if (packed !== undefined) copy[key] = packed;
    }
    return copy;
  };
  try {
    return { value: pack(value) as T, transfer: [...transfer] };
  } catch (cause) {
    // What is thrown here: memory that is gone, properties that throw, objects that hold themselves.
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DcompError('E_USAGE', `what is handed over cannot be copied (${reason.split('\n', 1)[0]})`, { cause });
  }
}

/** Buffers, of whatever page or context they come from: their bytes go over. */
const BUFFERS = ['[object ArrayBuffer]', '[object SharedArrayBuffer]'];

function packView(view: Uint8Array, own: boolean, transfer: Set<Handed>): unknown {
  if (view instanceof DataView)
    return packView(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), own, transfer);
  const { buffer, byteLength } = view;
  // `subarray` and `slice` of a Node Buffer are the same, so the copy is made by the class above it.
  const whole = own && buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
  const copy = whole ? view : (Object.getPrototypeOf(Uint8Array.prototype) as Uint8Array).slice.call(view);
  transfer.add(copy.buffer as ArrayBuffer);
  return copy;
}

/** The error that a message stands for, in the caller's thread. */
export function errorOf(message: FromWorker & { kind: 'failure' | 'fault' }): Error {
  if (message.kind === 'failure') return new DcompError(message.code, message.message);
  const error = new Error(message.message);
  if (message.stack !== undefined) error.stack = message.stack;
  return error;
}
