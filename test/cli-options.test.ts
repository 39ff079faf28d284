/** The command line's options and names: what users write is understood, or refused with what to write. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { after, before, beforeEach, describe, it } from 'node:test';
import { bytesOption, numberOption, scaleOption } from '../cli/options.js';
import { chooseTarget, resizeOf, settingsOf } from '../cli/encode.js';
import { corpusPicture } from '../corpus/pictures.js';
import { formatOfBytes } from '../formats/formats.js';
import { readPng } from '../formats/png-reader.js';
import { writePng } from '../formats/png-writer.js';
import { resizePicture, type Resizing } from '../formats/resize.js';
import { DcompError } from '../src/errors.js';
import type { FileInfo } from '../src/index.js';
import { withDepth, type Channels, type Depth, type Picture } from '../src/picture.js';
import { createCli } from './helpers/cli.js';

const cli = createCli({ force: false });
const { file, files, works, fails } = cli;
const small = writePng(corpusPicture('scene', { width: 24, height: 17 }));
let coded: Uint8Array;

before(() => {
  writeFileSync(file('a.png'), small);
  works('encode', 'a.png');
  coded = readFileSync(file('a.dcz'));
});
after(() => cli.remove());
beforeEach(() => {
  cli.clear();
  writeFileSync(file('a.png'), small);
  writeFileSync(file('a.dcz'), coded);
});

/** The message of the misuse. */
function misuse(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    assert.ok(error instanceof DcompError && error.code === 'E_USAGE', String(error));
    return error.message;
  }
  return assert.fail('not refused');
}

describe('numbers', () => {
  it('sizes have units: k, kB are 1000, Ki, KiB 1024 bytes, and so on', () => {
    for (const [text, bytes] of Object.entries({
      '20000': 20000,
      '20000B': 20000,
      '+7': 7,
      '20k': 20000,
      '20K': 20000,
      '20kB': 20000,
      '20 kB': 20000,
      '20KB': 20000,
      '20Ki': 20480,
      '20KiB': 20480,
      '0.5kib': 512,
      '1.5M': 1_500_000,
      '1MB': 1_000_000,
      '1MiB': 1_048_576,
      '.5M': 500_000,
      '2G': 2_000_000_000,
      '1.0009k': 1000,
    }))
      assert.equal(bytesOption({ size: text }, 'size'), bytes, text);
    for (const text of ['0', '-5', '1.5', '0.0001k', 'k', '20q', '20kbit', '1e3k', '99999999G', 'x', '20kk', 'i', '5i'])
      assert.match(
        misuse(() => bytesOption({ size: text }, 'size')),
        /--size is .*20k or 20kB are 20000, 20KiB 20480/,
        text,
      );
    works('encode', 'a.png', 'b.dcz', '--size', '0.3k');
    assert.ok(statSync(file('b.dcz')).size <= 300);
    works('decode', 'b.dcz', 'b.png', '--bytes', '.1KiB', '--allow-damaged');
  });

  it('a scale is a fraction or a decimal that halves', () => {
    const scales = ['1', '1.0', '1/2', '0.5', '.25', '0.125'].map((scale) => scaleOption({ scale }));
    assert.deepEqual([...scales, scaleOption({})], [1, 1, 0.5, 0.5, 0.25, 0.125, undefined]);
    for (const scale of ['0.3', '1/3', '0', '0.0', '2', '50%', '0.5x', '1/0', '-0.5'])
      assert.match(
        misuse(() => scaleOption({ scale })),
        /^--scale is .*1\/4, .* or 0\.5, 0\.25, /,
        scale,
      );
  });

  it('what no sample can have with a target for all of them is refused', () => {
    const common = { threads: 1, engine: 'auto', model: undefined } as const;
    for (const stray of [{ roi: '0,0,8,8' }, { 'roi-mask': 'a.png' }, { 'alpha-quality': '30' }])
      for (const exact of [{ lossless: true }, { 'max-error': '2' }])
        assert.match(
          misuse(() => settingsOf({ ...stray, ...exact }, common)),
          /^--(roi|alpha).* has no effect with --/,
        );
    assert.equal(settingsOf({ roi: '0,0,8,8' }, common).regions.length, 1);
    fails(2, /--roi has no effect with --lossless/, 'encode', 'a.png', '--lossless', '--roi', '0,0,8,8');
  });

  it('numbers with other units are refused with what was perhaps meant', () => {
    const said = (name: string, text: string): string => misuse(() => chooseTarget({ [name]: text }));
    assert.match(
      said('quality', '50%'),
      /^--quality is 50%; it must be a number from 1 to 100, without a unit: --quality 50$/,
    );
    assert.match(said('quality', '50dB'), /from 1 to 100; did you mean --psnr 50\?$/);
    assert.match(said('quality', '20k'), /did you mean --size 20k\?$/);
    assert.match(said('quality', '0.5bpp'), /did you mean --bpp 0\.5\?$/);
    assert.match(said('psnr', '34 dB'), /without a unit: --psnr 34$/);
    assert.match(said('bpp', '0.5bpp'), /without a unit: --bpp 0\.5$/);
    assert.match(said('psnr', '34kib'), /did you mean --size 34kib\?$/);
    assert.match(said('bpp', '100KB'), /did you mean --size 100KB\?$/);
    assert.match(said('quality', 'high'), /from 1 to 100$/);
    assert.match(
      misuse(() => numberOption({ jobs: '3x' }, 'jobs', { min: 1, max: 9, whole: true })),
      /without a unit: --jobs 3$/,
    );
    fails(
      2,
      /--quality is 50%; .*without a unit: --quality 50 \(see dcomp help encode\)$/m,
      'encode',
      'a.png',
      '-q',
      '50%',
    );
  });
});

