import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BitReader, BitWriter } from '../src/entropy/bits.js';
import { TrellisEncoder } from '../src/entropy/trellis-encoder.js';
import {
  INFORMATION_UNIT,
  MAX_NU,
  decodeRun,
  labelOf,
  labelTable,
  runBits,
  sectionEnds,
} from '../src/entropy/trellis.js';
import { WINDOW_SECTIONS, viterbi } from '../src/entropy/viterbi.js';
import { DcompError } from '../src/errors.js';
import { hash32 } from '../src/math/hash.js';
import { gaussianRun, signal } from '../corpus/trellis-signal.js';
import { assertLimited } from './helpers/limited.js';

const encoder = new TrellisEncoder();
const bit = INFORMATION_UNIT;

const metrics = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: -8, max: 8, noNaN: true }) },
  { weight: 1, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.constantFrom(1e3, -1e3, 1e30, -1e30, 3e38, -3e38, 1e-40) },
);
/** Information from nothing to more than a bit per coefficient. */
const amounts = fc.oneof(fc.integer({ min: 0, max: bit / 8 }), fc.integer({ min: 0, max: 3 * bit }), fc.constant(0));
const runs = fc
  .array(fc.record({ metric: metrics, information: amounts }), { maxLength: 400, size: 'max' })
  .map((list) => ({
    metric: Float32Array.from(list, (c) => c.metric),
    information: Uint32Array.from(list, (c) => c.information),
  }));
const keys = fc.integer({ min: 0, max: 0xffffffff });
const nus = fc.integer({ min: 8, max: 14 });

test('sections hold whole bits, and the remainder of less than half a bit joins the last one', () => {
  const ends = (...information: number[]): number[] => [...sectionEnds(Uint32Array.from(information))];
  assert.deepEqual(ends(), []);
  assert.deepEqual(ends(0, 0, 0), []);
  assert.deepEqual(ends(bit / 2 - 1), [], 'less than half a bit is not sent');
  assert.deepEqual(ends(bit / 2), [1]);
  assert.deepEqual(ends(bit), [1]);
  assert.deepEqual(ends(bit / 2, bit / 2, bit / 4, bit / 4 - 1), [4], 'joins');
  assert.deepEqual(ends(bit / 2, bit / 2, bit / 4, bit / 4), [2, 4], 'a section of its own');
  assert.deepEqual(ends(bit - 1, 2, bit - 1), [2, 3], 'what is too much counts for the next section');
  assert.deepEqual(ends(3 * bit, 0, 0), [1, 2, 3], 'one bit per coefficient at most');
});

test('a run without information costs no bits', () => {
  const n = 5000;
  const run = { information: new Uint32Array(n), key: 1 };
  const encoded = encoder.encode(run, new Float32Array(n).fill(2), 10);
  assert.equal(encoded.bitCount, 0);
  assert.equal(encoded.bits.length, 0);
  assert.equal(runBits(run.information), 0);
  assert.ok(encoded.signs.every((s) => s === 0));
  assert.equal(decodeRun(run, new BitReader(encoded.bits), 10).covered, 0);
});

test('the label map is linear over GF(2) and keeps 8 states in one block of labels', () => {
  assertLimited(
    fc.property(fc.integer({ min: 0, max: 32767 }), fc.integer({ min: 0, max: 32767 }), (a, b) => {
      assert.equal(labelOf(a ^ b), labelOf(a) ^ labelOf(b));
      assert.equal(labelOf(a) >> 3, labelOf(a & ~7) >> 3);
    }),
  );
  assert.equal(new Set(labelTable(9)).size, 256, 'all labels are used');
});

test('the kernel and the plain search give the same bits', () => {
  assertLimited(
    fc.property(runs, keys, nus, ({ metric, information }, key, nu) => {
      assert.deepEqual(
        encoder.search({ information, key }, metric, nu),
        viterbi(metric, sectionEnds(information), key, nu),
      );
    }),
    { numRuns: 40, seed: 1 },
  );
});

test('the kernel and the plain search agree across windows, and across pieces of the input', () => {
  // More sections than one window, more coefficients than one piece, one section longer than a piece.
  const { information, metric } = gaussianRun(signal(40000, 3), 1 / 8);
  information.fill(0, 1000, 20000);
  const ends = sectionEnds(information);
  for (const nu of [8, 9]) {
    assert.deepEqual(encoder.search({ information, key: 5 }, metric, nu), viterbi(metric, ends, 5, nu));
  }
  const { information: dense, metric: loud } = gaussianRun(signal(9000, 4), 1);
  const denseEnds = sectionEnds(dense);
  assert.ok(denseEnds.length > 2 * WINDOW_SECTIONS);
  assert.deepEqual(encoder.search({ information: dense, key: 6 }, loud, 8), viterbi(loud, denseEnds, 6, 8));
});

