import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readRice, writeRice } from '../src/model/integer/rice.js';
import { gaussian } from '../corpus/random-model.js';
import { assertLimited } from './helpers/limited.js';

const values = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -32768, max: 32767 }));
const lists = fc.array(
  fc.array(values, { maxLength: 40 }).map((list) => Int16Array.from(list)),
  { maxLength: 5 },
);

describe('Rice codes', () => {
  it('give lists of integers back', () => {
    assertLimited(
      fc.property(lists, (written) =>
        assert.deepEqual(
          readRice(
            writeRice(written),
            written.map(({ length }) => length),
          ),
          written,
        ),
      ),
    );
  });

  it('of other lengths, cut or followed by more are refused', () => {
    assertLimited(
      fc.property(lists, fc.nat(), (written, choice) => {
        const bytes = writeRice(written);
        const lengths = written.map(({ length }) => length);
        assert.equal(readRice(Uint8Array.from([...bytes, 0]), lengths), undefined);
        if (bytes.length > 0) assert.equal(readRice(bytes.subarray(0, choice % bytes.length), lengths), undefined);
        assert.equal(readRice(bytes, [...lengths, 8 * bytes.length]), undefined);
      }),
    );
  });

  it('of any bytes are lists or refused', () => {
    assertLimited(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.array(fc.nat(40), { maxLength: 4 }), (bytes, lengths) => {
        const read = readRice(bytes, lengths);
        if (read !== undefined)
          assert.deepEqual(
            read.map(({ length }) => length),
            lengths,
          );
      }),
    );
    assert.equal(readRice(new Uint8Array(20000).fill(255), [1]), undefined, 'a value beyond 16 bits');
  });

  it('are within 0.2 bit of the entropy of normally distributed numbers', () => {
    const next = gaussian(5);
    for (const sigma of [3, 100, 5000]) {
      const list = Int16Array.from({ length: 20000 }, () =>
        Math.max(-32768, Math.min(32767, Math.round(sigma * next()))),
      );
      const entropy = 0.5 * Math.log2(2 * Math.PI * Math.E * sigma * sigma);
      const bits = (8 * writeRice([list]).length) / list.length;
      assert.ok(bits > entropy - 0.05 && bits < entropy + 0.2, `${bits} bits, entropy ${entropy}`);
    }
  });
});
