/** `dcomp packets`: from a picture to messages and from what arrived of them to a picture. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { corpusPicture } from '../corpus/pictures.js';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import { createCli } from './helpers/cli.js';

const cli = createCli();
after(() => cli.remove());
afterEach(() => cli.clear());

const MODEL = ['--model', cli.model, '--effort', '1', '--threads', '1'];
const picture = (): void =>
  writeFileSync(cli.file('a.png'), writePng(corpusPicture('scene', { width: 64, height: 48 })));
const pixels = (name: string): Uint8Array => readPng(readFileSync(cli.file(name))).picture.data as Uint8Array;

describe('dcomp packets', () => {
  it('writes a folder of packets, and gives the same pixels from any that are enough', () => {
    picture();
    cli.works('packets', 'encode', 'a.png', '--bytes', '60', '--count', '6', '--redundancy', '50%', ...MODEL);
    const names = readdirSync(cli.file('a-packets'));
    assert.equal(names.length, 6);
    assert.ok(names.every((name) => readFileSync(join(cli.file('a-packets'), name)).length === 60));
    cli.works('packets', 'decode', 'a-packets', 'whole.png', '--model', cli.model);
    for (const name of [names[0]!, names[4]!]) rmSync(join(cli.file('a-packets'), name));
    copyFileSync(join(cli.file('a-packets'), names[2]!), join(cli.file('a-packets'), 'again'));
    writeFileSync(join(cli.file('a-packets'), 'stranger'), 'no packet at all');
    const { stderr } = cli.works('packets', 'decode', 'a-packets', 'some.png', '--model', cli.model);
    assert.match(stderr, /4 packets of 4 that are enough, 2 others left out/);
    assert.deepEqual(pixels('some.png'), pixels('whole.png'));
  });

  it('with fewer shows what it can, and says so', () => {
    picture();
    const how = ['--link', 'lora-dr0', '--count', '5', '--preview', '36/2'];
    cli.works('packets', 'encode', 'a.png', 'sent.txt', ...how, ...MODEL);
    const lines = readFileSync(cli.file('sent.txt'), 'utf8').trim().split('\n');
    assert.equal(lines.length, 5);
    mkdirSync(cli.file('got'));
    writeFileSync(cli.file('got/1.txt'), `${lines[3]}\n`);
    appendFileSync(cli.file('got/1.txt'), 'not base64!\n');
    cli.fails(1, /none of them holds its beginning/, 'packets', 'decode', 'got', 'none.png', '--model', cli.model);
    writeFileSync(cli.file('got/2'), Buffer.from(lines[4]!, 'base64'));
    const { code, stderr } = cli.dcomp('packets', 'decode', 'got', 'part.png', '--model', cli.model);
    assert.equal(code, 1);
    assert.match(stderr, /2 packets of 5 that are enough, 1 others left out; a coarser picture, of 36 bytes/);
    assert.equal(pixels('part.png').length, 64 * 48 * 3);
  });

  it('of several pictures names the others, and leaves unread what is longer than any packet', () => {
    picture();
    for (const size of ['90', '120'])
      cli.works('packets', 'encode', 'a.png', `sent-${size}`, '--bytes', size, '--count', '1', ...MODEL);
    mkdirSync(cli.file('all'));
    for (const size of ['90', '120'])
      copyFileSync(cli.file(`sent-${size}/a-000.packet`), cli.file(`all/${size}.packet`));
    writeFileSync(cli.file('all/long'), '');
    truncateSync(cli.file('all/long'), 2 ** 32);
    const { stderr } = cli.works('packets', 'decode', 'all', 'one.png', '--model', cli.model);
    const [, id] = /2 others left out \(--id (\d+) is another picture\)/.exec(stderr) ?? [];
    assert.ok(id !== undefined, stderr);
    const other = cli.works('packets', 'decode', 'all', 'two.png', '--id', id, '--model', cli.model);
    assert.match(other.stderr, new RegExp(`picture ${id}: 1 packets of 1`));
  });

  it('sends .dcz files as they are', () => {
    picture();
    cli.works('encode', 'a.png', 'a.dcz', '--size', '300', '--effort', '1');
    cli.works('packets', 'encode', 'a.dcz', 'a.txt', '--link', 'sms', '--redundancy', '1');
    cli.works('packets', 'decode', 'a.txt', 'b.png', '--model', cli.model);
    cli.works('decode', 'a.dcz', 'c.png');
    assert.deepEqual(pixels('b.png'), pixels('c.png'));
  });

  it('refuses by name what makes no sense', () => {
    picture();
    const refuses = (message: RegExp, ...args: string[]): void =>
      cli.fails(2, message, 'packets', 'encode', 'a.png', 'o.txt', ...args);
    refuses(/by --bytes or by --link/, '--count', '3');
    refuses(/by --bytes or by --link/, '--count', '3', '--bytes', '51', '--link', 'lora');
    refuses(/--link is wifi/, '--count', '3', '--link', 'wifi');
    refuses(/how many packets there are to be/, '--link', 'lora');
    refuses(/contradict/, '--link', 'lora', '--count', '3', '--quality', '30');
    refuses(/--redundancy is half/, '--link', 'lora', '--count', '3', '--redundancy', 'half');
    refuses(/--preview is a/, '--link', 'lora', '--count', '3', '--preview', 'a');
    cli.fails(2, /name the picture/, 'packets', 'decode', 'a.png');
    cli.fails(1, /none of the 1 messages is a packet of picture 5/, 'packets', 'decode', 'a.png', 'b.png', '--id', '5');
  });
});
