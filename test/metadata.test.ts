/** Metadata in a file: what is put in comes back, and what is hostile costs nothing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { USUAL_HEADER } from '../corpus/header.js';
import { concat, readContainer, varint, writeHeader } from '../src/container/container.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { metadataOf, partsOf } from '../src/container/metadata.js';
import { PARTS, type Part } from '../src/container/parts.js';
import { checkPicture, MAX_METADATA_BYTES, type Metadata, type Picture } from '../src/picture.js';
import { constantPicture } from './helpers/arbitrary.js';
import { codeOfError } from './helpers/outcome.js';
import { tinyEvaluator } from '../corpus/tiny-model.js';
import { assertLimited } from './helpers/limited.js';

const plainObjects = { noNullPrototype: true, requiredKeys: [] as [] };

const bytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 200 }),
  fc
    .record({ length: fc.integer({ min: 1, max: 100_000 }), value: fc.nat({ max: 255 }) })
    .map(({ length, value }) => new Uint8Array(length).fill(value)),
);
const word = fc
  .array(fc.constantFrom(...'abcXYZ019-+ß'), { minLength: 1, maxLength: 12 })
  .map((letters) => letters.join(''));
const keywords = fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => words.join(' '));
const words = fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => text.replaceAll('\0', ''));
const density = fc.record(
  { x: fc.nat(), y: fc.nat(), unit: fc.constantFrom('metre' as const, 'none' as const) },
  { noNullPrototype: true },
);
const xy = fc.tuple(fc.nat(), fc.nat());
const text = fc.record(
  {
    keyword: keywords,
    text: words,
    language: fc.constantFrom('de', 'en-GB', 'x-i'),
    translatedKeyword: words.filter((each) => each !== ''),
  },
  { noNullPrototype: true, requiredKeys: ['keyword', 'text'] },
);
const metadatas = fc.record(
  {
    icc: bytes,
    orientation: fc.integer({ min: 2, max: 8 }),
    density,
    exif: bytes,
    xmp: bytes,
    text: fc.array(text, { minLength: 1, maxLength: 4 }),
    cicp: fc.record(
      { primaries: fc.integer({ min: 1, max: 255 }), transfer: fc.integer({ min: 1, max: 255 }) },
      { noNullPrototype: true },
    ),
    gamma: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    chromaticities: fc.record({ white: xy, red: xy, green: xy, blue: xy }, { noNullPrototype: true }),
    iptc: bytes,
    modified: fc
      .date({ min: new Date('0000-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true })
      .map((date) => `${date.toISOString().slice(0, 19)}Z`),
  },
  plainObjects,
) as fc.Arbitrary<Metadata>;

/** What a file with these parts says, and what damage is told of. */
function read(parts: readonly Part[]): { metadata: Metadata | undefined; damages: string[] } {
  const file = writeHeader(USUAL_HEADER, parts);
  const damages: string[] = [];
  return { metadata: metadataOf(file, readContainer(file).parts, (message) => damages.push(message)), damages };
}

const packed = (length: number, content: Uint8Array): Uint8Array =>
  concat([Uint8Array.from(varint(length)), deflateRawSync(content)]);

