/** `dcomp info FILE… [--json]`: what files say about themselves; no model is needed. */
import type { Argv } from 'yargs';
import { inspectFile as info, type FileInfo } from '../src/codec/inspect.js';
import type { Work } from '../src/codec/work.js';
import { pointNu } from '../src/entropy/tcq.js';
import { DEFAULT_MODEL, modelNameOf, type ModelName } from '../src/models/registry.js';
import { sourcesOf } from './batch/sources.js';
import { about, EXIT_DATA, reportError } from './errors.js';
import { inputName, readSource } from '../formats/files.js';
import { print } from './report.js';
import { fileArguments, flag, outputFlags, type RawArgs } from './options.js';
import { orMessage, refusePicture } from './not-coded.js';

/** Files of large pictures have hundreds of segments, one for each group of a step. */
const MOST_SEGMENTS = 12;

export function builder(yargs: Argv): void {
  yargs
    .positional('files', { type: 'string', array: true, describe: '.dcz files, folders of them, or - for stdin' })
    .option('json', { type: 'boolean', describe: 'As JSON, for programs; of several files a line each' })
    .option('all-segments', {
      type: 'boolean',
      describe: `A line for every segment, also of more than ${MOST_SEGMENTS}`,
    })
    .option('time', {
      type: 'boolean',
      describe: 'Also about how long decoding takes on this machine, which is measured with the model',
    })
    .example('$0 info photo.dcz', 'Size, model, and a line for each segment')
    .example('$0 info coded --json', 'Of all .dcz files of a folder, a line of JSON each');
}

/** @returns 1 if any of several files cannot be read */
export async function run(args: RawArgs): Promise<number> {
  const names = fileArguments(args, 'files');
  const { verbose } = outputFlags(args);
  const json = flag(args, 'json');
  const timed = flag(args, 'time');
  const most = flag(args, 'all-segments') ? Infinity : MOST_SEGMENTS;
  const files: string[] = [];
  for (const name of names) for (const { path } of await sourcesOf(name, { accepts: ['.dcz'] }, [])) files.push(path);
  if (files.length === 1) {
    const found = await infoOf(files[0]!, timed);
    print(json ? `${JSON.stringify(found, null, 2)}\n` : asText(inputName(files[0]!), found, most));
    return 0;
  }
  let failed = false;
  for (const [i, file] of files.entries()) {
    try {
      const found = await infoOf(file, timed);
      const text = `${i === 0 ? '' : '\n'}${asText(inputName(file), found, most)}`;
      print(json ? `${JSON.stringify({ file, ...found })}\n` : text);
    } catch (error) {
      failed = true;
      reportError(error, verbose);
    }
  }
  return failed ? EXIT_DATA : 0;
}

/** What a file says, the name of its model in this package, and how long decoding it takes here; null where that is not known. */
type Found = FileInfo & { model: ModelName | null; estimatedSeconds: number | null };

/** Measured with the file's model, or the default one; loaded only when it is asked for. */
async function secondsOf({ work, schedule, width, height }: FileInfo, model: ModelName | null): Promise<number | null> {
  if (work === null) return null;
  const { estimatedSeconds } = await import('./estimate.js');
  const shown = ((schedule?.views ?? 0) * width * height) / 1e6;
  return (await estimatedSeconds({ ...work, shown }, model ?? DEFAULT_MODEL)) ?? null;
}

/** @throws DcompError that names the file */
async function infoOf(file: string, timed: boolean): Promise<Found> {
  const bytes = await readSource(file);
  try {
    refusePicture(bytes);
    const found = info(bytes);
    const model = (found.modelId === null ? undefined : modelNameOf(found.modelId)) ?? null;
    return { ...found, model, estimatedSeconds: timed ? await secondsOf(found, model) : null };
  } catch (error) {
    throw about(inputName(file), orMessage(error, bytes));
  }
}

