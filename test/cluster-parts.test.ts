/** Parts of the work across machines that need no Redis. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Children } from '../cluster/children.js';
import { optional } from '../cluster/optional.js';
import { writePlace, type Writing } from '../cluster/places.js';
import { shownAddress } from '../cluster/redis.js';
import { isObject, partsOf } from '../cluster/s3.js';
import { checkTask, failureText, idOf, isPassing, makeTask, parseFailure } from '../cluster/task.js';
import { checkWithin } from '../cluster/worker.js';
import { codersOf } from '../cli/worker.js';
import { createCli, root } from './helpers/cli.js';
import { codeOfError } from './helpers/outcome.js';

const base = {
  input: '/in/a.png',
  output: '/out/a.dcz',
  replace: false,
  keepTimes: false,
  folders: true,
  coder: 'encode',
  settings: { effort: 1 },
  version: '1',
};

describe('parts of the work across machines', { timeout: 600_000 }, () => {
  const cli = createCli({ force: false });
  after(() => cli.remove());

  it('workers know every coder that a command names', async () => {
    const coders = codersOf();
    for (const url of Object.values(coders))
      assert.equal(typeof ((await import(url)) as { code?: unknown }).code, 'function');
    const commands = readdirSync(join(root, 'cli')).filter((name) => /\.ts$/.test(name));
    const named = commands.flatMap((name) => {
      const text = readFileSync(join(root, 'cli', name), 'utf8');
      const others = [...text.matchAll(/new URL\('\.\/([\w-]+)\.js', import\.meta\.url\)\.href/g)].map(
        ([, other]) => other!,
      );
      return /runJobs\(.*url: import\.meta\.url/.test(text) ? [...others, name.slice(0, -3)] : others;
    });
    assert.deepEqual([...new Set(named)].sort(), Object.keys(coders).sort());
  });

  it('the same task has the same id, another one another', () => {
    const task = makeTask(base);
    assert.equal(idOf(task), idOf(makeTask({ ...base })));
    const others = [
      { input: '/b' },
      { output: '/b' },
      { version: '2' },
      { settings: { effort: 2 } },
      { replace: true },
    ];
    const ids = others.map((other) => idOf(makeTask({ ...base, ...other })));
    assert.equal(new Set([idOf(task), ...ids]).size, others.length + 1);
    assert.match(idOf(task), /^d[0-9a-f]{40}$/);
  });

  it('jobs that are none are refused', async () => {
    const task = makeTask(base);
    assert.equal(checkTask(task, { encode: 'url' }), task);
    for (const bad of [null, 7, 'job', {}, { ...task, layout: 2 }])
      assert.equal(await codeOfError(async () => checkTask(bad, { encode: 'url' })), 'E_VERSION');
    for (const bad of [
      { input: 7 },
      { output: '' },
      { settings: null },
      { coder: 'toString' },
      { settings: undefined },
    ])
      assert.equal(await codeOfError(async () => checkTask({ ...task, ...bad }, { encode: 'url' })), 'E_USAGE');
  });

  it('errors go through a queue and come back', () => {
    const failure = { code: 'E_DAMAGED_PNG', message: 'a.png: two\nlines' } as const;
    assert.deepEqual(parseFailure(failureText(failure)), failure);
    assert.equal(parseFailure('job stalled more than allowable limit').code, 'E_WORKER');
    assert.equal(parseFailure('something else').code, 'E_INTERNAL');
    assert.ok(isPassing('E_IO') && isPassing('E_WORKER') && !isPassing('E_NOT_PICTURE') && !isPassing('E_EXISTS'));
  });

  it('an output that is there counts as done only if it is the very same', async () => {
    const writing: Writing = { ...base, input: 's3://none/a', output: cli.file('deep/a.dcz') };
    const make = (text: string) => async (): Promise<Uint8Array> => new TextEncoder().encode(text);
    assert.equal(await writePlace(writing, make('abc')), 3);
    assert.equal(await writePlace(writing, make('abc')), 3);
    assert.equal(await codeOfError(() => writePlace(writing, make('abd'))), 'E_EXISTS');
    assert.equal(readFileSync(writing.output, 'utf8'), 'abc');
    assert.equal(await writePlace({ ...writing, replace: true }, make('abd')), 3);
    assert.equal(readFileSync(writing.output, 'utf8'), 'abd');
    // Somebody was quicker, while it was coded.
    const raced = { ...writing, output: cli.file('deep/b.dcz') };
    const slow = async (): Promise<Uint8Array> => {
      writeFileSync(raced.output, 'abc');
      return make('abc')();
    };
    assert.equal(await writePlace(raced, slow), 3);
  });

  it('a worker writes where it may, and nowhere else', async () => {
    const within = ['/shared', 's3://bucket/photos/'];
    for (const place of ['/shared/a', 's3://bucket/photos/a/b']) checkWithin(place, within);
    for (const place of ['/sharedx/a', '/shared/../etc/a', 's3://bucket/photo', 's3://bucket2/photos/a', '/etc/a'])
      assert.equal(await codeOfError(async () => checkWithin(place, within)), 'E_USAGE', place);
    checkWithin('/etc/a', []);
  });

  it('names of objects', async () => {
    assert.deepEqual(partsOf('s3://b/k/l.png'), { bucket: 'b', key: 'k/l.png' });
    assert.deepEqual(partsOf('s3://b'), { bucket: 'b', key: '' });
    assert.ok(!isObject('/s3://b'));
    assert.equal(await codeOfError(async () => partsOf('s3:///k')), 'E_USAGE');
  });

  it('a password is not shown', () => {
    assert.equal(shownAddress('redis://user:secret@host:1/2'), 'redis://host:1/2');
  });

  it('a package that is missing is named, with how to install it', async () => {
    const missing = optional(() => import('no-such-' + 'package'), '--redis', 'bullmq ioredis');
    await assert.rejects(missing, (error: Error) => {
      assert.equal(error.message, '--redis: the package no-such-package is not installed; npm install bullmq ioredis');
      return (error as { code?: string }).code === 'E_MISSING_DEPENDENCY';
    });
  });

  it('a child that dies ends one file, and the next has another child', async () => {
    const dying = `data:text/javascript,${encodeURIComponent(
      `export const code = async (input, { how }) => {
         if (how === 'die') process.kill(process.pid, 'SIGKILL');
         if (how === 'hang') await new Promise((resolve) => setTimeout(resolve, 60000));
         return { bytes: input, seconds: { read: 0, code: 0, write: 0 }, pid: process.pid };
       };`,
    )}`;
    writeFileSync(cli.file('in'), 'some bytes');
    const children = new Children();
    const errand = (how: string, output: string) => ({
      coder: dying,
      task: makeTask({ ...base, input: cli.file('in'), output: cli.file(output), settings: { how } }),
      blobs: new Map<string, Uint8Array>(),
      threads: 1,
    });
    try {
      const one = await children.run(errand('well', 'one'));
      assert.deepEqual([one.inputBytes, one.outputBytes], [10, 10]);
      assert.equal(await codeOfError(() => children.run(errand('die', 'two'))), 'E_WORKER');
      const three = await children.run(errand('well', 'three'));
      assert.notEqual((one as unknown as { pid: number }).pid, (three as unknown as { pid: number }).pid);
      const stop = new AbortController();
      setTimeout(() => stop.abort(), 500);
      assert.equal(await codeOfError(() => children.run(errand('hang', 'four'), { signal: stop.signal })), 'E_ABORTED');
      assert.deepEqual(cli.files(), ['deep/a.dcz', 'deep/b.dcz', 'in', 'one', 'three']);
    } finally {
      children.close();
    }
  });

  it('options that go with --redis alone, or not with it, are refused', () => {
    writeFileSync(cli.file('a.png'), '');
    cli.fails(2, /--no-wait|--wait is for files that other machines code/, 'encode', 'a.png', '--no-wait');
    cli.fails(
      2,
      /--threads is for files that are coded here/,
      'encode',
      'a.png',
      '--redis',
      'redis://x',
      '--threads',
      '2',
    );
    cli.fails(2, /--redis is http:\/\/x; it must be as redis:\/\/HOST/, 'encode', 'a.png', '--redis', 'http://x');
    cli.fails(2, /s3:\/\/ names are for work across machines/, 'encode', 's3://b/a.png', 'a.dcz');
    cli.fails(2, /stdin is of this machine alone/, 'encode', '-', 'b.dcz', '--redis', 'redis://x');
    cli.fails(2, /say where jobs come from/, 'worker');
  });
});
