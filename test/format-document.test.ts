/**
 * docs/format.md is enough to read a file's structure: `info` written from it alone, in Python (test/dcz_info.py), agrees
 * with `dcomp info --json` on all golden files, whole, cut and damaged.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { concat, readContainer, writeAlpha, writeHeader, writeSegments } from '../src/container/container.js';
import { hash32 } from '../src/math/hash.js';
import { info } from '../src/index.js';
import { outcome } from './helpers/outcome.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const golden = join(root, 'test', 'golden');
const script = join(root, 'test', 'dcz_info.py');
const python = ['python3', 'python'].find(
  (name) => spawnSync(name, ['-c', 'import sys; sys.exit(sys.version_info < (3, 6))']).status === 0,
);

describe('the format document', { skip: python === undefined ? 'there is no python3 on this machine' : false }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'dcomp-format-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const names = readdirSync(golden)
    .filter((name) => name.endsWith('.dcz'))
    .sort();

  /** What `info` says of a file's structure. */
  function structureOf(json: string): unknown {
    const {
      work: _work,
      model: _model,
      estimatedSeconds: _seconds,
      ...structure
    } = JSON.parse(json) as Record<string, unknown>;
    return structure;
  }

  /** What the Python says of each file. */
  function pythonSays(paths: string[]): unknown[] {
    const { status, stdout, stderr } = spawnSync(python!, [script, ...paths], { encoding: 'utf8', maxBuffer: 2 ** 28 });
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout) as unknown[];
  }

  /** The same of files that are made for the purpose; undefined where they are refused. */
  async function agree(files: Uint8Array[]): Promise<void> {
    const paths = files.map((bytes, i) => {
      const path = join(folder, String(i));
      writeFileSync(path, bytes);
      return path;
    });
    for (const [i, said] of pythonSays(paths).entries()) {
      const found = await outcome(() => info(files[i]!));
      assert.deepEqual(said, typeof found === 'string' ? null : structureOf(JSON.stringify(found)), `file ${i}`);
    }
  }

  it('agrees with dcomp info --json on every golden file', () => {
    const said = pythonSays(names.map((name) => join(golden, name)));
    assert.ok(names.length >= 5);
    for (const [i, name] of names.entries()) {
      const { status, stdout } = spawnSync(
        process.execPath,
        [join(root, 'dist', 'cli', 'main.js'), 'info', '--json', join(golden, name)],
        { encoding: 'utf8' },
      );
      assert.equal(status, 0);
      assert.deepEqual(said[i], structureOf(stdout), name);
    }
  });

  it('agrees on them cut, and with a wrong byte', async () => {
    const files = names.flatMap((name) => {
      const file = new Uint8Array(readFileSync(join(golden, name)));
      const places = Array.from({ length: 60 }, (_, i) => (i < 40 ? i : hash32(1, i) % file.length));
      return [
        ...places.map((n) => file.subarray(0, n)),
        ...places.map((at) => {
          const bytes = Uint8Array.from(file);
          bytes[at % bytes.length]! ^= 1 << (at & 7);
          return bytes;
        }),
      ];
    });
    await agree(files);
  });

  it('agrees on what no encoder writes: parts known and unknown, any depth, steps without end', async () => {
    const plain = readContainer(readFileSync(join(golden, names[0]!))).header;
    const content = { payload: Uint8Array.of(1, 2, 3), units: 200, idealRatio: 77 };
    const segment = writeSegments([content]);
    const part = (type: number, length: number): { type: number; payload: Uint8Array } => ({
      type,
      payload: new Uint8Array(length).fill(type),
    });
    const files = [
      concat([writeHeader({ ...plain, channels: 1, depth: 1 }, [part(1, 300), part(6, 0), part(127, 3)]), segment]),
      concat([
        writeHeader({ ...plain, channels: 2, depth: 16, width: 9, height: 2000 }, [part(7, 32)]),
        writeAlpha(Uint8Array.of(1, 9)),
        writeSegments([content, { ...content, units: 20 }, content]),
      ]),
      concat([
        writeHeader({
          ...plain,
          channels: 3,
          width: 65535,
          schedule: { coarseWidth: 16, fineWidth: 3, lastCode: 168, tail: 0, views: 2, coarseViews: 2 },
        }),
        segment,
      ]),
      ...[1, 2, 7].map((tail) =>
        concat([
          writeHeader({
            ...plain,
            channels: 3,
            width: 20,
            schedule: { coarseWidth: 5, fineWidth: 16, lastCode: 150, tail, views: 4, coarseViews: 4 },
          }),
          segment,
        ]),
      ),
      writeHeader({ ...plain, channels: 3, depth: 4 }),
      writeHeader({ ...plain, channels: 1 }, [part(128, 3)]),
      writeHeader({ ...plain, channels: 1 }, [part(129, 3)]),
      writeHeader({ ...plain, width: 65536 }),
    ];
    await agree(files);
  });
});
