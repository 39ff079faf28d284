import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AdaptiveDecoder, AdaptiveEncoder, AdaptiveModel, OBSERVATION } from '../src/entropy/adaptive.js';
import { RansStack, quantise, symbolAt } from '../src/entropy/rans.js';
import { DcompError, type DcompErrorCode } from '../src/errors.js';
import { assertLimited } from './helpers/limited.js';

const weights = fc.array(fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 1e-12, 1e12)), {
  minLength: 1,
  maxLength: 300,
});

function throwsCode(call: () => unknown, ...codes: DcompErrorCode[]): void {
  assert.throws(call, (error) => error instanceof DcompError && codes.includes(error.code));
}

test('quantised frequencies: every symbol has a quantum, none lies outside, the sum is exact', () => {
  assertLimited(
    fc.property(weights, fc.integer({ min: 9, max: 16 }), (list, bits) => {
      const cumulative = quantise(list, bits);
      assert.equal(cumulative.length, list.length + 1);
      assert.equal(cumulative[0], 0);
      assert.equal(cumulative[list.length], 2 ** bits);
      for (let i = 0; i < list.length; i++) {
        assert.ok(cumulative[i + 1]! > cumulative[i]!);
        assert.equal(symbolAt(cumulative, cumulative[i]!), i);
        assert.equal(symbolAt(cumulative, cumulative[i + 1]! - 1), i);
      }
    }),
  );
  assert.deepEqual([...quantise([1, 1, 2], 3)], [0, 2, 4, 8]);
  assert.deepEqual([...quantise([0, 0], 1)], [0, 1, 2]);
  throwsCode(() => quantise([], 4), 'E_USAGE');
  throwsCode(() => quantise(new Float64Array(17), 4), 'E_USAGE');
});

/** Most bits of quanta. */
const MAX_BITS = 14;

test('pop after push gives back the message and what was there before', () => {
  assertLimited(
    fc.property(
      fc.uint8Array({ minLength: 8, maxLength: 40 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 1, max: MAX_BITS })), { maxLength: 200, size: 'max' }),
      (seed, list) => {
        seed[0]! |= 1;
        const intervals = list.map(([a, b, bits]) => {
          const start = a % 2 ** bits;
          return { start, freq: 1 + (b % (2 ** bits - start)), bits };
        });
        const copy = seed.slice();
        const stack = new RansStack(seed);
        for (const { start, freq, bits } of intervals) stack.push(start, freq, bits);
        const reader = new RansStack(stack.finish());
        for (const { start, freq, bits } of intervals.reverse()) {
          const quantum = reader.peek(bits);
          assert.ok(quantum >= start && quantum < start + freq);
          reader.pop(start, freq, bits);
        }
        assert.deepEqual(reader.finish(), seed);
        assert.deepEqual(seed, copy, 'the data handed over is not written to');
      },
    ),
  );
});

test('a message costs its information plus a few bytes, and a certain symbol nothing', () => {
  const cumulative = quantise([0.9, 0.06, 0.03, 0.01], MAX_BITS);
  const stack = new RansStack();
  let information = 0;
  for (let i = 0; i < 40000; i++) {
    const symbol = symbolAt(cumulative, Math.imul(i, 0x9e3779b1) >>> 18);
    const freq = cumulative[symbol + 1]! - cumulative[symbol]!;
    information -= Math.log2(freq / 2 ** MAX_BITS);
    stack.push(cumulative[symbol]!, freq, MAX_BITS);
    stack.push(0, 1024, 10);
  }
  const bytes = stack.finish().length;
  assert.ok(bytes <= 1.002 * (information / 8) + 4, `${bytes} bytes for ${information / 8}`);
});

test('the end of the data and a state that cannot be are told', () => {
  throwsCode(() => new RansStack(new Uint8Array(2)), 'E_TRUNCATED');
  throwsCode(() => new RansStack(Uint8Array.of(1, 2, 3), 1), 'E_TRUNCATED');
  throwsCode(() => new RansStack(new Uint8Array(3)), 'E_DAMAGED_SEGMENT');
  const stack = new RansStack(Uint8Array.of(1, 2, 3));
  throwsCode(() => stack.pop(stack.peek(MAX_BITS), 1, MAX_BITS), 'E_TRUNCATED');
});

const message = fc.array(fc.tuple(fc.nat(2), fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(4))), {
  maxLength: 2000,
  size: 'max',
});
const newModel = (): AdaptiveModel => new AdaptiveModel(3, [64, 1, 0, 1, 8], 100);

test('adaptive symbols come back, and the decoder stops right behind them', () => {
  assertLimited(
    fc.property(message, fc.uint8Array({ maxLength: 9 }), fc.uint8Array({ maxLength: 9 }), (list, before, after) => {
      const encoder = new AdaptiveEncoder();
      let model = newModel();
      for (const [context, symbol] of list) encoder.encode(model, context, symbol);
      const coded = encoder.finish();
      const bytes = Uint8Array.from([...before, ...coded, ...after]);
      const decoder = new AdaptiveDecoder(bytes, before.length);
      model = newModel();
      for (const [context, symbol] of list) assert.equal(decoder.decode(model, context), symbol);
      assert.equal(decoder.finish(), before.length + coded.length);
    }),
  );
});

test('adaptive coding learns the probabilities of its contexts', () => {
  const encoder = new AdaptiveEncoder();
  const model = new AdaptiveModel(2, [OBSERVATION / 2, OBSERVATION / 2], 65536);
  let ones = 0;
  const n = 40000;
  for (let i = 0; i < n; i++) {
    const one = (Math.imul(i, 0x9e3779b1) >>> 0) / 2 ** 32 < 0.02 ? 1 : 0;
    ones += one;
    encoder.encode(model, 0, one);
    encoder.encode(model, 1, 1);
  }
  const p = ones / n;
  const ideal = (-n * (p * Math.log2(p) + (1 - p) * Math.log2(1 - p))) / 8;
  const bytes = encoder.finish().length;
  assert.ok(bytes < 1.01 * ideal + 12, `${bytes} bytes, ideally ${ideal}`);
});

test('more symbols than one stack takes come back', () => {
  const n = 2 ** 22 + 1000;
  const encoder = new AdaptiveEncoder();
  let model = new AdaptiveModel(1, [1, 1], 1000);
  for (let i = 0; i < n; i++) encoder.encode(model, 0, i % 5000 === 0 ? 1 : 0);
  const bytes = encoder.finish();
  const decoder = new AdaptiveDecoder(bytes);
  model = new AdaptiveModel(1, [1, 1], 1000);
  let wrong = 0;
  for (let i = 0; i < n; i++) if (decoder.decode(model, 0) !== (i % 5000 === 0 ? 1 : 0)) wrong++;
  assert.equal(wrong, 0);
  assert.equal(decoder.finish(), bytes.length);
});

test('garbage gives symbols or an error, never anything else', () => {
  assertLimited(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        const decoder = new AdaptiveDecoder(bytes);
        const model = newModel();
        for (let i = 0; i < 500; i++) {
          const symbol = decoder.decode(model, i % 3);
          assert.ok(symbol >= 0 && symbol < 5);
        }
        decoder.finish();
      } catch (error) {
        assert.ok(error instanceof DcompError && (error.code === 'E_TRUNCATED' || error.code === 'E_DAMAGED_SEGMENT'));
      }
    }),
  );
});
