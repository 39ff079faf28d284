/** `dcomp eval`: the command as a user meets it, and what its figures are. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { writePng } from '../formats/png-writer.js';
import { corpusPicture } from '../corpus/pictures.js';
import { ResultCache } from '../eval/cache.js';
import { versionOf } from '../eval/codecs/programs.js';
import type { Evaluation, PictureResult } from '../eval/evaluation.js';
import type { Point } from '../eval/measurement.js';
import { spread } from '../eval/pictures.js';
import { compressAiJson, csv } from '../eval/report/data.js';
import { markdown, number } from '../eval/report/text.js';
import { summarise, type Summary } from '../eval/summary.js';
import { smallModelFile } from '../corpus/small-model.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('dcomp eval', () => {
  let folder = '';
  const file = (...names: string[]): string => join(folder, ...names);
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'dcomp-eval-test-'));
    writeFileSync(file('small.dcm'), smallModelFile());
    for (const name of ['pictures', 'empty']) mkdirSync(file(name));
    writeFileSync(file('pictures', 'scene.png'), writePng(corpusPicture('scene', { width: 72, height: 48 })));
    writeFileSync(file('pictures', 'rgba.png'), writePng(corpusPicture('rgba-balls', { width: 56, height: 49 })));
    writeFileSync(file('broken.png'), 'no picture');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function run(
    args: string[],
    env: Record<string, string> = {},
  ): { code: number | null; stdout: string; stderr: string } {
    const options = { cwd: folder, encoding: 'utf8', input: '', env: { ...process.env, ...env } } as const;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(root, 'dist', 'cli', 'main.js'), 'eval', '--model', 'small.dcm', ...args],
      options,
    );
    return { code: status, stdout, stderr };
  }

  function fails(code: number, message: RegExp, ...args: string[]): void {
    const outcome = run(args);
    assert.equal(outcome.code, code, outcome.stderr);
    assert.match(outcome.stderr, message);
    assert.equal(outcome.stderr.trim().split('\n').length, 1, outcome.stderr);
    assert.equal(outcome.stdout, '');
  }

  it('says in one line what is wrong', () => {
    fails(1, /empty holds no pictures/, 'empty', '-o', 'never');
    fails(1, /cannot read nowhere: there is no such file/, 'nowhere', '-o', 'never');
    fails(1, /cannot write the folder broken\.png: a file is in its place/, 'pictures', '-o', 'broken.png');
    fails(2, /--codecs: there is no gif; there are dcomp, /, 'pictures', '--codecs', 'gif');
    fails(2, /--metrics: there is no vmaf; there are psnr, /, 'pictures', '--metrics', 'vmaf');
    fails(2, /--tune is ear/, 'pictures', '--tune', 'ear');
    fails(2, /--rates is fast/, 'pictures', '--rates', '1,fast');
    fails(2, /file name is missing|files are missing/);
  });

  const ARGS = [
    'pictures',
    'broken.png',
    '-o',
    'report',
    '--codecs',
    'dcomp,ideal,jpeg,bpgenc',
    '--rates',
    '1,2,4',
    '--metrics',
    'psnr,ssimulacra2',
    '--samples',
    '1',
    '--threads',
    '2',
    '--effort',
    '1',
    '--tune',
    'psnr',
  ];

  it('measures, tells what it had to leave out, and takes up from the cache what is there', () => {
    const first = run(ARGS, { PATH: '' });
    assert.equal(first.code, 1, 'a picture could not be read');
    assert.match(first.stderr, /^broken\.png is left out: .*not a PNG/m);
    assert.match(first.stderr, /^bpgenc is left out: .* needs the programs bpgenc and bpgdec, not found on the PATH/m);
    assert.match(first.stdout, /^PSNR \(RGB\), dB$/m);
    const names = readdirSync(file('report')).sort();
    assert.deepEqual(names, [
      'cache',
      'dcomp.json',
      'flip.html',
      'ideal.json',
      'jpeg.json',
      'pictures.csv',
      'psnr.svg',
      'report.html',
      'report.json',
      'ssimulacra2.svg',
    ]);
    const report = JSON.parse(readFileSync(file('report', 'report.json'), 'utf8')) as Evaluation & { summary: Summary };
    assert.equal(report.pictures.length, 2);
    assert.equal(report.kept, 0);
    assert.deepEqual([report.model!.effort, report.model!.tune], [1, 'psnr']);

    for (const { width, height, curves } of report.pictures) {
      for (const point of curves.dcomp!.points) {
        assert.equal(point.bitsPerPixel, (8 * point.bytes) / (width * height));
        assert.ok(point.bitsPerPixel <= point.setting && point.bitsPerPixel > 0.94 * point.setting);
        assert.ok(
          point.encodeSeconds > 0 && point.decodeSeconds > 0 && point.evaluations! > 0 && point.kiloFlopPerPixel! > 0,
        );
        assert.ok(point.idealBits! > 0);
      }
      const psnrs = curves.jpeg!.points.map(({ scores }) => scores.psnr!);
      assert.ok(
        psnrs.every((value, i) => i === 0 || value > psnrs[i - 1]!),
        'JPEG does not become better with its quality',
      );
      assert.ok(curves.ideal!.steps!.reduce((sum, { bits }) => sum + bits, 0) / (width * height) > 4);
    }

    const html = readFileSync(file('report', 'report.html'), 'utf8');
    assert.doesNotMatch(html, /(src|href)="(?!data:|#)/);
    assert.doesNotMatch(html, /url\(|@import|https?:\/\/(?!www\.w3\.org\/)/);
    assert.match(html, /<svg[^>]*>.*dcomp.*<\/svg>/s);
    assert.match(
      readFileSync(file('report', 'psnr.svg'), 'utf8'),
      /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/,
    );

    const second = run([...ARGS, '--json'], { PATH: '' });
    const again = JSON.parse(second.stdout) as Evaluation;
    assert.equal(again.kept, 6);
    assert.deepEqual(again.pictures, report.pictures);
  });

  it('codes at qualities in place of rates', () => {
    const { code, stdout, stderr } = run([
      'pictures',
      '--limit',
      '1',
      '-o',
      'qualities',
      '--codecs',
      'dcomp,jpeg',
      '--qualities',
      '30,60',
      '--metrics',
      'psnr',
      '--samples',
      '0',
      '--rates',
      '1,20',
      '--json',
      '--threads',
      '2',
    ]);
    assert.equal(code, 0, stderr);
    const { pictures } = JSON.parse(stdout) as Evaluation;
    for (const { points } of Object.values(pictures[0]!.curves))
      assert.deepEqual(
        points.map(({ setting }) => setting),
        [30, 60],
      );
  });
});

/** Pictures on which dcomp needs `factor` times the rate of jpeg. */
function invented(factor: number): Evaluation {
  const rates = [0.1, 0.2, 0.4, 0.8, 1];
  const point = (setting: number, bitsPerPixel: number, psnr: number): Point => ({
    setting,
    bytes: Math.round(1000 * bitsPerPixel),
    bitsPerPixel,
    encodeSeconds: 2,
    decodeSeconds: 1,
    scores: { psnr },
  });
  const picture = (name: string, offset: number): PictureResult => {
    const jpeg = [0.05, 0.1, 0.3, 0.7, 1.5, 3].map((rate, i) => point(10 * i, rate, 30 + offset + 3 * Math.log(rate)));
    const dcomp = rates.map((rate) => point(rate, rate, 30 + offset + 3 * Math.log(rate / factor)));
    return { name, width: 100, height: 80, curves: { dcomp: { points: dcomp }, jpeg: { points: jpeg } } };
  };
  const codec = (name: string): Evaluation['codecs'][number] => ({
    name,
    label: name,
    about: 'about',
    parameter: 'quality',
  });
  return {
    ...{
      date: '',
      dcompVersion: '',
      model: undefined,
      machine: '',
      processes: 1,
      metrics: ['psnr'],
      rates,
      kept: 0,
      failed: 0,
      notices: [],
    },
    codecs: [codec('dcomp'), codec('jpeg')],
    pictures: [picture('a', 0), picture('b, "c"', 4)],
  };
}

