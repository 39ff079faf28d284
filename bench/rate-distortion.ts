/**
 * Rate and quality by a fixed protocol: for every picture of a folder, real files of dcomp at the protocol's rates, the
 * model's ideal rate curve, and other codecs in the same run. PSNR is over the RGB samples of the 8-bit picture, mean
 * over the pictures at equal rate.
 *
 * Usage: npm run rd -- --help
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import yargs from 'yargs';
import { readPng } from '../cli/pictures/png-reader.js';
import { DEFAULT_SCHEDULE } from '../src/codec/schedule.js';
import { readModelFile } from '../src/model/model-file.js';
import { createThreadedEvaluator } from '../src/model/threads-node.js';
import { DEFAULT_EFFORT, DEFAULT_MODEL, FORMAT_VERSION } from '../src/node.js';
import { withDepth, type Picture } from '../src/picture.js';
import { idealCurve, realCurve, RememberingEvaluator } from './dcomp-curves.js';
import { formatPicture, formatSummary, overAvif, summarise, type PictureResult } from './rate-distortion-report.js';
import { codecHash, pictureHash, ResultCache, type Key } from './result-cache.js';
import { loadRival, rivalCurve, RIVALS, type Rival, type RivalName } from './rivals.js';

/** Bits per pixel. */
const RATES = [0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 0.75, 1];
const MAX_RATE = RATES[RATES.length - 1]!;
/** Which of them the lines of single pictures are about. */
const MAIN_RATE = RATES.indexOf(0.25);
const CODECS = ['dcomp', 'ideal', ...RIVALS] as const;

interface Options {
  data: string;
  model: string;
  limit: number | undefined;
  effort: number;
  codecs: string[];
  threads: number | undefined;
  json: string | undefined;
  cache: boolean;
  verbose: boolean;
}

class UsageError extends Error {}

function parseOptions(args: string[]): Options {
  const parsed = yargs(args)
    .scriptName('rd')
    .usage('npm run rd -- [options]')
    .options({
      data: { type: 'string', requiresArg: true, default: '../shared/data/dev', describe: 'Folder of PNGs' },
      model: { type: 'string', requiresArg: true, default: fileURLToPath(DEFAULT_MODEL), defaultDescription: 'the package’s', describe: 'Model file' },
      limit: { type: 'number', requiresArg: true, describe: 'Only so many pictures, spread over the list' },
      effort: { type: 'number', requiresArg: true, default: DEFAULT_EFFORT, describe: 'Of dcomp’s encoder, 1 to 9' },
      codecs: { type: 'string', requiresArg: true, default: CODECS.join(','), describe: 'Which to measure' },
      threads: { type: 'number', requiresArg: true, defaultDescription: 'all cores', describe: 'Threads of the network' },
      json: { type: 'string', requiresArg: true, describe: 'File to write all curves and figures to' },
      cache: { type: 'boolean', default: false, describe: 'Keep and use results of dcomp too (those of others always are), by model, compiled code and effort' },
      verbose: { type: 'boolean', alias: 'v', default: false, describe: 'A line for each picture' },
    })
    .strict()
    .version(false)
    .parseSync();
  const codecs = parsed.codecs.split(',').filter((name) => name !== '');
  const unknown = codecs.filter((name) => !(CODECS as readonly string[]).includes(name));
  if (unknown.length > 0 || codecs.length === 0) throw new UsageError(`--codecs: ${unknown.join(', ') || 'none given'}; there are ${CODECS.join(', ')}`);
  if (parsed.limit !== undefined && !(Number.isInteger(parsed.limit) && parsed.limit >= 1)) throw new UsageError('--limit must be a whole number, at least 1');
  return { ...parsed, codecs, limit: parsed.limit, threads: parsed.threads, json: parsed.json };
}

/** PNGs of the folder by name, `limit` of them spread evenly. */
function listPictures(folder: string, limit = Infinity): string[] {
  if (!existsSync(folder)) throw new UsageError(`no folder ${folder}: give a folder of PNGs with --data (the development pictures are not part of the repository)`);
  const names = readdirSync(folder)
    .filter((name) => name.toLowerCase().endsWith('.png'))
    .sort();
  if (names.length === 0) throw new UsageError(`no PNGs in ${folder}`);
  const count = Math.min(limit, names.length);
  return Array.from({ length: count }, (_, i) => names[Math.floor(((i + 0.5) * names.length) / count)]!);
}

/** Colours as RGB; alpha is no part of the comparison. */
function toRgb({ width, height, channels, data }: Picture): Picture {
  if (channels === 3) return { width, height, channels, data };
  const out = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) for (let c = 0; c < 3; c++) out[3 * i + c] = data[i * channels + (channels > 2 ? c : 0)]!;
  return { width, height, channels: 3, data: out };
}

