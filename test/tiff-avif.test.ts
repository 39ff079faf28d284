/** TIFF and AVIF as what they are: kinds of samples, thumbnails, grey, alpha that is in the colours, orientation. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type Sharp from 'sharp';
import { withAvifMetadata } from '../formats/avif-writer.js';
import { exifOfOrientation } from '../formats/exif.js';
import { writePng } from '../formats/png-writer.js';
import { readPicture } from '../formats/read.js';
import { readDirectories } from '../formats/tiff.js';
import { writePicture } from '../formats/write.js';
import { corpusPicture } from '../corpus/pictures.js';
import { psnr } from '../src/index.js';
import { depthOf, type Depth, type Picture } from '../src/picture.js';
import { inKind } from './helpers/arbitrary.js';
import { ascii, makeTiff, short, type Page } from './helpers/make-tiff.js';
import { codeOfError } from './helpers/outcome.js';

const loaded: typeof Sharp | undefined = await import('sharp').then(
  (module) => module.default,
  () => undefined,
);
const skip = loaded === undefined ? 'sharp does not load on this machine' : false;
const sharp = loaded!;

const bytesOf = (array: Float32Array | Uint16Array | Uint32Array | Int16Array): Uint8Array =>
  new Uint8Array(array.buffer);
const float = (values: number[]): Uint8Array => bytesOf(Float32Array.from(values));
const read = async (bytes: Uint8Array): Promise<{ picture: Picture; notices: string[] }> => readPicture(bytes, 'all');

describe('TIFF', { skip }, () => {
  it('of floats, grey and colour, with alpha and without, has their values in 16 bits, with a notice', async () => {
    for (const samples of [1, 2, 3, 4]) {
      const values = Array.from({ length: 4 * samples }, (_, i) => i / (4 * samples - 1));
      const { picture, notices } = await read(
        makeTiff([{ width: 2, height: 2, bits: 32, samples, format: 3, data: float(values) }]),
      );
      assert.deepEqual([picture.channels, picture.depth], [samples, 16]);
      assert.deepEqual(
        [...picture.data],
        values.map((v) => Math.round(v * 65535)),
        `${samples} samples`,
      );
      assert.match(notices.join(), /floats from 0 to 1/);
    }
  });

  it('of other numbers is refused, never black', async () => {
    const page = { width: 2, height: 1, samples: 1 };
    const pages: Page[] = [
      { ...page, bits: 32, format: 3, data: float([0, 255]) },
      { ...page, bits: 32, format: 3, data: float([0, NaN]) },
      { ...page, bits: 32, format: 3, data: float([-0.5, 1]) },
      { ...page, bits: 32, data: bytesOf(Uint32Array.of(1000, 2 ** 31)) },
      { ...page, bits: 32, format: 2, data: bytesOf(Uint32Array.of(1000, 2 ** 30)) },
      { ...page, bits: 16, format: 2, data: bytesOf(Int16Array.of(-5, 1000)) },
      { ...page, bits: 16, format: 3, data: bytesOf(Uint16Array.of(0x3800, 0x3c00)) },
      { ...page, bits: 64, format: 3, data: new Uint8Array(16) },
    ];
    for (const each of pages)
      assert.match(
        await codeOfError(() => read(makeTiff([each]))),
        /E_(NOT|DAMAGED)_PICTURE/,
        `${each.bits} bits of format ${each.format}`,
      );
  });

  it('as BigTIFF is read like any other', async () => {
    const page: Page = {
      width: 2,
      height: 1,
      bits: 16,
      samples: 3,
      data: bytesOf(Uint16Array.of(1, 2, 3, 65533, 65534, 65535)),
    };
    for (const big of [false, true]) {
      const { picture } = await read(makeTiff([page], big));
      assert.deepEqual([...picture.data], [1, 2, 3, 65533, 65534, 65535]);
    }
  });

  it('of 1, 2 and 4 bits has so many, whichever end is white, and is written so', async () => {
    for (const [bits, data, expected] of [
      [1, [0xa5], [1, 0, 1, 0, 0, 1, 0, 1]],
      [2, [0x1b, 0x1b], [0, 1, 2, 3, 0, 1, 2, 3]],
      [4, [0x10, 0x2f, 0x30, 0x5a], [1, 0, 2, 15, 3, 0, 5, 10]],
    ] as const) {
      for (const photometric of [0, 1]) {
        const page: Page = { width: 8, height: 1, bits, samples: 1, photometric, data: Uint8Array.from(data) };
        const { picture } = await read(makeTiff([page]));
        assert.equal(depthOf(picture), bits);
        const most = 2 ** bits - 1;
        assert.deepEqual(
          [...picture.data],
          expected.map((v) => (photometric === 1 ? v : most - v)),
          `${bits} bits`,
        );
      }
      const source: Picture = {
        width: 8,
        height: 1,
        channels: 1,
        depth: bits as Depth,
        data: Uint8Array.from(expected),
      };
      const { bytes, notices } = await writePicture(source, 'tiff');
      assert.deepEqual(notices, []);
      assert.equal(readDirectories(bytes)[0].bits, bits);
      assert.deepEqual((await read(bytes)).picture, source);
    }
  });

  it('that begins with a thumbnail gives the picture, and says so', async () => {
    const grey = (side: number, value: number, more: Partial<Page> = {}): Page => ({
      width: side,
      height: side,
      bits: 8,
      samples: 1,
      data: new Uint8Array(side * side).fill(value),
      ...more,
    });
    const reduced = { fields: [{ tag: 254, type: 4, values: [1] }] };
    for (const [name, pages, value, notice] of [
      [
        'flagged',
        [grey(4, 1, reduced), grey(5, 2)],
        2,
        /the first of its 2 pictures, 4×4, is a thumbnail; the one of 5×5/,
      ],
      ['of the same shape', [grey(4, 1), grey(40, 2)], 2, /thumbnail/],
      ['with the picture below', [grey(4, 1, { ...reduced, below: [grey(8, 3)] })], 3, /thumbnail/],
      ['two pictures', [grey(4, 1), grey(4, 2)], 1, /has 2 pictures; only the first/],
      ['smaller ones behind', [grey(8, 1), grey(4, 2, reduced)], 1, /^$/],
    ] as const) {
      for (const big of [false, true]) {
        const { picture, notices } = await read(makeTiff([...pages], big));
        assert.equal(picture.data[0], value, name);
        assert.match(notices.join(), notice, name);
      }
    }
    const sensor = makeTiff([grey(4, 1, { ...reduced, below: [grey(8, 3, { photometric: 32803 })] })]);
    assert.equal(await codeOfError(() => read(sensor)), 'E_NOT_PICTURE');
  });

  it('brings its texts, IPTC and density, and its orientation once', async () => {
    const iptc = [0x1c, 2, 5, 0, 3, 65, 66, 67];
    const { picture, notices } = await read(
      makeTiff([
        {
          width: 2,
          height: 1,
          bits: 8,
          samples: 1,
          data: Uint8Array.of(1, 2),
          fields: [
            short(274, 6),
            ascii(270, 'a picture'),
            ascii(315, 'me'),
            { tag: 282, type: 5, values: [300, 1] },
            { tag: 283, type: 5, values: [1500, 10] },
            short(296, 2),
            { tag: 33723, type: 7, values: iptc },
            short(301, 1),
          ],
        },
      ]),
    );
    assert.deepEqual(picture.metadata, {
      orientation: 6,
      density: { x: 11811, y: 5906, unit: 'metre' },
      iptc: Uint8Array.from(iptc),
      text: [
        { keyword: 'Description', text: 'a picture' },
        { keyword: 'Author', text: 'me' },
      ],
    });
    assert.match(notices.join(), /tags say of colour is not kept/);
  });

  it('directories that lead in circles, or nowhere, are passed over', () => {
    const page: Page = { width: 1, height: 1, bits: 8, samples: 1, data: Uint8Array.of(9) };
    const circle = makeTiff([page, page]);
    const first = circle.readUInt32LE(4);
    const next = first + 2 + 12 * circle.readUInt16LE(first);
    circle.writeUInt32LE(first, next);
    assert.equal(readDirectories(circle).length, 1);
    circle.writeUInt32LE(2 ** 32 - 1, next);
    assert.equal(readDirectories(circle).length, 1);
    for (let n = 0; n < circle.length; n++) readDirectories(circle.subarray(0, n));
  });
});

const SIZE = { width: 48, height: 32 };

/** A file of sharp's, with bytes changed. */
async function avif(picture: Picture, change: (bytes: Buffer) => void): Promise<Buffer> {
  const { bytes } = await writePicture(picture, 'avif');
  const file = Buffer.from(bytes);
  change(file);
  return file;
}