describe('figures of an evaluation', () => {
  it('BD-rate, lead and share of pictures are those that went in', () => {
    const summary = summarise(invented(0.9));
    const [entry] = summary.bdRates;
    assert.ok(Math.abs(entry!.pictures! + 10) < 0.01, String(entry!.pictures));
    assert.ok(Math.abs(entry!.meanCurve! + 10) < 0.01);
    assert.equal(entry!.counted, 2);
    for (const value of summary.lead.jpeg!.mean) assert.ok(Math.abs(value! - 3 * Math.log(1 / 0.9)) < 1e-3);
    assert.deepEqual(summary.lead.jpeg!.wins, [1, 1, 1, 1, 1]);
    assert.deepEqual(summarise(invented(1.1)).lead.jpeg!.wins, [0, 0, 0, 0, 0]);
    const jpeg = summary.costs.find(({ codec }) => codec === 'jpeg')!;
    assert.equal(jpeg.encode, 250);
  });

  it('a mean of some pictures only is none', () => {
    const evaluation = invented(1);
    evaluation.pictures[1]!.curves.jpeg!.points.splice(0, 3);
    const [low, , , high] = summarise(evaluation).quality.psnr!.jpeg!;
    assert.equal(low, undefined);
    assert.ok(high! > 30);
  });

  it('JSON has CompressAI’s shape', () => {
    const { name, results } = compressAiJson(invented(1), 'jpeg') as {
      name: string;
      results: Record<string, number[]>;
    };
    assert.equal(name, 'jpeg');
    assert.deepEqual(Object.keys(results), ['bpp', 'psnr-rgb', 'encoding_time', 'decoding_time']);
    assert.deepEqual(results.bpp, [0.05, 0.1, 0.3, 0.7, 1.5, 3]);
    assert.ok(Math.abs(results['psnr-rgb']![1]! - (32 + 3 * Math.log(0.1))) < 1e-9);
  });

  it('CSV has a line a file, with names quoted', () => {
    const lines = csv(invented(1)).trimEnd().split('\n');
    assert.equal(lines.length, 1 + 2 * (5 + 6));
    assert.ok(lines.some((line) => line.startsWith('"b, ""c""",100,80,jpeg,0,50,0.05,')));
  });

  it('results are kept by all that they depend on', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dcomp-cache-'));
    try {
      const cache = new ResultCache(join(folder, 'new'));
      assert.equal(cache.find({ a: 1 }), undefined);
      cache.keep({ a: 1 }, [1, 2]);
      assert.deepEqual(cache.find({ a: 1 }), [1, 2]);
      assert.equal(cache.find({ a: 2 }), undefined);
      for (const name of readdirSync(join(folder, 'new')))
        writeFileSync(join(folder, 'new', name), '{"key":{"a":1},"resu');
      assert.equal(cache.find({ a: 1 }), undefined, 'a damaged file is no result');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('small things', () => {
    assert.deepEqual(spread([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 3), [1, 5, 8]);
    assert.equal(versionOf('Usage\ncjxl v0.7.0 [AVX2]\n', 'cjxl'), 'cjxl 0.7.0');
    assert.equal(versionOf('usage', 'x'), 'x');
    assert.equal(number(-1.234, 1, true), '−1.2');
    assert.equal(markdown({ head: ['a', 'b'], rows: [['c', 'd']] }), '| a | b |\n|---|---|\n| c | d |');
  });
});