async function loadRivals(names: readonly string[]): Promise<Rival[]> {
  const rivals: Rival[] = [];
  for (const name of RIVALS) {
    if (!names.includes(name)) continue;
    try {
      rivals.push(await loadRival(name));
    } catch (error) {
      console.error(`rd: ${name} is left out, it cannot be loaded: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  return rivals;
}

interface Bench {
  options: Options;
  rivals: Rival[];
  evaluator: RememberingEvaluator | undefined;
  cache: ResultCache;
}

async function measure(name: string, bench: Bench): Promise<PictureResult> {
  const { options, rivals, evaluator, cache } = bench;
  const picture = toRgb(withDepth(readPng(readFileSync(join(options.data, name))).picture, 8));
  const hash = pictureHash(picture);
  const result: PictureResult = { name, width: picture.width, height: picture.height, rivals: {} };
  for (const rival of rivals) {
    const key: Key = { picture: hash, codec: rival.settings, qualities: rival.qualities, maxRate: MAX_RATE };
    result.rivals[rival.name] = await cache.get(key, () => rivalCurve(rival, picture, MAX_RATE));
  }
  if (evaluator === undefined) return result;
  const { coarseWidth, fineWidth } = DEFAULT_SCHEDULE;
  const own = { picture: hash, model: evaluator.model.id, format: FORMAT_VERSION, code: codecHash(), schedule: [coarseWidth, fineWidth] };
  const kept = <T>(key: Key, make: () => Promise<T>): Promise<T> => (options.cache ? cache.get(key, make) : make());
  if (options.codecs.includes('dcomp')) {
    result.real = await kept({ ...own, codec: 'dcomp', effort: options.effort, rates: RATES }, () => realCurve(picture, evaluator, RATES, options.effort));
    evaluator.forget();
  }
  if (options.codecs.includes('ideal')) {
    result.ideal = await kept({ ...own, codec: 'ideal', maxRate: MAX_RATE }, () => idealCurve(picture, evaluator, MAX_RATE));
    evaluator.forget();
  }
  return result;
}

async function main(options: Options): Promise<void> {
  const names = listPictures(options.data, options.limit);
  const rivals = await loadRivals(options.codecs);
  let evaluator: RememberingEvaluator | undefined;
  if (options.codecs.includes('dcomp') || options.codecs.includes('ideal')) {
    if (!existsSync(options.model)) throw new UsageError(`no model ${options.model}: give one with --model`);
    const model = readModelFile(readFileSync(options.model));
    evaluator = new RememberingEvaluator(createThreadedEvaluator(model, options.threads === undefined ? {} : { threads: options.threads }));
  }
  const bench: Bench = { options, rivals, evaluator, cache: new ResultCache('out/rate-distortion') };
  const results: PictureResult[] = [];
  const started = performance.now();
  for (const [i, name] of names.entries()) {
    try {
      const result = await measure(name, bench);
      results.push(result);
      const seconds = (performance.now() - started) / 1000;
      const left = (seconds / (i + 1)) * (names.length - i - 1);
      console.error(`${i + 1}/${names.length}  ${formatPicture(result, RATES, MAIN_RATE)}  ${seconds.toFixed(0)} s, ${left.toFixed(0)} s left`);
    } catch (error) {
      console.error(`rd: ${name} is left out: ${(error as Error).message}`);
      process.exitCode = 1;
    }
  }
  await evaluator?.close();
  if (results.length === 0) throw new UsageError('no picture could be measured');
  print(results, rivals, options, evaluator?.model.id);
}

function print(results: PictureResult[], rivals: readonly Rival[], options: Options, modelId: string | undefined): void {
  const summary = summarise(results, RATES, rivals.map((r) => r.name as RivalName));
  const about = [
    `${results.length} pictures of ${options.data}`,
    ...(modelId === undefined ? [] : [`dcomp: model ${modelId}, format ${FORMAT_VERSION}, effort ${options.effort}`]),
    ...rivals.map((r) => r.settings),
  ];
  console.log(`${about.join('\n')}\n\n${formatSummary(summary)}`);
  if (options.verbose) {
    const worst = [...results].sort((a, b) => (overAvif(a, RATES, MAIN_RATE) ?? 0) - (overAvif(b, RATES, MAIN_RATE) ?? 0));
    console.log(`\n${worst.map((result) => formatPicture(result, RATES, MAIN_RATE)).join('\n')}`);
  }
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify({ about, summary, pictures: results }, null, 1)}\n`);
}

try {
  await main(parseOptions(argv.slice(2)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`rd: ${error.message}`);
  process.exitCode = 1;
}
