/** What the user sees on a terminal: every line that is said stays, and nothing of the progress bar. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, beforeEach, describe, it } from 'node:test';
import { clearProgress, progressDisplay } from '../cli/progress.js';
import { corpusPicture } from '../corpus/pictures.js';
import { writePng } from '../formats/png-writer.js';
import { createCli, program } from './helpers/cli.js';
import { hasTerminals, PLACES, runInTerminal, Screen, type Place, type Size } from './helpers/terminal.js';

const places = Object.keys(PLACES) as Place[];
const WINDOW: Size = { columns: 80, rows: 24 };
const NARROW: Size = { columns: 24, rows: 10 };
const SHOW_CURSOR = '\u001b[?25h';
const HIDE_CURSOR = '\u001b[?25l';

describe('progress bar', () => {
  /** A run that says lines while the bar is shown. */
  async function show(place: Place, size: Size, said: string[]): Promise<Screen> {
    const screen = new Screen(size, place);
    const stream = screen.stream();
    const display = progressDisplay('encode', false, stream);
    const drawn = async (): Promise<void> => {
      for (let i = 0; i < 500 && !screen.seen().lines.some((line) => line.includes('encode [')); i++) await sleep(20);
      assert.match(screen.seen().lines.at(-1) ?? '', /^encode \[/, 'the bar is the last line');
    };
    for (const [i, line] of said.entries()) {
      display.update?.({ fraction: i / said.length, stage: `step ${i} of what takes some words to say` });
      await drawn();
      clearProgress();
      stream.write(`${line}\n`);
    }
    await drawn();
    display.stop();
    display.stop();
    await screen.write('');
    return screen;
  }

  for (const size of [WINDOW, NARROW]) {
    for (const place of places) {
      it(`leaves what is said and nothing else: ${size.columns}×${size.rows}, cursor at the ${place}`, async () => {
        const said = ['first.dcz: 100 bytes', `dcomp: ${'a long line of words that wraps '.repeat(4)}end`, 'third'];
        const { lines, above, cursor } = (await show(place, size, said)).seen();
        assert.deepEqual(lines, said);
        assert.ok(above.every((line) => line === 'before'));
        const rows = said.reduce((sum, line) => sum + Math.ceil(line.length / size.columns), 0);
        assert.deepEqual(cursor, { line: rows, column: 0 });
      });
    }
  }

  it('more lines than the window has', async () => {
    const said = Array.from({ length: 12 }, (_, i) => `${i}.dcz: done`);
    assert.deepEqual((await show('middle', NARROW, said)).seen().lines, said);
  });

  it('is not there on what is no terminal, nor with --quiet', () => {
    const screen = new Screen(WINDOW, 'top');
    assert.equal(progressDisplay('encode', true, screen.stream()).update, undefined);
    const pipe = Object.assign(screen.stream(), { isTTY: false });
    assert.equal(progressDisplay('encode', false, pipe).update, undefined);
  });
});

describe('the program in a terminal', { skip: (await hasTerminals()) ? false : 'no terminals on this system' }, () => {
  const cli = createCli();
  const { file } = cli;
  after(() => cli.remove());
  beforeEach(() => {
    cli.clear();
    mkdirSync(file('in'));
    const [width, height] = [256, 192];
    writeFileSync(file('in/a.png'), writePng(corpusPicture('scene', { width, height })));
    writeFileSync(file('in/b.png'), 'no picture at all, but long enough to be looked at');
    writeFileSync(file('in/c.png'), writePng(corpusPicture('scene', { width: 24, height: 17 })));
  });

  /** Runs it once, and looks at what it wrote in windows whose cursors stand elsewhere. */
  async function look(code: number, lines: RegExp[], size: Size, ...args: string[]): Promise<void> {
    const command = [process.execPath, program, ...args, '--model', cli.model];
    const outcome = await runInTerminal(command, cli.folder, size);
    assert.equal(outcome.code, code, outcome.output);
    assert.ok(outcome.output.lastIndexOf(SHOW_CURSOR) >= outcome.output.lastIndexOf(HIDE_CURSOR), 'the cursor is back');
    for (const place of places) {
      const screen = new Screen(size, place);
      await screen.write('$ dcomp\n');
      await screen.write(outcome.output);
      const { lines: seen, above, cursor } = screen.seen();
      assert.equal(seen.length, lines.length + 1, `cursor at the ${place}: ${JSON.stringify(seen)}`);
      assert.equal(seen[0], '$ dcomp');
      for (const [i, line] of lines.entries()) assert.match(seen[i + 1]!, line);
      assert.ok(above.every((line) => line === 'before'));
      assert.equal(cursor.column, 0);
    }
  }

  /** So small that nothing is said of the size. */
  const SMALL = ['--size', '1500'];
  const done = (name: string): RegExp => new RegExp(`^${name}: \\d+ bytes, [\\d.]+ bits per pixel(, without loss)?$`);
  const broken = /^dcomp: in\/b\.png: not a picture that dcomp reads; .*convert the picture first$/;

  for (const size of [WINDOW, NARROW]) {
    it(`shows the result of one file, ${size.columns} columns`, () =>
      look(0, [done('a.dcz')], size, 'encode', 'in/a.png', 'a.dcz', ...SMALL));
    it(`shows the error of one file, ${size.columns} columns`, () =>
      look(1, [broken], size, 'encode', 'in/b.png', 'b.dcz'));
    it(`shows the lines of many files, and the summary, ${size.columns} columns`, () =>
      look(
        1,
        [done('out/a\\.dcz'), broken, done('out/c\\.dcz'), /^2 done, 1 failed, \d+ bytes → \d+ bytes in [\d.]+ s$/],
        size,
        ...['encode', 'in', '-o', 'out', '--jobs', '2', '--threads', '2', ...SMALL],
      ));
  }

  it('shows lines of JSON whole', () =>
    look(0, [/^\{"input":"in\/a\.png",.*\}$/], WINDOW, 'encode', 'in/a.png', 'a.dcz', '--json', ...SMALL));

  it('shows misuse', () =>
    look(2, [/^dcomp: --quality is 0; .*\(see dcomp help encode\)$/], WINDOW, 'encode', 'in/a.png', '-q', '0'));
});
