/** The program with streams, and with many files at once. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, sep } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { sourcesOf } from '../cli/batch/sources.js';
import { fillTemplate } from '../cli/batch/template.js';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import { corpusPicture } from '../corpus/pictures.js';
import type { FileInfo } from '../src/index.js';
import { codeOfError } from './helpers/outcome.js';
import { createCli, program } from './helpers/cli.js';

const NAMES = ['scene', 'glyphs', 'grey-scene', 'rgba-balls'];

function png(name: string, width = 24, height = 17): Uint8Array {
  return writePng(corpusPicture(name, { width, height }));
}

const cli = createCli();
const { file, files, piped, works, fails } = cli;
after(() => cli.remove());
beforeEach(() => cli.clear());

/** in/scene.png, in/deep/glyphs.png and so on, and files that are no pictures. */
function makeTree(): string[] {
  for (const folder of ['in', 'in/deep', 'in/deep/er']) mkdirSync(file(folder));
  const places = ['in', 'in/deep', 'in/deep', 'in/deep/er'];
  const paths = NAMES.map((name, i) => `${places[i]}/${name}.png`);
  for (const [i, path] of paths.entries()) writeFileSync(file(path), png(NAMES[i]!));
  writeFileSync(file('in/notes.txt'), 'no picture');
  writeFileSync(file('in/.hidden.png'), 'no picture');
  return paths;
}

const lines = (text: string): string[] => text.split('\n').slice(0, -1);

describe('streams', () => {
  it('- is stdin and stdout, and gives the same as files', () => {
    writeFileSync(file('a.png'), png('scene'));
    works('encode', 'a.png', 'a.dcz');
    works('decode', 'a.dcz', 'b.png');
    const coded = readFileSync(file('a.dcz'));
    const decoded = readFileSync(file('b.png'));
    for (const args of [['-'], ['-', '-'], ['-', '-o', '-'], ['--', '-']]) {
      const encoding = piped(png('scene'), 'encode', ...args);
      assert.deepEqual([encoding.code, encoding.stdout], [0, coded], `encode ${args.join(' ')}: ${encoding.stderr}`);
      assert.match(encoding.stderr, /^stdout: \d+ bytes/);
      assert.deepEqual(piped(coded, 'decode', ...args).stdout, decoded, `decode ${args.join(' ')}`);
    }
    assert.deepEqual(piped(new Uint8Array(0), 'encode', 'a.png', '-').stdout, coded);
    assert.deepEqual(piped(new Uint8Array(0), 'decode', '--quiet', '-o', '-', 'a.dcz').stdout, decoded);
    piped(coded, 'decode', '-', 'c.png');
    assert.deepEqual(readFileSync(file('c.png')), decoded);
    const found = piped(coded, 'info', '-', '--json');
    // Seconds are estimated from a measurement each time.
    const facts = (json: string): unknown => ({ ...(JSON.parse(json) as object), estimatedSeconds: undefined });
    assert.deepEqual(facts(found.stdout.toString()), facts(works('info', 'a.dcz', '--json').stdout));
    assert.match(piped(coded, 'info', '-').stdout.toString(), /^stdin: 24×17/);
  });

  it('what is wrong with a stream is said of stdin', () => {
    fails(1, /^dcomp: stdin: .*empty/, 'encode', '-');
    fails(1, /^dcomp: stdin: .*empty/, 'decode', '-', 'x.png');
    fails(1, /^dcomp: stdin: .*empty/, 'info', '-');
    writeFileSync(file('a.png'), png('scene'));
    fails(2, /--json and the output - /, 'encode', '--json', 'a.png', '-');
    fails(2, /stdin.* single file/, 'encode', '-', 'a.png', '-o', 'out');
    fails(2, /stdout.* single file/, 'encode', 'a.png', 'b.png', '-o', '-');
  });

  it('a pipe that closes early is no error', () => {
    writeFileSync(file('a.png'), png('scene', 200, 150));
    const command = `"${process.execPath}" "${program}" encode a.png - --quiet --model "${cli.model}" | head -c 1`;
    const { status, stderr } = spawnSync('/bin/sh', ['-c', command], { cwd: cli.folder, encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, '']);
  });
});

