/**
 * Runs the compiled tests with Node's own runner: `node scripts/run-tests.mjs [--slow] [WORD...]`.
 * With words, only the files whose names contain one of them. The exit code is the runner's.
 *
 * The files are named one by one, as Node 20 knows no patterns and newer ones read a folder differently. The reporter is
 * named too, as its default depends on the version.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const slow = process.argv.includes('--slow');
const words = process.argv.slice(2).filter((argument) => argument !== '--slow');

/** An endless loop fails its test instead of holding everyone up. Generous: a busy machine is no bug. */
const limitSeconds = slow ? 3600 : 600;

const folders = ['dist/test', ...(slow ? ['dist/test/slow'] : [])];
const files = folders.flatMap((folder) =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder))
        .filter(
          (name) => name.endsWith('.test.js') && (words.length === 0 || words.some((word) => name.includes(word))),
        )
        // A test whose source is gone would otherwise live on in dist.
        .filter((name) => existsSync(join(root, folder.replace('dist/', ''), name.replace(/\.js$/, '.ts'))))
        .map((name) => join(folder, name))
    : [],
);
// What is long tends to take long, and is not to be left alone at the end.
const lengthOf = (file) => statSync(join(root, file)).size;
files.sort((a, b) => lengthOf(b) - lengthOf(a));
if (files.length === 0) {
  console.error('run-tests: no compiled tests found; run `npm run build` first');
  process.exit(1);
}

const reporter = process.stdout.isTTY ? 'spec' : 'tap';
const options = [
  '--test',
  `--test-reporter=${reporter}`,
  '--test-reporter-destination=stdout',
  `--test-timeout=${limitSeconds * 1000}`,
  // The runner's own choice is one file less than there are cores.
  `--test-concurrency=${availableParallelism()}`,
];
const { status, error } = spawnSync(process.execPath, ['--enable-source-maps', ...options, ...files], {
  cwd: root,
  stdio: 'inherit',
});
if (error !== undefined) console.error(`run-tests: ${error.message}`);
process.exit(status ?? 1);
