/** Options and names that `encode` and `decode` share. */
import type { Argv } from 'yargs';
import { DcompError } from '../../src/errors.js';
import { readModelFile } from '../../src/model/integer/model-file.js';
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
import { planJobs, type Plan, type Request } from './plan.js';
import type { RunOptions } from './run.js';

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
}

/** `/dev/stdin` and `/dev/stdout` by whatever name are as `-`. */
function standardName(name: string, descriptor: 0 | 1): string {
  return /^\/(dev|proc)\//.test(name) && descriptorOf(name) === descriptor ? STANDARD : name;
}

/** @throws DcompError E_USAGE, E_IO */
export function batchOf(
  args: RawArgs,
  request: Pick<Request, 'accepts' | 'others' | 'extension' | 'fields'>,
): { plan: Plan; common: CommonOptions; options: RunOptions } {
  const common = commonOptions(args);
  const { threads, verbose, quiet } = common;
  const json = flag(args, 'json');
  const jobs = numberOption(args, 'jobs', { min: 1, max: 256, whole: true });
  const [input = '', ...others] = fileArguments(args, 'files');
  const given = textOption(args, 'output');
  const alone = others.length === 1 && given === undefined; // then the second is the output
  const names = [input, ...others].map((name, i) => standardName(name, alone && i === 1 ? 1 : 0));
  const plan = planJobs({ names, output: given === undefined ? undefined : standardName(given, 1), ...request });
  // Once, and not for every file anew.
  if (plan.many && typeof common.model === 'object') readModelFile(common.model);
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
  return { plan, common, options: { threads, jobs, skipExisting, force, keepTimes, json, verbose, quiet } };
}
