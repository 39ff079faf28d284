import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { PNG } from 'pngjs';
import type Sharp from 'sharp';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import { CORPUS, corpusPicture } from '../corpus/pictures.js';
import { DcompError, type DcompErrorCode } from '../src/errors.js';
import { depthOf, MAX_PIXELS, MAX_SIDE, withDepth, type Channels, type Picture } from '../src/picture.js';
import { picturesOfAnyDepth } from './helpers/arbitrary.js';
import { chunk, ihdr, png, rows, SAMPLES } from './helpers/make-png.js';
import { assertLimited } from './helpers/limited.js';

/** sharp is another implementation to compare with; it has native code that some machines cannot load. */
const loaded: typeof Sharp | undefined = await import('sharp').then(
  (module) => module.default,
  () => undefined,
);

function itWithSharp(promise: string, test: (sharp: typeof Sharp) => Promise<void>): void {
  it(promise, { skip: loaded === undefined ? 'sharp does not load on this machine' : false }, async () => {
    if (loaded !== undefined) await test(loaded);
  });
}

const COLOUR_TYPE = { 1: 0, 2: 4, 3: 2, 4: 6 } as const;

function toRgba({ channels, data }: Picture): Uint8Array {
  const out = new Uint8Array((data.length / channels) * 4);
  for (let i = 0, k = 0; k < out.length; i += channels, k += 4) {
    for (let c = 0; c < 3; c++) out[k + c] = data[channels < 3 ? i : i + c];
    out[k + 3] = channels % 2 === 0 ? data[i + channels - 1] : 255;
  }
  return out;
}

function samplesOf(count: number, depth: number): number[] {
  return Array.from({ length: count }, (_, i) => (i * 40503 + (i >> 3) * 977) % 2 ** depth);
}

function fails(bytes: Uint8Array, code: DcompErrorCode, message?: RegExp): void {
  assert.throws(
    () => readPng(bytes),
    (error: unknown) => {
      assert.ok(error instanceof DcompError, `not a DcompError: ${String(error)}`);
      assert.equal(error.code, code, error.message);
      if (message !== undefined) assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    },
  );
}

const pictures = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), fc.constantFrom<Channels>(1, 2, 3, 4))
  .chain(([width, height, channels]) =>
    fc
      .uint8Array({ minLength: width * height * channels, maxLength: width * height * channels })
      .map((data): Picture => ({ width, height, channels, data })),
  );

