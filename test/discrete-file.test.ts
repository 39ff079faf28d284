/** Files of discrete models: what is written is read, and whatever the bytes, errors say so. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { tinyDiscreteFile, tinyNetwork, tinyTables } from '../corpus/tiny-discrete.js';
import { tinyModelFile } from '../corpus/tiny-model.js';
import { DcompError } from '../src/errors.js';
import { readDiscreteFile, tableBytes } from '../src/model/discrete-file.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { loadDiscrete } from '../src/models/read-node.js';
import { DISCRETE_FILE } from '../src/models/registry.js';
import { assertLimited } from './helpers/limited.js';

const network = tinyNetwork();
const bytes = tinyDiscreteFile();

/** With a checksum that fits. */
function sealed(content: Uint8Array): Uint8Array {
  const whole = new Uint8Array(content);
  whole.set(createHash('sha256').update(whole.subarray(0, -32)).digest(), whole.length - 32);
  return whole;
}

function changed(at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = value;
  return sealed(copy);
}

function refused(given: Uint8Array, code?: string, message = /./): void {
  assert.throws(
    () => readDiscreteFile(given),
    (error) => {
      assert.ok(error instanceof DcompError, String(error));
      assert.match(error.message, message);
      if (code === undefined) assert.match(error.code, /^E_(NOT_MODEL|VERSION|TRUNCATED|DAMAGED_MODEL)$/);
      else assert.equal(error.code, code);
      return true;
    },
  );
}

describe('files of discrete models', () => {
  it('are read as they were written, whatever their tables', () => {
    const tables = fc.integer({ min: 2, max: 20 }).chain((tokens) => {
      // Of which the largest is there, so that the scale is 1/32.
      const shorts = (length: number): fc.Arbitrary<Float64Array> =>
        fc
          .array(fc.integer({ min: -32767, max: 32767 }), { minLength: length, maxLength: length })
          .map(([, ...list]) => Float64Array.of(32767, ...list).map((value) => value / 32));
      const floats = fc.array(fc.float({ min: -1000, max: 1000, noNaN: true }), {
        minLength: tokens,
        maxLength: tokens,
      });
      const codes = fc.array(fc.integer({ min: 1, max: 254 }), { minLength: 12 * tokens, maxLength: 12 * tokens });
      const layer = { inputs: fc.constant(24), outputs: fc.constant(tokens), weights: shorts(24 * tokens) };
      const parts = {
        tokens: fc.constant(tokens),
        centres: shorts(12 * tokens),
        codes: codes.map((list) => Uint8Array.of(...list)),
        layer: fc.record({ ...layer, bias: floats.map((list) => Float64Array.of(...list)) }, { noNullPrototype: true }),
      };
      return fc.record(parts, { noNullPrototype: true });
    });
    assertLimited(
      fc.property(tables, (given) => {
        const { model, network: held, ...found } = readDiscreteFile(tinyDiscreteFile(given, network));
        assert.deepEqual(found, given);
        assert.deepEqual(held, network);
        assert.equal(model.id, readModelFile(network).id);
      }),
      { numRuns: 30 },
    );
  });

  it('hold a copy of their network, which nobody else changes', () => {
    const own = bytes.slice();
    const file = readDiscreteFile(own);
    own.fill(0);
    assert.deepEqual(file.network, network);
  });

  it('cut or changed, give errors that say so', () => {
    refused(new Uint8Array(0), 'E_NOT_MODEL', /empty/);
    refused(tinyModelFile(), 'E_NOT_MODEL', /discrete model \(\.dcd\)/);
    for (let length = 1; length < bytes.length; length += length < 64 ? 1 : 197)
      refused(bytes.slice(0, length), 'E_TRUNCATED');
    refused(Uint8Array.of(...bytes, 0), 'E_DAMAGED_MODEL');
    assertLimited(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const copy = bytes.slice();
        copy[at]! ^= mask;
        refused(copy);
      }),
      { numRuns: 300 },
    );
  });

  it('whose checksum holds all the same are refused where they make no sense, and read where they do', () => {
    const { tokens: count } = tinyTables();
    for (const tokens of [0, 1, 11, 13, 255]) refused(changed(16, tokens), undefined);
    refused(changed(17, 255), 'E_DAMAGED_MODEL', /2 to 4096/);
    for (const code of [0, 255]) refused(changed(22 + 24 * count + 5, code), 'E_DAMAGED_MODEL', /1 to 254/);
    for (const top of [0x7f, 0xff]) refused(changed(18 + 3, top), 'E_DAMAGED_MODEL', /outside/);
    refused(changed(18 + tableBytes(count), 0), 'E_NOT_MODEL');
    assertLimited(
      fc.property(fc.integer({ min: 8, max: bytes.length - 33 }), fc.nat(255), (at, value) => {
        try {
          readDiscreteFile(changed(at, value));
        } catch (error) {
          assert.ok(error instanceof DcompError && /^E_(NOT_MODEL|VERSION|TRUNCATED|DAMAGED_MODEL)$/.test(error.code));
        }
      }),
      { numRuns: 500 },
    );
    const noise = fc.uint8Array({ minLength: 0, maxLength: 400 });
    assertLimited(
      fc.property(noise, (tail) =>
        refused(sealed(Uint8Array.of(...bytes.subarray(0, 18), ...tail, ...bytes.subarray(-32)))),
      ),
    );
  });

  it('with a network that is of two, told sigma or of several levels are refused', () => {
    const with_ = (model: Uint8Array): Uint8Array => tinyDiscreteFile(tinyTables(), model);
    const shows = readModelFile(tinyModelFile());
    refused(with_(tinyNetwork({ shows })), 'E_DAMAGED_MODEL', /of two/);
    refused(with_(tinyNetwork({ path: '01234567' })), 'E_DAMAGED_MODEL', /another one shows it|of two/);
    refused(with_(tinyNetwork({}, 1, true)), 'E_DAMAGED_MODEL', /told sigma/);
    refused(with_(tinyNetwork({}, 2)), 'E_DAMAGED_MODEL', /2 levels/);
    refused(with_(bytes), 'E_NOT_MODEL');
  });

  it('of the package is there, small, and knows the classes', async () => {
    const own = await loadDiscrete();
    assert.equal(statSync(DISCRETE_FILE).size, own.length);
    assert.ok(own.length < 1_000_000);
    const { tokens, model } = readDiscreteFile(own);
    assert.equal(tokens, 512);
    assert.equal(model.architecture.conditioning.classes, 32);
  });
});
