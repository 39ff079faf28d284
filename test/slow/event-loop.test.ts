/** The event loop over all tests of the library: no call holds it up for long. `DCOMP_TESTS` names some of them, apart by commas. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

/** Milliseconds of processor time. Pieces take some 20; the first time, code is compiled on the way. */
const GAP = 100;

const tests = fileURLToPath(new URL('..', import.meta.url));
const preload = new URL('../helpers/gaps.js', import.meta.url).href;
const chosen = process.env['DCOMP_TESTS']?.split(',').map((name) => `${name}.test.js`);

interface Line {
  place: string;
  call?: string;
  gap?: number;
  where?: string;
  calls?: number;
  turns?: number;
  longest?: number;
}

describe('the event loop turns while the library is called by', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dcomp-gaps-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const files = readdirSync(tests).filter((name) => name.endsWith('.test.js') && (chosen?.includes(name) ?? true));
  for (const file of files) {
    it(file, { timeout: 3_600_000 }, () => {
      const out = join(folder, file);
      const { NODE_TEST_CONTEXT: _, ...env } = process.env; // it is no part of this run
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(tests, file)], {
        env: { ...env, NODE_OPTIONS: `--import=${preload}`, DCOMP_GAPS: out, DCOMP_GAP: String(GAP) },
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
      });
      const said = readdirSync(folder).includes(file) ? readFileSync(out, 'utf8').trim().split('\n') : [];
      const lines = said.map((line) => JSON.parse(line) as Line);
      const ends = lines.filter(({ calls }) => calls !== undefined);
      const calls = ends.reduce((sum, line) => sum + line.calls!, 0);
      const longest = ends.reduce((most, line) => Math.max(most, line.longest!), 0);
      console.log(`# ${file}: ${calls} calls, longest gap ${longest} ms`);
      assert.deepEqual(
        lines.filter(({ gap }) => gap !== undefined),
        [],
      );
      assert.equal(status, 0, `the tests themselves fail:\n${stdout.slice(-4000)}${stderr.slice(-2000)}`);
    });
  }
});
