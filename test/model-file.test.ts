import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { DcompError, type DcompErrorCode } from '../src/errors.js';
import { uNet } from '../src/model/architecture.js';
import { MODEL_FILE_VERSION, readModelFile, writeModelFile } from '../src/model/integer/model-file.js';
import { packFloats, unpackFloats } from '../src/model/integer/packed-floats.js';
import { absoluteWeights, relativeWeights } from '../src/model/integer/relative-weights.js';
import { finish } from '../src/turns.js';
import { gaussian, randomModel, TRAINED_SHARE, uniform } from '../corpus/random-model.js';
import { assertLimited } from './helpers/limited.js';

const MODEL = randomModel(uNet([4, 6], 5, 2), 1);
const FILE = writeModelFile(MODEL);
const HEADER_AT = 24;
const LENGTHS = new DataView(FILE.buffer);
const ARRAYS_AT = HEADER_AT + LENGTHS.getUint32(16, true);
const HEADER: Uint8Array = FILE.subarray(HEADER_AT, ARRAYS_AT);
const NOTHING: Uint8Array = new Uint8Array();
const ARRAYS: Uint8Array = FILE.subarray(ARRAYS_AT, ARRAYS_AT + LENGTHS.getUint32(20, true));

function codeOf(bytes: Uint8Array): DcompErrorCode | undefined {
  try {
    readModelFile(bytes);
    return undefined;
  } catch (error) {
    if (!(error instanceof DcompError)) throw error;
    return error.code;
  }
}

