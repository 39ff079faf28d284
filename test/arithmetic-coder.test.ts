import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ArithmeticDecoder, ArithmeticEncoder } from '../src/entropy/arithmetic-coder.js';
import { BitReader, BitWriter } from '../src/entropy/bits.js';
import { quantise } from '../src/entropy/rans.js';
import { assertLimited } from './helpers/limited.js';

/** A symbol of 2^bits quanta, or so many binary digits where there is no table. */
interface Item {
  table?: Uint32Array;
  bits: number;
  value: number;
}

const MOST_BITS = 14;
const weights = fc.array(fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 1e-12, 1e12)), {
  minLength: 1,
  maxLength: 300,
});
const tables = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(weights, fc.integer({ min: 9, max: MOST_BITS })) },
  { weight: 1, arbitrary: fc.tuple(fc.constant([1]), fc.integer({ min: 0, max: MOST_BITS })) },
);
/** One of two symbols has a single quantum, and the other one all others. */
const extreme = fc.constantFrom([0, 1, 2 ** 14], [0, 2 ** 14 - 1, 2 ** 14], [0, 1, 2 ** 14 - 1, 2 ** 14]);
const symbols = fc.oneof(
  fc.tuple(tables, fc.nat()).map(([[list, bits], n]) => itemOf(quantise(list, bits), bits, n)),
  fc.tuple(extreme, fc.nat()).map(([list, n]) => itemOf(Uint32Array.from(list), 14, n)),
);
const digits = fc
  .tuple(fc.integer({ min: 0, max: MOST_BITS }), fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 14 - 1)))
  .map(([bits, n]): Item => ({ bits, value: n % 2 ** bits }));
const items = fc.array(fc.oneof({ weight: 3, arbitrary: symbols }, { weight: 1, arbitrary: digits }), {
  maxLength: 200,
  size: 'max',
});
const around = fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 40 });

function itemOf(table: Uint32Array, bits: number, n: number): Item {
  return { table, bits, value: n % (table.length - 1) };
}

function encode(list: Item[]): { bytes: Uint8Array; count: number } {
  const encoder = new ArithmeticEncoder();
  for (const { table, bits, value } of list) {
    if (table === undefined) encoder.encode(value, 1, bits);
    else encoder.encode(table[value]!, table[value + 1]! - table[value]!, bits);
  }
  return encoder.finish();
}

const next = (decoder: ArithmeticDecoder, { table, bits }: Item): number | undefined =>
  table === undefined ? decoder.digits(bits) : decoder.decode(table, bits);

/** What comes of a list before the data has ended. */
function decode(decoder: ArithmeticDecoder, list: Item[]): number[] {
  const found: number[] = [];
  for (const item of list) {
    const value = next(decoder, item);
    if (value === undefined) break;
    found.push(value);
  }
  return found;
}

const valuesOf = (list: Item[]): number[] => list.map(({ value }) => value);

test('symbols and digits come back, whatever stands around them, and the reader stops right behind them', () => {
  assertLimited(
    fc.property(items, around, around, (list, before, after) => {
      const { bytes, count } = encode(list);
      const writer = new BitWriter();
      for (const bit of before) writer.push(bit);
      writer.append(bytes, count);
      for (const bit of after) writer.push(bit);
      const reader = new BitReader(writer.finish(), 0, writer.length);
      reader.skip(before.length);
      const decoder = new ArithmeticDecoder(reader);
      assert.equal(reader.remaining, count + after.length, 'reading ahead leaves the reader where it is');
      assert.deepEqual(decode(decoder, list), valuesOf(list));
      assert.equal(decoder.finish(), true);
      assert.equal(reader.remaining, after.length);
      for (const bit of after) assert.equal(reader.read(), bit);
    }),
  );
});

test('a run costs its information and from one bit to two', () => {
  const informationOf = ({ table, bits, value }: Item): number =>
    bits - (table === undefined ? 0 : Math.log2(table[value + 1]! - table[value]!));
  assertLimited(
    fc.property(items, (list) => {
      const { bytes, count } = encode(list);
      const information = list.reduce((sum, item) => sum + informationOf(item), 0);
      assert.equal(bytes.length, Math.ceil(count / 8));
      assert.ok(count <= information + 2 + 1e-9 + 2.3e-5 * list.length, `${count} bits for ${information}`);
      assert.ok(count >= information + 1 - 1e-9, `${count} bits for ${information}`);
    }),
  );
  assert.equal(encode([]).count, 2);
  const certain = { table: Uint32Array.of(0, 2 ** 14), bits: 14, value: 0 };
  assert.equal(encode(new Array<Item>(100_000).fill(certain)).count, 2, 'what is certain costs nothing');
  const likely = { table: Uint32Array.of(0, 1, 2 ** 14), bits: 14, value: 1 };
  const bits = -Math.log2(1 - 2 ** -14);
  assert.ok(Math.abs(encode(new Array<Item>(100_000).fill(likely)).count - (100_000 * bits + 1.5)) < 2.6);
});