/** The figures of the whole file, then a table with a line for each segment, or for the first and last ones. */
function asText(name: string, found: Found, most: number): string {
  const {
    width,
    height,
    kind,
    depth,
    byteLength,
    formatVersion,
    bitsPerPixel,
    parts,
    alpha,
    segments,
    work,
    truncated,
    trailing,
  } = found;
  const bits = sum(segments.map((segment) => segment.bits));
  const ideal = sum(segments.map((segment) => segment.idealBits));
  const rows = segments.map(({ offset, byteLength: length, level, steps, sigma, bits: real, idealBits, state }, i) => [
    String(i + 1),
    String(offset),
    String(length),
    String(level),
    String(steps.length),
    sigma.toFixed(2),
    (((offset + length) * 8) / (width * height)).toFixed(3),
    overhead(real, idealBits),
    state === 'complete' ? '' : state,
  ]);
  const head = ['segment', 'offset', 'bytes', 'level', 'steps', 'sigma', 'bits per pixel', 'over ideal', ''];
  return [
    `${name}: ${width}×${height} ${kind}, ${depth} bits per sample, ${byteLength} bytes, ${bitsPerPixel.toFixed(3)} bits per pixel`,
    `format version ${formatVersion}, ${codingText(found)}`,
    ...parts.map(
      ({ type, name: what, byteLength: length, state }) =>
        `${what === 'unknown' ? `unknown part of type ${type}` : `part ${what}`}: ${counted(length, 'byte')}, ${state}`,
    ),
    ...(alpha === null ? [] : [`alpha: ${counted(alpha.byteLength, 'byte')}, ${alpha.state}`]),
    ...(segments.length > 0 ? shortened(columns([head, ...rows]), found, most) : ['no segments']),
    `segments together: ${bits} bits, ${ideal} ideal bits (${overhead(bits, ideal)} over ideal)`,
    ...(work === null ? [] : [workText(work, found)]),
    ...(truncated ? ['the file ends before its last segment does'] : []),
    ...(trailing === 0 ? [] : [`${trailing} bytes behind the end of the file, which mean nothing`]),
    '',
  ].join('\n');
}

/** By what the picture is coded, and how it is shown. */
function codingText({ schedule, modelId, model, trellisBits }: Found): string {
  if (schedule === null || trellisBits === null) return 'plain form: without loss, without a model';
  const { forEye, views, lastLevel } = schedule;
  return [
    `model ${model === null ? modelId : `${model} (${modelId})`}`,
    `at level 0 trellises of 2^${trellisBits} states for signs and 2^${pointNu(trellisBits)} for points`,
    `shown ${forEye ? 'for the eye, ' : ''}as the mean of ${counted(views, 'evaluation')}`,
    ...(lastLevel > 0 ? [`nothing told of levels below ${lastLevel}`] : []),
  ].join(', ');
}

function workText({ evaluations, fullSize, megapixels }: Work, { segments, estimatedSeconds: seconds }: Found): string {
  const of = segments.some(({ state }) => state === 'damaged') ? ' for what is not damaged' : '';
  const time = seconds === null ? '' : `, about ${seconds.toPrecision(2)} s on this machine`;
  return `work${of}: ${counted(evaluations, 'evaluation')} of the network, ${fullSize.toFixed(1)} of the full size, ${megapixels.toPrecision(3)} megapixels${time}`;
}

/** Leaves out lines in the middle. @param lines the head, and one for each segment */
function shortened(lines: string[], { segments }: FileInfo, most: number): string[] {
  if (segments.length <= most) return lines;
  const [first, last] = [Math.ceil(most / 2), segments.length - Math.floor(most / 2)];
  const between = segments.slice(first, last);
  const damaged = between.filter(({ state }) => state === 'damaged').length;
  const said = `${between.length} more segments, ${sum(between.map(({ byteLength }) => byteLength))} bytes${damaged === 0 ? '' : `, ${damaged} of them damaged`}`;
  return [...lines.slice(0, 1 + first), `… ${said} (--all-segments lists them)`, ...lines.slice(1 + last)];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function overhead(bits: number, idealBits: number): string {
  return idealBits > 0 ? `${((bits / idealBits - 1) * 100).toFixed(1)} %` : '-';
}

/** Aligned to the right, as numbers are read. */
function columns(rows: string[][]): string[] {
  const widths = rows[0].map((_, column) => rows.reduce((most, row) => Math.max(most, row[column].length), 0));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padStart(widths[column]))
      .join('  ')
      .trimEnd(),
  );
}
