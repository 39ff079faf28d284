/** How long work takes on this machine, by a small measurement: some 0.2 s. */
import { availableParallelism } from 'node:os';
import { COEFFICIENTS } from '../src/model/architecture.js';
import { readModelFile } from '../src/model/integer/model-file.js';
import { createThreadedEvaluator } from '../src/model/wasm/threads-node.js';
import { loadModel } from '../src/models/read-node.js';
import { TOP_CODE } from '../src/model/sigma.js';

/** Side, in positions of 2×2 pixels, of the grid that is evaluated to measure. */
const SIDE = 32;
/** The first evaluation is of code that is not compiled well yet; of the others the best counts. */
const ROUNDS = 3;
/** What decoding takes besides its evaluations. */
const BESIDES = 1.1;

let rate: Promise<number | undefined> | undefined;

/**
 * @param megapixels that go through the network
 * @returns seconds with all cores of the machine, undefined where the package's model cannot be run
 */
export async function estimatedSeconds(megapixels: number): Promise<number | undefined> {
  const seconds = await (rate ??= measure());
  return seconds === undefined ? undefined : (BESIDES * megapixels * seconds) / availableParallelism();
}

/** Seconds of one thread for a megapixel. */
async function measure(): Promise<number | undefined> {
  try {
    const evaluator = createThreadedEvaluator(readModelFile(await loadModel()), { threads: 1 });
    const z = new Float32Array(SIDE * SIDE * COEFFICIENTS);
    const codes = new Uint8Array(z.length).fill(TOP_CODE);
    let best = Infinity;
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      await evaluator.evaluate(z, codes, SIDE, SIDE, { level: 0, sigma: TOP_CODE, mode: 'refine' });
      best = Math.min(best, (performance.now() - start) / 1000);
    }
    await evaluator.close();
    return best / ((4 * SIDE * SIDE) / 1e6);
  } catch {
    return undefined;
  }
}
