/** `dcomp jsonl`: a line of JSON for each picture on stdin, a line of JSON for each on stdout. */
import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Argv } from 'yargs';
import { Children } from '../cluster/children.js';
import { answerLines, parseLine, type Told } from '../cluster/lines.js';
import { versionOf } from '../cluster/places.js';
import { closeStore, isObject } from '../cluster/s3.js';
import { makeTask } from '../cluster/task.js';
import { defaultJobs } from './batch/run.js';
import * as encode from './encode.js';
import { engineOption, flag, namedModel, numberOption, textOption, type RawArgs } from './options.js';
import { print } from './report.js';
import yargs from './vendor/yargs.js';
import { defined } from '../src/options.js';

/** Options of `encode` that are of no line: of names, of queues, of messages, of the whole run. */
const NOT_OF_LINES = new Set(
  'output jobs json redis queue attempts wait threads profile crc size-is-told help version files'.split(' '),
);

export function builder(own: Argv): void {
  own
    .option('concurrency', {
      type: 'string',
      requiresArg: true,
      describe: 'Pictures at a time, each with its share of the threads  [default: as threads and memory allow]',
    })
    .option('threads', { type: 'string', requiresArg: true, describe: 'Threads in all  [default: all cores]' })
    .example(`echo '{"in": "a.png", "out": "a.dcz", "quality": 30}' | $0 jsonl`, 'A line a picture')
    .example(`echo '{"in": "s3://bucket/a.png"}' | $0 jsonl`, 'The file comes back as "data", in base64');
}

/** Names of the options that lines may have. */
function lineOptions(): Set<string> {
  const scratch = yargs();
  encode.builder(scratch);
  const { string, boolean } = (
    scratch as unknown as { getOptions(): { string: string[]; boolean: string[] } }
  ).getOptions();
  return new Set([...string, ...boolean].filter((name) => name.length > 1 && !NOT_OF_LINES.has(name)));
}

/** @throws DcompError E_USAGE */
export async function run(args: RawArgs): Promise<void> {
  const threads = numberOption(args, 'threads', { min: 1, max: 256, whole: true }) ?? availableParallelism();
  const concurrency = numberOption(args, 'concurrency', { min: 1, max: 256, whole: true }) ?? defaultJobs(threads);
  const children = new Children();
  const known = lineOptions();
  const each = Math.max(1, Math.floor(threads / concurrency));
  const work = (text: string): Promise<Told> => workOf(text, known, children, each);
  try {
    const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
    await answerLines(lines, concurrency, work, (line) => print(`${line}\n`));
  } finally {
    children.close();
    await closeStore();
  }
}

async function workOf(text: string, known: Set<string>, children: Children, threads: number): Promise<Told> {
  const line = parseLine(text, known);
  const place = (name: string): string => (isObject(name) ? name : resolve(name));
  const [input, output] = [line.in, line.out].map((name) => (name === undefined ? '-' : place(name))) as [
    string,
    string,
  ];
  const replace = flag(line.options, 'force');
  if (flag(line.options, 'skip-existing') && output !== '-' && (await versionOf(output)) !== undefined)
    return { status: 'skipped' };
  const model = textOption(line.options, 'model');
  const { threads: _threads, ...settings } = encode.settingsOf(line.options, {
    threads,
    engine: engineOption(line.options),
    model: model === undefined ? undefined : namedModel(model),
  });
  const { stored, blobs } = apart(settings);
  const outcome = await children.run({
    coder: new URL('./encode-file.js', import.meta.url).href,
    task: makeTask({
      ...{ input, output, replace, keepTimes: flag(line.options, 'keep-times'), folders: true },
      ...{ coder: 'encode-file', settings: stored, version: '-' },
    }),
    ...{ blobs, threads, back: line.out === undefined },
    ...defined({ input: line.data }),
  });
  const {
    bytes,
    figures,
    summary: _summary,
    ...rest
  } = outcome as typeof outcome & { figures: object; summary: string };
  return { ...rest, ...figures, ...(bytes === undefined ? {} : { data: Buffer.from(bytes).toString('base64') }) };
}

/** Bytes of settings apart from the others: children get each once. */
function apart(settings: object): { stored: Record<string, unknown>; blobs: Map<string, Uint8Array> } {
  const stored: Record<string, unknown> = {};
  const blobs = new Map<string, Uint8Array>();
  for (const [name, value] of Object.entries(settings)) {
    stored[name] = value;
    if (!(value instanceof Uint8Array)) continue;
    const blob = createHash('sha256').update(value).digest('hex');
    blobs.set(blob, value);
    stored[name] = { blob };
  }
  return { stored, blobs };
}
