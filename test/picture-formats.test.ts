/** JPEG, WebP, AVIF and TIFF, through sharp: in and out. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type Sharp from 'sharp';
import {
  extensionOf,
  formatOfBytes,
  formatOfName,
  formatOfOption,
  PICTURE_FORMATS,
  type PictureFormat,
} from '../formats/formats.js';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import { readPicture } from '../formats/read.js';
import { writePicture } from '../formats/write.js';
import { corpusPicture } from '../corpus/pictures.js';
import { DcompError } from '../src/errors.js';
import { psnr } from '../src/index.js';
import { depthOf, withDepth, type Channels, type Picture } from '../src/picture.js';
import { inKind } from './helpers/arbitrary.js';
import { codeOfError } from './helpers/outcome.js';
import { smallModelFile } from '../corpus/small-model.js';

const loaded: typeof Sharp | undefined = await import('sharp').then(
  (module) => module.default,
  () => undefined,
);
const skip = loaded === undefined ? 'sharp does not load on this machine' : false;
const sharp = loaded!;

const OTHERS = PICTURE_FORMATS.filter((format): format is Exclude<PictureFormat, 'png'> => format !== 'png');
const SIZE = { width: 48, height: 33 };

/** A test picture of any kind, smooth enough for lossy formats. */
function picture(channels: Channels, depth: 8 | 16 = 8): Picture {
  const source = inKind(corpusPicture(channels % 2 === 0 ? 'rgba-balls' : 'gradient', SIZE), channels);
  if (depth === 8) return source;
  return {
    ...source,
    data: Uint16Array.from(source.data, (sample, i) => Math.min(65535, sample * 257 + (i % 200))),
    depth,
  };
}

const alphaOf = ({ channels, data }: Picture): number[] =>
  Array.from(data.filter((_, i) => i % channels === channels - 1));

