/**
 * How near the integer network comes to what the processor can do. Prints 10^9 operations a second (a multiply-add
 * counts as two) of the arithmetic alone, of the bare convolution, and of the whole network, on one thread and on more.
 * Absolute numbers are the machine's; the ratios are the engine's. Each is the best of many short runs, taken in turn, so
 * that other work on the machine disturbs all alike.
 *
 * Usage: node dist/bench/engine.js [threads]
 */
import { pathToFileURL } from 'node:url';
import { compileKernel, instantiateKernel, kernelMemory } from '../src/kernels/load.js';
import { wasm } from '../src/kernels/bench.wasm.js';
import { DEFAULT_ARCHITECTURE, flopsPerPixel, type Architecture } from '../src/model/architecture.js';
import type { Evaluator } from '../src/model/evaluator.js';
import type { IntegerModel } from '../src/model/integer/integer-model.js';
import { PART, PART_BYTES } from '../src/model/wasm/plan.js';
import { createThreadedEvaluator } from '../src/model/wasm/threads-node.js';
import { TRAINED_SHARE, randomModel } from '../corpus/random-model.js';

interface BenchKernel extends WebAssembly.Exports {
  registers(count: number, seed: number): number;
  rawRows(part: number, y0: number, y1: number): void;
}

/** Measures that do `operations` each; evaluated in turn. */
export interface Measure {
  name: string;
  operations: number;
  run(): unknown;
  best: number;
}

const ROUNDS = 40;

export function registers(): Measure {
  const kernel = instantiateKernel<BenchKernel>(compileKernel(wasm), kernelMemory(1));
  const count = 5e5;
  return {
    name: 'dot products in registers',
    operations: count * 24 * 8 * 2,
    run: () => kernel.registers(count, 3),
    best: 0,
  };
}

/** The kernel without what follows the sums: 3×3, `channels` to `channels`, on a grid of 96×32. */
export function bare(channels: number): Measure {
  const [width, height] = [96, 32];
  const pixel = 2 * channels;
  const row = (width + 2) * pixel;
  const input = 1024;
  const weights = input + (height + 2) * row;
  const output = weights + 18 * channels * channels;
  const memory = kernelMemory(output + 4 * width * height * channels);
  const numbers = new Int16Array(memory.buffer, input, (output - input) / 2);
  for (let i = 0; i < numbers.length; i++) numbers[i] = ((i * 7919) % 255) - 127;
  const part = new Int32Array(memory.buffer, 64, PART_BYTES / 4);
  Object.assign(part, {
    [PART.input]: input,
    [PART.inputRow]: row,
    [PART.inputPixel]: pixel,
    [PART.kernelRow]: row,
    [PART.kernelRows]: 3,
    [PART.run]: 3 * pixel,
    [PART.weights]: weights,
    [PART.output]: output,
    [PART.outputRow]: 4 * width * channels,
    [PART.outputPixel]: 4 * channels,
    [PART.width]: width,
    [PART.blocks]: channels / 8,
  });
  const kernel = instantiateKernel<BenchKernel>(compileKernel(wasm), memory);
  const operations = 18 * channels * channels * width * height;
  return {
    name: `bare convolution, ${channels} channels`,
    operations,
    run: () => kernel.rawRows(64, 0, height),
    best: 0,
  };
}

export function network(evaluator: Evaluator, width: number, height: number): Measure {
  const z = new Float32Array(width * height * 12).map((_, i) => ((i * 7919) % 255) - 127);
  const codes = new Uint8Array(z.length).fill(140);
  const name = `network, grid ${width}×${height}, ${evaluator.threads} thread${evaluator.threads > 1 ? 's' : ''}`;
  const run = (): unknown => evaluator.evaluate(z, codes, width, height, { level: 0, sigma: 140, mode: 'refine' });
  const operations = flopsPerPixel(evaluator.model.architecture) * 4 * width * height;
  return { name, operations, run, best: 0 };
}

/** A random network whose weights are as large as those of trained ones. */
export function trainedLike(architecture: Architecture): IntegerModel {
  return randomModel(architecture, 1, undefined, undefined, TRAINED_SHARE);
}

/** Milliseconds that all threads of this process have computed: what others do on the machine disturbs it least. */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

/**
 * Evaluates all in turn, so many rounds, and keeps each one's best rate in 10^9 operations a second.
 * @param clock in milliseconds
 */
export async function measureInTurn(
  measures: readonly Measure[],
  rounds: number,
  clock: () => number = () => performance.now(),
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const measure of measures) {
      const start = clock();
      await measure.run();
      measure.best = Math.max(measure.best, measure.operations / (clock() - start) / 1e6);
    }
  }
}

async function main(threads: number): Promise<void> {
  const model = trainedLike(DEFAULT_ARCHITECTURE);
  const one = await createThreadedEvaluator(model, { threads: 1 });
  const many = await createThreadedEvaluator(model, { threads });
  const measures = [registers(), bare(64), bare(96), bare(128)];
  for (const [width, height] of [
    [24, 16],
    [48, 32],
    [96, 64],
  ] as const) {
    measures.push(network(one, width, height), network(many, width, height));
  }
  await measureInTurn(measures, ROUNDS);
  for (const { name, best } of measures) {
    const share = `${((100 * best) / measures[0]!.best).toFixed(0)} % of the first`;
    console.log(`${name.padEnd(40)} ${best.toFixed(1).padStart(7)} GOP/s   ${share}`);
  }
  await Promise.all([one.close(), many.close()]);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(Number(process.argv[2] ?? 2));
