/**
 * Runs that are ended at any moment, and disks that are full: every file is whole or not there, and nothing else is left. The
 * moments are drawn by DCOMP_SEED; DCOMP_MOMENTS is how many each run has.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { corpusPicture } from '../corpus/pictures.js';
import { writePng } from '../formats/png-writer.js';
import { hash32 } from '../src/math/hash.js';
import type { Picture } from '../src/picture.js';
import { createCli, program } from './helpers/cli.js';

const MOMENTS = Number(process.env['DCOMP_MOMENTS'] ?? 3);
const SEED = Number(process.env['DCOMP_SEED'] ?? 1);
const TERMINATED = 143;

const cli = createCli();
const { file, files, works } = cli;
const posix = process.platform === 'win32' ? 'a system of its own' : false;

interface Ended {
  code: number;
  milliseconds: number;
}

/** @param after milliseconds until it is ended; undefined for never */
async function run(args: readonly string[], signal?: NodeJS.Signals, after?: number): Promise<Ended> {
  const started = performance.now();
  const child = spawn(process.execPath, [program, ...args], {
    cwd: cli.folder,
    stdio: 'ignore',
  });
  const ended = new Promise<number>((resolve) =>
    // Before the program hears signals, they end it all the same: what a shell calls 128 and the number.
    child.on('exit', (code, by) => resolve(code ?? (by === 'SIGTERM' ? TERMINATED : 137))),
  );
  if (after !== undefined) void sleep(after).then(() => child.kill(signal));
  return { code: await ended, milliseconds: performance.now() - started };
}

describe('a run that is ended at any moment', { skip: posix }, () => {
  const kept = new Map<string, Buffer>();
  before(() => {
    const picture = writePng(corpusPicture('scene', { width: 120, height: 90 }));
    writeFileSync(file('a.png'), picture);
    works('encode', 'a.png', '--effort', '1');
    mkdirSync(file('photos'));
    mkdirSync(file('coded'));
    for (const name of ['a', 'b', 'c', 'd']) {
      writeFileSync(file(`photos/${name}.png`), picture);
      writeFileSync(file(`coded/${name}.dcz`), readFileSync(file('a.dcz')));
    }
    for (const name of files()) kept.set(name, readFileSync(file(name)));
  });
  // Whatever came, all that was there is as it was.
  afterEach(() => {
    for (const [name, bytes] of kept) assert.deepEqual(readFileSync(file(name)), bytes, name);
    for (const name of files()) if (!kept.has(name)) rmSync(file(name), { force: true });
  });

  const model = ['--model', cli.model];
  const coding = [...model, '--no-plain', '--effort', '1', '--force'];
  const runs: Record<string, string[]> = {
    encode: ['encode', 'a.png', 'out.dcz', ...coding],
    decode: ['decode', 'a.dcz', 'out.png', ...model, '--force'],
    'encode of a folder': ['encode', 'photos', '-o', 'out', ...coding],
    'decode of a folder': ['decode', 'coded', '-o', 'out', ...model, '--force', '--jobs', '2'],
  };
  for (const [what, args] of Object.entries(runs))
    it(`${what}: leaves whole files and nothing else, and says by its exit code that it was ended`, async () => {
      const { code, milliseconds } = await run(args);
      assert.equal(code, 0);
      const made = new Map(
        files()
          .filter((name) => !kept.has(name))
          .map((name) => [name, readFileSync(file(name))]),
      );
      assert.ok(made.size > 0);
      for (let k = 0; k < MOMENTS; k++) {
        for (const name of made.keys()) rmSync(file(name), { force: true });
        const moment = (hash32(SEED, k) / 2 ** 32) * milliseconds;
        const about = `seed ${SEED}, moment ${k} (${moment.toFixed(0)} of ${milliseconds.toFixed(0)} ms)`;
        const ended = await run(args, 'SIGTERM', moment);
        assert.ok(ended.code === TERMINATED || ended.code === 0, `${about}: exit code ${ended.code}`);
        const left = files().filter((name) => !kept.has(name));
        if (ended.code === 0) assert.deepEqual(left, [...made.keys()], about);
        for (const name of left) assert.deepEqual(readFileSync(file(name)), made.get(name), `${about}: ${name}`);
      }
    });

  it('by SIGKILL, leaves temporary files at most, which the next run removes', async () => {
    const { milliseconds } = await run(runs['encode']!);
    for (let k = 0; k < MOMENTS; k++) {
      await run(runs['encode']!, 'SIGKILL', (0.5 + (0.5 * hash32(SEED, 100 + k)) / 2 ** 32) * milliseconds);
      const left = files().filter((name) => !kept.has(name) && name !== 'out.dcz');
      assert.ok(
        left.every((name) => name.endsWith('.tmp')),
        left.join(),
      );
    }
    works('encode', 'a.png', 'out.dcz', '--effort', '1');
    assert.deepEqual(
      files().filter((name) => !kept.has(name)),
      ['out.dcz'],
    );
  });
  after(() => cli.remove());
});

/** A disk of so many kilobytes, or why there is none. */
function disk(kilobytes: number): { folder: string } | { why: string } {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return { why: 'only root of Linux can have a small disk' };
  const folder = mkdtempSync(join(tmpdir(), 'dcomp-disk-'));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', folder]);
  if (status === 0) return { folder };
  rmSync(folder, { recursive: true });
  return { why: 'a small disk cannot be mounted here' };
}

const small = disk(64);

describe('a disk that is full', { skip: 'why' in small ? small.why : false }, () => {
  const folder = 'folder' in small ? small.folder : '';
  const other = createCli();
  const noise = (side: number): Picture => ({
    width: side,
    height: side,
    channels: 3,
    data: Uint8Array.from({ length: 3 * side * side }, (_, i) => hash32(5, i) & 255),
  });
  before(() => {
    // 120 kB as PNG, and 7.
    writeFileSync(other.file('large.png'), writePng(noise(200)));
    writeFileSync(other.file('small.png'), writePng(noise(48)));
    other.works('encode', 'large.png', '-q', '20', '--effort', '1');
    other.works('encode', 'small.png', '-q', '20', '--effort', '1');
  });
  after(() => {
    spawnSync('umount', [folder]);
    rmSync(folder, { recursive: true, force: true });
    other.remove();
  });

  it('is told as one, and has no half file', () => {
    const { code, stderr } = other.dcomp('decode', 'large.dcz', join(folder, 'out.png'));
    assert.match(stderr, /^dcomp: cannot write .*out\.png: no space is left on the device\n$/);
    assert.equal(code, 1);
    assert.deepEqual(readdirSync(folder), []);
  });

  it('keeps what was to be replaced', () => {
    const path = join(folder, 'out.png');
    writeFileSync(path, 'as it was');
    const { code, stderr } = other.dcomp('decode', 'large.dcz', path);
    assert.match(stderr, /no space is left/);
    assert.equal(code, 1);
    assert.equal(readFileSync(path, 'latin1'), 'as it was');
    assert.deepEqual(readdirSync(folder), ['out.png']);
    rmSync(path);
  });

  it('has, of a folder, the files that fit', () => {
    const { code, stderr } = other.dcomp('decode', 'large.dcz', 'small.dcz', '-o', folder);
    assert.match(stderr, /large.*no space is left|no space is left.*large/);
    assert.equal(code, 1);
    assert.deepEqual(readdirSync(folder), ['small.png']);
    other.works('decode', 'small.dcz', 'same.png');
    assert.deepEqual(readFileSync(join(folder, 'small.png')), readFileSync(other.file('same.png')));
  });
});
