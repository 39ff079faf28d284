/** Metadata of files that are not PNG, and of PNG in texts: read as what they are, written as they are, dropped with a word. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import type Sharp from 'sharp';
import {
  exifDensity,
  exifOf,
  exifOfOrientation,
  isAdobeRgb,
  orientationOf,
  saysMore,
  withOrientation,
} from '../formats/exif.js';
import { profileOf } from '../formats/icc.js';
import { iptcOf, photoshopOf } from '../formats/iptc.js';
import { choosing } from '../formats/metadata.js';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import { readPicture } from '../formats/read.js';
import { writePicture } from '../formats/write.js';
import { corpusPicture } from '../corpus/pictures.js';
import { psnr } from '../src/index.js';
import type { Density, Metadata, Picture } from '../src/picture.js';
import { constantPicture } from './helpers/arbitrary.js';
import { chunk, ihdr, png, rows } from './helpers/make-png.js';
import { emptyProfile } from './helpers/profiles.js';
import { ascii, makeTiff, short } from './helpers/make-tiff.js';

const loaded: typeof Sharp | undefined = await import('sharp').then(
  (module) => module.default,
  () => undefined,
);
const skip = loaded === undefined ? 'sharp does not load on this machine' : false;
const sharp = loaded!;

const SIZE = { width: 24, height: 16 };
const source = corpusPicture('scene', SIZE);
const xmp = new TextEncoder().encode('<x:xmpmeta xmlns:x="adobe:ns:meta/">ß</x:xmpmeta>');
const iptc = Uint8Array.of(0x1c, 2, 5, 0, 3, 65, 66, 67);
/** EXIF of a maker and a model, little-endian, without an orientation or a density. */
const exif = (() => {
  const tiff = makeTiff([
    { ...{ width: 1, height: 1, bits: 8, samples: 1 }, data: Uint8Array.of(0), fields: [ascii(271, 'maker')] },
  ]);
  return Uint8Array.from(tiff);
})();

const read = async (bytes: Uint8Array): Promise<Metadata | undefined> =>
  (await readPicture(bytes, 'all')).picture.metadata;

/** A segment of JPEG behind its first marker. */
function withSegment(jpeg: Uint8Array, marker: number, body: Uint8Array): Buffer {
  const head = Buffer.from([0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 255]);
  return Buffer.concat([jpeg.subarray(0, 2), head, body, jpeg.subarray(2)]);
}

const jpeg = async (): Promise<Buffer> => Buffer.from((await writePicture(source, 'jpeg')).bytes);

