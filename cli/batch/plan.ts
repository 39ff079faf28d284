/** From the names on the command line to pairs of input and output; what could do harm is refused before anything is written. */
import { realpathSync, type Stats } from 'node:fs';
import { basename, dirname, extname, join, normalize, resolve, sep } from 'node:path';
import { DcompError } from '../../src/errors.js';
import { defaultOutput, inputName, outputName, STANDARD } from '../../formats/files.js';
import { isFolder, isPattern, matchesOf, noMatch, sourcesOf, statOf, type Accepted, type Source } from './sources.js';
import { fillTemplate, isTemplate } from './template.js';

export interface Request extends Accepted {
  /** Names as given; without `output` a second one is the output of the first. */
  names: string[];
  /** What was given with -o: a file, a folder, or a pattern. */
  output: string | undefined;
  /** Extension of the outputs, with the dot. */
  extension: string;
  /** Further fields of a pattern. */
  fields: Readonly<Record<string, string | undefined>>;
}

export interface Job {
  input: string;
  output: string;
  /** Bytes of the input, 0 if not known. */
  size: number;
}

export interface Plan {
  jobs: Job[];
  /** Whether several files were asked for, or a folder: the run then ends with a summary. */
  many: boolean;
  /** Whether the outputs' names are made by a folder or a pattern; folders that are missing are then made. */
  named: boolean;
  /** What stands in a folder, looks as if it were meant, and is not taken. */
  leftOut: string[];
}

/** @throws DcompError E_USAGE; E_IO for a folder that cannot be read or holds nothing */
export async function planJobs(request: Request): Promise<Plan> {
  const { names, output } = request;
  if (output === undefined) return { jobs: [await withoutOption(request)], many: false, named: false, leftOut: [] };
  const many = names.length > 1 || isFolder(names[0]!) || (await isPattern(names[0]!));
  if (many && (names.includes(STANDARD) || output === STANDARD)) {
    throw new DcompError(
      'E_USAGE',
      `${names.includes(STANDARD) ? '- (stdin)' : '-o - (stdout)'} goes with a single file only`,
    );
  }
  const nameOf = outputNames(request, many);
  const leftOut: string[] = [];
  const jobs: Job[] = [];
  for (const name of names)
    for (const source of await sourcesOf(name, request, leftOut))
      jobs.push({ input: source.path, output: nameOf(source), size: source.stats?.size ?? 0 });
  checkOutputs(jobs);
  for (const job of jobs) checkKinds(job, request);
  return { jobs, many, named: jobs.some((job) => job.output !== output), leftOut };
}

/** `encode IN [OUT]` */
async function withoutOption(request: Request): Promise<Job> {
  const { extension } = request;
  const names: string[] = [];
  for (const [i, name] of request.names.entries()) {
    const found = (await isPattern(name)) ? await matchesOf(name) : [name];
    names.push(...(found.length === 0 && i === 1 ? [name] : found)); // a second name may be that of an output
  }
  if (names.length === 0) throw noMatch(request.names[0]!);
  const [input, second] = names as [string, string | undefined];
  if (names.length > 2)
    throw new DcompError('E_USAGE', `${names.length} files are named; several inputs need -o FOLDER`);
  if (input !== STANDARD && isFolder(input))
    throw new DcompError('E_USAGE', `${inputName(input)} is a folder; say with -o FOLDER where its files' results go`);
  const output = second ?? (input === STANDARD ? STANDARD : defaultOutput(input, extension));
  const job = { input, output, size: statOf(input)?.size ?? 0 };
  checkOutputs([job]);
  checkKinds(job, request);
  return job;
}

/** `dcomp encode *.png` must not take the second picture for the output of the first. */
function checkKinds({ output }: Job, { accepts, extension }: Request): void {
  const own = extname(output).toLowerCase();
  if (own !== extension && accepts.includes(own)) {
    throw new DcompError(
      'E_USAGE',
      `the output ${outputName(output)} has the name of an input; several inputs need -o FOLDER, and an output a name in ${extension}`,
    );
  }
}

/** What the output of a source is called. */
export function outputNames(
  { output, extension, fields }: Pick<Request, 'output' | 'extension' | 'fields'>,
  many: boolean,
): (source: Source) => string {
  const text = output!;
  if (isTemplate(text)) {
    return ({ path, folder }) =>
      normalize(fillTemplate(text, { name: nameOf(path), ext: extname(path).slice(1), dir: folder, ...fields }));
  }
  if (many || text.endsWith('/') || text.endsWith(sep) || isFolder(text))
    return ({ path, folder }) => join(text, folder, nameOf(path) + extension);
  return () => text;
}

/** Never `.` or `..`, which a pattern would take for folders: the whole name then. */
function nameOf(path: string): string {
  if (path === STANDARD) return 'stdin';
  const name = basename(path, extname(path));
  return /^\.+$/.test(name) ? basename(path) : name;
}

/** @throws DcompError E_USAGE for two inputs of one output, and for an output that is an input */
function checkOutputs(jobs: readonly Job[]): void {
  const inputs = new Map<string, string>();
  for (const { input } of jobs) {
    const stats = statOf(input);
    if (stats?.isFile() === true) inputs.set(identity(stats), input);
  }
  const folders = new Map<string, string>();
  const taken = new Map<string, string>();
  for (const { input, output } of jobs) {
    if (output === STANDARD) continue;
    const stats = statOf(output);
    const source = stats?.isFile() === true ? inputs.get(identity(stats)) : undefined;
    if (source === input)
      throw new DcompError('E_USAGE', `input and output are the same file, ${outputName(output)}; name another output`);
    if (source !== undefined)
      throw new DcompError(
        'E_USAGE',
        `the output ${outputName(output)} of ${inputName(input)} is an input, too; name another output`,
      );
    const key = placeOf(output, stats, folders);
    const other = taken.get(key);
    if (other !== undefined && (stats === undefined || stats.isFile())) {
      const where = `the same output, ${outputName(output)}`;
      throw new DcompError(
        'E_USAGE',
        sameFile(other, input)
          ? `${inputName(input)} is named twice, and would have ${where}; name it once`
          : `${inputName(other)} and ${inputName(input)} would have ${where}; tell them apart with -o and a pattern of {dir}, {name} and {ext}`,
      );
    }
    taken.set(key, input);
  }
}

function sameFile(a: string, b: string): boolean {
  const [one, two] = [statOf(a), statOf(b)];
  return a === b || (one !== undefined && two !== undefined && identity(one) === identity(two));
}

function identity({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}

/** The same for two names of one file, whether it exists or not. */
function placeOf(output: string, stats: Stats | undefined, folders: Map<string, string>): string {
  // Many file systems of these take names that differ in case for the same.
  const fold = (path: string): string =>
    process.platform === 'darwin' || process.platform === 'win32' ? path.toLowerCase() : path;
  const real = (path: string): string => {
    try {
      return realpathSync(path);
    } catch {
      return resolve(path);
    }
  };
  if (stats !== undefined) return fold(real(output));
  const folder = dirname(output);
  if (!folders.has(folder)) folders.set(folder, real(folder));
  return fold(join(folders.get(folder)!, basename(output)));
}
