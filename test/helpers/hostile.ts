/** Values that no caller means, by name. */

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

/** A view whose resizable buffer has become too short for it. */
function outOfBounds(): Uint8Array {
  const buffer = new (ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer)(16, {
    maxByteLength: 16,
  });
  const view = new Uint8Array(buffer, 8, 8);
  (buffer as ArrayBuffer & { resize(length: number): void }).resize(4);
  return view;
}

function detachedView(): Uint8Array {
  const view = new Uint8Array(8);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

const thrown = new Error('the caller’s own error');

export const HOSTILE: Readonly<Record<string, unknown>> = {
  null: null,
  true: true,
  false: false,
  NaN: NaN,
  Infinity: Infinity,
  '-Infinity': -Infinity,
  '-1': -1,
  '-0': -0,
  '0.5': 0.5,
  '1.5': 1.5,
  '1e-320': 1e-320,
  '2^53': 2 ** 53,
  '1e300': 1e300,
  'empty string': '',
  'string of digits': '50',
  'long string': 'x'.repeat(10_000),
  'string with an end of line': 'a\nb',
  'empty list': [],
  'list of null': [null],
  'list of a number': [50],
  'sparse list': new Array(3),
  'empty object': {},
  'object without prototype': Object.create(null),
  'unknown key': { nonsense: 1 },
  'object of null': { quality: null, regions: [null], x: null },
  Map: new Map([['quality', 50]]),
  Date: new Date(0),
  Promise: Promise.resolve(1),
  Blob: new Blob(['abc']),
  symbol: Symbol('s'),
  bigint: 5n,
  function: () => 5,
  'function that throws': () => {
    throw thrown;
  },
  Proxy: new Proxy({}, {}),
  'empty Uint8Array': new Uint8Array(0),
  Uint8Array: new Uint8Array(8),
  Uint8ClampedArray: new Uint8ClampedArray(8),
  Uint16Array: new Uint16Array(8),
  Int8Array: new Int8Array(8),
  Float32Array: new Float32Array(8).fill(NaN),
  BigInt64Array: new BigInt64Array(8),
  ArrayBuffer: new ArrayBuffer(8),
  SharedArrayBuffer: new SharedArrayBuffer(8),
  DataView: new DataView(new ArrayBuffer(8)),
  'detached ArrayBuffer': detached(),
  'detached Uint8Array': detachedView(),
  'Uint8Array out of bounds': outOfBounds(),
};

/** What the functions that throw throw. */
export const OWN_ERROR = thrown;
