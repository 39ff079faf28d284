/** The files that the names on the command line stand for: files, folders, and patterns that the shell has left as they are. */
import { readdirSync, type Stats } from 'node:fs';
import { dirname, extname, join, posix, relative, sep } from 'node:path';
import { DcompError } from '../../src/errors.js';
import { inputName, ioError, STANDARD, statOrUndefined } from '../../formats/files.js';
import { withoutFoldersInBraces } from './braces.js';

export interface Source {
  path: string;
  /** Folder of the file below the folder that was given, '.' for none. */
  folder: string;
  stats: Stats | undefined;
}

/** Which files are taken from a folder: extensions in lower case and with the dot. */
export interface Accepted {
  accepts: readonly string[];
  /** Those of files that a user may expect to be taken, too. */
  others?: readonly string[];
}

export function statOf(path: string): Stats | undefined {
  try {
    return path === STANDARD ? undefined : statOrUndefined(path);
  } catch {
    return undefined; // reading it will say what is wrong
  }
}

export function isFolder(path: string): boolean {
  return statOf(path)?.isDirectory() === true;
}

/** Patterns are written with slashes everywhere; a backslash of Windows is one. */
function withSlashes(name: string): string {
  return process.platform === 'win32' ? name.replaceAll('\\', '/') : name;
}

/** Characters of which a pattern has one at least. */
const OF_PATTERNS = /[*?[\]{}()!+@|\\]/;

/** Backslashes of patterns before what then stands for itself. */
const ESCAPES = /\\(?=[()[\]{}!*+?@|\\])/g;

/** What reads patterns; most names are none, and it takes a while to load. */
const patterns = (): Promise<typeof import('../vendor/tinyglobby.js')> => import('../vendor/tinyglobby.js');

/** Such as `photos/*.png`: the shell of Windows leaves them to the program, others where they are quoted. A file's name is none. */
export async function isPattern(name: string): Promise<boolean> {
  if (name === STANDARD || !OF_PATTERNS.test(name) || statOf(name) !== undefined) return false;
  return (await patterns()).isDynamicPattern(withSlashes(name));
}

/** Files that a pattern stands for, in the order of their names; not hidden ones. */
export async function matchesOf(pattern: string): Promise<string[]> {
  const { globSync } = await patterns();
  const found = new Set<string>();
  for (const each of withoutFoldersInBraces(withSlashes(pattern))) {
    // Searched from where it begins: seen from here, what lies below the folder that is worked in has another name.
    const plain = posix.normalize(each);
    const base = await baseOf(plain);
    const rest = base === '.' ? plain : plain.slice(base === '/' ? 1 : base.length + 1);
    const cwd = base.replace(ESCAPES, '').replace(/^[a-z]:$/i, '$&/'); // a drive alone is the folder that it is in
    for (const path of globSync(rest, { cwd, expandDirectories: false, onlyFiles: true, dot: false }))
      found.add(join(cwd, path));
  }
  return [...found].sort();
}

export function noMatch(pattern: string): DcompError {
  return new DcompError('E_IO', `cannot read ${inputName(pattern)}: no file matches the pattern`);
}

/** The part of a pattern that stands for itself. */
async function baseOf(pattern: string): Promise<string> {
  const { isDynamicPattern } = await patterns();
  const parts = withSlashes(pattern).split('/');
  // Braces may close behind a slash only.
  const end = parts.findIndex((part) => isDynamicPattern(part) || /\{[^}]*$/.test(part));
  return parts.slice(0, end).join('/') || (end > 0 ? '/' : '.');
}

/** The same, or the nearest folder above it that all files lie below: braces may lead out of it. */
async function baseOfAll(pattern: string, paths: readonly string[]): Promise<string> {
  let base = (await baseOf(pattern)).replace(ESCAPES, '');
  while (paths.some((path) => relative(base, path).split(sep)[0] === '..')) base = join(base, '..');
  return base;
}

/** Most names of what is left out that are told. */
const MOST_NAMES = 5;

/** The names after some words, nothing if there are none. */
export function leftOutText(paths: readonly string[], words: string): string {
  if (paths.length === 0) return '';
  const more = paths.length > MOST_NAMES ? ` and ${paths.length - MOST_NAMES} more` : '';
  return `${words}${paths.slice(0, MOST_NAMES).map(inputName).join(', ')}${more}`;
}

/**
 * A file as it is; of a folder the files of the right kind, also in folders below, in the order of their names; of a
 * pattern the files that match.
 * @param leftOut gets what is left out of folders though it looks as if it were meant
 * @throws DcompError E_IO for what cannot be read, and where there is nothing
 */
export async function sourcesOf(name: string, accepted: Accepted, leftOut: string[]): Promise<Source[]> {
  if (isFolder(name)) return filesBelow(name, accepted, leftOut);
  if (!(await isPattern(name))) return [{ path: name, folder: '.', stats: statOf(name) }];
  const found = await matchesOf(name);
  if (found.length === 0) throw noMatch(name);
  const base = await baseOfAll(name, found);
  return found.map((path) => ({ path, folder: relative(base, dirname(path)) || '.', stats: statOf(path) }));
}

function filesBelow(name: string, { accepts, others = [] }: Accepted, leftOut: string[]): Source[] {
  const before = leftOut.length;
  const sources: Source[] = [];
  const visit = (folder: string): void => {
    let entries;
    try {
      entries = readdirSync(folder, { withFileTypes: true });
    } catch (error) {
      throw ioError('read', folder, error);
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.')) continue;
      const path = join(folder, entry.name);
      // Links to folders are not followed: they may go round in circles.
      if (entry.isDirectory()) {
        visit(path);
        continue;
      }
      const extension = extname(entry.name).toLowerCase();
      const wanted = accepts.includes(extension);
      if (!wanted && !others.includes(extension)) continue;
      const stats = statOf(path);
      if (stats?.isDirectory() === true) continue;
      // Reading a pipe or a device may wait for ever. A link that leads to nothing is told when it is read.
      if (wanted && stats?.isFile() !== false) sources.push({ path, folder: relative(name, folder) || '.', stats });
      else leftOut.push(path);
    }
  };
  visit(name);
  if (sources.length === 0)
    throw new DcompError(
      'E_IO',
      `the folder ${inputName(name)} holds no files in ${accepts.join(', ')}${leftOutText(leftOut.slice(before), '; left out: ')}`,
    );
  return sources;
}
