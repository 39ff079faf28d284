/** What a fuzz target is, and what all of them share. */
import assert from 'node:assert/strict';
import { DcompError } from '../src/errors.js';
import { hash32 } from '../src/math/hash.js';

/**
 * A reader of bytes that come from outside. It takes any bytes, and must end with a result that is what it says or with a
 * `DcompError`; anything else is a finding.
 */
export interface Target {
  name: string;
  /** Of a long run, the share of executions: the decoder with its network is slow. */
  share: number;
  /** Valid inputs to begin with. */
  seeds(): Uint8Array[] | Promise<Uint8Array[]>;
  /** How inputs are changed; default: byte by byte. A pure function. */
  mutate?: (input: Uint8Array, other: Uint8Array, seed: number) => Uint8Array;
  /** Whether an input is read beyond its header. All seeds are; a target whose mutants are not has gone blind. */
  passes(bytes: Uint8Array): boolean;
  /** @throws AssertionError, or whatever the reader throws besides DcompError */
  run(bytes: Uint8Array): void | Promise<void>;
}

/** The result, or undefined where the input is refused by name. */
export function read<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    return refused(error);
  }
}

/** Passes over what a reader may throw; all else is thrown on. */
export function refused(error: unknown): undefined {
  if (!(error instanceof DcompError)) throw error;
  assert.ok(error.message.length > 10 && !error.message.includes('\n'), error.message);
  // Bytes are never the caller's misuse.
  assert.ok(error.code !== 'E_USAGE', error.message);
  return undefined;
}

/** The error of a reader; undefined where there is none. */
export function errorOf(make: () => unknown): DcompError | undefined {
  try {
    make();
    return undefined;
  } catch (error) {
    if (error instanceof DcompError) return error;
    throw error;
  }
}

export const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

export const noise = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => hash32(seed, i) & 255);
