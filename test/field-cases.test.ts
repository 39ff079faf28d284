/**
 * Pictures after public reports about other codecs, each with what is right, where their folder is beside the project
 * (`../shared/cases/in`, or DCOMP_CASES). Without it the same is proved on pictures that are made by the tests:
 *
 * | case                                  | test with pictures of its own                                               |
 * | ------------------------------------- | --------------------------------------------------------------------------- |
 * | gama-linear, chrm-p3-gama22           | colour-meaning                                                              |
 * | cicp-*                                | colour-meaning (order, PNG, AVIF, profiles), field-rows (through the codec) |
 * | iccp-crc                              | field-rows (every ancillary chunk), png                                     |
 * | idat-more, pal-missing, trns-rgba     | png (what other readers pass over, odd transparency)                        |
 * | no-iend, adler                        | png (what other readers pass over)                                          |
 * | base-cut, prog-cut                    | file-metadata (a damaged JPEG), cli (--allow-damaged)                       |
 * | alpha-hidden-*                        | hidden-colour                                                               |
 * | dither1, noise, shot                  | plain (is taken where …), field-rows (noise), cli-worth (the notices)       |
 * | white                                 | white (large model), field-rows (grey, alpha), plain (one colour)           |
 * | photo                                 | cli-overwrite                                                               |
 * | a .dcz cut at any byte                | field-rows (the program), cli-round-trip (every prefix), codec-hostile      |
 * | greyfloat, bigtiff                    | tiff-avif (floats, other numbers, BigTIFF)                                  |
 * | orient6                               | tiff-avif (all eight orientations), field-rows (through the codec)          |
 * | premult, mono, mono-alpha             | tiff-avif (AVIF)                                                            |
 * | exif-date                             | file-metadata (what is dropped)                                             |
 * | raw-profile-exif                      | file-metadata (raw profiles), field-rows (every kind of text)               |
 * | 1x1-red                               | plain (a few pixels), field-rows (every kind and depth)                     |
 * | dpi300, base                          | file-metadata (density; that nobody gave), field-rows (through the codec)   |
 * | grey-grey-icc                         | colour-meaning (for grey), picture-formats                                  |
 * | x.gif, x.bmp                          | other-formats, bmp, cli-files (those in a folder)                           |
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readPicture, type PictureRead } from '../formats/read.js';
import { writePicture } from '../formats/write.js';
import { DcompError } from '../src/errors.js';
import { depthOf, withDepth, type Metadata, type Picture } from '../src/picture.js';
import { profileSpace } from '../formats/metadata.js';

const folder = process.env.DCOMP_CASES ?? fileURLToPath(new URL('../../../shared/cases/in', import.meta.url));
const sharp = await import('sharp').then(
  () => true,
  () => false,
);
const skip = !existsSync(folder)
  ? `there is no folder ${folder}`
  : sharp
    ? false
    : 'sharp does not load on this machine';

const bytesOf = (name: string): Uint8Array => readFileSync(join(folder, name));
const read = (name: string, allowDamaged = false): Promise<PictureRead> =>
  readPicture(bytesOf(name), 'all', undefined, allowDamaged);

/** Largest difference in 8 bits of a picture from a PNG's colours. */
function off(picture: Picture, reference: Picture): number {
  const [a, b] = [withDepth(picture, 8), withDepth(reference, 8)];
  assert.deepEqual([a.width, a.height, a.channels], [b.width, b.height, b.channels]);
  let most = 0;
  for (let i = 0; i < a.data.length; i++) most = Math.max(most, Math.abs(a.data[i] - b.data[i]));
  return most;
}

