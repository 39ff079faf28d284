/** Metadata of PNG: what is written is read, by sharp too; what is damaged or hostile in it costs nothing but itself. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import type Sharp from 'sharp';
import { exifOfOrientation, orientationOf, tiffOf, withOrientation } from '../formats/exif.js';
import { choosing } from '../formats/metadata.js';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import { readPicture } from '../formats/read.js';
import { checkPicture, MAX_METADATA_BYTES, withDepth, type Metadata, type Picture } from '../src/picture.js';
import { constantPicture, inKind, picturesOfAnyDepth } from './helpers/arbitrary.js';
import { chunk, ihdr, png } from './helpers/make-png.js';
import { emptyProfile } from './helpers/profiles.js';
import { assertLimited } from './helpers/limited.js';

const loaded: typeof Sharp | undefined = await import('sharp').then(
  (module) => module.default,
  () => undefined,
);
const skip = loaded === undefined ? 'sharp does not load on this machine' : false;
const sharp = loaded!;

const full: Metadata = {
  icc: emptyProfile('RGB '),
  orientation: 6,
  density: { x: 11811, y: 5906, unit: 'metre' },
  exif: exifOfOrientation(6),
  xmp: new TextEncoder().encode('<x:xmpmeta xmlns:x="adobe:ns:meta/">ß</x:xmpmeta>'),
  text: [
    { keyword: 'Title', text: 'short\nand Latin: äöü' },
    { keyword: 'Comment', text: 'long '.repeat(500) },
    { keyword: 'Author', text: '作者' },
    { keyword: 'Title', text: 'Bild', language: 'de', translatedKeyword: 'Überschrift' },
    { keyword: 'Long', text: '長'.repeat(2000) },
  ],
};
const grey = new Uint8Array(2);

/** A grey pixel with chunks before it. */
function withChunks(...chunks: Buffer[]): { metadata: Metadata | undefined; notices: string[] } {
  const { picture, notices } = readPng(png(ihdr(1, 1, 8, 0), ...chunks, chunk('IDAT', deflateSync(grey))));
  assert.deepEqual(picture.data, Uint8Array.of(0));
  checkPicture(picture); // what is read can be coded
  return { metadata: picture.metadata, notices };
}

const profileChunk = (profile: Uint8Array): Buffer => chunk('iCCP', Buffer.concat([Buffer.from('name\0\0'), profile]));

