/** An evaluation from pictures to figures: what is in the cache is taken, the rest is measured. */
import { cpus, platform } from 'node:os';
import { DcompError } from '../src/errors.js';
import { FORMAT_VERSION } from '../src/node.js';
import { checkList, checkObject, isFunction } from '../src/options.js';
import { labelOf, OWN_CODECS, RIVALS } from './codecs/table.js';
import type { CodecInfo, Evaluation, PictureResult } from './evaluation.js';
import { keptCurve, keptSample } from './measure.js';
import {
  effortOf,
  type Crop,
  type Curve,
  type CurveJob,
  type Loaded,
  type OwnChoices,
  type OwnSettings,
  type Sample,
  type SampleJob,
} from './measurement.js';
import type { MetricName } from './metrics/metrics.js';
import { describeAll, spread, type PictureFile } from './pictures.js';
import { runJobs, type Outcome } from './pool.js';
import { MAIN_RATE } from './summary.js';

/** What is measured, with what, and where results are kept. */
export interface EvaluationOptions {
  /** Folders and files. */
  inputs: string[];
  codecs: string[];
  metrics: MetricName[];
  /** Bits per pixel, rising. */
  rates: number[];
  /** In place of each codec's own settings; dcomp then codes a file for each too. */
  qualities: number[] | undefined;
  limit: number;
  processes: number;
  own: OwnSettings;
  cache: string;
  /** Measure anew what the cache has. */
  fresh: boolean;
  /** Of how many pictures decoded ones are shown. */
  samples: number;
  dcompVersion: string;
  /** @param seconds left, undefined as long as nothing is known */
  onProgress: (fraction: number, stage: string, left: number | undefined) => void;
  onNotice: (line: string) => void;
  signal: AbortSignal;
}

/** A picture as each codec shows it at about equal bytes. */
export interface SampleSet {
  picture: string;
  width: number;
  height: number;
  /** Bytes that none should exceed. */
  bytes: number;
  bitsPerPixel: number;
  shown: { codec: string; label: string; sample: Sample }[];
}

/**
 * Codes all pictures with all codecs and measures what their files decode to; what the cache has is not measured again.
 * @throws DcompError E_IO, E_MISSING_DEPENDENCY, E_ABORTED
 */
export async function evaluate(options: EvaluationOptions): Promise<{ evaluation: Evaluation; samples: SampleSet[] }> {
  checkObject(options, 'the options of evaluate');
  isFunction(options.onNotice, 'onNotice');
  checkList(options.inputs, 'inputs');
  const notices: string[] = [];
  const notice = (line: string): void => {
    notices.push(line);
    options.onNotice(line);
  };
  let failed = 0;
  const failure = (line: string): void => {
    failed++;
    notice(line);
  };
  const pictures = describeAll(options, failure);
  const { codecs, settings } = await loadCodecs(options, notice);
  const { results, kept } = await measureAll(options, pictures, codecs, settings, { notice, failure });
  const evaluation: Evaluation = {
    date: new Date().toISOString().slice(0, 10),
    dcompVersion: options.dcompVersion,
    model: codecs.some(isOwn)
      ? { id: options.own.modelId, formatVersion: FORMAT_VERSION, ...options.own.choices }
      : undefined,
    machine: `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} threads, ${platform()}, Node ${process.versions.node}`,
    processes: options.processes,
    metrics: options.metrics,
    rates: options.rates,
    codecs,
    pictures: results,
    kept,
    failed,
    notices,
  };
  const samples = await makeSamples(options, evaluation, pictures, notice);
  return { evaluation, samples };
}

interface CodecSettings {
  about: string;
  settings: number[];
}

function isOwn({ name }: { name: string }): boolean {
  return OWN_CODECS.some((entry) => entry.name === name);
}