describe('commands', () => {
  it('help, with a command or without; each has examples', () => {
    assert.equal(cli.dcomp('help').stdout, works('--help').stdout);
    assert.match(works('help').stdout, /dcomp help <command>/);
    for (const command of [
      'encode',
      'decode',
      'info',
      'verify',
      'repair',
      'denoise',
      'upscale',
      'inpaint',
      'sample',
      'eval',
      'train',
    ]) {
      const { stdout } = works('help', command);
      assert.equal(stdout, works(command, '--help').stdout);
      assert.match(stdout, new RegExp(`Examples:\\n  dcomp ${command} `));
    }
    const bare = cli.dcomp();
    assert.equal(bare.code, 2);
    assert.equal(bare.stderr.trim(), works('--help').stdout.trim());
    fails(2, /unknown command: nothing; there are encode, .* and help/, 'help', 'nothing');
  });

  it('options may stand before the command', () => {
    const { model } = cli;
    const same = (name: string): void => assert.deepEqual(readFileSync(file(name)), readFileSync(file('q.dcz')), name);
    works('encode', 'a.png', 'q.dcz', '-q', '30');
    works('-q', '30', '--no-plain', '--model', model, 'encode', 'a.png', 'b.dcz');
    works('-q30', '--no-plain', `--model=${model}`, '--quiet', 'encode', 'a.png', '-o', 'c.dcz');
    works('--model', model, '-o', 'encode', 'encode', 'a.png', '-q', '30', '--no-plain');
    for (const name of ['b.dcz', 'c.dcz', 'encode']) same(name);
    assert.match(works('--quiet', 'info', 'a.dcz').stdout, /24×17/);
    fails(2, /unknown command: a\.png/, '-q', '30', 'a.png');
    fails(2, /unknown argument: --nothing/, '--nothing', 'info', 'a.dcz');
  });
});

describe('info and verify of many files', () => {
  beforeEach(() => {
    mkdirSync(file('in/deep'), { recursive: true });
    for (const name of ['in/x.dcz', 'in/deep/y.dcz']) writeFileSync(file(name), coded);
    writeFileSync(file('in/notes.txt'), 'nothing');
  });

  it('info: a paragraph each, or a line of JSON each; one that cannot be read does not end it', () => {
    const names = works('info', 'in', 'a.dcz')
      .stdout.split('\n\n')
      .map((text) => text.split(':')[0]);
    assert.deepEqual(names, ['in/deep/y.dcz', 'in/x.dcz', 'a.dcz']);
    const one = JSON.parse(works('info', 'a.dcz', '--json').stdout) as FileInfo;
    writeFileSync(file('in/deep/bad.dcz'), 'not one of ours');
    const { code, stdout, stderr } = cli.dcomp('info', 'in', '--json');
    assert.equal(code, 1);
    assert.match(stderr, /^dcomp: in\/deep\/bad\.dcz: not a \.dcz file[^\n]*\n$/);
    const records = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
      // Seconds are estimated from a measurement each time.
      .map((record) => ({ ...record, estimatedSeconds: undefined }));
    const same = { ...one, estimatedSeconds: undefined };
    assert.deepEqual(records, [
      { file: 'in/deep/y.dcz', ...same },
      { file: 'in/x.dcz', ...same },
    ]);
    fails(1, /cannot read missing\.dcz: there is no such file/, 'info', 'missing.dcz');
  });

  it('verify: the files of a folder, and how many are not intact', () => {
    const good = works('verify', 'in');
    assert.equal(good.stdout, 'in/deep/y.dcz: intact\nin/x.dcz: intact\n');
    assert.equal(good.stderr, '2 files, all intact\n');
    writeFileSync(file('in/x.dcz'), coded.subarray(0, -3));
    mkdirSync(file('empty'));
    const { code, stdout, stderr } = cli.dcomp('verify', 'empty', 'in');
    assert.equal(code, 1);
    assert.match(stdout, /^in\/deep\/y\.dcz: intact\nin\/x\.dcz: cut/);
    assert.match(stderr, /^dcomp: the folder empty holds no files in \.dcz\n2 files, 2 not intact\n$/);
    assert.equal(works('verify', 'in/deep', '--quiet').stdout, '');
  });
});

