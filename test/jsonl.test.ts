/** `dcomp jsonl`: lines in, lines out, and the examples of the guide that feed it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { answerLines, parseLine } from '../cluster/lines.js';
import { corpusPicture } from '../corpus/pictures.js';
import { writePng } from '../formats/png-writer.js';
import { createCli, program } from './helpers/cli.js';
import { blocksOf } from './helpers/code-blocks.js';
import { codeOfError } from './helpers/outcome.js';

const LIMIT = { timeout: 300_000 };
const picture = (width: number): Uint8Array => writePng(corpusPicture('scene', { width, height: 8 }));
const python = ['python3', 'python'].find((name) => spawnSync(name, ['--version']).status === 0);
const has = (module: string): boolean =>
  python !== undefined && spawnSync(python, ['-c', `import ${module}`]).status === 0;

interface Told {
  id?: unknown;
  in?: string;
  out?: string;
  status: string;
  data?: string;
  error?: { code: string; message: string };
}

describe('lines of JSON', LIMIT, () => {
  const cli = createCli({ force: false });
  after(() => cli.remove());
  const quick = { model: cli.model, effort: 1, plain: false };

  it('a line says what it means, or why it means nothing', async () => {
    const known = new Set(['alpha-quality', 'bpp', 'lossless', 'roi']);
    const parse = (value: unknown): ReturnType<typeof parseLine> => parseLine(JSON.stringify(value), known);
    const line = parse({ in: 'a', out: 'b', id: [1], alpha_quality: 3, bpp: '0.5', lossless: true, x: null });
    assert.deepEqual(line, {
      ...{ id: [1], in: 'a', out: 'b', data: undefined },
      options: { 'alpha-quality': 3, bpp: '0.5', lossless: true },
    });
    assert.deepEqual(parse({ in: 'a', alphaQuality: 3 }).options, { 'alpha-quality': 3 });
    const regions = ['0,0,8,8:8', '4,4,8,8:0.5'];
    assert.deepEqual(parse({ in: 'a', roi: regions }).options, { roi: regions });
    assert.equal(parse({ data: 'AAEC' }).data!.length, 3);
    const wrong = [7, null, [], 'a', {}, { in: 'a', data: 'b' }, { in: 7 }, { in: '' }, { in: 'a', out: 7 }];
    for (const value of [...wrong, { in: 'a', quality: 3 }, { in: 'a', bpp: [1] }, { in: 'a', roi: [1] }])
      assert.equal(await codeOfError(() => parse(value)), 'E_USAGE', JSON.stringify(value));
    assert.equal(await codeOfError(() => parseLine('{', known)), 'E_USAGE');
  });

  it('answers come in the order of the lines, and no more is begun than is asked for', async () => {
    let active = 0;
    let most = 0;
    const told: string[] = [];
    const lines = async function* (): AsyncGenerator<string> {
      for (const i of [5, 1, 4, 2, 3]) yield JSON.stringify({ id: i });
      yield '';
    };
    const work = async (text: string): Promise<Record<string, unknown>> => {
      most = Math.max(most, ++active);
      const { id } = JSON.parse(text) as { id: number };
      await new Promise((resolve) => setTimeout(resolve, 10 * id));
      active--;
      if (id === 4) throw new Error('an error');
      return { twice: 2 * id };
    };
    await answerLines(lines(), 2, work, (line) => told.push(line));
    assert.deepEqual(
      told.map((line) => JSON.parse(line) as unknown),
      [
        { id: 5, status: 'done', twice: 10 },
        { id: 1, status: 'done', twice: 2 },
        { id: 4, status: 'failed', error: { code: 'E_INTERNAL', message: 'an error' } },
        { id: 2, status: 'done', twice: 4 },
        { id: 3, status: 'done', twice: 6 },
      ],
    );
    assert.ok(most <= 2, `${most} at once`);
  });

  it('codes files as dcomp encode does, from and to files or bytes; what fails is told', LIMIT, () => {
    writeFileSync(cli.file('a.png'), picture(9));
    writeFileSync(cli.file('bad.png'), 'no picture');
    const lines = [
      { id: 1, in: 'a.png', out: 'deep/a.dcz', ...quick },
      { id: 2, in: 'bad.png', out: 'bad.dcz', ...quick },
      { id: 3, data: Buffer.from(picture(9)).toString('base64'), ...quick },
      { id: 4, in: 'a.png', out: 'bad.png', ...quick },
      { id: 5, in: 'a.png', out: 'deep/a.dcz', skip_existing: true, ...quick },
      { id: 6, in: 'a.png', out: 'deep/a.dcz', force: true, ...quick },
      { id: 7, in: 'a.png', out: 'b.dcz', nonsense: 1 },
    ];
    const input = lines.map((line) => JSON.stringify(line)).join('\n');
    const { code, stdout, stderr } = cli.piped(new TextEncoder().encode(input), 'jsonl', '--concurrency', '1');
    assert.equal(code, 0, stderr);
    const told = stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Told);
    assert.deepEqual(
      told.map(({ id, status, error }) => [id, status, error?.code]),
      [
        [1, 'done', undefined],
        [2, 'failed', 'E_NOT_PICTURE'],
        [3, 'done', undefined],
        [4, 'failed', 'E_EXISTS'],
        [5, 'skipped', undefined],
        [6, 'done', undefined],
        [7, 'failed', 'E_USAGE'],
      ],
    );
    assert.match(told[1]!.error!.message, /bad\.png: not a picture that dcomp reads/);
    cli.works('encode', 'a.png', 'alone.dcz', '--effort', '1');
    const alone = readFileSync(cli.file('alone.dcz'));
    assert.deepEqual(readFileSync(cli.file('deep/a.dcz')), alone);
    assert.deepEqual(Buffer.from(told[2]!.data!, 'base64'), alone);
    assert.equal(readFileSync(cli.file('bad.png'), 'utf8'), 'no picture');
  });

  const examples = blocksOf('docs/guide/functions.md').filter(({ language }) => language === 'python');
  const nameOf = (text: string): string => /^# (\S+\.py)\n/.exec(text)![1]!;

  /** Runs a line of Python beside the examples, with `records` and the command of this build. */
  function runPython(line: string): Told[] {
    for (const { text } of examples) writeFileSync(cli.file(nameOf(text)), text);
    const records = [9, 10, 11, 12].map((width) => {
      writeFileSync(cli.file(`${width}.png`), picture(width));
      return { id: width, in: cli.file(`${width}.png`), model: cli.model, effort: 1 };
    });
    const bin = cli.file('bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'dcomp'), `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`, { mode: 0o755 });
    const env = { ...process.env, PATH: [bin, process.env.PATH ?? ''].join(delimiter) };
    const script = [
      'import json, coder',
      `records = json.loads(${JSON.stringify(JSON.stringify(records))})`,
      line,
    ].join('\n');
    const { status, stdout, stderr } = spawnSync(python!, ['-c', script], { cwd: cli.folder, encoding: 'utf8', env });
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout) as Told[];
  }

  const check = (told: Told[]): void => {
    assert.deepEqual(
      told.map(({ id, status }) => [id, status]).sort(),
      [10, 11, 12, 9].map((id) => [id, 'done']),
    );
    assert.ok(told.every(({ data }) => Buffer.from(data!, 'base64').toString('latin1', 0, 3).length === 3));
  };

  const shell = process.platform === 'win32' ? 'the command stands in for dcomp by a POSIX shell' : false;
  it('the example in Python', { skip: python === undefined ? 'there is no Python' : shell, ...LIMIT }, () =>
    check(runPython('print(json.dumps(list(coder.code(records))))')),
  );

  it('the example for Dask', { skip: has('dask.bag') ? false : 'there is no Dask', ...LIMIT }, () =>
    check(runPython('import with_dask; print(json.dumps(with_dask.code_all(records, 2)))')),
  );

  it('the example for Ray', { skip: has('ray') ? false : 'there is no Ray', ...LIMIT }, () =>
    check(runPython('import with_ray; print(json.dumps(with_ray.code_all(records, 2)))')),
  );

  it('the example for Spark', { skip: has('pyspark') ? false : 'there is no Spark', ...LIMIT }, () =>
    check(
      runPython(
        'import pyspark, with_spark; print(json.dumps(with_spark.code_all(pyspark.SparkContext("local[2]"), records, 2)))',
      ),
    ),
  );
});
