/** What writes numbers as `NumberReader` takes them. */
import { sha256 } from '@noble/hashes/sha2.js';
import { DIGEST, writeFrame, type FileKind } from './file-frame.js';
import type { DenseLayer } from './number-reader.js';

const SHORT_MOST = 32767;
/** Scale of numbers that are all 0. */
const LEAST_SCALE = 1e-12;

/** The file of a kind: magic, version and length, the parts, and a digest. */
export function framed(kind: FileKind, parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const start = kind.magic.length + 8;
  const length = parts.reduce((sum, part) => sum + part.length, start) + DIGEST;
  const bytes = new Uint8Array(length);
  writeFrame(kind, bytes);
  let at = start;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  bytes.set(sha256(bytes.subarray(0, at)), at);
  return bytes;
}

/** A scale, and whole numbers of 16 bits. */
export function shortParts(values: Float64Array): Uint8Array[] {
  const scale = scaleOf(SHORT_MOST, (most) => values.forEach(most));
  return [
    bytesOfNumbers(Float32Array, [scale]),
    bytesOfNumbers(
      Int16Array,
      [...values].map((value) => Math.round(value / scale)),
    ),
  ];
}

export function layerParts({ weights, bias }: DenseLayer): Uint8Array[] {
  return [...shortParts(weights), bytesOfNumbers(Float32Array, [...bias])];
}

/** A float32 by which all numbers that are told become whole ones of at most so much. */
export function scaleOf(largest: number, tell: (most: (value: number) => void) => void): number {
  let found = LEAST_SCALE * largest;
  tell((value) => (found = Math.max(found, Math.abs(value))));
  return Math.fround(found / largest);
}

/** Little-endian. */
export function bytesOfNumbers(
  Kind: typeof Uint16Array | typeof Float32Array | typeof Int8Array | typeof Int16Array,
  values: readonly number[],
): Uint8Array {
  const view = new DataView(new ArrayBuffer(Kind.BYTES_PER_ELEMENT * values.length));
  values.forEach((value, i) => {
    if (Kind === Float32Array) view.setFloat32(4 * i, value, true);
    else if (Kind === Int8Array) view.setInt8(i, value);
    else view.setUint16(2 * i, value, true);
  });
  return new Uint8Array(view.buffer);
}