describe('patterns that the shell has left as they are', () => {
  beforeEach(() => {
    mkdirSync(file('in/deep'), { recursive: true });
    for (const name of ['in/x.png', 'in/y.png', 'in/deep/z.png', 'in/[1].png', 'in/.hidden.png'])
      writeFileSync(file(name), small);
    writeFileSync(file('in/notes.txt'), 'nothing');
  });
  const outputs = (): string[] => files().filter((name) => name.startsWith('out'));

  it('stand for the files that match; ** keeps the folders; a file of that name is no pattern', () => {
    works('encode', 'in/[xy].png', '-o', 'out', '--quiet');
    assert.deepEqual(outputs(), ['out/x.dcz', 'out/y.dcz']);
    works('encode', 'in/**/*.png', '-o', 'out2', '--quiet');
    assert.deepEqual(outputs().slice(2), ['out2/[1].dcz', 'out2/deep/z.dcz', 'out2/x.dcz', 'out2/y.dcz']);
    works('encode', 'in/[1].png', 'out3.dcz', '--quiet');
    assert.match(works('verify', 'out*/*.dcz').stderr, /^5 files, all intact\n$/);
    assert.equal(works('info', 'out2/[xy].dcz', '--json').stdout.trimEnd().split('\n').length, 2);
    works('encode', 'in/deep/?.png', '--quiet');
    assert.ok(files().includes('in/deep/z.dcz'));
  });

  it('are refused where nothing matches, or where many would have one output', () => {
    fails(1, /cannot read in\/\*\.gif: no file matches the pattern/, 'encode', 'in/*.gif', '-o', 'out');
    fails(1, /cannot read in\/\*\.gif: no file matches the pattern/, 'encode', 'in/*.gif');
    fails(1, /cannot read \*\.gif: no file matches the pattern/, 'info', '*.gif');
    fails(2, /has the name of an input; several inputs need -o FOLDER/, 'encode', 'in/[xy].png');
    fails(2, /3 files are named; several inputs need -o FOLDER/, 'encode', 'in/[xy1].png', 'in/[[]1].png');
  });
});

it('--keep-times gives the output the time of its input', () => {
  utimesSync(file('a.png'), 1_000_000, 1_234_567);
  works('encode', 'a.png', 'b.dcz', '--keep-times');
  assert.equal(statSync(file('b.dcz')).mtimeMs, 1_234_567_000);
  works('decode', 'b.dcz', '-o', 'out/', '--keep-times');
  assert.equal(statSync(file('out/b.png')).mtimeMs, 1_234_567_000);
  works('decode', 'b.dcz', 'c.png');
  assert.ok(statSync(file('c.png')).mtimeMs > 1_234_567_000);
  assert.ok(cli.piped(small, 'encode', '-', 'd.dcz', '--keep-times').code === 0);
});

