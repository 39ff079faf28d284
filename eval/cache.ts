/** Results that are kept from run to run, one small JSON file each, named by the hash of all that they depend on. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** All that a result depends on, in words; a picture by the hash of its samples. */
export type Key = Record<string, string | number | boolean | readonly (string | number)[]>;

/** Hash of compiled code: results are not to outlive a change of what made them. @param folders under the package's `dist` */
export function codeHash(folders: readonly string[]): string {
  const hash = createHash('sha256');
  for (const name of folders) {
    const folder = new URL(`../${name}/`, import.meta.url);
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort())
      if (file.endsWith('.js')) hash.update(file).update(readFileSync(new URL(file, folder)));
  }
  return hash.digest('hex').slice(0, 16);
}

export class ResultCache {
  constructor(private readonly folder: string) {}

  /** The kept result for a key, undefined if there is none. */
  find<T>(key: Key): T | undefined {
    const { path, text } = this.place(key);
    const kept = read(path) as { key: Key; result: T } | undefined;
    return kept !== undefined && JSON.stringify(kept.key) === text ? kept.result : undefined;
  }

  keep(key: Key, result: unknown): void {
    const { path } = this.place(key);
    mkdirSync(this.folder, { recursive: true });
    // Written aside and renamed, so that an interrupted run leaves no half result.
    const draft = `${path}.${process.pid}.tmp`;
    writeFileSync(draft, JSON.stringify({ key, result }));
    renameSync(draft, path);
  }

  private place(key: Key): { path: string; text: string } {
    const text = JSON.stringify(key);
    return { path: join(this.folder, `${createHash('sha256').update(text).digest('hex').slice(0, 32)}.json`), text };
  }
}

function read(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown;
  } catch {
    return undefined;
  }
}