describe('metadata of files', { skip }, () => {
  it('of JPEG, WebP, AVIF and TIFF come back as they were, as far as the format has them, and what has not is said', async () => {
    const full: Metadata = {
      icc: profileOf({ gamma: 55556 }, false)!,
      orientation: 6,
      density: { x: 11811, y: 5906, unit: 'metre' },
      exif,
      xmp,
      iptc,
      text: [
        { keyword: 'Comment', text: 'Grüße' },
        { keyword: 'Author', text: 'me' },
        { keyword: 'Other', text: 'x' },
      ],
      modified: '2026-11-28T06:41:00Z',
    };
    const turned = withOrientation(exif, 6);
    const { icc, density } = full;
    const said: [Parameters<typeof writePicture>[1], Metadata, RegExp[]][] = [
      ['png', { ...full, exif: turned }, []],
      [
        'jpeg',
        { icc, orientation: 6, density, exif: turned, xmp, iptc, text: full.text!.slice(0, 1) },
        [/time/, /texts other than the comment/],
      ],
      [
        'webp',
        { icc, orientation: 6, density, exif: withOrientation(exifOf(exif, undefined, density)!, 6), xmp },
        [/time/, /IPTC/, /texts/],
      ],
      // An AVIF is seen turned, and so its densities are.
      [
        'avif',
        { icc, density: { x: 5906, y: 11811, unit: 'metre' }, exif: exifOf(exif, 1, density)!, xmp },
        [/time/, /IPTC/, /texts/],
      ],
      [
        'tiff',
        { icc, orientation: 6, density, xmp, iptc, text: full.text!.slice(1, 2) },
        [/time/, /EXIF/, /texts other than/],
      ],
    ];
    for (const [format, expected, notices] of said) {
      const written = await writePicture({ ...source, metadata: full }, format);
      assert.equal(written.notices.length, notices.length, `${format}: ${written.notices.join('; ')}`);
      notices.forEach((notice, i) => assert.match(written.notices[i], notice));
      assert.deepEqual(await read(written.bytes), expected, format);
      // And another implementation finds them.
      const found = await sharp(written.bytes).metadata();
      assert.deepEqual(Uint8Array.from(found.xmp!), xmp, format);
      assert.deepEqual(Uint8Array.from(found.icc!), full.icc, format);
      if (format !== 'avif') assert.equal(found.orientation, 6, format);
      if (format === 'jpeg' || format === 'tiff' || format === 'png') assert.equal(found.density, 300, format);
      if (format === 'jpeg') assert.deepEqual(iptcOf(found.iptc!), iptc);
    }
  });

  it('that nobody gave are in no file', async () => {
    for (const format of ['jpeg', 'webp', 'avif', 'tiff', 'png'] as const) {
      const { bytes, notices } = await writePicture(source, format);
      assert.deepEqual(notices, []);
      assert.equal(await read(bytes), undefined, format);
      const { exif: found, icc, xmp: packet, iptc: records, resolutionUnit } = await sharp(bytes).metadata();
      assert.deepEqual(
        [found, icc, packet, records, resolutionUnit],
        [undefined, undefined, undefined, undefined, undefined],
        format,
      );
    }
  });

  it('density: x and y apart, in inches, centimetres and as a shape, and none where none is said', async () => {
    const said: [Density | undefined, number[]][] = [
      [{ x: 11811, y: 5906, unit: 'metre' }, [1, 1, 44, 0, 150]],
      [{ x: 3900, y: 7800, unit: 'metre' }, [2, 0, 39, 0, 78]],
      [{ x: 4, y: 3, unit: 'none' }, [0, 0, 4, 0, 3]],
      [undefined, [0, 0, 1, 0, 1]],
      [undefined, [0, 0, 0, 0, 0]],
    ];
    for (const [density, field] of said) {
      const file = await jpeg();
      file.set(field, file.indexOf('JFIF') + 7);
      assert.deepEqual((await read(file))?.density, density, field.join());
      if (density === undefined) continue;
      const written = Buffer.from((await writePicture({ ...source, metadata: { density } }, 'jpeg')).bytes);
      const at = written.indexOf('JFIF') + 7;
      assert.deepEqual([...written.subarray(at, at + 5)], field);
      for (const format of ['jpeg', 'tiff', 'webp', 'avif', 'png'] as const)
        assert.deepEqual(
          (await read((await writePicture({ ...source, metadata: { density } }, format)).bytes))?.density,
          density,
          format,
        );
    }
  });

  it('orientation that EXIF does not say is put into it, and 1 is no metadata', async () => {
    for (const format of ['png', 'jpeg', 'webp'] as const) {
      for (const orientation of [2, 8]) {
        const { bytes } = await writePicture({ ...source, metadata: { orientation, exif } }, format);
        assert.equal((await sharp(bytes).metadata()).orientation, orientation, format);
        assert.equal((await read(bytes))?.orientation, orientation, format);
      }
      const { bytes } = await writePicture({ ...source, metadata: { orientation: 1 } }, format);
      assert.equal((await read(bytes))?.orientation ?? 1, 1, format);
    }
  });

  it('comments of JPEG, in UTF-8 and Latin-1, and of GIF are texts', async () => {
    for (const [body, text] of [
      [Buffer.from('Grüße'), 'Grüße'],
      [Buffer.from('Grüße', 'latin1'), 'Grüße'],
    ] as const)
      assert.deepEqual((await read(withSegment(await jpeg(), 0xfe, body)))?.text, [{ keyword: 'Comment', text }]);
    const gif = await sharp(source.data as Uint8Array, { raw: { ...SIZE, channels: 3 } })
      .gif()
      .toBuffer();
    const end = gif.length - 1; // the mark of the end
    const comment = Buffer.from([0x21, 0xfe, 2, 104, 101, 3, 108, 108, 111, 0]);
    assert.deepEqual(await read(Buffer.concat([gif.subarray(0, end), comment, gif.subarray(end)])), {
      text: [{ keyword: 'Comment', text: 'hello' }],
    });
  });

  it('Adobe RGB of a camera, which EXIF alone says, is kept; a gain map that is lost is told of', async () => {
    // EXIF that points to a directory that points to one with the index R03.
    const at = { exif: 8 + 2 + 12 + 4, interoperability: 8 + 2 * (2 + 12 + 4) };
    const body = Buffer.alloc(at.interoperability + 2 + 12 + 4);
    body.write('MM\0*\0\0\0\b', 'latin1');
    for (const [where, tag, type, count, value] of [
      [8, 0x8769, 4, 1, at.exif],
      [at.exif, 0xa005, 4, 1, at.interoperability],
      [at.interoperability, 1, 2, 4, 0x52303300],
    ]) {
      body.writeUInt16BE(1, where);
      body.writeUInt16BE(tag, where + 2);
      body.writeUInt16BE(type, where + 4);
      body.writeUInt32BE(count, where + 6);
      body.writeUInt32BE(value, where + 10);
    }
    assert.ok(isAdobeRgb(body) && !isAdobeRgb(exif));
    const camera = withSegment(await jpeg(), 0xe1, Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), body]));
    const { picture } = await readPicture(camera);
    assert.equal(picture.metadata?.gamma, 45471);
    assert.deepEqual(picture.metadata?.chromaticities?.green, [21000, 71000]);
    const hdr = withSegment(
      await jpeg(),
      0xe1,
      Buffer.from('http://ns.adobe.com/xap/1.0/\0<x hdrgm:Version="1.0"/>', 'latin1'),
    );
    assert.match((await readPicture(hdr)).notices.join(), /gain map/);
  });

  it('of a JPEG that are too long for a segment are left out, with a notice', async () => {
    const { bytes, notices } = await writePicture(
      {
        ...source,
        metadata: {
          xmp: new Uint8Array(70000).fill(32),
          icc: new Uint8Array([...emptyProfile('RGB '), ...new Uint8Array(150000)]),
        },
      },
      'jpeg',
    );
    assert.match(notices.join(), /XMP data that are longer/);
    assert.equal((await sharp(bytes).metadata()).icc?.length, 150132);
  });

  it('a damaged JPEG is an error, and read as far as it goes where damage is allowed', async () => {
    const large = { width: 96, height: 64 };
    const scene = corpusPicture('scene', large);
    for (const progressive of [false, true]) {
      const raw = sharp(scene.data as Uint8Array, { raw: { ...large, channels: 3 } });
      const whole = await raw.jpeg({ progressive }).toBuffer();
      const cut = whole.subarray(0, Math.round(0.8 * whole.length));
      await assert.rejects(readPicture(cut), /cannot be read/);
      const { picture, damage } = await readPicture(cut, 'all', undefined, true);
      assert.deepEqual([picture.width, picture.height, damage.length], [96, 64, 1]);
      const { picture: intact, damage: none } = await readPicture(whole, 'all', undefined, true);
      assert.deepEqual(none, []);
      const top = (p: Picture): Picture => ({ ...p, height: 24, data: p.data.slice(0, 24 * 96 * 3) });
      assert.ok(psnr(top(intact), top(picture)) > 20, `${psnr(top(intact), top(picture))} dB`);
    }
  });

  it('a JPEG whose header says more than its data holds is an error, and told of where damage is allowed', async () => {
    for (const progressive of [false, true]) {
      const raw = sharp(new Uint8Array(16 * 16 * 3).fill(90), { raw: { width: 16, height: 16, channels: 3 } });
      const bytes = await raw.jpeg({ progressive }).toBuffer();
      let at = 2;
      while (bytes[at + 1] !== (progressive ? 0xc2 : 0xc0)) at += 2 + bytes.readUInt16BE(at + 2);
      assert.deepEqual((await readPicture(bytes)).notices, []);
      for (const side of [32, 2000]) {
        bytes.writeUInt16BE(side, at + 5);
        bytes.writeUInt16BE(side, at + 7);
        await assert.rejects(readPicture(bytes), /premature end of data.*--allow-damaged/);
        const { picture, damage } = await readPicture(bytes, 'all', undefined, true);
        assert.deepEqual([picture.width, damage.length], [side, 1]);
      }
    }
    // What is too much between two markers costs nothing.
    const whole = await sharp(new Uint8Array(300).fill(90), { raw: { width: 10, height: 10, channels: 3 } })
      .jpeg()
      .toBuffer();
    const { notices } = await readPicture(Buffer.concat([whole.subarray(0, -2), Buffer.of(1, 2), whole.subarray(-2)]));
    assert.ok(notices.every((notice) => /extraneous/.test(notice)));
  });

  it('larger than the limit a file of any format is refused by its header', async () => {
    for (const format of ['png', 'jpeg', 'webp', 'avif', 'tiff'] as const) {
      const { bytes } = await writePicture(source, format);
      await assert.rejects(readPicture(bytes, 'all', 24 * 16 - 1), /24×16 = 384 pixels, more than the limit of 383/);
      assert.equal((await readPicture(bytes, 'all', 24 * 16)).picture.width, 24);
    }
  });
});

