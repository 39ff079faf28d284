/** The program as a user meets it: run in a process of its own, with its files, streams and exit codes. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { reportError } from '../cli/errors.js';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import { corpusPicture } from '../corpus/pictures.js';
import type { FileInfo } from '../src/index.js';
import type { Channels } from '../src/picture.js';
import { createCli, program, root } from './helpers/cli.js';

describe('command line', () => {
  const cli = createCli();
  const { folder, model, file, works, fails } = cli;
  after(() => cli.remove());
  beforeEach(() => {
    cli.clear();
    writeFileSync(file('small.png'), writePng(corpusPicture('scene', { width: 24, height: 17 })));
  });

  it('tells its version and its commands', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    assert.equal(works('--version').stdout.trim(), version);
    const help = works('--help').stdout;
    for (const command of ['encode', 'decode', 'info', 'eval', 'train'])
      assert.match(help, new RegExp(`dcomp ${command}`));
    for (const option of [
      '--quality',
      '--bpp',
      '--size',
      '--psnr',
      '--effort',
      '--threads',
      '--model',
      '--quiet',
      '--output',
      '--jobs',
      '--skip-existing',
      '--json',
    ]) {
      assert.match(works('encode', '--help').stdout, new RegExp(option));
    }
  });

  it('misuse is refused with exit code 2 and a hint', () => {
    fails(2, /no command .*--help/, '--quiet');
    fails(2, /unknown command: decoed/, 'decoed', 'small.png');
    fails(2, /not enough arguments following: bpp/i, 'encode', 'small.png', 'a.dcz', '--bpp');
    fails(2, /file name is missing: dcomp encode <files\.\.> \(see dcomp help encode\)/, 'encode');
    fails(2, /3 files are named; several inputs need -o/, 'encode', 'small.png', 'two', 'three');
    fails(2, /unknown argument: --qulity \(see dcomp help encode\)/, 'encode', '--qulity', '5', 'small.png');
    fails(2, /quality and --bpp contradict/, 'encode', 'small.png', '-q', '5', '--bpp', '1');
    fails(
      2,
      /bpp and --size and --psnr contradict/,
      'encode',
      'small.png',
      '--psnr',
      '30',
      '--size',
      '100',
      '--bpp',
      '1',
    );
    fails(2, /quality is given 2 times/, 'encode', 'small.png', '-q', '5', '--quality', '6');
    fails(2, /verbose and --quiet contradict/, 'encode', 'small.png', '--verbose', '--quiet');
    for (const [option, values] of Object.entries({
      quality: ['0', '101', 'high', '', '5O', '0x10', 'Infinity', 'NaN'],
      bpp: ['0', '-1', '25', 'x'],
      size: ['0', '-5', '1.5', '1x'],
      psnr: ['0', '1000', 'lossless'],
      effort: ['0', '10', '2.5', 'max'],
      threads: ['0', '-1', '1.5', 'all', '100000'],
      engine: ['cpu', 'WASM', 'gpu'],
    })) {
      for (const value of values) fails(2, new RegExp(`--${option} `), 'encode', 'small.png', `--${option}=${value}`);
    }
    for (const value of ['0', '-1', 'all', '2.5']) fails(2, /--bytes /, 'decode', 'small.dcz', `--bytes=${value}`);
    fails(2, /same file/, 'encode', 'small.png', 'small.png');
    fails(2, /already ends in \.png: dcomp encode makes/, 'decode', 'small.png');
    fails(2, /already ends in \.dcz: dcomp decode makes/, 'encode', 'small.dcz');
    fails(1, /is a picture \(PNG\), not a \.dcz file; dcomp encode/, 'decode', 'small.png', 'x.png');
    fails(1, /is a picture \(PNG\)/, 'info', 'small.png');
    works('encode', 'small.png', 'own.dcz');
    fails(1, /is a \.dcz file already; dcomp decode/, 'encode', 'own.dcz', 'x.dcz');
    fails(2, /--\w+ is missing/, 'train');
  });

  it('files that cannot be read or written are named, with exit code 1', () => {
    mkdirSync(file('folder'));
    writeFileSync(file('plain'), 'x');
    fails(1, /cannot read nothing\.png: there is no such file/, 'encode', 'nothing.png');
    fails(2, /folder is a folder; say with -o/, 'encode', 'folder', 'x.dcz');
    fails(1, /the folder folder holds no files in \.dcz/, 'info', 'folder');
    fails(1, /cannot read folder: it is a folder/, 'encode', 'small.png', '--model', 'folder');
    fails(1, /cannot write no\/x\.dcz: there is no such file or folder/, 'encode', 'small.png', 'no/x.dcz');
    fails(1, /cannot write folder: it is a folder/, 'encode', 'small.png', 'folder');
    fails(1, /cannot write plain\/x\.dcz: a part of the path is not a folder/, 'encode', 'small.png', 'plain/x.dcz');
    fails(1, /cannot read nothing\.dcm/, 'encode', 'small.png', '--model', 'nothing.dcm');
    fails(1, /cannot read nothing\.dcz/, 'decode', 'nothing.dcz');
    fails(1, /cannot read nothing\.dcz/, 'info', 'nothing.dcz');
    fails(1, /cannot read a b: there/, 'info', 'a\nb');
  });

  it('input that is not what it should be is refused, with exit code 1', () => {
    writeFileSync(file('empty'), '');
    writeFileSync(
      file('text.txt'),
      'some text, which is no picture and no coded picture either, but long enough to be looked at',
    );
    const png = readFileSync(file('small.png'));
    writeFileSync(file('cut.png'), png.subarray(0, png.length >> 1));
    fails(1, /^dcomp: empty: .*empty/, 'encode', 'empty');
    mkdirSync(file('own'));
    for (const to of ['new/deep/', 'own/'])
      fails(1, /^dcomp: text\.txt: not a picture/, 'encode', 'text.txt', '-o', to);
    assert.deepEqual([existsSync(file('new')), existsSync(file('own'))], [false, true]);
    fails(1, /^dcomp: cut\.png: damaged PNG/, 'encode', 'cut.png');
    assert.match(works('encode', 'cut.png', '--allow-damaged', '--quiet').stderr, /cut\.png: .* % of them can be read/);
    fails(1, /^dcomp: empty: .*empty/, 'decode', 'empty');
    fails(1, /^dcomp: text\.txt: /, 'decode', 'text.txt');
    fails(1, /^dcomp: small\.png: /, 'decode', 'small.png', 'out.png');
    fails(1, /^dcomp: empty: /, 'info', 'empty');
    fails(1, /^dcomp: text\.txt: /, 'info', 'text.txt', '--json');
    fails(1, /^dcomp: .*model/i, 'encode', 'small.png', '--model', 'text.txt');
  });

  it('pictures of every kind come back with their size and kind; alpha unchanged', () => {
    for (const [name, channels] of [
      ['grey-scene', 1],
      ['grey-alpha-disc', 2],
      ['scene', 3],
      ['rgba-balls', 4],
    ] as [string, Channels][]) {
      const picture = corpusPicture(name, { width: 21, height: 13 });
      writeFileSync(file('in.png'), writePng(picture));
      const { stdout } = works('encode', 'in.png', '--threads', '1');
      assert.equal(stdout, '');
      works('decode', 'in.dcz', 'out.png', '--threads', '2');
      const { picture: back } = readPng(readFileSync(file('out.png')));
      assert.deepEqual([back.width, back.height, back.channels], [21, 13, channels]);
      if (channels % 2 === 0) {
        for (let i = channels - 1; i < back.data.length; i += channels) assert.equal(back.data[i], picture.data[i]);
      }
      const found = JSON.parse(works('info', 'in.dcz', '--json').stdout) as FileInfo;
      assert.deepEqual([found.width, found.height, found.channels], [21, 13, channels]);
      assert.equal(found.byteLength, readFileSync(file('in.dcz')).length);
    }
  });

  it('the output has the name of the input by default', () => {
    works('encode', 'small.png');
    works('decode', 'small.dcz');
    assert.deepEqual(readdirSync(folder).sort(), ['small.dcz', 'small.png']);
  });

  it('a symbolic link as output stays one; a device is written to', () => {
    writeFileSync(file('target.dcz'), '');
    symlinkSync('target.dcz', file('link.dcz'));
    works('encode', 'small.png', 'link.dcz');
    assert.ok(lstatSync(file('link.dcz')).isSymbolicLink());
    assert.ok(readFileSync(file('target.dcz')).length > 0);
    if (existsSync('/dev/null')) {
      works('encode', 'small.png', '/dev/null');
      assert.ok(lstatSync('/dev/null').isCharacterDevice());
    }
  });

  it('names that begin with a dash, look like numbers or hold spaces are names', () => {
    for (const name of ['-dash.png', '123', 'with space.png', 'ümläut.png']) {
      writeFileSync(file(name), readFileSync(file('small.png')));
      works('encode', '--quiet', '--', name, 'out.dcz');
    }
  });

  it('--size is never exceeded; --bytes decodes a prefix', () => {
    works('encode', 'small.png', '--size', '300');
    assert.ok(readFileSync(file('small.dcz')).length <= 300);
    works('encode', 'small.png', 'fine.dcz', '--bpp', '8');
    works('decode', 'fine.dcz', 'coarse.png', '--bytes', '200');
    const { picture } = readPng(readFileSync(file('coarse.png')));
    assert.deepEqual([picture.width, picture.height], [24, 17]);
  });

  it('--quiet says nothing, the default one line, -v the figures; notices name the file', () => {
    assert.equal(works('encode', 'small.png', '--quiet').stderr, '');
    assert.match(works('encode', 'small.png').stderr, /^small\.dcz: \d+ bytes, \d+\.\d{3} bits per pixel\n$/);
    assert.match(works('encode', 'small.png', '-v').stderr, /seconds: /);
    writeFileSync(
      file('turned.png'),
      writePng({ ...corpusPicture('scene', { width: 3, height: 2 }), metadata: { orientation: 6 } }),
    );
    const none = ['--metadata', 'none'];
    assert.match(
      works('encode', 'turned.png', ...none).stderr,
      /^turned\.png: the orientation is not kept; [^\n]*\nturned\.dcz: /,
    );
    assert.equal(works('encode', 'turned.png', '--quiet', ...none).stderr, '');
    assert.match(works('decode', 'small.dcz', 'x.png').stderr, /^x\.png: 24×17 pixels\n$/);
  });

  it('info as text tells size, model and segments', () => {
    works('encode', 'small.png');
    const { stdout } = works('info', 'small.dcz');
    assert.match(stdout, /24×17/);
    assert.match(stdout, /, model .*, at level 0 trellises of 2\^15 states for signs and 2\^13 for points, /);
  });

  it('info lists the first and last of many segments, all of them on request', () => {
    const picture = corpusPicture('scene', { width: 2400, height: 9 });
    writeFileSync(file('long.png'), writePng(picture));
    works('encode', 'long.png', '--effort', '1', '-q', '60');
    const { segments } = JSON.parse(works('info', 'long.dcz', '--json').stdout) as FileInfo;
    assert.ok(segments.length > 20);
    const lines = (...args: string[]): string[] =>
      works('info', 'long.dcz', ...args)
        .stdout.split('\n')
        .filter((line) => /^ *\d+ |^…/.test(line));
    const all = lines('--all-segments');
    assert.equal(all.length, segments.length);
    const some = lines();
    assert.deepEqual([...some.slice(0, 6), ...some.slice(7)], [...all.slice(0, 6), ...all.slice(-6)]);
    const bytes = segments.slice(6, -6).reduce((sum, { byteLength }) => sum + byteLength, 0);
    assert.equal(some[6], `… ${segments.length - 12} more segments, ${bytes} bytes (--all-segments lists them)`);
  });

  it('a pipe that closes early is no error', () => {
    works('encode', 'small.png');
    const { status, stderr } = spawnSync(
      '/bin/sh',
      ['-c', `"${process.execPath}" "${program}" info small.dcz --json | head -c 1`],
      {
        cwd: folder,
        encoding: 'utf8',
      },
    );
    assert.deepEqual([status, stderr], [0, '']);
  });

  it('a failure leaves the output that was there', () => {
    works('encode', 'small.png');
    const bytes = readFileSync(file('small.dcz'));
    bytes[bytes.length - 3]! ^= 0xff;
    bytes[bytes.length - 9]! ^= 0xff; // one byte would be repaired
    writeFileSync(file('bad.dcz'), bytes);
    writeFileSync(file('bad.png'), 'precious');
    fails(1, /^dcomp: bad\.dcz: .*damaged/i, 'decode', 'bad.dcz');
    assert.equal(readFileSync(file('bad.png'), 'latin1'), 'precious');
    const { stderr } = works('decode', 'bad.dcz', '--allow-damaged', '--quiet');
    assert.match(stderr, /damaged/i);
    assert.equal(readPng(readFileSync(file('bad.png'))).picture.width, 24);
  });

  it('one wrong byte in the header is repaired on the way, if damage is allowed', () => {
    works('encode', 'small.png', 'whole.dcz');
    const { stdout } = works('decode', 'whole.dcz', 'whole.png', '--json');
    const bytes = readFileSync(file('whole.dcz'));
    bytes[5]! ^= 1;
    writeFileSync(file('header.dcz'), bytes);
    fails(1, /^dcomp: header\.dcz: .*header is damaged.*--allow-damaged/, 'decode', 'header.dcz', 'no.png');
    fails(
      1,
      /^dcomp: header\.dcz: the header is damaged.*byte offset 5\) can be repaired: .*dcomp repair/,
      'info',
      'header.dcz',
    );
    const told = works('decode', 'header.dcz', 'header.png', '--json', '--allow-damaged');
    assert.ok(readFileSync(file('header.png')).equals(readFileSync(file('whole.png'))));
    const [before, after] = [stdout, told.stdout].map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.match(String(after!.damage), /^repaired header: byte 5 /);
    assert.deepEqual([after!.bitsPerPixel, after!.realBits], [before!.bitsPerPixel, before!.realBits]);
  });

  it("an error of the program's own is one line, and where it arose is told on request only", (context) => {
    let said = '';
    context.mock.method(process.stderr, 'write', (text: string) => {
      said += text;
      return true;
    });
    const codes = [reportError(new TypeError('x is not\na function'), false), reportError(new TypeError('y'), true)];
    context.mock.restoreAll();
    assert.deepEqual(codes, [1, 1]);
    const [first, second, ...trace] = said.trimEnd().split('\n');
    assert.match(first, /^dcomp: internal error.*x is not a function.*-v/);
    assert.match(second, /^dcomp: internal error.*y$/);
    assert.match(trace.join('\n'), /TypeError: y\n\s+at /);
  });

  // Signals are heard between the steps of the codec, if it lets the event loop turn there.
  const noSignals = process.platform === 'win32' ? 'no signals on this system' : false;
  it('Ctrl-C leaves nothing behind', { skip: noSignals }, async () => {
    writeFileSync(file('large.png'), writePng(corpusPicture('scene', { width: 768, height: 512 })));
    const child = spawn(
      process.execPath,
      [program, 'encode', 'large.png', '-o', 'new/deep/', '--model', model, '--effort', '9', '-q', '95'],
      { cwd: folder, stdio: 'ignore' },
    );
    const ended = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)));
    const hidden = (): string[] => cli.files().filter((name) => name.endsWith('.tmp'));
    while (hidden().length === 0 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(hidden().length, 1, 'no temporary file seen');
    child.kill('SIGINT');
    assert.equal(await ended, 130);
    assert.deepEqual(readdirSync(folder).sort(), ['large.png', 'small.png']);
  });

  it('--roi and --roi-mask say what matters; what they cannot mean is refused', () => {
    works('encode', 'small.png', 'roi.dcz', '--roi', '0,0,8,8', '--roi', '16,0,8,8:1/4');
    assert.match(works('info', 'roi.dcz').stdout, /regions/);
    works('encode', 'small.png', 'mask.dcz', '--roi-mask', 'small.png');
    assert.match(works('info', 'mask.dcz').stdout, /regions/);
    fails(2, /x,y,width,height/, 'encode', 'small.png', '--roi', '1,2,3');
    const outside = /the region \(x 20, .*24×17 pixels: x and y .* 0, x \+ width at most 24, y \+ height at most 17$/m;
    fails(2, outside, 'encode', 'small.png', '--roi', '20,0,8,8');
    for (const weight of ['0', '1/257', '300'])
      fails(
        2,
        /--roi is .* its weight must be from 1\/256 to 256/,
        'encode',
        'small.png',
        '--roi',
        `0,0,8,8:${weight}`,
      );
    fails(2, /contradict/, 'encode', 'small.png', '--roi', '0,0,8,8', '--roi-mask', 'small.png');
    writeFileSync(file('other.png'), writePng(corpusPicture('scene', { width: 9, height: 9 })));
    fails(2, /of one size/, 'encode', 'small.png', '--roi-mask', 'other.png');
  });

  it('--crop decodes a rectangle of the picture, or of the smaller one of --scale; what is none is refused', () => {
    works('encode', 'small.png', '-q', '60');
    works('decode', 'small.dcz', 'whole.png');
    const { picture: whole } = readPng(readFileSync(file('whole.png')));
    const { stdout } = works('decode', 'small.dcz', 'part.png', '--crop', '5,4,3,11', '--json');
    const { picture: part } = readPng(readFileSync(file('part.png')));
    assert.deepEqual([part.width, part.height], [3, 11]);
    const row = (y: number): Uint8Array =>
      Uint8Array.from(whole.data.subarray(3 * (24 * (4 + y) + 5), 3 * (24 * (4 + y) + 8)));
    assert.deepEqual(Buffer.from(part.data), Buffer.concat(Array.from({ length: 11 }, (_, y) => row(y))));
    const { width, height, work } = JSON.parse(stdout) as { width: number; height: number; work: number };
    assert.ok(width === 3 && height === 11 && work > 0);
    works('decode', 'small.dcz', 'part.png', '--crop', '11,8,1,1', '--scale', '1/2');
    for (const crop of ['1,2,3', '1,2,0,3', '1,2,3,0', '1.5,2,3,4', '1,2,3,4,5', 'a,b,c,d'])
      fails(2, /--crop is .*x,y,width,height/, 'decode', 'small.dcz', 'no.png', '--crop', crop);
    fails(
      2,
      /the crop \(x 20, y 0, width 5, height 5\) is not within the picture of 24×17 pixels: .* at most 24, .* at most 17$/m,
      'decode',
      'small.dcz',
      'no.png',
      '--crop',
      '20,0,5,5',
    );
    const smaller =
      /at the scale of 1\/2 the crop .* not within the picture of 12×9 pixels: .* at most 12, .* at most 9$/m;
    fails(2, smaller, 'decode', 'small.dcz', 'no.png', '--crop', '12,0,1,1', '--scale', '0.5');
    fails(2, /2 times/, 'decode', 'small.dcz', 'no.png', '--crop', '1,1,1,1', '--crop', '2,2,1,1');
    assert.ok(!existsSync(file('no.png')));
  });

  it('refuses pictures above --max-pixels, before anything is made of them', () => {
    works('encode', 'small.png');
    for (const args of [
      ['encode', 'small.png', 'other.dcz'],
      ['decode', 'small.dcz', 'other.png'],
    ]) {
      const { code, stderr } = cli.dcomp(...args, '--max-pixels', '407');
      assert.equal(code, 1);
      assert.match(stderr, /24×17.* 407;/);
      assert.ok(!existsSync(join(folder, args[2]!)));
      works(...args, '--max-pixels', '408');
      assert.equal(cli.dcomp(...args, '--max-pixels', '0').code, 2);
      assert.equal(cli.dcomp(...args, '--max-pixels', '268435457').code, 2);
    }
  });
});
