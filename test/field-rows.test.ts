/** Rows of test/field-cases.test.ts whole, and what is of their kinds, with pictures made here. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import { corpusPicture } from '../corpus/pictures.js';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import { readPicture } from '../formats/read.js';
import { writePicture } from '../formats/write.js';
import { hash32 } from '../src/math/hash.js';
import { decode, encode, info, release, type Picture } from '../src/node.js';
import type { Channels, Metadata } from '../src/picture.js';
import { exifOfOrientation } from '../formats/exif.js';
import { createCli } from './helpers/cli.js';
import { chunk, ihdr, png, rows } from './helpers/make-png.js';

const sharp = await import('sharp').then(
  () => true,
  () => false,
);
const skip = sharp ? false : 'sharp does not load on this machine';
const small = { model: 'small', effort: 1, threads: 1 } as const;

/** Samples in 0…most from a hash, one picture for each number. */
function noise(width: number, height: number, channels: Channels, depth: 8 | 16, number: number): Picture {
  const most = depth === 8 ? 255 : 65535;
  const data = new (depth === 8 ? Uint8Array : Uint16Array)(width * height * channels);
  for (let i = 0; i < data.length; i++) data[i] = hash32(number, i) % (most + 1);
  return { width, height, channels, depth, data };
}

/** The chunk with its checksum wrong. */
function unsound(name: string, body: Uint8Array): Buffer {
  const bytes = chunk(name, body);
  bytes[bytes.length - 1]! ^= 1;
  return bytes;
}

describe('PNG', () => {
  const data = chunk('IDAT', deflateSync(rows(2, 1, 3, 8, [1, 2, 3, 250, 251, 252])));

  it('a wrong checksum of any ancillary chunk costs that chunk, and a notice', () => {
    const names = 'acTL bKGD cHRM cICP cLLI eXIf gAMA hIST iCCP iTXt mDCV oFFs pCAL pHYs sBIT sPLT sRGB sTER tEXt tIME';
    for (const name of [...names.split(' '), 'tRNS', 'zTXt', 'vpAg']) {
      const { picture, notices } = readPng(png(ihdr(2, 1, 8, 2), unsound(name, Buffer.alloc(9, 1)), data));
      assert.deepEqual(
        [[...picture.data], picture.channels, picture.metadata],
        [[1, 2, 3, 250, 251, 252], 3, undefined],
        name,
      );
      assert.equal(notices.length, 1, name);
      assert.match(notices[0]!, new RegExp(`${name}, byte 33.*wrong checksum`));
    }
  });

  it('a raw profile is read from every kind of text', () => {
    const exif = Buffer.from(exifOfOrientation(6));
    const text = Buffer.from(`\nexif\n${String(exif.length + 6).padStart(8)}\n457869660000${exif.toString('hex')}\n`);
    const keyword = Buffer.from('Raw profile type exif\0');
    for (const profile of [
      chunk('tEXt', Buffer.concat([keyword, text])),
      chunk('zTXt', Buffer.concat([keyword, Buffer.of(0), deflateSync(text)])),
      chunk('iTXt', Buffer.concat([keyword, Buffer.alloc(4), text])),
      chunk('iTXt', Buffer.concat([keyword, Buffer.of(1, 0, 0, 0), deflateSync(text)])),
    ]) {
      const { picture } = readPng(png(ihdr(2, 1, 8, 2), profile, data));
      assert.deepEqual(picture.metadata, { orientation: 6, exif: Uint8Array.from(exif) });
    }
  });
});

