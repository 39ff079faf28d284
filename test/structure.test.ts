/** How the code is cut: files and functions that can be read at once, no circle of files, no name twice. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename, join, posix } from 'node:path';
import { describe, it } from 'node:test';
import ts from 'typescript';
import { root } from './helpers/cli.js';

const MOST_LINES = 400;
const MOST_OF_FUNCTION = 60;

const files = ['src', 'formats', 'web', 'cluster', 'cli', 'eval', 'bench', 'fuzz', 'corpus']
  .flatMap((folder) => readTree(folder))
  .filter((file) => file.endsWith('.ts') && !/\.d\.ts$|\.wasm\.ts$|\/vendor\//.test(file));
const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');

function readTree(folder: string): string[] {
  return ts.sys
    .readDirectory(join(root, folder), ['.ts'])
    .map((path) => posix.join(folder, path.slice(join(root, folder).length + 1)));
}

/** Whether a file has a function that is too long. */
function hasLongFunction(file: string): boolean {
  const source = ts.createSourceFile(file, textOf(file), ts.ScriptTarget.Latest, true);
  const line = (at: number): number => source.getLineAndCharacterOfPosition(at).line;
  const isLong = (node: ts.Node): boolean =>
    (ts.isFunctionLike(node) && line(node.getEnd()) - line(node.getStart()) >= MOST_OF_FUNCTION) ||
    (ts.forEachChild(node, (child) => isLong(child) || undefined) ?? false);
  return isLong(source);
}

/** Files of the repository that a file imports, types too; what is loaded later is no circle. */
function importsOf(file: string): string[] {
  return ts
    .preProcessFile(textOf(file).replace(/\bimport\(/g, 'later('))
    .importedFiles.map(({ fileName }) => fileName)
    .filter((name) => name.startsWith('.'))
    .map((name) => posix.join(posix.dirname(file), name.replace(/\.js$/, '.ts')));
}

/** Each import by which a walk from file to file comes back to one that it came by: `importer → imported`, in their order. */
function circles(): string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, way: string[]): void => {
    if (done.has(file) || !files.includes(file)) return;
    for (const next of importsOf(file)) {
      if (next === file || way.includes(next))
        found.push([next, ...way.slice(way.indexOf(next) + 1), file].join(' → '));
      else visit(next, [...way, file]);
    }
    done.add(file);
  };
  for (const file of files) visit(file, []);
  return found;
}

describe('how the code is cut', () => {
  it(`no file has more than ${MOST_LINES} lines`, () => {
    assert.ok(files.length > 200);
    assert.deepEqual(
      files.filter((file) => textOf(file).trimEnd().split('\n').length > MOST_LINES),
      [],
    );
  });

  it(`no function has more than ${MOST_OF_FUNCTION} lines`, () => {
    assert.deepEqual(files.filter(hasLongFunction), []);
  });

  it('no files import one another in a circle', () => {
    assert.deepEqual(circles(), []);
  });

  it('no name of a file stands twice in src', () => {
    const names = files.filter((file) => file.startsWith('src/')).map((file) => basename(file));
    const twice = names.filter((name, i) => names.indexOf(name) !== i && name !== 'index.ts');
    assert.deepEqual(twice, []);
  });
});