describe('AVIF', { skip }, () => {
  it('of grey is grey, with alpha and without', async () => {
    for (const channels of [1, 2] as const) {
      const source = inKind(corpusPicture('rgba-balls', SIZE), channels);
      // The flag of libaom's grey pictures; the three colours of this one are the same.
      const file = await avif(source, (bytes) => (bytes[bytes.indexOf('av1C') + 6] |= 0x10));
      const { picture } = await read(file);
      assert.equal(picture.channels, channels);
      const grey = (p: Picture): Picture => inKind(p, 1);
      if (channels === 1) assert.ok(psnr(grey(source), grey(picture)) > 36);
    }
  });

  it('whose colours are multiplied by alpha has them divided by it', async () => {
    const { data } = corpusPicture('gradient', SIZE);
    const straight: Picture = { ...SIZE, channels: 4, data: new Uint8Array(4 * 48 * 32) };
    for (let i = 0; i < 48 * 32; i++)
      straight.data.set([...data.subarray(3 * i, 3 * i + 3), i % 48 < 24 ? 120 : 255], 4 * i);
    const multiplied = straight.data.map((v, i) => (i % 4 === 3 ? v : Math.round((v * straight.data[i | 3]) / 255)));
    // A reference that says so, in place of that from EXIF to the picture.
    const source: Picture = { ...straight, data: multiplied as Uint8Array, metadata: { exif: exifOfOrientation(1) } };
    const file = await avif(source, (bytes) => {
      const at = bytes.indexOf('cdsc');
      bytes.write('prem', at, 'latin1');
      bytes.writeUInt16BE(1, at + 4);
      bytes.writeUInt16BE(2, at + 8);
    });
    const { picture } = await readPicture(file);
    assert.ok(psnr(straight, picture) > 30, `${psnr(straight, picture)} dB`);
    const { picture: dark } = await readPicture(await avif(source, () => undefined));
    assert.ok(psnr(straight, dark) < 20, 'and nothing is divided without');
  });

  it('is turned once, for all eight orientations, as sharp turns a PNG', async () => {
    const source = corpusPicture('scene', SIZE);
    for (let orientation = 1; orientation <= 8; orientation++) {
      const metadata = {
        orientation,
        exif: exifOfOrientation(orientation),
        density: { x: 2000, y: 1000, unit: 'metre' as const },
      };
      const { bytes } = await writePicture({ ...source, metadata }, 'avif');
      const { picture } = await read(bytes);
      const { data, info } = await sharp(writePng({ ...source, metadata }))
        .autoOrient()
        .raw()
        .toBuffer({ resolveWithObject: true });
      assert.deepEqual([picture.width, picture.height], [info.width, info.height]);
      assert.ok(psnr({ ...picture, data: Uint8Array.from(data) }, picture) > 34, `orientation ${orientation}`);
      assert.equal(picture.metadata?.orientation, undefined);
      assert.equal((await sharp(bytes).metadata()).orientation ?? 1, 1);
      const [x, y] = orientation > 4 ? [1000, 2000] : [2000, 1000];
      assert.deepEqual(picture.metadata?.density, { x, y, unit: 'metre' });
    }
  });

  it('that is not as sharp writes it is not taken apart', () => {
    const metadata = { icc: undefined, primaries: 1, transfer: 13, orientation: 1, exif: undefined, xmp: undefined };
    assert.equal(withAvifMetadata(Buffer.from('no boxes at all, but some bytes'), metadata), undefined);
    assert.equal(withAvifMetadata(Buffer.from([0, 0, 0, 20, 109, 101, 116, 97]), metadata), undefined);
  });

  it('cut anywhere is read or refused', async () => {
    const { bytes } = await writePicture(corpusPicture('scene', SIZE), 'avif');
    for (let n = 40; n < bytes.length; n += 37)
      assert.match(await codeOfError(() => read(bytes.subarray(0, n))), /^E_/);
  });
});
