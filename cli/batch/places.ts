/** From names to pairs of input and output where some are objects of a store, `s3://bucket/key`. */
import { extname, posix } from 'node:path';
import { isObject, listObjects, lookAt, partsOf, type Listed } from '../../cluster/s3.js';
import { DcompError } from '../../src/errors.js';
import { defaultOutput, inputName, isRegular, outputName, STANDARD } from '../../formats/files.js';
import { outputNames, planJobs, type Job, type Plan, type Request } from './plan.js';
import { sourcesOf, type Source } from './sources.js';
import { isTemplate } from './template.js';

const SCHEME = 's3://';

interface Found {
  source: Source;
  size: number;
}

/**
 * As `planJobs`, with objects.
 * @param remote whether others do the work, who have no streams of this process
 * @throws DcompError E_USAGE, E_IO, E_MISSING_DEPENDENCY
 */
export async function planPlaces(request: Request, remote: boolean): Promise<Plan> {
  const { names, output } = request;
  const objects = [...names, ...(output === undefined ? [] : [output])].some(isObject);
  if (!objects) {
    const plan = await planJobs(request);
    if (remote) plan.jobs.forEach(checkShared);
    return plan;
  }
  if (!remote)
    throw new DcompError(
      'E_USAGE',
      's3:// names are for work across machines: --redis, or dcomp jsonl for a list of files',
    );
  const [input, second] = names;
  if (output === undefined && names.length === 2)
    return planPlaces({ ...request, names: [input!], output: second! }, remote);
  const leftOut: string[] = [];
  const found = (await Promise.all(names.map((name) => foundOf(name, request, leftOut)))).flat();
  const many = names.length > 1 || found.length !== 1 || isFolderName(input!);
  const nameOf = objectNames(request, many);
  const jobs = found.map(({ source, size }) => ({ input: source.path, output: nameOf(source), size }));
  checkDistinct(jobs);
  jobs.forEach(checkShared);
  return { jobs, many, named: true, leftOut };
}

/** A bucket, or what ends in a slash. */
function isFolderName(name: string): boolean {
  return isObject(name) ? /\/$/.test(name) || partsOf(name).key === '' : /[/\\]$/.test(name);
}

async function foundOf(name: string, request: Request, leftOut: string[]): Promise<Found[]> {
  if (!isObject(name))
    return (await sourcesOf(name, request, leftOut)).map((source) => ({ source, size: source.stats?.size ?? 0 }));
  if (!isFolderName(name)) {
    const object = await lookAt(name);
    if (object === undefined)
      throw new DcompError(
        'E_IO',
        `cannot read ${inputName(name)}: there is no such object; of a folder, end the name in /`,
      );
    return [asFound(object, '.')];
  }
  const base = name.endsWith('/') ? name : `${name}/`;
  const { accepts, others = [] } = request;
  const found: Found[] = [];
  for (const object of await listObjects(base)) {
    const path = object.place.slice(base.length);
    const extension = extname(path).toLowerCase();
    if (path.split('/').some((part) => part.startsWith('.'))) continue;
    if (accepts.includes(extension)) found.push(asFound(object, posix.dirname(path)));
    else if (others.includes(extension)) leftOut.push(object.place);
  }
  if (found.length === 0)
    throw new DcompError('E_IO', `below ${inputName(name)} there are no objects in ${accepts.join(', ')}`);
  return found;
}

function asFound({ place, size }: Listed, folder: string): Found {
  return { source: { path: place, folder, stats: undefined }, size };
}

function objectNames(request: Request, many: boolean): (source: Source) => string {
  const { output, extension } = request;
  if (output === undefined) {
    if (many) throw new DcompError('E_USAGE', 'several inputs need -o, such as -o s3://BUCKET/FOLDER/');
    return ({ path }) => defaultOutput(path, extension);
  }
  if (!isObject(output)) return outputNames(request, many);
  partsOf(output);
  if (!many && !isTemplate(output) && !isFolderName(output)) return () => output;
  // Joining would take the two slashes for one.
  const nameOf = outputNames({ ...request, output: output.slice(SCHEME.length) }, true);
  return (source) => SCHEME + nameOf(source).replaceAll('\\', '/');
}

/** @throws DcompError E_USAGE */
function checkDistinct(jobs: readonly Job[]): void {
  const taken = new Map<string, string>();
  for (const { input, output } of jobs) {
    const other = taken.get(output);
    if (other !== undefined)
      throw new DcompError(
        'E_USAGE',
        `${inputName(other)} and ${inputName(input)} would have the same output, ${outputName(output)}; tell them apart with -o and a pattern of {dir}, {name} and {ext}`,
      );
    if (input === output)
      throw new DcompError('E_USAGE', `input and output are the same, ${outputName(output)}; name another output`);
    taken.set(output, input);
  }
}

/** Streams, pipes and devices are of this machine alone. @throws DcompError E_USAGE */
function checkShared({ input, output }: Job): void {
  for (const place of [input, output])
    if (place === STANDARD || (!isObject(place) && !isRegular(place)))
      throw new DcompError(
        'E_USAGE',
        `${inputName(place)} is of this machine alone; --redis takes files that all machines see`,
      );
}
