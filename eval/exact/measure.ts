/** Measures one picture with one codec without loss, or within an error; runs in a process of its own (worker.ts). */
import { DcompError } from '../../src/errors.js';
import { decode, encode } from '../../src/node.js';
import { loadModel } from '../../src/models/read-node.js';
import type { Picture } from '../../src/picture.js';
import { codeHash, ResultCache, type Key } from '../cache.js';
import type { Codec } from '../codecs/codec.js';
import { loadPicture } from '../pictures.js';
import { processorSeconds } from '../processor-time.js';
import { EXACT_RIVALS } from './codecs.js';
import type { ExactJob, ExactPoint } from './measurement.js';
import { defined } from '../../src/options.js';

const OWN_CODE = codeHash(['src']);

function keyOf({ hash, codec, about, maxError, own }: ExactJob): Key {
  return { kind: 'exact', picture: hash, codec, about, maxError, code: own === undefined ? '' : OWN_CODE };
}

export function keptExact(job: ExactJob): ExactPoint | undefined {
  return new ResultCache(job.cache).find<ExactPoint>(keyOf(job));
}

export async function loadExactInfo(name: string): Promise<{ about: string }> {
  return { about: (await rival(name)).about };
}

/** @throws DcompError E_IO where what comes back is further off than was asked for, and whatever a codec throws */
export async function measureExact(job: ExactJob): Promise<ExactPoint> {
  const picture = loadPicture(job.path);
  const codec = job.own === undefined ? await rival(job.codec) : await ownCodec(job.own, job.maxError);
  const point = await smallest(picture, codec, job.maxError);
  new ResultCache(job.cache).keep(keyOf(job), point);
  return point;
}

async function rival(name: string): Promise<Codec> {
  return EXACT_RIVALS.find((entry) => entry.name === name)!.load();
}

/** dcomp on one thread, its settings the errors that it may make. */
async function ownCodec({ effort, model }: NonNullable<ExactJob['own']>, maxError: number): Promise<Codec> {
  const loaded = model === undefined ? {} : { model: await loadModel(model) };
  return {
    about: '',
    parameter: 'largest error',
    settings: [maxError],
    async encode(picture, error) {
      const target = error === 0 ? ('lossless' as const) : { maxError: error };
      return (
        await encode(picture, {
          ...loaded,
          ...defined({ effort }),
          threads: 1,
          target,
          plain: model === undefined,
        })
      ).bytes;
    },
    decode: (file) => decode(file, { ...loaded, threads: 1 }),
  };
}

/** The smallest file within the error; settings are tried up to the first that is beyond it. */
async function smallest(picture: Picture, codec: Codec, maxError: number): Promise<ExactPoint> {
  await measured(warmUpPicture(), codec, codec.settings[0]!);
  let best: ExactPoint | undefined;
  for (const setting of maxError === 0 ? codec.settings.slice(0, 1) : codec.settings) {
    const point = await measured(picture, codec, setting);
    if (point.largestError > maxError) {
      if (best !== undefined) break;
      throw new DcompError('E_IO', `samples come back that are off by up to ${point.largestError}, not ${maxError}`);
    }
    if (best === undefined || point.bytes < best.bytes) best = point;
  }
  return best!;
}

async function measured(picture: Picture, codec: Codec, setting: number): Promise<ExactPoint> {
  const start = processorSeconds();
  const file = await codec.encode(picture, setting);
  const middle = processorSeconds();
  const decoded = await codec.decode(file);
  const end = processorSeconds();
  const bytes = file.length;
  return {
    setting,
    bytes,
    bitsPerSample: (8 * bytes) / picture.data.length,
    largestError: largestError(picture, decoded),
    encodeSeconds: middle - start,
    decodeSeconds: end - middle,
  };
}

function largestError(a: Picture, b: Picture): number {
  if (a.width !== b.width || a.height !== b.height || a.channels !== b.channels)
    throw new DcompError('E_IO', `${b.width}×${b.height} pixels came back of ${a.width}×${a.height}`);
  let most = 0;
  for (let i = 0; i < a.data.length; i++) most = Math.max(most, Math.abs(a.data[i]! - b.data[i]!));
  return most;
}

/** Small, so that everything is loaded and compiled before times are taken. */
function warmUpPicture(): Picture {
  const side = 64;
  const data = Uint8Array.from({ length: 3 * side * side }, (_, i) => (i * i) >> 5);
  return { width: side, height: side, channels: 3, data };
}
