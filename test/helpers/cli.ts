/** The program in a process of its own, in a folder of its own, with a model that is quick. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { smallModelFile } from '../../corpus/small-model.js';

export const root = fileURLToPath(new URL('../../..', import.meta.url));
/** The program as it is in the package. */
export const program = join(root, 'dist', 'bin', 'main.js');

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Cli {
  /** Where the program runs. */
  folder: string;
  /** Path of the model that `encode` and `decode` get, unless the arguments name one. */
  model: string;
  /** Path of a file in the folder. */
  file(name: string): string;
  /** Names of all files in the folder and below, in order. */
  files(): string[];
  dcomp(...args: string[]): Outcome;
  /** Runs it with something on stdin; stdout as bytes. */
  piped(input: Uint8Array, ...args: string[]): { code: number | null; stdout: Buffer; stderr: string };
  /** As `dcomp`, and it has to succeed. */
  works(...args: string[]): Outcome;
  /** Fails as it should: the exit code, one line on stderr, nothing else anywhere, no file come or gone. */
  fails(code: 1 | 2, message: RegExp, ...args: string[]): void;
  /** Empties the folder. */
  clear(): void;
  remove(): void;
}

/** @param options.force whether `encode` and `decode` may replace outputs without being told so: most tests use a name twice */
export function createCli({ force = true } = {}): Cli {
  const folder = mkdtempSync(join(tmpdir(), 'dcomp-cli-'));
  const home = mkdtempSync(join(tmpdir(), 'dcomp-model-'));
  const model = join(home, 'small.dcm');
  writeFileSync(model, smallModelFile());

  function withModel(given: string[]): string[] {
    const coding =
      (given[0] === 'encode' || given[0] === 'decode') && !given.includes('--help') && !given.includes('--model');
    const forced = force && !given.includes('--skip-existing') ? ['--force'] : [];
    // The small model knows nothing, so that the plain form would mostly be smaller.
    const lossy = given[0] === 'encode' && !given.includes('--lossless') ? ['--no-plain'] : [];
    return coding ? [given[0]!, ...forced, ...lossy, '--model', model, ...given.slice(1)] : given;
  }

  const cli: Cli = {
    folder,
    model,
    file: (name) => join(folder, name),
    files: () =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => !entry.isDirectory())
        .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
        .sort(),
    dcomp(...args) {
      const { stdout, ...rest } = cli.piped(new Uint8Array(0), ...args);
      return { ...rest, stdout: stdout.toString() };
    },
    piped(input, ...args) {
      const { status, stdout, stderr, error } = spawnSync(process.execPath, [program, ...withModel(args)], {
        cwd: folder,
        input,
        maxBuffer: 2 ** 26,
      });
      if (error !== undefined) throw error;
      return { code: status, stdout, stderr: stderr.toString() };
    },
    works(...args) {
      const outcome = cli.dcomp(...args);
      assert.equal(outcome.code, 0, `dcomp ${args.join(' ')}: ${outcome.stderr}`);
      return outcome;
    },
    fails(code, message, ...args) {
      const before = cli.files();
      const outcome = cli.dcomp(...args);
      const called = `dcomp ${args.join(' ')}`;
      assert.equal(outcome.code, code, `${called}: ${outcome.stderr}`);
      assert.match(outcome.stderr, /^dcomp: [^\n]+\n$/, called);
      assert.match(outcome.stderr, message, called);
      assert.equal(outcome.stdout, '', called);
      assert.deepEqual(cli.files(), before, called);
    },
    clear() {
      for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
    },
    remove() {
      for (const path of [folder, home]) rmSync(path, { recursive: true, force: true });
    },
  };
  return cli;
}