/** The file with a new digest, as a forger would make it. */
function sealed(bytes: Uint8Array): Uint8Array {
  const content = bytes.subarray(0, bytes.length - 32);
  return Uint8Array.from([...content, ...createHash('sha256').update(content).digest()]);
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Change = (header: any) => unknown;

/** The file with other parts; lengths and digest set right. @param held a file of the network that shows */
function rebuilt({ text = HEADER, packed = ARRAYS, held = NOTHING }): Uint8Array {
  const rest = [...FILE.subarray(ARRAYS_AT + ARRAYS.length, -32), ...held, ...FILE.subarray(-32)];
  const bytes = Uint8Array.from([...FILE.subarray(0, HEADER_AT), ...text, ...packed, ...rest]);
  const view = new DataView(bytes.buffer);
  view.setUint32(12, bytes.length, true);
  view.setUint32(16, text.length, true);
  view.setUint32(20, packed.length, true);
  return sealed(bytes);
}

/** The file with its header changed, or replaced by a text. */
function withHeader(change: Change | string, held = NOTHING): Uint8Array {
  const header = JSON.parse(new TextDecoder().decode(HEADER));
  if (typeof change !== 'string') change(header);
  const text = new TextEncoder().encode(typeof change === 'string' ? change : JSON.stringify(header));
  return rebuilt({ text, held });
}

test('a model survives writing and reading, and gives the same bytes again', () => {
  const read = readModelFile(FILE);
  assert.deepEqual({ ...read, id: '' }, { ...MODEL, id: '' });
  assert.ok(Buffer.from(writeModelFile(read)).equals(FILE));
  const inside = new Uint8Array(FILE.length + 3);
  inside.set(FILE, 3);
  assert.deepEqual(readModelFile(inside.subarray(3)), read, 'a view at an odd address');
});

const SHOWS = readModelFile(writeModelFile(randomModel(uNet([4, 6], 5, 3), 2)));

test('a model may hold a network for coarse levels, beside one that shows or the path of another, and no more', () => {
  const coarse = readModelFile(writeModelFile(randomModel(uNet([4, 6], 5, 3), 3)));
  for (const more of [{}, { shows: SHOWS }, { path: '01234567' }]) {
    const file = writeModelFile({ ...MODEL, ...more, coarse });
    const read = readModelFile(file);
    assert.deepEqual({ ...read, id: '' }, { ...MODEL, ...more, coarse, id: '' });
    assert.ok(Buffer.from(writeModelFile(read)).equals(file));
    assert.notEqual(read.id, readModelFile(writeModelFile({ ...MODEL, ...more })).id);
  }
  for (const inner of [
    { ...coarse, path: '01234567' },
    { ...coarse, shows: SHOWS },
    { ...coarse, coarse },
  ]) {
    assert.throws(() => writeModelFile({ ...MODEL, coarse: inner }), { code: 'E_DAMAGED_MODEL' });
    assert.throws(() => writeModelFile({ ...MODEL, shows: inner }), { code: 'E_DAMAGED_MODEL' });
  }
  const single = writeModelFile(coarse);
  for (const [inner, told] of [
    [writeModelFile({ ...MODEL, coarse }), undefined],
    [writeModelFile({ ...coarse, path: '01234567' }), undefined],
    [single, 1],
    [single, single.length + 1],
    [single, 2 ** 31],
    [single, -5],
    [single, null],
    [new Uint8Array(700), 700],
  ] as const) {
    const bytes = withHeader((h) => (h.coarse = told === undefined ? inner.length : told), inner);
    assert.match(codeOf(bytes) ?? 'none', /^E_(DAMAGED_MODEL|NOT_MODEL|TRUNCATED)$/, `${told}`);
  }
});

test('a model of two networks survives it, too; a third one and the path of another are refused', () => {
  const file = writeModelFile({ ...MODEL, shows: SHOWS });
  const { shows, ...codes } = readModelFile(file);
  assert.deepEqual(shows, SHOWS);
  assert.deepEqual({ ...codes, id: '' }, { ...MODEL, id: '' });
  assert.notEqual(codes.id, readModelFile(FILE).id);
  assert.ok(Buffer.from(writeModelFile(readModelFile(file))).equals(file));
  for (const path of ['01234567', undefined]) {
    const inner = path === undefined ? { ...SHOWS, shows: SHOWS } : { ...SHOWS, path };
    assert.throws(() => writeModelFile({ ...MODEL, shows: inner }), { code: 'E_DAMAGED_MODEL' });
  }
  assert.throws(() => writeModelFile({ ...MODEL, shows: SHOWS, path: '01234567' }), { code: 'E_DAMAGED_MODEL' });
  // As a forger would: the same file inside of itself, and lengths that lie.
  for (const [inner, told] of [
    [file, file.length],
    [writeModelFile({ ...SHOWS, path: '01234567' }), undefined],
    [writeModelFile(SHOWS), 1],
    [writeModelFile(SHOWS), 1e9],
    [writeModelFile(SHOWS), -5],
    [writeModelFile(SHOWS), 'all'],
    [new Uint8Array(700), 700],
  ] as const) {
    const bytes = withHeader((h) => (h.shows = told ?? inner.length), inner);
    assert.match(codeOf(bytes) ?? 'none', /^E_(DAMAGED_MODEL|NOT_MODEL|TRUNCATED)$/, `${told}`);
  }
});

test('the id is the beginning of the SHA-256 at the end, which another implementation confirms', () => {
  const digest = createHash('sha256').update(FILE.subarray(0, -32)).digest('hex');
  assert.equal(Buffer.from(FILE.subarray(-32)).toString('hex'), digest);
  assert.equal(readModelFile(FILE).id, digest.slice(0, 8));
});

test('other files are told apart', () => {
  assert.equal(codeOf(new Uint8Array()), 'E_NOT_MODEL');
  assert.equal(codeOf(new TextEncoder().encode('GIF89a and more')), 'E_NOT_MODEL');
  assert.equal(codeOf(Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10)), 'E_NOT_MODEL', 'PNG');
  const cutTo7Bits = FILE.map((byte) => byte & 127);
  assert.equal(codeOf(cutTo7Bits), 'E_NOT_MODEL');
  const other = FILE.slice();
  other[8] = MODEL_FILE_VERSION + 1;
  assert.equal(codeOf(other), 'E_VERSION');
});

test('every truncation is E_TRUNCATED, surplus bytes are damage', () => {
  for (let length = 1; length < FILE.length; length += length < 1000 ? 1 : 97) {
    assert.equal(codeOf(FILE.subarray(0, length)), 'E_TRUNCATED', `${length}`);
  }
  assert.equal(codeOf(Uint8Array.from([...FILE, 0])), 'E_DAMAGED_MODEL');
});

test('a changed byte is always found', () => {
  assertLimited(
    fc.property(fc.nat(FILE.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bytes = FILE.slice();
      bytes[at]! ^= flip;
      assert.notEqual(codeOf(bytes), undefined);
    }),
    { numRuns: 500 },
  );
});

