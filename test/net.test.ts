/** What is coded and decoded stays the same, bit for bit, also where the golden files don't reach (scripts/make-net.mjs). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { it } from 'node:test';
import { netHashes } from './helpers/net.js';

it('the net of hashes holds', async () => {
  const file = fileURLToPath(new URL('../../test/golden/net.json', import.meta.url));
  assert.deepEqual(await netHashes(), JSON.parse(readFileSync(file, 'utf8')));
});
