/** `--profile message` of `encode` and `decode`. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { after, afterEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { corpusPicture } from '../corpus/pictures.js';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import { barePicture } from '../formats/upright.js';
import { placeholderBytes, placeholderText, type Picture } from '../src/node.js';
import { createCli } from './helpers/cli.js';

const cli = createCli();
after(() => cli.remove());
afterEach(() => cli.clear());
const picture = corpusPicture('scene', { width: 40, height: 30 });

describe('--profile message', () => {
  it('gives a file of so many bytes, and the picture of it back', () => {
    writeFileSync(cli.file('a.png'), writePng(picture));
    const how = ['--profile', 'message', '--effort', '1'];
    const { stderr } = cli.works('encode', 'a.png', ...how, '--size', '90', '--crc', '16', '--size-is-told');
    assert.match(stderr, /tell decode its size: --size 40x30/);
    assert.equal(statSync(cli.file('a.dcmsg')).size, 90);
    cli.works('decode', 'a.dcmsg', 'b.png', '--profile', 'message', '--size', '40x30');
    const { width, height } = readPng(readFileSync(cli.file('b.png'))).picture;
    assert.deepEqual([width, height], [40, 30]);
    cli.fails(2, /tell the size/, 'decode', 'a.dcmsg', 'c.png', '--profile', 'message');
    const hint = /^dcomp: a\.dcmsg: not a \.dcz file: .*; if it is a message, .* dcomp decode --profile message$/m;
    cli.fails(1, hint, 'decode', 'a.dcmsg', 'c.png');
    for (const command of ['info', 'verify']) cli.fails(1, hint, command, 'a.dcmsg');
    mkdirSync(cli.file('sent'));
    renameSync(cli.file('a.dcmsg'), cli.file('sent/a.dcmsg'));
    cli.fails(1, /holds no files in \.dcz; left out: sent.a\.dcmsg$/m, 'decode', 'sent', '-o', 'back');
    renameSync(cli.file('sent/a.dcmsg'), cli.file('a.dcmsg'));
    const small = ['--size', '40x30', '--max-pixels', '1199'];
    cli.fails(1, /more than the limit of 1199/, 'decode', 'a.dcmsg', 'c.png', '--profile', 'message', ...small);
    cli.works('decode', 'a.dcmsg', 'c.png', '--profile', 'message', '--size', '40x30', '--bytes', '50');
  });

  it('what goes with files alone, and what goes with messages alone, is refused', () => {
    writeFileSync(cli.file('a.png'), writePng(picture));
    const refuses = (message: RegExp, ...args: string[]): void => cli.fails(2, message, ...args);
    refuses(/say how long/, 'encode', 'a.png', '--profile', 'message');
    refuses(/--quality is not for messages/, 'encode', 'a.png', '--profile', 'message', '--quality', '40');
    refuses(/--crc is 7/, 'encode', 'a.png', '--profile', 'message', '--size', '90', '--crc', '7');
    refuses(/--crc is for messages/, 'encode', 'a.png', '--crc', '8');
    refuses(/--profile is tiny/, 'encode', 'a.png', '--profile', 'tiny');
    refuses(/--size is for messages/, 'decode', 'a.png', 'b.png', '--size', '4x4');
    refuses(/--tune is not for messages/, 'encode', 'a.png', '--profile', 'message', '--size', '90', '--tune', 'eye');
    refuses(/--seed is not for messages/, 'decode', 'a.png', 'b.png', '--profile', 'message', '--seed', '4');
    refuses(/--crop is not for messages/, 'decode', 'a.png', 'b.png', '--profile', 'message', '--crop', '0,0,1,1');
  });

  it('placeholder: some characters, and the picture of them back', () => {
    writeFileSync(cli.file('a.png'), writePng(picture));
    const how = ['--side', '24', '--bytes', '40', '--model', cli.model];
    const text = cli.works('placeholder', 'a.png', ...how).stdout.trim();
    assert.match(text, /^[\w-]{50,54}$/);
    const { stderr } = cli.works('placeholder', 'b.png', '--decode', text, '--model', cli.model);
    assert.equal(stderr, 'b.png: 24×18 pixels\n');
    const { width, height } = readPng(readFileSync(cli.file('b.png'))).picture;
    assert.deepEqual([width, height], [24, 18]);
    for (const snippet of ['html', 'react'])
      assert.ok(cli.works('placeholder', 'a.png', '--snippet', snippet, ...how).stdout.includes(text));
    cli.fails(2, /--snippet is vue/, 'placeholder', 'a.png', '--snippet', 'vue');
    cli.fails(2, /must be base64url/, 'placeholder', 'c.png', '--decode', 'a+b/c=');
  });

  it('texts of messages are read as they were written', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (bytes) => {
        const text = placeholderText(bytes);
        assert.match(text, /^[\w-]+$/);
        assert.deepEqual([...placeholderBytes(text)], [...bytes]);
      }),
    );
  });

  it('pictures are turned as they are seen, and lose an alpha that says nothing', async () => {
    // 1 2 3 / 4 5 6 by each orientation of EXIF.
    const data = Uint8Array.of(1, 2, 3, 4, 5, 6);
    const shown = ['123456', '321654', '654321', '456123', '142536', '415263', '635241', '362514'];
    for (const [i, samples] of shown.entries()) {
      const given: Picture = { width: 3, height: 2, channels: 1, data, metadata: { orientation: i + 1 } };
      const { picture: turned, notices } = await barePicture(given);
      assert.equal([...turned.data].join(''), samples, `orientation ${i + 1}`);
      assert.deepEqual([turned.width, turned.metadata, notices], [i < 4 ? 3 : 2, undefined, []]);
    }
    const opaque: Picture = { width: 2, height: 1, channels: 4, data: Uint8Array.of(1, 2, 3, 255, 4, 5, 6, 255) };
    assert.deepEqual([...(await barePicture(opaque)).picture.data], [1, 2, 3, 4, 5, 6]);
    opaque.data[3] = 9;
    assert.equal((await barePicture(opaque)).picture.channels, 4);
  });
});