test('random bytes never raise anything but a DcompError', () => {
  for (const head of [FILE.subarray(0, 0), FILE.subarray(0, 8), FILE.subarray(0, 12), FILE.subarray(0, 20)]) {
    const bytes = fc.uint8Array({ maxLength: 200 });
    assertLimited(
      fc.property(bytes, (tail) => assert.notEqual(codeOf(Uint8Array.from([...head, ...tail])), undefined)),
    );
  }
});

test('malformed headers with a right checksum: each has its own message', () => {
  const cases: [RegExp, Change | string][] = [
    [/not JSON/, '{"architecture":'],
    [/header is not an object/, '[]'],
    [/architecture is not an object/, (h) => (h.architecture = null)],
    [/name of the architecture is not a name/, (h) => (h.architecture.name = 7)],
    [/list of tensors is not a list/, (h) => (h.architecture.tensors = {})],
    [
      /list of layers has 1001 entries/,
      (h) => (h.architecture.layers = Array.from({ length: 1001 }, () => h.architecture.layers[0])),
    ],
    [
      /channel count of tensor 1 is 1e\+9|channel count of tensor 1 is 1000000000/,
      (h) => (h.architecture.tensors[1].channels = 1e9),
    ],
    [/scale of tensor 1 is -1/, (h) => (h.architecture.tensors[1].scale = -1)],
    [/unknown kind "conv5x5"/, (h) => (h.architecture.layers[0].kind = 'conv5x5')],
    [/'relu' of layer 0 is not true or false/, (h) => (h.architecture.layers[0].relu = 1)],
    [/two tensors have the same name/, (h) => (h.architecture.tensors[2].name = 'input')],
    [/two layers have the same name/, (h) => (h.architecture.layers[1].name = 'in')],
    [/there is no tensor 'out'/, (h) => (h.architecture.tensors.at(-1).name = 'end')],
    [/'input' is not of 24 channels/, (h) => (h.architecture.tensors[0].channels = 12)],
    [/reads 'dec0.2' before it is computed/, (h) => (h.architecture.layers[0].from = 'dec0.2')],
    [/adds 'nothing' before it is computed/, (h) => (h.architecture.layers[0].add = 'nothing')],
    [/computes an unknown tensor 'nothing'/, (h) => (h.architecture.layers[0].to = 'nothing')],
    [/computes 'in' a second time/, (h) => (h.architecture.layers[1].to = 'in')],
    [/joins grids/, (h) => (h.architecture.layers[0].kind = 'down2x2')],
    [/adds a tensor of another shape/, (h) => (h.architecture.layers[1].add = 'input')],
    [/must be a plain conv3x3/, (h) => (h.architecture.layers.at(-1).relu = true)],
    [/a tensor is never computed/, (h) => h.architecture.tensors.push({ name: 'more', channels: 1, scale: 0 })],
    [/number of levels is 0/, (h) => (h.architecture.conditioning.levels = 0)],
    [/scale of tensor 'in' is not a list/, (h) => delete h.scales.in],
    [/bits of tensor 'in' is 17/, (h) => (h.scales.in[1] = 17)],
    [/scale of tensor 'in' is 0,/, (h) => (h.scales.in[0] = 0)],
    [/scale of tensor 'in' is "1",/, (h) => (h.scales.in[0] = '1')],
    [/table of qualities is not a list/, (h) => (h.quality = 7)],
    [/does not go from at most 30 to 100/, (h) => (h.quality = [])],
    [
      /does not go from at most 30 to 100/,
      (h) =>
        (h.quality = [
          [31, 168],
          [100, 64],
        ]),
    ],
    [
      /does not go from at most 30 to 100/,
      (h) =>
        (h.quality = [
          [10, 168],
          [99, 64],
        ]),
    ],
    [
      /entry 0 of the table of qualities has 3/,
      (h) =>
        (h.quality = [
          [10, 168, 1],
          [100, 64],
        ]),
    ],
    [
      /quality 0 is "10"/,
      (h) =>
        (h.quality = [
          ['10', 168],
          [100, 64],
        ]),
    ],
    [
      /quality 0 is null/,
      (h) =>
        (h.quality = [
          [null, 168],
          [100, 64],
        ]),
    ],
    [
      /code of quality 1 is 63/,
      (h) =>
        (h.quality = [
          [10, 168],
          [100, 63],
        ]),
    ],
    [
      /code of quality 0 is 241/,
      (h) =>
        (h.quality = [
          [10, 241],
          [100, 64],
        ]),
    ],
    [
      /entry 1 of the table of qualities does not follow/,
      (h) =>
        (h.quality = [
          [10, 100],
          [100, 101],
        ]),
    ],
    [
      /entry 1 of the table of qualities does not follow/,
      (h) =>
        (h.quality = [
          [10, 100],
          [10, 90],
          [100, 80],
        ]),
    ],
    [/its arrays: it holds less than it states/, (h) => (h.architecture.conditioning.hidden = 600)],
    [/its arrays: it holds more than it states/, (h) => (h.architecture.conditioning.hidden = 4)],
    [
      /its arrays have \d+ numbers, more than/,
      (h) => Object.assign(h.architecture.conditioning, { hidden: 4096, classes: 4096 }),
    ],
    [/its weights need \d+ bytes, but end/, (h) => (h.architecture = uNet([400, 600], 5, 2))],
    [/"relative" is not true/, (h) => (h.relative = 1)],
    [/relative to those of another network, which is not there/, (h) => (h.relative = true)],
  ];
  for (const [message, change] of cases) {
    assert.throws(
      () => readModelFile(withHeader(change)),
      (error: unknown) => {
        assert.ok(error instanceof DcompError, String(error));
        assert.equal(error.code, 'E_DAMAGED_MODEL');
        assert.match(error.message, message);
        return true;
      },
    );
  }
});

