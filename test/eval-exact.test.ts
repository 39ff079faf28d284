/** `dcomp eval --lossless` and `--max-error`: every sample that comes back is looked at. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { corpusPicture } from '../corpus/pictures.js';
import { smallModelFile } from '../corpus/small-model.js';
import { exactText, summariseExact } from '../eval/exact/report.js';
import type { ExactEvaluation } from '../eval/exact/run.js';
import { processorSeconds } from '../eval/processor-time.js';
import { writePng } from '../formats/png-writer.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('dcomp eval without loss, or within an error', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'dcomp-eval-exact-'));
    writeFileSync(join(folder, 'small.dcm'), smallModelFile());
    mkdirSync(join(folder, 'pictures'));
    const scene = corpusPicture('scene', { width: 72, height: 48 });
    writeFileSync(join(folder, 'pictures', 'scene.png'), writePng(scene));
    writeFileSync(
      join(folder, 'pictures', 'balls.png'),
      writePng(corpusPicture('rgba-balls', { width: 56, height: 49 })),
    );
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function run(args: string[], path = ''): { code: number | null; stdout: string; stderr: string } {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(root, 'dist', 'cli', 'main.js'), 'eval', 'pictures', '--threads', '1', ...args],
      { cwd: folder, encoding: 'utf8', input: '', env: { ...process.env, PATH: path } },
    );
    return { code: status, stdout, stderr };
  }

  it('says bits, errors and times of each codec, leaves out what is missing, and takes up what is there', () => {
    const args = ['--lossless', '-o', 'report', '--effort', '1', '--model', 'small.dcm'];
    const first = run([...args, '--codecs', 'dcomp-plain,dcomp,webp,png,oxipng']);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stderr, /^oxipng is left out: .* needs the program oxipng/m);
    assert.match(first.stdout, /^\| dcomp, plain \| \d+\.\d{3} \| 0 \| \d+\.\d \| \d+\.\d \|$/m);
    const report = JSON.parse(readFileSync(join(folder, 'report', 'exact.json'), 'utf8')) as ExactEvaluation;
    assert.equal(report.pictures.length, 2);
    assert.equal(report.kept, 0);
    for (const { width, height, points } of report.pictures) {
      assert.deepEqual(Object.keys(points).sort(), ['dcomp', 'dcomp-plain', 'png', 'webp']);
      for (const point of Object.values(points)) {
        assert.equal(point.largestError, 0);
        assert.equal(point.bitsPerSample, (8 * point.bytes) / (3 * width * height));
        assert.ok(point.encodeSeconds > 0 && point.decodeSeconds > 0);
      }
      assert.notEqual(points.dcomp!.bytes, points['dcomp-plain']!.bytes);
    }
    const lines = readFileSync(join(folder, 'report', 'exact.csv'), 'utf8')
      .trimEnd()
      .split('\n');
    assert.equal(lines.length, 1 + 2 * 4);

    const again = JSON.parse(run([...args, '--codecs', 'webp,png', '--json']).stdout) as ExactEvaluation;
    assert.equal(again.kept, 4);
  });

  it('finds the smallest file within the error', () => {
    const bytes = [];
    for (const error of ['2', '9']) {
      const { code, stdout, stderr } = run([
        ...[
          '--max-error',
          error,
          '-o',
          `within-${error}`,
          '--limit',
          '1',
          '--json',
          '--codecs',
          'dcomp-plain,webp,png',
        ],
      ]);
      assert.equal(code, 0, stderr);
      const { points } = (JSON.parse(stdout) as ExactEvaluation).pictures[0]!;
      for (const name of ['dcomp-plain', 'webp']) {
        assert.ok(points[name]!.largestError > 0 && points[name]!.largestError <= Number(error));
        assert.ok(points[name]!.bytes < points.png!.bytes);
      }
      assert.equal(points.png!.largestError, 0);
      bytes.push(points['dcomp-plain']!.bytes);
    }
    assert.ok(bytes[1]! < bytes[0]!);
  });

  it('leaves out a picture that a codec does not give back', { skip: process.platform === 'win32' }, () => {
    const other = (process.env.OTHER = join(folder, 'other.png'));
    const scene = corpusPicture('scene', { width: 72, height: 48 });
    writeFileSync(other, writePng({ ...scene, data: scene.data.map((v, i) => (i === 70 ? v ^ 3 : v)) }));
    mkdirSync(join(folder, 'bin'));
    const program = join(folder, 'bin', 'oxipng');
    // Another picture comes back of those as wide as the scene, and the picture itself of others.
    const script = `const { copyFileSync, readFileSync } = require('fs');
const [output, input] = process.argv.slice(-2);
if (process.argv.length > 3) copyFileSync(readFileSync(input).readUInt32BE(16) === 72 ? process.env.OTHER : input, output);`;
    writeFileSync(program, `#!${process.execPath}\n${script}\n`);
    chmodSync(program, 0o755);
    const { code, stderr } = run(['--lossless', '-o', 'wrong', '--codecs', 'png,oxipng'], join(folder, 'bin'));
    assert.equal(code, 1);
    assert.match(stderr, /^scene with oxipng is left out: samples come back that are off by up to [123], not 0$/m);
  });

  it('says in one line what cannot be', () => {
    for (const [message, ...args] of [
      [/either --lossless or --max-error/, '--lossless', '--max-error', '2'],
      [/--max-error is 0/, '--max-error', '0'],
      [/--rates is for lossy codecs/, '--lossless', '--rates', '1'],
      [/--codecs: there is no gif; there are dcomp-plain, /, '--lossless', '--codecs', 'gif'],
      [/name it with --model/, '--lossless', '--codecs', 'dcomp'],
    ] as const) {
      const { code, stdout, stderr } = run([...args, '-o', 'never']);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
      assert.equal(stdout, '');
    }
  });
});

describe('figures without loss', () => {
  it('are means of bits, the largest of errors, and sums of times over megapixels, the smallest codec first', () => {
    const point = (bits: number, error: number) => ({
      ...{ setting: 0, bytes: 1, bitsPerSample: bits, largestError: error, encodeSeconds: 2, decodeSeconds: 1 },
    });
    const picture = { name: 'a', width: 1000, height: 500 };
    const evaluation: ExactEvaluation = {
      ...{ date: '', dcompVersion: '', machine: '', maxError: 2, kept: 0, failed: 0, notices: [] },
      codecs: ['png', 'webp'].map((name) => ({ name, label: name, about: '' })),
      pictures: [
        { ...picture, points: { png: point(4, 0), webp: point(2, 1) } },
        { ...picture, points: { png: point(5, 0), webp: point(3, 2) } },
      ],
    };
    const [first, second] = summariseExact(evaluation);
    assert.deepEqual(first, {
      ...{ codec: 'webp', label: 'webp', bitsPerSample: 2.5, largestError: 2, encodeSeconds: 4, decodeSeconds: 2 },
    });
    assert.equal(second!.bitsPerSample, 4.5);
    assert.match(exactText(evaluation), /^Every sample within 2, means of 2 pictures/);
  });

  it('times count what programs take, too', { skip: process.platform !== 'linux' }, () => {
    const before = processorSeconds();
    const code = 'let s = 0; while (process.cpuUsage().user < 4e5) s += Math.sqrt(s + 1);';
    spawnSync(process.execPath, ['-e', code]);
    assert.ok(processorSeconds() - before > 0.39);
  });
});
