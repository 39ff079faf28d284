/** GIF, JPEG XL and HEIC: read where a package can, named where none can. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type Sharp from 'sharp';
import { formatOfBytes, PICTURE_EXTENSIONS, READ_FORMATS } from '../formats/formats.js';
import { readPicture } from '../formats/read.js';
import { corpusPicture } from '../corpus/pictures.js';
import { DcompError } from '../src/errors.js';
import { inKind } from './helpers/arbitrary.js';

const loaded: typeof Sharp | undefined = await import('sharp').then(
  (module) => module.default,
  () => undefined,
);
const skip = loaded === undefined ? 'sharp does not load on this machine' : false;
const sharp = loaded!;
const wasm = await import('wasm-vips').then(
  (module) => module.default,
  () => undefined,
);

const SIZE = { width: 40, height: 30 };

describe('formats that are only read', () => {
  it('are known by their first bytes and their extensions', () => {
    for (const [start, format] of [
      ['GIF89a', 'gif'],
      ['GIF87a', 'gif'],
      ['BM', 'bmp'],
      ['\xff\x0a', 'jxl'],
      ['\0\0\0\x0cJXL \r\n\x87\n', 'jxl'],
      ['\0\0\0\x18ftypheic', 'heic'],
      ['\0\0\0\x18ftypmif1\0\0\0\0mif1heic', 'heic'],
      ['\0\0\0\x18ftypmif1\0\0\0\0mif1avif', 'avif'],
      ['II+\0\b', 'tiff'],
      ['MM\0+', 'tiff'],
    ] as const)
      assert.deepEqual(formatOfBytes(Buffer.from(start.padEnd(40, '\0'), 'latin1')), { format });
    for (const extension of ['.gif', '.bmp', '.jxl', '.heic']) assert.ok(PICTURE_EXTENSIONS.includes(extension));
    assert.equal(READ_FORMATS.length, 9);
  });

  it('GIF: colours, transparency, and of an animation the first picture', { skip }, async () => {
    for (const channels of [3, 4] as const) {
      const source = inKind(corpusPicture('rgba-balls', SIZE), channels);
      const bytes = await sharp(source.data as Uint8Array, { raw: { ...SIZE, channels } })
        .gif()
        .toBuffer();
      const { picture, notices } = await readPicture(bytes);
      assert.deepEqual([picture.width, picture.height, picture.channels, notices], [40, 30, channels, []]);
      const raw = await sharp(bytes).ensureAlpha().raw().toBuffer();
      assert.deepEqual(inKind(picture, 4).data, Uint8Array.from(raw));
    }
    const frames = Buffer.concat(['scene', 'gradient'].map((name) => corpusPicture(name, SIZE).data as Uint8Array));
    const animation = await sharp(frames as Uint8Array, { raw: { width: 40, height: 60, channels: 3, pageHeight: 30 } })
      .gif()
      .toBuffer();
    const { picture, notices } = await readPicture(animation);
    assert.equal(picture.height, 30);
    assert.match(notices.join(), /2 pictures; only the first/);
  });

  it('HEIC is named where sharp has no HEVC', { skip }, async () => {
    const bytes = Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic'.padEnd(200, '\0'), 'latin1');
    await assert.rejects(
      readPicture(bytes),
      (error) => error instanceof DcompError && /HEIC.*HEVC.*convert/.test(error.message),
    );
  });

  it(
    'JPEG XL, of 8 and 16 bits, grey and colour, with its profile',
    { skip: wasm === undefined ? 'wasm-vips is not installed' : false },
    async () => {
      const vips = await wasm!({
        dynamicLibraries: ['vips-jxl.wasm'],
        print: () => undefined,
        printErr: () => undefined,
      });
      try {
        for (const [channels, depth] of [
          [1, 8],
          [4, 8],
          [3, 16],
        ] as const) {
          const eight = inKind(corpusPicture('rgba-balls', SIZE), channels);
          const source = depth === 8 ? eight : { ...eight, depth, data: Uint16Array.from(eight.data, (v) => v * 257) };
          const raw = vips.Image.newFromMemory(
            source.data,
            40,
            30,
            channels,
            depth === 8 ? vips.BandFormat.uchar : vips.BandFormat.ushort,
          );
          const space = channels === 1 ? 'b-w' : depth === 8 ? 'srgb' : 'rgb16';
          const bytes = Uint8Array.from(
            raw.copy({ interpretation: space }).jxlsaveBuffer({ lossless: true, keep: vips.ForeignKeep.none }),
          );
          const { picture, notices } = await readPicture(bytes);
          assert.deepEqual(notices, []);
          assert.deepEqual([picture.channels, picture.depth], [channels, depth]);
          assert.deepEqual(picture.data, source.data);
          if (channels > 1) continue;
          await assert.rejects(readPicture(bytes, 'all', 1199), /40×30 = 1200 pixels, more than the limit/);
          await assert.rejects(readPicture(bytes.subarray(0, 30)), /this JPEG XL cannot be read/);
        }
      } finally {
        vips.shutdown();
      }
    },
  );
});