test('the kernel and the plain search agree on a trellis of the most states', () => {
  const { information, metric } = gaussianRun(signal(800, 5), 1 / 8);
  const ends = sectionEnds(information);
  for (const nu of [MAX_NU - 1, MAX_NU]) {
    assert.deepEqual(encoder.search({ information, key: 7 }, metric, nu), viterbi(metric, ends, 7, nu));
  }
});

test('the decoder has the signs that the encoder reports, at any place of the bit stream', () => {
  assertLimited(
    fc.property(runs, keys, nus, fc.nat(20), ({ metric, information }, key, nu, lead) => {
      const run = { information, key };
      const encoded = encoder.encode(run, metric, nu);
      const writer = new BitWriter();
      for (let i = 0; i < lead; i++) writer.push(i & 1);
      writer.append(encoded.bits, encoded.bitCount);
      writer.push(1);
      assert.equal(writer.length, lead + encoded.bitCount + 1);
      const reader = new BitReader(writer.finish(), 0, writer.length);
      for (let i = 0; i < lead; i++) assert.equal(reader.read(), i & 1);
      const decoded = decodeRun(run, reader, nu);
      assert.deepEqual(decoded.signs, encoded.signs);
      assert.equal(decoded.covered, encoded.bitCount === 0 ? 0 : information.length);
      assert.equal(reader.remaining, 1);
      assert.equal(reader.read(), 1);
    }),
    { numRuns: 60, seed: 2 },
  );
});

test('every prefix of the bits decodes to the same signs as far as it goes', () => {
  const { information, metric } = gaussianRun(signal(2000, 5), 1 / 16);
  const run = { information, key: 9 };
  const encoded = encoder.encode(run, metric, 9);
  const ends = sectionEnds(information);
  for (const bits of [0, 1, 2, 7, 8, 9, 60, encoded.bitCount - 1, encoded.bitCount]) {
    const decoded = decodeRun(run, new BitReader(encoded.bits, 0, bits), 9);
    assert.equal(decoded.covered, bits === 0 ? 0 : ends[bits - 1]);
    assert.deepEqual(decoded.signs.subarray(0, decoded.covered), encoded.signs.subarray(0, decoded.covered));
    assert.ok(decoded.signs.subarray(decoded.covered).every((s) => s === 0));
  }
});

test('the search fits the signs to the metric better than the neighbouring keys do', () => {
  const { information, metric } = gaussianRun(signal(4000, 6), 1 / 16);
  const fit = (signs: Int8Array): number => signs.reduce((sum, s, j) => sum + s * metric[j]!, 0);
  const encoded = encoder.encode({ information, key: 1 }, metric, 10);
  assert.ok(fit(encoded.signs) > 0.9 * encoded.bitCount, 'about 1.3 nats per section');
  const other = decodeRun({ information, key: 2 }, new BitReader(encoded.bits), 10);
  assert.ok(Math.abs(fit(other.signs)) < 0.2 * encoded.bitCount, 'under another key the same bits mean nothing');
});

test('misuse is told', () => {
  const run = { information: new Uint32Array(3).fill(bit), key: 0 };
  const throwsUsage = (call: () => unknown): void => {
    assert.throws(call, (error) => error instanceof DcompError && error.code === 'E_USAGE');
  };
  throwsUsage(() => encoder.encode(run, new Float32Array(2), 8));
  throwsUsage(() => encoder.encode(run, new Float32Array(3), 7));
  throwsUsage(() => encoder.encode(run, new Float32Array(3), MAX_NU + 1));
  throwsUsage(() => decodeRun(run, new BitReader(new Uint8Array(1)), 8.5));
});

test('the bits of a stated run never change: a change would be another format', () => {
  const n = 3000;
  const information = Uint32Array.from({ length: n }, (_, j) => hash32(1, j) >>> 15);
  const metric = Float32Array.from({ length: n }, (_, j) => (hash32(2, j) - 2 ** 31) / 2 ** 31);
  const encoded = encoder.encode({ information, key: 0xdeadbeef }, metric, 12);
  const digest = encoded.bits.reduce((sum, byte, i) => (Math.imul(sum, 31) + byte + i) | 0, encoded.bitCount);
  const signs = encoded.signs.reduce((sum, s) => (Math.imul(sum, 31) + s) | 0, 0);
  assert.deepEqual({ digest, signs }, { digest: 391132557, signs: 1285215748 });
});
