/** Measures one picture with one codec; runs in a process of its own (worker.ts). */
import type { Evaluator } from '../src/model/evaluator.js';
import { openEvaluator } from '../src/kept-models.js';
import { loadModel, sha256 } from '../src/models/read-node.js';
import { isModelName } from '../src/models/registry.js';
import { createThreadedEvaluator } from '../src/model/wasm/threads-node.js';
import { DcompError } from '../src/errors.js';
import type { Picture } from '../src/picture.js';
import { codeHash, ResultCache, type Key } from './cache.js';
import type { Codec } from './codecs/codec.js';
import {
  codedAtQualities,
  codedAtRates,
  codedToTarget,
  idealPictures,
  RememberingEvaluator,
  type Coded,
} from './codecs/dcomp.js';
import { RIVALS } from './codecs/table.js';
import type { Curve, CurveJob, Loaded, OwnSettings, Point, Sample, SampleJob, StepBits } from './measurement.js';
import { peakMemory, resetPeak, residentMemory } from './memory.js';
import { metricOf, type MetricName, type Scores } from './metrics/metrics.js';
import { psnrRgb } from './metrics/psnr.js';
import { loadPicture } from './pictures.js';
import { processorSeconds } from './processor-time.js';
import { sampleImage } from './report/sample-image.js';

const METRICS_CODE = codeHash(['eval/metrics', 'src/metrics']);
const OWN_CODE = codeHash(['src', 'eval/codecs']);

/** The whole curve from the cache, undefined where a part of it is not there. */
export function keptCurve(job: CurveJob): Curve | undefined {
  const cache = new ResultCache(job.cache);
  if (job.own !== undefined) return cache.find<Curve>(ownKey(job, job.own));
  const points: Point[] = [];
  for (const setting of job.settings) {
    const point = cache.find<Point>(pointKey(job, setting));
    if (point === undefined) return undefined;
    points.push(point);
    if (point.bitsPerPixel > job.maxRate) break;
  }
  return { points };
}

function pointKey({ hash, codec, about, metrics }: CurveJob, setting: number): Key {
  return { picture: hash, codec, about, setting, metrics: [...metrics, METRICS_CODE] };
}

function ownKey(
  { hash, codec, settings, byQuality, maxRate, metrics }: CurveJob,
  { modelId, choices }: OwnSettings,
): Key {
  return {
    picture: hash,
    codec,
    modelId,
    ...choices,
    settings,
    byQuality,
    maxRate,
    metrics: [...metrics, METRICS_CODE],
    code: OWN_CODE,
  };
}

/** @throws DcompError, and whatever a codec throws */
export async function measureCurve(job: CurveJob): Promise<Curve> {
  const cache = new ResultCache(job.cache);
  const picture = loadPicture(job.path);
  if (job.own !== undefined) {
    const curve =
      job.codec === 'ideal' ? await idealCurve(picture, job, job.own) : await ownCurve(picture, job, job.own);
    cache.keep(ownKey(job, job.own), curve);
    return curve;
  }
  const codec = await loadRival(job.codec);
  const { points, fresh } = await codeAll(picture, codec, job, cache);
  // Scores come last, so that their arrays are no part of the codecs' memory.
  const score = scorer(picture, job.metrics);
  for (const { point, decoded } of fresh) {
    const complete = { ...point, scores: score(decoded) };
    points[job.settings.indexOf(point.setting)] = complete;
    cache.keep(pointKey(job, point.setting), complete);
  }
  return { points };
}

/** Codes at each setting that the cache does not have, up to the first whose rate is beyond the highest. */
async function codeAll(
  picture: Picture,
  codec: Codec,
  job: CurveJob,
  cache: ResultCache,
): Promise<{ points: Point[]; fresh: Coded[] }> {
  await warmUp(codec);
  const points: Point[] = [];
  const fresh: Coded[] = [];
  globalThis.gc?.();
  const base = residentMemory();
  for (const setting of job.settings) {
    const kept = cache.find<Point>(pointKey(job, setting));
    let rate = kept?.bitsPerPixel;
    if (kept !== undefined) points.push(kept);
    else {
      const coded = await codeOnce(picture, codec, setting, base);
      fresh.push(coded);
      points.push({ ...coded.point, scores: {} });
      rate = coded.point.bitsPerPixel;
    }
    if (rate! > job.maxRate) break;
  }
  return { points, fresh };
}

async function codeOnce(picture: Picture, codec: Codec, setting: number, base: number): Promise<Coded> {
  const memory = (): number | undefined => (codec.peakMemory === undefined ? peakMemory() - base : codec.peakMemory());
  resetPeak();
  const start = processorSeconds();
  const file = await codec.encode(picture, setting);
  const encodeSeconds = processorSeconds() - start;
  const encodeMemory = memory();
  resetPeak();
  const middle = processorSeconds();
  const decoded = await codec.decode(file);
  const decodeSeconds = processorSeconds() - middle;
  const decodeMemory = memory();
  if (decoded.width !== picture.width || decoded.height !== picture.height) {
    throw new DcompError(
      'E_IO',
      `${decoded.width}×${decoded.height} pixels came back of ${picture.width}×${picture.height}`,
    );
  }
  const bytes = file.length;
  const bitsPerPixel = (8 * bytes) / (picture.width * picture.height);
  return { point: { setting, bytes, bitsPerPixel, encodeSeconds, decodeSeconds, encodeMemory, decodeMemory }, decoded };
}

/** Once, small, so that everything is loaded and compiled before times are taken. */
async function warmUp(codec: Codec): Promise<void> {
  const side = 64;
  const data = Uint8Array.from({ length: 3 * side * side }, (_, i) => (i * i) >> 5);
  const small: Picture = { width: side, height: side, channels: 3, data };
  await codec.decode(await codec.encode(small, codec.settings[codec.settings.length >> 1]!));
}