describe('field cases', { skip }, () => {
  it('are all read, or are an error of their own', async () => {
    for (const name of readdirSync(folder)) {
      try {
        const { picture } = await read(name);
        assert.ok(picture.width > 0, name);
      } catch (error) {
        assert.ok(error instanceof DcompError && /-cut\.jpg$/.test(name), `${name}: ${String(error)}`);
      }
    }
  });

  it('with colour outside profiles keep it', async () => {
    const P3 = { white: [31270, 32900], red: [68000, 32000], green: [26500, 69000], blue: [15000, 6000] };
    for (const [name, metadata] of [
      ['gama-linear.png', { gamma: 100000 }],
      ['chrm-p3-gama22.png', { gamma: 45455, chromaticities: P3 }],
      ['cicp-pq-16.png', { cicp: { primaries: 9, transfer: 16 } }],
      ['cicp-p3.avif', { cicp: { primaries: 12, transfer: 13 } }],
      ['cicp-pq.avif', { cicp: { primaries: 9, transfer: 16 } }],
    ] as [string, Metadata][]) {
      const { picture, notices } = await read(name);
      assert.deepEqual([picture.metadata, notices], [metadata, []], name);
      for (const format of ['png', 'avif'] as const) {
        const back = (await readPicture((await writePicture(picture, format)).bytes)).picture;
        if (format === 'png' || metadata.cicp !== undefined) assert.deepEqual(back.metadata, metadata, name);
        assert.equal(depthOf(back), depthOf(picture), name);
      }
    }
  });

  it('that everything else opens are read, with a notice', async () => {
    const { picture: photo } = await read('gama-linear.png'); // the same picture without a fault
    for (const name of [
      'iccp-crc.png',
      'iccp-zlib.png',
      'idat-more.png',
      'no-iend.png',
      'adler.png',
      'trns-rgba.png',
    ]) {
      const { picture, notices } = await read(name);
      assert.equal(notices.length, 1, name);
      if (picture.channels === 3) assert.equal(off(picture, photo), 0, name);
    }
    assert.match((await read('pal-missing.png')).notices.join(), /352 pixels .* are black/);
  });

  it('that are cut are an error, and read where damage is allowed', async () => {
    const { picture: whole } = await read('base.jpg');
    for (const name of ['base-cut.jpg', 'prog-cut.jpg']) {
      await assert.rejects(read(name), DcompError);
      const { picture, damage } = await read(name, true);
      assert.equal(damage.length, 1);
      const count = 20 * whole.width * 3;
      let sum = 0;
      for (let i = 0; i < count; i++) sum += Math.abs(whole.data[i] - picture.data[i]);
      const mean = sum / count;
      assert.ok(mean < 12, `${name}: ${mean}`);
    }
  });

  it('of TIFF and AVIF are what they are', async () => {
    const { picture: photo } = await read('gama-linear.png');
    const { picture: grey } = await read('grey-grey-icc.png');
    assert.ok(off((await read('greyfloat.tif')).picture, grey) <= 1);
    assert.equal(off((await read('bigtiff.tif')).picture, photo), 0);
    assert.match((await read('multi.tif')).notices.join(), /2 pictures/);
    assert.ok(off((await read('mono.avif')).picture, grey) < 12);
    assert.equal((await read('mono-alpha.avif')).picture.channels, 2);
    const { picture: turned } = await read('orient6.avif');
    assert.deepEqual([turned.width, turned.height, turned.metadata?.orientation], [48, 64, undefined]);
    const { picture: straight } = await read('premult.avif');
    const { picture: hidden } = await read('alpha-hidden-same.png');
    for (let i = 0; i < straight.data.length; i += 4) {
      if (straight.data[i + 3] < 200) continue;
      for (let c = 0; c < 3; c++) assert.ok(Math.abs(straight.data[i + c] - hidden.data[i + c]) < 30, `pixel ${i / 4}`);
    }
    for (const name of ['x.bmp', 'x.gif']) assert.ok(off((await read(name)).picture, photo) < 60, name);
  });

  it('keep their metadata, and say what is dropped', async () => {
    assert.match((await readPicture(bytesOf('exif-date.jpg'))).notices.join(), /EXIF is not kept; --metadata all/);
    const { picture } = await read('raw-profile-exif.png');
    assert.deepEqual([picture.metadata?.orientation, picture.metadata?.text], [6, undefined]);
    assert.deepEqual((await read('dpi300.jpg')).picture.metadata?.density, { x: 11811, y: 5906, unit: 'metre' });
    assert.equal((await read('base.jpg')).picture.metadata, undefined);
    const { picture: grey } = await read('grey-grey-icc.png');
    for (const format of ['webp', 'avif', 'jpeg', 'tiff'] as const) {
      const { bytes, notices } = await writePicture(grey, format);
      const back = (await readPicture(bytes)).picture;
      assert.deepEqual(notices, [], format);
      assert.equal(profileSpace(back.metadata!.icc!), back.channels === 1 ? 'GRAY' : 'RGB ', format);
    }
  });
});
