/** `npm run corpus [-- FOLDER]`: writes the test pictures as PNG files, by default into out/corpus. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writePng } from '../formats/png-writer.js';
import { CORPUS, corpusPicture } from './pictures.js';

const folder = process.argv[2] ?? join('out', 'corpus');
mkdirSync(folder, { recursive: true });
for (const { name } of CORPUS) {
  const path = join(folder, `${name}.png`);
  const png = writePng(corpusPicture(name));
  writeFileSync(path, png);
  console.log(`${path}  ${png.length} bytes`);
}