test('of any cut of the data come the first symbols, and all of them at its end', () => {
  assertLimited(
    fc.property(items, fc.nat(), (list, n) => {
      const { bytes, count } = encode(list);
      const values = valuesOf(list);
      const at = (bits: number): number[] => decode(new ArithmeticDecoder(new BitReader(bytes, 0, bits)), list);
      assert.deepEqual(at(count), values);
      let before = 0;
      for (const cut of [0, n % count, count - 1]) {
        const reader = new BitReader(bytes, 0, cut);
        const decoder = new ArithmeticDecoder(reader);
        const found = decode(decoder, list);
        assert.deepEqual(found, values.slice(0, found.length));
        assert.ok(found.length >= before, 'more data, more symbols');
        before = found.length;
        const isThere = decoder.finish();
        if (found.length === values.length) assert.equal(isThere, false, 'a bit of the end is missing');
        assert.ok(reader.remaining >= 0);
      }
    }),
  );
});

test('a cut leaves out few symbols: those of which the bits that are there tell nothing for certain', () => {
  const list = Array.from({ length: 3000 }, (_, i): Item => ({
    bits: 1,
    value: (Math.imul(i, 0x9e3779b1) >>> 17) & 1,
  }));
  const { bytes } = encode(list);
  for (const cut of [0, 1, 2, 30, 31, 32, 33, 1000, 2999]) {
    assert.equal(decode(new ArithmeticDecoder(new BitReader(bytes, 0, cut)), list).length, cut);
  }
});

const THIRDS = quantise([1, 1, 1], 14);

test('carries pass through runs of ones of any length, to the first bit', () => {
  for (const length of [1, 2, 7, 30, 31, 32, 40, 300, 3000]) {
    // Symbols of which the interval holds one half: what is below begins with 0111…, what is above with 1000….
    const half = new Uint8Array(2 * length);
    half[0] = 0x80;
    const decoder = new ArithmeticDecoder(new BitReader(half));
    const list: Item[] = [];
    for (let found = -1; list.length < length || found !== 1;) {
      if (found !== -1) list.push({ table: THIRDS, bits: 14, value: found });
      found = decoder.decode(THIRDS, 14)!;
    }
    const bits = Math.floor(Math.log2(3) * length);
    for (const [last, lead, others] of [
      [0, 0, 1],
      [2, 1, 0],
    ] as const) {
      const whole = [...list, { table: THIRDS, bits: 14, value: last }];
      const { bytes, count } = encode(whole);
      const reader = new BitReader(bytes, 0, count);
      const read = Array.from({ length: bits }, () => reader.read());
      assert.deepEqual(read, [lead, ...new Array<number>(bits - 1).fill(others)], `${length} symbols, then ${last}`);
      assert.deepEqual(decode(new ArithmeticDecoder(new BitReader(bytes, 0, count)), whole), valuesOf(whole));
    }
  }
});

test('the lowest and the highest symbols all along give zeros and ones', () => {
  for (const [value, bit] of [
    [0, 0],
    [2 ** 12 - 1, 1],
  ] as const) {
    const { bytes, count } = encode(new Array<Item>(1000).fill({ bits: 12, value }));
    const reader = new BitReader(bytes, 0, count);
    assert.equal(count, 12_001);
    for (let i = 0; i < 12_000; i++) assert.equal(reader.read(), bit);
  }
});

test('the symbols of any data, encoded, are the same symbols again', () => {
  assertLimited(
    fc.property(fc.uint8Array({ minLength: 40, maxLength: 80 }), (data) => {
      const list: Item[] = [];
      const decoder = new ArithmeticDecoder(new BitReader(data));
      for (let bits = 1; list.length < 20; bits = 1 + ((5 * bits) % 13)) {
        const value = decoder.digits(bits);
        assert.ok(value !== undefined);
        list.push({ bits, value });
      }
      const { bytes, count } = encode(list);
      assert.deepEqual(decode(new ArithmeticDecoder(new BitReader(bytes, 0, count)), list), valuesOf(list));
    }),
  );
});

test('garbage gives symbols that are there, and ends', () => {
  const filled = fc.tuple(fc.nat(40), fc.constantFrom(0, 255)).map(([n, byte]) => new Uint8Array(n).fill(byte));
  const data = fc.oneof(fc.uint8Array({ maxLength: 60 }), filled);
  const kinds = fc.array(fc.oneof(symbols, digits), { minLength: 1, maxLength: 10 });
  assertLimited(
    fc.property(data, kinds, fc.nat(), (bytes, list, bits) => {
      const reader = new BitReader(bytes, 0, bits % (8 * bytes.length + 1));
      const all = reader.remaining;
      const decoder = new ArithmeticDecoder(reader);
      // Whatever it has to tell, a digit between tells one bit.
      let told = 0;
      for (; ; told++) {
        const item = list[told % list.length]!;
        const value = next(decoder, item);
        if (value === undefined) break;
        const most = item.table === undefined ? 2 ** item.bits : item.table.length - 1;
        assert.ok(Number.isInteger(value) && value >= 0 && value < most);
        if (decoder.digits(1) === undefined) break;
      }
      assert.ok(told <= all);
      decoder.finish();
      assert.ok(reader.remaining >= 0 && reader.remaining <= all);
    }),
  );
});