test('values replaced at random in the header: a DcompError or a model, never another error', () => {
  const values = fc.constantFrom(null, [], {}, true, '__proto__', 'constructor', 'out');
  const json = fc.oneof(fc.integer(), fc.double(), fc.string({ maxLength: 5 }), values);
  const replace = (node: unknown, path: number, value: unknown): unknown => {
    if (typeof node !== 'object' || node === null || path === 0) return value;
    const keys = Object.keys(node);
    if (keys.length === 0) return value;
    const key = keys[path % keys.length]!;
    const fields = node as Record<string, unknown>;
    fields[key] = replace(fields[key], Math.floor(path / keys.length), value);
    return node;
  };
  assertLimited(
    fc.property(fc.nat(1e6), json, (path, value) => {
      const header: unknown = JSON.parse(new TextDecoder().decode(HEADER));
      codeOf(withHeader(JSON.stringify(replace(header, path, value)) ?? ''));
    }),
    { numRuns: 300 },
  );
});

/** All floats of the file, in its order. */
const FLOATS = (() => {
  const { statistics, layers, conditioning } = MODEL;
  const ofLayers = [...layers.values()].flatMap(({ weightScale, bias }) => [weightScale, bias]);
  const { w1, b1, w2, b2 } = conditioning;
  const arrays = [statistics.prior, statistics.inputScale, ...ofLayers, w1, b1, w2, b2];
  return Float32Array.from(arrays.flatMap((array) => [...array]));
})();

test('arrays that are cut, followed by more, or no deflated bytes at all are damage', () => {
  const packed = ARRAYS;
  assert.deepEqual(packed, packFloats(FLOATS));
  assert.equal(codeOf(rebuilt({ packed })), undefined);
  for (const bytes of [packed.subarray(0, -9), new Uint8Array(), new Uint8Array(100).fill(255)])
    assert.throws(() => readModelFile(rebuilt({ packed: bytes })), /its arrays: it /);
  assert.throws(() => readModelFile(rebuilt({ packed: packFloats(FLOATS.subarray(1)) })), /holds less/);
  // A few bytes that become many: refused as soon as they are more than there may be.
  assert.throws(() => readModelFile(rebuilt({ packed: packFloats(new Float32Array(1e6)) })), /holds more/);
});

