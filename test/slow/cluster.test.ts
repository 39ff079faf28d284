/** Two hundred pictures over four workers that are killed again and again. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { createCli } from '../helpers/cli.js';
import { codeUnderFire } from '../helpers/flock.js';
import { noRedis, startRedis, type RedisServer } from '../helpers/redis.js';

const LIMIT = { timeout: 3_000_000 };

describe('many pictures across machines', { skip: noRedis, ...LIMIT }, () => {
  const cli = createCli({ force: false });
  let redis: RedisServer;
  let connection: Redis;
  before(async () => {
    redis = await startRedis();
    connection = new Redis(redis.url, { maxRetriesPerRequest: null });
    connection.on('error', () => undefined);
  });
  afterEach(async () => {
    await connection.flushall();
    cli.clear();
  });
  after(async () => {
    connection.disconnect();
    await redis?.stop();
    cli.remove();
  });

  it('200 over four workers: each is there once, whole, and as coded alone', LIMIT, async () => {
    await codeUnderFire(cli, redis, { pictures: 200, workers: 4, kills: 12 });
    const queue = new Queue('dcomp', { connection });
    const counts = await queue.getJobCounts('completed', 'failed', 'waiting', 'active', 'delayed');
    assert.deepEqual(counts, { completed: 200, failed: 1, waiting: 0, active: 0, delayed: 0 });
    await queue.close();
  });
});
