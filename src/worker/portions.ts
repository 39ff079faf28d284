/** Bytes from a stream, as many at a time as have come. */

import { bytesOf, mustBe } from '../options.js';

/** A stream of bytes: of the web, or any that can be iterated, such as Node's. */
export type ByteSource = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

export interface Portions {
  /** All bytes that have come since; waits for some; undefined at the end. @throws what the source throws */
  next(): Promise<Uint8Array | undefined>;
  /** Who waits, now or later, gets that error: a source may give nothing for ever. */
  fail(error: Error): void;
  /** Nothing more is wanted. */
  cancel(): Promise<void>;
}

/** Reads on while the caller is busy. */
export function portionsOf(source: ByteSource): Portions {
  const { read, cancel } = readerOf(source);
  const come: Uint8Array[] = [];
  let ended = false;
  let failure: { error: unknown } | undefined;
  let stopped: Error | undefined;
  let wake: () => void = () => undefined;
  const pump = async (): Promise<void> => {
    try {
      for (let bytes = await read(); bytes !== undefined && !ended; bytes = await read()) {
        come.push(bytesOf(bytes, 'a portion of the stream'));
        wake();
      }
    } catch (error) {
      failure = { error };
    }
    ended = true;
    wake();
  };
  void pump();
  return {
    async next() {
      while (come.length === 0 && !ended && stopped === undefined)
        await new Promise<void>((resolve) => (wake = resolve));
      if (stopped !== undefined) throw stopped;
      if (come.length === 0) {
        if (failure !== undefined) throw failure.error;
        return undefined;
      }
      const joined = new Uint8Array(come.reduce((sum, { length }) => sum + length, 0));
      let at = 0;
      for (const bytes of come.splice(0)) {
        joined.set(bytes, at);
        at += bytes.length;
      }
      return joined;
    },
    fail(error) {
      stopped ??= error;
      wake();
    },
    async cancel() {
      if (ended) return;
      ended = true;
      await cancel();
    },
  };
}

/** @throws DcompError E_USAGE */
function readerOf(source: ByteSource): { read: () => Promise<Uint8Array | undefined>; cancel: () => Promise<void> } {
  const known = source as { getReader?: unknown; [Symbol.asyncIterator]?: unknown } | null | undefined;
  if (typeof known?.getReader !== 'function' && typeof known?.[Symbol.asyncIterator] !== 'function')
    throw mustBe('the source', source, 'a stream of bytes, such as the body of a Response');
  // Not every browser can iterate its streams.
  if ('getReader' in source) {
    const reader = source.getReader();
    return { read: async () => (await reader.read()).value, cancel: () => reader.cancel() };
  }
  const iterator = source[Symbol.asyncIterator]();
  return {
    read: async () => {
      const next = await iterator.next();
      return next.done === true ? undefined : next.value;
    },
    cancel: async () => void (await iterator.return?.()),
  };
}
