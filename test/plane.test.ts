import { test } from 'node:test';
import assert from 'node:assert/strict';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { decodePlane, encodePlane } from '../src/entropy/plane.js';
import { DcompError } from '../src/errors.js';
import { hash32 } from '../src/math/hash.js';
import { assertLimited } from './helpers/limited.js';

type Sample = (x: number, y: number) => number;

function draw(width: number, height: number, sample: Sample): Uint8Array {
  const data = new Uint8Array(width * height);
  for (let i = 0; i < data.length; i++) {
    data[i] = Math.max(0, Math.min(255, Math.round(sample(i % width, Math.floor(i / width)))));
  }
  return data;
}

/** Bytes of the same plane as PNG would hold them: the best single filter and the usual heuristic, zlib level 9. */
function pngBytes(data: Uint8Array, width: number, height: number): number {
  const cost = (row: Uint8Array): number => row.subarray(1).reduce((sum, v) => sum + Math.min(v, 256 - v), 0);
  const filtered = (filter: number, y: number): Uint8Array => {
    const row = new Uint8Array(width + 1);
    row[0] = filter;
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const a = x > 0 ? data[at - 1]! : 0;
      const b = y > 0 ? data[at - width]! : 0;
      const c = x > 0 && y > 0 ? data[at - width - 1]! : 0;
      const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
      const paeth = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
      row[x + 1] = data[at]! - [0, a, b, (a + b) >> 1, paeth][filter]!;
    }
    return row;
  };
  let best = Infinity;
  for (let choice = 0; choice < 6; choice++) {
    const rows: Uint8Array[] = [];
    for (let y = 0; y < height; y++) {
      const candidates = choice < 5 ? [choice] : [0, 1, 2, 3, 4];
      rows.push(candidates.map((f) => filtered(f, y)).reduce((p, q) => (cost(q) < cost(p) ? q : p)));
    }
    best = Math.min(best, deflateSync(Buffer.concat(rows), { level: 9 }).length);
  }
  return best;
}

const noise = (seed: number, x: number, y: number): number => hash32(seed, 4096 * y + x) / 2 ** 32;
const disc = Array.from({ length: 10 }, (_, i) => ({
  x: 300 * noise(1, i, 0),
  y: 200 * noise(1, i, 1),
  r: 10 + 40 * noise(1, i, 2),
}));
const inside: Sample = (x, y) => Math.max(...disc.map((d) => d.r - Math.hypot(x - d.x, y - d.y)));

const contents: Record<string, Sample> = {
  'a rectangle': (x, y) => (x > 40 && x < 250 && y > 20 && y < 170 ? 255 : 0),
  'round shapes': (x, y) => (inside(x, y) > 0 ? 255 : 0),
  'round shapes of other values': (x, y) => (inside(x, y) > 0 ? 200 : 16),
  'anti-aliased shapes': (x, y) => 255 * (inside(x, y) + 0.5),
  'shapes with blurred edges': (x, y) => 128 + 12 * inside(x, y),
  'a horizontal ramp': (x) => (x * 255) / 299,
  'a vertical ramp': (_, y) => y,
  'a diagonal ramp': (x, y) => (x + 2 * y) / 4,
  'sparse points': (x, y) => (noise(2, x, y) < 0.01 ? 255 : 0),
  'black and white noise': (x, y) => (noise(3, x, y) < 0.5 ? 255 : 0),
  noise: (x, y) => 255 * noise(4, x, y),
  'noisy waves': (x, y) => 128 + 60 * Math.sin(x / 30) + 40 * Math.cos(y / 25) + 16 * noise(5, x, y),
};

for (const [name, sample] of Object.entries(contents)) {
  test(`${name}: come(s) back, and no larger than PNG would make it`, () => {
    const data = draw(300, 200, sample);
    const coded = encodePlane(data, 300, 200);
    assert.deepEqual(decodePlane(coded, 300, 200), data);
    const png = pngBytes(data, 300, 200);
    assert.ok(coded.length <= png + 8, `${coded.length} bytes, PNG ${png}`);
  });
}

const planes = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), fc.nat(), fc.nat(4))
  .map(([width, height, seed, kind]) => {
    const sample: Sample[] = [
      () => seed % 256,
      (x, y) => 255 * noise(seed, x, y),
      (x, y) => (noise(seed, x >> 3, y >> 3) < 0.5 ? 255 : 0),
      (x, y) => (seed % 7) * x + (seed % 5) * y,
      (x, y) => 85 * Math.floor(4 * noise(seed, x, y >> 1)),
    ];
    return { width, height, data: draw(width, height, sample[kind]!) };
  });

test('planes of any size come back', () => {
  assertLimited(
    fc.property(planes, ({ width, height, data }) => {
      assert.deepEqual(decodePlane(encodePlane(data, width, height), width, height), data);
    }),
    { numRuns: 300 },
  );
});

test('a constant plane takes 2 bytes', () => {
  assert.deepEqual(encodePlane(new Uint8Array(640 * 480).fill(255), 640, 480), Uint8Array.of(1, 255));
});

test('damaged and cut planes are told, or give a plane of the right size', () => {
  const known = (error: unknown): boolean =>
    error instanceof DcompError && (error.code === 'E_TRUNCATED' || error.code === 'E_DAMAGED_SEGMENT');
  const data = draw(60, 40, contents['anti-aliased shapes']!);
  const coded = encodePlane(data, 60, 40);
  for (let length = 0; length < coded.length; length++)
    assert.throws(() => decodePlane(coded.subarray(0, length), 60, 40), known);
  assert.throws(() => decodePlane(Uint8Array.from([...coded, 0]), 60, 40), known, 'too long');
  assert.throws(() => decodePlane(Uint8Array.of(1, 2, 3), 60, 40), known, 'too long a constant plane');
  assert.throws(() => decodePlane(Uint8Array.of(7, 2, 3), 60, 40), known, 'unknown kind');
  assertLimited(
    fc.property(fc.nat(coded.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const damaged = coded.slice();
      damaged[at]! ^= flip;
      try {
        assert.equal(decodePlane(damaged, 60, 40).length, 2400);
      } catch (error) {
        assert.ok(known(error), String(error));
      }
    }),
  );
  assert.throws(
    () => encodePlane(data, 60, 41),
    (error) => error instanceof DcompError && error.code === 'E_USAGE',
  );
});
