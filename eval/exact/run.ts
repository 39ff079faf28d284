/** Codecs without loss, or within an error, from pictures to figures. */
import { cpus, platform } from 'node:os';
import { DcompError } from '../../src/errors.js';
import { FORMAT_VERSION } from '../../src/node.js';
import { effortOf } from '../measurement.js';
import { describeAll } from '../pictures.js';
import { runJobs } from '../pool.js';
import { EXACT_RIVALS, exactLabelOf, OWN_WAYS } from './codecs.js';
import { keptExact } from './measure.js';
import type { ExactJob, ExactPoint } from './measurement.js';
import { defined } from '../../src/options.js';

export interface ExactOptions {
  /** Folders and files. */
  inputs: string[];
  codecs: string[];
  /** 0 for lossless. */
  maxError: number;
  limit: number;
  processes: number;
  /** Default: the model's. */
  effort?: number;
  /** Of `dcomp`: a model's name or file, and its id. */
  given: { model: string; modelId: string } | undefined;
  cache: string;
  /** Measure anew what the cache has. */
  fresh: boolean;
  dcompVersion: string;
  /** @param seconds left, undefined as long as nothing is known */
  onProgress: (fraction: number, stage: string, left: number | undefined) => void;
  onNotice: (line: string) => void;
  signal: AbortSignal;
}

export interface ExactCodecInfo {
  name: string;
  label: string;
  about: string;
}

export interface ExactResult {
  name: string;
  width: number;
  height: number;
  /** By codec. */
  points: Record<string, ExactPoint>;
}

/** All figures of a comparison. */
export interface ExactEvaluation {
  /** ISO date. */
  date: string;
  dcompVersion: string;
  machine: string;
  maxError: number;
  codecs: ExactCodecInfo[];
  pictures: ExactResult[];
  /** Files that came from the cache of earlier runs. */
  kept: number;
  /** Pictures, and measurements of them, that failed. */
  failed: number;
  /** What is missing, a line each. */
  notices: string[];
}

/**
 * Codes all pictures (as RGB of 8 bits) with all codecs, and looks at every sample that comes back.
 * @throws DcompError E_IO, E_MISSING_DEPENDENCY, E_ABORTED
 */
export async function evaluateExact(options: ExactOptions): Promise<ExactEvaluation> {
  const notices: string[] = [];
  let failed = 0;
  const notice = (line: string): void => {
    notices.push(line);
    options.onNotice(line);
  };
  const failure = (line: string): void => {
    failed++;
    notice(line);
  };
  const files = describeAll(options, failure);
  const codecs = await loadAll(options, notice);
  const jobs = files.flatMap(({ path, hash }) =>
    codecs.map(({ name, about }): ExactJob => {
      const own = ownOf(name, options);
      return { kind: 'exact', path, hash, codec: name, about, maxError: options.maxError, own, cache: options.cache };
    }),
  );
  const pictures = files.map(({ name, width, height }): ExactResult => ({ name, width, height, points: {} }));
  const kept = await measureAll(jobs, options, (index, point, error) => {
    const { codec } = jobs[index]!;
    const picture = pictures[Math.floor(index / codecs.length)]!;
    if (point === undefined) failure(`${picture.name} with ${codec} is left out: ${error ?? ''}`);
    else picture.points[codec] = point;
  });
  // Means are over the same pictures.
  const whole = pictures.filter(({ points }) => codecs.every(({ name }) => points[name] !== undefined));
  if (whole.length === 0) throw new DcompError('E_IO', 'no picture could be measured with all codecs');
  for (const { name } of pictures.filter((picture) => !whole.includes(picture)))
    notice(`${name} is not in the figures: not all codecs could be measured on it`);
  return {
    date: new Date().toISOString().slice(0, 10),
    dcompVersion: options.dcompVersion,
    machine: `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${platform()}, Node ${process.versions.node}`,
    maxError: options.maxError,
    codecs,
    pictures: whole,
    kept,
    failed,
    notices,
  };
}

/** What the cache has at once, then the others. @returns how many were there */
async function measureAll(
  jobs: readonly ExactJob[],
  { fresh, processes, signal, onProgress }: ExactOptions,
  put: (index: number, point: ExactPoint | undefined, error: string | undefined) => void,
): Promise<number> {
  const missing: number[] = [];
  for (const [index, job] of jobs.entries()) {
    const point = fresh ? undefined : keptExact(job);
    if (point === undefined) missing.push(index);
    else put(index, point, undefined);
  }
  const start = performance.now();
  let done = 0;
  onProgress(0, `${missing.length} of ${jobs.length} files to make`, undefined);
  await runJobs<ExactPoint>(
    missing.map((index) => jobs[index]!),
    processes,
    (i, { result, error }) => {
      put(missing[i]!, result, error);
      const seconds = (performance.now() - start) / 1000;
      done++;
      onProgress(done / missing.length, jobs[missing[i]!]!.codec, (seconds / done) * (missing.length - done));
    },
    signal,
  );
  return jobs.length - missing.length;
}

function ownOf(codec: string, { effort, given }: ExactOptions): ExactJob['own'] {
  const way = OWN_WAYS.find(({ name }) => name === codec);
  if (way === undefined) return undefined;
  const model = way.model === 'given' ? given!.model : way.model;
  return { ...defined({ effort }), model };
}

async function loadAll(options: ExactOptions, notice: (line: string) => void): Promise<ExactCodecInfo[]> {
  const rivals = options.codecs.filter((name) => EXACT_RIVALS.some((entry) => entry.name === name));
  const loaded = await runJobs<{ about: string }>(
    rivals.map((codec) => ({ kind: 'load-exact', codec })),
    options.processes,
    () => undefined,
    options.signal,
  );
  const codecs: ExactCodecInfo[] = [];
  for (const name of options.codecs) {
    const own = ownOf(name, options);
    const { result, error } =
      own === undefined ? loaded[rivals.indexOf(name)]! : { result: { about: ownAbout(own, options) }, error: '' };
    if (result === undefined) notice(`${name} is left out: ${error ?? ''}`);
    else codecs.push({ name, label: exactLabelOf(name), about: result.about });
  }
  if (codecs.length === 0) throw new DcompError('E_MISSING_DEPENDENCY', 'none of the codecs can be loaded');
  return codecs;
}

function ownAbout(own: NonNullable<ExactJob['own']>, { given }: ExactOptions): string {
  const { model } = own;
  if (model === undefined) return `format ${FORMAT_VERSION}, without network`;
  const which = model === given?.model ? given.modelId : model;
  return `model ${which}, format ${FORMAT_VERSION}, ${effortOf(own)}`;
}
