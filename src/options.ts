/**
 * Checks of what callers hand over. Every value is what it has to be, or refused with a `DcompError` that names it and says
 * what would be right; a name that no option has is refused too, as what is misspelt would otherwise be ignored.
 */
import { DcompError } from './errors.js';

/** Gives the value back, or what it means, or refuses it by name. */
export type Check<T> = (value: unknown, name: string) => T;

/** A check for every option, so that none is forgotten. */
export type Checks<T> = { readonly [name in keyof T]-?: Check<Exclude<T[name], undefined>> };

/** Options by name; what is left out or undefined is left out. @throws DcompError E_USAGE */
export function checkOptions<T extends object>(
  options: unknown,
  checks: Checks<T>,
  what: string,
  hint: (name: string) => string | undefined = () => undefined,
): T {
  if (options === undefined) return {} as T;
  checkObject(options, `the options of ${what}`);
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(checks, name));
  if (unknown !== undefined) {
    const known = `${what} has ${Object.keys(checks).join(', ')}`;
    throw new DcompError('E_USAGE', `there is no option ${shown(unknown)}; ${hint(unknown) ?? known}`);
  }
  return checkValues(options as Record<string, unknown>, checks);
}

/** As `checkOptions`, whatever else the options have. @throws DcompError E_USAGE */
export function checkValues<T extends object>(options: { readonly [name: string]: unknown }, checks: Checks<T>): T {
  const result: Record<string, unknown> = {};
  for (const [name, check] of Object.entries(checks) as [string, Check<unknown>][]) {
    const value = options[name];
    if (value !== undefined) result[name] = check(value, name);
  }
  return result as T;
}

/** Those of some values that there are: with `exactOptionalPropertyTypes` what may be missing must not be undefined. */
export function defined<T extends object>(values: T): { [name in keyof T]?: Exclude<T[name], undefined> } {
  const there = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(there) as { [name in keyof T]?: Exclude<T[name], undefined> };
}

/** The error that says what a value is, and what it has to be. */
export function mustBe(name: string, value: unknown, right: string): DcompError {
  return new DcompError('E_USAGE', `${name} is ${shown(value)}; it must be ${right}`);
}

/** A value as a message shows it: in one line, and short. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'symbol' || typeof value === 'bigint') return `a ${typeof value}`;
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  const kind = kindOf(value);
  return kind === 'Object' ? 'an object' : `${/^[AEIOU](?!i)/.test(kind) ? 'an' : 'a'} ${kind}`;
}

/** The name of an object's kind, of whatever page or context it comes from. */
function kindOf(value: object): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

/** Of no special kind: a Map or a Promise has no options, and a list or a buffer neither. */
export function checkObject(value: unknown, name: string, right = 'an object'): asserts value is object {
  if (typeof value !== 'object' || value === null || kindOf(value) !== 'Object') throw mustBe(name, value, right);
}

export const isBoolean: Check<boolean> = (value, name) => {
  if (typeof value !== 'boolean') throw mustBe(name, value, 'true or false');
  return value;
};

/** @param right in words */
export function isNumber(right: string, fits: (value: number) => boolean): Check<number> {
  return (value, name) => {
    if (typeof value !== 'number' || !fits(value)) throw mustBe(name, value, right);
    return value;
  };
}

export function isWhole(least: number, most = Infinity, unit = ''): Check<number> {
  const range = most === Infinity ? `, at least ${least}` : ` from ${least} to ${most}`;
  return isNumber(
    `a whole number${unit}${range}`,
    (value) => Number.isInteger(value) && value >= least && value <= most,
  );
}

export function isOneOf<T extends number | string>(values: readonly T[]): Check<T> {
  const [last, ...others] = [...values].reverse();
  return (value, name) => {
    if (!values.includes(value as T)) throw mustBe(name, value, `${others.reverse().join(', ')} or ${last}`);
    return value as T;
  };
}

/** A function that is told something. */
export function isFunction<T extends (value: never) => void>(value: unknown, name: string): T {
  if (typeof value !== 'function') throw mustBe(name, value, 'a function');
  return value as T;
}

/** Of any context: what it can do counts. */
export const isSignal: Check<AbortSignal> = (value, name) => {
  const signal = value as Partial<AbortSignal> | null;
  if (
    typeof signal !== 'object' ||
    signal === null ||
    typeof signal.aborted !== 'boolean' ||
    typeof signal.addEventListener !== 'function' ||
    typeof signal.removeEventListener !== 'function'
  )
    throw mustBe(name, value, 'an AbortSignal, such as AbortSignal.timeout(5000)');
  return signal as AbortSignal;
};

/** What to do about things that hold bytes but are none. */
const ADVICE: { readonly [kind: string]: string } = {
  Blob: 'await its arrayBuffer()',
  File: 'await its arrayBuffer()',
  Response: 'await its arrayBuffer()',
  Promise: 'await it',
  Array: 'make it one with Uint8Array.from',
  String: 'read the file of that name, or decode the text, first',
};

/** The advice that fits a value; empty where there is none. */
export function advice(value: unknown): string {
  const kind = typeof value === 'string' ? 'String' : typeof value === 'object' && value !== null ? kindOf(value) : '';
  const what = Object.hasOwn(ADVICE, kind) ? ADVICE[kind] : undefined;
  return what === undefined ? '' : `: ${what}`;
}

/** Buffers and views that are read as the bytes that they hold. */
export const BYTES = ['Uint8Array', 'Uint8ClampedArray', 'DataView', 'ArrayBuffer', 'SharedArrayBuffer'];

/**
 * The bytes of a buffer or view, not copied. A Uint8Array is given back as it is, unless it is empty.
 * @throws DcompError E_USAGE for anything else, and where the buffer has been transferred away
 */
export function bytesOf(value: unknown, name: string): Uint8Array {
  if (typeof value !== 'object' || value === null || !BYTES.includes(kindOf(value)))
    throw mustBe(name, value, `a Uint8Array or ArrayBuffer${advice(value)}`);
  return viewOf(value, name, (buffer, offset, length) =>
    value instanceof Uint8Array && length > 0 ? value : new Uint8Array(buffer, offset, length),
  );
}

/** @param make of the buffer, a byte offset in it and a length in bytes */
export function viewOf<T>(
  value: object,
  name: string,
  make: (buffer: ArrayBuffer, offset: number, length: number) => T,
): T {
  try {
    // A buffer that is gone throws here, or below where it is asked for its length.
    const view = ArrayBuffer.isView(value) ? value : new DataView(value as ArrayBuffer);
    new Uint8Array(view.buffer as ArrayBuffer, 0, 0);
    return make(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
  } catch (cause) {
    throw new DcompError(
      'E_USAGE',
      `${name} is ${shown(value)} whose memory is gone; hand it over before its buffer is transferred, or a copy`,
      { cause },
    );
  }
}

/** @throws DcompError E_USAGE */
export function checkList(value: unknown, name: string): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) throw mustBe(name, value, 'a list');
}
