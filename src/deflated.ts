/** Bytes that are deflated (RFC 1951), and back again, in pieces and with a bound. */
import { Deflate, Inflate } from 'fflate';
import { concat } from './bytes.js';
import { DcompError } from './errors.js';
import type { Pieces } from './turns.js';

/** Bytes that are deflated at a time. */
const DEFLATED_AT_ONCE = 2 ** 16;

/** Bytes that are inflated at a time: they cannot become more than some 1 MB. */
const INFLATED_AT_ONCE = 1024;

/** The memory is stated, as fflate would take it from a logarithm. */
export function* deflated(bytes: Uint8Array): Pieces<Uint8Array> {
  const out: Uint8Array[] = [];
  const deflate = new Deflate({ level: 9, mem: 8 }, (chunk) => out.push(chunk));
  let at = 0;
  do {
    deflate.push(bytes.subarray(at, at + DEFLATED_AT_ONCE), at + DEFLATED_AT_ONCE >= bytes.length);
    at += DEFLATED_AT_ONCE;
    yield;
  } while (at < bytes.length);
  return concat(out);
}

/**
 * @param length what they must become; nothing longer is ever inflated
 * @param damaged the error of what is wrong with them
 * @param watch sees what is inflated, portion by portion, and may throw
 */
export function* inflated(
  bytes: Uint8Array,
  length: number,
  damaged: (what: string) => DcompError,
  watch?: (portion: Uint8Array) => void,
): Pieces<Uint8Array> {
  const out: Uint8Array[] = [];
  let total = 0;
  let ended = false;
  const inflate = new Inflate((chunk, final) => {
    total += chunk.length;
    if (total > length) throw damaged('it holds more than it states');
    watch?.(chunk);
    out.push(chunk);
    ended ||= final;
  });
  try {
    for (let at = 0; at < bytes.length; at += INFLATED_AT_ONCE) {
      inflate.push(bytes.subarray(at, at + INFLATED_AT_ONCE), at + INFLATED_AT_ONCE >= bytes.length);
      yield;
    }
  } catch (error) {
    if (error instanceof DcompError) throw error;
    throw damaged('it cannot be decompressed');
  }
  if (!ended || total !== length) throw damaged('it holds less than it states');
  return concat(out);
}