test('floats are packed to the bit, and those of 16 bits take half of it', () => {
  const any = fc.array(fc.float(), { maxLength: 50 }).map((list) => Float32Array.from(list));
  assertLimited(
    fc.property(any, (floats) => assert.deepEqual(finish(unpackFloats(packFloats(floats), floats.length)), floats)),
  );
  const next = gaussian(3);
  const short = new Uint32Array(Float32Array.from({ length: 1000 }, next).buffer).map((bits) => bits & 0xffff0000);
  assert.ok(packFloats(new Float32Array(short.buffer)).length < 2000);
});

/** A network near another one, as one that was trained on from it. */
function near(model: typeof MODEL, by: number): typeof MODEL {
  const next = uniform(7);
  const layers = [...model.layers].map(([name, layer]) => {
    const weights = layer.weights.map((weight) => weight + Math.round(by * (next() - 0.5)));
    return [
      name,
      { ...layer, weightScale: layer.weightScale.map((scale) => scale * (0.5 + next())), weights },
    ] as const;
  });
  return { ...model, layers: new Map(layers) };
}

test('a network inside is written relative to the one that codes where that is shorter, and read back', () => {
  const trained = (seed: number): typeof MODEL =>
    randomModel(uNet([4, 6], 5, 2), seed, undefined, undefined, TRAINED_SHARE);
  const base = trained(1);
  for (const [held, isNear] of [
    [base, true],
    [near(base, 6), true],
    [trained(2), false],
  ] as const) {
    const [file, again] = (['shows', 'coarse'] as const).map((role) => {
      const bytes = writeModelFile({ ...base, [role]: held });
      const read = readModelFile(bytes);
      assert.deepEqual({ ...read[role], id: '' }, { ...held, id: '' });
      assert.ok(Buffer.from(writeModelFile(read)).equals(bytes));
      return bytes;
    }) as [Uint8Array, Uint8Array];
    assert.equal(again.length, file.length + 'coarse'.length - 'shows'.length);
    const saved = writeModelFile(base).length + writeModelFile(held).length - file.length;
    const weights = [...base.layers.values()].reduce((sum, layer) => sum + layer.weights.length, 0);
    assert.equal(saved > weights / 8, isNear, `${saved} bytes of ${weights} weights`);
  }
});

test('differences of any weights and scales give these weights, unless they leave 16 bits', () => {
  const architecture = uNet([1, 1], 1, 1);
  const { layers } = randomModel(architecture, 1);
  const weight = fc.oneof(fc.integer({ min: -20, max: 20 }), fc.integer({ min: -32767, max: 32767 }));
  const scale = fc.float({ min: Math.fround(1e-3), max: 10, noNaN: true });
  const networks = fc.gen().map((draw) => ({
    architecture,
    layers: new Map(
      [...layers].map(([name, layer]) => [
        name,
        {
          ...layer,
          weights: layer.weights.map(() => draw(() => weight)),
          weightScale: layer.weightScale.map(() => draw(() => scale)),
        },
      ]),
    ),
  }));
  assertLimited(
    fc.property(networks, networks, (base, own) => {
      const lists = relativeWeights(base, own);
      for (const [i, { name }] of architecture.layers.entries()) {
        const { weights, weightScale } = own.layers.get(name)!;
        if (lists !== undefined)
          assert.deepEqual(absoluteWeights(base.layers.get(name)!, weightScale, lists[i]!), weights);
      }
    }),
  );
});

test('differences that lead out of 16 bits are damage', () => {
  const layer = { weights: Int16Array.of(30000), weightScale: Float32Array.of(1), bias: Float32Array.of(0) };
  assert.deepEqual(absoluteWeights(layer, Float32Array.of(2), Int16Array.of(7)), Int16Array.of(15007));
  assert.throws(() => absoluteWeights(layer, Float32Array.of(1), Int16Array.of(2768)), { code: 'E_DAMAGED_MODEL' });
});

test('numbers out of range with a right checksum are damage', () => {
  for (const [at, what] of [
    [0, 'prior'],
    [2 * 12, 'input scales'],
  ] as const) {
    for (const value of [NaN, Infinity, 0, -1, 1e30]) {
      const floats = FLOATS.slice();
      floats[at] = value;
      assert.throws(
        () => readModelFile(rebuilt({ packed: packFloats(floats) })),
        new RegExp(`number 0 of the ${what}`),
      );
    }
  }
});
