/** BMP of every kind, and what is wrong with one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { assertLimited } from './helpers/limited.js';
import { readBmp } from '../formats/bmp.js';
import { DcompError } from '../src/errors.js';
import type { Picture } from '../src/picture.js';
import { makeBmp } from './helpers/make-bmp.js';
import { emptyProfile } from './helpers/profiles.js';

const read = (bytes: Uint8Array, allowDamaged = false): Picture => readBmp(bytes, undefined, allowDamaged).picture;

function fails(bytes: Uint8Array, code: string, message: RegExp): void {
  assert.throws(
    () => readBmp(bytes),
    (error) => error instanceof DcompError && error.code === code && message.test(error.message),
  );
}

const u32 = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
const COLOURS = [
  [250, 1, 2],
  [3, 240, 4],
  [5, 6, 230],
];

describe('BMP', () => {
  it('of 24 bits, from bottom to top and from top to bottom, pixels wherever the header says', () => {
    const rows = Buffer.from([1, 2, 3, 4, 5, 6, 0, 0, 7, 8, 9, 10, 11, 12, 0, 0]);
    const down = { width: 2, height: 2, channels: 3, depth: 8 };
    const first = [3, 2, 1, 6, 5, 4];
    const second = [9, 8, 7, 12, 11, 10];
    assert.deepEqual(read(makeBmp({ width: 2, height: -2, bits: 24, data: rows })), {
      ...down,
      data: Uint8Array.of(...first, ...second),
    });
    for (const more of [{}, { core: true }, { gap: 30 }])
      assert.deepEqual(read(makeBmp({ width: 2, height: 2, bits: 24, data: rows, ...more })), {
        ...down,
        data: Uint8Array.of(...second, ...first),
      });
  });

  it('with a palette of 1, 2, 4 and 8 bits, at odd widths; grey where all its colours are', () => {
    const indices = [0, 1, 2, 1, 0];
    for (const bits of [2, 4, 8]) {
      const data = Buffer.alloc(8);
      indices.forEach((index, i) => (data[(i * bits) >> 3] |= index << (8 - bits - ((i * bits) & 7))));
      for (const core of [false, true]) {
        const { channels, data: samples } = read(
          makeBmp({
            width: 5,
            height: 1,
            bits,
            palette: core ? [...COLOURS, ...Array<number[]>(2 ** bits - 3).fill([0, 0, 0])] : COLOURS,
            data,
            core,
          }),
        );
        assert.equal(channels, 3);
        assert.deepEqual(
          [...samples],
          indices.flatMap((index) => COLOURS[index]),
          `${bits} bits`,
        );
      }
    }
    const bilevel = makeBmp({
      width: 3,
      height: 1,
      bits: 1,
      palette: [
        [0, 0, 0],
        [255, 255, 255],
      ],
      data: Buffer.of(0xa0, 0, 0, 0),
    });
    assert.deepEqual(read(bilevel), { width: 3, height: 1, channels: 1, depth: 1, data: Uint8Array.of(1, 0, 1) });
    const inverse = makeBmp({
      width: 3,
      height: 1,
      bits: 1,
      palette: [
        [255, 255, 255],
        [0, 0, 0],
      ],
      data: Buffer.of(0xa0, 0, 0, 0),
    });
    assert.deepEqual([...read(inverse).data], [0, 1, 0]);
    const beyond = readBmp(makeBmp({ width: 1, height: 1, bits: 8, palette: COLOURS, data: Buffer.of(3, 0, 0, 0) }));
    assert.deepEqual([...beyond.picture.data], [0, 0, 0]);
    assert.match(beyond.notices.join(), /beyond its palette of 3/);
  });

  it('of 16 and 32 bits, with masks and without; alpha that nobody wrote is none', () => {
    const five = makeBmp({ width: 2, height: 1, bits: 16, data: Buffer.from([0xff, 0x7f, 0x1f, 0]) });
    assert.deepEqual([...read(five).data], [255, 255, 255, 0, 0, 255]);
    const six = { width: 2, height: 1, bits: 16, compression: 3, more: u32(0xf800, 0x7e0, 0x1f) };
    assert.deepEqual(
      [...read(makeBmp({ ...six, data: Buffer.from([0xe0, 7, 0, 0x80]) })).data],
      [0, 255, 0, 132, 0, 0],
    );
    const plain = { width: 1, height: 1, bits: 32, data: Buffer.from([1, 2, 3, 77]) };
    assert.deepEqual([...read(makeBmp(plain)).data], [3, 2, 1]);
    const masked = {
      ...plain,
      compression: 3,
      more: Buffer.concat([u32(0xff0000, 0xff00, 0xff, 0xff000000), Buffer.alloc(52)]),
    };
    assert.deepEqual([...read(makeBmp(masked)).data], [3, 2, 1, 77]);
    assert.deepEqual([...read(makeBmp({ ...masked, data: Buffer.from([1, 2, 3, 0]) })).data], [3, 2, 1]);
  });

  it('of run lengths, with jumps and pixels as they are', () => {
    const eight = Buffer.from([3, 1, 0, 0, 0, 3, 2, 1, 2, 0, 0, 1]);
    assert.deepEqual(
      [...read(makeBmp({ width: 3, height: 2, bits: 8, compression: 1, palette: COLOURS, data: eight })).data],
      [2, 1, 2, 1, 1, 1].flatMap((index) => COLOURS[index]),
    );
    const four = Buffer.from([3, 0x12, 0, 2, 1, 0, 1, 0x20, 0, 1]);
    assert.deepEqual(
      [...read(makeBmp({ width: 5, height: 1, bits: 4, compression: 2, palette: COLOURS, data: four })).data],
      [1, 2, 1, 0, 2].flatMap((index) => COLOURS[index]),
    );
  });

  it('brings its density and its profile', () => {
    const profile = emptyProfile('RGB ');
    const more = Buffer.alloc(84);
    more.writeUInt32LE(0x4d424544, 16); // at byte 56 of the header: the profile is in the file
    const at = 14 + 124 + 4;
    more.writeUInt32LE(at - 14, 72);
    more.writeUInt32LE(profile.length, 76);
    const bytes = Buffer.concat([
      makeBmp({ width: 1, height: 1, bits: 24, data: Buffer.alloc(4), more, perMetre: [3780, 1890] }),
      profile,
    ]);
    assert.deepEqual(read(bytes).metadata, { density: { x: 3780, y: 1890, unit: 'metre' }, icc: profile });
  });

  it('that is cut or impossible is refused; what is there is read where damage is allowed', () => {
    const whole = makeBmp({ width: 1, height: 4, bits: 24, data: Buffer.alloc(16, 9) });
    const cut = whole.subarray(0, -8);
    fails(cut, 'E_DAMAGED_PICTURE', /15 bytes, of which 8 are there/);
    const { picture, damage } = readBmp(cut, undefined, true);
    assert.deepEqual([...picture.data], [0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9]);
    assert.equal(damage.length, 1);
    fails(Buffer.from('BM'), 'E_DAMAGED_PICTURE', /before its header/);
    fails(makeBmp({ width: 0, height: 1, bits: 24, data: Buffer.alloc(4) }), 'E_DAMAGED_PICTURE', /0×1/);
    fails(
      makeBmp({ width: 1, height: 1, bits: 24, compression: 4, data: Buffer.alloc(4) }),
      'E_NOT_PICTURE',
      /compression 4/,
    );
    fails(makeBmp({ width: 60000, height: 60000, bits: 24, data: Buffer.alloc(4) }), 'E_TOO_LARGE', /60000×60000/);
    fails(
      makeBmp({ width: 9999, height: 9999, bits: 8, compression: 1, data: Buffer.alloc(4) }),
      'E_DAMAGED_PICTURE',
      /too short/,
    );
    fails(
      makeBmp({ width: 9, height: 9, bits: 8, compression: 1, data: Buffer.from([9, 0]) }),
      'E_DAMAGED_PICTURE',
      /cut off/,
    );
    assert.throws(() => readBmp(whole, 3), /more than the limit of 3/);
  });

  it('of random bytes is read or refused', () => {
    assertLimited(
      fc.property(
        fc.constantFrom(1, 4, 8, 16, 24, 32),
        fc.integer({ min: 0, max: 6 }),
        fc.uint8Array({ maxLength: 80 }),
        fc.uint8Array({ maxLength: 84 }),
        (bits, compression, data, more) => {
          const bytes = makeBmp({ width: 3, height: 3, bits, compression, data, more });
          for (const allowDamaged of [false, true])
            try {
              readBmp(bytes, undefined, allowDamaged);
            } catch (error) {
              if (!(error instanceof DcompError)) throw error;
            }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