describe('with sharp', () => {
  it('--output-quality is that of JPEG, WebP and AVIF', () => {
    for (const extension of ['jpg', 'webp', 'avif']) {
      const size = (quality: string): number => {
        works('decode', 'a.dcz', `q${quality}.${extension}`, '--output-quality', quality);
        const bytes = readFileSync(file(`q${quality}.${extension}`));
        assert.ok('format' in formatOfBytes(bytes));
        return bytes.length;
      };
      assert.ok(size('20') < size('90'), extension);
    }
    fails(
      2,
      /--output-quality is for JPEG, WebP and AVIF; PNG is written without loss/,
      'decode',
      'a.dcz',
      'x.png',
      '--output-quality',
      '5',
    );
    fails(2, /--output-quality is 0; .*from 1 to 100/, 'decode', 'a.dcz', 'x.jpg', '--output-quality', '0');
  });

  it('--resize is understood', () => {
    const parsed = (resize: string, fit?: string): Resizing | undefined =>
      resizeOf({ resize, ...(fit === undefined ? {} : { fit }) });
    assert.deepEqual(parsed('800x600'), { width: 800, height: 600, fit: 'inside' });
    assert.deepEqual(parsed('800X600', 'cover'), { width: 800, height: 600, fit: 'cover' });
    assert.deepEqual(parsed('800'), { width: 800, fit: 'inside' });
    assert.deepEqual(parsed('800x'), { width: 800, fit: 'inside' });
    assert.deepEqual(parsed('x600'), { height: 600, fit: 'inside' });
    assert.deepEqual(parsed('12.5%'), { scale: 0.125, fit: 'inside' });
    assert.equal(resizeOf({}), undefined);
    for (const text of ['x', '0', '0x5', '-5', '1.5', '70000', '0%', '5%%', '1/2', '50 %', '3x4x5', 'a'])
      assert.match(
        misuse(() => parsed(text)),
        /^--resize is .*WxH, W or xH.*50%$/,
        text,
      );
    for (const text of ['800', '50%', 'x5'])
      assert.match(
        misuse(() => parsed(text, 'cover')),
        /--resize WxH$/,
      );
    assert.match(
      misuse(() => parsed('5x5', 'crop')),
      /^--fit is crop; it must be one of inside, outside, cover/,
    );
    assert.match(
      misuse(() => resizeOf({ fit: 'cover' })),
      /--resize WxH/,
    );
  });

  it('every fit gives the size that it should', async () => {
    const source = corpusPicture('scene', { width: 60, height: 30 });
    for (const [resizing, size] of [
      [{ width: 20, height: 20, fit: 'inside' }, [20, 10]],
      [{ width: 20, height: 20, fit: 'outside' }, [40, 20]],
      [{ width: 20, height: 20, fit: 'cover' }, [20, 20]],
      [{ width: 20, height: 20, fit: 'contain' }, [20, 20]],
      [{ width: 20, height: 20, fit: 'fill' }, [20, 20]],
      [{ width: 90, fit: 'inside' }, [90, 45]],
      [{ height: 10, fit: 'inside' }, [20, 10]],
      [{ scale: 0.5, fit: 'inside' }, [30, 15]],
      [{ scale: 0.001, fit: 'inside' }, [1, 1]],
    ] as [Resizing, number[]][]) {
      const { width, height } = await resizePicture(source, resizing);
      assert.deepEqual([width, height], size, JSON.stringify(resizing));
    }
  });

  it('a picture that is turned is resized as it is seen', async () => {
    const source: Picture = { ...corpusPicture('scene', { width: 60, height: 30 }), metadata: { orientation: 6 } };
    const { width, height, metadata } = await resizePicture(source, { width: 10, fit: 'inside' });
    assert.deepEqual([width, height, metadata], [20, 10, { orientation: 6 }]);
  });

  it('all kinds and depths stay what they are, and one colour stays that colour', async () => {
    const kinds: [Channels, Depth, number[]][] = [
      [1, 8, [77]],
      [1, 1, [1]],
      [1, 4, [11]],
      [1, 16, [40001]],
      [2, 8, [77, 255]],
      [2, 16, [40001, 65535]],
      [3, 8, [77, 200, 3]],
      [3, 16, [40001, 300, 65000]],
      [4, 8, [77, 200, 3, 255]],
      [4, 16, [40001, 300, 65000, 65535]],
    ];
    for (const [channels, depth, colour] of kinds) {
      const length = 8 * 6 * channels;
      const data = depth === 16 ? new Uint16Array(length) : new Uint8Array(length);
      for (let i = 0; i < length; i++) data[i] = colour[i % channels]!;
      const source: Picture = { width: 8, height: 6, channels, depth, data };
      for (const fit of ['fill', 'contain'] as const) {
        const made = await resizePicture(source, { width: 4, height: 3, fit });
        const expected = depth < 8 ? [...withDepth(source, 8).data.subarray(0, channels)] : colour;
        assert.deepEqual([made.width, made.height, made.channels, made.depth], [4, 3, channels, depth === 16 ? 16 : 8]);
        for (let i = 0; i < 4 * 3 * channels; i++)
          assert.equal(made.data[i], expected[i % channels], `${channels} ${depth} ${fit}`);
      }
    }
  });

  it('what would be too large is refused before it is made', async () => {
    const source = corpusPicture('scene', { width: 60, height: 30 });
    for (const resizing of [
      { scale: 100, fit: 'fill' },
      { width: 65535, height: 65535, fit: 'fill' },
      { width: 65535, fit: 'inside' },
    ] as Resizing[])
      await assert.rejects(resizePicture(source, resizing, 1_000_000), { code: 'E_TOO_LARGE' });
  });

  it('encode --resize codes the smaller picture', () => {
    works('encode', 'a.png', 'b.dcz', '--resize', '50%');
    works('decode', 'b.dcz', 'b.png');
    const { width, height } = readPng(readFileSync(file('b.png'))).picture;
    assert.deepEqual([width, height], [12, 9]);
    fails(2, /--fit says how/, 'encode', 'a.png', 'c.dcz', '--resize', '50%', '--fit', 'cover');
    fails(
      1,
      /^dcomp: a\.png: resized the picture would have 2400×1700 pixels/,
      'encode',
      'a.png',
      'c.dcz',
      '--resize',
      '10000%',
      '--max-pixels',
      '1000',
    );
  });
});