describe('PNG', () => {
  it('what is written is read back the same', () => {
    assertLimited(
      fc.property(pictures, (picture) =>
        assert.deepEqual(readPng(writePng(picture)), { picture: { ...picture, depth: 8 }, notices: [], damage: [] }),
      ),
    );
    assertLimited(
      fc.property(picturesOfAnyDepth(40), (picture) =>
        assert.deepEqual(readPng(writePng(picture)), {
          picture: { ...picture, depth: depthOf(picture) },
          notices: [],
          damage: [],
        }),
      ),
    );
  });

  it('the test pictures come through a file unchanged', () => {
    for (const { name } of CORPUS)
      assert.deepEqual(readPng(writePng(corpusPicture(name))).picture, { ...corpusPicture(name), depth: 8 }, name);
  });

  itWithSharp('sharp reads what we write, with the same pixels', async (sharp) => {
    for (const { name } of CORPUS) {
      const picture = corpusPicture(name);
      const { width, height, channels } = await sharp(writePng(picture)).metadata();
      assert.deepEqual(
        { width, height, channels },
        { width: picture.width, height: picture.height, channels: picture.channels },
        name,
      );
      const rgba = await sharp(writePng(picture)).toColourspace('srgb').ensureAlpha().raw().toBuffer();
      assert.ok(Buffer.compare(rgba, toRgba(picture)) === 0, `${name}: other pixels`);
    }
  });

  itWithSharp('reads what sharp writes: every kind, plain and interlaced', async (sharp) => {
    for (const channels of [1, 2, 3, 4] as const) {
      for (const progressive of [false, true]) {
        for (const [width, height] of [
          [1, 1],
          [2, 5],
          [9, 3],
          [37, 41],
        ]) {
          const data = Uint8Array.from(samplesOf(width * height * channels, 8));
          const raw = sharp(data, { raw: { width, height, channels } });
          const bytes = await (channels < 3 ? raw.toColourspace('b-w') : raw)
            .png({ progressive, adaptiveFiltering: true })
            .toBuffer();
          const { metadata: _density, ...picture } = readPng(bytes).picture;
          assert.deepEqual(
            picture,
            { width, height, channels, depth: 8, data },
            `${width}×${height}×${channels} ${progressive}`,
          );
        }
      }
    }
  });

  itWithSharp('reads palettes of sharp, with and without alpha, at every bit depth', async (sharp) => {
    for (const channels of [3, 4] as const) {
      for (const [colours, progressive] of [2, 4, 16, 256].flatMap((n): [number, boolean][] => [
        [n, false],
        [n, true],
      ])) {
        const source = corpusPicture(channels === 3 ? 'gradient' : 'rgba-balls', { width: 31, height: 29 });
        const raw = sharp(source.data, { raw: { width: 31, height: 29, channels } });
        const bytes = await raw.png({ palette: true, colours, progressive, dither: 0 }).toBuffer();
        const { picture } = readPng(bytes);
        const expected = await sharp(bytes).toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
        assert.equal(picture.channels, expected.info.channels);
        assert.ok(
          Buffer.compare(expected.data, Uint8Array.from(picture.data)) === 0,
          `${channels} channels, ${colours} colours`,
        );
      }
    }
  });

  it('agrees with pngjs on every colour type and bit depth', () => {
    const kinds: [number, number][] = [0, 2, 3, 4, 6].flatMap((type) =>
      (type === 0 ? [1, 2, 4, 8, 16] : type === 3 ? [1, 2, 4, 8] : [8, 16]).map((depth): [number, number] => [
        type,
        depth,
      ]),
    );
    for (const [type, depth] of kinds) {
      for (const [width, height] of [
        [1, 1],
        [7, 3],
        [13, 11],
      ]) {
        const samples = samplesOf(width * height * SAMPLES[type], depth);
        const palette = Buffer.from(samplesOf(3 * 2 ** Math.min(depth, 8), 8));
        const chunks = [ihdr(width, height, depth, type), ...(type === 3 ? [chunk('PLTE', palette)] : [])];
        const bytes = png(...chunks, chunk('IDAT', deflateSync(rows(width, height, SAMPLES[type], depth, samples))));
        const { picture } = readPng(bytes);
        assert.equal(picture.depth, type === 3 ? 8 : depth);
        picture.data = withDepth(picture, 8).data; // pngjs has 8 bits alone
        const rgba = PNG.sync.read(bytes).data;
        for (let i = 0; i < width * height; i++) {
          const own = [...picture.data.subarray(i * picture.channels, (i + 1) * picture.channels)];
          const [r, g, b, a] = rgba.subarray(4 * i, 4 * i + 4);
          const expected = { 1: [r], 2: [r, a], 3: [r, g, b], 4: [r, g, b, a] }[picture.channels];
          assert.deepEqual(own, expected, `type ${type}, depth ${depth}, ${width}×${height}, pixel ${i}`);
        }
      }
    }
  });

  it('keeps 16 bits as they are; elsewhere they can be rounded to the nearest of 8', () => {
    const values = [0, 128, 129, 257, 385, 386, 32767, 32768, 65406, 65407, 65535];
    const bytes = png(ihdr(values.length, 1, 16, 0), chunk('IDAT', deflateSync(rows(values.length, 1, 1, 16, values))));
    const { picture, notices } = readPng(bytes);
    assert.deepEqual(picture, {
      width: values.length,
      height: 1,
      channels: 1,
      depth: 16,
      data: Uint16Array.from(values),
    });
    assert.deepEqual(notices, []);
    assert.deepEqual(
      [...withDepth(picture, 8).data],
      values.map((v) => Math.round((v * 255) / 65535)),
    );
    assert.deepEqual(
      withDepth(withDepth(picture, 8), 16).data,
      Uint16Array.from(values, (v) => Math.round((v * 255) / 65535) * 257),
    );
  });

  it('makes a transparent colour (tRNS) an alpha channel and keeps the colour under it', () => {
    const grey = png(
      ihdr(3, 1, 4, 0),
      chunk('tRNS', Buffer.from([0, 5])),
      chunk('IDAT', deflateSync(rows(3, 1, 1, 4, [4, 5, 6]))),
    );
    assert.deepEqual(readPng(grey).picture, {
      width: 3,
      height: 1,
      channels: 2,
      depth: 8,
      data: Uint8Array.of(68, 255, 85, 0, 102, 255),
    });
    // At 16 bits, a colour that is nearly the transparent one stays opaque.
    const rgb = png(
      ihdr(2, 1, 16, 2),
      chunk('tRNS', Buffer.from([1, 1, 2, 2, 3, 3])),
      chunk('IDAT', deflateSync(rows(2, 1, 3, 16, [257, 514, 771, 258, 514, 771]))),
    );
    assert.deepEqual(readPng(rgb).picture, {
      width: 2,
      height: 1,
      channels: 4,
      depth: 16,
      data: Uint16Array.of(257, 514, 771, 0, 258, 514, 771, 65535),
    });
  });

  it('reads pixel data in many pieces, and ignores what follows the end', () => {
    const data = deflateSync(rows(5, 4, 3, 8, samplesOf(60, 8)));
    const pieces = [...data].map((byte) => chunk('IDAT', Uint8Array.of(byte)));
    const bytes = Buffer.concat([
      png(ihdr(5, 4, 8, 2), chunk('tIME', Buffer.alloc(7)), ...pieces),
      Buffer.from('trailing'),
    ]);
    assert.deepEqual([...readPng(bytes).picture.data], samplesOf(60, 8));
  });

  it('tells of what it leaves out', () => {
    const noticesOf = (...chunks: Buffer[]): string =>
      readPng(png(ihdr(1, 1, 8, 0), ...chunks, chunk('IDAT', deflateSync(Buffer.alloc(2))))).notices.join('; ');
    assert.match(
      noticesOf(chunk('iCCP', Buffer.from('x')), chunk('acTL', Buffer.alloc(8))),
      /profile is damaged.*; .*animation/,
    );
  });
});

