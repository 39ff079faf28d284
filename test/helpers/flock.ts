/** Many small pictures that workers code while they are killed, and Redis with them. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { corpusPicture } from '../../corpus/pictures.js';
import { writePng } from '../../formats/png-writer.js';
import type { Cli } from './cli.js';
import { beside, type Beside, type RedisServer } from './redis.js';

/** No two are alike. */
export function writePictures(folder: string, count: number): void {
  for (let i = 0; i < count; i++) {
    const place = join(folder, i % 3 === 0 ? 'sub' : '.');
    mkdirSync(place, { recursive: true });
    const picture = corpusPicture('scene', { width: 8 + (i % 5), height: 8 + Math.floor(i / 5) });
    writeFileSync(join(place, `${i}.png`), writePng(picture));
  }
}

/** Files below a folder by name. */
export function contentsOf(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    names.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path.slice(folder.length + 1), readFileSync(path).toString('hex')] as const;
    }),
  );
}

export function startWorker(cli: Cli, { url }: RedisServer, ...args: string[]): Beside {
  const quick = ['--patience', '2', '--concurrency', '1', '--threads', '1'];
  return beside(cli.folder, ['worker', '--redis', url, ...quick, ...args]);
}

export interface Flock {
  pictures: number;
  workers: number;
  /** Workers that are killed, in turn, whenever so many more files are done. */
  kills: number;
}

/** Codes a folder `photos` of a hundred deaths to `coded`, with a file that is no picture in it; and once more alone, to compare. */
export async function codeUnderFire(cli: Cli, redis: RedisServer, { pictures, workers, kills }: Flock): Promise<void> {
  writePictures(cli.file('photos'), pictures);
  const options = ['--model', cli.model, '--no-plain', '--effort', '1'];
  cli.works('encode', 'photos', '-o', 'alone', ...options);
  writeFileSync(cli.file('photos/poison.png'), 'no picture at all');
  const flock = Array.from({ length: workers }, () => startWorker(cli, redis));
  const producer = beside(cli.folder, ['encode', 'photos', '-o', 'coded', '--redis', redis.url, '--json', ...options]);
  try {
    await kill(cli, redis, flock, producer, { pictures, workers, kills });
    const { code, stdout } = await producer.ended;
    assert.equal(code, 1, producer.said()); // of the poison
    assert.match(producer.said(), /^dcomp: \S+poison\.png: not a picture/m);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { output: string; status: string; error?: { code: string } });
    const failed = lines.filter(({ status }) => status !== 'done');
    assert.deepEqual(
      failed.map(({ output, error }) => [output, error?.code]),
      [[join('coded', 'poison.dcz'), 'E_NOT_PICTURE']],
      producer.said(),
    );
    assert.equal(new Set(lines.map(({ output }) => output)).size, pictures + 1);
    assert.equal(lines.length, pictures + 1, 'a file is told of once');
    assert.deepEqual(contentsOf(cli.file('coded')), contentsOf(cli.file('alone')));
  } finally {
    for (const { process } of [...flock, producer]) process.kill('SIGKILL');
  }
}

async function kill(
  cli: Cli,
  redis: RedisServer,
  flock: Beside[],
  producer: Beside,
  { pictures, workers, kills }: Flock,
): Promise<void> {
  let over = false;
  void producer.ended.then(() => (over = true));
  const done = (): number => {
    try {
      return [...contentsOf(cli.file('coded')).keys()].filter((name) => name.endsWith('.dcz')).length;
    } catch {
      return 0; // not begun
    }
  };
  for (let i = 1; i <= kills && !over; i++) {
    while (!over && done() < (i * pictures) / (kills + 1)) await new Promise((resolve) => setTimeout(resolve, 100));
    const at = i % workers;
    flock[at]!.process.kill('SIGKILL');
    if (i === Math.ceil(kills / 2)) await redis.restart();
    flock[at] = startWorker(cli, redis);
  }
}