const HEX = (bytes: Uint8Array): string =>
  (
    Buffer.from(bytes)
      .toString('hex')
      .match(/.{1,72}/g) ?? []
  ).join('\n');
const rawProfile = (type: string, bytes: Uint8Array, length = bytes.length): Buffer =>
  chunk(
    'zTXt',
    Buffer.concat([
      Buffer.from(`Raw profile type ${type}\0\0`),
      deflateSync(`\n${type}\n${String(length).padStart(8)}\n${HEX(bytes)}\n`),
    ]),
  );
const ofPng = (...chunks: Buffer[]): Metadata | undefined => {
  const { picture, notices } = readPng(
    png(ihdr(1, 1, 8, 2), ...chunks, chunk('IDAT', deflateSync(rows(1, 1, 3, 8, [1, 2, 3])))),
  );
  assert.deepEqual(notices, []);
  return picture.metadata;
};

describe('raw profiles in texts of PNG', () => {
  const marked = (bytes: Uint8Array): Buffer => Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), bytes]);

  it('are read as what they are: EXIF, XMP, IPTC, ICC', () => {
    assert.deepEqual(ofPng(rawProfile('exif', marked(exifOfOrientation(6)))), {
      exif: exifOfOrientation(6),
      orientation: 6,
    });
    assert.deepEqual(ofPng(rawProfile('APP1', marked(exif))), { exif });
    assert.deepEqual(ofPng(rawProfile('APP1', Buffer.concat([Buffer.from('http://ns.adobe.com/xap/1.0/\0'), xmp]))), {
      xmp,
    });
    assert.deepEqual(ofPng(rawProfile('xmp', xmp)), { xmp });
    assert.deepEqual(ofPng(rawProfile('icc', emptyProfile('RGB '))), { icc: emptyProfile('RGB ') });
    for (const type of ['iptc', '8bim']) {
      assert.deepEqual(ofPng(rawProfile(type, photoshopOf(iptc, false))), { iptc });
      assert.deepEqual(ofPng(rawProfile(type, iptc)), { iptc });
    }
  });

  it('count behind chunks of their own, and what is none stays a text', () => {
    assert.deepEqual(ofPng(rawProfile('exif', marked(exifOfOrientation(6))), chunk('eXIf', exifOfOrientation(3))), {
      exif: exifOfOrientation(3),
      orientation: 3,
    });
    for (const text of [rawProfile('exif', marked(exif), 5), rawProfile('other', exif), rawProfile('exif', xmp)])
      assert.equal(ofPng(text)?.text?.length, 1);
  });

  it('IPTC is written so, and the time of the last change as tIME', () => {
    const metadata: Metadata = { iptc, modified: '2026-11-28T06:41:59Z' };
    const bytes = Buffer.from(writePng({ ...constantPicture(1, 1, 3, 9), metadata }));
    assert.ok(
      bytes.includes('Raw profile type iptc') && bytes.includes(chunk('tIME', Buffer.of(7, 234, 11, 28, 6, 41, 59))),
    );
    assert.deepEqual(readPng(bytes).picture.metadata, metadata);
  });
});