describe('many files', () => {
  it('a folder keeps its shape; threads and jobs change nothing; the lines come in order', () => {
    const inputs = makeTree();
    const expected = inputs.map((input) => {
      works('encode', input, 'one.dcz');
      return readFileSync(file('one.dcz'));
    });
    const order = ['in/deep/er/rgba-balls', 'in/deep/glyphs', 'in/deep/grey-scene', 'in/scene'];
    for (const [i, options] of [
      ['--jobs', '1'],
      ['--jobs', '2', '--threads', '2'],
      ['--jobs', '3', '--threads', '7'],
      [],
    ].entries()) {
      const out = `out${i}`;
      const { stderr, stdout } = works('encode', 'in', '-o', out, ...options);
      assert.equal(stdout, '');
      for (const [k, input] of inputs.entries())
        assert.deepEqual(readFileSync(file(input.replace(/^in/, out).replace('png', 'dcz'))), expected[k]);
      const said = lines(stderr);
      const bytes = expected.reduce((sum, { length }) => sum + length, 0);
      assert.deepEqual(
        said.slice(0, -1).map((line) => line.replace(/\.dcz: \d+ bytes, .*/, '')),
        order.map((path) => path.replace(/^in/, out)),
      );
      assert.match(said[4]!, new RegExp(`^4 done, 0 failed, \\d+ bytes → ${bytes} bytes in [\\d.]+ s$`));
    }
    works('decode', 'out1', '-o', 'back', '--jobs', '2', '--quiet');
    for (const input of inputs) {
      works('decode', input.replace(/^in/, 'out0').replace('png', 'dcz'), 'one.png');
      assert.deepEqual(readFileSync(file(input.replace(/^in/, 'back'))), readFileSync(file('one.png')));
    }
  });

  it('names by a pattern', async () => {
    makeTree();
    works('encode', 'in/scene.png', 'in/deep/glyphs.png', '-q', '30', '-o', 'out/{name}-{quality}-{effort}.dcz');
    assert.deepEqual(
      files().filter((name) => name.startsWith('out')),
      ['out/glyphs-30-default.dcz', 'out/scene-30-default.dcz'],
    );
    works('encode', 'in', '--bpp', '4.5', '-o', '{{x}}/{dir}/{ext}/{name}.{bpp}');
    assert.deepEqual(
      files().filter((name) => name.startsWith('{')),
      ['{x}/deep/er/png/rgba-balls.4.5', '{x}/deep/png/glyphs.4.5', '{x}/deep/png/grey-scene.4.5', '{x}/png/scene.4.5'],
    );
    fails(2, /\{quality\}, but --quality is not given/, 'encode', 'in', '--size', '999', '-o', 'x/{name}-{quality}');
    fails(2, /\{nmae\}; there are \{name\}, \{ext\}, \{dir\}/, 'encode', 'in', '-o', 'x/{nmae}');
    fails(2, /\{constructor\}; there are/, 'encode', 'in', '-o', 'x/{constructor}');
    fails(2, /brace alone/, 'decode', 'in/scene.png', '-o', 'x/{name');
    assert.equal(fillTemplate('{{{a}}}{a}', { a: 'x$1{b}' }), '{x$1{b}}x$1{b}');
    assert.equal(await codeOfError(() => fillTemplate('}', {})), 'E_USAGE');
  });

  it('a pattern keeps the folders below what stands for itself, also where braces hold slashes', async () => {
    makeTree();
    for (const pattern of ['in/{deep,deep/er}/{glyphs,rgba-balls}.png', 'in/{deep/er/rgba-balls,deep/glyphs}.png']) {
      const found = await sourcesOf(file(pattern), { accepts: ['.png'] }, []);
      assert.deepEqual(found.map(({ folder }) => folder).sort(), ['deep', join('deep', 'er')]);
    }
  });

  it('patterns lead out of a folder and back, and find what lies below the one that is worked in', async () => {
    makeTree();
    const before = process.cwd();
    process.chdir(file('in/deep'));
    try {
      for (const [pattern, found] of [
        ['../*/*.png', ['deep->glyphs.png', 'deep->grey-scene.png']],
        [`${file('in')}/*/*.png`, ['deep->glyphs.png', 'deep->grey-scene.png']],
        ['../{.,deep/er}/*.png', ['.->scene.png', 'deep/er->rgba-balls.png']],
        ['{..,er}/*.png', ['.->scene.png', 'deep/er->rgba-balls.png']],
        ['{./er/*,../{scene,none},glyphs}.png', ['.->scene.png', 'deep->glyphs.png', 'deep/er->rgba-balls.png']],
        ['e?/{.,../er,..}/*s.png', ['.->glyphs.png', 'er->rgba-balls.png']],
      ] as const) {
        const sources = await sourcesOf(pattern, { accepts: ['.png'] }, []);
        const told = sources.map(({ path, folder }) => `${folder.split(sep).join('/')}->${basename(path)}`);
        assert.deepEqual(told.sort(), found, pattern);
        assert.ok(sources.every(({ stats }) => stats?.isFile() === true));
      }
    } finally {
      process.chdir(before);
    }
    const much = '{a/,b/}'.repeat(40) + '*.png';
    assert.equal(await codeOfError(() => sourcesOf(much, { accepts: ['.png'] }, [])), 'E_USAGE');
  });

  it('-o with one file is a file, or a folder where it ends in a slash or is one', () => {
    writeFileSync(file('a.png'), png('scene'));
    works('encode', 'a.png', '-o', 'x');
    works('encode', 'a.png', '-o', 'folder/');
    works('encode', 'a.png', '-o', 'folder/deep/');
    works('encode', 'a.png', '-o', 'folder');
    assert.deepEqual(files(), ['a.png', 'folder/a.dcz', 'folder/deep/a.dcz', 'x']);
    fails(1, /cannot write no\/x: there is no such file or folder/, 'encode', 'a.png', '-o', 'no/x');
  });

  it('what would lose a file is refused before anything is written', () => {
    makeTree();
    writeFileSync(file('in/deep/scene.png'), png('bricks'));
    fails(
      2,
      /in\/scene\.png and in\/deep\/scene\.png would have the same output, out\/scene\.dcz/,
      'encode',
      'in/scene.png',
      'in/deep/scene.png',
      '-o',
      'out',
    );
    fails(2, /same output, one\.dcz/, 'encode', 'in', '-o', 'one.dcz/../one.dcz{{}}/../{ext}/../one.dcz');
    fails(2, /scene\.png is named twice/, 'encode', 'in/scene.png', './in/deep/../scene.png', '-o', '{name}.dcz');
    fails(2, /in\/scene\.png is named twice/, 'encode', 'in', 'in/scene.png', '-o', 'out');
    fails(
      2,
      /in\/deep\/scene\.png of in\/scene\.png is an input, too/,
      'encode',
      'in/scene.png',
      'in/deep/scene.png',
      '-o',
      'in/deep/{name}.{ext}',
    );
    fails(2, /input and output are the same file/, 'encode', 'in', '-o', 'in/{dir}/{name}.png');
    // `dcomp encode *.png` where there are two.
    fails(2, /in\/deep\/scene\.png has the name of an input/, 'encode', 'in/scene.png', 'in/deep/scene.png');
    fails(2, /new\.dcz has the name of an input/, 'decode', 'x.dcz', 'new.dcz');
    // Two names of one folder, and a file with two names.
    mkdirSync(file('out'));
    symlinkSync('out', file('link'));
    linkSync(file('in/scene.png'), file('twin'));
    symlinkSync('in/scene.png', file('via'));
    fails(2, /same output/, 'encode', 'in/scene.png', 'in/deep/glyphs.png', '-o', '{dir}/link/../out/x.dcz');
    fails(2, /same file, twin/, 'encode', 'in/scene.png', 'twin');
    fails(2, /same file, via/, 'encode', 'in/scene.png', '-o', 'via');
  });

  it('a file that fails is told, and the others are done', () => {
    const inputs = makeTree();
    writeFileSync(file('in/deep/broken.png'), png('scene').subarray(0, 60));
    for (const jobs of ['1', '2']) {
      const outcome = cli.dcomp('encode', 'in', 'missing.png', '-o', `out${jobs}`, '--jobs', jobs, '--threads', '2');
      assert.equal(outcome.code, 1);
      const said = lines(outcome.stderr);
      assert.equal(said.length, 7, outcome.stderr);
      assert.match(said[0]!, /^dcomp: in\/deep\/broken\.png: damaged PNG/);
      assert.match(said[5]!, /^dcomp: cannot read missing\.png: there is no such file/);
      assert.match(said[6]!, /^4 done, 2 failed, /);
      assert.deepEqual(files().filter((name) => name.startsWith(`out${jobs}`)).length, inputs.length);
    }
    const { code, stderr } = cli.dcomp('encode', 'in', '-o', 'quiet', '--quiet');
    assert.deepEqual([code, lines(stderr).length], [1, 1]);
    writeFileSync(file('occupied'), '');
    assert.match(cli.dcomp('encode', 'in', '-o', 'occupied').stderr, /^dcomp: cannot make the folder occupied\/deep/);
    fails(1, /not a model|model/i, 'encode', 'in', '-o', 'out', '--model', 'in/notes.txt');
    mkdirSync(file('empty'));
    fails(1, /folder empty holds no files in \.png/, 'encode', 'empty', '-o', 'out');
    fails(1, /folder in holds no files in \.dcz/, 'decode', 'in', '-o', 'out');
  });

  it('existing outputs are left as they are with --skip-existing, which does not even look at the input', () => {
    makeTree();
    mkdirSync(file('out'));
    writeFileSync(file('out/scene.dcz'), 'old');
    utimesSync(file('out/scene.dcz'), 1, 1);
    const { stderr } = works('encode', 'in', '-o', 'out', '--skip-existing');
    assert.match(stderr, /^out\/scene\.dcz: exists, skipped$/m);
    assert.match(stderr, /^3 done, 0 failed, 1 skipped, /m);
    assert.equal(readFileSync(file('out/scene.dcz'), 'latin1'), 'old');
    assert.equal(statSync(file('out/scene.dcz')).mtimeMs, 1000);
    assert.match(works('encode', 'in', '-o', 'out', '--skip-existing').stderr, /0 done, 0 failed, 4 skipped, 0 bytes/);
    assert.match(works('encode', 'in/scene.png', 'out/scene.dcz', '--skip-existing').stderr, /exists, skipped/);
  });

  it('--json prints a line a file, in order, with the figures of the file', () => {
    makeTree();
    writeFileSync(file('in/deep/broken.png'), png('scene').subarray(0, 60));
    const coded = cli.dcomp('encode', 'in', '-o', 'out', '--json', '--jobs', '2', '--threads', '2');
    assert.equal(coded.code, 1);
    const records = lines(coded.stdout).map((line) => JSON.parse(line));
    assert.deepEqual(
      records.map(({ output }) => output),
      [
        'out/deep/broken.dcz',
        'out/deep/er/rgba-balls.dcz',
        'out/deep/glyphs.dcz',
        'out/deep/grey-scene.dcz',
        'out/scene.dcz',
      ],
    );
    const [failed, ...done] = records;
    assert.deepEqual([failed.status, failed.error.code], ['failed', 'E_DAMAGED_PNG']);
    for (const record of done) {
      const found = JSON.parse(works('info', record.output, '--json').stdout) as FileInfo;
      assert.equal(record.status, 'done');
      assert.equal(record.inputBytes, readFileSync(file(record.input)).length);
      assert.deepEqual([record.width, record.height, record.channels], [found.width, found.height, found.channels]);
      assert.deepEqual([record.outputBytes, record.bitsPerPixel], [found.byteLength, found.bitsPerPixel]);
      assert.ok(record.realBits > 0 && record.idealBits > 0 && record.evaluations > 0 && record.work > 0);
      for (const part of ['read', 'code', 'write']) assert.ok(record.seconds[part] >= 0, part);
      assert.deepEqual([record.notices, record.damage], [[], []]);
    }
    const one = works('decode', 'out/scene.dcz', '-o', 'back.png', '--json');
    assert.equal(one.stderr, '');
    const back = JSON.parse(one.stdout);
    const { segments, bitsPerPixel } = JSON.parse(works('info', 'out/scene.dcz', '--json').stdout) as FileInfo;
    assert.deepEqual(
      [back.input, back.output, back.status, back.width, back.height, back.truncated],
      ['out/scene.dcz', 'back.png', 'done', 24, 17, false],
    );
    assert.deepEqual(
      [back.bitsPerPixel, back.realBits],
      [bitsPerPixel, segments.reduce((sum, { bits }) => sum + bits, 0)],
    );
    assert.equal(back.outputBytes, readFileSync(file('back.png')).length);
    const skipped = works('encode', 'in/scene.png', '-o', 'out/', '--json', '--skip-existing');
    assert.deepEqual(JSON.parse(skipped.stdout), { input: 'in/scene.png', output: 'out/scene.dcz', status: 'skipped' });
  });

  it('damage is told with --quiet, too', () => {
    writeFileSync(file('a.png'), png('scene'));
    works('encode', 'a.png');
    const bytes = readFileSync(file('a.dcz'));
    for (const back of [3, 9]) bytes[bytes.length - back]! ^= 0xff; // one byte would be repaired
    writeFileSync(file('b.dcz'), bytes);
    const { stderr } = works(
      'decode',
      'a.dcz',
      'b.dcz',
      '-o',
      'out',
      '--allow-damaged',
      '--quiet',
      '--jobs',
      '2',
      '--threads',
      '2',
    );
    assert.match(stderr, /^b\.dcz: .*damaged[^\n]*\n$/);
    const { stdout } = works('decode', 'b.dcz', '-o', 'c.png', '--allow-damaged', '--json');
    assert.match(JSON.parse(stdout).damage[0], /damaged/);
    assert.equal(readPng(readFileSync(file('c.png'))).picture.width, 24);
  });

  it('stops where nobody reads its lines any more, and leaves whole files only', async () => {
    writeFileSync(file('a.png'), png('scene'));
    writeFileSync(file('b.png'), png('scene', 40, 30));
    for (const name of ['c.png', 'd.png']) writeFileSync(file(name), png('scene', 768, 512));
    const args = [
      'encode',
      'a.png',
      'b.png',
      'c.png',
      'd.png',
      '-o',
      '.',
      '--json',
      '--model',
      cli.model,
      '--effort',
      '9',
      '-q',
      '95',
      '--jobs',
      '2',
      '--threads',
      '2',
    ];
    const child = spawn(process.execPath, [program, ...args], { cwd: cli.folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text) => (said += text));
    child.stdout.destroy();
    assert.equal(await new Promise((resolve) => child.on('close', resolve)), 141);
    assert.equal(said, '');
    assert.ok(!files().some((name) => name.endsWith('.tmp') || name === 'd.dcz'), files().join());
  });

  const noSignals = process.platform === 'win32' ? 'no signals on this system' : false;
  it('Ctrl-C leaves whole files only', { skip: noSignals }, async () => {
    writeFileSync(file('a.png'), png('scene'));
    for (const name of ['b.png', 'c.png', 'd.png']) writeFileSync(file(name), png('scene', 768, 512));
    const args = [
      'encode',
      'a.png',
      'b.png',
      'c.png',
      'd.png',
      '-o',
      '.',
      '--model',
      cli.model,
      '--effort',
      '9',
      '-q',
      '95',
      '--jobs',
      '2',
      '--threads',
      '2',
    ];
    const child = spawn(process.execPath, [program, ...args], { cwd: cli.folder, stdio: 'ignore' });
    const ended = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)));
    const names = (): string[] => readdirSync(cli.folder);
    // The small one is done, two others are under way.
    const ready = (): boolean =>
      names().includes('a.dcz') && names().filter((name) => name.endsWith('.tmp')).length === 2;
    while (!ready() && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok(ready(), 'ended by itself');
    child.kill('SIGINT');
    assert.equal(await ended, 130);
    assert.deepEqual(files(), ['a.dcz', 'a.png', 'b.png', 'c.png', 'd.png']);
    works('decode', 'a.dcz', 'back.png');
  });
});
