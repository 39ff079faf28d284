/** Results that are kept from run to run, one small JSON file each, named by the hash of all that they depend on. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Picture } from '../src/picture.js';

/** All that a result depends on, in words; the picture by `pictureHash`. */
export type Key = Record<string, string | number | readonly (string | number)[]>;

export function pictureHash(picture: Picture): string {
  const { width, height, channels, data } = picture;
  return createHash('sha256').update(`${width} ${height} ${channels} `).update(data).digest('hex');
}

/** Of the compiled codec: its results are not to outlive a change of it. */
export function codecHash(): string {
  const hash = createHash('sha256');
  for (const part of ['codec', 'entropy', 'kernels', 'math', 'model']) {
    const folder = new URL(`../src/${part}/`, import.meta.url);
    for (const name of readdirSync(folder).sort()) if (name.endsWith('.js')) hash.update(name).update(readFileSync(new URL(name, folder)));
  }
  return hash.digest('hex').slice(0, 16);
}

export class ResultCache {
  constructor(private readonly folder: string) {}

  /** The kept result for a key, or else that of `make`, which is then kept. */
  async get<T>(key: Key, make: () => Promise<T>): Promise<T> {
    const text = JSON.stringify(key);
    const path = join(this.folder, `${createHash('sha256').update(text).digest('hex').slice(0, 32)}.json`);
    const kept = read(path) as { key: Key; result: T } | undefined;
    if (kept !== undefined && JSON.stringify(kept.key) === text) return kept.result;
    const result = await make();
    mkdirSync(this.folder, { recursive: true });
    // Written aside and renamed, so that an interrupted run leaves no half result.
    const draft = `${path}.${process.pid}.tmp`;
    writeFileSync(draft, JSON.stringify({ key, result }));
    renameSync(draft, path);
    return result;
  }
}

function read(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown;
  } catch {
    return undefined;
  }
}