async function loadCodecs(
  options: EvaluationOptions,
  notice: (line: string) => void,
): Promise<{ codecs: CodecInfo[]; settings: Record<string, CodecSettings> }> {
  const { own, qualities, rates, processes, signal } = options;
  const rivals = options.codecs.filter((name) => RIVALS.some((entry) => entry.name === name));
  const loaded = await runJobs<Loaded>(
    rivals.map((codec) => ({ kind: 'load', codec })),
    processes,
    () => undefined,
    signal,
  );
  const codecs: CodecInfo[] = [];
  const settings: Record<string, CodecSettings> = {};
  for (const name of options.codecs) {
    const label = labelOf(name);
    if (!rivals.includes(name)) {
      const about =
        name === 'ideal'
          ? `the model’s KL with an ideal Gaussian channel, without headers`
          : `model ${own.modelId}, format ${FORMAT_VERSION}, ${effortOf(own.choices)}${tuned(own.choices)}`;
      codecs.push({
        name,
        label,
        about,
        parameter: qualities === undefined || name === 'ideal' ? 'bits per pixel' : 'quality',
      });
      settings[name] = { about, settings: name === 'ideal' ? [] : (qualities ?? rates) };
      continue;
    }
    const { result, error } = loaded[rivals.indexOf(name)]!;
    if (result === undefined) {
      notice(`${name} is left out: ${error ?? ''}`);
      continue;
    }
    if (qualities !== undefined && result.parameter !== 'quality')
      notice(`${name} has no qualities: its own settings are used (${result.parameter})`);
    codecs.push({ name, label, about: result.about, parameter: result.parameter });
    settings[name] = {
      about: result.about,
      settings: qualities !== undefined && result.parameter === 'quality' ? qualities : result.settings,
    };
  }
  if (codecs.length === 0) throw new DcompError('E_MISSING_DEPENDENCY', 'none of the codecs can be loaded');
  return { codecs, settings };
}

function tuned({ tune }: OwnChoices): string {
  return tune === undefined ? '' : `, tuned for ${tune}`;
}

/** About how long codecs take, for the time left. */
const WEIGHT: Record<string, number> = {
  dcomp: 8,
  ideal: 4,
  avif: 8,
  'avif-psnr': 8,
  'avif-ssim': 8,
  avifenc: 20,
  jxl: 2,
  webp: 1.5,
  cwebp: 1.5,
};

/** Where what happens is told: `failure` counts as well. */
type Tellers = Record<'notice' | 'failure', (line: string) => void>;

async function measureAll(
  options: EvaluationOptions,
  pictures: PictureFile[],
  codecs: CodecInfo[],
  settings: Record<string, CodecSettings>,
  tellers: Tellers,
): Promise<{ results: PictureResult[]; kept: number }> {
  const jobs = curveJobs(options, pictures, codecs, settings);
  const results = pictures.map(({ name, width, height }): PictureResult => ({ name, width, height, curves: {} }));
  const put = (job: CurveJob, curve: Curve): void =>
    void (results[pictures.findIndex(({ path }) => path === job.path)]!.curves[job.codec] = curve);
  const missing: CurveJob[] = [];
  for (const job of jobs) {
    const curve = options.fresh ? undefined : keptCurve(job);
    if (curve === undefined) missing.push(job);
    else put(job, curve);
  }
  options.onProgress(0, `${missing.length} of ${jobs.length} curves to measure`, undefined);
  await measureCurves(options, pictures, missing, put, tellers);
  // A picture that one codec fails on is left out for all: means are over the same pictures.
  const whole = results.filter((result) => codecs.every(({ name }) => result.curves[name] !== undefined));
  if (whole.length === 0) throw new DcompError('E_IO', 'no picture could be measured with all codecs');
  for (const result of results)
    if (!whole.includes(result))
      tellers.notice(`${result.name} is not in the figures: not all codecs could be measured on it`);
  return { results: whole, kept: jobs.length - missing.length };
}

/** All pictures with all codecs, the costly first, so that none is left alone at the end. */
function curveJobs(
  { rates, qualities, metrics, own, cache }: EvaluationOptions,
  pictures: PictureFile[],
  codecs: CodecInfo[],
  settings: Record<string, CodecSettings>,
): CurveJob[] {
  const maxRate = rates[rates.length - 1]!;
  const order = [...codecs].sort((a, b) => (WEIGHT[b.name] ?? 1) - (WEIGHT[a.name] ?? 1));
  return pictures.flatMap(({ path, hash }) =>
    order.map(({ name }): CurveJob => {
      const byQuality = qualities !== undefined && name === 'dcomp';
      return {
        kind: 'curve',
        path,
        hash,
        codec: name,
        ...settings[name]!,
        maxRate,
        metrics,
        own: isOwn({ name }) ? own : undefined,
        byQuality,
        cache,
      };
    }),
  );
}