describe('bad PNG', () => {
  const idat = chunk('IDAT', deflateSync(Buffer.alloc(2)));
  const unsound = (bytes: Buffer): Buffer => {
    const changed = Buffer.from(bytes);
    changed[changed.length - 1] ^= 1;
    return changed;
  };
  const good = png(ihdr(1, 1, 8, 0), idat);

  it('each fault has its own error', () => {
    fails(new Uint8Array(0), 'E_EMPTY');
    fails(Buffer.from('not a picture at all, but text of some length'), 'E_NOT_PNG');
    fails(Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 74, 70, 73, 70]), 'E_NOT_PNG', /JPEG/);
    fails(Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0a, 0x1a, 0x0a]), good.subarray(8)]), 'E_NOT_PNG');
    fails(good.subarray(0, 5), 'E_DAMAGED_PNG', /ends after 5 bytes/);
    fails(png(idat), 'E_DAMAGED_PNG', /IHDR/);
    fails(png(ihdr(0, 1, 8, 0), idat), 'E_DAMAGED_PNG', /0×1/);
    fails(png(ihdr(1, 1, 3, 0), idat), 'E_DAMAGED_PNG', /3 bits per sample/);
    fails(png(ihdr(1, 1, 8, 5), idat), 'E_DAMAGED_PNG', /colour type 5/);
    fails(png(ihdr(1, 1, 8, 0, 2), idat), 'E_DAMAGED_PNG', /interlace 2/);
    fails(png(ihdr(1, 1, 8, 0)), 'E_DAMAGED_PNG', /no pixel data/);
    fails(png(ihdr(1, 1, 8, 3), idat), 'E_DAMAGED_PNG', /no palette/);
    fails(png(ihdr(1, 1, 8, 3), chunk('PLTE', Buffer.alloc(4)), idat), 'E_DAMAGED_PNG', /palette .* of 4 bytes/);
    fails(png(ihdr(1, 1, 8, 0), chunk('ABCD'), idat), 'E_DAMAGED_PNG', /critical chunk \(ABCD/);
    fails(png(ihdr(1, 1, 8, 0), idat, chunk('tEXt'), idat), 'E_DAMAGED_PNG', /torn apart/);
    fails(png(ihdr(1, 1, 8, 0), chunk('IDAT', Buffer.from('rubbish'))), 'E_DAMAGED_PNG', /decompressed/);
    fails(png(ihdr(1, 2, 8, 0), idat), 'E_DAMAGED_PNG', /too short/);
    fails(png(ihdr(1, 1, 8, 0), chunk('IDAT', deflateSync(Buffer.from([9, 0])))), 'E_DAMAGED_PNG', /filter 9/);
    fails(png(ihdr(1, 1, 8, 0), unsound(idat)), 'E_DAMAGED_PNG', /wrong checksum of a chunk \(IDAT/);
    fails(Buffer.concat([good.subarray(0, 8), chunk('CgBI', Buffer.alloc(4)), good.subarray(8)]), 'E_NOT_PNG', /iOS/);
  });

  it('what other readers pass over is read, with a notice', () => {
    const header = ihdr(3, 2, 8, 2);
    const samples = samplesOf(18, 8);
    const raw = rows(3, 2, 3, 8, samples);
    const data = chunk('IDAT', deflateSync(raw));
    const adler = deflateSync(raw);
    adler[adler.length - 1] ^= 1;
    const whole = png(header, data);
    const beyond = Buffer.concat([raw, Buffer.alloc(1000)]);
    const cases: [string, Buffer, RegExp][] = [
      ['wrong checksum of a profile', png(header, unsound(chunk('iCCP')), data), /chunk \(iCCP, byte 33\) has a wrong/],
      [
        'wrong checksums of five chunks',
        png(
          header,
          ...['gAMA', 'cICP', 'tRNS', 'abCd'].map((name) => unsound(chunk(name))),
          data,
          unsound(chunk('tEXt')),
        ),
        /^5 chunks \(gAMA, byte 33; cICP, .*; …\) have wrong checksums/,
      ],
      ['surplus rows', png(header, chunk('IDAT', deflateSync(beyond))), /more pixel data/],
      ['wrong Adler-32', png(header, chunk('IDAT', adler)), /wrong checksum; its pixels are whole/],
      ['no Adler-32', png(header, chunk('IDAT', adler.subarray(0, -4))), /its pixels are whole/],
      ['no IEND', whole.subarray(0, -12), /before its end chunk \(IEND\); its pixels are whole/],
      ['half an IEND', whole.subarray(0, -5), /its pixels are whole/],
      ['checksum of the pixels cut off', whole.subarray(0, -14), /its pixels are whole/],
      ['Adler-32 cut off', whole.subarray(0, -19), /its pixels are whole/],
      [
        'a chunk cut behind the pixels',
        Buffer.concat([whole.subarray(0, -12), chunk('tEXt', Buffer.alloc(99)).subarray(0, 40)]),
        /its pixels are whole/,
      ],
      ['short transparency', png(header, chunk('tRNS', Buffer.alloc(5)), data), /tRNS.* is too short and is ignored/],
      ['transparency behind the pixels', png(header, data, chunk('tRNS', Buffer.alloc(6))), /behind the pixels/],
    ];
    for (const [name, bytes, notice] of cases) {
      const { picture, notices, damage } = readPng(bytes);
      assert.deepEqual(picture, { width: 3, height: 2, channels: 3, depth: 8, data: Uint8Array.from(samples) }, name);
      assert.deepEqual([notices.length, damage], [1, []], name);
      assert.match(notices[0], notice, name);
    }
  });

  it('odd transparency and pixels beyond a palette are read as by libpng, with a notice', () => {
    const colours = chunk('PLTE', Buffer.from([9, 8, 7, 6, 5, 4]));
    const data = chunk('IDAT', deflateSync(rows(3, 1, 1, 8, [0, 1, 2])));
    const read = (...chunks: Buffer[]): { data: number[]; notice: string } => {
      const { picture, notices } = readPng(png(ihdr(3, 1, 8, 3), ...chunks, data));
      return { data: [...picture.data], notice: notices.join('; ') };
    };
    assert.deepEqual(read(colours), {
      data: [9, 8, 7, 6, 5, 4, 0, 0, 0],
      notice: '1 pixel has a colour beyond its palette of 2 and is black',
    });
    const long = read(colours, chunk('tRNS', Buffer.from([1, 2, 3, 4])));
    assert.deepEqual(long.data, [9, 8, 7, 1, 6, 5, 4, 2, 0, 0, 0, 255]);
    assert.match(long.notice, /has 4 bytes, of which the first 2 count; 1 pixel/);
    const early = read(chunk('tRNS', Buffer.from([1])), colours);
    assert.deepEqual(early.data, [9, 8, 7, 6, 5, 4, 0, 0, 0]);
    assert.match(early.notice, /before the palette and is ignored/);
    const twice = read(
      colours,
      chunk('PLTE', Buffer.alloc(3)),
      chunk('tRNS', Buffer.of(1)),
      chunk('tRNS', Buffer.of(2)),
    );
    assert.deepEqual(twice.data, [9, 8, 7, 1, 6, 5, 4, 255, 0, 0, 0, 255]);
    assert.match(twice.notice, /second or late palette.*second one and is ignored/);
    // What has alpha already needs none.
    for (const [type, channels] of [
      [4, 2],
      [6, 4],
    ] as const) {
      const samples = samplesOf(channels, 8);
      const { picture, notices } = readPng(
        png(
          ihdr(1, 1, 8, type),
          chunk('tRNS', Buffer.alloc(6)),
          chunk('IDAT', deflateSync(rows(1, 1, channels, 8, samples))),
        ),
      );
      assert.deepEqual([[...picture.data], notices.length], [samples, 1]);
    }
    const grey = png(
      ihdr(1, 1, 8, 0),
      chunk('tRNS', Buffer.from([0, 7, 0])),
      chunk('IDAT', deflateSync(rows(1, 1, 1, 8, [7]))),
    );
    assert.deepEqual([...readPng(grey).picture.data], [7, 0]);
  });

  it('what is there of damaged pixels is read where damage is allowed, and told of', () => {
    const picture = corpusPicture('scene', { width: 40, height: 60 });
    const whole = writePng(picture);
    const pixels = (bytes: Uint8Array): { same: number; damage: string[] } => {
      const { picture: read, damage } = readPng(bytes, undefined, true);
      assert.deepEqual([read.width, read.height, read.channels], [40, 60, 3]);
      const wrong = read.data.findIndex((sample, i) => sample !== picture.data[i]);
      return { same: wrong < 0 ? 1 : wrong / read.data.length, damage };
    };
    assert.deepEqual(pixels(whole), { same: 1, damage: [] });
    const cut = pixels(whole.subarray(0, whole.length >> 1));
    assert.match(cut.damage.join(), /IDAT, byte 33\) says that it has .* so \d\d % of them can be read/);
    assert.ok(cut.same > 0.3 && cut.same < 0.7, `${cut.same} of the pixels`);
    const changed = Uint8Array.from(whole);
    changed.fill(0xff, whole.length >> 1, (whole.length >> 1) + 40);
    fails(changed, 'E_DAMAGED_PNG', /wrong checksum of a chunk \(IDAT/);
    const torn = pixels(changed);
    assert.match(torn.damage.join(), /wrong checksum of a chunk \(IDAT/);
    assert.ok(torn.same > 0.3, `${torn.same} of the pixels`);
    const { picture: odd, damage } = readPng(
      png(ihdr(1, 2, 8, 0), chunk('ABCD'), chunk('IDAT', deflateSync(Buffer.from([9, 5, 0, 6])))),
      undefined,
      true,
    );
    assert.deepEqual([...odd.data], [5, 6]);
    assert.match(damage.join('; '), /critical chunk \(ABCD.*; .*filter 9/);
    // Yet a few bytes do not get the memory of a large picture.
    assert.throws(() => readPng(png(ihdr(16384, 16384, 16, 6), idat), undefined, true), DcompError);
  });

  it('headers that promise too much are refused before anything is allocated', () => {
    const before = process.memoryUsage().arrayBuffers;
    fails(png(ihdr(2 ** 31 - 1, 1, 8, 2), idat), 'E_TOO_LARGE');
    fails(png(ihdr(1, MAX_SIDE + 1, 8, 2), idat), 'E_TOO_LARGE');
    fails(png(ihdr(32768, 65535, 8, 2), idat), 'E_TOO_LARGE', new RegExp(`${MAX_PIXELS}`));
    fails(png(ihdr(16384, 16384, 16, 6), idat), 'E_DAMAGED_PNG', /too short/);
    assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 22);
  });

  it('a file cut anywhere is refused, unless its pixels are whole', () => {
    const picture = corpusPicture('rgba-balls', { width: 12, height: 9 });
    const bytes = writePng(picture);
    const behind = bytes.length - 12 - 4 - 4; // IEND, checksum of IDAT, Adler-32
    for (let n = 1; n < behind - 2; n++) fails(bytes.subarray(0, n), 'E_DAMAGED_PNG');
    for (let n = behind; n < bytes.length; n++) {
      const { picture: read, notices } = readPng(bytes.subarray(0, n));
      assert.deepEqual(read.data, picture.data);
      assert.match(notices.join(), /its pixels are whole$/);
    }
  });

  it('a file with any byte changed is refused, or reads as a picture of the same size', () => {
    const picture = corpusPicture('scene', { width: 12, height: 9 });
    const bytes = writePng(picture);
    for (let n = 0; n < bytes.length; n++) {
      const changed = Uint8Array.from(bytes);
      changed[n] ^= 1 << (n & 7);
      try {
        assert.deepEqual(readPng(changed).picture, { ...picture, depth: 8 });
      } catch (error) {
        assert.ok(error instanceof DcompError, `byte ${n}: ${String(error)}`);
      }
    }
  });

  it('random chunks, well summed, never cause another error than ours', () => {
    const body = fc.uint8Array({ maxLength: 40 });
    const anyChunk = fc.tuple(
      fc.constantFrom('PLTE', 'tRNS', 'IDAT', 'gAMA', 'IEND', 'IHDR'),
      fc.oneof(
        body,
        body.map((b) => deflateSync(b)),
      ),
    );
    const header = fc.tuple(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 9 }),
      fc.constantFrom(1, 2, 4, 8, 16),
      fc.constantFrom(0, 2, 3, 4, 6),
      fc.constantFrom(0, 1),
    );
    assertLimited(
      fc.property(header, fc.array(anyChunk, { maxLength: 5 }), (head, chunks) => {
        const bytes = png(ihdr(...head), ...chunks.map(([name, content]) => chunk(name, content)));
        try {
          const { width, height } = readPng(bytes).picture;
          assert.deepEqual([width, height], [head[0], head[1]]);
        } catch (error) {
          if (!(error instanceof DcompError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('a picture that is inconsistent is not written', () => {
    const broken: Picture = { width: 2, height: 2, channels: 3, data: new Uint8Array(11) };
    assert.throws(
      () => writePng(broken),
      (error: unknown) => error instanceof DcompError && error.code === 'E_PICTURE',
    );
    assert.equal(COLOUR_TYPE[3], writePng({ ...broken, data: new Uint8Array(12) })[25]);
  });
});