describe('metadata of PNG', () => {
  it('what is written is read', () => {
    const picture = { ...constantPicture(3, 2, 3, 9), depth: 8 as const, metadata: full };
    assert.deepEqual(readPng(writePng(picture)), { picture, notices: [], damage: [] });
  });

  it('sharp reads what we write: samples, profile, density, orientation, EXIF and XMP', { skip }, async () => {
    const p3 = (
      await sharp({ create: { width: 1, height: 1, channels: 3, background: 'red' } })
        .withIccProfile('p3')
        .png()
        .toBuffer()
        .then((bytes) => sharp(bytes).metadata())
    ).icc!;
    await assertLimited(
      fc.asyncProperty(picturesOfAnyDepth(20), fc.integer({ min: 1, max: 8 }), async (source, orientation) => {
        const colour = source.channels > 2;
        const metadata: Metadata = {
          ...full,
          orientation,
          exif: withOrientation(full.exif!, orientation),
          ...(colour ? { icc: p3 } : {}),
        };
        if (!colour) delete metadata.icc;
        const bytes = writePng({ ...source, metadata });
        const found = await sharp(bytes).metadata();
        assert.deepEqual([found.width, found.height, found.channels], [source.width, source.height, source.channels]);
        assert.equal(found.depth, source.depth === 16 ? 'ushort' : 'uchar');
        assert.equal(found.orientation, orientation);
        assert.equal(found.density, 300);
        assert.deepEqual(
          found.icc === undefined ? undefined : Uint8Array.from(found.icc),
          colour ? Uint8Array.from(p3) : undefined,
        );
        assert.deepEqual(Uint8Array.from(tiffOf(found.exif!)!), metadata.exif);
        assert.deepEqual(Uint8Array.from(found.xmp!), full.xmp);
        const wide = source.depth === 16;
        const raw = await sharp(bytes, { ignoreIcc: true })
          .toColourspace(wide ? 'rgb16' : 'srgb')
          .raw({ depth: wide ? 'ushort' : 'uchar' })
          .toBuffer();
        const samples = wide ? new Uint16Array(Uint8Array.from(raw).buffer) : Uint8Array.from(raw);
        assert.deepEqual(
          Array.from(samples),
          Array.from(inKind(withDepth(source, wide ? 16 : 8), source.channels % 2 === 0 ? 4 : 3).data),
        );
      }),
      { numRuns: 40 },
    );
  });

  it('orientation alone is a small EXIF, and 1 is none', () => {
    const picture = { ...constantPicture(1, 1, 1, 9), depth: 8 as const };
    for (let orientation = 2; orientation <= 8; orientation++) {
      const { metadata } = readPng(writePng({ ...picture, metadata: { orientation } })).picture;
      assert.deepEqual(metadata, { orientation, exif: exifOfOrientation(orientation) });
    }
    assert.equal(readPng(writePng({ ...picture, metadata: { orientation: 1 } })).picture.metadata, undefined);
    // EXIF that says another is made to say the same.
    const { metadata } = readPng(
      writePng({ ...picture, metadata: { orientation: 3, exif: exifOfOrientation(8) } }),
    ).picture;
    assert.deepEqual(metadata, { orientation: 3, exif: exifOfOrientation(3) });
  });

  it('is kept as the user wishes', async () => {
    const bytes = writePng({ ...constantPicture(1, 1, 3, 9), metadata: full });
    const kept = async (choice: 'all' | 'default' | 'none'): Promise<Metadata | undefined> =>
      (await readPicture(bytes, choice)).picture.metadata;
    assert.deepEqual(await kept('all'), full);
    assert.deepEqual(await kept('default'), { icc: full.icc, orientation: 6, density: full.density });
    assert.equal(await kept('none'), undefined);
    assert.deepEqual((await readPicture(bytes)).picture.metadata, await kept('default'));
    assert.match(
      (await readPicture(bytes, 'none')).notices.join('; '),
      /profile is not kept.*; the orientation is not kept/,
    );
    const bare: Picture = { ...constantPicture(1, 1, 1, 0), metadata: { text: [] } };
    assert.equal(choosing(bare, 'default').picture.metadata, undefined);
  });

  it('that is damaged is left out, with a notice, and the first of two counts', () => {
    const deflated = (content: string | Uint8Array): Buffer => deflateSync(content);
    const cases: [string, Buffer, RegExp][] = [
      ['profile without a name', chunk('iCCP', deflated('x')), /profile is damaged/],
      ['profile that is not deflated', profileChunk(Buffer.from('rubbish')), /profile is damaged/],
      ['profile that is none', profileChunk(deflated('this is no profile'.repeat(20))), /profile is damaged/],
      ['profile for colour', profileChunk(deflated(emptyProfile('RGB '))), /for RGB, does not fit/],
      ['profile for print', profileChunk(deflated(emptyProfile('CMYK'))), /for CMYK, does not fit/],
      ['short density', chunk('pHYs', Buffer.alloc(8)), /density is damaged/],
      ['unit 2', chunk('pHYs', Buffer.of(0, 0, 0, 1, 0, 0, 0, 1, 2)), /density is damaged/],
      ['density of 32 bits', chunk('pHYs', Buffer.of(255, 0, 0, 1, 0, 0, 0, 1, 1)), /density is damaged/],
      ['EXIF that is none', chunk('eXIf', Buffer.from('Exif')), /EXIF data is damaged/],
      ['empty EXIF', chunk('eXIf'), /EXIF data is damaged/],
      ['text without a keyword', chunk('tEXt', Buffer.from('\0text')), /text .* damaged/],
      ['text without an end of its keyword', chunk('tEXt', Buffer.from('text')), /text .* damaged/],
      ['keyword of 80', chunk('tEXt', Buffer.from(`${'k'.repeat(80)}\0text`)), /text .* damaged/],
      ['text with a zero', chunk('tEXt', Buffer.from('k\0te\0xt')), /text .* damaged/],
      ['text that is not deflated', chunk('zTXt', Buffer.from('k\0\0text')), /text .* damaged/],
      ['unknown compression', chunk('zTXt', Buffer.concat([Buffer.from('k\0\x01'), deflated('t')])), /text .* damaged/],
      ['international text of one field', chunk('iTXt', Buffer.from('k\0\0\0')), /text .* damaged/],
      [
        'international text that is not UTF-8',
        chunk('iTXt', Buffer.from([107, 0, 0, 0, 0, 0, 255])),
        /text .* damaged/,
      ],
    ];
    for (const [name, bad, notice] of cases) {
      const { metadata, notices } = withChunks(bad);
      assert.equal(metadata, undefined, name);
      assert.equal(notices.length, 1, name);
      assert.match(notices[0], notice, name);
    }
    const twice = withChunks(
      profileChunk(deflated(emptyProfile('GRAY'))),
      profileChunk(deflated('x')),
      chunk('eXIf', exifOfOrientation(5)),
      chunk('eXIf', exifOfOrientation(6)),
    );
    assert.deepEqual(twice, {
      metadata: { icc: emptyProfile('GRAY'), exif: exifOfOrientation(5), orientation: 5 },
      notices: [],
    });
  });

  it('a bomb in a compressed chunk is refused, without the memory or the time that it asks for', () => {
    const bomb = deflateSync(Buffer.alloc(2 ** 25), { level: 9 }); // 32 kB
    const started = process.cpuUsage();
    const before = process.memoryUsage().rss;
    const chunks = [
      ...Array.from({ length: 200 }, () => chunk('zTXt', Buffer.concat([Buffer.from('k\0\0'), bomb]))),
      ...Array.from({ length: 200 }, () => chunk('iTXt', Buffer.concat([Buffer.from('k\0\x01\0\0\0'), bomb]))),
      profileChunk(bomb),
    ];
    const { metadata, notices } = withChunks(...chunks);
    assert.equal(metadata, undefined);
    assert.equal(notices.length, 2);
    assert.ok(process.cpuUsage(started).user < 10e6);
    assert.ok(process.memoryUsage().rss - before < 2 ** 28);
  });

  it('texts are kept up to a limit in all', () => {
    const entry = (i: number): Buffer => chunk('tEXt', Buffer.from(`k${i}\0${'x'.repeat(2 ** 18)}`));
    const { metadata, notices } = withChunks(...Array.from({ length: 12 }, (_, i) => entry(i)));
    assert.match(notices.join(), /more text than can be kept/);
    const kept = metadata?.text ?? [];
    assert.ok(kept.length > 0 && kept.length < 12);
    assert.ok(kept.reduce((sum, { text }) => sum + 4 * text.length, 0) <= MAX_METADATA_BYTES);
  });

  it('random chunks are read as something that can be coded, or left out', () => {
    const body = fc.uint8Array({ maxLength: 60 });
    const start = fc.constantFrom(
      '',
      'k\0',
      'k\0\0',
      'k\0\0\0\0\0',
      'k\0\x01\0\0\0',
      'XML:com.adobe.xmp\0\0\0\0\0',
      'II*\0\b\0\0\0',
      'MM\0*\0\0\0\b',
    );
    const content = fc
      .tuple(
        start,
        fc.oneof(
          body,
          body.map((b) => deflateSync(b)),
        ),
      )
      .map(([first, rest]) => Buffer.concat([Buffer.from(first, 'latin1'), rest]));
    const any = fc.tuple(
      fc.constantFrom('iCCP', 'pHYs', 'eXIf', 'tEXt', 'zTXt', 'iTXt', 'gAMA', 'cICP', 'sRGB'),
      content,
    );
    assertLimited(
      fc.property(fc.array(any, { maxLength: 5 }), (chunks) => {
        const { metadata } = withChunks(...chunks.map(([name, bytes]) => chunk(name, bytes)));
        // And what was read is written and read again the same.
        if (metadata !== undefined)
          assert.deepEqual(readPng(writePng({ ...constantPicture(1, 1, 1, 0), metadata })).picture.metadata, metadata);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('EXIF', () => {
  it('of both byte orders has its orientation found and changed, and of random bytes nothing', () => {
    const little = Uint8Array.from(
      Buffer.from('49492a000800000001001201030001000000060000000000000000', 'hex').subarray(0, 26),
    );
    for (const exif of [exifOfOrientation(6), little]) {
      assert.equal(orientationOf(exif), 6);
      assert.equal(orientationOf(withOrientation(exif, 3)), 3);
      assert.equal(withOrientation(exif, 3).length, exif.length);
      for (let n = 0; n < exif.length; n++) {
        const cut = exif.subarray(0, n);
        assert.ok([undefined, 6].includes(orientationOf(cut)));
        assert.equal(withOrientation(cut, 3).length, n);
      }
    }
    assert.deepEqual(tiffOf(Buffer.concat([Buffer.from('Exif\0\0'), little])), Buffer.from(little));
    assert.equal(tiffOf(Uint8Array.of(1, 2, 3)), undefined);
    assertLimited(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom('II*\0', 'MM\0*'), (rest, start) => {
        const exif = Buffer.concat([Buffer.from(start, 'latin1'), rest]);
        const found = orientationOf(exif);
        assert.ok(found === undefined || (found >= 1 && found <= 8));
      }),
    );
  });

  it('a directory far outside is none', () => {
    for (const offset of [26, 0xffffffff, 0x7fffffff]) {
      const exif = exifOfOrientation(6);
      new DataView(exif.buffer).setUint32(4, offset);
      assert.equal(orientationOf(exif), undefined);
    }
  });
});