describe('metadata', () => {
  it('comes back as it was', () => {
    assertLimited(
      fc.property(metadatas, (metadata) => {
        checkPicture({ width: 1, height: 1, channels: 1, data: new Uint8Array(1), metadata });
        const expected = Object.keys(metadata).length === 0 ? undefined : metadata;
        assert.deepEqual(read(partsOf(metadata)), { metadata: expected, damages: [] });
      }),
    );
  });

  it('comes back as it was at its largest', () => {
    const noise = new Uint8Array(MAX_METADATA_BYTES);
    for (let i = 0; i < noise.length; i++) noise[i] = Math.imul(i, 0x9e3779b1) >>> 19;
    const text = [{ keyword: 'k', text: '€'.repeat(MAX_METADATA_BYTES / 4 - 5) }];
    assert.deepEqual(read(partsOf({ exif: noise, text })), { metadata: { exif: noise, text }, damages: [] });
  });

  it('that says nothing takes no byte', () => {
    for (const metadata of [{}, { orientation: 1 }, { icc: new Uint8Array(0), text: [] }])
      assert.deepEqual(partsOf(metadata), []);
    assert.equal(read([]).metadata, undefined);
  });

  it('goes through the codec beside the picture, and does not change it', async () => {
    const evaluator = tinyEvaluator();
    const picture = constantPicture(9, 7, 4, 77);
    const metadata: Metadata = {
      icc: Uint8Array.of(1, 2, 3),
      orientation: 6,
      density: { x: 2835, y: 2836, unit: 'metre' },
      text: [{ keyword: 'Title', text: 'Ein Bild' }],
    };
    const target = { quality: 50 };
    const { bytes: file } = await encodePicture({ ...picture, metadata }, evaluator, {
      target,
      plain: false,
      effort: 1,
    });
    const without = await encodePicture(picture, evaluator, { target, plain: false, effort: 1 });
    const back = await decodePicture(file, evaluator);
    assert.deepEqual(back.metadata, metadata);
    assert.deepEqual(back.data, (await decodePicture(without.bytes, evaluator)).data);
    assert.equal((await decodePicture(without.bytes, evaluator)).metadata, undefined);
    assert.equal(
      await codeOfError(() => encodePicture({ ...picture, metadata }, evaluator, { target: { size: 60 } })),
      'E_UNREACHABLE',
    );
  });

  it('that the format cannot hold is refused', async () => {
    const wrong: Record<string, unknown> = {
      'icc of another type': { icc: [1, 2] },
      'too long exif': { exif: new Uint8Array(MAX_METADATA_BYTES + 1) },
      'orientation 0': { orientation: 0 },
      'orientation 9': { orientation: 9 },
      'orientation 1.5': { orientation: 1.5 },
      'negative density': { density: { x: -1, y: 1, unit: 'metre' } },
      'fractional density': { density: { x: 1, y: 1.5, unit: 'metre' } },
      'unknown unit': { density: { x: 1, y: 1, unit: 'inch' } },
      'code point 0': { cicp: { primaries: 0, transfer: 13 } },
      'code points that are missing': { cicp: {} },
      'gamma 0': { gamma: 0 },
      'fractional gamma': { gamma: 0.45 },
      'chromaticities without a white': { chromaticities: { red: [1, 2], green: [1, 2], blue: [1, 2] } },
      'chromaticities of fractions': {
        chromaticities: { white: [0.3, 0.3], red: [1, 2], green: [1, 2], blue: [1, 2] },
      },
      'iptc of another type': { iptc: 'x' },
      'time of another form': { modified: '28 Nov 2026' },
      'month 13': { modified: '2026-13-01T00:00:00Z' },
      'text that is no list': { text: 'Title' },
      'empty keyword': { text: [{ keyword: '', text: '' }] },
      'keyword of 80 characters': { text: [{ keyword: 'k'.repeat(80), text: '' }] },
      'keyword with two spaces': { text: [{ keyword: 'a  b', text: '' }] },
      'keyword beyond Latin-1': { text: [{ keyword: '€', text: '' }] },
      'text with a zero': { text: [{ keyword: 'k', text: 'a\0b' }] },
      'language that is none': { text: [{ keyword: 'k', text: '', language: 'de AT' }] },
      'too long a text': { text: [{ keyword: 'k', text: 'x'.repeat(MAX_METADATA_BYTES / 4) }] },
    };
    for (const [name, metadata] of Object.entries(wrong)) {
      const picture = { ...constantPicture(1, 1, 1, 0), metadata } as Picture;
      assert.equal(await codeOfError(() => checkPicture(picture)), 'E_PICTURE', name);
    }
  });

  it('a part that is not what its type says is damage, and the others are read', () => {
    const good: Part = { type: PARTS.orientation, payload: Uint8Array.of(3) };
    const utf8 = (...fields: string[]): Uint8Array =>
      concat(fields.flatMap((field) => [Uint8Array.from(varint(Buffer.byteLength(field))), Buffer.from(field)]));
    const bad: Record<string, Part> = {
      'orientation 0': { type: PARTS.orientation, payload: Uint8Array.of(0) },
      'orientation of two bytes': { type: PARTS.orientation, payload: Uint8Array.of(1, 1) },
      'short density': { type: PARTS.density, payload: new Uint8Array(8) },
      'unknown unit': { type: PARTS.density, payload: new Uint8Array(9).fill(2) },
      'density of 32 bits': { type: PARTS.density, payload: Uint8Array.of(0, 0, 0, 128, 1, 0, 0, 0, 1) },
      'colour space of one byte': { type: PARTS.cicp, payload: Uint8Array.of(9) },
      'colour space 0': { type: PARTS.cicp, payload: Uint8Array.of(9, 0) },
      'no gamma': { type: PARTS.gamma, payload: Uint8Array.of(0) },
      'gamma with more behind': { type: PARTS.gamma, payload: Uint8Array.of(5, 5) },
      'seven chromaticities': { type: PARTS.chromaticities, payload: new Uint8Array(7) },
      'short time': { type: PARTS.modified, payload: Uint8Array.of(234, 7, 11, 28, 6, 41) },
      'hour 24': { type: PARTS.modified, payload: Uint8Array.of(234, 7, 11, 28, 24, 41, 0) },
      'empty profile': { type: PARTS.icc, payload: new Uint8Array(0) },
      'profile that is not deflated': { type: PARTS.icc, payload: Uint8Array.of(3, 255, 255, 255) },
      'profile without an end': { type: PARTS.icc, payload: packed(1000, new Uint8Array(1000)).subarray(0, 6) },
      'more than stated': { type: PARTS.exif, payload: packed(9, new Uint8Array(10)) },
      'less than stated': { type: PARTS.exif, payload: packed(11, new Uint8Array(10)) },
      'more stated than may be': { type: PARTS.xmp, payload: packed(MAX_METADATA_BYTES + 1, new Uint8Array(10)) },
      'text that ends early': { type: PARTS.text, payload: packed(2, Uint8Array.of(5, 65)) },
      'text of three fields': { type: PARTS.text, payload: packed(6, utf8('a', 'b', '').subarray(0, 6)) },
      'text that is not UTF-8': { type: PARTS.text, payload: packed(6, Uint8Array.of(1, 65, 1, 255, 0, 0)) },
      'text with a keyword that is none': {
        type: PARTS.text,
        payload: packed(utf8(' ', 'b', '', '').length, utf8(' ', 'b', '', '')),
      },
    };
    for (const [name, part] of Object.entries(bad)) {
      const parts = part.type === good.type ? [part] : [part, good];
      const { metadata, damages } = read(parts);
      assert.equal(damages.length, 1, name);
      assert.match(damages[0]!, /^the part "\w+" \(type \d+, byte offset \d+\) is damaged: /, name);
      assert.deepEqual(metadata, parts.length === 1 ? undefined : { orientation: 3 }, name);
    }
  });

  it('a deflate bomb is stopped early, whatever length it states', () => {
    // 4 GiB of zeros from 4 MiB: a block of 512 kB that is repeated.
    const block = deflateRawSync(new Uint8Array(1 << 19), { finishFlush: 2 /* Z_SYNC_FLUSH */ });
    const bomb = concat(Array.from({ length: 8192 }, () => block));
    assert.ok(bomb.length < 2 ** 23);
    for (const length of [10, MAX_METADATA_BYTES]) {
      const before = process.memoryUsage();
      const started = process.cpuUsage();
      const { metadata, damages } = read([
        { type: PARTS.icc, payload: concat([Uint8Array.from(varint(length)), bomb]) },
      ]);
      assert.equal(metadata, undefined);
      assert.match(damages.join(), /more than it states/);
      assert.ok(process.memoryUsage().rss - before.rss < 2 ** 27, 'memory');
      assert.ok(process.cpuUsage(started).user < 10e6, 'time');
    }
  });

  it('any payload is read or told to be damaged', () => {
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.uint8Array({ maxLength: 60 }).map((raw) => packed(raw.length, raw)),
    );
    assertLimited(
      fc.property(
        fc.array(fc.record({ type: fc.constantFrom(1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12), payload: content }), {
          maxLength: 4,
        }),
        (parts) => {
          const { metadata, damages } = read(parts);
          assert.ok(damages.length <= parts.length);
          if (metadata !== undefined) checkPicture({ ...constantPicture(1, 1, 1, 0), metadata });
        },
      ),
      { numRuns: 1000 },
    );
  });
});
