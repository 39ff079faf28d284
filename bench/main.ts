/**
 * `npm run bench`: where the time goes, as ratios of figures taken in one run, each beside its target. Absolute times are
 * the machine's; other work on the machine spoils the ratios of threads and times.
 *
 * Usage: node dist/bench/main.js [MODEL]   (small, large or a .dcm file; default: that of encode)
 */
import { spawnSync } from 'node:child_process';
import { argv, execPath, resourceUsage } from 'node:process';
import { fileURLToPath } from 'node:url';
import { corpusPicture } from '../corpus/pictures.js';
import { decodePicture } from '../src/codec/decoder.js';
import { encodePicture } from '../src/codec/encoder.js';
import { DEFAULT_ARCHITECTURE, uNet } from '../src/model/architecture.js';
import type { Evaluator, RowEvaluation } from '../src/model/evaluator.js';
import type { IntegerModel } from '../src/model/integer/integer-model.js';
import { loadModel } from '../src/models/read-node.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { createThreadedEvaluator } from '../src/model/wasm/threads-node.js';
import { DEFAULT_MODEL } from '../src/node.js';
import { besideAvif, meanAndMost, picturesBesideAvif } from './beside-avif.js';
import { bare, measureInTurn, network, processorTime, registers, trainedLike } from './engine.js';

const PICTURE = { name: 'scene', width: 768, height: 512 };
const BITS_PER_PIXEL = 0.25;
/** Makes this program encode once and print its peak memory in MiB. */
const MEMORY = '--memory';
const ROUNDS = 30;
const STRAIGHT_ROUNDS = 6;
const BESIDE_AVIF = { rates: [0.25, 1], pictures: { small: 3, large: 1 } };

function report(what: string, value: number, digits: number, target: string): void {
  console.log(`${what.padEnd(64)} ${value.toFixed(digits).padStart(7)}   ${target}`);
}

/** Winograd's tiles against the direct convolution, of networks whose evaluations take turns. */
async function benchTiles(): Promise<void> {
  for (const [name, architecture] of [
    ['default', DEFAULT_ARCHITECTURE],
    ['24, 48, 96, 96 channels', uNet([24, 48, 96, 96])],
  ] as const) {
    const model = trainedLike(architecture);
    for (const threads of [1, 2]) {
      const [tiles, direct] = [
        await createThreadedEvaluator(model, { threads }),
        await createThreadedEvaluator(model, { threads, convolution: 'direct' }),
      ];
      const networks = [network(tiles, 96, 64), network(direct, 96, 64)] as const;
      await measureInTurn(networks, ROUNDS, processorTime);
      const what = `tiles / direct convolution (processor's rate, ${name}, ${threads} thread${threads > 1 ? 's' : ''})`;
      report(what, networks[0].best / networks[1].best, 2, '1.50 or more');
      await Promise.all([tiles.close(), direct.close()]);
    }
  }
}

/** Arithmetic: registers, bare convolution, network; one thread and two. */
async function benchEngine(): Promise<void> {
  const model = trainedLike(DEFAULT_ARCHITECTURE);
  const one = await createThreadedEvaluator(model, { threads: 1 });
  const two = await createThreadedEvaluator(model, { threads: 2 });
  const direct = await createThreadedEvaluator(model, { threads: 1, convolution: 'direct' });
  const ceiling = registers();
  const kernels = [bare(64), bare(96), bare(128)];
  const networks = [network(direct, 96, 64), network(one, 96, 64), network(two, 96, 64)] as const;
  await measureInTurn([ceiling, ...kernels, ...networks], ROUNDS);
  // The network has layers of all three widths: the rate of the same work on each is the harmonic mean.
  const kernel = kernels.length / kernels.reduce((sum, { best }) => sum + 1 / best, 0);
  report('bare kernel / dot products in registers (rate)', kernel / ceiling.best, 2, '0.80 or more');
  report('whole network, computed directly / bare kernel (rate)', networks[0].best / kernel, 2, '0.70 or more');
  report('two threads / one (rate of the network)', networks[2].best / networks[1].best, 2, '1.70 or more');
  await Promise.all([one.close(), two.close(), direct.close()]);
}

/** Counts the time that is spent in evaluations of the network. */
class TimedEvaluator implements Evaluator {
  readonly model: IntegerModel;
  readonly threads: number;
  milliseconds = 0;

  /** @param clock in milliseconds */
  constructor(
    private readonly inner: Evaluator,
    private readonly clock = (): number => performance.now(),
  ) {
    this.model = inner.model;
    this.threads = inner.threads;
  }

  async evaluate(...request: Parameters<Evaluator['evaluate']>): Promise<Float32Array> {
    const start = this.clock();
    const output = await this.inner.evaluate(...request);
    this.milliseconds += this.clock() - start;
    return output;
  }