describe('what is dropped', () => {
  const noticesOf = (metadata: Metadata, choice: 'default' | 'none'): string[] => {
    const picture: Picture = { ...constantPicture(1, 1, 3, 9), metadata };
    return choosing(picture, choice).notices;
  };

  it('is said in one line, with the option that keeps it', () => {
    assert.deepEqual(noticesOf({ exif }, 'default'), ['EXIF is not kept; --metadata all keeps all']);
    assert.deepEqual(
      noticesOf({ exif, xmp, iptc, text: [{ keyword: 'k', text: '' }], modified: '2026-11-28T06:41:59Z' }, 'default'),
      ['EXIF, XMP, IPTC, texts, the time of the last change are not kept; --metadata all keeps all'],
    );
    // EXIF of the orientation alone is no loss.
    assert.ok(saysMore(exif) && !saysMore(exifOfOrientation(6)));
    assert.deepEqual(
      noticesOf({ exif: exifOfOrientation(6), orientation: 6, density: { x: 1, y: 2, unit: 'none' } }, 'default'),
      [],
    );
  });

  it('is told of colour and orientation where nothing is kept', () => {
    assert.match(
      noticesOf({ cicp: { primaries: 9, transfer: 16 } }, 'none').join(),
      /colour space \(BT\.2020, PQ\) is not kept/,
    );
    assert.match(noticesOf({ gamma: 100000 }, 'none').join(), /gamma \(1\.000\) is not kept/);
    assert.match(
      noticesOf({ icc: emptyProfile('RGB '), orientation: 3 }, 'none').join(),
      /colour profile is not kept.*orientation is not kept/,
    );
  });
});

