/** Options and names that `encode` and `decode` share. */
import type { Argv } from 'yargs';
import { DcompError } from '../../src/errors.js';
import { descriptorOf } from '../../formats/descriptor.js';
import { STANDARD } from '../../formats/files.js';
import {
  commonOptions,
  fileArguments,
  flag,
  numberOption,
  textOption,
  type CommonOptions,
  type RawArgs,
} from '../options.js';
import { planPlaces } from './places.js';
import type { Plan, Request } from './plan.js';
import type { Remote, RunOptions } from './teller.js';

export function batchOptions(yargs: Argv, what: string): void {
  yargs
    .positional('files', {
      type: 'string',
      array: true,
      describe: `${what}, patterns, or - for stdin; without -o a second name is the output`,
    })
    .option('output', {
      alias: 'o',
      type: 'string',
      requiresArg: true,
      describe: 'Output of one file, - for stdout; or a folder or a pattern as out/{name}.x for many',
    })
    .option('jobs', {
      type: 'string',
      requiresArg: true,
      describe: 'Most files at a time, each with its share of the threads  [default: as threads and memory allow]',
    })
    .option('force', {
      alias: 'f',
      type: 'boolean',
      describe: 'Replace outputs that exist; without it no file is ever replaced, whatever its kind',
    })
    .option('skip-existing', { type: 'boolean', describe: 'Leave out files whose output exists' })
    .option('keep-times', { type: 'boolean', describe: 'Give outputs the times of last change of their inputs' })
    .option('json', { type: 'boolean', describe: 'A line of figures a file on stdout' });
  yargs
    .option('redis', {
      type: 'string',
      requiresArg: true,
      describe: 'Let other machines do it, that run dcomp worker: redis://HOST:6379; files may be s3://BUCKET/KEY',
    })
    .option('queue', {
      type: 'string',
      requiresArg: true,
      describe: `With --redis: the queue's name  [default: ${DEFAULT_QUEUE}]`,
    })
    .option('attempts', {
      type: 'string',
      requiresArg: true,
      describe: `With --redis: how often a file is tried  [default: ${DEFAULT_ATTEMPTS}]`,
    })
    .option('wait', { type: 'boolean', describe: 'With --redis: wait for the results; --no-wait: do not' });
}

/** The queue's name, unless another is given. */
export const DEFAULT_QUEUE = 'dcomp';

const DEFAULT_ATTEMPTS = 5;

/** @throws DcompError E_USAGE */
export function queueName(args: RawArgs): string {
  const name = textOption(args, 'queue') ?? DEFAULT_QUEUE;
  if (name.includes(':')) throw new DcompError('E_USAGE', `--queue is ${name}; it must have no colon`);
  return name;
}

/** @throws DcompError E_USAGE */
function remoteOf(args: RawArgs): Remote | undefined {
  const redis = textOption(args, 'redis');
  const stray = ['queue', 'attempts', 'wait'].find((name) => args[name] !== undefined);
  if (redis === undefined && stray !== undefined)
    throw new DcompError('E_USAGE', `--${stray} is for files that other machines code: --redis redis://HOST:6379`);
  if (redis === undefined) return undefined;
  const here = ['jobs', 'threads'].find((name) => args[name] !== undefined);
  if (here !== undefined)
    throw new DcompError(
      'E_USAGE',
      `--${here} is for files that are coded here; with --redis, give it to dcomp worker`,
    );
  const attempts = numberOption(args, 'attempts', { min: 1, max: 100, whole: true }) ?? DEFAULT_ATTEMPTS;
  return { redis, queue: queueName(args), attempts, wait: args.wait !== false };
}

/** `/dev/stdin` and `/dev/stdout` by whatever name are as `-`. */
function standardName(name: string, descriptor: 0 | 1): string {
  return /^\/(dev|proc)\//.test(name) && descriptorOf(name) === descriptor ? STANDARD : name;
}

/** @throws DcompError E_USAGE, E_IO */
export async function batchOf(
  args: RawArgs,
  request: Pick<Request, 'accepts' | 'others' | 'extension' | 'fields'>,
): Promise<{ plan: Plan; common: CommonOptions; options: RunOptions }> {
  const remote = remoteOf(args);
  const common = commonOptions(args);
  const { threads, verbose, quiet } = common;
  const json = flag(args, 'json');
  const jobs = numberOption(args, 'jobs', { min: 1, max: 256, whole: true });
  const [input = '', ...others] = fileArguments(args, 'files');
  const given = textOption(args, 'output');
  const alone = others.length === 1 && given === undefined; // then the second is the output
  const names = [input, ...others].map((name, i) => standardName(name, alone && i === 1 ? 1 : 0));
  const output = given === undefined ? undefined : standardName(given, 1);
  const plan = await planPlaces({ names, output, ...request }, remote !== undefined);
  // Once, and not for every file anew.
  if (plan.many && typeof common.model === 'object')
    (await import('../../src/model/integer/model-file.js')).readModelFile(common.model);
  if (plan.jobs.some(({ output }) => output === STANDARD)) {
    if (json) throw new DcompError('E_USAGE', '--json and the output - would both write to stdout; name an output');
    if (process.stdout.isTTY)
      throw new DcompError('E_USAGE', 'the output - is a terminal; send it to a file or a program, or name an output');
  }
  const skipExisting = flag(args, 'skip-existing');
  const force = flag(args, 'force');
  if (skipExisting && force)
    throw new DcompError('E_USAGE', '--skip-existing and --force contradict each other; give one of them');
  const keepTimes = flag(args, 'keep-times');
  return { plan, common, options: { threads, jobs, skipExisting, force, keepTimes, json, verbose, quiet, remote } };
}
