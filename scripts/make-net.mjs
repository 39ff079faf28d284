/**
 * Writes test/golden/net.json: `node scripts/make-net.mjs` after a build. Hashes of what test/helpers/net.ts codes and decodes, which
 * the golden files are too few to cover. Only a change of the format may change them.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { netHashes } from '../dist/test/helpers/net.js';

const hashes = await netHashes();
writeFileSync(
  fileURLToPath(new URL('../test/golden/net.json', import.meta.url)),
  `${JSON.stringify(hashes, null, 2)}\n`,
);
console.log(`${Object.keys(hashes).length} hashes`);
