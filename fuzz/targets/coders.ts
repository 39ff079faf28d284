/** What is fuzzed of the entropy coders. */
import assert from 'node:assert/strict';
import { concat } from '../../src/container/container.js';
import { decodeCorrections, encodeCorrections, type Corrections } from '../../src/entropy/corrections.js';
import { decodeGains, encodeGains, GAIN_CONTEXTS } from '../../src/entropy/gains.js';
import { decodePlane, encodePlane } from '../../src/entropy/plane.js';
import { equal, noise, read, type Target } from '../target.js';

/** Width and height in the first two bytes. */
export const plane: Target = {
  name: 'plane',
  share: 4,
  seeds() {
    const of = (width: number, height: number, data: Uint8Array): Uint8Array =>
      concat([Uint8Array.of(width, height), encodePlane(data, width, height)]);
    return [
      of(7, 5, noise(35, 1)),
      of(30, 20, noise(600, 1).fill(255)),
      of(
        40,
        30,
        Uint8Array.from({ length: 1200 }, (_, i) => (i % 40) * 6),
      ),
      of(
        9,
        60,
        noise(540, 2).map((v) => (v & 1) * 255),
      ),
    ];
  },
  passes: ([width = 0, height = 0]) => width > 0 && height > 0,
  run(bytes) {
    const [width = 0, height = 0] = bytes;
    if (width === 0 || height === 0) return;
    const data = read(() => decodePlane(bytes.subarray(2), width, height));
    if (data === undefined) return;
    assert.equal(data.length, width * height);
    assert.ok(
      equal(decodePlane(encodePlane(data, width, height), width, height), data),
      'what was read is not read again',
    );
  },
};

/** Number of blocks, then a context each, then the gains. */
export const gains: Target = {
  name: 'gains',
  share: 4,
  seeds() {
    return [0, 1, 16, 100].map((n) => {
      const contexts = noise(n, 1).map((v) => v % GAIN_CONTEXTS);
      return concat([
        Uint8Array.of(n),
        contexts,
        encodeGains(
          Int8Array.from(noise(n, 2), (v) => (v % 6) - 2),
          contexts,
        ),
      ]);
    });
  },
  passes: (bytes) => bytes.length > (bytes[0] ?? 0),
  run(bytes) {
    const n = Math.min(bytes[0] ?? 0, bytes.length - 1);
    if (n < 0) return;
    const contexts = bytes.subarray(1, 1 + n).map((v) => v % GAIN_CONTEXTS);
    const data = bytes.subarray(1 + n);
    const found = read(() => decodeGains(data, 0, n, contexts));
    if (found === undefined) return;
    assert.ok(found.end <= data.length && found.gains.every((gain) => gain >= -2 && gain <= 3));
    assert.ok(equal(encodeGains(found.gains, contexts), data.subarray(0, found.end)), 'gains have one encoding');
  },
};

/** log2 of the number of coefficients, then the corrections. */
export const corrections: Target = {
  name: 'corrections',
  share: 4,
  seeds() {
    const lists: Corrections[] = [
      { indices: Uint32Array.of(), steps: Int32Array.of() },
      { indices: Uint32Array.of(0, 1, 2, 1000, 65000), steps: Int32Array.of(1, -1, 5, -3000, 16383) },
      {
        indices: Uint32Array.from({ length: 90 }, (_, i) => i * 7),
        steps: Int32Array.from({ length: 90 }, (_, i) => (i % 2 === 0 ? 1 : -2)),
      },
    ];
    return lists.map((list) => concat([Uint8Array.of(16), encodeCorrections(list)]));
  },
  passes: (bytes) => bytes.length > 1,
  run(bytes) {
    const n = 2 ** ((bytes[0] ?? 0) % 30);
    const data = bytes.subarray(1);
    const found = read(() => decodeCorrections(data, 0, n));
    if (found === undefined) return;
    assert.ok(found.end <= data.length && found.steps.every((step) => step !== 0));
    assert.ok(found.indices.every((index, k) => index < n && (k === 0 || index > found.indices[k - 1]!)));
    assert.ok(equal(encodeCorrections(found), data.subarray(0, found.end)), 'corrections have one encoding');
  },
};