/** @param put takes each curve as it comes */
async function measureCurves(
  { processes, onProgress, signal }: EvaluationOptions,
  pictures: PictureFile[],
  jobs: CurveJob[],
  put: (job: CurveJob, curve: Curve) => void,
  { notice, failure }: Tellers,
): Promise<void> {
  const pictureOf = (job: CurveJob): PictureFile => pictures.find(({ path }) => path === job.path)!;
  const weightOf = (job: CurveJob): number => {
    const { width, height } = pictureOf(job);
    return width * height * (WEIGHT[job.codec] ?? 1);
  };
  const total = jobs.reduce((sum, job) => sum + weightOf(job), 0);
  const start = performance.now();
  let done = 0;
  await runJobs<Curve>(
    jobs,
    processes,
    (index, { result, error }) => {
      const job = jobs[index]!;
      const { name } = pictureOf(job);
      if (result === undefined) failure(`${name} with ${job.codec} is left out: ${error ?? ''}`);
      else {
        put(job, result);
        const reached = result.points.at(-1)?.bitsPerPixel ?? 0;
        if (job.codec === 'dcomp' && !job.byQuality) tellUnreached(name, job.settings, reached, notice);
      }
      done += weightOf(job);
      const seconds = (performance.now() - start) / 1000;
      onProgress(done / total, `${name}, ${job.codec}`, (seconds / done) * (total - done));
    },
    signal,
  );
}

function tellUnreached(name: string, rates: readonly number[], reached: number, notice: (line: string) => void): void {
  const beyond = rates.filter((rate) => rate > reached * 1.02 + 1e-9);
  if (beyond.length > 0)
    notice(
      `${name}: dcomp does not reach ${beyond.join(', ')} bits per pixel, its whole stream has ${reached.toFixed(3)}`,
    );
}

/** Sides of the part that is shown. */
const CROP = 384;

async function makeSamples(
  options: EvaluationOptions,
  evaluation: Evaluation,
  files: PictureFile[],
  notice: (line: string) => void,
): Promise<SampleSet[]> {
  const measured = files.filter(({ name }) => evaluation.pictures.some((picture) => picture.name === name));
  const chosen = options.samples === 0 ? [] : spread(measured, options.samples);
  const codecs = ['original', ...evaluation.codecs.map(({ name }) => name).filter((name) => name !== 'ideal')];
  const jobs = chosen.flatMap(({ path, hash, name, width, height }) =>
    codecs.map((codec): SampleJob => {
      const bytes = Math.floor((MAIN_RATE * width * height) / 8);
      const points = evaluation.pictures.find((picture) => picture.name === name)!.curves[codec]?.points ?? [];
      const known = points.map((point) => ({ setting: point.setting, bytes: point.bytes }));
      const about = evaluation.codecs.find((entry) => entry.name === codec)?.about ?? '';
      return {
        kind: 'sample',
        path,
        hash,
        codec,
        about,
        bytes,
        known,
        own: codec === 'dcomp' ? options.own : undefined,
        crop: middle(width, height),
        cache: options.cache,
      };
    }),
  );
  const found = jobs.map((job) => (options.fresh ? undefined : keptSample(job)));
  const missing = jobs.filter((_, i) => found[i] === undefined);
  let done = 0;
  const outcomes: Outcome<Sample>[] = await runJobs<Sample>(
    missing,
    options.processes,
    (index, { error }) => {
      if (error !== undefined) notice(`no picture of ${missing[index]!.codec} to look at: ${error}`);
      options.onProgress(++done / missing.length, 'pictures to look at', undefined);
    },
    options.signal,
  );
  return chosen.map(({ path, name, width, height }): SampleSet => {
    const shown = codecs.flatMap((codec) => {
      const i = jobs.findIndex((job) => job.path === path && job.codec === codec);
      const sample = found[i] ?? outcomes[missing.indexOf(jobs[i]!)]?.result;
      return sample === undefined ? [] : [{ codec, label: codec === 'original' ? 'original' : labelOf(codec), sample }];
    });
    const bytes = Math.floor((MAIN_RATE * width * height) / 8);
    const { width: w, height: h } = middle(width, height);
    return { picture: name, width: w, height: h, bytes, bitsPerPixel: MAIN_RATE, shown };
  });
}

function middle(width: number, height: number): Crop {
  const [w, h] = [Math.min(width, CROP), Math.min(height, CROP)];
  return { x: (width - w) >> 1, y: (height - h) >> 1, width: w, height: h };
}
