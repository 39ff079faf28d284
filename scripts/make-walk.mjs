/** Types what docs/guide/first-steps.md types, with the package as it is built, and puts what is printed into the page. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { blocksOf, isTypedHere, typedIn } from '../dist/test/helpers/code-blocks.js';
import { install } from '../dist/test/helpers/installed.js';
import { root } from '../dist/test/helpers/cli.js';

const page = 'docs/guide/first-steps.md';
const app = install();
try {
  const folder = app.work('walk');
  let document = readFileSync(join(root, page), 'utf8');
  for (const { language, file, text } of blocksOf(page)) {
    if (file !== undefined) writeFileSync(join(folder, file), text);
    if (language !== 'console') continue;
    const typed = typedIn(text).map(({ command, printed }) => {
      const shown = isTypedHere(command) ? app.shell(folder, command).printed.trim() : printed;
      return `$ ${command}\n${shown === '' ? '' : `${shown}\n`}`;
    });
    document = document.replace(`\`\`\`console\n${text}`, () => `\`\`\`console\n${typed.join('')}`);
  }
  writeFileSync(join(root, page), document);
} finally {
  app.remove();
}