  evaluateRows(...request: Parameters<Evaluator['evaluateRows']>): RowEvaluation {
    const evaluation = this.inner.evaluateRows(...request);
    return {
      next: async (rows, pause) => {
        const start = this.clock();
        const output = await evaluation.next(rows, pause);
        this.milliseconds += this.clock() - start;
        return output;
      },
    };
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

/** Encoding and decoding of one picture against the evaluations in them. */
async function benchCodec(model: IntegerModel, threads: number): Promise<void> {
  const evaluator = new TimedEvaluator(await createThreadedEvaluator(model, { threads }));
  const picture = corpusPicture(PICTURE.name, PICTURE);
  // Once small, so that everything is compiled.
  const small = await encodePicture(corpusPicture(PICTURE.name, { width: 96, height: 64 }), evaluator, {
    target: { bitsPerPixel: 1 },
  });
  await decodePicture(small.bytes, evaluator);
  const start = performance.now();
  const { bytes } = await encodePicture(picture, evaluator, { target: { bitsPerPixel: BITS_PER_PIXEL } });
  const middle = performance.now();
  evaluator.milliseconds = 0;
  await decodePicture(bytes, evaluator);
  const decoding = performance.now() - middle;
  const name = `${threads} thread${threads > 1 ? 's' : ''}`;
  report(`decoding / network evaluations in it (time, ${name})`, decoding / evaluator.milliseconds, 3, '1.15 or less');
  report(`encoding / decoding (time, ${name})`, (middle - start) / decoding, 3, '1.50 or less');
  await evaluator.close();
}

/** The same of a small network on a straight schedule: the processor's time, the best of several. */
async function benchStraight(): Promise<void> {
  const model = readModelFile(await loadModel('small'));
  const evaluator = new TimedEvaluator(await createThreadedEvaluator(model, { threads: 1 }), processorTime);
  const picture = corpusPicture(PICTURE.name, { width: 512, height: 512 });
  let [encoding, decoding, ratio] = [Infinity, Infinity, Infinity];
  for (let i = 0; i < STRAIGHT_ROUNDS; i++) {
    const start = processorTime();
    const { bytes } = await encodePicture(picture, evaluator, { target: { quality: 30 }, plain: false });
    const middle = processorTime();
    evaluator.milliseconds = 0;
    await decodePicture(bytes, evaluator);
    const time = processorTime() - middle;
    encoding = Math.min(encoding, middle - start);
    decoding = Math.min(decoding, time);
    // What is compiled on the way belongs to no picture.
    if (i > 0) ratio = Math.min(ratio, time / evaluator.milliseconds);
  }
  const what = `straight schedule, model ${model.id}, processor's time, 1 thread`;
  report(`decoding / network evaluations in it (${what})`, ratio, 3, '1.15 or less');
  report(`encoding / decoding (${what})`, encoding / decoding, 3, '1.50 or less');
  await evaluator.close();
}

/** Times of either model beside those of AVIF's encoder. */
async function benchBesideAvif(): Promise<void> {
  for (const name of ['small', 'large'] as const) {
    const pictures = picturesBesideAvif(BESIDE_AVIF.pictures[name]);
    const evaluator = await createThreadedEvaluator(readModelFile(await loadModel(name)), { threads: 1 });
    const [first] = pictures;
    await decodePicture((await encodePicture(first!, evaluator, { target: { quality: 30 } })).bytes, evaluator);
    for (const rate of BESIDE_AVIF.rates) {
      const { decoding, encoding, sizing } = await besideAvif(pictures, evaluator, rate);
      console.log(
        `times of AVIF's encoder, ${name}, ${rate} bits per pixel: decoding ${meanAndMost(decoding)}, ` +
          `encoding to a quality ${meanAndMost(encoding)}, to a size ${meanAndMost(sizing)}`,
      );
    }
    await evaluator.close();
  }
}

/** Peak memory of a process that encodes the picture, in MiB. */
function peakMemory(modelName: string): number {
  const { stdout, stderr, status } = spawnSync(execPath, [fileURLToPath(import.meta.url), MEMORY, modelName], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the encoder of the memory measurement failed: ${stderr}`);
  return Number(stdout);
}

async function encodeOnce(model: IntegerModel): Promise<void> {
  const evaluator = await createThreadedEvaluator(model);
  await encodePicture(corpusPicture(PICTURE.name, PICTURE), evaluator, { target: { bitsPerPixel: BITS_PER_PIXEL } });
  await evaluator.close();
  console.log(resourceUsage().maxRSS / 1024);
}

const inChild = argv[2] === MEMORY;
const modelName = argv[inChild ? 3 : 2] ?? DEFAULT_MODEL;
const model = readModelFile(await loadModel(modelName));
if (inChild) await encodeOnce(model);
else {
  console.log(
    `Codec: ${PICTURE.name}, ${PICTURE.width}×${PICTURE.height}, ${BITS_PER_PIXEL} bits per pixel, model ${model.id}`,
  );
  await benchEngine();
  await benchTiles();
  for (const threads of [1, 2]) await benchCodec(model, threads);
  await benchStraight();
  await benchBesideAvif();
  report('peak memory of one encoding (MiB)', peakMemory(modelName), 0, 'below 400');
}
