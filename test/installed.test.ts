/** The package as people install it, and every code block of README and guide in it. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import ts from 'typescript';
import { blocksOf, isTypedHere, PAGES, typedIn, withoutFigures, type Block } from './helpers/code-blocks.js';
import { install, type Installed } from './helpers/installed.js';

const code = (block: Block): boolean => ['js', 'ts'].includes(block.language);
/** Pages whose programs are of browsers: test/bundles.test.ts runs them. */
const inBrowser = (block: Block): boolean =>
  block.place.includes('page.md') || /\bdocument\b|new Worker\b/.test(block.text);
const posix = process.platform === 'win32' ? 'the commands are for a POSIX shell' : false;

describe('installed', () => {
  let app: Installed;
  before(() => {
    app = install();
  });
  after(() => app?.remove());

  it('brings two packages for the library and one for the command line, and no other', () => {
    assert.deepEqual(app.packages.sort(), ['@noble', 'dcomp', 'fflate', 'tinypool']);
    const licences = readFileSync(join(app.folder, 'node_modules/dcomp/dist/bin/LICENSES'), 'utf8');
    for (const name of ['yargs', 'cli-progress', 'tinyglobby'])
      assert.match(licences, new RegExp(`^${name} [0-9]`, 'm'), `${name} is not inside: run \`npm run build\``);
  });

  it('every program of the documents is named, and compiles with both ways of finding modules', () => {
    const files: string[] = [];
    for (const page of PAGES) {
      const folder = app.work(join('types', basename(page, '.md')));
      for (const block of blocksOf(page).filter(code)) {
        assert.ok(block.file !== undefined, `${block.place}: the first line should name a file, as // code.mjs`);
        files.push(join(folder, block.file));
        writeFileSync(files.at(-1)!, block.text);
      }
    }
    const extra = join(app.folder, 'types', 'address.d.ts');
    writeFileSync(extra, "declare module '*.dcm' {\n  const address: string;\n  export default address;\n}\n");
    assert.ok(files.length >= 8);
    for (const [module, moduleResolution] of [
      [ts.ModuleKind.NodeNext, ts.ModuleResolutionKind.NodeNext],
      [ts.ModuleKind.ESNext, ts.ModuleResolutionKind.Bundler],
    ] as const) {
      const program = ts.createProgram([...files, extra], {
        ...{ module, moduleResolution, target: ts.ScriptTarget.ES2022, strict: true, allowJs: true, checkJs: true },
        ...{
          noEmit: true,
          // Those of TypeScript itself are no business of ours, and take half of the time.
          skipDefaultLibCheck: true,
          lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts', 'lib.dom.asynciterable.d.ts'],
        },
        ...{ types: ['node'], typeRoots: [join(app.folder, 'node_modules/@types')] },
      });
      const host = {
        getCanonicalFileName: (name: string) => name,
        getCurrentDirectory: () => app.folder,
        getNewLine: () => '\n',
      };
      assert.equal(ts.formatDiagnostics(ts.getPreEmitDiagnostics(program), host), '');
    }
  });

  for (const page of PAGES) {
    const programs = blocksOf(page).filter((block) => code(block) && !inBrowser(block));
    const typed = blocksOf(page).some(({ language }) => language === 'console');
    if (programs.length > 0 && !typed) {
      it(`the programs of ${page} run`, { skip: posix }, () => {
        const folder = app.work(join('run', basename(page, '.md')));
        app.shell(folder, 'dcomp encode photo.png --effort 1');
        for (const { file, text, language, place } of programs) {
          const js =
            language === 'ts'
              ? ts.transpileModule(text, {
                  compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
                }).outputText
              : text;
          const name = file!.replace(/\.ts$/, '.mjs');
          writeFileSync(join(folder, name), js);
          const { code, printed } = app.shell(folder, `node ${name}`);
          assert.equal(code, 0, `${place}: ${printed}`);
        }
      });
    }
    if (typed) {
      it(`${page}: what is typed prints what is shown`, { skip: posix }, () => walk(app, page));
    }
  }
});

/** A walk: the blocks of a page in turn, in one folder. */
function walk(app: Installed, page: string): void {
  const folder = app.work(join('walk', basename(page, '.md')));
  for (const { language, file, text, place } of blocksOf(page)) {
    if (language !== 'console') {
      if (file !== undefined) writeFileSync(join(folder, file), text);
      continue;
    }
    for (const { command, printed } of typedIn(text)) {
      if (!isTypedHere(command)) continue;
      const outcome = app.shell(folder, command);
      assert.equal(withoutFigures(outcome.printed), withoutFigures(printed), `${place}: $ ${command}`);
    }
  }
}
