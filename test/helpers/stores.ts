/** Servers that speak S3, of the tests' own: s3rver (a package of npm), and moto (Python), where it is installed. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { root } from './cli.js';
import { freePort } from './redis.js';

export const STORES = ['s3rver', 'moto'] as const;
export type StoreName = (typeof STORES)[number];

/** For `skip` of tests that need the store. */
export function noStore(name: StoreName): string | false {
  if (name === 's3rver') return false;
  const found = spawnSync('python3', ['-c', 'import moto.server, flask']).status === 0;
  return found ? false : 'no moto found; install it (pip install "moto[server]")';
}

export interface Store {
  /** For the environment of programs. */
  env: Record<string, string>;
  client: S3Client;
  stop(): Promise<void>;
}

/** With empty buckets. */
export async function startStore(name: StoreName, buckets: readonly string[]): Promise<Store> {
  const folder = mkdtempSync(join(tmpdir(), 'dcomp-store-'));
  const port = await freePort();
  const place = ['--directory', folder, '--address', '127.0.0.1', '--port', String(port), '--silent'];
  const server: ChildProcess =
    name === 's3rver'
      ? spawn(process.execPath, [join(root, 'node_modules/s3rver/bin/s3rver.js'), ...place], { stdio: 'ignore' })
      : spawn('python3', ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  const gone = new Promise((resolve) => server.once('exit', resolve));
  const env = {
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`,
    AWS_ACCESS_KEY_ID: 'S3RVER',
    AWS_SECRET_ACCESS_KEY: 'S3RVER',
    AWS_REGION: 'us-east-1',
  };
  const client = new S3Client({
    ...{ endpoint: env.AWS_ENDPOINT_URL_S3, region: env.AWS_REGION, forcePathStyle: true },
    credentials: { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY },
    requestChecksumCalculation: 'WHEN_REQUIRED',
  });
  for (const Bucket of buckets) await once(() => client.send(new CreateBucketCommand({ Bucket })));
  return {
    env,
    client,
    async stop() {
      client.destroy();
      server.kill('SIGKILL');
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** It takes its time to begin. */
async function once<T>(task: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await task();
    } catch (error) {
      if (tries === 300) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