describe('picture formats', { skip }, () => {
  for (const format of OTHERS) {
    it(`${format}: what is written is recognised and read again, with kind, profile, density and orientation`, async () => {
      const p3 = (
        await sharp(
          await sharp({ create: { width: 1, height: 1, channels: 3, background: 'red' } })
            .withIccProfile('p3')
            .png()
            .toBuffer(),
        ).metadata()
      ).icc!;
      for (const channels of [1, 2, 3, 4] as const) {
        const source = picture(channels);
        const metadata = {
          ...(channels > 2 ? { icc: Uint8Array.from(p3) } : {}),
          orientation: 6,
          density: { x: 11811, y: 11811, unit: 'metre' as const },
        };
        const { bytes, notices } = await writePicture({ ...source, metadata }, format);
        assert.deepEqual(formatOfBytes(bytes), { format });
        assert.equal(notices.length, format === 'jpeg' && channels % 2 === 0 ? 1 : 0, notices.join());
        const { picture: back, format: found } = await readPicture(bytes, 'all');
        assert.equal(found, format);
        assert.equal(depthOf(back), 8);
        const alpha = channels % 2 === 0 && format !== 'jpeg';
        // WebP and AVIF give grey back as three colours that are the same.
        const colours = channels > 2 || format === 'webp' || format === 'avif' ? 3 : 1;
        assert.equal(back.channels, colours + (alpha ? 1 : 0), `${channels} channels`);
        // AVIF is turned, as its readers do not look into EXIF; the others are as they were.
        const turned = format === 'avif';
        assert.deepEqual([back.width, back.height], turned ? [SIZE.height, SIZE.width] : [SIZE.width, SIZE.height]);
        assert.equal(back.metadata?.orientation ?? 1, turned ? 1 : 6);
        if (channels > 2) assert.deepEqual(back.metadata?.icc, metadata.icc);
        if (format === 'jpeg' || format === 'tiff') assert.deepEqual(back.metadata?.density, metadata.density);
        if (turned || channels % 2 === 0) continue;
        assert.ok(
          psnr(source, inKind(back, channels)) > 38,
          `${channels} channels: ${psnr(source, inKind(back, channels))} dB`,
        );
        if (alpha) assert.deepEqual(alphaOf(back), alphaOf(source));
      }
    });
  }

  it('TIFF keeps all samples, of 16 bits too', async () => {
    for (const channels of [1, 2, 3, 4] as const) {
      for (const depth of [8, 16] as const) {
        const source = picture(channels, depth);
        const { bytes, notices } = await writePicture(source, 'tiff');
        assert.deepEqual(notices, []);
        const { picture: back } = await readPicture(bytes);
        assert.deepEqual([back.channels, depthOf(back)], [channels, depth]);
        assert.deepEqual(back.data, source.data, `${channels} channels of ${depth} bits`);
      }
    }
  });

  it('alpha of WebP and AVIF comes through', async () => {
    const source = picture(4);
    for (const format of ['webp', 'avif'] as const) {
      const { picture: back } = await readPicture((await writePicture(source, format)).bytes);
      const worst = Math.max(...alphaOf(back).map((a, i) => Math.abs(a - alphaOf(source)[i])));
      assert.ok(worst <= (format === 'webp' ? 0 : 24), `${format}: alpha is ${worst} off`);
    }
  });

  it('16 bits are rounded where a format has less, and that is said', async () => {
    const source = picture(3, 16);
    for (const [format, notice] of [
      ['jpeg', /8 bits/],
      ['webp', /8 bits/],
      ['avif', /10 bits/],
    ] as const) {
      const { bytes, notices } = await writePicture(source, format);
      assert.match(notices.join(), notice);
      const { picture: back } = await readPicture(bytes);
      assert.equal(depthOf(back), format === 'avif' ? 16 : 8);
      assert.ok(psnr(withDepth(source, 8), withDepth(back, 8)) > 38);
    }
  });

  it('what sharp has as samples is what is read', async () => {
    const source = picture(3);
    for (const format of OTHERS) {
      const bytes = await sharp(source.data, { raw: { ...SIZE, channels: 3 } })
        [format]()
        .toBuffer();
      const { picture: read, notices } = await readPicture(bytes);
      assert.deepEqual(notices, []);
      assert.deepEqual(read.data, Uint8Array.from(await sharp(bytes).raw().toBuffer()), format);
    }
  });

  it('CMYK and other spaces are converted to sRGB, with a notice', async () => {
    const source = picture(3);
    const raw = sharp(source.data, { raw: { ...SIZE, channels: 3 } });
    const cmyk = await raw.clone().toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer();
    const lab = await raw.clone().toColourspace('lab').tiff({ compression: 'none' }).toBuffer();
    for (const [bytes, notice] of [
      [cmyk, /CMYK.* converted to sRGB/],
      [lab, /LAB.* converted to sRGB/],
    ] as const) {
      const { picture: read, notices } = await readPicture(bytes);
      assert.match(notices.join(), notice);
      assert.deepEqual([read.channels, depthOf(read)], [3, 8]);
      assert.equal(read.metadata?.icc, undefined);
      assert.ok(psnr(source, read) > 20, `${psnr(source, read)} dB`);
    }
  });

  it('cut and changed files are pictures or DcompErrors', async () => {
    for (const format of OTHERS) {
      const { bytes } = await writePicture(picture(3), format);
      for (const cut of [0.1, 0.5, 0.9]) {
        const code = await codeOfError(() => readPicture(bytes.subarray(0, Math.floor(cut * bytes.length))));
        assert.ok(['E_DAMAGED_PICTURE', 'E_NOT_PICTURE'].includes(code), `${format}: ${code}`);
      }
      for (let i = 0; i < 60; i++) {
        const changed = Uint8Array.from(bytes);
        changed[Math.floor((i / 60) * bytes.length)] ^= 1 << (i & 7);
        try {
          await readPicture(changed, 'all');
        } catch (error) {
          assert.ok(error instanceof DcompError, `${format}, ${i}: ${String(error)}`);
          assert.doesNotMatch(error.message, /\n/);
        }
      }
    }
  });

  it('more pixels than are coded are refused before they are decoded', async () => {
    // A JPEG whose header was changed to 65500×65500 pixels.
    const bytes = await sharp({ create: { width: 16, height: 16, channels: 3, background: 'red' } })
      .jpeg()
      .toBuffer();
    const frame = bytes.indexOf(Buffer.from([0xff, 0xc0]));
    bytes.writeUInt16BE(65500, frame + 5);
    bytes.writeUInt16BE(65500, frame + 7);
    assert.equal(await codeOfError(() => readPicture(bytes)), 'E_TOO_LARGE');
    assert.equal(
      await codeOfError(() =>
        writePicture({ width: 17000, height: 1, channels: 1, data: new Uint8Array(17000) }, 'webp'),
      ),
      'E_TOO_LARGE',
    );
  });
});