describe('EXIF and IPTC', () => {
  it('an entry more leaves what was there, in both byte orders', () => {
    assert.equal(orientationOf(withOrientation(exif, 7)), 7);
    const both = exifOf(exif, 7, { x: 100, y: 200, unit: 'none' })!;
    assert.deepEqual([orientationOf(both), exifDensity(both)], [7, { x: 100, y: 200, unit: 'none' }]);
    assert.ok(Buffer.from(both).includes('maker'));
    const big = exifOf(undefined, 3, { x: 11811, y: 11811, unit: 'metre' })!;
    assert.deepEqual([orientationOf(big), exifDensity(big)], [3, { x: 11811, y: 11811, unit: 'metre' }]);
    // One that says a density keeps it.
    const tiff = Uint8Array.from(
      makeTiff([
        {
          width: 1,
          height: 1,
          bits: 8,
          samples: 1,
          data: Uint8Array.of(0),
          fields: [{ tag: 282, type: 5, values: [72, 1] }, { tag: 283, type: 5, values: [72, 1] }, short(296, 2)],
        },
      ]),
    );
    assert.deepEqual(exifOf(tiff, undefined, { x: 1, y: 2, unit: 'metre' }), tiff);
    for (let n = 0; n < exif.length; n++) withOrientation(exif.subarray(0, n), 5);
  });

  it('IPTC is found in its wrapping and out of it, and nothing in other bytes', () => {
    for (const wrapped of [iptc, photoshopOf(iptc, false), photoshopOf(iptc, true), Uint8Array.of(...iptc, 0, 0)])
      assert.deepEqual(iptcOf(wrapped), iptc);
    const whole = photoshopOf(iptc, true);
    for (let n = 0; n < whole.length; n++) iptcOf(whole.subarray(0, n));
    for (const none of [new Uint8Array(0), Buffer.from('8BIM'), Buffer.from('some other bytes, and more of them')])
      assert.equal(iptcOf(none), undefined);
  });
});
