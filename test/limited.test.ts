/** A property test that hangs says which case it is. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { it } from 'node:test';
import fc from 'fast-check';
import { assertLimited } from './helpers/limited.js';

const helper = new URL('./helpers/limited.js', import.meta.url).href;

it('an endless loop fails by name, with its seed and its case', { timeout: 300_000 }, () => {
  const script = `
    import fc from 'fast-check';
    import { assertLimited } from ${JSON.stringify(helper)};
    const property = fc.property(fc.nat({ max: 100 }), (n) => { if (n > 50) for (;;); });
    assertLimited(property, { seed: 7 }, 'numbers');`;
  const { stderr, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: new URL('../..', import.meta.url),
    encoding: 'utf8',
    env: { ...process.env, DCOMP_CASE_SECONDS: '0.5' },
  });
  assert.equal(signal, 'SIGKILL', stderr);
  assert.match(stderr, /property "numbers": a case does not end: .* seed: 7, path: "\d+"/);
  const [, value] = /\[ (\d+) \]/.exec(stderr) ?? [];
  assert.ok(Number(value) > 50, stderr);
});

it('what fails or is skipped fails or is skipped as it would have', async () => {
  const odd = fc.property(fc.nat(), (n) => {
    fc.pre(n !== 3);
    return n % 2 === 0;
  });
  assert.throws(() => assertLimited(odd, { numRuns: 1000 }), /Property failed/);
  const even = fc.asyncProperty(fc.nat(), async (n) => n % 2 === 0);
  await assert.rejects(assertLimited(even, { numRuns: 1000 }), /Counterexample: \[\d*[13579]\]/);
  await assertLimited(fc.asyncProperty(fc.nat(), async () => true));
});