describe('the codec', () => {
  after(() => release());

  it('gives the samples of a few pixels within 2 of 255, of every kind', async () => {
    for (const channels of [1, 2, 3, 4] as const) {
      for (const depth of [8, 16] as const) {
        for (const [width, height] of [
          [1, 1],
          [1, 2],
          [3, 1],
          [3, 3],
        ] as const) {
          const picture = noise(width, height, channels, depth, 10 * channels + width);
          const { bytes } = await encode(picture, { ...small, exact: true, target: { quality: 50 } });
          const back = await decode(bytes);
          const off = back.data.map((v, i) => Math.abs(v - picture.data[i]!));
          assert.ok(
            Math.max(...off) <= (depth === 8 ? 2 : 2 * 257),
            `${width}×${height}, ${channels} channels of ${depth} bits`,
          );
        }
      }
    }
  });

  it('takes no more for noise than its samples do, at any quality', async () => {
    const picture = noise(40, 30, 3, 8, 7);
    for (const quality of [50, 80, 100]) {
      const { bytes } = await encode(picture, { ...small, target: { quality } });
      assert.ok(bytes.length <= picture.data.length + 40, `${bytes.length} bytes at quality ${quality}`);
    }
  });

  it('leaves white areas white in grey and beside alpha', async () => {
    for (const channels of [1, 4] as const) {
      const picture = onWhite(channels);
      const { bytes } = await encode(picture, { ...small, model: 'large', plain: false, target: { quality: 50 } });
      const { data } = await decode(bytes);
      let [exact, all] = [0, 0];
      for (let i = 0; i < data.length; i += channels) {
        const isWhite = (of: Picture['data']): boolean => of.subarray(i, i + channels).every((v) => v === 255);
        if (!isWhite(picture.data)) continue;
        all++;
        if (isWhite(data)) exact++;
      }
      assert.ok(exact >= 0.95 * all, `${exact} of ${all}, ${channels} channels`);
    }
  });

  it('carries density, orientation and colour space from file to file, and invents none', { skip }, async () => {
    const scene = corpusPicture('scene', { width: 24, height: 16 });
    const density = { x: 11811, y: 5906, unit: 'metre' } as const;
    for (const [from, to, metadata, expected] of [
      ['jpeg', 'jpeg', { density }, { density }],
      ['jpeg', 'png', { density }, { density }],
      ['png', 'tiff', { density }, { density }],
      ['jpeg', 'jpeg', undefined, undefined],
      ['png', 'avif', { cicp: { primaries: 9, transfer: 18 } }, { cicp: { primaries: 9, transfer: 18 } }],
      ['avif', 'png', { cicp: { primaries: 12, transfer: 13 } }, { cicp: { primaries: 12, transfer: 13 } }],
      ['avif', 'png', { orientation: 6 }, undefined], // turned already
      ['png', 'png', { orientation: 6 }, { orientation: 6 }],
    ] as [Format, Format, Metadata | undefined, Metadata | undefined][]) {
      const file = (await writePicture({ ...scene, metadata }, from)).bytes;
      const { picture } = await readPicture(file);
      const { bytes } = await encode(picture, { ...small, target: { quality: 40 } });
      const out = (await writePicture(await decode(bytes), to)).bytes;
      const back = (await readPicture(out)).picture;
      assert.deepEqual(back.metadata, expected, `${from} to ${to}: ${JSON.stringify(metadata)}`);
      const turned = from === 'avif' && metadata?.orientation === 6;
      assert.deepEqual([back.width, back.height], turned ? [16, 24] : [24, 16]);
    }
  });
});

type Format = Parameters<typeof writePicture>[1];

/** The scene in the middle of a white area. */
function onWhite(channels: 1 | 4): Picture {
  const [width, height] = [96, 64];
  const scene = corpusPicture('scene', { width: 48, height: 32 });
  const data = new Uint8Array(width * height * channels).fill(255);
  for (let y = 0; y < 32; y++) {
    for (let x = 0; x < 48; x++)
      for (let c = 0; c < Math.min(channels, 3); c++)
        data[((y + 16) * width + x + 24) * channels + c] = scene.data[(y * 48 + x) * 3 + c]!;
  }
  return { width, height, channels, data };
}

describe('the program', () => {
  const cli = createCli({ force: false });
  after(() => cli.remove());

  it('fails for a file that was cut, or shows it with a notice; a part that was asked for needs none', () => {
    writeFileSync(cli.file('a.png'), writePng(corpusPicture('scene', { width: 40, height: 30 })));
    cli.works('encode', 'a.png', 'whole.dcz', '-q', '60');
    const whole = readFileSync(cli.file('whole.dcz'));
    const { segments } = info(whole);
    const start = segments[0]!.offset;
    for (const length of [start + 9, (start + whole.length) >> 1, whole.length - 1]) {
      writeFileSync(cli.file('cut.dcz'), whole.subarray(0, length));
      cli.fails(1, /cut\.dcz: the file ends early, after \d+ bytes.*--allow-partial/, 'decode', 'cut.dcz', 'b.png');
      const name = `${length}.png`;
      assert.match(cli.works('decode', 'cut.dcz', name, '--allow-partial').stderr, /^cut\.dcz: the file ends early: /m);
      assert.equal(readPng(readFileSync(cli.file(name))).picture.width, 40);
    }
    const asked = cli.works('decode', 'whole.dcz', 'c.png', '--bytes', String(whole.length >> 1), '--quiet');
    assert.deepEqual([asked.stdout, asked.stderr], ['', '']);
    writeFileSync(cli.file('cut.dcz'), whole.subarray(0, 6));
    cli.fails(1, /cut\.dcz/, 'decode', 'cut.dcz', 'b.png', '--allow-partial');
  });

  it('tells which models there are where a name is wrong', () => {
    cli.fails(1, /cannot read huge: .*; the models of the package are .*small/, 'encode', 'a.png', '--model', 'huge');
  });
});