async function ownCurve(picture: Picture, job: CurveJob, own: OwnSettings): Promise<Curve> {
  const evaluator = await ownEvaluator(own);
  const small: Picture = {
    width: 64,
    height: 64,
    channels: 3,
    data: Uint8Array.from({ length: 3 * 64 * 64 }, (_, i) => (i * i) >> 5),
  };
  await codedToTarget(small, evaluator, { bitsPerPixel: 1 }, own.choices);
  const warm = new RememberingEvaluator(evaluator);
  globalThis.gc?.();
  const base = residentMemory();
  const code = job.byQuality ? codedAtQualities : codedAtRates;
  const files: Coded[] = [];
  for await (const file of code(picture, warm, job.settings, own.choices, base)) files.push(file);
  await warm.close();
  const score = scorer(picture, job.metrics);
  return { points: files.map(({ point, decoded }) => ({ ...point, scores: score(decoded) })) };
}

/** A picture costs as much as several steps, and between steps the curve is smooth. */
const SHOWN_STEPS = 2;

/** Of the ideal channel only the PSNRs are of interest: it is there to be compared with the real rate. */
async function idealCurve(picture: Picture, job: CurveJob, own: OwnSettings): Promise<Curve> {
  const evaluator = new RememberingEvaluator(await ownEvaluator(own));
  const score = scorer(
    picture,
    job.metrics.filter((name) => name.startsWith('psnr')),
  );
  const steps: StepBits[] = [];
  const points: Point[] = [];
  for await (const { rate, decoded } of idealPictures(picture, evaluator, job.maxRate, steps, SHOWN_STEPS)) {
    const bytes = Math.ceil((rate * picture.width * picture.height) / 8);
    points.push({
      setting: points.length,
      bytes,
      bitsPerPixel: rate,
      encodeSeconds: 0,
      decodeSeconds: 0,
      scores: score(decoded),
    });
  }
  await evaluator.close();
  return { points, steps };
}

/** On one thread: the pictures are shared out among processes. */
async function ownEvaluator({ model }: OwnSettings): Promise<Evaluator> {
  const given = isModelName(model) ? model : await loadModel(model);
  return openEvaluator(given, { loadModel, sha256 }, (network) => createThreadedEvaluator(network, { threads: 1 }));
}

function scorer(picture: Picture, names: readonly MetricName[]): (decoded: Picture) => Scores {
  const prepared = names.map((name) => [name, metricOf(name).prepare(picture)] as const);
  return (decoded) => {
    const scores: Scores = {};
    for (const [name, score] of prepared) {
      const value = score(decoded);
      if (value !== undefined) scores[name] = value;
    }
    return scores;
  };
}

async function loadRival(name: string): Promise<Codec> {
  return RIVALS.find((entry) => entry.name === name)!.load();
}

export async function loadInfo(name: string): Promise<Loaded> {
  const { about, parameter, settings } = await loadRival(name);
  return { about, parameter, settings: [...settings] };
}

function sampleKey({ hash, codec, about, bytes, own, crop }: SampleJob): Key {
  return {
    picture: hash,
    codec,
    about,
    bytes,
    crop: [crop.x, crop.y, crop.width, crop.height],
    own: own === undefined ? '' : `${own.modelId} ${JSON.stringify(own.choices)} ${OWN_CODE}`,
  };
}

export function keptSample(job: SampleJob): Sample | undefined {
  return new ResultCache(job.cache).find<Sample>(sampleKey(job));
}

/** The largest file of at most so many bytes that the codec's settings allow, as a picture to look at. */
export async function makeSample(job: SampleJob): Promise<Sample> {
  const picture = loadPicture(job.path);
  const { bytes, decoded } = job.codec === 'original' ? { bytes: 0, decoded: picture } : await sampleOf(picture, job);
  const sample = { bytes, psnr: psnrRgb(picture, decoded), ...(await sampleImage(decoded, job.crop)) };
  const kept = { ...sample, psnr: Number.isFinite(sample.psnr) ? sample.psnr : 0 };
  new ResultCache(job.cache).keep(sampleKey(job), kept);
  return kept;
}

async function sampleOf(picture: Picture, job: SampleJob): Promise<{ bytes: number; decoded: Picture }> {
  if (job.own !== undefined) {
    const { bytes, decoded } = await codedToTarget(
      picture,
      await ownEvaluator(job.own),
      { size: job.bytes },
      job.own.choices,
    );
    return { bytes: bytes.length, decoded };
  }
  const codec = await loadRival(job.codec);
  const file = await largestFile(picture, codec, job);
  return { bytes: file.length, decoded: await codec.decode(file) };
}

const SEARCHES = 5;

/** Halves the range of settings between the two neighbours that are known. Where even the smallest is too large, that. */
async function largestFile(picture: Picture, codec: Codec, { bytes, known }: SampleJob): Promise<Uint8Array> {
  const fitting = known.filter((entry) => entry.bytes <= bytes);
  let low = fitting[fitting.length - 1]?.setting ?? known[0]!.setting;
  let high = known.find((entry) => entry.bytes > bytes)?.setting;
  let best = await codec.encode(picture, low);
  if (best.length > bytes) return best;
  const whole = codec.settings.every(Number.isInteger);
  for (
    let i = 0;
    i < SEARCHES && high !== undefined && Math.abs(high - low) > (whole ? 1 : 0.01 * Math.abs(low));
    i++
  ) {
    const middle: number = whole ? Math.round((low + high) / 2) : (low + high) / 2;
    const file = await codec.encode(picture, middle);
    if (file.length <= bytes) {
      low = middle;
      if (file.length >= best.length) best = file;
    } else high = middle;
  }
  return best;
}
