import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BitReader, BitWriter } from '../src/entropy/bits.js';
import { decodeGains, encodeGains, MAX_SCALE, readScale, scaleBits } from '../src/entropy/gains.js';
import { DcompError } from '../src/errors.js';
import { assertLimited } from './helpers/limited.js';

const blocks = fc.array(fc.tuple(fc.integer({ min: -2, max: 3 }), fc.nat(6)), { maxLength: 500, size: 'max' });

test('gains come back, with the index behind them', () => {
  assertLimited(
    fc.property(blocks, fc.nat(5), (list, offset) => {
      const gains = Int8Array.from(list, ([gain]) => gain);
      const contexts = Uint8Array.from(list, ([, context]) => context);
      const coded = encodeGains(gains, contexts);
      const bytes = new Uint8Array(offset + coded.length + 3).fill(255);
      bytes.set(coded, offset);
      const decoded = decodeGains(bytes, offset, gains.length, contexts);
      assert.deepEqual(decoded.gains, gains);
      assert.equal(decoded.end, offset + coded.length);
    }),
  );
});

test('gains that are all 0 cost next to nothing', () => {
  const size = (n: number): number =>
    encodeGains(
      new Int8Array(n),
      Uint8Array.from({ length: n }, (_, i) => i % 7),
    ).length;
  assert.equal(size(0), 0);
  assert.ok(size(1) <= 3);
  assert.ok(size(100) <= 6);
  assert.ok(size(2000) <= 12);
});

test('gains cost about their entropy when their distribution depends on the context', () => {
  // Two contexts of opposite habits: 2 % exceptions each.
  const n = 4000;
  const contexts = Uint8Array.from({ length: n }, (_, i) => (i % 2) * 6);
  const gains = Int8Array.from({ length: n }, (_, i) =>
    Math.imul(i, 0x9e3779b1) >>> 0 < 0.02 * 2 ** 32 ? -1 : i % 2 === 0 ? 0 : 1,
  );
  const ideal = (n * 0.1414) / 8;
  assert.ok(encodeGains(gains, contexts).length < 1.25 * ideal);
});

test('what cannot be coded, and damaged gains, are told', () => {
  const fails = (call: () => unknown, code: string): void => {
    assert.throws(call, (error) => error instanceof DcompError && error.code === code);
  };
  fails(() => encodeGains(Int8Array.of(4), Uint8Array.of(0)), 'E_USAGE');
  fails(() => encodeGains(Int8Array.of(-3), Uint8Array.of(0)), 'E_USAGE');
  fails(() => encodeGains(Int8Array.of(0), Uint8Array.of(7)), 'E_USAGE');
  fails(() => encodeGains(Int8Array.of(0), new Uint8Array(0)), 'E_USAGE');
  const contexts = new Uint8Array(200);
  const coded = encodeGains(
    Int8Array.from({ length: 200 }, (_, i) => (i % 6) - 2),
    contexts,
  );
  for (let length = 0; length < coded.length; length++) {
    fails(() => decodeGains(coded.subarray(0, length), 0, 200, contexts), 'E_TRUNCATED');
  }
  fails(() => decodeGains(new Uint8Array(20), 0, 200, contexts), 'E_DAMAGED_SEGMENT');
});

const scale = fc.integer({ min: -MAX_SCALE, max: MAX_SCALE });

test('scales come back; every shorter piece of their bits is none', () => {
  assertLimited(
    fc.property(scale, fc.array(scale, { minLength: 1, maxLength: 20 }), (first, list) => {
      const writer = new BitWriter();
      let before = first;
      for (const each of list) {
        for (const bit of scaleBits(each - before)) writer.push(bit);
        before = each;
      }
      const reader = new BitReader(writer.finish(), 0, writer.length);
      before = first;
      for (const each of list) assert.equal((before = readScale(reader, before)!), each);
      assert.equal(reader.remaining, 0);
      const short = new BitReader(writer.finish(), 0, writer.length - 1);
      let read: number | undefined = first;
      for (let i = 0; i < list.length && read !== undefined; i++) read = readScale(short, read);
      assert.equal(read, undefined);
    }),
  );
});

test('a scale that stays costs a bit; one out of range is none', () => {
  assert.deepEqual(scaleBits(0), [0]);
  assert.deepEqual(scaleBits(2), [1, 1, 0, 0]);
  assert.deepEqual(scaleBits(-1), [1, 0, 1]);
  assert.equal(readScale(new BitReader(Uint8Array.of(0x80)), MAX_SCALE), undefined);
  assert.equal(readScale(new BitReader(Uint8Array.of(0xa0)), MAX_SCALE), MAX_SCALE - 1);
  assert.equal(readScale(new BitReader(new Uint8Array(100).fill(255)), 0), undefined);
});
