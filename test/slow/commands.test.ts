/** The lists of commands in README and guide, each command for itself. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { blocksOf, PAGES } from '../helpers/code-blocks.js';
import { install, type Installed } from '../helpers/installed.js';

const posix = process.platform === 'win32' ? 'the commands are for a POSIX shell' : false;

describe('commands', { skip: posix }, () => {
  let app: Installed;
  before(() => {
    app = install();
  });
  after(() => app?.remove());

  for (const page of PAGES) {
    const lines = blocksOf(page).flatMap(({ language, text }) => (language === 'sh' ? text.trim().split('\n') : []));
    for (const [i, line] of lines.entries())
      it(`${page}: ${line}`, () => checkLine(app, line, join(basename(page, '.md'), String(i))));
  }
});

/** A line of a list of commands: in a folder of its own, with a file to decode where it does not encode. */
function checkLine(app: Installed, line: string, name: string): void {
  if (line.startsWith('npm install') || line.trim() === '' || line.startsWith('#')) return;
  const place = app.work(join('lines', name));
  const coded = join(app.folder, 'lines', 'photo.dcz');
  if (!existsSync(coded)) {
    mkdirSync(join(app.folder, 'lines'), { recursive: true });
    assert.equal(app.shell(place, `dcomp encode photo.png ${coded} --size 900 --pixel-hash`).code, 0);
  }
  if (!/encode/.test(line)) {
    cpSync(coded, join(place, 'photo.dcz'));
    mkdirSync(join(place, 'coded'));
    cpSync(coded, join(place, 'coded', 'a.dcz'));
  }
  const { code, printed } = app.shell(place, line);
  assert.equal(code, 0, `${line}\n${printed}`);
}
