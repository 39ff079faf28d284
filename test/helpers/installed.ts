/** The package as people install it: packed, and installed into an empty folder. */
import assert from 'node:assert/strict';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { corpusPicture } from '../../corpus/pictures.js';
import { writePng } from '../../formats/png-writer.js';
import { root } from './cli.js';

const windows = process.platform === 'win32';
export const npm = (folder: string, ...args: string[]): SpawnSyncReturns<string> =>
  spawnSync('npm', args, { cwd: folder, encoding: 'utf8', shell: windows });

export interface Installed {
  folder: string;
  /** Packages that came with it. */
  packages: string[];
  /** A new folder inside, with a picture `photo.png` and two more in `photos`. */
  work(name: string): string;
  /** Runs a line of a shell in such a folder. */
  shell(folder: string, line: string): { code: number | null; printed: string };
  remove(): void;
}

/** Packs what is built and installs it without scripts or optional packages, from npm's cache if it can. */
export function install(): Installed {
  const folder = mkdtempSync(join(tmpdir(), 'dcomp-installed-'));
  const packed = npm(root, 'pack', '--ignore-scripts', '--pack-destination', folder);
  assert.equal(packed.status, 0, packed.stderr);
  const archive = readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  const args = ['--prefer-offline', '--omit=optional', '--no-audit', '--no-fund', '--ignore-scripts'];
  const outcome = npm(folder, 'install', ...args, `./${archive}`);
  assert.equal(outcome.status, 0, outcome.stderr);
  const modules = join(folder, 'node_modules');
  const packages = readdirSync(modules).filter((name) => !name.startsWith('.'));
  // What npm would have brought besides, and what users of TypeScript have.
  for (const name of ['sharp', '@img', '@types', '@aws-sdk'])
    if (existsSync(join(root, 'node_modules', name)))
      symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction');
  return {
    folder,
    packages,
    work(name) {
      const place = join(folder, name);
      mkdirSync(join(place, 'photos'), { recursive: true });
      const picture = (seed: number): Uint8Array => writePng(corpusPicture('scene', { width: 96, height: 64 - seed }));
      writeFileSync(join(place, 'photo.png'), picture(0));
      for (const [i, other] of ['a', 'b'].entries())
        writeFileSync(join(place, 'photos', `${other}.png`), picture(i + 1));
      return place;
    },
    shell(place, line) {
      const path = [join(modules, '.bin'), dirname(process.execPath), process.env.PATH ?? ''].join(delimiter);
      const env = { ...process.env, PATH: path, NO_COLOR: '1' };
      const { status, stdout } = spawnSync('bash', ['-c', `{ ${line}\n} 2>&1`], { cwd: place, encoding: 'utf8', env });
      return { code: status, printed: stdout };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