describe('picture formats, by name', () => {
  it('are known by extension, option and first bytes', async () => {
    for (const format of PICTURE_FORMATS) {
      assert.equal(formatOfName(`a.b${extensionOf(format)}`), format);
      assert.equal(formatOfOption(format.toUpperCase()), format);
    }
    assert.equal(formatOfName('A.JPEG'), 'jpeg');
    assert.equal(formatOfName('noextension'), undefined);
    assert.equal(await codeOfError(() => formatOfName('x.bmp')), 'E_USAGE');
    assert.equal(await codeOfError(() => formatOfOption('bmp')), 'E_USAGE');
  });

  it('what is read by nobody is named where it is known', async () => {
    for (const [start, message] of [
      ['P6 1 1 255 ', /a PNM/],
      ['\0\0\0\x18ftypisom', /a.* video/],
      ['some text', /not a picture/],
      ['\x8dDCZ\r\n', /\.dcz file already/],
    ] as const) {
      await assert.rejects(
        readPicture(Buffer.from(start.padEnd(40, '\0'), 'latin1')),
        (error) => error instanceof DcompError && error.code === 'E_NOT_PICTURE' && message.test(error.message),
      );
    }
    assert.equal(await codeOfError(() => readPicture(new Uint8Array(0))), 'E_EMPTY');
  });
});

describe('picture formats, on the command line', () => {
  const program = fileURLToPath(new URL('../bin/main.js', import.meta.url));
  const hidden = `data:text/javascript,import{register}from'node:module';register('data:text/javascript,export function resolve(s,c,n){if(s==="sharp")throw new Error("none");return n(s,c)}')`;

  function run(folder: string, node: string[], ...args: string[]): { status: number | null; stderr: string } {
    const { status, stderr } = spawnSync(process.execPath, [...node, program, ...args, '--model', 'small.dcm'], {
      cwd: folder,
      encoding: 'utf8',
    });
    return { status, stderr };
  }

  function inFolder(test: (folder: string) => void | Promise<void>): () => Promise<void> {
    return async () => {
      const folder = mkdtempSync(join(tmpdir(), 'dcomp-formats-'));
      try {
        writeFileSync(join(folder, 'small.dcm'), smallModelFile());
        await test(folder);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    };
  }

  it(
    'without sharp, PNG works, and what does not says what to install',
    inFolder((folder) => {
      writeFileSync(join(folder, 'a.jpg'), Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]));
      writeFileSync(join(folder, 'a.png'), writePng(picture(3)));
      const node = ['--import', hidden];
      const { status, stderr } = run(folder, node, 'encode', 'a.jpg', 'x.dcz');
      assert.equal(status, 1);
      assert.match(stderr, /^dcomp: a\.jpg: JPEG needs the package sharp.*npm install sharp[^\n]*\n$/);
      assert.equal(run(folder, node, 'encode', 'a.png', 'a.dcz').status, 0);
      assert.equal(run(folder, node, 'decode', 'a.dcz', 'b.png').status, 0);
      assert.match(run(folder, node, 'decode', 'a.dcz', 'b.webp').stderr, /npm install sharp/);
    }),
  );

  it(
    'a JPEG goes in, and what the output is called comes out',
    { skip },
    inFolder(async (folder) => {
      const file = (name: string): Buffer => readFileSync(join(folder, name));
      writeFileSync(
        join(folder, 'a.jpg'),
        (await writePicture({ ...picture(3), metadata: { orientation: 8 } }, 'jpeg')).bytes,
      );
      assert.equal(run(folder, [], 'encode', 'a.jpg').status, 0);
      for (const [args, name, format] of [
        [['b.png'], 'b.png', 'png'],
        [['b.jpg'], 'b.jpg', 'jpeg'],
        [['b.tiff'], 'b.tiff', 'tiff'],
        [['b', '--format', 'webp'], 'b', 'webp'],
        [['--format', 'avif'], 'a.avif', 'avif'],
        [['c.png', '--format', 'jpg'], 'c.png', 'jpeg'],
      ] as const) {
        const { status, stderr } = run(folder, [], 'decode', 'a.dcz', ...args);
        assert.equal(status, 0, stderr);
        assert.deepEqual(formatOfBytes(file(name)), { format });
      }
      assert.equal(readPng(file('b.png')).picture.metadata?.orientation, 8);
      assert.equal(run(folder, [], 'decode', 'a.dcz', 'none.png', '--metadata', 'none').status, 0);
      assert.equal(readPng(file('none.png')).picture.metadata, undefined);
      assert.match(run(folder, [], 'decode', 'a.dcz', 'x.bmp').stderr, /not as \.bmp/);
      assert.equal(run(folder, [], 'decode', 'a.dcz', '--format', 'gif').status, 2);
      assert.equal(run(folder, [], 'encode', 'a.jpg', '--metadata', 'some').status, 2);
      assert.equal(run(folder, [], 'encode', 'a.jpg', '--alpha-quality', '101').status, 2);
    }),
  );
});
