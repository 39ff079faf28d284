/** Work across machines: a queue in a real Redis, workers that are killed, and what they leave. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, describe, it } from 'node:test';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { corpusPicture } from '../corpus/pictures.js';
import { writePng } from '../formats/png-writer.js';
import { createCli } from './helpers/cli.js';
import { codeUnderFire, contentsOf, startWorker, writePictures } from './helpers/flock.js';
import { beside, noRedis, startRedis, type Beside, type RedisServer } from './helpers/redis.js';

const LIMIT = { timeout: 540_000 };

describe('across machines', { skip: noRedis, ...LIMIT }, () => {
  const cli = createCli({ force: false });
  let redis: RedisServer;
  let connection: Redis;
  const begun: Beside[] = [];
  const worker = (...args: string[]): Beside => {
    const started = startWorker(cli, redis, ...args);
    begun.push(started);
    return started;
  };
  /** The programs' model and options, for the library does not add them to what runs beside. */
  const options = (): string[] => ['--model', cli.model, '--no-plain', '--effort', '1', '--redis', redis.url];
  before(async () => {
    redis = await startRedis();
    connection = new Redis(redis.url, { maxRetriesPerRequest: null });
    connection.on('error', () => undefined);
  });
  afterEach(async () => {
    for (const { process } of begun.splice(0)) process.kill('SIGKILL');
    await connection.flushall();
    cli.clear();
  });
  after(async () => {
    connection.disconnect();
    await redis?.stop();
    cli.remove();
  });

  it(
    'every file is there once and whole, as if coded alone, though workers are killed and Redis dies',
    LIMIT,
    async () => {
      await codeUnderFire(cli, redis, { pictures: 24, workers: 2, kills: 3 });
      const queue = new Queue('dcomp', { connection });
      const counts = await queue.getJobCounts('completed', 'failed', 'waiting', 'active', 'delayed');
      assert.deepEqual(counts, { completed: 24, failed: 1, waiting: 0, active: 0, delayed: 0 });
      const [parked] = await queue.getFailed();
      assert.match(parked!.failedReason, /^E_NOT_PICTURE .*poison\.png: not a picture/);
      await queue.close();
    },
  );

  it('files that exist stay, or are passed over, or replaced, as when they are coded here', LIMIT, async () => {
    writePictures(cli.file('photos'), 2);
    const first = worker('--metrics', '0');
    await first.says(/waiting for jobs/);
    const run = async (...args: string[]): Promise<[number | null, string]> => {
      const producer = beside(cli.folder, ['encode', 'photos', '-o', 'coded', ...options(), ...args]);
      return [(await producer.ended).code, producer.said()];
    };
    const [code, said] = await run();
    assert.equal(code, 0, said);
    assert.match(said, /coded\/1\.dcz: \d+ bytes.*\n.*coded\/sub\/0\.dcz: .*\n2 done, 0 failed, \d+ bytes → \d+ bytes/);
    const made = contentsOf(cli.file('coded'));
    writeFileSync(cli.file('coded/1.dcz'), 'precious');
    const [refused, why] = await run();
    assert.equal(refused, 1);
    assert.match(why, /coded\/1\.dcz exists already and stays as it is/);
    assert.equal(readFileSync(cli.file('coded/1.dcz'), 'utf8'), 'precious');
    assert.match((await run('--skip-existing'))[1], /0 done, 0 failed, 2 skipped/);
    assert.match((await run('--force'))[1], /2 done, 0 failed/);
    assert.deepEqual(contentsOf(cli.file('coded')), made);
    const address = /figures at (\S+)/.exec(first.said())![1]!;
    const figures = await (await fetch(address)).text();
    assert.match(figures, /^dcomp_jobs_total\{result="done"\} 4$/m);
    assert.match(figures, /^dcomp_job_seconds_count 4$/m);
    assert.match(figures, /^dcomp_queue_jobs\{state="completed"\} [24]$/m);
    assert.match(figures, /^process_cpu_seconds_total /m);
    assert.equal((await fetch(address.replace('/metrics', '/other'))).status, 404);
  });

  it('who submits and does not wait is told; submitting once more adds nothing', LIMIT, async () => {
    writePictures(cli.file('photos'), 3);
    const submit = async (): Promise<string> => {
      const producer = beside(cli.folder, ['encode', 'photos', '-o', 'coded', ...options(), '--no-wait']);
      assert.equal((await producer.ended).code, 0, producer.said());
      return producer.said();
    };
    assert.equal(await submit(), '3 files wait in the queue dcomp\n');
    await submit();
    const queue = new Queue('dcomp', { connection });
    assert.equal(await queue.getWaitingCount(), 3);
    await queue.close();
  });

  it('a worker that is told to stop hands its file back and ends with 0; another finishes it', LIMIT, async () => {
    mkdirSync(cli.file('photos'));
    writeFileSync(cli.file('photos/large.png'), writePng(corpusPicture('scene', { width: 256, height: 256 })));
    const first = worker('--grace', '0');
    await first.says(/waiting for jobs/);
    const producer = beside(cli.folder, ['encode', 'photos/large.png', 'large.dcz', ...options()]);
    begun.push(producer);
    const queue = new Queue('dcomp', { connection });
    while ((await queue.getActiveCount()) === 0 && producer.process.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 50));
    first.process.kill('SIGTERM');
    assert.equal((await first.ended).code, 0, first.said());
    assert.match(first.said(), /SIGTERM: no more jobs/);
    assert.deepEqual(
      cli.files().filter((name) => !name.startsWith('photos')),
      [],
    );
    assert.equal(await queue.getWaitingCount(), 1);
    worker();
    assert.equal((await producer.ended).code, 0, producer.said());
    assert.ok(cli.files().includes('large.dcz'));
    await queue.close();
  });

  it('a worker works within the folders that it was given, and refuses jobs that no dcomp made', LIMIT, async () => {
    writePictures(cli.file('photos'), 1);
    worker('--within', cli.file('coded'));
    const producer = beside(cli.folder, ['encode', 'photos', '-o', 'coded', ...options()]);
    assert.equal((await producer.ended).code, 1);
    assert.match(producer.said(), /0\.png is not within \S+coded, where this worker may work/);
    const queue = new Queue('dcomp', { connection });
    await queue.add('encode', {
      layout: 1,
      input: '/etc/hostname',
      output: '/tmp/x',
      coder: '../evil',
      version: '1',
      settings: {},
    });
    await queue.add('encode', null);
    while ((await queue.getFailedCount()) < 3) await new Promise((resolve) => setTimeout(resolve, 100));
    const reasons = (await queue.getFailed()).map(({ failedReason }) => failedReason).sort();
    assert.match(reasons[0]!, /^E_USAGE .* is not within/);
    assert.match(reasons[1]!, /^E_USAGE the job asks for "..\/evil"/);
    assert.match(reasons[2]!, /^E_VERSION the job is of another version/);
    await queue.close();
  });
});
