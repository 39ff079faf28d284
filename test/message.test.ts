/** Messages: pictures of some dozen bytes, to the byte, and from every beginning of them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CORPUS, corpusPicture } from '../corpus/pictures.js';
import { tinyEvaluator } from '../corpus/tiny-model.js';
import {
  COARSE_WIDTHS,
  COARSEST_WIDTHS,
  MAX_FIRST_WIDTH,
  MESSAGE_CHECKS,
  MESSAGE_SIZES,
  readMessage,
  writeMessage,
} from '../src/container/message.js';
import { hash32 } from '../src/math/hash.js';
import {
  decode,
  decodeMessage,
  encodeMessages,
  psnr,
  type MessageOptions,
  type MessageResult,
  type Picture,
} from '../src/node.js';
import { secondDecode } from './helpers/second-decoder.js';
import { assertLimited } from './helpers/limited.js';
import { DECODING, ENCODING } from './helpers/tiny.js';

const noise = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => hash32(1, i) & 255);
const names = CORPUS.map(({ name }) => name).filter(
  (name) => corpusPicture(name, { width: 1, height: 1 }).channels % 2 === 1,
);

const one = async (picture: Picture, size: number, options: MessageOptions = {}): Promise<MessageResult> =>
  (await encodeMessages(picture, [size], { ...ENCODING, ...options }))[0]!;

const pictures: fc.Arbitrary<Picture> = fc
  .tuple(fc.constantFrom(...names), fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 60 }), fc.nat())
  .map(([name, width, height, seed]) => corpusPicture(name, { width, height }, seed));

describe('message', () => {
  it('every header is read as it was written', () => {
    const size = fc.oneof(
      fc.constantFrom(...MESSAGE_SIZES),
      fc.tuple(fc.integer({ min: 1, max: 512 }), fc.integer({ min: 1, max: 512 })),
    );
    assertLimited(
      fc.property(
        size,
        fc
          .record({
            grey: fc.boolean(),
            check: fc.constantFrom(...MESSAGE_CHECKS),
            schedule: fc.record({
              coarseWidth: fc.constantFrom(...COARSE_WIDTHS),
              coarsestWidth: fc.constantFrom(...COARSEST_WIDTHS),
              firstWidth: fc.nat({ max: MAX_FIRST_WIDTH }),
              trustsMeans: fc.boolean(),
              coarseViews: fc.constantFrom(1 as const, 2 as const, 4 as const),
            }),
            model: fc.constantFrom('00', '9a', 'ff'),
          })
          .map((header) => ({ ...header, schedule: { ...header.schedule } })),
        fc.boolean(),
        fc.uint8Array({ maxLength: 9 }),
        ([width, height], rest, told, bits) => {
          const header = { width, height, ...rest };
          const bytes = writeMessage(header, told, bits);
          const read = readMessage(bytes, told ? { width, height } : undefined);
          assert.deepEqual({ ...read.header }, header);
          assert.ok(read.intact && bytes[0]! < 128);
          assert.deepEqual(bytes.subarray(read.start), bits);
          const known = told || MESSAGE_SIZES.some(([w, h]) => w === width && h === height);
          const size = known ? 0 : width <= 256 && height <= 256 ? 2 : 4;
          assert.ok(read.start <= 3 + size + header.check / 8);
        },
      ),
    );
  });

  it('at 160×120 the header takes 3 bytes, and a checksum what was asked for', async () => {
    for (const check of MESSAGE_CHECKS) {
      const { bytes } = await one(corpusPicture('scene', { width: 160, height: 120 }), 60, { check });
      assert.equal(readMessage(bytes).start, 3 + check / 8);
      assert.equal(bytes.length, 60);
      if (check === 0) continue;
      bytes[40]! ^= 4;
      await assert.rejects(decodeMessage(bytes, DECODING), { code: 'E_DAMAGED_SEGMENT' });
      await decodeMessage(bytes, { ...DECODING, allowDamaged: true });
    }
  });

  it('whatever the picture: never larger than asked for, and decoded as the encoder says', async () => {
    await assertLimited(
      fc.asyncProperty(pictures, fc.integer({ min: 12, max: 400 }), async (picture, size) => {
        const { bytes, psnr: said } = await one(picture, size);
        assert.ok(bytes.length <= size);
        const shown = await decodeMessage(bytes, DECODING);
        assert.deepEqual(
          [shown.width, shown.height, shown.channels],
          [picture.width, picture.height, picture.channels],
        );
        assert.equal(psnr(shown, { ...picture, depth: 8 }), said);
      }),
      { numRuns: 25 },
    );
  });

  it('a second decoder, written from the description of the format, gives the same pixels', async () => {
    const evaluator = tinyEvaluator();
    await assertLimited(
      fc.asyncProperty(pictures, fc.integer({ min: 12, max: 300 }), fc.boolean(), async (picture, size, sizeIsTold) => {
        const { bytes } = await one(picture, size, { sizeIsTold, effort: 7 });
        const { width, height } = picture;
        for (const length of [bytes.length, Math.floor(0.6 * bytes.length)]) {
          const some = bytes.subarray(0, Math.max(length, 7));
          const { data } = await decodeMessage(some, { ...DECODING, size: { width, height } });
          assert.deepEqual(await secondDecode(some, evaluator, [width, height]), [...data]);
        }
      }),
      { numRuns: 4 },
    );
  });

  it('more ways are never worse, and several sizes are what each is alone', async () => {
    const picture = corpusPicture('scene', { width: 48, height: 40 });
    const one = await encodeMessages(picture, [100], ENCODING);
    const all = await encodeMessages(picture, [200, 100, 100], DECODING);
    const alone = await encodeMessages(picture, [100], DECODING);
    assert.deepEqual(all.slice(1), [alone[0], alone[0]]);
    assert.notEqual(all[1]!.bytes.buffer, all[2]!.bytes.buffer, 'equal sizes share their bytes');
    assert.ok(alone[0]!.psnr >= one[0]!.psnr && all[0]!.psnr > all[1]!.psnr);
  });

  it('every beginning decodes, and the size can be told', async () => {
    const picture = corpusPicture('scene', { width: 50, height: 34 });
    const { bytes } = await one(picture, 90, { sizeIsTold: true });
    const size = { width: 50, height: 34 };
    for (let length = 3; length <= 90; length += 3)
      assert.equal((await decodeMessage(bytes.subarray(0, length), { ...DECODING, size })).data.length, 50 * 34 * 3);
    await assert.rejects(decodeMessage(bytes, DECODING), { code: 'E_USAGE', message: /tell the size/ });
    await assert.rejects(decode(bytes, DECODING), { code: 'E_NOT_DCZ' });
  });

  it('16 bits become 8, and what a message does not have is refused by name', async () => {
    const deep = { width: 9, height: 5, channels: 1 as const, data: new Uint16Array(45).fill(40_000) };
    const { bytes } = await one(deep, 30);
    assert.equal((await decodeMessage(bytes, DECODING)).data.length, 45);
    const refuses = async (picture: object, sizes: unknown, code: string): Promise<void> =>
      assert.rejects(encodeMessages(picture as Picture, sizes as number[], ENCODING), { code });
    await refuses({ width: 2, height: 2, channels: 4, data: new Uint8Array(16) }, [40], 'E_PICTURE');
    await refuses({ width: 513, height: 512, channels: 1, data: new Uint8Array(513 * 512) }, [40], 'E_TOO_LARGE');
    await refuses(deep, [3], 'E_UNREACHABLE');
    await refuses(deep, 40, 'E_USAGE');
    for (const [given, code] of [
      [new Uint8Array(0), 'E_EMPTY'],
      [Uint8Array.of(1, 0), 'E_TRUNCATED'],
      [Uint8Array.of(0x8d, 0x44), 'E_NOT_DCZ'],
      [Uint8Array.of(3, 0x30, 0), 'E_DAMAGED_HEADER'],
      [Uint8Array.of(2, 0, 0, 200, 100, 200, 100), 'E_TOO_LARGE'],
      [Uint8Array.of(3, 0, 0x99), 'E_OTHER_MODEL'],
    ] as const)
      await assert.rejects(decodeMessage(given, DECODING), { code }, code);
  });

  it('a reader may say how many pixels it takes at most', async () => {
    const { bytes } = await one(corpusPicture('scene', { width: 12, height: 10 }), 50);
    assert.equal((await decodeMessage(bytes, { ...DECODING, maxPixels: 120 })).width, 12);
    await assert.rejects(decodeMessage(bytes, { ...DECODING, maxPixels: 119 }), {
      code: 'E_TOO_LARGE',
      message: /12×10 pixels, more than the limit of 119/,
    });
  });

  it('noise of any length is a picture or refused', async () => {
    const { model } = readMessage((await one(corpusPicture('scene', { width: 32, height: 32 }), 40)).bytes).header;
    for (let i = 0; i < 24; i++) {
      const bytes = noise(40 + 9 * i).slice(i);
      bytes.set([3 + (i % 3), hash32(3, i) & 0xcf, parseInt(model, 16)]);
      assert.ok((await decodeMessage(bytes, DECODING)).data.length > 0);
    }
  });
});
